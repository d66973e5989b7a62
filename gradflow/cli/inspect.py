"""``gradflow inspect``: analyse models and show what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

import click

from gradflow.analysis.result import report_of
from gradflow.cli.entries import LIST, show_entries
from gradflow.cli.exit_codes import exit_code, exit_zero_option, fail_on_option
from gradflow.cli.help import Command
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import (
    MODEL_PATH,
    Messages,
    ReportAnalysis,
    ReportOutput,
    option,
    with_options,
)
from gradflow.cli.output import Stderr, emit
from gradflow.cli.run import Done, Engine, Run, engine, fails
from gradflow.cli.selection import Selection, codes, counting
from gradflow.cli.signals import orderly_end
from gradflow.cli.watch import answers, refuse_unwatched, stamps_of
from gradflow.errors import UnreadableError
from gradflow.findings import ModelReport, Report, Severity
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.process.models import models_at
from gradflow.process.parent import Outcome
from gradflow.text import first_few

_WARM = 2
"""As of several models: the process that each analysis is copied from stays."""


@dataclass(frozen=True, slots=True)
class ExitCode(Selection):
    """Which findings count, and what the exit code makes of them."""

    fail_on: str | None = fail_on_option("Exit 1 when something this bad is found.")
    exit_zero: bool = exit_zero_option("With --fail-on: exit 0 instead of 1.")


@dataclass(frozen=True, slots=True)
class InspectRun(Run):
    """How models are analysed, and how often."""

    watch: bool = option(
        "--watch", is_flag=True, help="Analyse again after each change of a file, until Ctrl-C."
    )


@click.command(
    cls=Command,
    examples=(
        "gradflow inspect model.keras",
        "gradflow inspect exported/ --entry serving_default --report json=report.json",
    ),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=MODEL_PATH)
@with_options(
    output=ReportOutput,
    analysis=ReportAnalysis,
    exit_with=ExitCode,
    run=InspectRun,
    messages=Messages,
)
@click.pass_context
def inspect(
    context: click.Context,
    /,
    models: tuple[str, ...],
    output: ReportOutput,
    analysis: ReportAnalysis,
    exit_with: ExitCode,
    run: InspectRun,
    messages: Messages,
) -> None:
    """Run one real gradient step on each MODEL and show which weights it does not reach, and why.

    MODEL is a SavedModel folder, a .keras or a .h5 file, a folder of them, or a function of yours
    that returns a model, package.module:function. Exit code 0 whatever is found, unless --fail-on
    is given; 2 when a model could not be checked.
    """
    select, ignored = codes(exit_with.select), codes(exit_with.ignore)
    targets = output.targets()
    formats = [format for format, _ in targets]
    stderr = Stderr(messages.quiet, messages.verbose)
    asked = analysis.over(Options(), messages)
    options = output.over(asked)
    if options.entry == LIST:
        stderr.remark(analysis.remark_of_list())
        if exit_with.fail_on or exit_with.exit_zero or select or ignored:
            words = "--select, --ignore, --fail-on, --exit-zero"
            stderr.remark(f"{words}: no effect with --entry {LIST}")
        if run.watch:
            stderr.remark(f"--watch: no effect with --entry {LIST}")
        context.exit(show_entries(models_at(models).paths, options, targets))
    if exit_with.fail_on:
        # Its exit code is a judgement, as that of check.
        require_tensorflow(f"inspect --fail-on {exit_with.fail_on}", models, [options])
    remarks = [analysis.remark(options), output.remark(), analysis.remark_of_map(formats)]
    if exit_with.exit_zero and exit_with.fail_on is None:
        remarks.append("--exit-zero: no effect without --fail-on")
    stderr.remarks(*remarks)
    fail_on = Severity(exit_with.fail_on) if exit_with.fail_on else None

    def analysed(running: Engine | None = None) -> Done[Outcome]:
        found = models_at(models)
        stderr.remarks(*found.remarks)
        if running is not None:
            return running.inspected(found.paths, options, fail_on)
        with engine(len(found.paths), run, stderr, formats) as own:
            return own.inspected(found.paths, options, fail_on)

    def shown(done: Done[Outcome]) -> Report:
        report = report_of(
            [(outcome.tool, counting(outcome.model, select, ignored)) for outcome in done.results]
        )
        if done.results:
            emit(
                report,
                targets,
                show_all=output.show_all,
                show_ops=messages.verbose,
                with_map=asked.map,
            )
        done.whole()
        stderr.closing(report, on_screen=output.is_on_screen)
        return report

    if run.watch:
        _watch(models, analysed, shown, engine(_WARM, run, stderr, formats), stderr)
    judged = judged_by(shown(analysed()), exit_with.fail_on)
    context.exit(exit_code(judged, exit_zero=exit_with.exit_zero))


def _watch(
    models: Sequence[str],
    analysed: Callable[[Engine], Done[Outcome]],
    shown: Callable[[Done[Outcome]], object],
    running: AbstractContextManager[Engine],
    stderr: Stderr,
) -> NoReturn:
    """Show the report, and a new one after each change, until a signal ends it."""
    refuse_unwatched(models)
    with orderly_end(), running as warm:
        for done in answers(
            lambda: stamps_of(models), lambda: analysed(warm), lambda done: _is_unread(done)
        ):
            shown(done)
            stderr.say(f"watching {first_few(models)}: Ctrl-C ends it")
    raise AssertionError("answers never end")


def _is_unread(done: Done[Outcome]) -> bool:
    """Whether a model could not be read: it may still be written to."""
    errors = [outcome.model.error for outcome in done.whole()]
    return any(error is not None and error.code == UnreadableError.code for error in errors)


def judged_by(report: Report, fail_on: str | None) -> Iterator[tuple[ModelReport, bool]]:
    """Return each model, and whether something as bad as ``fail_on`` is found in it."""
    for model in report.models:
        yield model, fails(model, None if fail_on is None else Severity(fail_on))
