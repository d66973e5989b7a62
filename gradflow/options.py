"""What the user asks for one analysis, as frozen values; text such as ``int32[2,16]<30522`` in,
InputSpec out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from gradflow.errors import UsageError

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
    was compiled with."""

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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Beyond which a gradient is called out of proportion, times the model's median."""

    vanishing: float = 1e-6
    exploding: float = 1e6


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one analysis."""

    static: bool = False
    entry: str | None = None
    outputs: tuple[str, ...] = ()
    """Names of the outputs that count; empty for all."""
    inputs: tuple[InputSpec, ...] = ()
    imports: tuple[str, ...] = ()
    """Modules that are imported before a file is loaded: the user's own layers and ops."""
    batch_size: int = 4
    seed: int = 0
    training: bool = True
    objective: Objective = Objective.OUTPUTS
    probes: int = 3
    """Batches that are drawn before a gradient of zeros counts."""
    timeout: float = 600.0
    """Seconds after which the analysis is given up."""
    memory_limit: int | None = None
    """Bytes of address space that the process of a model may take; by default what its size
    needs."""
    trust: bool = False
    """Whether what the scan finds is let in."""
    verbose: bool = False
    state: tuple[str, ...] = ()
    """Patterns of weights to treat as state."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    why: str | None = None
    """The variable whose way to the output is asked for: its name, or an end of it that no other
    name has."""

    @property
    def loss_seed(self) -> int | None:
        """The seed of the targets where the compiled loss is asked for, else None."""
        return self.seed if self.objective is Objective.COMPILED else None


def refuse_objective(name: str, options: Options) -> None:
    """Raise UsageError where the compiled loss is asked of what has none: anything but a Keras
    model that is run."""
    if options.objective is not Objective.COMPILED:
        return
    if options.static:
        raise UsageError(
            f"{name}: --objective compiled needs a gradient step", "leave --static out"
        )
    hint = "give the Keras file of the same model, or leave --objective compiled out"
    raise UsageError(f"{name}: --objective compiled: only Keras models have a compiled loss", hint)


def parse_inputs(texts: Iterable[str]) -> tuple[InputSpec, ...]:
    """Parse ``NAME=SPEC`` options.

    Raises:
        UsageError: a text is not of one of the known forms, or names an input twice.
    """
    specs: dict[str, InputSpec] = {}
    for text in texts:
        name, equals, spec = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--input {text!r}: no NAME=SPEC", _FORMS)
        if name in specs:
            raise UsageError(f"--input {name!r} is given twice", "give each input once")
        specs[name] = _parse(name, spec.strip())
    return tuple(specs.values())


def parse_objective(name: str) -> Objective:
    """The Objective of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return Objective(name)
    except ValueError:
        known = " or ".join(one.value for one in Objective)
        raise UsageError(f"objective {name!r} is not known", f"it is {known}") from None


def parse_imports(names: Iterable[str]) -> tuple[str, ...]:
    """Check the names of ``--import`` and return them.

    Raises:
        UsageError: one cannot be a module's name.
    """
    kept = tuple(names)
    for name in kept:
        if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
            hint = "write it as in Python's import: mypackage.layers for mypackage/layers.py"
            raise UsageError(f"--import {name!r}: not the name of a module", hint)
    return kept


def parse_memory(given: str | int) -> int:
    """The bytes that a text such as ``8GB``, ``500MB`` or ``1.5GiB`` stands for, or that are given
    as a number.

    Raises:
        UsageError: it is of no such form, or nothing can run in so little.
    """
    match = _MEMORY.fullmatch(given.strip()) if isinstance(given, str) else None
    size = given if isinstance(given, int) else 0
    if match is not None:
        size = int(float(match["number"]) * _UNITS[match["unit"].lower()])
    if not _LEAST_MEMORY <= size <= _MOST_MEMORY:
        raise UsageError(
            f"{given!r} is no amount of memory", "write it as 8GB or 500MB, at least 100MB"
        )
    return size


def _parse(name: str, spec: str) -> InputSpec:
    if spec.startswith("@"):
        file, _, key = spec[1:].partition(":") if ".npz:" in spec else (spec[1:], "", "")
        if not file.endswith((".npy", ".npz")):
            raise UsageError(f"--input {name}={spec}: {file!r} is no .npy or .npz file", _FORMS)
        return InputSpec(name, file=file, key=key or None)
    match = _SPEC.fullmatch(spec)
    if match is None or match["dtype"] not in DTYPES:
        raise UsageError(f"--input {name}={spec}: not a shape and type", _FORMS)
    try:
        shape = (
            tuple(int(size) for size in match["shape"].split(",")) if match["shape"].strip() else ()
        )
    except ValueError as error:
        raise UsageError(
            f"--input {name}={spec}: the shape is not a list of numbers", _FORMS
        ) from error
    if shape[:1] == (0,):
        raise UsageError(f"--input {name}={spec}: a batch of no rows says nothing", _FORMS)
    high = int(match["high"]) if match["high"] else None
    if high == 0 or (high is not None and "int" not in match["dtype"]):
        raise UsageError(f"--input {name}={spec}: <{high} does not fit {match['dtype']}", _FORMS)
    return InputSpec(name, dtype=match["dtype"], shape=shape, high=high)
