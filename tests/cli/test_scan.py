"""``gradflow scan`` and ``--trust`` as a user meets them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gradflow.files.saved_model.schema import message
from tests.cli.command import HEALTHY, SAMPLES, Done, here
from tests.cli.test_help import HEAVY, loaded

WRITES = "op WriteFile (node 'evil' of the graph): writes files"


def scan(*arguments: str, **environment: str) -> Done:
    return here("scan", *arguments, **{"COLUMNS": "400", **environment})


def spoiled(folder: Path, count: int = 1, name: str = "evil") -> str:
    """A copy of a sample model with ops that write files; nothing runs them."""
    saved = message("SavedModel")()
    saved.ParseFromString((SAMPLES / "healthy_saved_model" / "saved_model.pb").read_bytes())
    for number in range(count):
        saved.meta_graphs[0].graph_def.node.add(name=f"{name}{number or ''}", op="WriteFile")
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return str(folder)


@pytest.mark.parametrize(
    "name", ["healthy_saved_model", "healthy.keras", "healthy.h5", "argmax.keras"]
)
def test_a_clean_model_is_one_line(name: str) -> None:
    done = scan(str(SAMPLES / name))

    assert done.code == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(f"{SAMPLES / name}: nothing in it could do harm (")
    assert done.stderr == ""


def test_a_clean_report_has_no_finding() -> None:
    (model,) = json.loads(scan(HEALTHY, "--format", "json").stdout)["models"]

    assert (model["status"], model["mode"], model["error"], model["findings"]) == (
        "analyzed",
        "static",
        None,
        [],
    )


def test_what_is_found_is_named_with_the_option_that_lets_it_in(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "m")

    done = scan(path)

    assert done.code == 2
    title, cause, danger, looked_at, fix = done.stdout.splitlines()
    assert title == f"{path}: could not be checked (GF902)"
    assert (cause, danger) == ("  it holds what could do harm:", f"    {WRITES}")
    assert looked_at.startswith("  looked at ")
    assert fix == "  fix: --trust lets it in, if you know where it comes from"


def test_json_has_a_finding_for_each(tmp_path: Path) -> None:
    done = scan(spoiled(tmp_path / "m", 3), "--format", "json")

    (model,) = json.loads(done.stdout)["models"]
    assert done.code == 2
    assert model["error"]["code"] == "GF902"
    assert [(one["code"], one["severity"]) for one in model["findings"]] == [("GF902", "error")] * 3


@pytest.mark.parametrize("format", ["text", "json", "markdown", "sarif", "junit", "github"])
def test_every_format_tells_of_it(format: str, tmp_path: Path) -> None:
    path = spoiled(tmp_path / "m")

    done = scan(path, HEALTHY, "--format", format)

    assert done.code == 2
    assert "WriteFile" in done.stdout
    assert "GF902" in done.stdout


@pytest.mark.parametrize("format", ["text", "json", "markdown", "sarif", "junit", "github"])
def test_nothing_of_a_name_is_obeyed(format: str, tmp_path: Path) -> None:
    hostile = "a\x1b[2J\r\n::error::x\n##[error]y‮<script>&[z](http://x)`|"
    path = spoiled(tmp_path / "m", name=hostile)

    out = scan(path, "--format", format).stdout

    assert "\x1b" not in out
    assert "‮" not in out
    assert "##[" not in out
    assert "\n::error::x" not in out
    if format in ("markdown", "junit"):
        assert "<script>" not in out


@pytest.mark.parametrize("columns", [80, 140])
def test_three_hundred_are_a_page(columns: int, tmp_path: Path) -> None:
    path = spoiled(tmp_path / "m", 300)

    brief, whole = scan(path, COLUMNS=str(columns)), scan(path, "--all", COLUMNS=str(columns))

    assert len(brief.stdout.splitlines()) < 30
    assert (
        "    op WriteFile: writes files (300 places)\n        node 'evil' of the graph\n"
        in brief.stdout
    )
    assert "... and 297 more (--all shows them)" in brief.stdout
    assert len(set(re.findall(r"\n +node 'evil\d*'", whole.stdout))) == 300
    assert (
        max(len(line) for line in brief.stdout.splitlines()[1:] + whole.stdout.splitlines()[1:])
        <= columns
    )


@pytest.mark.parametrize(
    "command",
    ["scan", *(pytest.param(name, marks=pytest.mark.tensorflow) for name in ("inspect", "check"))],
)
def test_a_threat_is_told_once(command: str, tmp_path: Path) -> None:
    """A model that is refused has an error and findings, which say the same."""
    path = spoiled(tmp_path / "m", 3)

    def told(format: str) -> str:
        return here(command, path, "-q", "--format", format, COLUMNS="400").stdout

    results = json.loads(told("sarif"))["runs"][0]["results"]
    suites = ET.fromstring(told("junit"))
    (case,) = suites.iter("testcase")
    (model,) = json.loads(told("json"))["models"]
    where = [f"node '{name}' of the graph" for name in ("evil", "evil1", "evil2")]
    assert [one["message"]["text"].partition("\n")[0] for one in results] == [
        f"op WriteFile ({one}): writes files" for one in where
    ]
    assert len(told("github").splitlines()) == 3
    assert told("markdown").count("op WriteFile") == 1
    assert (suites.attrib["errors"], suites.attrib["failures"], len(case)) == ("1", "0", 1)
    assert all(f"    {one}\n" in (case[0].text or "") for one in where)
    assert model["format"] == "saved_model"
    assert [one["message"] for one in model["findings"]] == [
        f"op WriteFile ({one}): writes files" for one in where
    ]


@pytest.mark.tensorflow
def test_a_finding_that_does_not_count_leaves_the_model_refused(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "m")

    done = here("check", path, "-q", "--ignore", "GF902", "--format", "github")

    assert done.code == 2
    error, accepted = done.stdout.splitlines()
    assert error.startswith("::error ")
    assert "could not be checked (GF902): not loaded: " in error
    assert "1 finding accepted (--ignore GF902)" in accepted


def test_the_others_are_scanned_too(tmp_path: Path) -> None:
    done = scan(spoiled(tmp_path / "m"), "missing.keras", HEALTHY)

    assert done.code == 2
    assert "3 models: 2 could not be checked, 1 fine" in done.stdout


def test_many_clean_models_are_a_line_each_one_rule_and_their_number(tmp_path: Path) -> None:
    for number in range(22):
        shutil.copy(SAMPLES / "healthy.keras", tmp_path / f"m{number}.keras")
    done = scan("-q", str(tmp_path))

    *models, rule, total = done.stdout.splitlines()
    assert done.code == 0
    assert len(models) == 22
    assert all(": nothing in it could do harm" in line for line in models)
    assert set(rule) == {"─"}
    assert total == "22 models: 22 fine"


def test_it_takes_no_tensorflow() -> None:
    assert loaded("scan", HEALTHY).isdisjoint(HEAVY.split())


@pytest.mark.tensorflow
def test_an_analysis_is_refused_and_a_static_one_is_not(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "m")

    line = here("inspect", path).failed_in_one_line()

    assert line == (
        f"{path}: could not be checked (GF902): not loaded: {WRITES}; "
        "--trust lets it in, if you know where it comes from; --static reads it without "
        "running it"
    )
    assert here("inspect", "--static", path).code == 0
    assert here("check", path).code == 2


@pytest.mark.tensorflow
def test_a_configuration_trusts_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spoiled(tmp_path / "m")
    (tmp_path / "gradflow.yaml").write_text(
        "version: 1\nmodels:\n  - {path: m, trust: true, memory_limit: 8GB}\n"
    )
    (tmp_path / "all.yaml").write_text(
        "version: 1\ndefaults: {trust: true}\nmodels:\n  - {path: m}\n"
    )
    (tmp_path / "size.yaml").write_text("version: 1\nmodels:\n  - {path: m, memory_limit: much}\n")

    # Its variables are missing.
    assert "GF902" not in here("check", COLUMNS="400").stdout.partition("\n")[0]
    refused = here("check", "-c", "all.yaml")
    assert refused.code == 2
    assert "all.yaml:2: " in refused.stderr
    assert "trust" in refused.stderr
    assert "size.yaml:3: " in here("check", "-c", "size.yaml").stderr


def test_trust_is_for_models_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gradflow.yaml").write_text("version: 1\nmodels:\n  - {path: m}\n")

    done = here("check", "--trust")

    assert done.code == 2
    assert "write trust: true to the model's entry" in done.stderr
