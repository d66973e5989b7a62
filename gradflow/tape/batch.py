"""Inputs and a guess at their sizes in, tensors out: dense ones, and the parts of sparse and ragged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.errors import InputError
from gradflow.files.saved_model import TensorInfo
from gradflow.findings import Input
from gradflow.flow.uses import RaggedParts, SparseParts, Use
from gradflow.options import InputSpec, Options
from gradflow.tape.attempts import Attempt, shape_of
from gradflow.tape.draw import SMALL, Draw, between, entries
from gradflow.tape.given import given_array
from gradflow.tape.knowledge import Knowledge

Array = np.ndarray[Any, Any]
Composite = SparseParts | RaggedParts

MAX_ELEMENTS = 2**28
"""Entries of one input; beyond this the shape is a mistake, not a batch."""
_MOST_ENTRIES = 1_000
"""Of a sparse tensor."""
_LONGEST = 5
"""Row of a ragged tensor."""
_NOTHING = Use()


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors and how each was made."""

    tensors: tuple[Any, ...]
    described: tuple[Input, ...]
    """One each for what the user knows as one input: a sparse tensor can be three of ``tensors``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch is made from, whatever its sizes."""

    inputs: tuple[TensorInfo, ...]
    specs: Mapping[str, InputSpec]
    options: Options
    composites: tuple[Composite, ...]
    knowledge: Knowledge
    high: int | None
    """Row numbers are below this where the graph does not say."""

    @property
    def free(self) -> tuple[TensorInfo, ...]:
        """The inputs that the user does not give."""
        return tuple(info for info in self.inputs if info.name not in self.specs)

    @property
    def highest(self) -> int:
        """Row numbers are drawn below this where the graph does not say."""
        return max(1, self.high if self.high is not None else SMALL)


def make_batch(wanted: Wanted, attempt: Attempt) -> Batch:
    """Make the batch of an attempt.

    Raises:
        InputError: a shape is beyond every batch that can be meant.
        UsageError: an array of the user's does not fit.
    """
    parts = {name: one for one in wanted.composites for name in names_of(one)}
    draw = _draw(wanted, attempt, [info for info in wanted.inputs if info.name not in parts])
    made: dict[str, Array] = {}
    told: dict[str, Input] = {}
    for info in wanted.inputs:
        if info.name in made:
            continue
        composite = parts.get(info.name)
        if composite is None:
            made[info.name], source = _dense(info, wanted, attempt, draw)
            told[info.name] = Input(info.name, tuple(made[info.name].shape), _dtype(info, wanted), source)
        else:
            _compose(composite, wanted, attempt, draw, made, told)
    tensors = tuple(_tensor(made[info.name], _dtype(info, wanted)) for info in wanted.inputs)
    return Batch(tensors, tuple(told[info.name] for info in wanted.inputs if info.name in told))


def names_of(composite: Composite) -> tuple[str, ...]:
    """The inputs that are its parts."""
    if isinstance(composite, SparseParts):
        return composite.indices, composite.values, composite.dense_shape
    return composite.values, *composite.splits


def _draw(wanted: Wanted, attempt: Attempt, dense: Sequence[TensorInfo]) -> Draw:
    shapes = [wanted.specs[info.name].shape if info.name in wanted.specs else shape_of(info, attempt) for info in dense]
    lengths = [shape[1] for shape in shapes if shape is not None and len(shape) > 1]
    options = wanted.options
    return Draw(
        seed=options.seed,
        training=options.training,
        high=attempt.high or wanted.highest,
        float_ids=attempt.float_ids,
        length=min(lengths, default=_LONGEST),
        count=attempt.batch,
        words=wanted.knowledge.words,
    )


def _dense(info: TensorInfo, wanted: Wanted, attempt: Attempt, draw: Draw) -> tuple[Array, str]:
    spec = wanted.specs.get(info.name)
    if spec is not None and spec.file is not None:
        return given_array(info, spec)
    shape = spec.shape if spec is not None and spec.shape is not None else shape_of(info, attempt)
    if np.prod(shape, dtype=float) > MAX_ELEMENTS:
        raise InputError(
            f"input {info.name!r}: shape {list(shape)} is too large for a test batch",
            f"--input {line(info.name, info.dtype, [size if size < MAX_ELEMENTS else None for size in shape])}",
        )
    if spec is not None and (spec.high is not None or spec.low):
        return between(info.name, spec.dtype or info.dtype, shape, spec.low, spec.high, draw)
    return entries(info.name, _dtype(info, wanted), shape, use_of(wanted, info.name), draw)


