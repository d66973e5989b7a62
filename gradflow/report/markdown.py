"""Write a report as Markdown, to be the comment of a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gradflow.findings import Cause, Expectation, Finding, ModelReport, Report, Severity, Variable
from gradflow.report.accepted import groups_of, name_of, number_accepted
from gradflow.report.finding_line import located, remedy, snippet
from gradflow.report.headline import STANDINGS, standing, statement, summary_line, title
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.markdown_escape import code, fence, prose, summary
from gradflow.report.model_parts import (
    Danger,
    behind,
    by_name,
    by_severity,
    dangers,
    end_of_way,
    is_about_flags,
    is_itemized,
    objective_line,
)
from gradflow.report.people.layers import by_layer, stretches, totals
from gradflow.report.people.lines import Page, page_of
from gradflow.report.people.path_picture import draw, known_cuts
from gradflow.report.words import counted
from gradflow.text import encodable, shown

_LIMIT = 60_000
"""Bytes: GitHub takes 65,536 characters, and whoever posts the comment may add some of their
own."""
_TABLE_SHARE = _LIMIT // 3
_MAX_LAYERS = 8
_WIDTH = 100


@dataclass(slots=True)
class _Comment:
    """What is written so far."""

    encoding: str
    blocks: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, block: str, limit: int) -> bool:
        """Append a block and an empty line, if it fits."""
        size = self.length(block) + 2
        if self.size + size > limit:
            return False
        self.blocks.append(block)
        self.size += size
        return True

    def length(self, text: str) -> int:
        """Bytes of ``text`` as it will be written."""
        return len(encodable(text, self.encoding).encode(self.encoding))


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the comment: a table of the models, and for each a section that opens with a click.

    At most 60,000 bytes: what does not fit is counted at the end.
    """
    page = page_of(Layout(_WIDTH, encoding=layout.encoding, show_ops=layout.show_ops))
    comment = _Comment(layout.encoding)
    comment.add(f"### gradflow: {_title(report)}", _LIMIT)
    models = sorted(report.models, key=lambda model: STANDINGS.index(standing(model)))
    rows = _table(models, comment)
    left_out = Counter({"model": len(models) - rows})
    for model in models:
        _details(model, page, comment, left_out)
    if any(left_out.values()):
        parts = [counted(number, noun) for noun, number in left_out.items() if number]
        comment.blocks.append(
            f"*Left out, to keep this short: {', '.join(parts)}. The other formats hold "
            f"everything.*"
        )
    text = "".join(f"{block}\n\n" for block in comment.blocks).rstrip("\n") + "\n"
    return encodable(text, layout.encoding)


def _title(report: Report) -> str:
    if len(report.models) == 1:
        return prose(standing(report.models[0]))
    return summary_line(report)


def _table(models: Sequence[ModelReport], comment: _Comment) -> int:
    """Add the table, and return the number of models in it: all for which there is room."""
    if not models:
        return 0
    with_expectations = any(_judged(model) for model in models)
    head = ["model", "verdict", *(["expectations"] if with_expectations else [])]
    lines = [_row(head), _row(["---"] * len(head))]
    room = _TABLE_SHARE
    for model in models:
        cells = [title(model, code), _verdict(model)]
        cells += [_tally(_judged(model))] if with_expectations else []
        room -= comment.length(_row(cells)) + 1
        if room < 0:
            break
        lines.append(_row(cells))
    comment.add("\n".join(lines), _LIMIT)
    return len(lines) - 2


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _verdict(model: ModelReport) -> str:
    if model.error is not None:
        return f"could not be checked ({shown(model.error.code)})"
    return prose(statement(model))


def _tally(expectations: Sequence[Expectation]) -> str:
    counts = Counter(expectation.status.value for expectation in expectations)
    return ", ".join(f"{number:,} {prose(status)}" for status, number in counts.items())


def _details(model: ModelReport, page: Page, comment: _Comment, left_out: Counter[str]) -> None:
    """Add the section of one model, finding by finding as long as there is room; none where there
    is nothing to say."""
    parts = list(_parts(model, page))
    if not parts:
        return
    opening = f"<details><summary>{title(model, summary)}: {', '.join(_counts(model))}</summary>"
    closing = "</details>"
    limit = _LIMIT - len(closing) - 2
    placed = [False] * len(parts)
    if comment.add(opening, limit - 200):
        placed = [comment.add(text, limit) for _, text in parts]
        comment.add(closing, _LIMIT)
    left_out.update(noun for (noun, _), fits in zip(parts, placed, strict=True) if not fits)


