"""What the scan refuses is run where the user trusts it, with the tape's verdicts and a note for
each thing let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradflow.findings import ModelReport, Severity, Verdict
from gradflow.options import Objective, Options
from gradflow.process.parent import inspect_path
from tests.cli.command import here

pytestmark = pytest.mark.tensorflow


def library(version: int) -> Any:
    if version == 3:
        import keras

        return keras
    found = pytest.importorskip("tf_keras")
    found.backend.clear_session()
    return found


def with_lambda(version: int, path: Path) -> str:
    """Save a model whose Lambda layer lets no gradient through to ``before``."""
    found = library(version)
    x = found.Input((3,))
    before = found.layers.Dense(3, name="before")(x)
    # Its own names are all that a lambda has when it is loaded: `*` needs none.
    cut = found.layers.Lambda(lambda value: value * 0.0, output_shape=(3,), name="act")(before)
    found.Model(x, found.layers.Dense(2, name="after")(cut)).save(path)
    return str(path)


def with_lambda_loss(version: int, path: Path) -> str:
    found = library(version)
    x = found.Input((3,))
    model = found.Model(x, found.layers.Dense(2, name="dense")(x))
    model.compile("sgd", lambda truth, given: (truth - given) ** 2)
    model.save(path)
    return str(path)


def notes(report: ModelReport) -> list[str]:
    return [
        one.message
        for one in report.findings
        if one.code == "GF902" and one.severity is Severity.NOTE
    ]


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_lambda_is_run(version: int, name: str, tmp_path: Path) -> None:
    path = with_lambda(version, tmp_path / name)

    refused, trusted = (
        inspect_path(path, Options()).model,
        inspect_path(path, Options(trust=True)).model,
    )

    assert refused.error is not None
    assert refused.error.code == "GF902"
    assert trusted.error is None
    verdicts = {one.name.removesuffix(":0"): one.verdict for one in trusted.variables}
    assert verdicts == {
        "before/kernel": Verdict.ZERO,
        "before/bias": Verdict.ZERO,
        "after/kernel": Verdict.ZERO,  # its input is zero
        "after/bias": Verdict.FLOWS,
    }
    assert len(notes(trusted)) == 1
    assert notes(trusted)[0].startswith("let in by --trust: a")
    assert "(layer 'act' of " in notes(trusted)[0]


@pytest.mark.parametrize("version", [2, 3])
def test_a_loss_made_of_a_lambda_is_run(version: int, tmp_path: Path) -> None:
    path = with_lambda_loss(version, tmp_path / "model.keras")

    plain = inspect_path(path, Options()).model
    assert plain.error is None  # it is not read with the model
    assert notes(plain) == []

    refused = inspect_path(path, Options(objective=Objective.COMPILED)).model
    assert refused.error is not None
    assert refused.error.code == "GF902"

    trusted = inspect_path(path, Options(objective=Objective.COMPILED, trust=True)).model
    assert trusted.error is None
    assert [one.verdict for one in trusted.variables] == [Verdict.FLOWS, Verdict.FLOWS]
    assert [one.name for one in trusted.outputs] == [one.name for one in plain.outputs]
    assert notes(trusted) == [
        "let in by --trust: a lambda as byte code (compile_config): runs Python code that the file "
        "holds"
    ]


def test_the_scan_alone_looks_at_the_loss_too(tmp_path: Path) -> None:
    path = with_lambda_loss(3, tmp_path / "model.keras")

    assert here("inspect", path, "-q").code == 0
    assert here("scan", path, "-q").code == 2
