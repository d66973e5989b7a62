"""Find the models that a command line and a configuration name, and what is expected of each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from gradflow.cli.judging import Judgement
from gradflow.cli.options import Analysis, Group, Messages, option
from gradflow.cli.output import CommandError, command_errors
from gradflow.config import EMPTY, ModelPlan, Plan, find_config
from gradflow.findings import Severity
from gradflow.patterns import matches
from gradflow.policy import chosen


@dataclass(frozen=True, slots=True)
class Expected(Group):
    """What is expected of the models, and the file that says it."""

    heading: ClassVar[str] = "Expectations"

    config: str | None = option(
        "-c",
        "--config",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="What to expect; by default gradflow.yaml, or [tool.gradflow] of pyproject.toml.",
    )
    expect_frozen: tuple[str, ...] = option(
        "--expect-frozen",
        metavar="PATTERN",
        multiple=True,
        help="These weights are frozen and nothing else is: backbone/**; repeatable.",
    )
    expect_trainable: tuple[str, ...] = option(
        "--expect-trainable",
        metavar="PATTERN",
        multiple=True,
        help="These weights are trainable and their gradient flows; repeatable.",
    )


def planned(
    models: Sequence[str],
    expected: Expected,
    analysis: Analysis,
    messages: Messages,
    judgement: Judgement | None = None,
) -> tuple[list[ModelPlan], list[str]]:
    """Return the models to look at, each once, and remarks on where their expectations come from.

    Raises:
        CommandError: the configuration is not valid, or no model is named anywhere.
    """
    file = Path(expected.config) if expected.config else find_config(Path())
    plan = _loaded(file)
    remarks = list(plan.remarks)
    if models:
        plans = []
        for model in dict.fromkeys(models):
            named = [entry for entry in plan.models if _is_meant(entry, model)]
            if not named and file is not None and plan.models:
                remarks.append(f"{model}: is not in {file}; the defaults of {file} are used")
            plans += named or [replace(plan.defaults, path=model)]
    else:
        if analysis.values.trust:
            raise CommandError(
                "--trust is only for models that are named on the command line: write trust: true "
                "to the model's entry instead"
            )
        plans = list(plan.models)
    if not plans:
        reason = (
            f"{file} names no models"
            if file
            else "there is no gradflow.yaml here, and no [tool.gradflow]"
        )
        raise CommandError(
            f"no MODEL given: {reason}; gradflow check MODEL..., or write one with gradflow init "
            f"MODEL"
        )
    overridden = [_overridden(entry, expected, analysis, messages) for entry in plans]
    remarks += [analysis.remark(entry.options, entry.name or entry.path) for entry in overridden]
    return [_judged_by(entry, judgement) for entry in overridden], remarks


def audited(
    file: Path, only: Sequence[str], judgement: Judgement, messages: Messages
) -> tuple[list[ModelPlan], list[str]]:
    """Return the models of a configuration, or those that ``only`` names, and remarks.

    ``only`` holds names, paths or patterns of either.

    Raises:
        CommandError: the configuration is not valid, names no models, or none of that name.
    """
    plan = _loaded(file)
    if not plan.models:
        raise CommandError(f"{file}: names no models: add an entry with a path below models")
    for name in only:
        if not any(_is_called(entry, name) for entry in plan.models):
            names = [entry.name or entry.path for entry in plan.models]
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            meant = f": did you mean {near[0]}?" if near else ""
            raise CommandError(f"--only {name}: {file} has no such model{meant}")
    plans = [
        replace(entry, options=replace(entry.options, verbose=messages.verbose))
        for entry in plan.models
        if not only or any(_is_called(entry, name) for name in only)
    ]
    return [_judged_by(entry, judgement) for entry in plans], list(plan.remarks)


def _is_called(plan: ModelPlan, name: str) -> bool:
    if "*" not in name:
        return _is_meant(plan, name)
    # A pattern without a slash is one of the last segment, as *.keras is.
    return any(
        matches(name, candidate) for candidate in (plan.name or "", plan.path, Path(plan.path).name)
    )


def _is_meant(plan: ModelPlan, model: str) -> bool:
    """Return whether ``model`` is its name or path; pre-commit gives ``saved_model.pb`` for its
    folder."""
    return model == plan.name or _absolute(model) == _absolute(plan.path)


def _absolute(path: str) -> Path:
    return Path(os.path.normpath(path.removesuffix("saved_model.pb"))).absolute()


def _loaded(file: Path | None) -> Plan:
    if file is None:
        return Plan(EMPTY, ())
    from gradflow.config.load import load  # brings the parsers and the schema

    with command_errors():
        return load(file)


def _overridden(
    plan: ModelPlan, expected: Expected, analysis: Analysis, messages: Messages
) -> ModelPlan:
    """Return the plan, with what the command line says in place of what the configuration says."""
    expectations = plan.expectations
    if expected.expect_frozen:
        expectations = replace(expectations, frozen=expected.expect_frozen)
    if expected.expect_trainable:
        expectations = replace(expectations, trainable=expected.expect_trainable)
    options = analysis.over(plan.options, messages)
    return replace(plan, options=options, expectations=expectations)


def _judged_by(plan: ModelPlan, judgement: Judgement | None) -> ModelPlan:
    if judgement is None:
        return plan
    fail_on = Severity(judgement.fail_on) if judgement.fail_on else plan.fail_on
    return replace(plan, fail_on=fail_on, select=codes(judgement.select) or plan.select)


def codes(words: Sequence[str]) -> tuple[str, ...]:
    """Read codes, kinds or beginnings of codes (GF2), also several with commas between.

    Raises:
        CommandError: there is no such code.
    """
    with command_errors():
        return chosen(part.strip() for word in words for part in word.split(",") if part.strip())
