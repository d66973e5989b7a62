"""The command line and the configuration in, the models that are meant and what is expected of each
out."""

from __future__ import annotations

import difflib
import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gradflow.cli.options import analysis_options
from gradflow.cli.output import CommandError, command_errors
from gradflow.config import EMPTY, ModelPlan, Plan, find_config
from gradflow.findings import Severity
from gradflow.options import Options
from gradflow.policy import chosen

CONFIG = (
    click.option(
        "-c",
        "--config",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="What to expect; gradflow.yaml or [tool.gradflow] of pyproject.toml by default.",
    ),
)
EXPECTED = (
    click.option(
        "--expect-frozen",
        metavar="PATTERN",
        multiple=True,
        help="These weights are frozen and nothing else is: backbone/**; repeatable.",
    ),
    click.option(
        "--expect-trainable",
        metavar="PATTERN",
        multiple=True,
        help="These weights are trainable and their gradient flows; repeatable.",
    ),
)
_FIELDS = frozenset(Options.__dataclass_fields__)


def planned(
    context: click.Context, models: Sequence[str], given: Mapping[str, Any]
) -> tuple[list[ModelPlan], list[str]]:
    """The models to look at, each once, and what should be said about where their expectations come
    from.

    Raises:
        CommandError: the configuration is not valid, or no model is named anywhere.
    """
    file = Path(given["config"]) if given["config"] else find_config(Path())
    plan = _loaded(file)
    remarks: list[str] = []
    if models:
        chosen = []
        for model in dict.fromkeys(models):
            found = [one for one in plan.models if _is_meant(one, model)]
            if not found and file is not None and plan.models:
                remarks.append(f"{model}: is not in {file}, so that its defaults count")
            chosen += found or [replace(plan.defaults, path=model)]
    else:
        if given.get("trust"):
            raise CommandError(
                "--trust is for models that are named: write trust: true to the model's entry "
                "instead"
            )
        chosen = list(plan.models)
    if not chosen:
        where = (
            f"{file} names no models"
            if file
            else "there is no gradflow.yaml here, and no [tool.gradflow]"
        )
        raise CommandError(
            f"no MODEL given: {where}; gradflow check MODEL..., or write one with gradflow init "
            f"MODEL"
        )
    return [_overridden(context, one, given) for one in chosen], remarks


def audited(file: Path, only: Sequence[str], given: Mapping[str, Any]) -> list[ModelPlan]:
    """The models of a configuration, or those of them that ``only`` names: by name, path or a
    pattern of either.

    Raises:
        CommandError: the configuration is not valid, names no models, or none of that name.
    """
    plan = _loaded(file)
    if not plan.models:
        raise CommandError(f"{file}: names no models: add an entry with a path below models")
    for name in only:
        if not any(_is_called(one, name) for one in plan.models):
            known = [one.name or one.path for one in plan.models]
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            meant = f": did you mean {near[0]}?" if near else ""
            raise CommandError(f"--only {name}: {file} has no such model{meant}")
    chosen = [one for one in plan.models if not only or any(_is_called(one, name) for name in only)]
    fail_on = Severity(given["fail_on"]) if given["fail_on"] else None
    select = codes(given["select"])
    return [
        replace(
            one,
            options=replace(one.options, verbose=given["verbose"]),
            fail_on=fail_on or one.fail_on,
            select=select or one.select,
        )
        for one in chosen
    ]


def _is_called(plan: ModelPlan, name: str) -> bool:
    return _is_meant(plan, name) or any(
        fnmatch.fnmatchcase(one, name) for one in (plan.name or "", plan.path)
    )


def _is_meant(plan: ModelPlan, model: str) -> bool:
    """By its name or its path; ``saved_model.pb`` stands for its folder, as pre-commit gives it."""
    return model == plan.name or _place(model) == _place(plan.path)


def _place(path: str) -> Path:
    return Path(os.path.normpath(path.removesuffix("saved_model.pb"))).absolute()


def _loaded(file: Path | None) -> Plan:
    if file is None:
        return Plan(EMPTY, ())
    from gradflow.config.load import load  # brings the parsers and the schema
    from gradflow.config.problems import ConfigError

    with command_errors():
        try:
            return load(file)
        except ConfigError as error:
            raise CommandError(error.message) from error  # a line for each problem


def _overridden(context: click.Context, plan: ModelPlan, given: Mapping[str, Any]) -> ModelPlan:
    """The command line's word counts before the configuration's."""
    said = {
        name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    asked = analysis_options(dict(given))
    changes = {name: getattr(asked, name) for name in said if name in _FIELDS}
    options = replace(plan.options, **changes, verbose=asked.verbose)
    expected = plan.expectations
    if given.get("expect_frozen"):
        expected = replace(expected, frozen=tuple(given["expect_frozen"]))
    if given.get("expect_trainable"):
        expected = replace(expected, trainable=tuple(given["expect_trainable"]))
    fail_on = Severity(given["fail_on"]) if given.get("fail_on") else plan.fail_on
    select = codes(given["select"]) if given.get("select") else plan.select
    return replace(plan, options=options, expectations=expected, fail_on=fail_on, select=select)


def codes(words: Sequence[str]) -> tuple[str, ...]:
    """Codes, kinds or beginnings of codes (GF2), also several with commas between.

    Raises:
        CommandError: there is no such code.
    """
    with command_errors():
        return chosen(part.strip() for word in words for part in word.split(",") if part.strip())
