"""What got better and what got worse between two reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradflow.audit.history import keep, read_report
from gradflow.errors import UsageError
from gradflow.findings import Report
from gradflow.options import Options
from gradflow.policy import Direction, trends
from gradflow.process.parent import inspect_path
from tests.cli.command import SAMPLES, here

CUT, HEALTHY = SAMPLES / "two_towers_saved_model", SAMPLES / "healthy_saved_model"


@pytest.fixture(scope="module")
def reports() -> tuple[Report, Report]:
    """One model: half of it cut off, and all of it alive."""
    static = Options(static=True)
    tool = inspect_path(str(CUT), static).tool
    cut = inspect_path(str(CUT), static).model
    alive = tuple(replace(one, verdict=type(one.verdict)("flows")) for one in cut.variables)
    whole = replace(cut, variables=alive, findings=())
    return Report(tool, (cut,)), Report(tool, (whole,))


def test_a_report_is_read_back(reports: tuple[Report, Report], tmp_path: Path) -> None:
    path = keep(reports[0], tmp_path / "new" / "folder")

    assert [one.name for one in read_report(path).models[0].variables] == [
        one.name for one in reports[0].models[0].variables
    ]


def test_two_runs_are_two_files(reports: tuple[Report, Report], tmp_path: Path) -> None:
    first, second = keep(reports[0], tmp_path), keep(reports[0], tmp_path)

    assert first < second


def test_better_and_worse(reports: tuple[Report, Report]) -> None:
    cut, whole = reports

    assert [one.direction for one in trends(cut, whole)] == [Direction.BETTER]
    assert [one.direction for one in trends(whole, cut)] == [Direction.WORSE]
    assert trends(cut, cut) == ()


def test_new_gone_and_not_checked(reports: tuple[Report, Report]) -> None:
    cut, _ = reports
    failed = Report(cut.tool, (inspect_path("missing.keras", Options()).model,))
    same = Report(cut.tool, (replace(failed.models[0], path=cut.models[0].path),))

    assert [one.direction for one in trends(cut, failed)] == [Direction.NEW, Direction.GONE]
    assert [(one.direction, one.detail[:20]) for one in trends(cut, same)] == [
        (Direction.WORSE, "could not be checked")
    ]
    assert [one.direction for one in trends(same, cut)] == [Direction.BETTER]
    assert trends(same, same) == ()


@pytest.mark.parametrize("format", ["text", "json"])
def test_diff_shows_it(format: str, reports: tuple[Report, Report], tmp_path: Path) -> None:
    before, after = (str(keep(one, tmp_path)) for one in reports)

    done = here("diff", before, after, "--format", format, COLUMNS="400")

    assert done.code == 1
    assert here("diff", before, before).code == 0
    if format == "json":
        (model,) = json.loads(done.stdout)["models"]
        assert model["direction"] == "better"
        assert {one["kind"] for one in model["changes"]} == {"gained gradient"}
    else:
        assert ": 1 better" in done.stdout.splitlines()[0]
        assert "gained gradient (none -> flows): 4 weights" in done.stdout


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "gradflow-report-1"}', '{"schema": "other"}']
)
def test_what_is_no_report_is_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)

    with pytest.raises(UsageError, match="is not a report"):
        read_report(file)
    done = here("diff", str(file), str(tmp_path / "missing.json"))
    assert done.code == 2
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no endless file")
@pytest.mark.parametrize(
    "arguments", [("diff",), ("check", "--static", str(HEALTHY), "--baseline")]
)
def test_a_file_without_an_end_is_one_line(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradflow.whole_file._MOST_READ", 1 << 20)
    endless = tmp_path / "endless.json"
    endless.symlink_to("/dev/zero")
    twice = 2 if arguments == ("diff",) else 1

    done = here(*arguments, *[str(endless)] * twice)

    assert done.code == 2
    assert "is not a " in done.stderr
    assert "Traceback" not in done.stderr
