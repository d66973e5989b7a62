"""An option that is declared reaches the analysis from everywhere where a user can write it."""

from __future__ import annotations

import inspect as python
import json
import re
import warnings
from pathlib import Path
from typing import Any

import click
import pytest

import gradflow
from gradflow.cli import main
from gradflow.config.load import load
from gradflow.config.schema import config_schema
from gradflow.errors import UsageError
from gradflow.options import DECLARED, Declared, Options
from gradflow.options.kinds import (
    Choice,
    Draws,
    Flag,
    Inputs,
    Memory,
    Modules,
    Seconds,
    Text,
    Texts,
    Whole,
)
from tests.cli.command import CUT, HEALTHY, here
from tests.options.faked import faked, written

ON_THE_COMMAND_LINE = [name for name, option in DECLARED.items() if option.flag]
IN_PYTHON = [name for name, option in DECLARED.items() if option.in_python]
ANNOTATIONS: dict[type, set[str]] = {
    Flag: {"bool"},
    Text: {"str | None"},
    Texts: {"str | tuple[str, ...] | list[str]"},
    Modules: {"str | tuple[str, ...] | list[str]"},
    Whole: {"int"},
    Draws: {"int | None"},
    Seconds: {"float"},
    Choice: {"str"},
    Memory: {"str | int | None"},
    Inputs: {"Any"},
}
"""How Python's signature writes the values of a kind."""


def differs(options: Options, name: str) -> Any:
    """The value of the option, which is not the default."""
    value = getattr(options, name)
    assert value != DECLARED[name].default
    return value


@pytest.mark.parametrize("name", DECLARED)
def test_it_reaches_the_analysis_with_the_same_value_from_everywhere(
    name: str, tmp_path: Path
) -> None:
    option = DECLARED[name]
    arguments, yaml, value = written(option)
    file = tmp_path / "gradflow.yaml"
    file.write_text(f"models:\n  - path: {CUT}\n    {name}: {json.dumps(yaml)}\n")
    values = []
    with faked() as asked, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here("check", "-c", str(file))
        here("audit", "--no-cache", str(file))
        if option.flag:
            here("inspect", *arguments, CUT)
            here("check", *arguments, CUT)
        if option.in_python:
            gradflow.inspect(CUT, **{name: value})
        values = [differs(options, name) for options in asked]

    assert len(values) == 2 + 2 * bool(option.flag) + option.in_python
    assert len(set(values)) == 1


@pytest.mark.parametrize("name", DECLARED)
def test_it_is_a_default_of_a_configuration_unless_it_is_for_each_model(
    name: str, tmp_path: Path
) -> None:
    _, yaml, _ = written(DECLARED[name])
    file = tmp_path / "gradflow.yaml"
    file.write_text(f"defaults:\n  {name}: {json.dumps(yaml)}\nmodels:\n  - path: {CUT}\n")

    if DECLARED[name].in_defaults:
        differs(load(file).models[0].options, name)
    else:
        with pytest.raises(gradflow.errors.GradflowError, match="is not for all models at once"):
            load(file)


def test_every_command_that_analyses_takes_all_that_have_an_effect_on_it() -> None:
    answers = [name for name in ON_THE_COMMAND_LINE if not DECLARED[name].of_report]
    assert answers != ON_THE_COMMAND_LINE
    commands = {
        **dict.fromkeys(("inspect", "check", "audit"), ON_THE_COMMAND_LINE),
        **dict.fromkeys(("baseline", "init", "diff", "why"), answers),
    }
    for name, expected in commands.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        names = [parameter.name for parameter in command.params]
        assert [option for option in names if option in DECLARED] == expected, name


def test_the_schema_describes_each_of_them() -> None:
    properties = config_schema()["properties"]["models"]["items"]["properties"]

    for name, option in DECLARED.items():
        assert properties[name]["description"] == f"{option.help}."


def test_python_has_the_signature_that_is_declared() -> None:
    _, *parameters = python.signature(gradflow.inspect).parameters.values()

    assert {parameter.name for parameter in parameters} == set(IN_PYTHON)
    for parameter in parameters:
        option = DECLARED[parameter.name]
        assert option.kind.read(parameter.default) == option.default, parameter.name
        assert parameter.kind is python.Parameter.KEYWORD_ONLY
        assert parameter.annotation in ANNOTATIONS[type(option.kind)], parameter.name


