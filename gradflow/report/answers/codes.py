"""Answer ``gradflow explain`` and ``gradflow rules``: one code in full, or all as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.text import Text

from gradflow.catalogue import CodeEntry, Family
from gradflow.findings import Severity
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.people.lines import fold, joined, line
from gradflow.text import as_json
from gradflow.version import VERSION

SCHEMA = "gradflow-rules-1"

_STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}
_NARROWEST = 60


def render_explained(item: CodeEntry, layout: Layout = PLAIN) -> str:
    """Return one code in full as text of at most ``layout.width`` columns (60 at least), but for
    the lines of its example."""
    width = max(layout.width, _NARROWEST)
    lines = fold(line((f"{item.code} {item.kind}", "bold"), f": {item.title}"), width, 4)
    lines += [*fold(line("  ", (_standing(item), "dim")), width, 4), line()]
    lines += _paragraph("why", item.why, width)
    if item.example:
        is_python = not item.example.startswith("expect:")
        lines += [
            line(
                ("example", "bold"),
                " (with keras, tf and np imported)" if is_python else "",
                (":", "bold"),
            )
        ]
        lines += [line("    ", code) for code in item.example.splitlines()]
        lines += [line()]
    lines += _paragraph("fix", item.fix, width)
    lines += _paragraph("right when", item.right_when, width)
    return joined(lines[:-1], layout.color)


def render_table(items: Sequence[CodeEntry], layout: Layout = PLAIN) -> str:
    """Return a table of codes as text of at most ``layout.width`` columns (60 at least)."""
    return joined(_table_lines(items, max(layout.width, _NARROWEST)), layout.color)


def render_json(items: Sequence[CodeEntry], layout: Layout = PLAIN) -> str:
    """Return codes as JSON text.

    ``severity`` is null where the code says that nothing could be checked.
    """
    rules = [
        {
            "code": item.code,
            "kind": item.kind,
            "title": item.title,
            "severity": _severity(item),
            "why": item.why,
            "example": item.example,
            "fix": item.fix,
            "right_when": item.right_when,
        }
        for item in items
    ]
    tool = {"name": "gradflow", "version": VERSION}
    return as_json({"schema": SCHEMA, "tool": tool, "rules": rules}) + "\n"


EXPLANATION: Mapping[str, Callable[[CodeEntry, Layout], str]] = {
    "text": render_explained,
    "json": lambda item, layout: render_json([item], layout),
}
TABLE: Mapping[str, Callable[[Sequence[CodeEntry], Layout], str]] = {
    "text": render_table,
    "json": render_json,
}


def _severity(item: CodeEntry) -> str | None:
    return None if item.family is Family.FAILURES else item.severity.value


def _standing(item: CodeEntry) -> str:
    if item.family is Family.FAILURES:
        return "the model could not be checked: exit code 2"
    if item.family is Family.EXPECTATIONS:
        return "an error of gradflow check: exit code 1"
    if item.severity is Severity.NOTE:
        return "a note: nothing that --fail-on looks at"
    return (
        f"{'an error' if item.severity is Severity.ERROR else 'a warning'}: exit code 1 with "
        f"--fail-on {item.severity.value}"
    )


def _paragraph(head: str, words: str, width: int) -> list[Text]:
    return [*fold(line((f"{head}: ", "bold"), words), width, 4), line()]


def _table_lines(items: Sequence[CodeEntry], width: int) -> Iterator[Text]:
    kinds = max(len(item.kind) for item in items)
    yield line((f"{'code':<5}  {'kind':<{kinds}}  {'severity':<8}  meaning", "dim"))
    for item in items:
        word = _severity(item) or "failure"
        cells = (
            f"  {item.kind:<{kinds}}  ",
            (f"{word:<8}", _STYLES.get(word, "dim")),
            f"  {item.title}",
        )
        yield from fold(line((item.code, "bold"), *cells), width, 5 + 2 + kinds + 2 + 8 + 2)
