"""A report and the name of a format in, the text of it out."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gradflow.cli.output import Target
from gradflow.findings import Anchor, Report

# Each renderer is imported where it is needed: a run that writes JSON never pays for rich.


def warming(progress: Callable[[str], None], formats: Iterable[str]) -> Callable[[str], None]:
    """``progress``; once a child process is at work, what writes a report is imported beside it."""
    modules = [f"gradflow.report.{format}" for format in formats]

    def told(stage: str) -> None:
        if modules:
            names = tuple(modules)
            modules.clear()
            threading.Thread(
                target=lambda: [importlib.import_module(name) for name in names], daemon=True
            ).start()
        progress(stage)

    return told


def rendered(
    report: Report,
    format: str,
    target: Target,
    *,
    show_all: bool,
    brief: bool,
    anchors: Mapping[str, Anchor],
) -> str:
    """Return ``report`` in ``format``, one of ``options.FORMATS``, as it is to stand in
    ``target``."""
    if format == "json":
        from gradflow.report import json

        return json.render(report)
    if format == "text":
        from gradflow.report import text

        return text.render(
            report,
            width=target.width,
            color=target.color,
            show_all=show_all,
            brief=brief,
            encoding=target.encoding,
        )
    if format == "markdown":
        from gradflow.report import markdown

        return markdown.render(report, encoding=target.encoding)
    return _anchored(report, format, target, anchors)


def _anchored(report: Report, format: str, target: Target, anchors: Mapping[str, Anchor]) -> str:
    from gradflow.report.anchors import anchors_below

    places = {**anchors_below(Path.cwd(), [model.path for model in report.models]), **anchors}
    if format == "sarif":
        from gradflow.report import sarif

        return sarif.render(report, anchors=places)
    if format == "junit":
        from gradflow.report import junit

        return junit.render(report, anchors=places, encoding=target.encoding)
    from gradflow.report import github

    return github.render(report, anchors=places, encoding=target.encoding)