def _counts(model: ModelReport) -> Iterator[str]:
    if model.error is not None:
        yield "could not be checked"
    for severity in Severity:
        number = sum(finding.severity is severity for finding in model.open_findings)
        if number:
            yield counted(number, severity.value)
    if model.accepted_findings:
        yield f"{number_accepted([model]):,} accepted"
    not_kept = sum(not expectation.is_kept for expectation in _judged(model))
    if not_kept:
        yield f"{not_kept:,} of {counted(len(model.expectations), 'expectation')} not kept"
    elif _judged(model):
        yield f"{counted(len(model.expectations), 'expectation')} kept"


def _parts(model: ModelReport, page: Page) -> Iterator[tuple[str, str]]:
    """Yield the parts of a model's section, each with the noun that counts it if it is left out."""
    if is_itemized(model):
        for danger in dangers(model):
            yield "finding", _danger(danger)
        return
    if model.error is not None:
        fix = f"\n\nfix: {prose(model.error.hint)}" if model.error.hint else ""
        yield "failure", f"**{shown(model.error.code)}** {prose(model.error.message)}{fix}"
    if objective_line(model) and (model.unused_loss or model.findings or _judged(model)):
        yield "objective", f"objective: {prose(objective_line(model))}"
    model_variables, cuts = by_name(model), known_cuts(model)
    for finding in by_severity(model):
        variables = behind(finding, model_variables)
        yield "finding", "\n\n".join(_finding(finding, variables, cuts, model, page))
    if _judged(model):
        yield "list of expectations", "\n".join(_expectation_lines(_judged(model)))
    if model.accepted_findings:
        yield "list of accepted findings", "\n".join(_accepted_lines(model))


def _accepted_lines(model: ModelReport) -> Iterator[str]:
    for group in groups_of([model]):
        counts = Counter(finding.code for finding in group.findings)
        codes = ", ".join(
            f"{number:,} {shown(name)}" if number > 1 else shown(name)
            for name, number in counts.items()
        )
        reason = group.acceptance.reason if group.acceptance.by != "ignore" else ""
        words = f": {prose(reason)}" if reason else ""
        yield f"- accepted {codes} by {code(name_of(group.acceptance))}{words}"


def _danger(danger: Danger) -> str:
    total = len(danger.locations)
    listed = danger.locations if total <= _MAX_LAYERS + 1 else danger.locations[:_MAX_LAYERS]
    more = f" and {total - len(listed):,} more" if len(listed) < total else ""
    locations = (
        f"\n\n{counted(total, 'place')}: {', '.join(map(prose, listed))}{more}" if listed else ""
    )
    return f"**error GF902** {prose(danger.description)}{locations}\n\nfix: {prose(danger.hint)}"


def _finding(
    finding: Finding,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    model: ModelReport,
    page: Page,
) -> Iterator[str]:
    source = finding.cause.source if finding.cause else None
    position = f" ({code(source)})" if source and source not in finding.message else ""
    yield f"**{finding.severity.value} {shown(finding.code)}** {prose(located(finding))}{position}"
    rows = stretches(by_layer(variables), _MAX_LAYERS)
    if rows:
        listed = rows if len(rows) <= _MAX_LAYERS + 1 else rows[:_MAX_LAYERS]
        rest = sum(row.layers for row in rows[len(listed) :])
        more = f" and {counted(rest, 'more layer')}" if rest else ""
        yield f"{totals(rows)}: {', '.join(code(row.layer) for row in listed)}{more}"
    if finding.cause and finding.severity is not Severity.NOTE and not is_about_flags(finding):
        picture = draw(finding, variables, cuts, end_of_way(model, finding), page)
        if picture:
            yield fence([line.plain.rstrip() for line in picture])
    fix = remedy(finding)
    if fix and finding.severity is not Severity.NOTE:
        yield f"fix: {prose(fix)}"
        if pasted := snippet(finding.cause, fix):
            yield fence(pasted)


def _judged(model: ModelReport) -> Sequence[Expectation]:
    """Return the expectations that were checked: none where the model could not be."""
    return model.expectations if model.error is None else ()


def _expectation_lines(expectations: Sequence[Expectation]) -> Iterator[str]:
    for expectation in expectations:
        if not expectation.is_kept:
            word = prose(expectation.status.value)
            yield f"- **{word}** {prose(expectation.kind)}: {code(expectation.pattern)}"
    expected = [
        f"{prose(expectation.kind)}: {code(expectation.pattern)}"
        for expectation in expectations
        if expectation.is_kept
    ]
    if expected:
        hidden = len(expected) - _MAX_LAYERS
        more = f" and {hidden:,} more" if hidden > 0 else ""
        yield f"- kept {', '.join(expected[:_MAX_LAYERS])}{more}"
