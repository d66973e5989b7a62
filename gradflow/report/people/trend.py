"""What has changed between two reports to text for people, or to JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from gradflow.findings.wire import encode
from gradflow.policy import Direction, Trend
from gradflow.report.people.diff import change_lines
from gradflow.report.people.lines import fold, joined, line
from gradflow.text import as_json, shown

SCHEMA = "gradflow-trend-1"
_STYLES = {Direction.WORSE: "bold red", Direction.BETTER: "bold green"}


def render(
    before: str, after: str, trends: Sequence[Trend], *, width: int, color: bool, show_all: bool
) -> str:
    """Return the trends as text of at most ``width`` columns, the worst first."""
    order = list(Direction)
    counts = [(one, sum(trend.direction is one for trend in trends)) for one in order]
    total = ", ".join(f"{count:,} {one.value}" for one, count in counts if count) or "no changes"
    lines: list[Text] = fold(
        line((f"{shown(before)} -> {shown(after)}", "bold"), f": {total}"), width, 4
    )
    for trend in sorted(trends, key=lambda trend: order.index(trend.direction)):
        detail = f": {shown(trend.detail)}" if trend.detail else ""
        head = line(
            (trend.direction.value, _STYLES.get(trend.direction, "bold")),
            f"  {shown(trend.path)}{detail}",
        )
        lines += [*([line()] if trend.changes or not lines[1:] else []), *fold(head, width, 4)]
        lines += change_lines(trend.changes, width=width, show_all=show_all)
    return joined(lines, color)


def render_json(before: str, after: str, trends: Sequence[Trend]) -> str:
    """Return ``{"schema", "before", "after", "models": [{"path", "direction", "detail",
    "changes"}]}``."""
    return (
        as_json(
            {
                "schema": SCHEMA,
                "before": before,
                "after": after,
                "models": [encode(one) for one in trends],
            }
        )
        + "\n"
    )
