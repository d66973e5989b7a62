"""What the scan found and why a model was not run, as findings."""

from __future__ import annotations

from gradflow.diagnose import describe_threat, describe_trusted, describe_unloaded
from gradflow.findings import Severity
from gradflow.scan import Threat

THREAT = Threat("op WriteFile", "node 'a/WriteFile'", "writes files")


def test_a_threat_is_an_error_that_says_what_lets_it_in() -> None:
    finding = describe_threat(THREAT)

    assert (finding.code, finding.severity, finding.cause) == ("GF902", Severity.ERROR, None)
    assert finding.message == "op WriteFile (node 'a/WriteFile'): writes files"
    assert finding.hint == "--trust lets it in, if you know where the file comes from"
    assert (finding.threat, finding.location) == ("op WriteFile: writes files", THREAT.location)


def test_threats_of_one_kind_are_one_note_that_counts_them() -> None:
    other = Threat("op PyFunc", "node 'b'", "runs Python")
    notes = describe_trusted([THREAT, other, THREAT, THREAT])

    assert [(note.code, note.severity) for note in notes] == [("GF902", Severity.NOTE)] * 2
    assert {note.hint for note in notes} == {
        "believe this report as far as you trust the file: what was let in can have changed it"
    }
    assert [note.message for note in notes] == [
        "let in by --trust: op WriteFile (node 'a/WriteFile' and 2 more places): writes files",
        "let in by --trust: op PyFunc (node 'b'): runs Python",
    ]


def test_a_model_that_was_not_run_is_a_warning() -> None:
    finding = describe_unloaded("it holds no function", "save it with a signature")

    assert (finding.code, finding.severity) == ("GF901", Severity.WARNING)
    assert finding.message == "not run, read from the file alone: it holds no function"
    assert finding.hint == "save it with a signature"
