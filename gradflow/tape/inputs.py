"""Input descriptions in, one synthetic batch out; sizes that are not known are tried out."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from gradflow.errors import GradflowError, InputError, UsageError
from gradflow.files.saved_model import TensorInfo
from gradflow.findings import Input
from gradflow.options import InputSpec, Options
from gradflow.tape.refusal import BackwardError, first_line

T = TypeVar("T")

_SIZES = (16, 32, 64, 128, 224, 8, 4, 1, 10240)
_SMALL_IDS = 8
_OUT_OF_RANGE = re.compile(r"is not in \[0, (\d+)\)")
_MAX_ELEMENTS = 2**28
"""Entries of one input; beyond this the shape is a mistake, not a batch."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One guess at what the model accepts."""

    size: int
    """For every unknown dimension but the batch."""
    high: int
    """Integers are drawn from 0 to one below this."""
    float_ids: bool = False
    """Draw floating inputs as small whole numbers too: some exports take their ids as float32."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors and how each was made."""

    tensors: tuple[Any, ...]
    described: tuple[Input, ...]


def with_batch(
    inputs: Sequence[TensorInfo], options: Options, id_limit: int | None, run: Callable[[Batch], T]
) -> tuple[Batch, T]:
    """Find a batch that ``run`` accepts and return both.

    Raises:
        UsageError: an ``--input`` names no input of the model, or its file cannot be read.
        InputError: no batch was accepted; the message shows the option to write.
    """
    specs = _match(inputs, options.inputs)
    limit = id_limit if id_limit is not None else _SMALL_IDS
    attempt = _Attempt(_SIZES[0], max(1, limit))
    unknown = _has_unknown(inputs, specs)
    sizes = [size for size in _SIZES[1:] if unknown and _fits(inputs, specs, options.batch_size, size)]
    refused: tuple[Batch, Exception] | None = None
    tried = 1
    while True:
        batch = _draw(inputs, specs, options, attempt)
        try:
            return batch, run(batch)
        except GradflowError:
            raise
        except Exception as error:  # a model's code can raise anything at all
            refused = refused or (batch, error)
            better = _learn(attempt, error)
        if better is None and not sizes:
            raise _refused(inputs, *refused, tried) from refused[1]
        attempt = better or replace(attempt, size=sizes.pop(0))
        tried += 1


def _fits(inputs: Sequence[TensorInfo], specs: Mapping[str, InputSpec], batch_size: int, size: int) -> bool:
    """Whether unknown dimensions of ``size`` leave every input small enough to be tried."""
    shapes = [_shape(info, batch_size, size) for info in inputs if info.name not in specs]
    return all(np.prod(shape, dtype=float) <= _MAX_ELEMENTS for shape in shapes)


def _learn(attempt: _Attempt, error: Exception) -> _Attempt | None:
    """Read a valid range of ids out of TensorFlow's message, where it gives one that was not kept."""
    match = _OUT_OF_RANGE.search(str(error))
    if match is None:
        return None
    high = max(1, int(match[1]))
    if high < attempt.high:
        return replace(attempt, high=high)
    return None if attempt.float_ids else replace(attempt, high=min(high, attempt.high), float_ids=True)


def _match(inputs: Sequence[TensorInfo], specs: Sequence[InputSpec]) -> dict[str, InputSpec]:
    known = [info.name for info in inputs]
    for spec in specs:
        if spec.name not in known:
            names = ", ".join(known) or "none"
            raise UsageError(f"--input {spec.name!r}: the model has no such input", f"its inputs are: {names}")
    return {spec.name: spec for spec in specs}


def _has_unknown(inputs: Sequence[TensorInfo], specs: Mapping[str, InputSpec]) -> bool:
    return any(info.name not in specs and (info.shape is None or None in info.shape[1:]) for info in inputs)


