"""Work out the columns about gradients of the op table, from TensorFlow's gradient registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tensorflow.core.framework import op_def_pb2

from gradflow.flow.op_rules import FLOATING, OpSpec, Rule, spec_from_op_def
from gradflow.ops.families import BRANCHES, CALLS, LOOPS
from gradflow.tables.op_probe import Brought, Probe, probe
from gradflow.tape import gradient_source
from gradflow.tape.private_api import all_op_defs, gradient_registry

LOOKED_INTO = CALLS | BRANCHES | LOOPS
"""Lowering looks inside them, so the table lets them pass."""

_FIXED = {
    "StopGradient": Rule.STOP,  # registered as NotDifferentiable
    "PyFunc": Rule.OPAQUE,
    "PyFuncStateless": Rule.OPAQUE,
    # Their gradient functions raise for any instance (2.16.1, 2.21.0): TopK's returns one gradient
    # too many, the other takes too few arguments.
    "TopK": Rule.DISABLED,
    "QuantizeAndDequantizeV4Grad": Rule.DISABLED,
}


def op_defs() -> dict[str, Any]:
    """Return the OpDef of every op of the installed TensorFlow, by op type."""
    registered = op_def_pb2.OpList()
    registered.ParseFromString(all_op_defs())
    return {op_def.name: op_def for op_def in registered.op}


def gradient_of(op: str) -> Any:
    """Return the registered gradient function of ``op``, None for NotDifferentiable; raise
    LookupError else."""
    return gradient_registry.lookup(op)


def can_be_floating(op_def: Any) -> frozenset[int]:
    """Return the indexes of the input arguments that some node of this type can have in a floating
    dtype."""
    allowed = {attr.name: frozenset(attr.allowed_values.list.type) for attr in op_def.attr}
    indexes = set()
    for index, arg in enumerate(op_def.input_arg):
        types = frozenset([arg.type]) if arg.type else allowed[arg.type_attr or arg.type_list_attr]
        if not types or types & FLOATING:
            indexes.add(index)
    return frozenset(indexes)


def gradients_of(op_def: Any) -> tuple[OpSpec, Probe | None]:
    """Return the rule of one op, and how its gradient function was probed.

    None where the op has no gradient function to probe.
    """
    plain = spec_from_op_def(op_def, _FIXED.get(op_def.name, Rule.FLOW))
    if op_def.name in _FIXED or op_def.name in LOOKED_INTO:
        return plain, None
    try:
        function = gradient_of(op_def.name)
    except LookupError:
        return replace(plain, rule=Rule.UNREGISTERED), None
    floating = can_be_floating(op_def)
    if function is None or not floating:
        return replace(plain, rule=Rule.NONDIFF), None
    if gradient_source.always_raises(function):
        return replace(plain, rule=Rule.DISABLED), None
    probed = probe(op_def)
    return _judge(
        plain, floating, gradient_source.none_positions(function, len(op_def.input_arg)), probed
    ), probed


def _judge(
    plain: OpSpec, floating: frozenset[int], none_by_source: frozenset[int], probed: Probe
) -> OpSpec:
    """What was probed outranks what the source says: a None can come out of a function that it
    calls."""
    none_inputs = frozenset(
        index
        for index in floating
        if (
            probed.inputs[index] is Brought.NOTHING
            if index in probed.inputs
            else index in none_by_source
        )
    )
    zero_inputs = frozenset(
        index for index, brought in probed.inputs.items() if brought is Brought.ZEROS
    )
    if none_inputs == floating:
        return replace(plain, rule=Rule.NONDIFF)
    if none_inputs | zero_inputs == floating:
        return replace(plain, rule=Rule.ZERO)
    return replace(plain, none_inputs=none_inputs, zero_inputs=zero_inputs)
