"""Read the array of ``--input NAME=@file`` and fit it to the model's input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.errors import UsageError
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.options import InputSpec

_HINT = "give a .npy or .npz file"
Array = np.ndarray[Any, Any]


def given_array(info: TensorInfo, spec: InputSpec) -> tuple[Array, str]:
    """Read the array and return it in the input's data type, with the source to report.

    Raises:
        UsageError: the file or its key is not there, or the array does not fit the input.
    """
    label = f"{spec.label} {info.name}"
    array, source = _loaded(label, Path(spec.file or ""), spec.key)
    source, called = (
        (spec.source, "the array") if spec.source else (source, f"the array of {source}")
    )
    if info.shape is not None and not _fits(array.shape, info.shape):
        raise UsageError(
            f"{label}: {called} is {_spec(_type(array), array.shape)}, "
            f"the model takes {_spec(info.dtype, info.shape)}",
            "give an array of that shape",
        )
    if array.shape[:1] == (0,):
        raise UsageError(f"{label}: {called} is empty", "give at least one row")
    info = replace(info, dtype=spec.dtype or info.dtype)
    return _converted(info, array, f"{label}: {called}"), source


def _loaded(label: str, path: Path, key: str | None) -> tuple[Array, str]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, f"file {path.name}"
        keys = list(loaded.files)
        key = key or (keys[0] if len(keys) == 1 else "")
        if key not in keys:
            raise UsageError(
                f"{label}: {path} has no array {key!r}" if key else f"{label}: no key given",
                f"its arrays are: {', '.join(keys)}",
            )
        return loaded[key], f"file {path.name}:{key}"
    except FileNotFoundError as error:
        raise UsageError(f"{label}: {path} does not exist", _HINT) from error
    except (OSError, ValueError, EOFError) as error:
        if "Object arrays" in str(error):
            raise UsageError(
                f"{label}: {path} holds Python objects, which are not loaded",
                "save an array of numbers or strings",
            ) from error
        raise UsageError(f"{label}: cannot read {path}", _HINT) from error


def _converted(info: TensorInfo, array: Array, called: str) -> Array:
    is_text = array.dtype.kind in "SU"
    if is_text != (info.dtype == "string"):
        holds = "strings" if is_text else _type(array)
        raise UsageError(
            f"{called} holds {holds}, the model takes {info.dtype}",
            f"give an array of {info.dtype}",
        )
    if is_text:
        return (
            np.char.encode(array, "utf-8").astype(object)
            if array.dtype.kind == "U"
            else array.astype(object)
        )
    numpy_dtype = tf.as_dtype(info.dtype).as_numpy_dtype
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(numpy_dtype)
    is_whole = np.dtype(numpy_dtype).kind in "iub" and array.dtype.kind != "b"
    if is_whole and not np.array_equal(converted.astype(array.dtype), array):
        raise UsageError(
            f"{called} is {array.dtype.name} with entries that are no {info.dtype}",
            f"give an array of {info.dtype}",
        )
    return converted


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(
        size is None or size == length for length, size in zip(shape, declared, strict=True)
    )


def _type(array: Array) -> str:
    return "string" if array.dtype.kind in "SU" else array.dtype.name


def _spec(dtype: str, shape: tuple[int | None, ...]) -> str:
    return f"{dtype}[{','.join('?' if size is None else str(size) for size in shape)}]"
