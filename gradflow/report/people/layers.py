"""Group variables into rows in the order of the model: a layer each, or a block of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby, takewhile

from rich.cells import cell_len
from rich.text import Text

from gradflow.findings import Role, Variable
from gradflow.lazy_dataclass import dataclass
from gradflow.report.people.lines import Page, fold, lay_out, line
from gradflow.report.words import counted
from gradflow.text import shown

_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_RUNS = 24
_WORD = re.compile(r"[^/_]+[/_]?|[/_]")
"""A part of the name of a layer, with the sign behind it: ``block4a_``, ``encoder/``."""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """The weights of one layer, or of several that follow each other and whose names begin
    alike."""

    layer: str
    """The layer's name, for several ``dense_{0..3}`` or ``block4a_*``; the variable's own name
    where it has no layer."""
    leaves: tuple[str, ...]
    """Names of the weights within the layer; empty where it has no layer, and of a block of
    layers."""
    layers: int
    weights: int
    frozen: int
    parameters: int
    has_layer: bool = True


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
            has_layer=owned,
        )
        for (name, owned), members in groups.items()
    ]


def stretches(rows: Sequence[LayerRow], limit: int) -> list[LayerRow]:
    """Join rows that follow each other, in their order.

    Layers whose names differ in one number are one row. Where that leaves more than ``limit`` rows,
    layers whose names begin alike are one row too, so far as it takes: the blocks of a model.
    """
    joined: list[LayerRow] = []
    for _, run in groupby(rows, key=lambda row: (_NUMBER.sub("0", row.layer), row.leaves)):
        joined += _merge_family(list(run))
    return joined if len(joined) <= limit + 1 else _blocks(joined, limit)


def _blocks(rows: Sequence[LayerRow], limit: int) -> list[LayerRow]:
    """Split ``rows`` by the first words of their names, and these by the next words, as long as
    there are at most ``limit`` blocks."""
    blocks = [(list(run), 1) for _, run in groupby(rows, key=lambda row: _words(row)[0])]
    number = 0
    while number < len(blocks):
        block, depth = blocks[number]
        parts = [(list(run), depth + 1) for _, run in groupby(block, key=_word_at(depth))]
        if len(block) > 1 and len(blocks) - 1 + len(parts) <= limit:
            blocks[number : number + 1] = parts
            number = 0
        else:
            number += 1
    return [_joined(block) for block, _ in blocks]


def _words(row: LayerRow) -> list[str]:
    return [match[0] for match in _WORD.finditer(row.layer)] or [""]


def _word_at(depth: int) -> Callable[[LayerRow], str]:
    return lambda row: "".join(_words(row)[depth : depth + 1])


def _joined(block: Sequence[LayerRow]) -> LayerRow:
    if len(block) == 1:
        return block[0]
    words = [_words(row) for row in block]
    alike = [column[0] for column in takewhile(_is_one, zip(*words, strict=False))]
    nexts = dict.fromkeys(row[len(alike)] for row in words if len(alike) < len(row))
    numbers = [word.rstrip("/_") for word in nexts]
    is_numbered = all(map(str.isdecimal, numbers)) and all(word[-1:] == "/" for word in nexts)
    name = "".join(alike)
    name += f"{{{_ranges(sorted(numbers, key=int))}}}/*" if is_numbered else "*"
    return LayerRow(
        layer=name if alike else f"{block[0].layer} .. {block[-1].layer}",
        leaves=(),
        layers=sum(row.layers for row in block),
        weights=sum(row.weights for row in block),
        frozen=sum(row.frozen for row in block),
        parameters=sum(row.parameters for row in block),
        has_layer=block[0].has_layer,
    )


def _is_one(words: tuple[str, ...]) -> bool:
    return len(set(words)) == 1


def totals(rows: Sequence[LayerRow]) -> str:
    """``4 weights in 2 layers, 84 parameters``."""
    weights = counted(sum(row.weights for row in rows), "weight")
    layers = (
        f" in {counted(sum(row.layers for row in rows), 'layer')}"
        if all(row.has_layer for row in rows)
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
        rows = stretches(rows, limit)
    fits = page.show_all or len(rows) <= limit + 1
    # The last layers are those next to the cut.
    tail = 0 if fits else limit // 3
    head = len(rows) if fits else limit - tail
    rest = rows[head : len(rows) - tail]
    lines = (
        fold(line(" " * (indent - 2), totals(rows)), page.width, indent)
        if total and len(rows) > 1
        else []
    )
    drawn = _columns([*rows[:head], *rows[len(rows) - tail :]], page, indent)
    lines += [text for row in drawn[:head] for text in row]
    if rest:
        words = line(" " * indent, (f"... and {_more(rest)} (--all shows them)", "dim"))
        lines += fold(words, page.width, indent + 2)
    return [*lines, *(text for row in drawn[head:] for text in row)]


def _more(rows: Sequence[LayerRow]) -> str:
    number = sum(row.layers for row in rows)
    return counted(number, "more layer" if all(row.has_layer for row in rows) else "more weight")


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


def _columns(rows: Sequence[LayerRow], page: Page, indent: int) -> list[list[Text]]:
    """Return the lines of each row."""
    for counts in (_counts_in_full, _counts_in_short):
        cells = [(row.layer, _contents(row), counts(row)) for row in rows]
        first, second, third = (
            max((cell_len(cell[column]) for cell in cells), default=0) for column in range(3)
        )
        second += 2 if second else 0
        if indent + first + 2 + second + third <= page.width:
            break
    if indent + 12 + second + third > page.width:
        return [_stacked(cell, page, indent) for cell in cells]
    first = min(first, page.width - indent - 2 - second - third)
    lines: list[list[Text]] = []
    for layer, leaves, words in cells:
        rest = (_pad(leaves, second), (words, "dim"))
        if cell_len(layer) <= first:
            lines.append([line(" " * indent, (_pad(layer, first + 2), "bold"), *rest)])
        else:
            # A name wider than its column stands above its own row.
            name = lay_out(line(" " * indent, (layer, "bold")), page, indent + 2)
            lines.append([*name, line(" " * (indent + first + 2), *rest)])
    return lines


def _contents(row: LayerRow) -> str:
    if row.leaves or row.layers == 1:
        return ", ".join(row.leaves)
    return counted(row.layers, "layer" if row.has_layer else "weight")


def _stacked(cell: tuple[str, str, str], page: Page, indent: int) -> list[Text]:
    layer, leaves, words = cell
    detail = line(" " * (indent + 2), f"{leaves}  " if leaves else "", (words, "dim"))
    name = lay_out(line(" " * indent, (layer, "bold")), page, indent + 2)
    return [*name, *lay_out(detail, page, indent + 4)]


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
