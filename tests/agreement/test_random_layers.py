"""Random models of Keras's own layers, read without TensorFlow: the tape's word for each weight."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gradflow.analysis.static import read
from gradflow.findings import Role, Verdict
from gradflow.options import Objective, Options
from tests.examples import examples

pytestmark = pytest.mark.tensorflow

COUNT = examples(100)
SAID: dict[str, set[Verdict]] = {
    "none": {Verdict.NONE},
    "zero": {Verdict.ZERO, Verdict.FLOWS},
    "flows": {Verdict.FLOWS},
    "nonfinite": {Verdict.FLOWS},
}
"""What a reading may say of what a tape gives: whether values are zero is not in a file."""


def compared(seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Hold both files of a random model against a bare tape: how many weights got what, and what
    was said that the tape does not say."""
    from tests.models.oracle import measure_model
    from tests.models.random_layers import random_model

    model = random_model(seed)
    truth = measure_model(model)
    counts: Counter[str] = Counter()
    wrong = []
    for suffix in (".keras", ".h5"):
        path = folder / f"seed_{seed}{suffix}"
        model.save(path)
        report = read(str(path), Options(objective=Objective.OUTPUTS)).report
        for weight in report.variables:
            if weight.role is not Role.WEIGHT:
                continue
            measured = truth[weight.layer_path or weight.name]
            counts.update(each.verdict for each in measured)
            if not any(weight.verdict in SAID[each.verdict] for each in measured):
                wrong.append(f"{path.name}: {weight.name} is {weight.verdict.value}")
    return counts, wrong


def test_a_random_model_gets_the_verdicts_of_the_tape(tmp_path: Path) -> None:
    # With a cut, and with an operation that has the name of a layer.
    counts, wrong = compared(107, tmp_path)
    assert wrong == []
    assert counts["none"]
    assert counts["flows"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_random_models_get_the_verdicts_of_the_tape(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    complaints = []
    for seed in range(COUNT):
        more, wrong = compared(seed, tmp_path)
        counts += more
        complaints += wrong
    print(counts)
    assert complaints == []
    assert counts["none"] > COUNT / 2
