"""Make dataclasses whose methods are compiled when the first object is made, and not at import.

The ``dataclass`` of the standard library compiles six functions for a frozen class when that is
imported: half of the time of importing a command, which uses few of its hundred classes. A class is
otherwise the same: ``fields``, ``replace``, comparing, hashing, pickling and the error on a change
are those of a frozen, slotted dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_MISSING = object()
"""Stands for an argument that its factory makes."""

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(**options: bool) -> Any:
        """Do what ``dataclasses.dataclass`` does, which itself makes all but frozen, slotted
        classes."""
        made = dataclasses.dataclass(**options)
        is_plain = options == {"frozen": True, "slots": True}
        return lambda kind: _frozen(kind) if is_plain and _is_simple(kind) else made(kind)


def _is_simple(kind: type) -> bool:
    return not hasattr(kind, "__post_init__") and all(each.frozen for each in _of_bases(kind))


def _of_bases(kind: type) -> list[Any]:
    """Return how the bases of a class were made that are dataclasses."""
    name = "__dataclass_params__"
    return [vars(base)[name] for base in kind.__mro__[1:] if name in vars(base)]


def _frozen(kind: type) -> type:
    if kind.__doc__ is None:
        kind.__doc__ = kind.__name__  # else its signature is worked out for it
    for name, method in _METHODS.items():
        if name not in vars(kind):
            setattr(kind, name, method)
    if vars(kind)["__hash__"] is None:  # what Python makes of a class that has an __eq__
        kind.__hash__ = _hash  # type: ignore[assignment]  # as a dataclass that is frozen
    # Not frozen, so that nothing is compiled for that; a frozen base would refuse it.
    bases = _of_bases(kind)
    for base in bases:
        base.frozen = False
    try:
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(kind)
    finally:
        for base in bases:
            base.frozen = True
    made.__dataclass_params__.frozen = True  # which its subclasses have to be
    _incomplete.append(made)
    return made  # type: ignore[no-any-return]  # it is the class


def _init(self: Any, *arguments: Any, **named: Any) -> None:
    _complete(type(self))
    type(self).__init__(self, *arguments, **named)


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    names = _compared(self)
    return _values(self, names) == _values(other, names)


def _hash(self: Any) -> int:
    return hash(_values(self, _hashed(self)))


def _values(self: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in names)


def _compared(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.compare]


def _hashed(kind: Any) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(kind)
        if (field.compare if field.hash is None else field.hash)
    ]


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _setattr(self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_METHODS: dict[str, Any] = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}


_incomplete: list[type] = []


def complete() -> None:
    """Compile the methods of all classes that are there: copies of this process need not."""
    while _incomplete:
        _complete(_incomplete.pop())


def _complete(kind: Any) -> None:
    """Give a class the methods that are made for its own fields."""
    kind.__init__ = _initializer(kind)
    compared, hashed = _compared(kind), _hashed(kind)
    if min(len(compared), len(hashed)) < 2:  # of one name, attrgetter returns no tuple
        return
    values, hashed_values = attrgetter(*compared), attrgetter(*hashed)

    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    if kind.__eq__ is _eq:
        kind.__eq__ = equal
    if kind.__hash__ is _hash:
        kind.__hash__ = lambda self: hash(hashed_values(self))


def _initializer(kind: Any) -> Any:
    scope: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": _MISSING}
    by_place, by_name = ["self"], list[str]()
    lines = []
    for field in dataclasses.fields(kind):
        name = value = field.name
        parameter = name
        if field.default_factory is not dataclasses.MISSING:
            scope[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _MISSING else {name}"
            parameter = f"{name}=_MISSING"
        elif field.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        (by_name if field.kw_only else by_place).append(parameter)
        lines.append(f"    _set(self, {name!r}, {value})")
    parameters = ", ".join([*by_place, *(["*"] if by_name else []), *by_name])
    body = "\n".join(lines) or "    pass"
    exec(f"def __init__({parameters}):\n{body}", scope)  # as dataclasses does
    made = scope["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made
