"""What is refused, what is let in, and what needs no refusing since TensorFlow cannot run it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradflow.analysis import safety as gate
from gradflow.analysis.result import analyzed_nothing
from gradflow.diagnose import describe_unloaded
from gradflow.errors import UnsafeError
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format, Mode, ModelReport, Severity, Status
from gradflow.options import Options
from gradflow.scan import Scanned, Threat
from tests.cli.command import SAMPLES

FILE = ModelFile(SAMPLES / "healthy_saved_model", Format.SAVED_MODEL)
WRITES = Threat("op WriteFile", "node 'a' of the graph", "writes files")
ABORTS = Threat("op Abort", "node 'b' of the graph", "ends the process")
PYTHON = Threat("op PyFunc", "node 'c' of the graph", "calls Python functions", idle_op="PyFunc")
FOREIGN = Threat(
    "op Foreign", "node 'd' of the graph", "is not known", "--import MODULE", "Foreign"
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch):
    """Let the scan find what is given."""

    def plant(*threats: Threat) -> None:
        monkeypatch.setattr(gate, "scan", lambda *_: Scanned(threats, ("2 nodes",)))

    return plant


def run(mode: Mode) -> ModelReport:
    return replace(analyzed_nothing("m", Format.SAVED_MODEL, ()), mode=mode)


def test_a_refusal_names_what_where_and_the_option(found) -> None:
    found(WRITES, ABORTS)

    with pytest.raises(UnsafeError) as refusal:
        gate.admit(FILE, "m", Options())

    assert refusal.value.code == "GF902"
    assert refusal.value.message == (
        "m: not loaded: op WriteFile (node 'a' of the graph): writes files (and 1 more: gradflow "
        "scan shows them)"
    )
    assert refusal.value.hint.startswith("--trust lets it in")


def test_what_is_trusted_is_noted(found) -> None:
    found(WRITES, FOREIGN)
    threats = gate.admit(FILE, "m", Options(trust=True))

    noted = gate.with_let_in(run(Mode.TAPE), gate.let_in(threats)).findings

    assert [(one.code, one.severity, one.message) for one in noted] == [
        (
            "GF902",
            Severity.NOTE,
            "let in by --trust: op WriteFile (node 'a' of the graph): writes files",
        )
    ]


def test_what_is_trusted_in_many_places_is_noted_once(found) -> None:
    found(
        *(
            Threat("op WriteFile", f"node '{place}' of the graph", "writes files")
            for place in range(300)
        ),
        ABORTS,
    )
    threats = gate.admit(FILE, "m", Options(trust=True))

    noted = gate.with_let_in(run(Mode.TAPE), gate.let_in(threats)).findings

    assert [one.message for one in noted] == [
        "let in by --trust: op WriteFile (node '0' of the graph and 299 more places): writes files",
        "let in by --trust: op Abort (node 'b' of the graph): ends the process",
    ]


def test_where_nothing_was_run_nothing_is_called_let_in(found) -> None:
    found(WRITES)
    threats = gate.admit(FILE, "m", Options(trust=True))

    notes = gate.let_in(threats)
    only_read = replace(run(Mode.STATIC), findings=(describe_unloaded("no kernel", ""),))

    assert gate.with_let_in(only_read, notes) == only_read
    assert gate.with_let_in(run(Mode.STATIC), notes).findings == notes


def test_what_no_option_lets_in_has_its_own_way_out(found) -> None:
    found(replace(WRITES, way_out="load it with Python 3.6"))

    with pytest.raises(UnsafeError) as refusal:
        gate.admit(FILE, "m", Options())

    assert refusal.value.hint == "load it with Python 3.6; --static reads it without running it"


@pytest.mark.parametrize(
    ("threat", "options"), [(PYTHON, Options()), (FOREIGN, Options(imports=("x",)))]
)
def test_what_cannot_run_here_is_not_refused(threat: Threat, options: Options, found) -> None:
    found(threat)

    assert gate.admit(FILE, "m", options) == (threat,)


def test_an_op_that_nobody_knows_is_refused(found) -> None:
    found(FOREIGN)

    with pytest.raises(UnsafeError) as refusal:
        gate.admit(FILE, "m", Options())

    assert refusal.value.hint.startswith("--import MODULE lets it in")


def test_the_scan_alone_shows_everything(found) -> None:
    found(WRITES, PYTHON, FOREIGN)

    report = gate.scanned(FILE, "m", Options()).report

    assert report.status is Status.FAILED
    assert report.error is not None
    assert report.error.code == "GF902"
    assert [(one.code, one.severity) for one in report.findings] == [("GF902", Severity.ERROR)] * 3
    assert report.error.hint.startswith("--trust and --import MODULE let it in")
    assert [one.hint.partition(" lets")[0] for one in report.findings] == [
        "--trust",
        "--trust",
        "--import MODULE",
    ]
    assert report.looked_at == ("2 nodes",)


def test_ops_of_an_imported_module_are_no_threat(found) -> None:
    found(FOREIGN)

    assert gate.scanned(FILE, "m", Options(imports=("x",))).report.status is Status.ANALYZED
