"""What JAX exported is let in, and its verdicts are those of a tape; the static reading is right or
says that it cannot know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport, Role, Verdict
from tests.models.jax import NAMES, unpacked

FLOWS, NONE, ZERO, UNKNOWN = Verdict.FLOWS, Verdict.NONE, Verdict.ZERO, Verdict.UNKNOWN


def by_name(report: ModelReport) -> dict[str, Verdict]:
    return {
        variable.name.rpartition("weights.")[2].rpartition("/")[2]: variable.verdict
        for variable in report.variables
        if variable.role is Role.WEIGHT
    }


def of_a_tape(folder: Path) -> list[Verdict]:
    """Ask TensorFlow alone, for each variable that is not state, in the order of the signature."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    call = model.signatures["serving_default"]
    (name, spec), *_ = call.structured_input_signature[1].items()
    x = tf.random.stateless_normal([4 if size is None else size for size in spec.shape], [1, 2])
    is_state = ("moving", "seed").__contains__
    weights = [item for item in call.variables if not is_state(item.name.partition("_")[0])]
    try:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            output = next(iter(call(**{name: x}).values()))
            loss = tf.reduce_sum(output * tf.random.stateless_normal(output.shape, [3, 4]))
        gradients = tape.gradient(loss, weights)
    except LookupError:
        return [NONE] * len(weights)
    return [verdict_of(tf, gradient) for gradient in gradients]


def verdict_of(tf: Any, gradient: Any) -> Verdict:
    if gradient is None:
        return NONE
    return FLOWS if bool(tf.reduce_any(gradient != 0)) else ZERO


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_the_verdicts_are_those_of_a_tape(name: str, tmp_path: Path) -> None:
    folder = unpacked(name, tmp_path)
    report = gradflow.inspect(folder).models[0]
    assert report.error is None
    assert sorted(by_name(report).values()) == sorted(of_a_tape(folder))
    assert [finding.code for finding in report.findings if finding.code in ("GF209", "GF902")] == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_the_static_reading_is_never_wrong(name: str, tmp_path: Path) -> None:
    folder = unpacked(name, tmp_path)
    read = by_name(gradflow.inspect(folder, static=True).models[0])
    measured = by_name(gradflow.inspect(folder).models[0])
    assert {key: verdict for key, verdict in read.items() if verdict is not UNKNOWN} == {
        key: measured[key] for key, verdict in read.items() if verdict is not UNKNOWN
    }


def test_what_the_file_does_not_show_is_unknown(tmp_path: Path) -> None:
    native = gradflow.inspect(unpacked("native", tmp_path), static=True).models[0]
    assert set(by_name(native).values()) == {UNKNOWN}
    assert [finding.severity.value for finding in native.findings] == ["note"]
    assert "the file does not show what its custom gradient returns" in native.findings[0].message
    # Where each operation is an op of TensorFlow, only the weight that JAX stops is in doubt.
    graph = gradflow.inspect(unpacked("graph", tmp_path), static=True).models[0]
    assert by_name(graph) == {"alive": FLOWS, "bias": FLOWS, "head": FLOWS, "stopped": UNKNOWN}


@pytest.mark.tensorflow
def test_the_words_are_those_of_jax(tmp_path: Path) -> None:
    native = gradflow.inspect(unpacked("native", tmp_path)).models[0]
    (finding,) = native.findings
    assert finding.message == "the gradient that JAX computes is zero (IdentityN 'IdentityN')"
    assert "jax.lax.stop_gradient" in finding.hint
    without = gradflow.inspect(unpacked("without_gradient", tmp_path), static=True).models[0]
    assert "with_gradient=True" in without.findings[0].hint


def test_what_was_frozen_on_purpose_is_frozen(tmp_path: Path) -> None:
    for name, frozen in (("frozen", 4), ("of_keras", 2), ("native", 0)):
        report = gradflow.inspect(unpacked(name, tmp_path), static=True).models[0]
        assert report.summary.frozen == frozen
