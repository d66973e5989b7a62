"""Inputs and a guess at their sizes in, tensors out: dense ones, and the parts of sparse and ragged
ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.errors import InputError
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Input
from gradflow.flow.input_use.uses import RaggedParts, SparseParts, Use
from gradflow.options import InputSpec, Options
from gradflow.tape.inputs.attempts import Attempt, shape_of
from gradflow.tape.inputs.graph_hints import Knowledge
from gradflow.tape.inputs.random_values import SMALL, Draw, between, entries
from gradflow.tape.inputs.user_arrays import given_array

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
    """One each for what the user knows as one input: a sparse tensor can be three of
    ``tensors``."""


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
    def guessed(self) -> tuple[TensorInfo, ...]:
        """What has sizes that may have to be guessed: these inputs, and in place of the parts of a
        whole the whole."""
        infos = {info.name: info for info in self.inputs}
        parts = {name for one in self.composites for name in names_of(one)}
        wholes = [whole_of(one, infos) for one in self.composites if one.name not in self.specs]
        return (*(info for info in self.free if info.name not in parts), *wholes)

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
            told[info.name] = Input(
                info.name, tuple(made[info.name].shape), _dtype(info, wanted), source
            )
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
    shapes = [
        wanted.specs[info.name].shape if info.name in wanted.specs else shape_of(info, attempt)
        for info in dense
    ]
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
        known = [size if size < MAX_ELEMENTS else None for size in shape]
        raise InputError(
            f"input {info.name!r}: shape {list(shape)} is too large for a test batch",
            f"--input {line(info.name, info.dtype, known)}",
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
    """The data type that an input is fed with: what the model declares, unless the option says
    otherwise."""
    spec = wanted.specs.get(info.name)
    return spec.dtype if spec is not None and spec.dtype is not None else info.dtype


def _tensor(array: Array, dtype: str) -> Any:
    if array.dtype == object:
        return tf.constant(array, tf.string)
    kind = tf.as_dtype(dtype)
    if kind.is_quantized:
        return tf.bitcast(tf.constant(array), kind)
    return (
        tf.cast(tf.constant(array), kind)
        if array.dtype.name != kind.name
        else tf.constant(array, kind)
    )


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
    values, spec = infos[composite.values], wanted.specs.get(composite.name or "")
    given, said = None, ""
    if spec is not None and spec.file is not None:
        given, said = given_array(as_given(composite, values), spec)
    if isinstance(composite, SparseParts):
        shape, parts, count = _sparse(composite, infos, attempt, draw, given, spec)
        inner: tuple[int, ...] = ()
    else:
        shape, parts, count = _ragged(composite, infos, attempt, draw, given, spec)
        inner = shape_of(values, attempt)[1:]
    if spec is not None and (spec.high is not None or spec.low):
        drawn, source = between(
            values.name, values.dtype, (count, *inner), spec.low, spec.high, draw
        )
    else:
        drawn, source = entries(
            values.name, values.dtype, (count, *inner), use_of(wanted, values.name), draw
        )
    if given is not None:
        chosen = (
            given[tuple(parts[composite.indices].T)]
            if isinstance(composite, SparseParts)
            else given
        )
        drawn, source = chosen.reshape(count, *inner), said
    made.update({composite.values: drawn, **parts})
    kind = "sparse" if isinstance(composite, SparseParts) else "ragged"
    if composite.name is not None:
        told[names_of(composite)[0]] = Input(
            composite.name, shape, values.dtype, f"{kind} {source}"
        )
        return
    for name in names_of(composite):
        of = source if name == composite.values else f"{kind} with {composite.values}"
        told[name] = Input(name, tuple(made[name].shape), infos[name].dtype, of)


def whole_of(composite: Composite, infos: Mapping[str, TensorInfo]) -> TensorInfo:
    """A sparse tensor as if it were dense, or the values of a ragged one; under the name of the
    values."""
    values = infos[composite.values]
    if isinstance(composite, RaggedParts):
        return values
    noted = infos[composite.dense_shape].shape
    rank = noted[0] if noted and noted[0] else 2
    return TensorInfo(values.name, values.dtype, composite.shape or (None,) * rank)


def as_given(composite: Composite, values: TensorInfo) -> TensorInfo:
    """What an array has to look like that is given for the whole."""
    return replace(values, shape=composite.shape if isinstance(composite, SparseParts) else None)


def _sparse(
    parts: SparseParts,
    infos: Mapping[str, TensorInfo],
    attempt: Attempt,
    draw: Draw,
    given: Array | None,
    spec: InputSpec | None,
) -> tuple[tuple[int, ...], dict[str, Array], int]:
    """The shape of the whole, its places and its shape as parts, and the number of places."""
    if given is not None:
        shape, indices = given.shape, np.argwhere(given)
    else:
        asked = spec.shape if spec is not None else None
        shape = asked or shape_of(whole_of(parts, infos), attempt)
        indices = _places(shape, draw.generator(parts.indices))
    return (
        shape,
        {parts.indices: indices.astype(np.int64), parts.dense_shape: np.array(shape, np.int64)},
        len(indices),
    )


def _places(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Half of a sparse tensor's places, or ``_MOST_ENTRIES``, in the order of its rows; one at
    least in each row."""
    size = int(np.prod(shape))
    width = max(1, size // max(1, shape[0]))
    rows = np.arange(shape[0]) * width + random.integers(0, width, shape[0])
    others = random.integers(0, size, min(size // 2, _MOST_ENTRIES))
    flat = np.unique(np.concatenate([rows, others]))
    return np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int64)


def _ragged(
    parts: RaggedParts,
    infos: Mapping[str, TensorInfo],
    attempt: Attempt,
    draw: Draw,
    given: Array | None,
    spec: InputSpec | None,
) -> tuple[tuple[int, ...], dict[str, Array], int]:
    """The shape of the whole, its row splits from the outermost as parts, and the number of
    values."""
    depth = len(parts.splits)
    inner = shape_of(infos[parts.values], attempt)[1:]
    asked = given.shape if given is not None else spec.shape if spec is not None else None
    longest = (min(draw.length, _LONGEST),) * depth
    shape = asked or (attempt.batch, *longest, *inner)
    random = draw.generator(parts.splits[0])
    count, made = shape[0], {}
    for name, size in zip(parts.splits, shape[1:], strict=False):
        lengths = random.integers(1, size + 1, count) if given is None else np.full(count, size)
        lengths[:1] = size
        splits = np.concatenate([[0], np.cumsum(lengths)])
        made[name] = splits.astype(infos[name].dtype)
        count = int(splits[-1])
    return shape, made, count
