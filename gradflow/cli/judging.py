"""Judge models as ``check`` and ``audit`` both do: the options, the run, the report, the exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from gradflow.analysis.result import report_of
from gradflow.audit.baseline_file import of_model, read_baseline
from gradflow.audit.check_model import Checked, check_model
from gradflow.cli.exit_codes import exit_code, exit_zero_option, fail_on_option
from gradflow.cli.options import ReportOutput, option
from gradflow.cli.output import Stderr, command_errors, emit
from gradflow.cli.run import Engine
from gradflow.cli.selection import Selection, codes
from gradflow.config import ModelPlan
from gradflow.findings import Anchor, Report
from gradflow.lazy_dataclass import dataclass
from gradflow.policy import Snapshot, Trend, selected, since, trends
from gradflow.progress import Progress


@dataclass(frozen=True, slots=True)
class Judgement(Selection):
    """Which findings count, and what the exit code makes of them."""

    baseline: str | None = option(
        "--baseline",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Accept what is in FILE (gradflow baseline): only what is new counts.",
    )
    fail_on: str | None = fail_on_option(
        "The lowest severity that breaks the build.  [default: warning]"
    )
    exit_zero: bool = exit_zero_option("Exit 0 instead of 1.")


def judge_models(
    context: click.Context,
    plans: Sequence[ModelPlan],
    running: AbstractContextManager[Engine],
    judgement: Judgement,
    output: ReportOutput,
    stderr: Stderr,
    history: History | None = None,
) -> None:
    """Compare the models of ``plans`` with what is expected of them, report, and exit.

    ``running`` is what analyses them; ``history`` takes the report of a run that came to its end.
    """
    ignored, targets = codes(judgement.ignore), output.targets()
    with_map = any(plan.options.map for plan in plans)
    plans = [replace(plan, options=output.over(plan.options)) for plan in plans]
    baseline = baseline_of(judgement.baseline)
    for plan in plans if baseline is not None else ():
        if of_model(baseline or {}, plan) is None:
            stderr.remark(
                f"{plan.path}: is not in {judgement.baseline}; all its findings count as new"
            )

    with running as engine:

        def check(plan: ModelPlan, progress: Progress) -> Checked:
            accepted = None if baseline is None else of_model(baseline, plan)
            result = check_model(plan, date.today(), accepted, progress, engine.inspect)
            return replace(result, model=selected(result.model, (), ignored))

        done = engine.checked(plans, check)
    report = report_of([(result.tool, result.model) for result in done.results])
    if done.results:
        emit(
            report,
            targets,
            show_all=output.show_all,
            show_ops=stderr.verbose,
            brief=len(plans) > 1,
            anchors=anchors_of(plans),
            trends=history.trends(report) if history else _since_baseline(done.results, baseline),
            with_map=with_map,
        )
    judged = [(result.model, result.is_broken) for result in done.whole()]
    if history:
        history.keep(report)
    stderr.judged(context.info_name or "check", judged)
    context.exit(exit_code(judged, exit_zero=judgement.exit_zero))


@dataclass(frozen=True, slots=True)
class History:
    """The folder that keeps the report of each run."""

    folder: Path

    def trends(self, report: Report) -> Sequence[Trend]:
        """Return what has changed since the run before.

        Raises:
            CommandError: what is kept of it is not a report.
        """
        from gradflow.audit.history import latest

        with command_errors():
            before = latest(self.folder)
        return () if before is None else trends(before, report)

    def keep(self, report: Report) -> None:
        """Keep a report beside the others.

        Raises:
            CommandError: it cannot be written.
        """
        from gradflow.audit.history import keep

        with command_errors():
            keep(report, self.folder)


def _since_baseline(
    results: Sequence[Checked], baseline: Mapping[str, Snapshot] | None
) -> Sequence[Trend]:
    """Return what has changed since the baseline was taken."""
    changed = (
        since(before, result.model)
        for result in results
        if (before := of_model(baseline or {}, result.plan)) is not None
    )
    return [trend for trend in changed if trend is not None]


def anchors_of(plans: Sequence[ModelPlan]) -> dict[str, Anchor]:
    """Find the line of the configuration that names each model; findings are shown there."""
    return {plan.name or plan.path: plan.anchor for plan in plans if plan.anchor is not None}


def baseline_of(path: str | None) -> Mapping[str, Snapshot] | None:
    """Read the baseline in a file; None where no file is given.

    Raises:
        CommandError: it is not a baseline.
    """
    if path is None:
        return None
    with command_errors():
        return read_baseline(Path(path))
