"""The op table against the registries, the gradient functions and the tape of the installed
TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.files.dtypes import OP_DEF_NUMBERS
from gradflow.flow.op_rules import FLOATING, OpSpec, Rule, spec, spec_from_op_def

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")

from gradflow.tables import op_gradients  # noqa: E402
from gradflow.tables.op_probe import Brought, Probe  # noqa: E402
from gradflow.tape import gradient_source  # noqa: E402
from tests.tables.instances import Instance, instance  # noqa: E402

# What 2.16.1 has otherwise than 2.21, which the table follows.
GRADIENT_SINCE_2_16 = frozenset(
    {
        "FakeQuantWithMinMaxArgsGradient",
        "FakeQuantWithMinMaxVarsGradient",
        "FakeQuantWithMinMaxVarsPerChannelGradient",
        "ResizeBilinearGrad",
    }
)
ARGUMENTS_SINCE_2_16 = frozenset(
    {"CustomAggregator", "TensorListGetItem", "XlaSparseDenseMatmulWithCsrInput"}
)
STOPS = {"StopGradient": Rule.STOP, "PyFunc": Rule.OPAQUE, "PyFuncStateless": Rule.OPAQUE}
IS_2_16 = tf.__version__.startswith("2.16.")


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[OpSpec, Probe | None]]:
    """What the generator finds in the installed TensorFlow."""
    return {op: op_gradients.gradients_of(op_def) for op, op_def in op_gradients.op_defs().items()}


def known(op: str) -> OpSpec:
    found = spec(op)
    assert found is not None, op
    return found


def test_every_op_has_a_row() -> None:
    assert [op for op in op_gradients.op_defs() if spec(op) is None] == []


def test_every_row_has_the_arguments_of_the_op() -> None:
    different = set()
    for op, op_def in op_gradients.op_defs().items():
        plain = spec_from_op_def(op_def)
        found = known(op)
        if (found.inputs, found.outputs, found.defaults) != (
            plain.inputs,
            plain.outputs,
            plain.defaults,
        ):
            different.add(op)
    assert different == (ARGUMENTS_SINCE_2_16 if IS_2_16 else set())


def test_every_rule_agrees_with_the_registry() -> None:
    wrong = {}
    for op in op_gradients.op_defs():
        allowed = allowed_rules(op)
        if known(op).rule not in allowed:
            wrong[op] = (known(op).rule, allowed)
    assert wrong == {}


def allowed_rules(op: str) -> set[Rule]:
    if op in op_gradients.LOOKED_INTO:
        return {Rule.FLOW}
    try:
        function = op_gradients.gradient_of(op)
    except LookupError:
        return {Rule.NONDIFF} if IS_2_16 and op in GRADIENT_SINCE_2_16 else {Rule.UNREGISTERED}
    if function is None:
        return {
            {"StopGradient": Rule.STOP, "PyFunc": Rule.OPAQUE, "PyFuncStateless": Rule.OPAQUE}.get(
                op, Rule.NONDIFF
            )
        }
    return {Rule.FLOW, Rule.ZERO, Rule.DISABLED, Rule.NONDIFF}


def test_every_row_agrees_with_the_probe(rows: dict[str, tuple[OpSpec, Probe | None]]) -> None:
    wrong = {}
    for op, (found, probed) in rows.items():
        table = known(op)
        if IS_2_16 and op in GRADIENT_SINCE_2_16:
            continue
        if (found.rule, found.none_inputs, found.zero_inputs) != (
            table.rule,
            table.none_inputs,
            table.zero_inputs,
        ):
            wrong[op] = (found, table, probed)
    assert wrong == {}


def test_enough_gradient_functions_could_be_probed(
    rows: dict[str, tuple[OpSpec, Probe | None]],
) -> None:
    probes = {op: probed for op, (_, probed) in rows.items() if probed is not None}
    built = {op for op, probed in probes.items() if probed.inputs}
    ran = {op for op in built if not probes[op].error}
    print(f"{len(built)} of {len(probes)} gradient functions built, {len(ran)} run")
    assert len(probes) >= 398
    assert len(built) >= 381, {
        op: probed.error for op, probed in probes.items() if not probed.inputs
    }
    assert len(ran) >= 361, {op: probes[op].error for op in built - ran}


def test_tensorflow_says_the_same_of_an_instance_of_every_type_that_can_be_made(
    rows: dict[str, tuple[OpSpec, Probe | None]],
) -> None:
    asked, wrong = (
        {op for op, (_, probed) in rows.items() if probed is not None and probed.inputs},
        {},
    )
    open_types = {
        op: op_def
        for op, op_def in op_gradients.op_defs().items()
        if op_gradients.can_be_floating(op_def)
    }
    for op, op_def in sorted(open_types.items()):
        rule = known(op).rule
        made = instance(op_def) if rule in ANSWERS and op not in asked else None
        if made is None or not made.xs or (IS_2_16 and op in GRADIENT_SINCE_2_16):
            continue
        answer = _answer(made)
        asked.add(op)
        # Without a floating output nothing asks the op for its gradient.
        if answer not in (ANSWERS[rule] if made.ys else ("none",)):
            wrong[op] = (rule, answer)
    shares = {
        rule.value: (
            sum(known(op).rule is rule for op in asked),
            sum(known(op).rule is rule for op in open_types),
        )
        for rule in Rule
    }
    counts = ", ".join(f"{some} of {all_} {rule}" for rule, (some, all_) in shares.items() if all_)
    total = len(op_gradients.op_defs())
    print(
        f"TensorFlow {tf.__version__} asked about {len(asked)} of {len(open_types)} op types "
        f"({counts})"
    )
    print(f"the other {total - len(open_types)} of {total} op types take nothing floating")
    assert wrong == {}
    assert len(asked) >= 1080


ANSWERS = {
    Rule.STOP: ("none",),
    Rule.OPAQUE: ("none",),
    Rule.NONDIFF: ("none",),
    Rule.UNREGISTERED: ("LookupError",),
    Rule.DISABLED: (
        "LookupError",
        "NotImplementedError",
        "RuntimeError",
        "TypeError",
        "ValueError",
    ),
}


def _answer(made: Instance) -> str:
    try:
        return "none" if all(one is None for one in made.gradients()) else "something"
    except Exception as error:
        return type(error).__name__


def test_every_floating_input_of_a_probed_op_was_looked_at(
    rows: dict[str, tuple[OpSpec, Probe | None]],
) -> None:
    missed = {}
    op_defs = op_gradients.op_defs()
    for op, (_, probed) in rows.items():
        if probed is not None and probed.inputs:
            rest = op_gradients.can_be_floating(op_defs[op]) - probed.inputs.keys()
            missed.update({op: rest} if rest else {})
    assert missed == {}


def test_what_the_source_says_is_what_the_probe_sees(
    rows: dict[str, tuple[OpSpec, Probe | None]],
) -> None:
    """The source may say less, a None out of a function that it calls; it may never say a None that
    is none."""
    wrong = {}
    for op, (found, probed) in rows.items():
        if probed is None:
            continue
        for index in gradient_source.none_positions(
            op_gradients.gradient_of(op), len(found.inputs)
        ):
            if probed.inputs.get(index, Brought.NOTHING) is not Brought.NOTHING:
                wrong[op, index] = probed.inputs[index]
    assert wrong == {}


def test_floating_is_what_a_tape_takes_as_trainable() -> None:
    from tensorflow.python.eager import backprop_util  # 2.16.1, 2.21.0

    for name, number in OP_DEF_NUMBERS.items():
        try:
            dtype = tf.dtypes.as_dtype(number)
        except TypeError:
            continue  # younger than this TensorFlow
        assert dtype.as_datatype_enum == number
        assert backprop_util.IsTrainable(dtype) == (number in FLOATING), name


def test_dtypes_have_tensorflow_s_numbers() -> None:
    from tensorflow.core.framework import types_pb2

    numbers = {
        name[3:].lower(): number for name, number in types_pb2.DataType.items() if 0 < number < 100
    }
    assert numbers.items() <= OP_DEF_NUMBERS.items()


X = [[0.5, -1.5], [2.5, 3.5]]
TAPE_CASES: list[tuple[str, Any]] = [
    ("Tanh", lambda x: {"x": x}),
    ("MatMul", lambda x: {"a": x, "b": x + 0.0}),
    ("Sign", lambda x: {"x": x}),
    ("Round", lambda x: {"x": x}),
    (
        "PadV2",
        lambda x: {"input": x, "paddings": [[1, 1], [0, 0]], "constant_values": tf.reduce_sum(x)},
    ),
    ("ReluGrad", lambda x: {"gradients": x, "features": x + 0.0}),
    ("NextAfter", lambda x: {"x1": x, "x2": x + 1.0}),
    ("StopGradient", lambda x: {"input": x}),
]


@pytest.mark.parametrize(("op", "arguments"), TAPE_CASES, ids=[op for op, _ in TAPE_CASES])
def test_an_eager_tape_says_the_same(op: str, arguments: Any) -> None:
    x = tf.constant(X)
    given = {name: tf.convert_to_tensor(value) for name, value in arguments(x).items()}
    floating = {name: value for name, value in given.items() if value.dtype.is_floating}
    with tf.GradientTape() as tape:
        tape.watch(floating)
        y = getattr(tf.raw_ops, op)(**given)
    weights = tf.reshape(tf.range(1.0, tf.size(y) + 1), tf.shape(y))
    gradients = tape.gradient(y, floating, output_gradients=weights)
    assert {name: verdict(value) for name, value in gradients.items()} == {
        name: said(op, name) for name in floating
    }


def verdict(gradient: Any) -> str:
    if gradient is None:
        return "none"
    return "flows" if tf.reduce_any(gradient != 0) else "zero"


def said(op: str, name: str) -> str:
    table = known(op)
    index = [arg.name for arg in table.inputs].index(name)
    if table.rule is Rule.ZERO or index in table.zero_inputs:
        return "zero"
    return "none" if table.rule is not Rule.FLOW or index in table.none_inputs else "flows"


@pytest.mark.parametrize(
    ("op", "attrs"), [("Bitcast", {"type": tf.float32}), ("PreventGradient", {})]
)
def test_an_eager_tape_raises_where_the_table_says_so(op: str, attrs: dict[str, Any]) -> None:
    assert known(op).rule in (Rule.UNREGISTERED, Rule.DISABLED)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = getattr(tf.raw_ops, op)(input=x, **attrs)
    with pytest.raises(LookupError):
        tape.gradient(y, x)
