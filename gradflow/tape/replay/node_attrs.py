"""Give the attrs of a NodeDef as TensorFlow's eager execution takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.tape.private_api import op_def_of
from gradflow.tape.replay.record import ReplayError

_FIELDS = {
    "string": "s",
    "int": "i",
    "float": "f",
    "bool": "b",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}


def node_attrs(node_def: Any, own: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Return name, value, name, value, ... of all attrs, defaults filled in.

    ``own``: those of an op that ran eagerly, in the same form; its node need not have them.

    Raises:
        ReplayError: the op type is not known here.
    """
    op_def = op_def_of(node_def.op)
    if op_def is None:
        raise ReplayError(f"op type {node_def.op} is not known here")
    known = dict(zip(own[::2], own[1::2], strict=True))
    attrs: list[Any] = []
    for attr in op_def.attr:
        value = known.get(attr.name)
        if value is None:
            value = _plain(attr.type, node_def.attr.get(attr.name, attr.default_value))
        attrs += [attr.name, value]
    return tuple(attrs)


def _plain(kind: str, value: Any) -> Any:
    """Return an AttrValue as ``execute`` takes it."""
    if kind.startswith("list("):
        return [_scalar(kind[5:-1], item) for item in getattr(value.list, _FIELDS[kind[5:-1]])]
    return _scalar(kind, getattr(value, _FIELDS[kind]))


def _scalar(kind: str, value: Any) -> Any:
    if kind == "shape":
        return (
            None
            if value.unknown_rank
            else [dim.size if dim.size >= 0 else None for dim in value.dim]
        )
    if kind == "func":
        return value.name.encode()
    return value
