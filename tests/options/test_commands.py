"""Every command runs with each option that it takes, and each example of its help is true."""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gradflow.cli import main
from gradflow.cli.main import COMMANDS
from tests.cli.command import CUT, SAMPLES, here
from tests.options.faked import faked

CONFIG = f"models:\n  - path: {CUT}\n    name: cut\n"
ARGUMENTS = {
    "inspect": [CUT],
    "check": [CUT],
    "audit": [CUT],
    "init": [CUT, "--force"],
    "baseline": [CUT],
    "diff": [CUT, CUT],
    "scan": [CUT],
    "why": [CUT, "query/dense/kernel"],
    "explain": ["GF202"],
    "rules": [],
    "schema": ["config"],
    "cache": ["folder"],
}
VALUES = {
    "--config": "gradflow.yaml",
    "--baseline": "baseline.json",
    "--report": "json=other.json",
    "--input": "query=float32[2,8]",
    "--memory-limit": "2GB",
    "--select": "GF2",
    "--ignore": "GF202",
    "--only": "cut",
    "--scheduler": None,  # needs a cluster, and tests/audit has one
    "--ship": None,
}


def value(option: click.Option) -> str | None:
    """A value that the option takes."""
    if option.opts[-1] in VALUES:
        return VALUES[option.opts[-1]]
    if isinstance(option.type, click.Choice):
        return str(option.type.choices[-1])
    if isinstance(option.type, click.IntRange | click.FloatRange):
        return "2"
    return "something"


def uses() -> Iterator[Any]:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        for parameter in command.params:
            if not isinstance(parameter, click.Option):
                continue
            for flag in (*parameter.opts, *parameter.secondary_opts):
                argument = None if parameter.is_flag else value(parameter)
                if (not parameter.is_flag and argument is None) or flag in ("--ship", "--watch"):
                    continue
                options = [flag] if argument is None else [flag, argument]
                yield pytest.param(name, options, id=f"{name} {flag}")


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("baseline") / "baseline.json"
    with faked():
        assert here("baseline", CUT, "-o", str(file)).code == 0
    return file.read_bytes()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, baseline: bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "gradflow.yaml").write_text(CONFIG)
    (tmp_path / "baseline.json").write_bytes(baseline)
    (tmp_path / "configs").mkdir()
    return tmp_path


@pytest.mark.parametrize(("command", "options"), uses())
def test_every_option_of_every_command_is_taken(command: str, options: list[str]) -> None:
    with faked():
        done = here(command, *ARGUMENTS[command], *options)  # raises what click does not

    assert done.code in (0, 1, 2)
    assert "Usage: " not in done.stderr
    assert not done.stderr.startswith("Error: "), done.stderr


def combinations() -> Iterator[Any]:
    """For each command some sets of options, and all that it takes."""
    of_command: dict[str, list[list[str]]] = {}
    for use in uses():
        command, options = use.values
        of_command.setdefault(command, []).append(options)
    for command, options in of_command.items():
        for seed, size in enumerate((2, 2, 3, 3, 4, 6, len(options))):
            draw = random.Random(f"{command} {seed}")
            chosen = draw.sample(options, min(size, len(options)))
            yield pytest.param(
                command, [word for option in chosen for word in option], id=f"{command} {seed}"
            )


@pytest.mark.parametrize(("command", "options"), combinations())
def test_options_of_a_command_go_together_or_are_refused(command: str, options: list[str]) -> None:
    options = [option for option in options if option not in ("--help", "--watch")]
    with faked():
        done = here(command, *ARGUMENTS[command], *options)  # raises what click does not

    assert done.code in (0, 1, 2)
    assert "Traceback" not in done.stderr


def examples() -> Iterator[Any]:
    def below(command: click.Command, words: str) -> Iterator[Any]:
        # Each is a Command or a Group of our own, which have examples; click's types do not say so.
        assert len(command.examples) == 2 or words.startswith("gradflow cache "), words  # type: ignore[attr-defined]
        for example in command.examples:  # type: ignore[attr-defined]
            yield pytest.param(example, words, id=example)
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                yield from below(inner, f"{words} {name}")

    return below(main, "gradflow")


@pytest.mark.parametrize(("example", "words"), examples())
def test_an_example_of_the_help_runs(example: str, words: str, folder: Path) -> None:
    (folder / "gradflow.yaml").write_text(f"models:\n  - path: {CUT}\n    name: encoder\n")
    if "init model.keras" in example:
        (folder / "gradflow.yaml").unlink()
    with faked():
        done = here(*shlex.split(example)[1:])

    assert example.startswith(words)
    assert done.code in (0, 1, 2)
    assert "Usage: " not in done.stderr
    assert "Error: " not in done.stderr


def test_an_example_stands_on_a_line_of_its_own_in_the_help() -> None:
    done = here("inspect", "--help")

    heading = done.stdout.splitlines().index("Examples:")
    assert all(line.startswith("  gradflow ") for line in done.stdout.splitlines()[heading + 1 :])
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_only_takes_the_patterns_of_names(folder: Path) -> None:
    (folder / "gradflow.yaml").write_text(
        f"models:\n  - path: {SAMPLES / 'healthy.keras'}\n  - {{path: {CUT}, name: towers/one}}\n"
    )
    counts = []
    with faked() as asked:
        for pattern in ("*.keras", "towers/*", "**/healthy.keras", "**"):
            here("audit", "gradflow.yaml", "--no-cache", "--only", pattern)
            counts.append(len(asked))
            asked.clear()

    assert counts == [1, 1, 1, 2]
