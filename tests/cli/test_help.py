"""The command tells what it does, at once."""

from __future__ import annotations

import importlib.metadata
import json
import platform

import pytest

import gradflow
from gradflow.cli.main import COMMANDS
from tests.cli.command import CUT, SAMPLES, apart, here

HEAVY = "tensorflow keras tf_keras"
LOADED = """
import json, sys
from gradflow.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
json.dump(sorted(name.partition(".")[0] for name in sys.modules), sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """The top-level modules that a command leaves in its process."""
    return set(json.loads(apart(*arguments, code=LOADED).stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["inspect", "--help"], ["inspect", "-h"]]
)
def test_help_is_on_stdout(arguments: list[str]) -> None:
    done = here(*arguments)

    assert done.code == 0
    assert done.stdout.startswith("Usage: gradflow")
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_version() -> None:
    own, beside = here("--version").stdout.splitlines()

    assert own == f"gradflow, version {gradflow.__version__}"
    assert beside.startswith(f"Python {platform.python_version()}, ")
    assert beside.endswith(f"{platform.system()} {platform.release()} {platform.machine()}")


def test_version_tells_the_tensorflow_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> str:
        if name in ("tensorflow-cpu", "keras"):
            return {"tensorflow-cpu": "2.20.0", "keras": "3.12.0"}[name]
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", installed)
    monkeypatch.setattr("gradflow.installed.has_tensorflow", lambda: True)
    monkeypatch.setattr("gradflow.cli.versions.has_tensorflow", lambda: True)

    assert ", TensorFlow 2.20.0, Keras 3.12.0, " in here("--version").stdout

    monkeypatch.setattr("gradflow.cli.versions.has_tensorflow", lambda: False)

    assert ", no TensorFlow, " in here("--version").stdout


def test_help_lists_the_commands() -> None:
    assert "\n  inspect " in here("--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_listed_is_there_and_has_a_help(command: str) -> None:
    done = here(command, "--help")

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: gradflow {command} ")


def test_a_command_that_is_not_there_is_one_clear_error() -> None:
    done = here("inspct")

    assert done.code == 2
    assert "No such command 'inspct'. Did you mean 'inspect'?" in done.stderr


def test_an_option_that_is_not_there_gets_the_nearest() -> None:
    assert "Did you mean" in here("inspect", "--statik", CUT).stderr
    assert "Did you mean 'clear'?" in here("cache", "claer").stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [("gradflow ins", "inspect"), ("gradflow inspect --memory", "--memory-limit")],
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    done = here(
        _GRADFLOW_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )

    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == [completed]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["inspect", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert loaded(*arguments).isdisjoint(
        [*HEAVY.split(), "numpy", "h5py", "google", "rich", "yaml"]
    )


@pytest.mark.parametrize("model", ["two_towers_saved_model", "two_towers.keras", "two_towers.h5"])
def test_static_never_imports_tensorflow(model: str) -> None:
    assert loaded("inspect", "--static", "-q", str(SAMPLES / model)).isdisjoint(HEAVY.split())


@pytest.mark.tensorflow
def test_the_command_itself_never_imports_tensorflow() -> None:
    assert loaded("inspect", "-q", CUT).isdisjoint(HEAVY.split())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["inspect"],
        ["inspekt", "x"],
        ["inspect", "--statik", CUT],
        ["inspect", CUT, "--format", "xml"],
        ["inspect", CUT, "--batch-size", "0"],
        ["inspect", CUT, "--batch-size", "many"],
        ["inspect", CUT, "--seed", "-1"],
        ["inspect", CUT, "--seed", str(2**32)],
        ["inspect", CUT, "--timeout", "0"],
        ["inspect", CUT, "--timeout", "inf"],
        ["inspect", CUT, "--fail-on", "note"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = here(*arguments)

    assert done.code == 2
    assert done.stdout == ""
    assert "Usage: gradflow" in done.stderr
