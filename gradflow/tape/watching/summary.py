"""Write what a report says of a step for TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from gradflow.findings import ModelReport, Role


def write_summary(folder: str, model: ModelReport, texts: Mapping[str, str], step: int) -> None:
    """Write the norm of the gradient of each layer as a scalar, and texts.

    Args:
        folder: where TensorBoard looks.
        model: the report.
        texts: for people, by the tag that TensorBoard shows them under.
        step: the number of the batch.
    """
    squares: dict[str, list[float]] = {}
    for variable in model.variables:
        if variable.role is Role.WEIGHT and variable.gradient is not None:
            norm = variable.gradient.norm
            layer = variable.layer or variable.name
            squares.setdefault(layer, []).append(math.nan if norm is None else norm * norm)
    writer = tf.summary.create_file_writer(folder, filename_suffix=".gradflow")
    with writer.as_default(step=step):
        for layer, parts in squares.items():
            norm = tf.constant(math.sqrt(sum(parts)), tf.float32)
            tf.summary.write(f"gradient_norm/{layer}", norm, metadata=_metadata("scalars", 1))
        for tag, text in texts.items():
            written = tf.constant([f"```\n{text}\n```"])
            tf.summary.write(tag, written, metadata=_metadata("text", 2))
    writer.close()


def _metadata(plugin: str, data_class: int) -> Any:
    """Return what ``tf.summary.scalar`` and ``text`` say of a value; those need the package
    tensorboard to write it."""
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = plugin
    return metadata
