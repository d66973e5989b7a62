"""What has changed between two models to text for people, or to JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from gradflow.findings.wire import encode
from gradflow.policy import ChangeKind, WeightChange
from gradflow.report.people.lines import fold, joined, line
from gradflow.report.words import counted
from gradflow.text import as_json, shown

SCHEMA = "gradflow-diff-1"
_STYLES = {
    ChangeKind.LOST: "bold red",
    ChangeKind.FROZEN: "bold yellow",
    ChangeKind.UNFROZEN: "bold yellow",
}
_SHOWN = 12


def render(
    before: str,
    after: str,
    changes: Sequence[WeightChange],
    not_compared: Sequence[str],
    *,
    width: int,
    color: bool,
    show_all: bool,
) -> str:
    """Return the changes as text of at most ``width`` columns, by what has happened."""
    total = counted(len(changes), "change") if changes else "no changes"
    if not_compared:
        total += (
            f", and the gradients of {counted(len(not_compared), 'weight')} were not "
            f"compared: read without TensorFlow"
        )
    lines: list[Text] = fold(
        line((f"{shown(before)} -> {shown(after)}", "bold"), f": {total}"), width, 4
    )
    return joined([*lines, *change_lines(changes, width=width, show_all=show_all)], color)


def change_lines(changes: Sequence[WeightChange], *, width: int, show_all: bool) -> list[Text]:
    """Draw the changes by what has happened, with the weights of each."""
    lines: list[Text] = []
    groups: dict[tuple[ChangeKind, str], list[str]] = {}
    for one in changes:
        groups.setdefault((one.kind, one.detail), []).append(one.name)
    for kind, detail in sorted(groups, key=lambda group: list(ChangeKind).index(group[0])):
        names = groups[kind, detail]
        about = f" ({shown(detail)})" if detail else ""
        head = line(
            (kind.value, _STYLES.get(kind, "bold")), f"{about}: {counted(len(names), 'weight')}"
        )
        lines += [line(), *fold(head, width, 4)]
        listed = names if show_all or len(names) <= _SHOWN else names[: _SHOWN - 1]
        for name in listed:
            lines += fold(line(f"    {shown(name)}"), width, 6)
        if len(listed) < len(names):
            lines.append(line(f"    ... and {len(names) - len(listed):,} more (--all shows them)"))
    return lines


def render_json(
    before: str, after: str, changes: Sequence[WeightChange], not_compared: Sequence[str]
) -> str:
    """Return ``{"schema", "before", "after", "changes": [{"kind", "name", "detail"}],
    "not_compared": [name]}``.

    ``not_compared`` are the weights whose gradient one of the two does not know.
    """
    found = {"changes": [encode(one) for one in changes], "not_compared": list(not_compared)}
    value = {"schema": SCHEMA, "before": before, "after": after, **found}
    return as_json(value) + "\n"
