"""What is to be done about a training step names no option: a step has none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gradflow.tape.replay
from gradflow.catalogue import CATALOGUE, Family, in_step
from gradflow.catalogue.data_fixes import IN_STEP
from gradflow.diagnose import Evidence, Measurement, diagnose
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Gradient, Role, Severity

OPTION = re.compile(r"--[a-z]|thresholds\.")
OF_STEPS = [
    item.fix
    for item in CATALOGUE.values()
    if item.family in (Family.FLAGS, Family.CUTS, Family.VALUES, Family.TRAINING)
]


@pytest.mark.parametrize("fix", [*OF_STEPS, *IN_STEP])
def test_a_fix_names_no_option_in_a_step(fix: str) -> None:
    assert not OPTION.search(in_step(fix))


def test_no_two_codes_share_words_that_differ_in_a_step() -> None:
    fixes = [item.fix for item in CATALOGUE.values() if item.step_fix] + list(IN_STEP)

    assert len(set(fixes)) == len(fixes)
    assert all(in_step(fix) != fix for fix in fixes)


def test_the_replay_which_steps_share_says_nothing_of_options_itself() -> None:
    """What it proposes is worded in the catalogue, where the words for a step stand beside it."""
    folder = Path(str(gradflow.tape.replay.__file__)).parent
    texts = {
        node.value
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert not {text for text in texts if OPTION.search(text)}


@pytest.mark.parametrize("is_of_step", [False, True])
@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_sizes_in_a_step_are_judged_without_a_threshold(size: float, is_of_step: bool) -> None:
    names = ["a", "b", "c", "apart"]
    variables = tuple(
        StoredVariable(name, None, (1,), "float32", Role.WEIGHT, trainable=True, frozen_by=None)
        for name in names
    )
    sizes = {**dict.fromkeys(names, 1.0), "apart": size}
    measurements = {
        name: Measurement(Gradient(size, size, 0.0, None), finite=True)
        for name, size in sizes.items()
    }
    evidence = Evidence(variables=variables, measurements=measurements, is_of_step=is_of_step)
    [finding] = diagnose(evidence)[1]

    assert bool(OPTION.search(finding.hint)) is not is_of_step
    is_tiny = size < 1
    expected = Severity.NOTE if is_tiny and is_of_step else Severity.WARNING
    assert (finding.code, finding.severity) == ("GF305" if is_tiny else "GF306", expected)
