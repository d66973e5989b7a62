"""Make the tensors of a batch: dense ones, and the parts of sparse and ragged ones."""

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
class BatchPlan:
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
        parts = {name for composite in self.composites for name in names_of(composite)}
        wholes = [
            whole_of(composite, infos)
            for composite in self.composites
            if composite.name not in self.specs
        ]
        return (*(info for info in self.free if info.name not in parts), *wholes)

    @property
    def highest(self) -> int:
        """Row numbers are drawn below this where the graph does not say."""
        return max(1, self.high if self.high is not None else SMALL)


def make_batch(plan: BatchPlan, attempt: Attempt) -> Batch:
    """Make the batch of an attempt.

    Raises:
        InputError: a shape is beyond every batch that can be meant.
        UsageError: an array of the user's does not fit.
    """
    parts = {name: composite for composite in plan.composites for name in names_of(composite)}
    draw = _draw(plan, attempt, [info for info in plan.inputs if info.name not in parts])
    arrays: dict[str, Array] = {}
    described: dict[str, Input] = {}
    for info in plan.inputs:
        if info.name in arrays:
            continue
        composite = parts.get(info.name)
        if composite is None:
            arrays[info.name], source = _dense(info, plan, attempt, draw)
            described[info.name] = Input(
                info.name, tuple(arrays[info.name].shape), _dtype(info, plan), source
            )
        else:
            _compose(composite, plan, attempt, draw, arrays=arrays, described=described)
    tensors = tuple(_tensor(arrays[info.name], _dtype(info, plan)) for info in plan.inputs)
    return Batch(
        tensors, tuple(described[info.name] for info in plan.inputs if info.name in described)
    )


def names_of(composite: Composite) -> tuple[str, ...]:
    """Return the inputs that are its parts."""
    if isinstance(composite, SparseParts):
        return composite.indices, composite.values, composite.dense_shape
    return composite.values, *composite.splits


def _draw(plan: BatchPlan, attempt: Attempt, dense: Sequence[TensorInfo]) -> Draw:
    shapes = [
        plan.specs[info.name].shape if info.name in plan.specs else shape_of(info, attempt)
        for info in dense
    ]
    lengths = [shape[1] for shape in shapes if shape is not None and len(shape) > 1]
    options = plan.options
    return Draw(
        seed=options.seed,
        training=options.training,
        high=attempt.high or plan.highest,
        float_ids=attempt.float_ids,
        length=min(lengths, default=_LONGEST),
        count=attempt.batch,
        words=plan.knowledge.words,
    )


def _dense(info: TensorInfo, plan: BatchPlan, attempt: Attempt, draw: Draw) -> tuple[Array, str]:
    spec = plan.specs.get(info.name)
    if spec is not None and spec.file is not None:
        return given_array(info, spec)
    shape = spec.shape if spec is not None and spec.shape is not None else shape_of(info, attempt)
    if np.prod(shape, dtype=float) > MAX_ELEMENTS:
        sizes = [size if size < MAX_ELEMENTS else None for size in shape]
        raise InputError(
            f"input {info.name!r}: shape {list(shape)} is too large for a test batch",
            f"--input {line(info.name, info.dtype, sizes)}",
        )
    if spec is not None and (spec.high is not None or spec.low):
        return between(
            info.name,
            spec.dtype or info.dtype,
            shape,
            low=spec.low,
            high=spec.high,
            draw=draw,
        )
    return entries(info.name, _dtype(info, plan), shape, _use_in(plan, attempt, info.name), draw)


def use_of(plan: BatchPlan, name: str) -> Use:
    """Return what the graph does with an input, as far as that is known."""
    return plan.knowledge.uses.by_input.get(name, _NOTHING)


def _use_in(plan: BatchPlan, attempt: Attempt, name: str) -> Use:
    """Return what the graph does with an input; where an error told of a lower limit than the
    graph, as an assertion on labels does, that one holds."""
    use = use_of(plan, name)
    if use.high is None or attempt.high is None:
        return use
    return replace(use, high=min(use.high, attempt.high))


def line(name: str, dtype: str, shape: Sequence[int | None]) -> str:
    """Return the value of ``--input`` that gives an input this shape."""
    return f"{name}={dtype}[{','.join('4' if size is None else str(size) for size in shape)}]"


