"""Each cause in words: by its entry, by what a step has shown, and the cases with words of their
own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradflow.catalogue import CATALOGUE, CodeEntry, entry
from gradflow.diagnose.evidence import Evidence, Sighting
from gradflow.diagnose.wording import word
from gradflow.findings import Output, Severity
from gradflow.flow.graph import Edge

STATIC = Evidence(variables=())
MEASURED = replace(STATIC, measurements={})
SIGHTING = Sighting(Edge.DEAD, "net/Relu", "Relu", "passes 0 of 64 elements")


@pytest.mark.parametrize(
    "item",
    [item for item in CATALOGUE.values() if item.explains_verdict],
    ids=lambda item: item.code,
)
def test_what_explains_a_verdict_has_words_without_a_gap(item: CodeEntry) -> None:
    for op in (None, "net/Op"):
        said = word(MEASURED, item.cause(op=op, op_type=op and "StopGradient"), None)

        assert (said.severity, said.fix) == (item.severity, item.fix)
        assert not {"{", "}"} & set(said.message)


def test_what_a_step_has_shown_is_told_in_its_own_words() -> None:
    cause = entry("GF303").cause(op="net/Relu", op_type="Relu")
    said = word(MEASURED, cause, SIGHTING)

    assert said.message == "gradient dies at Relu 'net/Relu', which passes 0 of 64 elements"
    assert (said.severity, said.fix) == (Severity.WARNING, entry("GF303").fix)
    harmless = replace(SIGHTING, harmless=True, fix="nothing to do")
    said = word(MEASURED, cause, harmless)
    assert (said.severity, said.fix) == (Severity.NOTE, "nothing to do")


def test_data_that_comes_back_is_told_with_the_op() -> None:
    cause = entry("GF202").cause(op="net/ArgMax", op_type="ArgMax", reenters_at="net/one_hot")

    assert word(STATIC, cause, None).message.endswith(
        "; its values are floats again at 'net/one_hot'"
    )


def test_an_op_type_that_is_not_tensorflows_is_a_note_only_where_nothing_was_measured() -> None:
    cause = entry("GF203").cause(op="net/Own", op_type="OwnOp")

    assert word(STATIC, cause, None).severity is Severity.NOTE
    assert word(MEASURED, cause, None).severity is Severity.ERROR
    assert "--import PACKAGE" in word(MEASURED, cause, None).message


@pytest.mark.parametrize("op_type", ["OwnOp", "IdentityN"])
@pytest.mark.parametrize("is_of_layers", [True, False])
def test_what_is_not_measured_is_measured_with_tensorflow(op_type: str, is_of_layers: bool) -> None:
    """That it was not can have other reasons than ``--static``, which nobody need have given."""
    cause = entry("GF203").cause(op="net/Own", op_type=op_type)
    fix = word(replace(STATIC, is_of_layers=is_of_layers), cause, None).fix

    assert fix.startswith("measure it with TensorFlow") and "--static" not in fix


def test_an_unused_weight_is_told_by_what_was_selected() -> None:
    cause = entry("GF206").cause()

    assert word(STATIC, cause, None).message == "no path to any output"
    selected = replace(STATIC, selected=("score",))
    assert word(selected, cause, None).message == "no path to any selected output"
    assert word(replace(STATIC, is_of_loss=True), cause, None).message == (
        "no path to the compiled loss"
    )


@pytest.mark.parametrize(("dtypes", "is_said"), [(["int64"], True), (["int64", "float32"], False)])
def test_a_call_that_returns_no_float_is_no_call_to_mend(dtypes: list[str], is_said: bool) -> None:
    outputs = tuple(Output(f"out_{number}", (4,), dtype) for number, dtype in enumerate(dtypes))
    cause = entry("GF202").cause(op="net/ArgMax", op_type="ArgMax")
    fix = word(replace(MEASURED, outputs=outputs), cause, None).fix

    assert ("let it return what goes into the ArgMax" in fix) is is_said
