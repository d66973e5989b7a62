"""Read for which values of its arguments a function of a SavedModel was traced, and which tensors
it returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradflow.files.dtypes import dtype_name
from gradflow.files.saved_model.variables import read_shape
from gradflow.lazy_dataclass import dataclass

_SPECS = ("tensor_spec_value", "bounded_tensor_spec_value")


@dataclass(frozen=True, slots=True)
class Argument:
    """A plain value that an argument had when the function was traced: there is one variant for
    each."""

    name: str
    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One tensor in the structure that a function takes or returns."""

    path: tuple[str, ...]
    """The keys and numbers that lead to it."""
    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def plain_arguments(function: Any, concrete: Any) -> tuple[Argument, ...]:
    """Return the arguments of a ``SavedConcreteFunction`` that are plain values, by the names in
    its ``SavedFunction``."""
    structure = concrete.canonicalized_input_signature.tuple_value.values
    if len(structure) != 2:
        return ()
    positional, keywords = structure
    values = positional.tuple_value.values or positional.list_value.values
    named = zip(_names(function), values, strict=False)
    return tuple(_plain([*named, *sorted(keywords.dict_value.fields.items())]))


def leaves(structure: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf | None]:
    """Yield the leaves of a ``StructuredValue`` in the order in which TensorFlow lays them flat.

    None stands for what is no single tensor: nothing, a plain value, or a ragged or sparse tensor.
    """
    kind = structure.WhichOneof("kind")
    if kind in _SPECS:
        spec = getattr(structure, kind)
        yield Leaf(path, spec.name, dtype_name(spec.dtype), read_shape(spec.shape))
    elif kind in ("list_value", "tuple_value"):
        for number, value in enumerate(getattr(structure, kind).values):
            yield from leaves(value, (*path, str(number)))
    elif kind == "dict_value":
        for key, value in sorted(structure.dict_value.fields.items()):
            yield from leaves(value, (*path, key))
    elif kind == "named_tuple_value":
        for pair in structure.named_tuple_value.values:
            yield from leaves(pair.value, (*path, pair.key))
    elif kind != "none_value":
        yield None


def _names(function: Any) -> list[str]:
    """Return the names of the positional arguments; ``fullargspec`` is a saved
    ``inspect.FullArgSpec``."""
    pairs = {
        pair.key: pair.value for pair in function.function_spec.fullargspec.named_tuple_value.values
    }
    if "args" not in pairs:
        return []
    names = [
        value.string_value
        for value in pairs["args"].list_value.values or pairs["args"].tuple_value.values
    ]
    return names[1:] if function.function_spec.is_method else names


def _plain(named: list[tuple[str, Any]]) -> Iterator[Argument]:
    for name, value in named:
        kind = value.WhichOneof("kind")
        if kind in ("bool_value", "int64_value", "float64_value", "string_value"):
            yield Argument(name, getattr(value, kind))
