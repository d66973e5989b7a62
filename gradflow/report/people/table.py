"""Draw a table of all variables of a model."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from gradflow.findings import ModelReport, Role, Variable, Verdict
from gradflow.report.model_parts import untracked
from gradflow.report.people.lines import Page, fold, lay_out, line
from gradflow.text import shown

_STYLES = {
    Verdict.FLOWS: "green",
    Verdict.NONE: "red",
    Verdict.ZERO: "yellow",
    Verdict.NONFINITE: "red",
    Verdict.UNKNOWN: "dim",
}


def table_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw name, shape, verdict, trainable, norm, share of zeros and rows touched, weights before
    state."""
    variables = sorted(model.variables, key=lambda variable: variable.role is Role.STATE)
    if not variables:
        return []
    heads = ["variable", "shape", "verdict", "trainable", "norm", "zeros", "rows"]
    loose = untracked(model)
    body = [
        _cells(variable, "untracked" if variable.name in loose else "frozen")
        for variable in variables
    ]
    used = [
        column for column in range(1, len(heads)) if column < 4 or any(row[column] for row in body)
    ]
    widths = {column: max(cell_len(row[column]) for row in [heads, *body]) for column in used}
    room = page.width - 2 - sum(2 + width for width in widths.values())
    name = min(max(cell_len(row[0]) for row in [heads, *body]), max(room, 16))
    lines = _row(heads, widths, name, page, style="dim")
    for variable, row in zip(variables, body, strict=True):
        style = "dim" if variable.role is Role.STATE else _STYLES[variable.verdict]
        lines += _row(row, widths, name, page, style=style)
    return lines


def _cells(variable: Variable, still: str) -> list[str]:
    gradient = variable.gradient
    state = variable.role is Role.STATE
    rows = gradient.rows_touched if gradient else None
    return [
        shown(variable.name),
        "x".join("?" if size is None else str(size) for size in variable.shape) or "scalar",
        "state" if state else variable.verdict.value,
        "" if state else "yes" if variable.trainable else still,
        f"{gradient.norm:.3g}" if gradient and gradient.norm is not None else "",
        _share(gradient.zero_fraction) if gradient else "",
        ""
        if rows is None
        else f"{rows:,} of {variable.shape[0]:,}"
        if variable.shape and variable.shape[0]
        else f"{rows:,}",
    ]


def _share(fraction: float) -> str:
    if fraction in (0, 1):
        return f"{fraction:.0%}"
    return f"{min(max(fraction, 0.001), 0.999):.1%}"  # neither 0 % nor 100 % unless it is


def _row(
    cells: Sequence[str],
    widths: dict[int, int],
    name: int,
    page: Page,
    *,
    style: str,
) -> list[Text]:
    right = (4, 5, 6)  # numbers stand at the right edge of their column
    parts: list[str | tuple[str, str]] = []
    for column, width in widths.items():
        padding = " " * (width - cell_len(cells[column]))
        text = padding + cells[column] if column in right else cells[column] + padding
        parts += ["  ", (text, style) if column == 2 or style == "dim" else text]
    if cell_len(cells[0]) <= name:
        return fold(line("  ", cells[0], " " * (name - cell_len(cells[0])), *parts), page.width, 4)
    # A name wider than its column stands above its own values.
    return [
        *lay_out(line("  ", cells[0]), page, 4),
        *fold(line("  ", " " * name, *parts), page.width, 4),
    ]
