"""Answer ``gradflow diff``: what has changed between two models, or between two reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.text import Text

from gradflow.findings.wire import encode
from gradflow.lazy_dataclass import dataclass
from gradflow.policy import ChangeKind, Direction, Trend, WeightChange
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.people.lines import Page, fold, joined, line, page_of
from gradflow.report.words import counted
from gradflow.text import as_json, encodable, shown

MODELS_SCHEMA = "gradflow-diff-1"
REPORTS_SCHEMA = "gradflow-trend-1"

_CHANGE_STYLES = {
    ChangeKind.LOST: "bold red",
    ChangeKind.FROZEN: "bold yellow",
    ChangeKind.UNFROZEN: "bold yellow",
}
_TREND_STYLES = {Direction.WORSE: "bold red", Direction.BETTER: "bold green"}
_MAX_NAMES = 12


@dataclass(frozen=True, slots=True)
class ModelDiff:
    """What has changed between two models."""

    before: str
    """Path."""
    after: str
    changes: tuple[WeightChange, ...]
    not_compared: tuple[str, ...]
    """Names of the weights whose gradient one of the two does not know."""


@dataclass(frozen=True, slots=True)
class ReportDiff:
    """What has changed between the models of two reports."""

    before: str
    """Path."""
    after: str
    trends: tuple[Trend, ...]


def render_models(diff: ModelDiff, layout: Layout = PLAIN) -> str:
    """Return the changes as text of at most ``layout.width`` columns (40 at least), by what has
    happened."""
    page, diff = page_of(layout), encodable(diff, layout.encoding)
    total = counted(len(diff.changes), "change") if diff.changes else "no changes"
    if diff.not_compared:
        total += (
            f", and the gradients of {counted(len(diff.not_compared), 'weight')} were not "
            f"compared: read without TensorFlow"
        )
    lines = [*_head(diff, total, page), *_change_lines(diff.changes, page)]
    return joined(lines, layout.color)


def render_models_json(diff: ModelDiff, layout: Layout = PLAIN) -> str:
    """Return ``{"schema", "before", "after", "changes": [{"kind", "name", "detail"}],
    "not_compared": [name]}``."""
    return as_json({"schema": MODELS_SCHEMA, **encode(diff)}) + "\n"


def render_reports(diff: ReportDiff, layout: Layout = PLAIN) -> str:
    """Return the trends as text of at most ``layout.width`` columns (40 at least), the worst
    first."""
    page, diff = page_of(layout), encodable(diff, layout.encoding)
    order = list(Direction)
    counts = [
        (direction, sum(trend.direction is direction for trend in diff.trends))
        for direction in order
    ]
    parts = [f"{count:,} {direction.value}" for direction, count in counts if count]
    lines = _head(diff, ", ".join(parts) or "no changes", page)
    for trend in sorted(diff.trends, key=lambda trend: order.index(trend.direction)):
        detail = f": {shown(trend.detail)}" if trend.detail else ""
        style = _TREND_STYLES.get(trend.direction, "bold")
        head = line((trend.direction.value, style), f"  {shown(trend.path)}{detail}")
        lines += [line()] if trend.changes or not lines[1:] else []
        lines += [*fold(head, page.width, 4), *_change_lines(trend.changes, page)]
    return joined(lines, layout.color)


def render_reports_json(diff: ReportDiff, layout: Layout = PLAIN) -> str:
    """Return ``{"schema", "before", "after", "models": [{"path", "direction", "detail",
    "changes"}]}``."""
    value = {
        "schema": REPORTS_SCHEMA,
        "before": diff.before,
        "after": diff.after,
        "models": encode(diff.trends),
    }
    return as_json(value) + "\n"


OF_MODELS: Mapping[str, Callable[[ModelDiff, Layout], str]] = {
    "text": render_models,
    "json": render_models_json,
}
OF_REPORTS: Mapping[str, Callable[[ReportDiff, Layout], str]] = {
    "text": render_reports,
    "json": render_reports_json,
}


def _head(diff: ModelDiff | ReportDiff, total: str, page: Page) -> list[Text]:
    paths = (f"{shown(diff.before)} -> {shown(diff.after)}", "bold")
    return fold(line(paths, f": {total}"), page.width, 4)


def _change_lines(changes: Sequence[WeightChange], page: Page) -> Iterator[Text]:
    """Draw the changes by what has happened, with the weights of each."""
    groups: dict[tuple[ChangeKind, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.detail), []).append(change.name)
    for kind, detail in sorted(groups, key=lambda group: list(ChangeKind).index(group[0])):
        names = groups[kind, detail]
        words = f" ({shown(detail)})" if detail else ""
        words += f": {counted(len(names), 'weight')}"
        yield line()
        yield from fold(line((kind.value, _CHANGE_STYLES.get(kind, "bold")), words), page.width, 4)
        fits = page.show_all or len(names) <= _MAX_NAMES
        listed = names if fits else names[: _MAX_NAMES - 1]
        for name in listed:
            yield from fold(line(f"    {shown(name)}"), page.width, 6)
        if len(listed) < len(names):
            yield line(f"    ... and {len(names) - len(listed):,} more (--all shows them)")
