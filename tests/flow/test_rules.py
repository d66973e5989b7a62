"""The op table is whole, readable and says what is known of ops that everybody uses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from gradflow.files.dtypes import OP_DEF_NUMBERS
from gradflow.files.saved_model.schema import message
from gradflow.flow.op_rules import (
    FLOATING,
    Arg,
    OpSpec,
    Rule,
    parse,
    spec,
    spec_from_op_def,
    write,
)
from gradflow.ops.table import op_types

FLOAT, INT32, RESOURCE = (
    OP_DEF_NUMBERS["float"],
    OP_DEF_NUMBERS["int32"],
    OP_DEF_NUMBERS["resource"],
)


def known(op: str) -> OpSpec:
    found = spec(op)
    assert found is not None, op
    return found


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        ("MatMul", Rule.FLOW),
        ("ResourceGather", Rule.FLOW),
        ("EagerPyFunc", Rule.FLOW),
        ("StatefulPartitionedCall", Rule.FLOW),
        ("While", Rule.FLOW),
        ("StopGradient", Rule.STOP),
        ("PreventGradient", Rule.DISABLED),
        ("SparseSparseMaximum", Rule.DISABLED),
        ("ArgMax", Rule.NONDIFF),
        ("Round", Rule.NONDIFF),
        ("Equal", Rule.NONDIFF),
        ("OneHot", Rule.NONDIFF),
        ("FloorDiv", Rule.NONDIFF),
        ("Bitcast", Rule.UNREGISTERED),
        ("Unique", Rule.UNREGISTERED),
        ("ResizeArea", Rule.UNREGISTERED),
        ("Sign", Rule.ZERO),
        ("PyFunc", Rule.OPAQUE),
        ("PyFuncStateless", Rule.OPAQUE),
    ],
)
def test_rule(op: str, rule: Rule) -> None:
    assert known(op).rule is rule


@pytest.mark.parametrize(
    ("op", "none_inputs", "zero_inputs"),
    [
        ("Conv2D", [], []),
        ("SelectV2", [], []),
        ("FusedBatchNormV3", ["mean", "variance"], []),
        ("PadV2", ["constant_values"], []),
        ("Zeta", ["x"], []),
        ("TensorArrayReadV3", ["handle"], []),
        ("ReluGrad", [], ["features"]),
        ("NextAfter", [], ["x2"]),
    ],
)
def test_inputs_that_are_exceptions(
    op: str, none_inputs: list[str], zero_inputs: list[str]
) -> None:
    found = known(op)
    assert [found.inputs[index].name for index in sorted(found.none_inputs)] == none_inputs
    assert [found.inputs[index].name for index in sorted(found.zero_inputs)] == zero_inputs


def test_arguments() -> None:
    assert known("ConcatV2").inputs == (
        Arg("values", None, "T", None, "N", is_ref=False),
        Arg("axis", None, "Tidx", None, None, is_ref=False),
    )
    assert known("ConcatV2").defaults == {"Tidx": INT32}
    assert known("IdentityN").outputs == (Arg("output", None, None, "T", None, is_ref=False),)
    assert known("ReadVariableOp").inputs == (
        Arg("resource", RESOURCE, None, None, None, is_ref=False),
    )
    assert known("Assign").inputs[0] == Arg("ref", None, "T", None, None, is_ref=True)


def test_unknown_op() -> None:
    assert spec("MyVeryOwnOp") is None
    assert spec("op") is None  # the header
    assert spec("") is None
    assert "MyVeryOwnOp" not in op_types()


def test_every_row_can_be_read_and_is_written_the_same() -> None:
    rules = set()
    for op in op_types():
        found = known(op)
        rules.add(found.rule)
        assert found.op == op
        assert parse(write(found)) == found
    assert rules == set(Rule) - {Rule.UNKNOWN}
    assert len(op_types()) > 1900


def test_exceptions_stand_only_at_floating_inputs_of_ops_that_pass_gradient() -> None:
    for op in op_types():
        found = known(op)
        exceptions = found.none_inputs | found.zero_inputs
        assert not found.none_inputs & found.zero_inputs, op
        if exceptions:
            assert found.rule is Rule.FLOW, op
            assert exceptions < set(range(len(found.inputs))), op
            assert all(
                found.inputs[i].dtype is None or found.inputs[i].dtype in FLOATING
                for i in exceptions
            ), op


def test_floating() -> None:
    names = {name for name, number in OP_DEF_NUMBERS.items() if number in FLOATING}
    assert names == {
        "half",
        "bfloat16",
        "float",
        "double",
        "complex64",
        "complex128",
        "resource",
        "variant",
    }
    assert {number + 100 for number in FLOATING if number < 100} == {
        number for number in FLOATING if number > 100
    }
    assert (
        OP_DEF_NUMBERS["float"],
        OP_DEF_NUMBERS["bool"],
        OP_DEF_NUMBERS["variant"],
        OP_DEF_NUMBERS["float8_e4m3fn"],
    ) == (
        1,
        10,
        21,
        25,
    )


def op_def() -> Any:
    made = message("OpDef")(name="Mine")
    made.input_arg.add(name="values", type_attr="T", number_attr="N")
    made.input_arg.add(name="more", type_list_attr="Tmore")
    made.input_arg.add(name="old", type=100 + FLOAT, is_ref=True)
    made.output_arg.add(name="out", type=INT32)
    made.attr.add(name="T", type="type").default_value.type = FLOAT
    made.attr.add(name="N", type="int").default_value.i = 2
    made.attr.add(name="axis", type="int").default_value.i = 7
    made.attr.add(name="Tmore", type="list(type)")
    return made


def test_spec_from_op_def() -> None:
    found = spec_from_op_def(op_def())
    assert found.rule is Rule.UNKNOWN
    assert found.inputs == (
        Arg("values", None, "T", None, "N", is_ref=False),
        Arg("more", None, None, "Tmore", None, is_ref=False),
        Arg("old", FLOAT, None, None, None, is_ref=True),
    )
    assert found.outputs == (Arg("out", INT32, None, None, None, is_ref=False),)
    assert found.defaults == {"T": FLOAT, "N": 2}  # axis is no length
    assert parse(write(found)) == found
    assert spec_from_op_def(op_def(), Rule.NONDIFF).rule is Rule.NONDIFF


def test_reading_the_table_does_not_import_tensorflow() -> None:
    code = (
        "import sys; from gradflow.flow.op_rules import spec; spec('MatMul'); print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "gradflow.flow.op_rules" in modules
    assert not {"tensorflow", "numpy", "google.protobuf"} & set(modules)
