"""Describe op types that the op table does not have, as this process has them registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gradflow.flow.op_rules import OpSpec, Rule, spec, spec_from_op_def
from gradflow.tape.gradient_source import always_raises, none_positions
from gradflow.tape.private_api import gradient_registry, op_def_of


def is_registered(op_type: str) -> bool:
    """Tell whether this TensorFlow, or a library that was loaded, has ``op_type``."""
    return op_def_of(op_type) is not None


def unregistered(op_types: Iterable[str]) -> tuple[str, ...]:
    """Return those op types that this TensorFlow does not have, sorted."""
    return tuple(sorted(op for op in op_types if spec(op) is None and not is_registered(op)))


def registered_specs(op_types: Iterable[str]) -> Mapping[str, OpSpec]:
    """Describe the op types that are registered in this process and not in the op table."""
    definitions = {op: op_def_of(op) for op in op_types if spec(op) is None}
    return {
        op: _described(spec_from_op_def(op_def, Rule.FLOW))
        for op, op_def in definitions.items()
        if op_def is not None
    }


def _described(plain: OpSpec) -> OpSpec:
    try:
        gradient = gradient_registry.lookup(plain.op)
    except LookupError:
        return replace(plain, rule=Rule.UNREGISTERED)
    if gradient is None:
        return replace(plain, rule=Rule.NONDIFF)
    if always_raises(gradient):
        return replace(plain, rule=Rule.DISABLED)
    none_inputs = none_positions(gradient, len(plain.inputs))
    return replace(
        plain,
        rule=Rule.NONDIFF if len(none_inputs) == len(plain.inputs) else Rule.FLOW,
        none_inputs=none_inputs,
    )
