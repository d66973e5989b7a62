"""Tell to which of its inputs an op type passes gradient, as TensorFlow's registry has it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from gradflow.files.dtypes import OP_DEF_NUMBERS
from gradflow.lazy_dataclass import dataclass
from gradflow.ops import table


class Rule(str, Enum):
    """What TensorFlow's gradient registry says about an op type."""

    FLOW = "flow"
    """Passes gradient to every floating input that is not in ``none_inputs`` or ``zero_inputs``."""
    STOP = "stop"
    """StopGradient."""
    DISABLED = "disabled"
    """The registered gradient raises whatever it is given (PreventGradient: LookupError)."""
    NONDIFF = "nondiff"
    """Registered as NotDifferentiable, or with a gradient that is None for every input."""
    UNREGISTERED = "unregistered"
    """Not in the registry: ``tape.gradient`` raises LookupError."""
    ZERO = "zero"
    """The registered gradient is exactly 0 for every floating input (Sign)."""
    OPAQUE = "opaque"
    """Leaves TensorFlow and comes back without a gradient (PyFunc)."""
    UNKNOWN = "unknown"
    """The table does not know the op type."""


@dataclass(frozen=True, slots=True)
class Arg:
    """One input or output argument of an op; a list argument stands for several tensors.

    The dtype of its tensors is ``dtype``, else the node's attr ``type_attr``, else one entry each
    of the node's attr ``type_list_attr``. With ``number_attr`` the argument is that many tensors of
    one dtype.
    """

    name: str
    dtype: int | None
    """DataType number, without the +100 of a reference."""
    type_attr: str | None
    type_list_attr: str | None
    number_attr: str | None
    is_ref: bool


@dataclass(frozen=True, slots=True)
class OpSpec:
    """One op type: its rule, the inputs that are exceptions to it, and its arguments."""

    op: str
    rule: Rule
    none_inputs: frozenset[int]
    """Indexes into ``inputs``: can be floating, and the gradient function returns None there.

    Empty, as ``zero_inputs`` is, unless the rule is ``flow``: every other rule speaks for all
    inputs.
    """
    zero_inputs: frozenset[int]
    """Indexes into ``inputs``: can be floating, and the gradient is exactly 0 there."""
    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    defaults: Mapping[str, int]
    """Attr name to default: a DataType number for a type attr, a length for a number attr."""


_TRAINABLE = (
    "half",
    "bfloat16",
    "float",
    "double",
    "complex64",
    "complex128",
    "resource",
    "variant",
)
FLOATING: frozenset[int] = frozenset(
    OP_DEF_NUMBERS[name] + ref for name in _TRAINABLE for ref in (0, 100)
)
"""DataType numbers that carry gradient, references (+100) included.

Source: IsTrainable in tensorflow/python/eager/backprop_util.py, 2.16 to 2.21. The float8 and float4
kinds are not
among them: a tape never records an op for them.
"""


@cache
def spec(op: str) -> OpSpec | None:
    """Return what the table knows about the op type ``op``; None where it does not know it."""
    row = table.row(op)
    return None if row is None else parse(row)


@cache
def ops_with(rule: Rule) -> frozenset[str]:
    """Return the op types of which the table says ``rule``."""
    return frozenset(op for op, cell in table.cells("rule").items() if cell == rule.value)


def spec_from_op_def(op_def: Any, rule: Rule = Rule.UNKNOWN) -> OpSpec:
    """Build the spec of an op from its OpDef message, as a SavedModel's ``stripped_op_list`` holds
    it."""
    inputs = tuple(_arg_from_op_def(arg) for arg in op_def.input_arg)
    outputs = tuple(_arg_from_op_def(arg) for arg in op_def.output_arg)
    lengths = {arg.number_attr for arg in (*inputs, *outputs)}
    defaults: dict[str, int] = {}
    for attr in op_def.attr:
        if not attr.HasField("default_value"):
            continue
        if attr.type == "type":
            defaults[attr.name] = attr.default_value.type
        elif attr.name in lengths:
            defaults[attr.name] = attr.default_value.i
    return OpSpec(
        op=op_def.name,
        rule=rule,
        none_inputs=frozenset(),
        zero_inputs=frozenset(),
        inputs=inputs,
        outputs=outputs,
        defaults=defaults,
    )


def parse(row: table.Row) -> OpSpec:
    """Read the columns about gradients of a row of the op table; ``write`` is its inverse."""
    pairs = (pair.split("=") for pair in row["defaults"].split())
    return OpSpec(
        op=row["op"],
        rule=Rule(row["rule"]),
        none_inputs=_indexes(row["none_inputs"]),
        zero_inputs=_indexes(row["zero_inputs"]),
        inputs=tuple(map(_parse_arg, row["inputs"].split())),
        outputs=tuple(map(_parse_arg, row["outputs"].split())),
        defaults={name: int(number) for name, number in pairs},
    )


def write(op_spec: OpSpec) -> table.Row:
    """Write the columns about gradients of a row of the op table."""
    defaults = sorted(op_spec.defaults.items())
    return {
        "op": op_spec.op,
        "rule": op_spec.rule.value,
        "none_inputs": " ".join(map(str, sorted(op_spec.none_inputs))),
        "zero_inputs": " ".join(map(str, sorted(op_spec.zero_inputs))),
        "inputs": " ".join(map(_write_arg, op_spec.inputs)),
        "outputs": " ".join(map(_write_arg, op_spec.outputs)),
        "defaults": " ".join(f"{name}={number}" for name, number in defaults),
    }


def _indexes(cell: str) -> frozenset[int]:
    return frozenset(map(int, cell.split()))


def _parse_arg(text: str) -> Arg:
    """Read ``name:[&][number_attr*]type``, where type is a dtype, ``$type_attr`` or
    ``@type_list_attr``."""
    name, _, rest = text.partition(":")
    is_ref = rest.startswith("&")
    number_attr, _, kind = rest.lstrip("&").rpartition("*")
    return Arg(
        name=name,
        dtype=None if kind[0] in "$@" else OP_DEF_NUMBERS[kind],
        type_attr=kind[1:] if kind[0] == "$" else None,
        type_list_attr=kind[1:] if kind[0] == "@" else None,
        number_attr=number_attr or None,
        is_ref=is_ref,
    )


def _write_arg(arg: Arg) -> str:
    kind = f"${arg.type_attr}" if arg.type_attr else f"@{arg.type_list_attr}"
    if arg.dtype is not None:
        kind = next(name for name, number in OP_DEF_NUMBERS.items() if number == arg.dtype)
    number = f"{arg.number_attr}*" if arg.number_attr else ""
    return f"{arg.name}:{'&' if arg.is_ref else ''}{number}{kind}"


def _arg_from_op_def(arg: Any) -> Arg:
    return Arg(
        name=arg.name,
        dtype=arg.type % 100 or None,
        type_attr=arg.type_attr or None,
        type_list_attr=arg.type_list_attr or None,
        number_attr=arg.number_attr or None,
        is_ref=arg.is_ref,
    )
