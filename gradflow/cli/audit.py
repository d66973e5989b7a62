"""``gradflow audit``: every model of a configuration, several at a time, in one report."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from gradflow.analysis.result import Progress, report_of
from gradflow.audit import Checked, Inspect, check_model, of_model
from gradflow.audit.run import Here, Runner, check_models
from gradflow.cli.judging import JUDGEMENT, anchors_of, baseline_of, exit_code
from gradflow.cli.models import audited, codes
from gradflow.cli.options import COLOR, FORMAT, TALK, report_targets, with_options
from gradflow.cli.output import CommandError, Stderr, command_errors, emit
from gradflow.cli.signals import orderly_end
from gradflow.config import ModelPlan
from gradflow.installed import DISTRIBUTION
from gradflow.policy import selected

_RUN = (
    click.option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 1000),
        help="Models at a time.  [default: one for each processor]",
    ),
    click.option(
        "--only",
        metavar="NAME",
        multiple=True,
        help="Only the model of that name or path, or pattern; repeatable.",
    ),
    click.option("--no-cache", is_flag=True, help="Analyse every model anew, and keep no result."),
    click.option(
        "--history",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Keep the report in DIR; gradflow diff shows what has changed between two.",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help=f"Run on the Dask cluster of that scheduler ({DISTRIBUTION}[dask]), whose workers see "
        "the paths.",
    ),
    click.option("--ship", is_flag=True, help="With --scheduler: send the models to the workers."),
    click.option(
        "--all",
        "show_all",
        is_flag=True,
        help="Text: leave nothing out: models that are fine too, and every variable.",
    ),
)


@click.command()
@click.argument("config", metavar="CONFIG", type=click.Path(dir_okay=False))
@with_options(_RUN, JUDGEMENT, FORMAT, COLOR, TALK)
@click.pass_context
def audit(context: click.Context, /, config: str, **given: Any) -> None:
    """Hold every model that CONFIG names against what is expected of it, several at a time, in one
    report.

    Each model has a process of its own: one that dies costs only itself. What is known of a model
    from an earlier run is used again where neither its files, its options nor any version has
    changed. Exit codes are those of check.
    """
    ignored, targets = codes(given["ignore"]), report_targets(given)
    plans = audited(Path(config), given["only"], given)
    baseline = baseline_of(given["baseline"])
    if given["ship"] and given["scheduler"] is None:
        raise CommandError(
            "--ship: the models are on this machine already; it goes with --scheduler ADDRESS"
        )
    from gradflow.cli.live_progress import Display  # rich, which a wrong option does without

    display = Display(
        [plan.name or plan.path for plan in plans], quiet=given["quiet"], verbose=given["verbose"]
    )
    done: dict[int, Checked] = {}
    ending: SystemExit | None = None
    with _runner(given) as runner:
        inspect = _cached(runner.inspect, given)

        def check(plan: ModelPlan, progress: Progress) -> Checked:
            known = None if baseline is None else of_model(baseline, plan)
            one = check_model(plan, date.today(), known, progress, inspect)
            return replace(one, model=selected(one.model, (), ignored))

        jobs = min(given["jobs"] or runner.jobs, len(plans))
        models = check_models(plans, jobs, check, display.stage, runner.stop)
        try:
            with orderly_end(), display:
                for place, one in models:
                    done[place] = one
                    display.finished(place, one)
        except SystemExit as stopped:
            ending = stopped
            models.close()
    checked = [done[place] for place in sorted(done)]
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    if ending is not None:
        stderr.remark(
            f"stopped: {len(done):,} of {len(plans):,} models are done; the next run goes on from "
            f"there"
        )
    report = report_of([(one.tool, one.model) for one in checked])
    if checked:
        emit(report, targets, show_all=given["show_all"], brief=True, anchors=anchors_of(plans))
    for remark in dict.fromkeys(one.remark for one in checked):
        stderr.remark(remark)
    if ending is not None:
        raise ending
    if given["history"] is not None:
        from gradflow.audit.history import keep

        with command_errors():
            keep(report, Path(given["history"]))
    stderr.judged("audit", [(one.model, one.is_broken) for one in checked])
    context.exit(exit_code(checked, exit_zero=given["exit_zero"]))


def _runner(given: dict[str, Any]) -> Runner:
    if given["scheduler"] is None:
        return Here()
    from gradflow.audit.cluster import Cluster

    with command_errors():
        return Cluster(given["scheduler"], ship=given["ship"])


def _cached(inspect: Inspect, given: dict[str, Any]) -> Inspect:
    if given["no_cache"] or given["verbose"]:
        return inspect  # who wants to see what TensorFlow says wants it run
    from gradflow.audit.cache import Cache, default_folder

    return Cache(default_folder()).through(inspect)
