"""Find the models that a command line and a configuration name, and what is expected of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import click

from gradflow.cli.judging import Judgement
from gradflow.cli.options import Analysis, Group, Messages, option
from gradflow.cli.output import CommandError, command_errors
from gradflow.cli.selection import codes
from gradflow.config import EMPTY, ModelPlan, Plan, find_config
from gradflow.findings import Severity
from gradflow.lazy_dataclass import dataclass
from gradflow.patterns import matches
from gradflow.process.models import each_once, models_at
from gradflow.text import closest


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


@dataclass(frozen=True, slots=True)
class Planned:
    """The models to look at, each once."""

    plans: list[ModelPlan]
    remarks: list[str]
    """Where their expectations come from, and what has no effect."""


def planned(
    models: Sequence[str],
    expected: Expected,
    analysis: Analysis,
    messages: Messages,
    judgement: Judgement | None = None,
    otherwise: Sequence[str] = (),
) -> Planned:
    """Return the models that the command line names, else those of the configuration, else those
    that ``otherwise`` names.

    Raises:
        CommandError: the configuration is not valid, or no model is named anywhere.
    """
    file = Path(expected.config) if expected.config else find_config(Path())
    plan = _loaded(file)
    if not models and not plan.models and not expected.config:
        models = otherwise
    if not models and analysis.values.trust:
        raise CommandError(
            "--trust is only for models that are named on the command line: write trust: true to "
            "the model's entry instead"
        )
    if not models and not plan.models:
        reason = (
            f"{file} names no models: add an entry with a path below models"
            if file
            else "there is no gradflow.yaml here, and no [tool.gradflow]"
        )
        raise CommandError(
            f"no MODEL given: {reason}; gradflow check MODEL..., or write one with gradflow init "
            f"MODEL"
        )
    found = _named(models, plan, file) if models else _unfolded(plan.models)
    plans = [_overridden(entry, expected, analysis, messages) for entry in found.plans]
    remarks = [*plan.remarks, *found.remarks]
    remarks += [analysis.remark(entry.options, entry.name or entry.path) for entry in plans]
    return Planned([_judged_by(entry, judgement) for entry in plans], remarks)


def one_model(path: str, reason: str) -> str:
    """Return the path of the model that ``path`` stands for.

    Raises:
        CommandError: it is a folder of several; ``reason`` says why that will not do.
    """
    paths = models_at([path]).paths
    if len(paths) > 1:
        raise CommandError(
            f"{path}: is a folder of {len(paths):,} models, and {reason}: {', '.join(paths[:3])}"
            + (", ..." if paths[3:] else "")
        )
    return paths[0]


def only(plans: Sequence[ModelPlan], names: Sequence[str]) -> list[ModelPlan]:
    """Return those of ``plans`` that ``names`` name, which are names, paths or patterns of either;
    all where there are none.

    Raises:
        CommandError: there is none of that name.
    """
    for name in names:
        if not any(_is_called(entry, name) for entry in plans):
            known = [entry.name or entry.path for entry in plans]
            near = closest(name, known, cutoff=0.4)
            meant = f": did you mean {near[0]}?" if near else ""
            raise CommandError(f"--only {name}: there is no such model{meant}")
    return [entry for entry in plans if not names or any(_is_called(entry, name) for name in names)]


def _named(models: Sequence[str], plan: Plan, file: Path | None) -> Planned:
    """Return the entries of the configuration that ``models`` name, or its defaults for what has
    none."""
    plans: list[ModelPlan] = []
    remarks: list[str] = []
    strange: list[str] = []
    for model in each_once(models):
        entries = [entry for entry in plan.models if _is_meant(entry, model)]
        if entries:
            found = _unfolded(entries)
            plans += found.plans
            remarks += found.remarks
            continue
        below = models_at([model])
        remarks += below.remarks
        for path in below.paths:
            entries = [entry for entry in plan.models if _is_meant(entry, path)]
            strange += [] if entries else [path]
            plans += entries or [replace(plan.defaults, path=path)]
    again, strange = set(strange), each_once(strange)
    again -= set(strange)
    if strange and plan.models:
        more = f" and {len(strange) - 1:,} more" if strange[1:] else ""
        is_or_are = "are" if strange[1:] else "is"
        remarks.append(
            f"{strange[0]}{more}: {is_or_are} not in {file}; the defaults of {file} are used"
        )
    return Planned([entry for entry in dict.fromkeys(plans) if entry.path not in again], remarks)


def _unfolded(entries: Sequence[ModelPlan]) -> Planned:
    """Return the models of ``entries``: of a folder of models each."""
    plans: list[ModelPlan] = []
    remarks: list[str] = []
    for entry in entries:
        below = models_at([entry.path])
        remarks += below.remarks
        for path in below.paths:
            name = f"{entry.name}/{path.removeprefix(entry.path).strip('/')}".rstrip("/")
            plans.append(replace(entry, path=path, name=name if entry.name else None))
    return Planned(plans, remarks)


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
