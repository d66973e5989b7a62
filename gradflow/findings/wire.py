"""Turn result types into plain JSON values and back, for reports and between processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from gradflow.findings.wire_names import written_name

T = TypeVar("T")
_PLAIN = frozenset({str, int, float, bool, NoneType})
_MOST_BITS = 1000
"""Of a whole number: what is larger cannot be shown as a part of another."""


def encode(value: object, *, public: bool = False) -> Any:
    """Return ``value`` as dicts, lists, strings, numbers, booleans and None, keys in field order.

    ``public``: without the fields that are internal.
    """
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, tuple | list):
        return [encode(item, public=public) for item in value]
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {
            written: encode(getattr(value, name), public=public)
            for name, written in _shown_names(kind, public).items()
        }
    return value


@cache
def _shown_names(kind: Any, public: bool) -> Mapping[str, str]:
    return {
        field.name: written_name(field)
        for field in fields(kind)
        if not field.metadata.get("local") and not (public and field.metadata.get("internal"))
    }


def decode(kind: type[T], value: Any) -> T:
    """Rebuild a ``kind`` from what ``encode`` made of it.

    Raises:
        TypeError, KeyError, ValueError: when ``value`` has not the shape of ``kind``.
    """
    return cast(T, _decoder(cast(Any, kind))(value))


@cache
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """Return what rebuilds a value of that type: for each type it is found out once."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _optional(_decoder(next(arg for arg in get_args(hint) if arg is not NoneType)))
    if origin is tuple:
        return _tuple(*get_args(hint))
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is int:
        return _whole
    if hint is float:
        return _float
    return partial(_checked, hint)


def _optional(decoder: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else decoder(value)


def _tuple(*items: Any) -> Callable[[Any], Any]:
    decoders = [_decoder(item) for item in items if item is not Ellipsis]
    if items[-1] is Ellipsis:
        [each] = decoders
        return lambda value: tuple([each(entry) for entry in _checked(list, value)])
    return lambda value: tuple(
        decoder(entry) for decoder, entry in zip(decoders, _checked(list, value), strict=True)
    )


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    plan = partial(_plan, kind)  # later: what holds itself is met again while it is found out

    def rebuilt(value: Any) -> Any:
        entries = _checked(dict, value)
        return kind(
            **{
                name: decoder(entries[written])
                for name, written, may_lack, decoder in plan()
                if not may_lack or written in entries
            }
        )

    return rebuilt


@cache
def _plan(kind: Any) -> Sequence[tuple[str, str, bool, Callable[[Any], Any]]]:
    hints, written = get_type_hints(kind), _shown_names(kind, False)
    return [
        (field.name, written[field.name], _has_default(field), _decoder(hints[field.name]))
        for field in fields(kind)
        if field.name in written
    ]


def _has_default(field: Field[Any]) -> bool:
    """Whether a report may lack it: a public one leaves some fields out, and one of an earlier
    gradflow does not have those that were added since."""
    return field.default is not MISSING or field.default_factory is not MISSING


def _checked(kind: type[T], value: Any) -> T:
    """Return ``value``, which comes from a file or from a process that ran a model."""
    if type(value) is not kind:  # True is no number here
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is expected")
    return value


def _float(value: Any) -> float:
    number = float(_whole(value)) if type(value) is int else _checked(float, value)
    if not math.isfinite(number):
        raise ValueError("NaN or an infinite number")
    return number


def _whole(value: Any) -> int:
    number = _checked(int, value)
    if number.bit_length() > _MOST_BITS:
        raise ValueError(f"a number of {number.bit_length():,} bits")
    return number