def _dtype(info: TensorInfo, plan: BatchPlan) -> str:
    """Return the data type that an input is fed with: what the model declares, unless the option
    says otherwise."""
    spec = plan.specs.get(info.name)
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
    plan: BatchPlan,
    attempt: Attempt,
    draw: Draw,
    *,
    arrays: dict[str, Array],
    described: dict[str, Input],
) -> None:
    """Make the parts of a sparse or ragged tensor, which have to agree."""
    infos = {info.name: info for info in plan.inputs}
    values, spec = infos[composite.values], plan.specs.get(composite.name or "")
    user_array, user_source = None, ""
    if spec is not None and spec.file is not None:
        user_array, user_source = given_array(as_given(composite, values), spec)
    if isinstance(composite, SparseParts):
        shape, parts, count = _sparse(
            composite, infos, attempt, draw, user_array=user_array, spec=spec
        )
        inner: tuple[int, ...] = ()
    else:
        shape, parts, count = _ragged(
            composite, infos, attempt, draw, user_array=user_array, spec=spec
        )
        inner = shape_of(values, attempt)[1:]
    if spec is not None and (spec.high is not None or spec.low):
        drawn, source = between(
            values.name,
            values.dtype,
            (count, *inner),
            low=spec.low,
            high=spec.high,
            draw=draw,
        )
    else:
        drawn, source = entries(
            values.name, values.dtype, (count, *inner), _use_in(plan, attempt, values.name), draw
        )
    if user_array is not None:
        chosen = (
            user_array[tuple(parts[composite.indices].T)]
            if isinstance(composite, SparseParts)
            else user_array
        )
        drawn, source = chosen.reshape(count, *inner), user_source
    arrays.update({composite.values: drawn, **parts})
    kind = "sparse" if isinstance(composite, SparseParts) else "ragged"
    if composite.name is not None:
        described[names_of(composite)[0]] = Input(
            composite.name, shape, values.dtype, f"{kind} {source}"
        )
        return
    for name in names_of(composite):
        part_source = source if name == composite.values else f"{kind} with {composite.values}"
        described[name] = Input(name, tuple(arrays[name].shape), infos[name].dtype, part_source)


def whole_of(composite: Composite, infos: Mapping[str, TensorInfo]) -> TensorInfo:
    """Return a sparse tensor as if it were dense, or the values of a ragged one; under the name of
    the values."""
    values = infos[composite.values]
    if isinstance(composite, RaggedParts):
        return values
    noted = infos[composite.dense_shape].shape
    rank = noted[0] if noted and noted[0] else 2
    return TensorInfo(values.name, values.dtype, composite.shape or (None,) * rank)


def as_given(composite: Composite, values: TensorInfo) -> TensorInfo:
    """Return what an array has to look like that is given for the whole."""
    return replace(values, shape=composite.shape if isinstance(composite, SparseParts) else None)


def _sparse(
    parts: SparseParts,
    infos: Mapping[str, TensorInfo],
    attempt: Attempt,
    draw: Draw,
    *,
    user_array: Array | None,
    spec: InputSpec | None,
) -> tuple[tuple[int, ...], dict[str, Array], int]:
    """Return the shape of the whole, its places and its shape as parts, and the number of
    places."""
    if user_array is not None:
        shape, indices = user_array.shape, np.argwhere(user_array)
    else:
        shape_in_option = spec.shape if spec is not None else None
        shape = shape_in_option or shape_of(whole_of(parts, infos), attempt)
        indices = _filled_cells(shape, draw.generator(parts.indices))
    return (
        shape,
        {parts.indices: indices.astype(np.int64), parts.dense_shape: np.array(shape, np.int64)},
        len(indices),
    )


def _filled_cells(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Half of a sparse tensor's places, or ``_MOST_ENTRIES``, in the order of its rows; one at
    least in each row."""
    size = int(np.prod(shape))
    width = max(1, size // max(1, shape[0]))
    rows = np.arange(shape[0]) * width + random.integers(0, width, shape[0])
    scattered = random.integers(0, size, min(size // 2, _MOST_ENTRIES))
    flat = np.unique(np.concatenate([rows, scattered]))
    return np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int64)


def _ragged(
    parts: RaggedParts,
    infos: Mapping[str, TensorInfo],
    attempt: Attempt,
    draw: Draw,
    *,
    user_array: Array | None,
    spec: InputSpec | None,
) -> tuple[tuple[int, ...], dict[str, Array], int]:
    """Return the shape of the whole, its row splits from the outermost as parts, and the number of
    values."""
    depth = len(parts.splits)
    inner = shape_of(infos[parts.values], attempt)[1:]
    shape_in_option = (
        user_array.shape if user_array is not None else spec.shape if spec is not None else None
    )
    longest = (min(draw.length, _LONGEST),) * depth
    shape = shape_in_option or (attempt.batch, *longest, *inner)
    random = draw.generator(parts.splits[0])
    count = shape[0]
    arrays: dict[str, Array] = {}
    for name, size in zip(parts.splits, shape[1:], strict=False):
        lengths = (
            random.integers(1, size + 1, count) if user_array is None else np.full(count, size)
        )
        lengths[:1] = size
        splits = np.concatenate([[0], np.cumsum(lengths)])
        arrays[name] = splits.astype(infos[name].dtype)
        count = int(splits[-1])
    return shape, arrays, count
