"""What the action installs, and that the workflows cover what the package says it supports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gradflow.installed import OLDEST_TENSORFLOW
from tests.cli.command import ROOT


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


ACTION = read("action.yml")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("given", "installed"),
    [
        ({}, "OWN[tf]"),
        ({"extras": ""}, "OWN"),
        ({"extras": "tf,keras2"}, "OWN[tf,keras2]"),
        ({"package": "gradflow-tf==1.2"}, "gradflow-tf==1.2"),
    ],
)
def test_the_action_installs_its_own_folder(
    tmp_path: Path, given: dict[str, str], installed: str
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    step = ACTION["runs"]["steps"][0]
    values = {name: item.get("default", "") for name, item in ACTION["inputs"].items()} | given
    contexts = {f"inputs.{name}": value for name, value in values.items()}
    contexts["github.action_path"] = "/an action/v1"
    environment = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: contexts[match[1]], text)
        for name, text in step["env"].items()
    }

    done = subprocess.run(
        ["bash", "-euc", step["run"]],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "-m",
        "pip",
        "install",
        "--quiet",
        installed.replace("OWN", "/an action/v1"),
    ]
    assert step["if"] == "${{ inputs.package != 'none' }}"


def test_the_hooks_say_which_of_them_needs_tensorflow() -> None:
    hooks = {hook["id"]: hook for hook in read(".pre-commit-hooks.yaml")}

    assert hooks["gradflow-check"]["additional_dependencies"] == [".[tf]"]
    assert "additional_dependencies" not in hooks["gradflow-check-static"]
    assert hooks["gradflow-check-static"]["entry"] == "gradflow check --static"
    assert hooks["gradflow-check"]["files"] == hooks["gradflow-check-static"]["files"]


def test_ci_runs_on_what_is_supported() -> None:
    matrix = read(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]
    classifiers = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"',
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
    )

    assert matrix["python"] == classifiers
    assert [item["tensorflow"] for item in matrix["include"]] == [
        ".".join(map(str, OLDEST_TENSORFLOW))
    ]


def test_a_wrong_verdict_is_reported_with_the_report_and_the_file() -> None:
    body = read(".github/ISSUE_TEMPLATE/wrong_verdict.yml")["body"]
    required = {
        field["id"] for field in body if field.get("validations", {}).get("required", False)
    }

    assert {"report", "model"} <= required
