"""The command line and the configuration in, the models that are meant and what is expected of each out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gradflow.cli.options import analysis_options
from gradflow.cli.stream import CommandError
from gradflow.config import ModelPlan, Plan, find_config, load
from gradflow.config.plan import EMPTY
from gradflow.config.problems import ConfigError
from gradflow.errors import UsageError
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
    """The models to look at, each once, and what should be said about where their expectations come from.

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
        chosen = list(plan.models)
    if not chosen:
        where = f"{file} names no models" if file else "there is no gradflow.yaml here, and no [tool.gradflow]"
        raise CommandError(f"no MODEL given: {where}; gradflow check MODEL..., or write one with gradflow init MODEL")
    return [_overridden(context, one, given) for one in chosen], remarks


def _is_meant(plan: ModelPlan, model: str) -> bool:
    """By its name or its path; ``saved_model.pb`` stands for its folder, as pre-commit gives it."""
    return model == plan.name or _place(model) == _place(plan.path)


def _place(path: str) -> Path:
    return Path(os.path.normpath(path.removesuffix("saved_model.pb"))).absolute()


def _loaded(file: Path | None) -> Plan:
    if file is None:
        return Plan(EMPTY, ())
    try:
        return load(file)
    except ConfigError as error:
        raise CommandError(error.message) from error
    except UsageError as error:
        raise CommandError(f"{error.message}: {error.hint}") from error


def _overridden(context: click.Context, plan: ModelPlan, given: Mapping[str, Any]) -> ModelPlan:
    """The command line's word counts before the configuration's."""
    said = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
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
    try:
        return chosen(part.strip() for word in words for part in word.split(",") if part.strip())
    except UsageError as error:
        raise CommandError(f"{error.message}: {error.hint}") from error
