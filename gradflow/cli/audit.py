"""``gradflow audit``: check all models of a configuration, several at a time or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import click

from gradflow.cli.help import Command
from gradflow.cli.judging import History, Judgement, judge_models
from gradflow.cli.models import Expected, only, planned
from gradflow.cli.options import (
    MODEL_PATH,
    Messages,
    ReportAnalysis,
    ReportOutput,
    option,
    with_options,
)
from gradflow.cli.output import CommandError, Stderr, command_errors
from gradflow.cli.run import Engine, Run, engine, engine_of
from gradflow.installed import DISTRIBUTION
from gradflow.lazy_dataclass import dataclass

_CONFIGURATIONS = (".yaml", ".yml", ".toml")


@dataclass(frozen=True, slots=True)
class AuditRun(Run):
    """Which models are analysed, where, and what is kept of it."""

    heading: ClassVar[str] = "Run"

    only: tuple[str, ...] = option(
        "--only",
        metavar="NAME",
        multiple=True,
        help="Only the models of that name or path, or a pattern: models/*.keras; repeatable.",
    )
    history: str | None = option(
        "--history",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Keep the report in DIR; gradflow diff shows what has changed between two.",
    )
    scheduler: str | None = option(
        "--scheduler",
        metavar="ADDRESS",
        help=f"Run on the Dask cluster of that scheduler ({DISTRIBUTION}[dask]), whose workers see "
        "the paths.",
    )
    ship: bool = option(
        "--ship", is_flag=True, help="With --scheduler: send the models to the workers."
    )


@click.command(
    cls=Command,
    examples=(
        "gradflow audit gradflow.yaml",
        "gradflow audit gradflow.yaml --only 'encoder*' --report junit=gradflow.xml",
    ),
)
@click.argument("arguments", metavar="[CONFIG | MODEL...]", nargs=-1, type=MODEL_PATH)
@with_options(
    run=AuditRun,
    expected=Expected,
    judgement=Judgement,
    output=ReportOutput,
    analysis=ReportAnalysis,
    messages=Messages,
)
@click.pass_context
def audit(
    context: click.Context,
    /,
    arguments: tuple[str, ...],
    run: AuditRun,
    expected: Expected,
    judgement: Judgement,
    output: ReportOutput,
    analysis: ReportAnalysis,
    messages: Messages,
) -> None:
    """Compare every model that CONFIG names with what is expected of it, several at a time, in one
    report.

    Without CONFIG the configuration is found as by check; where there is none, every model below
    this folder, or each MODEL, is compared. The models, the report and the exit codes are those of
    check, with more to choose: some of the models, a cluster, a history.
    """
    formats = [format for format, _ in output.targets()]
    expected, models = _config_of(arguments, expected)
    planned_models = planned(models, expected, analysis, messages, judgement, otherwise=["."])
    plans = only(planned_models.plans, run.only)
    if run.ship and run.scheduler is None:
        raise CommandError(
            "--ship: the models are on this machine already; it goes with --scheduler ADDRESS"
        )
    stderr = Stderr(messages.quiet, messages.verbose)
    stderr.remarks(*planned_models.remarks, output.remark(), analysis.remark_of_map(formats))
    running = (
        engine(len(plans), run, stderr, formats)
        if run.scheduler is None
        else _on_cluster(run.scheduler, run, stderr, formats)
    )
    history = None if run.history is None else History(Path(run.history))
    judge_models(
        context, plans, running, judgement=judgement, output=output, stderr=stderr, history=history
    )


def _config_of(arguments: Sequence[str], expected: Expected) -> tuple[Expected, Sequence[str]]:
    """Return what is expected, with the configuration that the arguments name, and the models.

    Raises:
        CommandError: several configurations are named.
    """
    files = [name for name in arguments if Path(name).suffix in _CONFIGURATIONS]
    if not files:
        return expected, arguments
    if len(arguments) > 1 or expected.config is not None:
        raise CommandError(
            f"{files[0]}: is a configuration, beside {'--config' if expected.config else 'others'}:"
            f" give one alone, or -c {files[0]} and models"
        )
    return replace(expected, config=files[0]), ()


@contextmanager
def _on_cluster(
    address: str, run: AuditRun, stderr: Stderr, formats: Sequence[str]
) -> Iterator[Engine]:
    from gradflow.audit.cluster import Cluster

    with command_errors():
        cluster = Cluster(address, ship=run.ship)
    with cluster:
        yield engine_of(cluster, run, stderr, formats)