def test_pythons_docstring_names_each_of_them() -> None:
    assert gradflow.inspect.__doc__ is not None
    described = re.findall(r"^        (\w+): ", gradflow.inspect.__doc__, re.MULTILINE)

    assert set(described) - {"model", "UsageError", "TypeError"} == set(IN_PYTHON)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("batch_size", 0, "batch_size: 0 is out of range"),
        ("batch_size", 2.5, "batch_size: 2.5 is not a whole number"),
        ("probes", 101, "probes: 101 is out of range"),
        ("timeout", 0, "timeout: 0 is not a time in seconds"),
        ("timeout", "soon", "timeout: 'soon' is not a time in seconds"),
        ("objective", "loss", "objective: 'loss' is not known"),
        ("objective", "compild", "did you mean 'compiled'\\? it is auto or outputs or compiled"),
        ("imports", ["layers.py"], "imports: 'layers.py': not the name of a module"),
        ("inputs", {"x": "float31[2]"}, "inputs: x=float31.2.: not a shape and type"),
    ],
)
def test_python_keeps_the_bounds_too(option: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gradflow.inspect(CUT, **{option: value})


def test_a_configuration_keeps_what_no_schema_says(tmp_path: Path) -> None:
    file = tmp_path / "gradflow.yaml"
    file.write_text("models:\n  - path: m\n    imports: [layers.py]\n    timeout: 604801\n")

    with pytest.raises(gradflow.errors.GradflowError) as error:
        load(file)

    assert error.value.message.splitlines() == [
        f"{file}:4: models[0].timeout: has to be at most 604800, and is 604801"
    ]
    file.write_text("models:\n  - path: m\n    imports: [layers.py]\n")
    with pytest.raises(gradflow.errors.GradflowError, match=r":3: models\[0\]\.imports: "):
        load(file)


NEEDS_RUN = [name for name, option in DECLARED.items() if option.needs_run]


@pytest.mark.parametrize("name", [name for name in NEEDS_RUN if DECLARED[name].flag])
def test_the_command_line_says_which_options_have_no_effect(name: str) -> None:
    arguments, _, value = written(DECLARED[name])
    flag = DECLARED[name].flag
    with faked():
        done = here("inspect", "--static", *arguments, CUT)
        checked = here("check", "--static", *arguments, CUT)
        with pytest.warns(UserWarning, match=f"^{name}: no effect with static=True"):
            gradflow.inspect(CUT, static=True, **{name: value})

    line = f"gradflow: {flag}: no effect with --static, which runs nothing"
    assert done.stderr.splitlines() == [line]
    assert checked.stderr.splitlines()[0] == line


@pytest.mark.parametrize("name", NEEDS_RUN)
def test_a_configuration_that_sets_what_has_no_effect_gets_a_line(
    name: str, tmp_path: Path
) -> None:
    _, yaml, _ = written(DECLARED[name])
    file = tmp_path / "gradflow.yaml"
    entry = f"models:\n  - path: {CUT}\n    {name}: {json.dumps(yaml)}\n"
    line = f"{name}: no effect with static: true"

    for text, count in ((f"{entry}    static: true\n", 1), (entry, 0)):
        file.write_text(text)
        assert [f"{file}:3: {line}"] * count == list(load(file).remarks)
    file.write_text(f"defaults: {{static: true}}\n{entry}")
    assert load(file).remarks == (f"{file}:4: {line}",)
    with faked():
        assert here("check", "-c", str(file)).stderr.startswith(f"gradflow: {file}:4: {line}\n")
        assert here("audit", str(file)).stderr.count(line) == 1


def test_an_option_on_a_model_that_a_configuration_reads_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gradflow.yaml").write_text(
        f"models:\n  - {{path: {CUT}, name: towers, static: true}}\n  - path: {HEALTHY}\n"
    )
    with faked():
        done = here("check", "--seed", "3")

    assert done.stderr.count("no effect") == 1
    line = "gradflow: --seed: no effect on towers, which is only read (static: true)"
    assert done.stderr.splitlines()[0] == line


def test_what_else_has_no_effect_says_so(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with faked():
        here("inspect", CUT, "--format", "json", "-o", str(report))
        lines = [
            here("inspect", CUT, "--exit-zero").stderr,
            here("inspect", CUT, "--all", "--format", "json", "-o", str(report)).stderr,
            here("diff", str(report), str(report), "--seed", "3", "--inference").stderr,
            here("inspect", CUT, "--entry", "list", "--probes", "4").stderr,
            here("inspect", CUT, "--map", "--report", f"sarif={tmp_path / 'a.sarif'}").stderr,
        ]
        has_one = [
            here("inspect", CUT, "--map", *words).stderr
            for words in (["--report", f"json={report}"], ["--format", "html"])
        ]

    assert [line.splitlines()[0] for line in lines] == [
        "gradflow: --exit-zero: no effect without --fail-on",
        "gradflow: --all: no effect with --format json, which leaves nothing out",
        "gradflow: --seed, --inference: no effect on two reports, which are only compared",
        "gradflow: --probes: no effect with --entry list",
        "gradflow: --map: no effect without a report in JSON: add --format json or --report "
        "json=FILE",
    ]
    assert not [line for line in has_one if "no effect" in line]


@pytest.mark.parametrize("command", [["why", CUT, "query/dense/kernel"], ["diff", CUT, CUT]])
def test_a_command_that_writes_no_report_takes_no_map(command: list[str]) -> None:
    done = here(*command, "--map")

    assert done.code == 2
    assert re.search("No such option.*--map", done.stderr)


def test_an_option_of_a_file_has_no_effect_on_an_object() -> None:
    of_a_file = [name for name, option in DECLARED.items() if option.needs_file]

    assert of_a_file == ["imports", "timeout", "memory_limit", "trust"]


def test_a_declaration_is_complete() -> None:
    for option in DECLARED.values():
        assert isinstance(option, Declared)
        assert option.help
        assert not option.help.endswith(".")
