"""Turn result types into plain JSON values and back, for reports and between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from gradflow.findings.wire_names import written_name

T = TypeVar("T")
_MOST_BITS = 1000
"""Of a whole number: what is larger cannot be shown as a part of another."""


def encode(value: object, *, public: bool = False) -> Any:
    """Return ``value`` as dicts, lists, strings, numbers, booleans and None, keys in field order.

    ``public``: without the fields that are internal.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        shown = (
            field for field in fields(value) if not (public and field.metadata.get("internal"))
        )
        return {
            written_name(field): encode(getattr(value, field.name), public=public)
            for field in shown
        }
    if isinstance(value, tuple | list):
        return [encode(item, public=public) for item in value]
    return value


def decode(kind: type[T], value: Any) -> T:
    """Rebuild a ``kind`` from what ``encode`` made of it.

    Raises:
        TypeError, KeyError, ValueError: when ``value`` has not the shape of ``kind``.
    """
    return cast(T, _decode(kind, value))


def _decode(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _decode(next(arg for arg in get_args(hint) if arg is not NoneType), value)
    if origin is tuple:
        return _decode_tuple(get_args(hint), _checked(list, value))
    if isinstance(hint, type) and is_dataclass(hint):
        entries = _checked(dict, value)
        hints, optional = _hints(hint), _optional(hint)
        return hint(
            **{
                name: _decode(hints[name], entries[written])
                for name, written in _written_names(hint).items()
                if written in entries or name not in optional
            }
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is int:
        return _whole(value)
    if hint is float:
        number = float(_whole(value)) if type(value) is int else _checked(float, value)
        if not math.isfinite(number):
            raise ValueError("NaN or an infinite number")
        return number
    return _checked(hint, value)


def _decode_tuple(items: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    if items[-1] is Ellipsis:
        return tuple(_decode(items[0], entry) for entry in value)
    return tuple(_decode(item, entry) for item, entry in zip(items, value, strict=True))


def _checked(kind: type[T], value: Any) -> T:
    """Return ``value``, which comes from a file or from a process that ran a model."""
    if type(value) is not kind:  # True is no number here
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is expected")
    return value


def _whole(value: Any) -> int:
    number = _checked(int, value)
    if number.bit_length() > _MOST_BITS:
        raise ValueError(f"a number of {number.bit_length():,} bits")
    return number


@cache
def _optional(kind: type) -> frozenset[str]:
    """Return the fields with a default: a public report leaves some out, and one of an earlier
    gradflow does not have those that were added since."""
    return frozenset(
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    )


@cache
def _written_names(kind: type) -> Mapping[str, str]:
    return {field.name: written_name(field) for field in fields(kind)}


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
