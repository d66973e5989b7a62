"""Read the values that options take, such as ``int32[2,16]<30522`` or ``8GB``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from gradflow.errors import UsageError
from gradflow.lazy_dataclass import dataclass

_SPEC = re.compile(r"(?P<dtype>[a-z][a-z0-9_]*)\[(?P<shape>[\d,\s]*)\](?:<(?P<high>\d+))?")
DTYPES = frozenset(
    "float16 bfloat16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 uint16 "
    "uint32 uint64 "
    "bool string".split()
)
MEMORY = "^[0-9]+([.][0-9]+)? *[kKmMgGtT]i?[bB]?$"
"""What an amount of memory looks like, as a regular expression."""
_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?) *(?P<unit>[kmgt]i?b?)", re.IGNORECASE)
_UNITS = {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for end, base in (("", 1000), ("b", 1000), ("i", 1024), ("ib", 1024))
}
_LEAST_MEMORY, _MOST_MEMORY = 100_000_000, 2**62
_FORMS = "write int32[2,16]<30522, float32[2,224,224,3], @batch.npz:key or @batch.npy"


class Objective(str, Enum):
    """What is differentiated: a random projection of the outputs, or the loss that a Keras model
    was compiled with; ``auto``: that loss where there is one that can be stepped, else the
    outputs."""

    AUTO = "auto"
    OUTPUTS = "outputs"
    COMPILED = "compiled"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How one input of the batch is made: drawn at random in a shape, or read from a file."""

    name: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    high: int | None = None
    """Integers are drawn below this number."""
    low: int = 0
    """Integers are not drawn below this number."""
    file: str | None = None
    key: str | None = None
    """The array's name in an ``.npz`` file."""
    source: str = ""
    """What a report says of where the array comes from; by default the file."""
    position: int | None = None
    """Which input of the model it is for, counted from 0, where ``name`` does not say it."""
    label: str = "--input"
    """What stands before its name in a message."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Beyond which a gradient is called out of proportion, times the model's median."""

    vanishing: float = 1e-6
    exploding: float = 1e6


DEFAULT_THRESHOLDS = Thresholds()


def parse_inputs(texts: Iterable[str]) -> tuple[InputSpec, ...]:
    """Read texts of the form ``NAME=SPEC``, such as ``ids=int32[2,16]<30522``.

    Raises:
        UsageError: a text is not of one of the known forms, or names an input twice.
    """
    specs: dict[str, InputSpec] = {}
    for text in texts:
        name, equals, spec = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{text!r}: not of the form NAME=SPEC", _FORMS)
        if name in specs:
            raise UsageError(f"{name!r} is given twice", "give each input once")
        specs[name] = _parse(name, spec.strip())
    return tuple(specs.values())


def parse_imports(names: Iterable[str]) -> tuple[str, ...]:
    """Check the names of modules and return them.

    Raises:
        UsageError: one cannot be a module's name.
    """
    modules = tuple(names)
    for name in modules:
        if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
            hint = "write it as in Python's import: mypackage.layers for mypackage/layers.py"
            raise UsageError(f"{name!r}: not the name of a module", hint)
    return modules


def parse_memory(amount: str | int) -> int:
    """Return the bytes that a text such as ``8GB``, ``500MB`` or ``1.5GiB`` stands for, or that is
    given as a number.

    Raises:
        UsageError: it is of no such form, or nothing can run in so little.
    """
    match = _MEMORY.fullmatch(amount.strip()) if isinstance(amount, str) else None
    size = amount if isinstance(amount, int) else 0
    if match is not None:
        size = int(float(match["number"]) * _UNITS[match["unit"].lower()])
    if not _LEAST_MEMORY <= size <= _MOST_MEMORY:
        raise UsageError(
            f"{amount!r} is not an amount of memory", "write it as 8GB or 500MB, at least 100MB"
        )
    return size


def _parse(name: str, spec: str) -> InputSpec:
    if spec.startswith("@"):
        file, _, key = spec[1:].partition(":") if ".npz:" in spec else (spec[1:], "", "")
        if not file.endswith((".npy", ".npz")):
            raise UsageError(f"{name}={spec}: {file!r} is not a .npy or .npz file", _FORMS)
        return InputSpec(name, file=file, key=key or None)
    match = _SPEC.fullmatch(spec)
    if match is None or match["dtype"] not in DTYPES:
        raise UsageError(f"{name}={spec}: not a shape and type", _FORMS)
    try:
        shape = (
            tuple(int(size) for size in match["shape"].split(",")) if match["shape"].strip() else ()
        )
    except ValueError as error:
        raise UsageError(f"{name}={spec}: the shape is not a list of numbers", _FORMS) from error
    if shape[:1] == (0,):
        raise UsageError(f"{name}={spec}: a batch without rows shows nothing", _FORMS)
    high = int(match["high"]) if match["high"] else None
    if high == 0 or (high is not None and "int" not in match["dtype"]):
        raise UsageError(f"{name}={spec}: <{high} does not fit {match['dtype']}", _FORMS)
    return InputSpec(name, dtype=match["dtype"], shape=shape, high=high)


def beside(folder: Path, path: str) -> str:
    """Return a path that is relative to ``folder``, as seen from where the command runs.

    An address stays as it is; ``configs/..`` on the way is left out.
    """
    return path if "://" in path else os.path.normpath(folder / path)
