"""What ``gradflow init`` writes is valid, and kept by the model that it was written from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.config import ModelPlan
from gradflow.config.load import load
from gradflow.config.template import SCHEMA_FILE, template
from gradflow.findings import Cause, Finding, ModelReport, Severity, Verdict
from gradflow.patterns import all_covered
from gradflow.policy import Expectations, is_broken, judge
from tests.report.reports import analyzed, dense, names

TODAY = date(2026, 6, 1)
HEAD = dense("head", 4, 4)
BODY = dense("body", 4, 4, trainable=False, frozen_by="body")
CUT = dense("cut", 4, 4, verdict=Verdict.NONE)
RAW = dense("raw", 4, 4)
UNKNOWN = dense("head", 4, 4, verdict=Verdict.UNKNOWN, confidence="static")


def finding(code: str, severity: Severity, variables: tuple[str, ...]) -> Finding:
    return Finding(
        code, severity, "message", hint="hint", variables=variables, cause=Cause(code, "kind")
    )


SEEN = {
    "freeze_lost_on_reload": ([*HEAD, *BODY], finding("GF102", Severity.WARNING, names(BODY))),
    "flags_not_recorded": (HEAD, finding("GF102", Severity.NOTE, ())),
    "untracked": ([*HEAD, *RAW], finding("GF103", Severity.ERROR, names(RAW))),
    "cut": ([*HEAD, *CUT], finding("GF201", Severity.ERROR, names(CUT))),
    "all_cut": (CUT, finding("GF201", Severity.ERROR, names(CUT))),
    "all_frozen": (BODY, finding("GF101", Severity.NOTE, names(BODY))),
}


@pytest.mark.parametrize("seen", SEEN)
def test_a_model_keeps_what_init_writes(tmp_path: Path, seen: str) -> None:
    variables, found = SEEN[seen]
    model = analyzed("m.keras", variables, findings=(found,))

    judged = judge(model, loaded(tmp_path, model), TODAY)

    assert not is_broken(judged, Severity.WARNING), judged.expectations


def test_gradients_that_init_ignores_are_measured(tmp_path: Path) -> None:
    variables, found = SEEN["all_cut"]

    assert loaded(tmp_path, analyzed("m", variables, findings=(found,))).needs_gradients


def test_what_was_read_from_the_file_alone_is_held_to_its_flags(tmp_path: Path) -> None:
    model = analyzed("m", UNKNOWN, findings=(finding("GF901", Severity.WARNING, ()),))

    expected = loaded(tmp_path, model)
    assert expected.frozen is not None
    assert not expected.needs_gradients
    silent = replace(model, findings=(finding("GF102", Severity.NOTE, ()),))
    assert loaded(tmp_path, silent).frozen is None


def test_what_was_let_in_is_let_in_again(tmp_path: Path) -> None:
    trusted = analyzed("m", HEAD, findings=(finding("GF902", Severity.NOTE, ()),))

    assert [planned(tmp_path, model).options.trust for model in (trusted, analyzed("m", HEAD))] == [
        True,
        False,
    ]
    assert not is_broken(judge(trusted, loaded(tmp_path, trusted), TODAY), Severity.WARNING)


@settings(max_examples=25)
@given(lot=st.randoms(use_true_random=False))
def test_any_model_of_layers_in_layers_keeps_what_init_writes(lot: random.Random) -> None:
    frozen = {layer: lot.random() < 0.5 for layer in tree_of_layers(lot, "", 3)}
    variables = [
        variable
        for layer, is_frozen in frozen.items()
        for variable in dense(layer, 2, 2, trainable=not is_frozen, frozen_by=layer)
    ]
    model = analyzed("m.keras", variables)

    with TemporaryDirectory() as folder:
        expected = loaded(Path(folder), model)
        judged = judge(model, expected, TODAY)

    covered = all_covered(expected.frozen or (), model.variables)
    assert [variable.name for variable in covered] == [
        variable.name for variable in variables if not variable.trainable
    ]
    assert not is_broken(judged, Severity.WARNING), judged.expectations


def tree_of_layers(lot: random.Random, around: str, depth: int) -> Iterator[str]:
    """Yield names of layers such as ``block_2/attention_1``."""
    kind = lot.choice(["block", "conv2d", "encoder_layer"])
    for number in range(lot.randint(1, 4)):
        name = f"{around}{kind}_{number}" if number else f"{around}{kind}"
        if depth and lot.random() < 0.6:
            yield from tree_of_layers(lot, f"{name}/", depth - 1)
        else:
            yield name


def test_no_line_holds_many_names(tmp_path: Path) -> None:
    names = [f"backbone/{word}" for word in "ab cd ef gh ij kl mn op qr st uv wx".split()]
    frozen = [dense(name, 2, 2, trainable=number % 2 == 0) for number, name in enumerate(names)]
    model = analyzed("m.keras", [weight for layer in frozen for weight in layer])

    written = template([(model.path, model)])

    assert max(map(len, written.splitlines()[3:])) <= 100
    assert '        - "backbone/cd/**"\n' in written
    assert not is_broken(judge(model, loaded(tmp_path, model), TODAY), Severity.WARNING)


def test_the_schema_that_it_names_is_one_that_init_writes(tmp_path: Path) -> None:
    written = template([("m.keras", analyzed("m.keras", HEAD))])

    assert f"# yaml-language-server: $schema={SCHEMA_FILE}\n" in written


def loaded(folder: Path, model: ModelReport) -> Expectations:
    return planned(folder, model).expectations


def planned(folder: Path, model: ModelReport) -> ModelPlan:
    path = folder / "gradflow.yaml"
    path.write_text(template([(model.path, model)]), encoding="utf-8")
    return load(path).models[0]
