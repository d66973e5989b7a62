"""Whatever a child process sends, the parent takes an answer of gradflow's own form or says that it
cannot read it; it holds no more than it can, and loses no other model."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import pytest

from gradflow.analysis.result import NO_TENSORFLOW
from gradflow.analysis.static import read
from gradflow.findings import Mode, Severity
from gradflow.findings.wire import encode
from gradflow.options import Options
from gradflow.process import answers, parent
from gradflow.process.request import Request
from gradflow.process.spawn import Child
from tests.cli.command import CUT, HEALTHY, SAMPLES
from tests.report.reports import routed

LET_IN = {
    "code": "GF902",
    "severity": "note",
    "message": "let in by --trust: op X",
    "hint": "",
    "variables": [],
    "cause": None,
}
ANSWER = encode(routed().models[0])


class Forger:
    """A child that sends what it likes."""

    def __init__(self, text: str, turn: str = "") -> None:
        self.lines = answers.lines_of(io.StringIO(text))
        self.turn = turn

    process, scratch = None, ""

    def kill(self) -> None: ...

    def wait(self, seconds: float) -> int:
        return 0


def asked(*lines: object) -> parent.Outcome:
    """The outcome of a child that sends ``lines``."""
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)

    @contextmanager
    def spawn(_: Request, log: IO[bytes], environment: Mapping[str, str]) -> Iterator[Child]:
        yield Forger(text)

    return parent.inspect_path(HEALTHY, Options(static=True), spawn=spawn)


def mapped(**changes: object) -> parent.Outcome:
    """The outcome of a child that sends a map: the right one, with changes of one of its nodes."""
    report = encode(read(HEALTHY, Options(map=True)).report)
    report["map"]["nodes"][1].update(changes)

    @contextmanager
    def spawn(_: Request, log: IO[bytes], environment: Mapping[str, str]) -> Iterator[Child]:
        yield Forger(json.dumps(answer(report)) + "\n")

    return parent.inspect_path(HEALTHY, Options(static=True, map=True), spawn=spawn)


def answer(report: object, **tool: object) -> dict[str, object]:
    tools = {**encode(NO_TENSORFLOW), **tool}
    return {"answer": {"report": report, "route": None}, "tool": tools}


def whole(**changes: object) -> dict[str, Any]:
    report = json.loads(json.dumps(ANSWER))
    findings = [{**finding, "accepted": None} for finding in report["findings"]]
    return {**report, "path": HEALTHY, "findings": findings, "name": "", **changes}


def test_an_answer_of_the_right_form_is_taken() -> None:
    assert asked({"stage": "read"}, answer(whole())).model.error is None


def test_a_map_is_taken_where_it_agrees_with_the_weights_and_was_asked_for() -> None:
    outcome = mapped()
    assert outcome.model.map is not None
    report = encode(outcome.model)
    assert asked(answer(report)).model.map is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 0},
        {"parent": 1},
        {"parent": -1},
        {"state": "zero"},
        {"weights": 77},
        {"norm": 1.0},
        {"variables": ["nothing"]},
    ],
)
def test_a_map_that_contradicts_the_weights_is_refused(changes: dict[str, object]) -> None:
    assert mapped(**changes).model.error is not None


def _variable(**changes: object) -> dict[str, Any]:
    report = whole()
    report["variables"][0].update(changes)
    return report


def _finding(**changes: object) -> dict[str, Any]:
    report = whole()
    report["findings"][0].update(changes)
    return report


FORGED: dict[str, Any] = {
    "another path": whole(path="/etc/passwd"),
    "a name": whole(name="other"),
    "a failure without a cause": whole(status="failed"),
    "a cause without a failure": whole(error={"code": "GF901", "message": "x", "hint": ""}),
    "a code of a failure": whole(
        status="failed", variables=[], error={"code": "GF777", "message": "x", "hint": ""}
    ),
    "a verdict": _variable(verdict="fine"),
    "a verdict that the sums do not have": _variable(verdict="nonfinite"),
    "sums": whole(summary={**ANSWER["summary"], "flows": 99}),
    "a list for a name": _variable(name=["x"]),
    "true for a number": _variable(parameters=True),
    "a negative size": _variable(parameters=-1),
    "a number of a thousand digits": _variable(parameters=10**1000),
    "a share": _variable(
        gradient={"norm": 1, "max_abs": 1, "zero_fraction": 2, "rows_touched": None}
    ),
    "a negative norm": _variable(
        gradient={"norm": -1, "max_abs": 1, "zero_fraction": 0, "rows_touched": None}
    ),
    "a norm beyond floating point": _variable(
        gradient={"norm": 10**900, "max_abs": 1, "zero_fraction": 0, "rows_touched": None}
    ),
    "a code": _finding(code="GF999"),
    "a severity": _finding(severity="fine"),
    "a weight that there is not": _finding(variables=["nobody"]),
    "a judgement": _finding(accepted={"by": "ignore", "reason": "GF2"}),
    "a mode": whole(mode="guess"),
    "a list": [],
    "a text": "fine",
    "a number": 3,
    "nothing": None,
}


@pytest.mark.parametrize("name", FORGED)
def test_an_answer_that_gradflow_cannot_have_made_is_not_believed(name: str) -> None:
    error = asked({"stage": "read"}, answer(FORGED[name])).model.error

    assert error is not None
    assert (error.code, "sent what cannot be read" in error.message) == ("GF903", True)


@pytest.mark.parametrize(
    "line",
    [
        answer(whole(), version="0.0.1"),
        answer(whole(), tensorflow="2\x1b[2J"),
        answer(whole(), keras="9" * 1000),
        {"stage": ["read"]},
        {"stage": "dance"},
        {"stage": None},
        {"answer": None},
        json.dumps(answer(whole())).replace("0.0", "NaN").replace('"parameters": ', '"x": ') + "\n",
        '{"answer": NaN}\n',
        "[" * 100_000 + "\n",
        "null\n",
        "\x00\n",
        '"stage"\n',
    ],
)
def test_a_line_that_is_none_of_gradflow_s_is_not_believed(line: object) -> None:
    error = asked(line).model.error

    assert error is not None
    assert error.code == "GF903"
    assert "sent what cannot be read" in error.message


def test_what_was_let_in_is_told_whatever_the_answer_leaves_out() -> None:
    report = whole(mode="static")

    told = asked({"stage": "scan"}, {"let_in": [LET_IN]}, {"stage": "load"}, answer(report)).model
    late = asked({"stage": "scan"}, {"stage": "load"}, {"let_in": []}, answer(report)).model

    assert (told.findings[0].code, told.findings[0].severity) == ("GF902", Severity.NOTE)
    assert told.mode is Mode.STATIC
    assert late.error is not None


@pytest.mark.parametrize("flood", ["x" * 5000, "\n" * 5000, '{"stage": "read"}\n' * 5000])
def test_no_pipe_is_read_without_bounds(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_SENT", 2000)
    read: list[int] = []

    class Stream(io.StringIO):
        def readline(self, size: int = -1, /) -> str:
            line = super().readline(size)
            read.append(len(line))
            return line

    lines = answers.lines_of(Stream(flood))

    while (value := lines.get(timeout=10)) is not None:
        assert value in ([], {"stage": "read"})
    assert sum(read) <= 2000


def test_a_log_without_an_end_is_shown_in_pieces() -> None:
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8", errors="replace") as stream:
        os.write(write, b"x" * 50_000)
        os.close(write)
        pieces: list[str] = []
        answers.relay(stream, pieces.append)

    assert "".join(pieces) == "x" * 50_000
    assert max(map(len, pieces)) <= 4096


def test_a_forged_answer_costs_its_own_model_alone() -> None:
    assert asked(answer(whole(path=CUT))).model.path == HEALTHY


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process answers twice")
@pytest.mark.parametrize("changes", [{}, {"turn": "now"}, {"turn": "then"}, {"turn": ["now"]}])
def test_an_answer_of_another_turn_is_not_believed(changes: dict[str, object]) -> None:
    """It can be from whoever was asked before: the file is read again, alone."""
    small = str(SAMPLES / "healthy.keras")
    sent = answer(whole(path=small, producer="of a turn"))

    @contextmanager
    def spawn(request: Request, *_: object) -> Iterator[Child]:
        yield (
            Forger(json.dumps({**sent, **changes}) + "\n", "now")
            if request.may_share
            else Forger(json.dumps(answer(whole(path=small, producer="alone"))) + "\n")
        )

    model = parent.inspect_path(small, Options(static=True), spawn=spawn).model

    assert model.producer == ("of a turn" if changes == {"turn": "now"} else "alone")