def _draw(inputs: Sequence[TensorInfo], specs: Mapping[str, InputSpec], options: Options, attempt: _Attempt) -> Batch:
    tensors, described = [], []
    for info in inputs:
        spec = specs.get(info.name)
        array, source = _from_file(info, spec) if spec and spec.file else _random(info, spec, options, attempt)
        tensor = tf.constant(array, dtype=None if array.dtype == object else spec_dtype(info, spec))
        tensors.append(tensor)
        described.append(Input(info.name, tuple(tensor.shape), tensor.dtype.name, source))
    return Batch(tuple(tensors), tuple(described))


def spec_dtype(info: TensorInfo, spec: InputSpec | None) -> str:
    """The data type that an input is fed with: what the model declares, unless the option says otherwise."""
    return spec.dtype if spec is not None and spec.dtype is not None else info.dtype


def _random(
    info: TensorInfo, spec: InputSpec | None, options: Options, attempt: _Attempt
) -> tuple[np.ndarray[Any, Any], str]:
    seed = options.seed
    shape = (
        spec.shape if spec is not None and spec.shape is not None else _shape(info, options.batch_size, attempt.size)
    )
    if np.prod(shape, dtype=float) > _MAX_ELEMENTS:
        raise InputError(f"input {info.name!r}: shape {list(shape)} is too large for a test batch", _line(info, shape))
    dtype = spec_dtype(info, spec)
    draw = np.random.default_rng([seed, zlib.crc32(info.name.encode())])
    if dtype == "string":
        return np.full(shape, b"a", dtype=object), "constant"
    if dtype == "bool":
        return draw.integers(0, 2, shape).astype(bool), f"booleans(seed={seed})"
    if "int" in dtype or (attempt.float_ids and spec is None):
        high = spec.high if spec is not None and spec.high else attempt.high
        return draw.integers(0, min(high, 127) if dtype in ("int8", "uint8") else high, shape).astype(
            dtype
        ), f"integers(0..{high - 1}, seed={seed})"
    values = draw.standard_normal(shape)
    if dtype.startswith("complex"):
        values = values + 1j * draw.standard_normal(shape)
    return np.asarray(values).astype("float32" if dtype == "bfloat16" else dtype), f"normal(seed={seed})"


def _shape(info: TensorInfo, batch_size: int, unknown: int) -> tuple[int, ...]:
    if info.shape is None:
        return (batch_size, unknown)
    return tuple(
        size if size is not None else (batch_size if place == 0 else unknown) for place, size in enumerate(info.shape)
    )


def _from_file(info: TensorInfo, spec: InputSpec) -> tuple[np.ndarray[Any, Any], str]:
    path = Path(spec.file or "")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, f"file {path.name}"
        keys = list(loaded.files)
        key = spec.key or (keys[0] if len(keys) == 1 else "")
        if key not in keys:
            raise UsageError(
                f"--input {info.name}: {path} has no array {key!r}" if key else f"--input {info.name}: no key given",
                f"its arrays are: {', '.join(keys)}",
            )
        return loaded[key], f"file {path.name}:{key}"
    except (OSError, ValueError) as error:
        raise UsageError(f"--input {info.name}: cannot read {path}", "give a .npy or .npz file") from error


def _refused(inputs: Sequence[TensorInfo], batch: Batch, error: Exception, tried: int) -> InputError:
    if isinstance(error, BackwardError):
        return InputError(
            f"the forward pass runs, and TensorFlow fails to differentiate it: {first_line(error)}",
            "--static reads the file without running it",
        )
    shown = ", ".join(f"{item.name}={item.dtype}[{','.join(map(str, item.shape))}]" for item in batch.described)
    others = f" (and {tried - 1} others)" if tried > 1 else ""
    hints = " ".join(_line(info, info.shape or item.shape) for info, item in zip(inputs, batch.described, strict=True))
    return InputError(
        f"the forward pass refuses the inputs {shown}{others}: {first_line(error)}", f"give others, such as {hints}"
    )


def _line(info: TensorInfo, shape: Sequence[int | None]) -> str:
    if info.dtype == "string":
        return f"--input {info.name}=@batch.npz:{info.name}"
    sizes = ",".join("4" if size is None else str(size) for size in shape)
    return f"--input {info.name}={info.dtype}[{sizes}]"
