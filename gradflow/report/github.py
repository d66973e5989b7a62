"""Write a report as GitHub workflow commands: one annotation for each finding."""

from __future__ import annotations

from collections.abc import Iterator

from gradflow.findings import Anchor, Failure, ModelReport, Report, Severity
from gradflow.report.accepted import accepted_count
from gradflow.report.anchors import anchor_of, portable
from gradflow.report.finding_line import remedy, sentence, title
from gradflow.report.headline import headline
from gradflow.report.headline import title as title_of
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.model_parts import behind, by_name, by_severity, is_itemized
from gradflow.text import encodable, shown

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the commands, a line each; empty where there is nothing to say.

    GitHub shows the first ten errors, warnings and notices of a step, so the worst findings of a
    model come first.
    """
    commands = [
        command
        for model in report.models
        for command in _commands(model, anchor_of(model, layout.anchors))
    ]
    return encodable("".join(f"{command}\n" for command in commands), layout.encoding)


def _commands(model: ModelReport, anchor: Anchor) -> Iterator[str]:
    if model.error is not None and not is_itemized(model):
        yield _failure(model, model.error, anchor)
    variables = by_name(model)
    for finding in by_severity(model):
        lines = [f"{title_of(model)}: {sentence(finding, behind(finding, variables))}"]
        fix = remedy(finding)
        lines += [f"fix: {fix}"] if fix else []
        yield _command(_COMMANDS[finding.severity], anchor, title(finding.code), lines)
    if accepted := accepted_count([model]):
        yield _command("notice", anchor, "accepted", [f"{title_of(model)}: {accepted}"])


def _failure(model: ModelReport, failure: Failure, anchor: Anchor) -> str:
    return _command("error", anchor, title(failure.code), [headline(model)])


def _command(command: str, anchor: Anchor, title: str, lines: list[str]) -> str:
    """Write a command as @actions/core does (packages/core/src/command.ts): data and
    properties are escaped in two ways."""
    properties = {"file": shown(portable(anchor.path)), "line": anchor.line, "title": title}
    parameters = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items() if value
    )
    message = "\n".join(lines).translate(_DATA)
    return f"::{command} {parameters}::{message}"