def use_of(wanted: Wanted, name: str) -> Use:
    """What the graph does with an input, as far as that is known."""
    return wanted.knowledge.uses.of.get(name, _NOTHING)


def line(name: str, dtype: str, shape: Sequence[int | None]) -> str:
    """The value of ``--input`` that gives an input this shape."""
    return f"{name}={dtype}[{','.join('4' if size is None else str(size) for size in shape)}]"


def _dtype(info: TensorInfo, wanted: Wanted) -> str:
    """The data type that an input is fed with: what the model declares, unless the option says otherwise."""
    spec = wanted.specs.get(info.name)
    return spec.dtype if spec is not None and spec.dtype is not None else info.dtype


def _tensor(array: Array, dtype: str) -> Any:
    if array.dtype == object:
        return tf.constant(array, tf.string)
    kind = tf.as_dtype(dtype)
    if kind.is_quantized:
        return tf.bitcast(tf.constant(array, _WIDTHS[dtype]), kind)
    return tf.cast(tf.constant(array), kind) if array.dtype.name != kind.name else tf.constant(array, kind)


_WIDTHS = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}


def _compose(
    composite: Composite,
    wanted: Wanted,
    attempt: Attempt,
    draw: Draw,
    made: dict[str, Array],
    told: dict[str, Input],
) -> None:
    """Make the parts of a sparse or ragged tensor, which have to agree."""
    infos = {info.name: info for info in wanted.inputs}
    values = infos[composite.values]
    if isinstance(composite, SparseParts):
        shape = _sparse_shape(composite, infos, attempt)
        indices = _places(shape, draw.generator(composite.indices))
        parts = {composite.indices: indices, composite.dense_shape: np.array(shape, dtype=np.int64)}
        count, kind = len(indices), "sparse"
    else:
        shape, parts, count = _splits(composite, infos, attempt, draw)
        kind = "ragged"
    inner = () if isinstance(composite, SparseParts) else shape_of(values, attempt)[1:]
    drawn, source = entries(values.name, values.dtype, (count, *inner), use_of(wanted, values.name), draw)
    made.update({composite.values: drawn, **parts})
    if composite.name is not None:
        told[infos[names_of(composite)[0]].name] = Input(composite.name, shape, values.dtype, f"{kind} {source}")
        return
    for name in names_of(composite):
        said = source if name == composite.values else f"{kind} with {composite.values}"
        told[name] = Input(name, tuple(made[name].shape), infos[name].dtype, said)


def _sparse_shape(parts: SparseParts, infos: Mapping[str, TensorInfo], attempt: Attempt) -> tuple[int, ...]:
    if parts.shape is not None:
        return shape_of(TensorInfo(parts.values, "", parts.shape), attempt)
    noted = infos[parts.dense_shape].shape
    rank = noted[0] if noted and noted[0] else 2
    return shape_of(TensorInfo(parts.values, "", (None,) * rank), attempt)


def _places(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Half of a sparse tensor's places, or ``_MOST_ENTRIES``, in the order of its rows; one at least in each row."""
    size = int(np.prod(shape))
    width = max(1, size // max(1, shape[0]))
    rows = np.arange(shape[0]) * width + random.integers(0, width, shape[0])
    others = random.integers(0, size, min(size // 2, _MOST_ENTRIES))
    flat = np.unique(np.concatenate([rows, others]))
    return np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int64)


def _splits(
    parts: RaggedParts, infos: Mapping[str, TensorInfo], attempt: Attempt, draw: Draw
) -> tuple[tuple[int, ...], dict[str, Array], int]:
    """Row splits from the outermost, and the number of values that they give places to."""
    random = draw.generator(parts.splits[0])
    longest = min(draw.length, _LONGEST)
    count, made = attempt.batch, {}
    for name in parts.splits:
        lengths = random.integers(1, longest + 1, count)
        lengths[:1] = longest
        splits = np.concatenate([[0], np.cumsum(lengths)])
        made[name] = splits.astype(infos[name].dtype)
        count = int(splits[-1])
    inner = shape_of(infos[parts.values], attempt)[1:]
    return (attempt.batch, *(longest,) * len(parts.splits), *inner), made, count
