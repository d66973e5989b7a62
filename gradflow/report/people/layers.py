"""Group variables into one row per layer, or one per family of numbered layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from gradflow.findings import Role, Variable
from gradflow.report.people.lines import Page, fold, line
from gradflow.report.words import counted
from gradflow.text import shown

_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_RUNS = 24


@dataclass(frozen=True, slots=True)
class LayerRow:
    """The weights of one layer, or of several whose names differ in one number only."""

    layer: str
    """The layer's name, for several ``encoder/block_{0..11}/query``; the variable's own name where
    it has no layer."""
    leaves: tuple[str, ...]
    """Names of the weights within the layer; empty where it has no layer."""
    layers: int
    weights: int
    frozen: int
    parameters: int


def by_layer(variables: Iterable[Variable]) -> list[LayerRow]:
    """Return one row per layer, in order of appearance."""
    groups: dict[tuple[str, bool], list[Variable]] = {}
    for variable in variables:
        # A variable without a layer is a row of its own.
        key = (variable.name, False) if variable.layer is None else (variable.layer, True)
        groups.setdefault(key, []).append(variable)
    return [
        LayerRow(
            layer=shown(name),
            leaves=tuple(shown(v.name.removeprefix(f"{name}/")) for v in members) if owned else (),
            layers=1,
            weights=len(members),
            frozen=sum(v.role is Role.WEIGHT and not v.trainable for v in members),
            parameters=sum(v.parameters for v in members),
        )
        for (name, owned), members in groups.items()
    ]


def merge_numbered(rows: Sequence[LayerRow]) -> list[LayerRow]:
    """Merge the rows whose names differ in one number and that hold the same weights."""
    families: dict[tuple[str, tuple[str, ...]], list[LayerRow]] = {}
    for row in rows:
        families.setdefault((_NUMBER.sub("0", row.layer), row.leaves), []).append(row)
    return [merged for family in families.values() for merged in _merge_family(family)]


def totals(rows: Sequence[LayerRow]) -> str:
    """``4 weights in 2 layers, 84 parameters``."""
    weights = counted(sum(row.weights for row in rows), "weight")
    layers = (
        f" in {counted(sum(row.layers for row in rows), 'layer')}"
        if all(row.leaves for row in rows)
        else ""
    )
    return f"{weights}{layers}, {counted(sum(row.parameters for row in rows), 'parameter')}"


def listed(rows: Sequence[LayerRow], limit: int) -> str:
    """Return the names of at most ``limit`` layers: ``left/dense_{0..1}, router and 3 more
    layers``."""
    visible = rows if len(rows) <= limit + 1 else rows[:limit]
    rest = rows[len(visible) :]
    return ", ".join(row.layer for row in visible) + (f" and {_more(rest)}" if rest else "")


def layer_lines(
    variables: Sequence[Variable],
    page: Page,
    indent: int,
    limit: int,
    *,
    total: bool = False,
    tag_frozen: bool = True,
) -> list[Text]:
    """Draw weights, grouped by layer; with ``show_all`` each layer on its own.

    ``total`` adds a line with the sum of all rows, where there are several; ``tag_frozen`` says
    which are frozen.
    """
    rows = by_layer(variables)
    if not tag_frozen:
        rows = [replace(row, frozen=0) for row in rows]
    if not page.show_all:
        rows = merge_numbered(rows)
    visible = rows if page.show_all or len(rows) <= limit + 1 else rows[:limit]
    rest = rows[len(visible) :]
    lines = (
        fold(line(" " * (indent - 2), totals(rows)), page.width, indent)
        if total and len(rows) > 1
        else []
    )
    lines += _columns(visible, page, indent)
    if rest:
        words = line(" " * indent, (f"... and {_more(rest)} (--all shows them)", "dim"))
        lines += fold(words, page.width, indent + 2)
    return lines


def _more(rows: Sequence[LayerRow]) -> str:
    number = sum(row.layers for row in rows)
    return counted(number, "more layer" if all(row.leaves for row in rows) else "more weight")


def _merge_family(family: list[LayerRow]) -> list[LayerRow]:
    if len(family) < 2:
        return family
    numbers = [_NUMBER.findall(row.layer) for row in family]
    varying = [
        index for index, values in enumerate(zip(*numbers, strict=True)) if len(set(values)) > 1
    ]
    if len(varying) == 1:
        return [_merged(family, varying[0])]
    # Two numbers vary, as in stage_1/block_2: keep the first one apart and merge over the others.
    parts: dict[str, list[LayerRow]] = {}
    for row, values in zip(family, numbers, strict=True):
        parts.setdefault(values[varying[0]], []).append(row)
    return [merged for part in parts.values() for merged in _merge_family(part)]


def _merged(family: list[LayerRow], number: int) -> LayerRow:
    matches = list(_NUMBER.finditer(family[0].layer))
    values = sorted((_NUMBER.findall(row.layer)[number] for row in family), key=int)
    start, end = matches[number].span()
    name = family[0].layer
    return LayerRow(
        layer=f"{name[:start]}{{{_ranges(values)}}}{name[end:]}",
        leaves=family[0].leaves,
        layers=sum(row.layers for row in family),
        weights=sum(row.weights for row in family),
        frozen=sum(row.frozen for row in family),
        parameters=sum(row.parameters for row in family),
    )


def _ranges(values: list[str]) -> str:
    runs: list[list[str]] = []
    for value in values:
        if runs and int(value) == int(runs[-1][-1]) + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    if len(runs) > _MAX_RUNS:
        return f"{len(values)} of {values[0]}..{values[-1]}"
    return ",".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def _columns(rows: Sequence[LayerRow], page: Page, indent: int) -> list[Text]:
    for counts in (_counts_in_full, _counts_in_short):
        cells = [(row.layer, ", ".join(row.leaves), counts(row)) for row in rows]
        first, second, third = (
            max((cell_len(cell[column]) for cell in cells), default=0) for column in range(3)
        )
        second += 2 if second else 0
        if indent + first + 2 + second + third <= page.width:
            break
    if indent + 12 + second + third > page.width:
        return [text for cell in cells for text in _stacked(cell, page, indent)]
    first = min(first, page.width - indent - 2 - second - third)
    lines: list[Text] = []
    for layer, leaves, words in cells:
        rest = (_pad(leaves, second), (words, "dim"))
        if cell_len(layer) <= first:
            lines.append(line(" " * indent, (_pad(layer, first + 2), "bold"), *rest))
        else:
            # A name wider than its column stands above its own row.
            lines += fold(line(" " * indent, (layer, "bold")), page.width, indent + 2)
            lines.append(line(" " * (indent + first + 2), *rest))
    return lines


def _stacked(cell: tuple[str, str, str], page: Page, indent: int) -> list[Text]:
    layer, leaves, words = cell
    detail = line(" " * (indent + 2), f"{leaves}  " if leaves else "", (words, "dim"))
    name = fold(line(" " * indent, (layer, "bold")), page.width, indent + 2)
    return [*name, *fold(detail, page.width, indent + 4)]


def _counts_in_full(row: LayerRow) -> str:
    return f"{counted(row.weights, 'weight')}, {counted(row.parameters, 'parameter')}{_frozen(row)}"


def _counts_in_short(row: LayerRow) -> str:
    return f"{counted(row.weights, 'weight')}{_frozen(row)}"


def _frozen(row: LayerRow) -> str:
    if not row.frozen:
        return ""
    return ", frozen" if row.frozen == row.weights else f", {row.frozen:,} frozen"


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
