"""Where the report goes, and that it is the same bytes each time."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gradflow.cli import output as stream
from tests.cli.command import (
    CUT,
    FROZEN,
    HEALTHY,
    SAMPLES,
    apart,
    environment,
    here,
    inspect,
    on_a_terminal,
    process,
    static,
)

EARLIER = '{"schema": "gradflow-report-1", "models": []}'


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_file_holds_what_stdout_would(tmp_path: Path, format: str) -> None:
    out = tmp_path / "report"

    done = static(CUT, "--format", format, "-o", str(out))

    assert (done.code, done.stdout) == (0, "")
    assert done.stderr == f"gradflow: {CUT}: 4 of 8 weights get no gradient, 1 cause\n"
    assert out.read_text(encoding="utf-8") == static(CUT, "--format", format).stdout
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    out.write_text(EARLIER + "x" * 100_000)
    out.chmod(0o640)

    static(HEALTHY, "--format", "json", "-o", str(out))

    assert json.loads(out.read_text())["schema"] == "gradflow-report-1"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_what_was_there_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report.json"
    out.write_text(EARLIER)

    def full(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stream.Path, "write_text", full)
    done = static(HEALTHY, "--format", "json", "-o", str(out))

    assert "cannot be written: No space left on device" in done.failed_in_one_line()
    assert out.read_text() == EARLIER
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.touch()
    link.symlink_to(real)

    static(HEALTHY, "-o", str(link))

    assert link.is_symlink()
    assert "all 7 weights receive a gradient" in real.read_text(encoding="utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with process("inspect", "--static", HEALTHY, "-q", "-o", str(pipe)) as running:
        text = pipe.read_text(encoding="utf-8")
        assert running.wait(timeout=20) == 0

    assert "all 7 weights receive a gradient" in text
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_missing_folder_is_told_before_the_analysis(tmp_path: Path) -> None:
    line = inspect(CUT, "-o", str(tmp_path / "no" / "report.txt")).failed_in_one_line()

    assert f"-o {tmp_path}/no/report.txt: its folder does not exist" in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    assert static(CUT, "-o", str(tmp_path)).code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = apart("inspect", "--static", "-q", CUT, stdout=full)

    assert "stdout: cannot be written: No space left on device" in done.failed_in_one_line()


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = apart("inspect", "--static", "-q", CUT, stdout=writing)
    finally:
        os.close(writing)

    assert (done.code, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [[CUT], [HEALTHY, CUT, FROZEN], ["no/model"], [CUT, "no/model"], [CUT, "-v"]],
    ids=" ".join,
)
def test_json_is_the_only_thing_on_stdout(arguments: list[str]) -> None:
    done = apart("inspect", "--static", "--format", "json", *arguments)

    models = [argument for argument in arguments if not argument.startswith("-")]
    assert [model["path"] for model in json.loads(done.stdout)["models"]] == models
    assert done.stdout.isascii()


@pytest.mark.tensorflow
def test_json_is_the_only_thing_on_stdout_with_tensorflow_and_the_same_bytes_twice() -> None:
    command = ("inspect", "--format", "json", str(SAMPLES / "two_towers.keras"))
    once = apart(*command, env=environment(PYTHONHASHSEED="1"))
    twice = apart(*command, "-v", env=environment(PYTHONHASHSEED="2"))

    assert once.stdout == twice.stdout
    [model] = json.loads(once.stdout)["models"]
    assert model["mode"] == "tape"
    assert any((variable["gradient"] or {}).get("norm", 0) > 0 for variable in model["variables"])
    assert len(once.stderr.splitlines()) == 1
    assert len(twice.stderr.splitlines()) > 1


def test_quiet_is_quiet() -> None:
    assert static(CUT, "-q", "--format", "json").stderr == ""


@pytest.mark.tensorflow
def test_another_seed_is_another_batch() -> None:
    def norm(seed: str) -> float:
        report = json.loads(inspect(HEALTHY, "--format", "json", "--seed", seed).stdout)
        return report["models"][0]["variables"][0]["gradient"]["norm"]  # type: ignore[no-any-return]

    assert norm("1") != norm("2")


@pytest.mark.parametrize(
    ("arguments", "given", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": ""}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        (["--no-color"], {"FORCE_COLOR": "1"}, False),
        (["--format", "json"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colors(arguments: list[str], given: dict[str, str], colored: bool) -> None:
    assert ("\x1b[" in static(CUT, *arguments, **given).stdout) is colored


def test_a_file_is_never_colored_unless_forced(tmp_path: Path) -> None:
    static(CUT, "-o", str(tmp_path / "report"))

    assert "\x1b" not in (tmp_path / "report").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", ["40", "80", "132"])
def test_the_width_is_kept(columns: str) -> None:
    lines = static(FROZEN, CUT, COLUMNS=columns).stdout.splitlines()

    paths = (FROZEN, CUT)
    assert [
        line
        for line in lines
        if len(line) > int(columns) and not any(path in line for path in paths)
    ] == []


def test_a_terminal_that_knows_no_more_than_ascii() -> None:
    done = apart("inspect", "--static", CUT, env=environment(PYTHONIOENCODING="ascii"))

    assert done.code == 0
    assert done.stdout.isascii()


@pytest.mark.skipif(os.name != "posix", reason="file names as bytes")
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_file_name_that_is_no_text(tmp_path: Path, format: str) -> None:
    name = os.fsencode(tmp_path) + b"/b\xff\x1b[31md.keras"
    Path(os.fsdecode(name)).write_bytes((SAMPLES / "healthy.keras").read_bytes())

    command = apart("inspect", "--static", "--format", format, os.fsdecode(name))

    assert command.code == 0
    assert "\x1b" not in command.stdout + command.stderr


@pytest.mark.skipif(os.name != "posix", reason="terminals")
@pytest.mark.tensorflow
def test_progress_is_shown_on_a_terminal_and_wiped_and_leaves_the_same_bytes() -> None:
    command = ("inspect", "--format", "json", str(SAMPLES / "finetune_saved_model"))
    done = on_a_terminal(*command, PYTHONHASHSEED="1")

    assert done.code == 0
    assert "importing TensorFlow" in done.stderr
    assert "running the gradient step" in done.stderr
    *_, last = done.stderr.split("\r\x1b[2K")
    assert last.startswith("gradflow: ")
    assert last.count("\n") == 1
    assert done.stdout == apart(*command, env=environment(PYTHONHASHSEED="2")).stdout
    assert json.loads(done.stdout)["models"][0]["variables"][0]["gradient"]["norm"] > 0


def test_a_closing_line_names_three_models_at_most() -> None:
    done = here("check", "--static", *[f"no/model_{number}.keras" for number in range(5)])

    *progress, line = done.stderr.splitlines()
    assert [text.split()[0] for text in progress] == [f"[{number}/5]" for number in range(1, 6)]
    assert line == (
        "gradflow: check: 0 of 5 models as expected; not checked: no/model_0.keras, "
        "no/model_1.keras, no/model_2.keras and 2 more"
    )
