"""Serialize ``tf.Example`` records with the features that a graph parses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.input_use.uses import Feature, Parts, Use

Entries = Callable[[str, str, tuple[int, ...], Use], tuple[np.ndarray[Any, Any], str]]
"""A name, a data type, a shape and a use in, entries and where they came from out."""
_UNKNOWN = 3
"""Entries of a feature that may have any number."""


def serialized_examples(features: Sequence[Feature], count: int, entries: Entries) -> list[bytes]:
    """``count`` records that hold every feature."""
    columns = {feature.key: _column(feature, count, entries) for feature in features}
    records = []
    for row in range(count):
        record = {key: _feature(column[row]) for key, column in columns.items()}
        records.append(
            tf.train.Example(features=tf.train.Features(feature=record)).SerializeToString()
        )
    return records


def _column(feature: Feature, count: int, entries: Entries) -> list[np.ndarray[Any, Any]]:
    shape = tuple(size if size is not None else _UNKNOWN for size in feature.shape)
    values, _ = entries(feature.key, feature.dtype, (count, *shape), feature.use)
    rows = list(values.reshape(count, -1))
    if feature.parts is Parts.DENSE:
        return rows
    return [row[: 1 + number % _UNKNOWN] for number, row in enumerate(rows)]


def _feature(values: np.ndarray[Any, Any]) -> Any:
    if values.dtype == object:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values.tolist()))
    if values.dtype.kind in "iub":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values.tolist()))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values.tolist()))
