"""The formats of a report, one or several in a run, and where each goes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gradflow.cli import output as stream
from gradflow.report.formats import FORMATS
from tests.cli.command import CUT, FROZEN, HEALTHY, ROOT, Done, apart, environment, here, static

pytestmark = pytest.mark.usefixtures("kept_results")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_holds_what_stdout_would(tmp_path: Path, format: str) -> None:
    shown = static(CUT, FROZEN, "--format", format)
    kept = static(CUT, FROZEN, "-q", "--report", f"{format}={tmp_path / 'report'}")

    assert (tmp_path / "report").read_text(encoding="utf-8") == shown.stdout
    assert kept.stdout == static(CUT, FROZEN).stdout


def test_all_in_one_run(tmp_path: Path) -> None:
    targets = [part for format in FORMATS for part in ("--report", f"{format}={tmp_path / format}")]
    done = static(CUT, *targets, "--format", "json", "-o", str(tmp_path / "main"))

    assert (done.code, done.stdout) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {*FORMATS, "main"}
    assert len({(tmp_path / format).read_bytes() for format in FORMATS}) == len(FORMATS)
    for format in FORMATS:
        assert (tmp_path / format).read_text(encoding="utf-8") == static(
            CUT, "--format", format
        ).stdout


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([CUT], 0),
        ([CUT, "--fail-on", "error"], 1),
        ([HEALTHY, "--fail-on", "error"], 0),
        ([CUT, "no/model"], 2),
    ],
    ids=["found", "bad enough", "fine", "unreadable"],
)
def test_the_exit_code_is_that_of_the_text(format: str, arguments: list[str], code: int) -> None:
    assert static(*arguments, "--format", format).code == code


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--report", "json"],
            "--report 'json': not of the form FORMAT=FILE: FORMAT is one of text, json, ",
        ),
        (["--report", "json="], "--report 'json=': not of the form FORMAT=FILE: "),
        (
            ["--report", "sarfi=x"],
            "--report 'sarfi=x': not of the form FORMAT=FILE: did you mean sarif? FORMAT is ",
        ),
        (["--report", "out.json"], "--report 'out.json': not of the form FORMAT=FILE: "),
        (
            ["--report", "json=no/such/file"],
            "--report json no/such/file: its folder does not exist",
        ),
        (["--report", "json=."], "--report json .: is a folder: name a file"),
        (
            ["--report", "json=a", "--report", "sarif=./a"],
            "--report sarif and --report json write to the same file, ./a",
        ),
        (
            ["-o", "a", "--report", "json=a"],
            "--report json and -o write to the same file, a: give each a file",
        ),
    ],
    ids=" ".join,
)
def test_a_target_that_cannot_be_is_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert said in static(CUT, *options).failed_in_one_line()
    assert list(tmp_path.iterdir()) == []


def test_two_names_of_one_file_are_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    options = ["--report", f"json={tmp_path / 'real'}", "--report", f"sarif={tmp_path / 'link'}"]

    assert "write to the same file" in static(CUT, *options).failed_in_one_line()


def test_one_that_cannot_be_written_keeps_back_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = stream.Path.write_text

    def full(self: Path, text: str, **options: str) -> int:
        if "full" in self.name:
            raise OSError(28, "No space left on device")
        return write(self, text, **options)

    monkeypatch.setattr(stream.Path, "write_text", full)
    targets = ["--report", f"json={tmp_path / 'full'}", "--report", f"sarif={tmp_path / 'sarif'}"]
    done = static(CUT, "-q", "-o", str(tmp_path / "text"), *targets)

    assert (
        f"{tmp_path / 'full'}: cannot be written: No space left on device"
        in done.failed_in_one_line()
    )
    assert {path.name for path in tmp_path.iterdir()} == {"text", "sarif"}


def test_an_absolute_path_below_the_working_directory_is_shown_relative_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    relative = str(Path(CUT).relative_to(ROOT))

    def uri(path: str) -> str:
        (result,) = json.loads(static(path, "--format", "sarif").stdout)["runs"][0]["results"]
        return result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]  # type: ignore[no-any-return]

    assert uri(CUT) == uri(relative) == uri(f"./{relative}") == relative
    assert f"file={relative},title=" in static(CUT, "--format", "github").stdout
    (case,) = ET.fromstring(static(CUT, "--format", "junit").stdout).iter("testcase")
    assert case.attrib["file"] == relative


def test_a_path_elsewhere_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b%").symlink_to(CUT)
    (result,) = json.loads(static(CUT, "--format", "sarif").stdout)["runs"][0]["results"]
    (linked,) = json.loads(static("a b%", "--format", "sarif").stdout)["runs"][0]["results"]

    assert (
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == Path(CUT).as_uri()
    )
    assert linked["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%25"


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    """Every format in one run: each process costs half a second."""
    files = [part for format in FORMATS for part in ("--report", f"{format}={format}")]

    def run(seed: str) -> tuple[Done, dict[str, bytes]]:
        folder = tmp_path / seed
        folder.mkdir()
        done = apart(
            *("inspect", "--static", "--no-cache", "--jobs", "1", CUT, FROZEN, *files),
            env=environment(PYTHONHASHSEED=seed),
            cwd=folder,
        )
        return done, {path.name: path.read_bytes() for path in folder.iterdir()}

    once, twice = run("1"), run("2")

    assert once == twice
    assert once[0].code == 0
    assert set(once[1]) == set(FORMATS)


@pytest.mark.skipif(os.name != "posix", reason="file names as bytes")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_file_name_that_is_no_text(tmp_path: Path, encoding: str) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/b\xff\x1b[31m\n::error::d.keras")
    Path(name).write_text("no model")
    done = apart(name, *FORMATS, code=_EACH_FORMAT, env=environment(PYTHONIOENCODING=encoding))

    assert [line for line in done.stderr.splitlines() if line.startswith("ended")] == [
        f"ended with 2: {format}" for format in FORMATS
    ]
    assert "Traceback" not in done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()
    assert not any(line.startswith("::error::") for line in done.stdout.splitlines())


_EACH_FORMAT = """
import sys
from gradflow.cli import main
name, *formats = sys.argv[1:]
for format in formats:
    try:
        main(["inspect", "--format", format, name], prog_name="gradflow")
    except SystemExit as end:
        print(f"ended with {end.code}: {format}", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "options", [["--format", "sarif"], ["--report", "sarif=entries"]], ids=" ".join
)
def test_a_list_of_entries_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = static(CUT, "--entry", "list", *options).failed_in_one_line()

    assert line == "Error: --entry list: cannot be written as sarif: give text or json"
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_entries_goes_to_several_files(tmp_path: Path) -> None:
    done = static(CUT, "--entry", "list", "--report", f"json={tmp_path / 'entries'}")

    assert done.code == 0
    assert json.loads((tmp_path / "entries").read_text())["schema"] == "gradflow-entries-1"
    assert done.stdout == static(CUT, "--entry", "list").stdout


def test_why_and_rules_know_text_and_json_alone() -> None:
    for command in (["why", CUT, "bias"], ["rules"], ["explain", "GF201"]):
        done = here(*command, "--format", "sarif")
        assert done.code == 2
        assert "'sarif' is not one of 'text', 'json'" in done.stderr
