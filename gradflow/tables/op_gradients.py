"""The installed TensorFlow's op and gradient registries in, the op table of gradflow.flow.op_rules
out.

Usage: ``python -m gradflow.tables.op_gradients [--merge OLDER.tsv] > gradflow/flow/op_table.tsv``,
where OLDER.tsv is the table that the oldest supported TensorFlow gives; rows that only it has are
kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2

from gradflow.flow.op_rules import FLOATING, OpSpec, Rule, parse, spec_from_op_def, write
from gradflow.tables.op_probe import Brought, Probe, probe
from gradflow.tape import gradient_source
from gradflow.tape.private_api import all_op_defs, gradient_registry

_FUNCTION_OPS = (
    "If StatelessIf While StatelessWhile Case StatelessCase PartitionedCall StatefulPartitionedCall"
)
CALLS = frozenset(_FUNCTION_OPS.split())
"""Calls and control flow: lowering looks inside them, so the table lets them pass."""

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
    found = set()
    for index, arg in enumerate(op_def.input_arg):
        types = frozenset([arg.type]) if arg.type else allowed[arg.type_attr or arg.type_list_attr]
        if not types or types & FLOATING:
            found.add(index)
    return frozenset(found)


def row(op_def: Any) -> tuple[OpSpec, Probe | None]:
    """Return the row of one op, and how its gradient function was probed; None where it has none to
    probe."""
    plain = spec_from_op_def(op_def, _FIXED.get(op_def.name, Rule.FLOW))
    if op_def.name in _FIXED or op_def.name in CALLS:
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


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--merge", type=Path, help="table of an older TensorFlow, for the ops that only it has"
    )
    older = parser.parse_args().merge
    found = [row(op_def) for op_def in op_defs().values()]
    rows = {spec.op: write(spec) for spec, _ in found}
    probes = [probed for _, probed in found if probed is not None]
    built = sum(bool(probed.inputs) for probed in probes)
    notes = [
        f"# TensorFlow {tf.__version__}: {built} of {len(probes)} gradient functions probed, the "
        f"others read."
    ]
    for line in older.read_text(encoding="utf-8").splitlines() if older else []:
        if line.startswith("# TensorFlow "):
            notes.append(f"{line} Ops that only it has.")
        elif not line.startswith(("#", "op\t")):
            rows.setdefault(parse(line).op, line)
    sys.stdout.write(
        "# Generated by python -m gradflow.tables.op_gradients; gradflow/flow/rules.py reads it.\n"
    )
    sys.stdout.write("".join(f"{note}\n" for note in notes))
    sys.stdout.write("op\trule\tnone_inputs\tzero_inputs\tinputs\toutputs\tdefaults\n")
    sys.stdout.write("".join(f"{rows[op]}\n" for op in sorted(rows)))


if __name__ == "__main__":
    _main()
