"""Hold a model file with all that was read of it, and what it says about its variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from gradflow.errors import UnreadableError
from gradflow.files.formats import FILE_FORMATS
from gradflow.findings import Format, Role
from gradflow.lazy_dataclass import dataclass
from gradflow.patterns import covering
from gradflow.text import shown

T = TypeVar("T")
_Stamp = tuple[int, ...]


@dataclass(frozen=True)
class ModelFile:
    """A path and the format its content has, whatever its name says; each part is read once.

    A function that reads something of the file calls ``once`` or ``opened`` with a function that
    does the work, and whoever asks again gets the same value. So the scan judges the very bytes
    that the static reading uses; ``refuse_change`` says so where a library reads the path itself.
    """

    path: Path
    """The SavedModel's folder, or the Keras file."""
    format: Format
    _values: dict[Callable[[ModelFile], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _handles: dict[Callable[[ModelFile], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _stack: ExitStack = field(default_factory=ExitStack, init=False, repr=False, compare=False)
    _stamps: dict[Path, _Stamp | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._stamps.update({path: _stamp(path) for path in self._judged()})

    def once(self, read: Callable[[ModelFile], T]) -> T:
        """Return the value of ``read(self)``, which is called the first time only (an error is not
        kept).

        The value is shared: nobody may change it.
        """
        if read not in self._values:
            self._values[read] = read(self)
        value: T = self._values[read]
        return value

    def opened(self, open_: Callable[[ModelFile], AbstractContextManager[T]]) -> T:
        """Return what entering ``open_(self)`` gives, which happens once; it is open until
        ``close``."""
        if open_ not in self._handles:
            self._handles[open_] = self._stack.enter_context(open_(self))
        handle: T = self._handles[open_]
        return handle

    def close(self) -> None:
        """Close what is open; the values that were read stay."""
        self._handles.clear()
        self._stack.close()

    def __enter__(self) -> ModelFile:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def refuse_change(self) -> None:
        """Make sure that a library which opens the path now finds what was scanned.

        Raises:
            UnreadableError: the file is another one than when this object was made.
        """
        for path in self._judged():
            if _stamp(path) != self._stamps[path]:
                raise UnreadableError(
                    f"{shown(self.path)}: has changed while it was read",
                    "run gradflow again when nothing writes to it any more",
                )

    def _judged(self) -> list[Path]:
        return [self.path / name for name in FILE_FORMATS[self.format].judged]


def _stamp(path: Path) -> _Stamp | None:
    """Return what differs once a file is written to or replaced; None where there is none."""
    with suppress(OSError, ValueError):
        status = path.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        return status.st_dev, status.st_ino, status.st_size, *times
    return None


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """One variable as the file records it."""

    name: str
    """Keras path or TensorFlow name without ``:0``; unique within the file."""
    layer: str | None
    shape: tuple[int | None, ...]
    dtype: str
    role: Role
    trainable: bool
    frozen_by: str | None
    """The outermost layer whose ``trainable=False`` covers it, where the file knows."""
    untracked: bool = False
    """A weight that the model computes with and no layer holds, so that no optimizer sees it."""
    declared_trainable: bool = False
    """State whose creator calls it trainable, and whose type gets no gradient."""
    has_open_flag: bool = False
    """A weight of a class that is not Keras's own, which can freeze it or not: the file does not
    say."""
    layer_path: str = ""
    """Its name below the names of the layers around it, outermost first; empty where that is not
    known."""


def with_state(
    variables: Iterable[StoredVariable], patterns: Sequence[str]
) -> tuple[StoredVariable, ...]:
    """``variables``, those that ``patterns`` cover as state: the user knows that they are no
    weights."""
    return tuple(
        as_state(variable) if covering(patterns, variable) is not None else variable
        for variable in variables
    )


def as_state(variable: StoredVariable) -> StoredVariable:
    """``variable`` as one that is not meant to be trained."""
    return replace(variable, role=Role.STATE, trainable=False, frozen_by=None, untracked=False)


def parameter_count(shape: tuple[int | None, ...]) -> int:
    """Number of entries of a variable; 0 where a dimension is unknown."""
    return math.prod(size or 0 for size in shape)
