"""Make one node of an op type in a graph of its own, from its OpDef.

Nothing is run. Shape inference accepts a placeholder of unknown shape nearly everywhere, so the
types must fit and
little else: enough to ask TensorFlow whether it has a gradient, and not enough to ask which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.flow.op_rules import FLOATING
from gradflow.tables.op_probe import build

TEXTS = ("", "SAME", "a,b->ab", "linear", "sum", "(i)->(i)")
LENGTHS = (1, 4, 5, 2, 3)
CRASHING = frozenset({"SplitDedupData"})
"""Types whose shape function ends the process when it is asked with placeholders (2.21.0)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One node, and where gradient could come in and go out."""

    op: Any
    xs: tuple[Any, ...]
    """Its floating inputs."""
    ys: tuple[Any, ...]
    """Its floating outputs; a handle is none that a gradient could be given for."""

    def gradients(self) -> list[Any]:
        """What TensorFlow brings to each of ``xs``.

        Raises:
            LookupError: the type has no gradient, or forbids one.
        """
        with self.op.graph.as_default():
            if not self.ys:
                return [None] * len(self.xs)
            return list(
                tf.gradients(list(self.ys), list(self.xs), grad_ys=[_like(y) for y in self.ys])
            )


def instance(op_def: Any) -> Instance | None:
    """Build an instance with as much floating in it as the type allows; None where no guess is
    accepted."""
    if op_def.name in CRASHING or op_def.name.startswith("_") or op_def.HasField("deprecation"):
        # A graph refuses what was removed, and what only TensorFlow's own rewrites make.
        return None
    if any(attr.type.removeprefix("list(") in ("func", "func)", "tensor") for attr in op_def.attr):
        return None  # no function is as good as another
    for attrs in _guesses(op_def):
        graph = tf.Graph()
        try:
            with graph.as_default():
                op = build(
                    graph, op_def, [_tensors(op_def, arg, attrs) for arg in op_def.input_arg], attrs
                )
        except Exception:  # whatever a shape function says to a guess
            continue
        xs = [one for one in op.inputs if one.dtype.as_datatype_enum in FLOATING]
        ys = [
            one
            for one in op.outputs
            if one.dtype.as_datatype_enum in FLOATING and one.dtype != tf.resource
        ]
        return Instance(op, tuple(xs[:4]), tuple(ys[:4]))
    return None


def _guesses(op_def: Any) -> Iterator[dict[str, Any]]:
    told = {arg.type_attr for arg in op_def.input_arg} | {
        arg.number_attr for arg in op_def.input_arg
    }
    open_attrs = [
        attr for attr in op_def.attr if not attr.HasField("default_value") or attr.name in told
    ]
    for text in TEXTS:
        for length in LENGTHS:
            yield {attr.name: _value(attr, text, length) for attr in open_attrs}
            if not any(attr.type.startswith("list(") for attr in open_attrs):
                break
        if not any("string" in attr.type for attr in open_attrs):
            break


def _value(attr: Any, text: str, length: int) -> Any:
    kind = attr.type.removeprefix("list(").removesuffix(")")
    allowed = attr.allowed_values.list
    values = {
        "int": max(1, attr.minimum),
        "float": 0.5,
        "bool": False,
        "shape": [],
        "string": text if not allowed.s else allowed.s[0],
        "type": _floating_first(allowed.type),
    }
    if not attr.type.startswith("list("):
        return values[kind]
    return [values[kind]] * max(length if kind != "type" else 1, attr.minimum)


def _floating_first(allowed: Sequence[int]) -> Any:
    if not allowed or tf.float32.as_datatype_enum in allowed:
        return tf.float32
    return tf.dtypes.as_dtype(next((kind for kind in allowed if kind in FLOATING), allowed[0]))


def _tensors(op_def: Any, arg: Any, attrs: dict[str, Any]) -> list[Any]:
    if arg.type_list_attr:
        dtypes = attrs.get(arg.type_list_attr) or [tf.float32]
    else:
        dtypes = [tf.dtypes.as_dtype(arg.type) if arg.type else attrs[arg.type_attr]]
    if arg.is_ref:
        return [tf.raw_ops.VariableV2(shape=[2, 3], dtype=dtype) for dtype in dtypes]
    count = attrs[arg.number_attr] if arg.number_attr else 1
    return [tf.compat.v1.placeholder(dtype, name="given") for dtype in dtypes for _ in range(count)]


def _like(y: Any) -> Any:
    return tf.compat.v1.placeholder(y.dtype.base_dtype, y.shape)
