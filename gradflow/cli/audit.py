"""``gradflow audit``: check every model of a configuration, several at a time, in one report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import ClassVar

import click

from gradflow.analysis.result import report_of
from gradflow.audit import Checked, Inspect, check_model, of_model
from gradflow.audit.run import Here, Runner, check_models
from gradflow.cli.exit_codes import exit_code
from gradflow.cli.help import Command
from gradflow.cli.judging import Judgement, anchors_of, baseline_of
from gradflow.cli.models import audited, codes
from gradflow.cli.options import Group, Messages, ReportOutput, option, with_options
from gradflow.cli.output import CommandError, Stderr, command_errors, emit
from gradflow.cli.signals import orderly_end
from gradflow.config import ModelPlan
from gradflow.installed import DISTRIBUTION
from gradflow.policy import selected
from gradflow.progress import Progress


@dataclass(frozen=True, slots=True)
class Run(Group):
    """Which models are analysed, where, and what is kept of it."""

    heading: ClassVar[str] = "Run"

    jobs: int | None = option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 1000),
        help="Models at a time.  [default: one for each processor]",
    )
    only: tuple[str, ...] = option(
        "--only",
        metavar="NAME",
        multiple=True,
        help="Only the models of that name or path, or a pattern: models/*.keras; repeatable.",
    )
    no_cache: bool = option(
        "--no-cache", is_flag=True, help="Analyse every model anew, and keep no result."
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
@click.argument("config", metavar="CONFIG", type=click.Path(dir_okay=False))
@with_options(run=Run, judgement=Judgement, output=ReportOutput, messages=Messages)
@click.pass_context
def audit(
    context: click.Context,
    /,
    config: str,
    run: Run,
    judgement: Judgement,
    output: ReportOutput,
    messages: Messages,
) -> None:
    """Compare every model that CONFIG names with what is expected of it, several at a time, in one
    report.

    Each model has a process of its own: if one dies, the others are not affected. The result of an
    earlier run is used again where neither the files of a model, its options nor any version have
    changed. Exit codes are those of check.
    """
    ignored, targets = codes(judgement.ignore), output.targets()
    plans, remarks = audited(Path(config), run.only, judgement, messages)
    plans = [replace(plan, options=output.over(plan.options)) for plan in plans]
    baseline = baseline_of(judgement.baseline)
    if run.ship and run.scheduler is None:
        raise CommandError(
            "--ship: the models are on this machine already; it goes with --scheduler ADDRESS"
        )
    stderr = Stderr(messages.quiet, messages.verbose)
    for remark in (*remarks, output.remark()):
        stderr.remark(remark)

    with _runner(run) as runner:
        inspect = _cached(runner.inspect, run, messages)

        def check(plan: ModelPlan, progress: Progress) -> Checked:
            accepted = None if baseline is None else of_model(baseline, plan)
            result = check_model(plan, date.today(), accepted, progress, inspect)
            return replace(result, model=selected(result.model, (), ignored))

        checked, ending = _checked(plans, runner, run.jobs, check, messages)
    if ending is not None:
        stderr.remark(
            f"stopped: {len(checked):,} of {len(plans):,} models are done; the next run continues "
            f"from there"
        )
    report = report_of([(result.tool, result.model) for result in checked])
    if checked:
        emit(
            report,
            targets,
            show_all=output.show_all,
            show_ops=messages.verbose,
            brief=True,
            anchors=anchors_of(plans),
        )
    for remark in dict.fromkeys(result.remark for result in checked):
        stderr.remark(remark)
    if ending is not None:
        raise ending
    if run.history is not None:
        from gradflow.audit.history import keep

        with command_errors():
            keep(report, Path(run.history))
    judged = [(result.model, result.is_broken) for result in checked]
    stderr.judged("audit", judged)
    context.exit(exit_code(judged, exit_zero=judgement.exit_zero))


def _checked(
    plans: Sequence[ModelPlan],
    runner: Runner,
    jobs: int | None,
    check: Callable[[ModelPlan, Progress], Checked],
    messages: Messages,
) -> tuple[list[Checked], SystemExit | None]:
    """Check all models; return those that are done, in the order of the plans, and what stopped the
    run early."""
    from gradflow.cli.live_progress import Display  # rich, which a wrong option does without

    names = [plan.name or plan.path for plan in plans]
    display = Display(names, quiet=messages.quiet, verbose=messages.verbose)
    finished: dict[int, Checked] = {}
    ending: SystemExit | None = None
    jobs = min(jobs or runner.jobs, len(plans))
    results = check_models(plans, jobs, check, display.stage, runner.stop)
    try:
        with orderly_end(), display:
            for index, result in results:
                finished[index] = result
                display.finished(index, result)
    except SystemExit as stopped:
        ending = stopped
        results.close()
    return [finished[index] for index in sorted(finished)], ending


def _runner(run: Run) -> Runner:
    if run.scheduler is None:
        return Here()
    from gradflow.audit.cluster import Cluster

    with command_errors():
        return Cluster(run.scheduler, ship=run.ship)


def _cached(inspect: Inspect, run: Run, messages: Messages) -> Inspect:
    if run.no_cache or messages.verbose:
        return inspect  # who wants to see what TensorFlow says wants it run
    from gradflow.audit.cache import Cache, default_folder

    return Cache(default_folder()).through(inspect)
