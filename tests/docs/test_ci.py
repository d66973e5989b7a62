"""What the pages on CI, action.yml and .pre-commit-hooks.yaml promise, as far as it can be run
here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gradflow.config.load import load
from tests.cli.command import ROOT, here

GUIDE = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("check.md", "ci.md")
)
BIN = Path(sys.executable).parent
"""Where pip puts the command of the package under test."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "sample_models", tmp_path / "sample_models")
    return tmp_path


@pytest.mark.tensorflow
def test_the_configuration_of_the_guide_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "gradflow.yaml").write_text(blocks("yaml")[0])
    monkeypatch.chdir(project)

    assert len(load(Path("gradflow.yaml")).models) == 3
    result = here("check")
    assert (result.code, result.stderr.splitlines()[-1]) == (
        0,
        "gradflow: check: 3 of 3 models as expected; "
        "2 findings accepted (gradflow.yaml:12, gradflow.yaml:15)",
    )


ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(("model", "code"), [("healthy", 0), ("two_towers", 1)])
def test_the_action_runs_as_github_would_run_it(project: Path, model: str, code: int) -> None:
    step = ACTION["runs"]["steps"][1]
    inputs = {
        "models": f"sample_models/{model}_saved_model",
        "args": "--static",
        "sarif": "out.sarif",
        "config": "",
    }
    variables = {
        name: inputs[re.search(r"inputs\.(\w+)", text)[1]] for name, text in step["env"].items()
    }

    result = run(step["run"], project, **variables, GITHUB_STEP_SUMMARY=str(project / "summary.md"))

    assert result.returncode == code, result.stderr
    assert ("::error" in result.stdout) is bool(code)
    assert json.loads((project / "out.sarif").read_text())["version"] == "2.1.0"
    assert model in (project / "summary.md").read_text()


def test_the_action_takes_its_inputs_as_variables() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], "an input in the script itself could be code"


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_pre_commit_runs_the_hook_on_models_and_on_nothing_else(project: Path) -> None:
    pre_commit = pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    assert pre_commit
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    hook = next(hook for hook in hooks if hook["id"] == "gradflow-check-static")
    # The command of this environment in place of one that pre-commit would install for minutes.
    local = {**hook, "language": "system", "entry": f"{BIN / hook['entry']}"}
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    (project / "notes.txt").write_text("no model")
    shutil.rmtree(project / "sample_models")
    shutil.copytree(ROOT / "sample_models" / "healthy_saved_model", project / "good")

    command = "git init -q . && git add -A && python -m pre_commit run --all-files --verbose"
    good = run(
        f"python -m pre_commit validate-manifest {ROOT / '.pre-commit-hooks.yaml'} && {command}",
        project,
    )
    shutil.copytree(ROOT / "sample_models" / "two_towers_saved_model", project / "bad")
    bad = run(command, project)

    assert (good.returncode, good.stdout.count("all 7 weights")) == (0, 1), (
        good.stdout + good.stderr
    )
    assert bad.returncode == 1
    assert "GF201" in bad.stdout


def test_the_gitlab_job_is_valid_and_its_command_runs(project: Path) -> None:
    job = yaml.safe_load(blocks("yaml")[3])["gradflow"]
    (project / "gradflow.yaml").write_text(
        "models: [{path: sample_models/healthy_saved_model, static: true}]\n"
    )

    result = run(job["script"][1], project)

    assert result.returncode == 0, result.stderr
    assert (project / job["artifacts"]["reports"]["junit"]).read_text().startswith("<?xml")


TESTS = """
import keras, pytest

def build(frozen):
    inputs = keras.Input([4])
    hidden = keras.layers.Dense(3, name="backbone", trainable=not frozen)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(hidden))

def test_frozen_as_expected(gradflow):
    report = gradflow.assert_flows(build(True), frozen=["backbone/**"])
    assert report.summary.frozen == 2

def test_nothing_frozen(gradflow):
    gradflow.assert_flows(build(False))

def test_that_fails(gradflow):
    gradflow.assert_flows(build(True))
"""


@pytest.mark.tensorflow
def test_the_fixture_fails_with_the_finding(tmp_path: Path) -> None:
    (tmp_path / "test_models.py").write_text(TESTS)
    plugin = "" if _is_installed() else "-p gradflow.pytest_plugin"

    result = run(f"{sys.executable} -m pytest -q -p no:cacheprovider {plugin}", tmp_path)

    assert "1 failed, 2 passed" in result.stdout, result.stdout + result.stderr
    assert (
        "error GF401: frozen by backbone.trainable=False, but nothing is expected to be frozen"
        in result.stdout
    )
    assert "Traceback" not in result.stdout


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "gradflow.pytest_plugin" for point in entry_points(group="pytest11"))


CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_beside_the_sample_models_is_kept(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=gradflow.schema.json\n"
    )
    assert here("check", "-c", str(path)).code == 0
