"""Write reports to stdout or a file, and progress and the closing line to stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradflow.cli.streams import leave_stdout
from gradflow.errors import GradflowError
from gradflow.findings import Anchor, ModelReport, Report, Status
from gradflow.lazy_dataclass import dataclass
from gradflow.report.layout import Layout, columns
from gradflow.text import first_few, shown
from gradflow.whole_file import write_whole

if TYPE_CHECKING:
    from gradflow.policy import Trend


class CommandError(click.ClickException):
    """An option that cannot be used; click's own exit code would be 1, our word for findings."""

    exit_code = 2

    def format_message(self) -> str:
        """Return a line for each problem; the names in them can come from a file."""
        return "\n".join(shown(line) for line in self.message.split("\n"))


@contextmanager
def command_errors() -> Iterator[None]:
    """Turn what an option or a configuration names wrongly into a CommandError."""
    try:
        yield
    except GradflowError as error:
        hint = f": {error.hint}" if error.hint else ""
        raise CommandError(f"{error.message}{hint}") from error


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report goes, and how it may look there."""

    out: str | None
    """A file; None for stdout."""
    no_color: bool

    def layout(
        self,
        *,
        show_all: bool = False,
        show_ops: bool = False,
        brief: bool = False,
        anchors: Mapping[str, Anchor] | None = None,
        trends: Sequence[Trend] = (),
    ) -> Layout:
        """Return the layout of what is written there."""
        return Layout(
            width=columns(is_terminal=self._is_terminal),
            color=_color(self._is_terminal, self.no_color),
            show_all=show_all,
            show_ops=show_ops,
            brief=brief,
            encoding="utf-8" if self.out is not None else sys.stdout.encoding or "utf-8",
            anchors=anchors or {},
            trends=trends,
        )

    @property
    def _is_terminal(self) -> bool:
        return self.out is None and sys.stdout.isatty()

    def write(self, text: str) -> None:
        """Write ``text``.

        Raises:
            CommandError: it cannot be written.
        """
        try:
            if self.out is None:
                _to_stdout(text)
            else:
                write_whole(Path(self.out), text)
        except OSError as error:
            raise CommandError(
                f"{self.out or 'stdout'}: cannot be written: {error.strerror}"
            ) from error


def emit(
    report: Report,
    targets: Sequence[tuple[str, Target]],
    *,
    show_all: bool,
    show_ops: bool = False,
    brief: bool = False,
    anchors: Mapping[str, Anchor] | None = None,
    trends: Sequence[Trend] = (),
    with_map: bool = False,
) -> None:
    """Write ``report`` to each of ``targets``, a format and where it goes; the other arguments are
    those of ``Layout``, and ``with_map`` as in ``written``.

    All are rendered before the first is written, and one that cannot be written does not keep back
    the others.

    Raises:
        CommandError: one or more cannot be written.
    """
    from gradflow.report.anchors import anchors_below
    from gradflow.report.formats import written

    below = anchors_below(Path.cwd(), [model.path for model in report.models])
    texts = [
        written(
            report,
            format,
            target.layout(
                show_all=show_all,
                show_ops=show_ops,
                brief=brief,
                anchors={**below, **(anchors or {})},
                trends=trends,
            ),
            with_map=with_map,
        )
        for format, target in targets
    ]
    failures = []
    for text, (_, target) in zip(texts, targets, strict=True):
        try:
            target.write(text)
        except CommandError as error:
            failures.append(error.message)
    if failures:
        raise CommandError("; ".join(failures))


@dataclass(frozen=True, slots=True)
class Stderr:
    """What is written besides the report."""

    quiet: bool
    verbose: bool
    _remarks: set[str] = field(default_factory=set)
    _failures: set[str] = field(default_factory=set)

    @contextmanager
    def progress(self, path: str) -> Iterator[Callable[[str], None]]:
        """Show the stage of a running analysis on one line that is wiped at its end; nothing where
        piped."""
        if self.quiet or self.verbose or not sys.stderr.isatty():
            yield (
                (lambda stage: self._say(f"{path}: {stage}")) if self.verbose else (lambda _: None)
            )
            return

        def show(stage: str) -> None:
            columns = shutil.get_terminal_size().columns
            sys.stderr.write("\r\x1b[2K" + _progress(shown(path), stage, columns - 1))
            sys.stderr.flush()

        show("reading")
        try:
            yield show
        finally:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def remark(self, text: str) -> None:
        """Say how a report came about, where that is unusual; the same text of many models once."""
        if text and text not in self._remarks and not self.quiet:
            self._remarks.add(text)
            self._say(text)

    def remarks(self, *texts: str) -> None:
        """Say each of ``texts``, as ``remark`` does."""
        for text in texts:
            self.remark(text)

    def say(self, text: str) -> None:
        """Say ``text``, however often."""
        if not self.quiet:
            self._say(text)

    def failure(self, model: ModelReport) -> None:
        """Why a model could not be checked, in one line; nothing where a line of the progress has
        said it."""
        from gradflow.report.headline import headline

        text = headline(model)
        if text not in self._failures:
            self._say(text)

    def has_shown(self, model: ModelReport) -> None:
        """Note that a line of the progress has said what became of a model."""
        from gradflow.report.headline import headline

        self._failures.add(headline(model))

    def judged(self, command: str, models: Sequence[tuple[ModelReport, bool]]) -> None:
        """The one line that tells whether the build goes on, and which models hold it up."""
        from gradflow.report.accepted import accepted_count

        failed = [model.name or model.path for model, _ in models if model.status is Status.FAILED]
        broken = [
            model.name or model.path
            for model, is_broken in models
            if is_broken and model.status is not Status.FAILED
        ]
        as_expected = len(models) - len(failed) - len(broken)
        parts = [
            f"{as_expected:,} of {len(models):,} models as expected"
            if len(models) != 1
            else "as expected" * as_expected
        ]
        parts += [f"broken: {first_few(broken)}"] if broken else []
        parts += [f"not checked: {first_few(failed)}"] if failed else []
        parts += [accepted_count([model for model, _ in models])]
        if failed or broken or not self.quiet:
            self._say(f"{command}: " + "; ".join(part for part in parts if part))

    def closing(self, report: Report, *, on_screen: bool) -> None:
        """The one-line summary, and the errors where the report itself is not on the screen."""
        from gradflow.report.headline import summary_line

        if on_screen:
            return
        failed = [model for model in report.models if model.error is not None]
        for model in failed if len(report.models) > 1 else []:
            self.failure(model)
        if failed or not self.quiet:
            self._say(summary_line(report))

    def answer(self, text: str, *, failed: bool) -> None:
        """The answer in one line, where it is not on the screen."""
        if failed or not self.quiet:
            self._say(text)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the report and the exit code do not depend on it
            sys.stderr.write(f"gradflow: {shown(text)}\n")


def _to_stdout(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        leave_stdout()
        if not isinstance(error, BrokenPipeError):  # the reader, a pager or head, has seen enough
            raise


def _color(to_terminal: bool, no_color: bool) -> bool:
    """NO_COLOR and FORCE_COLOR as no-color.org and force-color.org define them: set and not
    empty."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    return to_terminal or bool(os.environ.get("FORCE_COLOR"))


def _progress(path: str, stage: str, columns: int) -> str:
    """One line of at most ``columns``: what happens is worth more than where a long path begins."""
    room = columns - len(f": {stage} ...")
    return f"{path if len(path) <= room else '...' + path[len(path) - room + 3 :]}: {stage} ..."[
        :columns
    ]
