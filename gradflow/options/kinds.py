"""Describe what kind of value an option takes, and read such a value wherever it is written."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from gradflow.errors import UsageError
from gradflow.lazy_dataclass import dataclass
from gradflow.options.values import (
    DTYPES,
    MEMORY,
    InputSpec,
    Thresholds,
    beside,
    parse_imports,
    parse_inputs,
    parse_memory,
)
from gradflow.patterns import SYNTAX
from gradflow.text import near

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
PATTERN: Schema = {**TEXT, "description": f"Names of variables: {SYNTAX}."}
PATTERNS: Schema = {
    "type": "array",
    "items": {
        **TEXT,
        "description": f"{PATTERN['description']} One that begins with ! takes out again what "
        "those before it covered.",
    },
}
_POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}


class Kind:
    """What kind of value an option takes.

    ``read`` and ``from_config`` raise UsageError where the value cannot be used; the message does
    not name the option.
    """

    repeatable = False
    """Whether the command line takes the option more than once, and the value is a tuple."""

    @property
    def schema(self) -> Schema:
        """The JSON Schema of the value in a configuration."""
        raise NotImplementedError

    def read(self, value: Any) -> Any:
        """Read the value as the command line or a Python caller gives it."""
        return value

    def from_config(self, value: Any, folder: Path) -> Any:
        """Read a value that the schema allows; ``folder`` holds the configuration."""
        del folder
        return self.read(value)


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """True or false."""

    off: str = ""
    """The flag that switches it off on the command line; empty where it is off by default."""

    @property
    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text that is not empty."""

    @property
    def schema(self) -> Schema:
        """A string."""
        return TEXT


@dataclass(frozen=True, slots=True)
class Texts(Kind):
    """A list of texts."""

    repeatable = True

    @property
    def schema(self) -> Schema:
        """An array of strings."""
        return {"type": "array", "items": TEXT}

    def read(self, value: Any) -> tuple[str, ...]:
        """Read a list or a tuple, or a text alone."""
        return (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True, slots=True)
class Modules(Texts):
    """A list of the names of Python modules."""

    def read(self, value: Any) -> tuple[str, ...]:
        """Check each name."""
        return parse_imports(Texts.read(self, value))


@dataclass(frozen=True, slots=True)
class Patterns(Texts):
    """A list of patterns of variables' names."""

    @property
    def schema(self) -> Schema:
        """An array of patterns."""
        return PATTERNS


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number."""

    least: int
    most: int | None = None

    @property
    def schema(self) -> Schema:
        """An integer with its bounds."""
        most = {} if self.most is None else {"maximum": self.most}
        return {"type": "integer", "minimum": self.least, **most}

    def read(self, value: Any) -> int:
        """Check the bounds."""
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise UsageError(f"{value!r} is not a whole number", f"give {self._range}")
        number = int(value)
        if number < self.least or (self.most is not None and number > self.most):
            raise UsageError(f"{number} is out of range", f"give {self._range}")
        return number

    @property
    def _range(self) -> str:
        if self.most is None:
            return f"a whole number of at least {self.least}"
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Seconds(Kind):
    """A time in seconds, more than 0."""

    most: int

    @property
    def schema(self) -> Schema:
        """A number with its bounds."""
        return {**_POSITIVE, "maximum": self.most}

    def read(self, value: Any) -> float:
        """Check the bounds."""
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds <= self.most:
            raise UsageError(
                f"{value!r} is not a time in seconds",
                f"give a number of more than 0 and at most {self.most}",
            )
        return seconds


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One word of a few."""

    words: type[Enum]

    @property
    def schema(self) -> Schema:
        """The words."""
        return {"enum": list(self.names)}

    @property
    def names(self) -> tuple[str, ...]:
        """The words as a user writes them."""
        return tuple(word.value for word in self.words)

    def read(self, value: Any) -> Enum:
        """Find the word."""
        try:
            return self.words(value)
        except ValueError:
            hint = f"{near(str(value), self.names)}it is {' or '.join(self.names)}"
            raise UsageError(f"{value!r} is not known", hint) from None


@dataclass(frozen=True, slots=True)
class Draws(Whole):
    """How often something random is drawn, as a whole number; None is as often as needed."""

    def read(self, value: Any) -> int | None:  # type: ignore[override]  # None is a value here
        """Check the bounds; None stays None."""
        return None if value is None else Whole.read(self, value)


@dataclass(frozen=True, slots=True)
class Memory(Kind):
    """An amount of memory, such as ``8GB``; in bytes where it is a number."""

    @property
    def schema(self) -> Schema:
        """A string with a number and a unit."""
        return {"type": "string", "pattern": MEMORY}

    def read(self, value: Any) -> int | None:
        """Read the bytes; None stays None."""
        return None if value is None else parse_memory(value)


@dataclass(frozen=True, slots=True)
class Inputs(Kind):
    """How inputs are made: NAME=SPEC on the command line, a mapping of specs elsewhere."""

    repeatable = True

    @property
    def schema(self) -> Schema:
        """An object with an entry for each input."""
        return {"type": "object", "additionalProperties": _input_schema()}

    def read(self, value: Any) -> tuple[InputSpec, ...]:
        """Read the texts of the command line, or a mapping from names to texts."""
        specs = value.items() if isinstance(value, Mapping) else ()
        ready = [spec for _, spec in specs if isinstance(spec, InputSpec)]
        texts = [f"{name}={spec}" for name, spec in specs if not isinstance(spec, InputSpec)]
        return (*parse_inputs(texts if isinstance(value, Mapping) else value or ()), *ready)

    def from_config(self, value: Any, folder: Path) -> tuple[InputSpec, ...]:
        """Read the objects; the paths of files are relative to ``folder``."""
        return tuple(_input(name, spec, folder) for name, spec in value.items())


@dataclass(frozen=True, slots=True)
class Limits(Kind):
    """The thresholds beyond which a gradient is called out of proportion."""

    @property
    def schema(self) -> Schema:
        """An object with a number for each threshold."""
        return {
            "type": "object",
            "properties": dict.fromkeys(Thresholds.__dataclass_fields__, _POSITIVE),
            "additionalProperties": False,
        }

    def read(self, value: Any) -> Thresholds:
        """Read a mapping."""
        return Thresholds(**{name: float(number) for name, number in value.items()})


def _input_schema() -> Schema:
    return {
        "type": "object",
        "description": "One input: drawn at random, or read from a file.",
        "properties": {
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "dtype": {"enum": sorted(DTYPES)},
            "low": {"type": "integer", "description": "The smallest integer that is drawn."},
            "high": {"type": "integer", "description": "Integers are drawn below this number."},
            "file": {**TEXT, "description": "A .npy or .npz file, relative to this file."},
            "key": {**TEXT, "description": "The name of the array in an .npz file."},
        },
        "additionalProperties": False,
    }


def _input(name: str, spec: Mapping[str, Any], folder: Path) -> InputSpec:
    if "file" in spec:
        return InputSpec(name, file=beside(folder, spec["file"]), key=spec.get("key"))
    return InputSpec(
        name,
        dtype=spec["dtype"],
        shape=tuple(spec["shape"]),
        high=spec.get("high"),
        low=spec.get("low", 0),
    )
