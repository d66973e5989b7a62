"""Guess one after another at the sizes of inputs that the model leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gradflow.files.saved_model.contents import TensorInfo
from gradflow.flow.input_use.uses import Use, Uses

_SIZES = (16, 32, 64, 128, 224, 8, 4, 1, 10240)
_IMAGE_SIZES = (32, 64, 128, 224, 331, 16, 8, 4, 299)
"""Small images vanish in the strides of a deep network; NASNetLarge insists on 331."""
_CHANNELS = (1, 3, 4)
_RANKS: Sequence[tuple[int | None, ...]] = (
    (None, None),
    (None, None, None),
    (None, None, None, 3),
    (None,),
    (),
)
"""For inputs of unknown rank."""
_STRING_RANKS: Sequence[tuple[int | None, ...]] = (
    (None,),
    (None, 1),
    (),
    (None, None),
    (None, None, None),
)
"""Records and encoded images come one by one."""

Axis = tuple[str, int]
"""An input's name and a place in its shape."""
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One guess at what the model accepts."""

    rung: int = 0
    """Of the ladder of sizes, for every unknown dimension but the batch."""
    batch: int = 4
    sizes: Mapping[Axis, int] = field(default_factory=dict)
    """What an error told about single dimensions."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """What an error told about inputs of unknown rank."""
    shapeless: int = 0
    """Of the shapes for inputs whose rank nobody told."""
    high: int | None = None
    """Row numbers are drawn below this, where the graph says no less."""
    float_ids: bool = False
    """Draw floating inputs as small whole numbers too: some exports take their ids as float32."""


def with_layers(info: TensorInfo, use: Use) -> TensorInfo:
    """Return the input with what the first layer says about its shape, where the model itself
    leaves it open."""
    if info.shape is None and use.rank is not None:
        return replace(info, shape=(*(None,) * (use.rank - 1), use.last))
    if (
        info.shape is not None
        and len(info.shape) > 1
        and info.shape[-1] is None
        and use.last is not None
    ):
        return replace(info, shape=(*info.shape[:-1], use.last))
    return info


def known_inputs(inputs: Sequence[TensorInfo], uses: Uses) -> tuple[TensorInfo, ...]:
    """Return the inputs with what the graph knows about their shapes."""
    return tuple(
        with_layers(info, uses.by_input[info.name]) if info.name in uses.by_input else info
        for info in inputs
    )


def shape_of(info: TensorInfo, attempt: Attempt) -> Shape:
    """Return the shape that an input has in an attempt."""
    declared = open_shape(info, attempt)
    sizes = _IMAGE_SIZES if is_image(declared) else _SIZES
    return tuple(
        size
        if size is not None
        else attempt.sizes.get((info.name, axis), sizes[attempt.rung] if axis else attempt.batch)
        for axis, size in enumerate(declared)
    )


def open_shape(info: TensorInfo, attempt: Attempt) -> tuple[int | None, ...]:
    """Return the declared shape, or a guess at the rank where there is none."""
    if info.shape is not None:
        return info.shape
    rank = attempt.ranks.get(info.name)
    if rank is not None:
        return (None,) * rank if rank != 4 else _RANKS[2]
    return (_STRING_RANKS if info.dtype == "string" else _RANKS)[attempt.shapeless]


def open_axes(inputs: Sequence[TensorInfo], attempt: Attempt) -> list[Axis]:
    """Return the dimensions that are guessed, the batch left out."""
    return [
        (info.name, axis)
        for info in inputs
        for axis, size in enumerate(open_shape(info, attempt))
        if size is None and axis > 0
    ]


def is_image(shape: Sequence[int | None]) -> bool:
    """Return whether a shape is that of images: batch, height, width and one to four channels, or
    the channels first."""
    return len(shape) == 4 and (
        shape[-1] in _CHANNELS or (shape[1] in _CHANNELS and shape[-1] is None)
    )


def ladder(inputs: Sequence[TensorInfo], first: Attempt) -> Iterator[Attempt]:
    """Yield the guesses that follow ``first`` where no error tells anything."""
    if open_axes(inputs, first):
        for rung in range(1, len(_SIZES)):
            yield replace(first, rung=rung)
    if any(info.shape is None for info in inputs):
        for shapeless in range(1, len(_RANKS)):
            yield replace(first, shapeless=shapeless)
    batches = [info.shape[0] for info in inputs if info.shape and len(info.shape) > 1]
    fixed = {size for size in batches if size is not None}
    if fixed and None in batches:
        yield replace(first, batch=min(fixed))
