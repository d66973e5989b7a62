"""Draw in one line where a model is cut: input, layers behind the cut, layers before it, output."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from gradflow.findings import Finding, ModelReport, Reach, Severity
from gradflow.report.headline import places_of
from gradflow.report.people.lines import Page, cut_in_the_middle, fold, line
from gradflow.report.people.path_picture import is_cut
from gradflow.report.words import counted
from gradflow.text import shown

_BARS, _FEWEST_BARS = 12, 2
_INDENT = 2
_DOTS = "..."
_INSIDE = "in layer "


def strip_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw the cut that holds the most parameters back, and say how much lies on either side of it.

    Nothing where the model is cut nowhere between two of its layers.
    """
    cuts = [finding for finding in model.open_findings if _is_drawn(finding)]
    if not cuts:
        return []
    worst = max(cuts, key=_weight)
    if worst.reach is None or worst.between is None:
        return []
    output = shown(model.outputs[0].name) if len(model.outputs) == 1 else "outputs"
    start = _start(model, worst.reach)
    picture = _picture(start, worst.between, output, worst.reach, page)
    return [
        *fold(picture, page.width, _INDENT + 2),
        *_sides(worst.reach, len(places_of(cuts)) - 1, page),
    ]


def _is_drawn(finding: Finding) -> bool:
    is_placed = finding.between is not None and finding.reach is not None
    counts = finding.severity is not Severity.NOTE
    return is_placed and counts and finding.cause is not None and is_cut(finding.cause)


def _weight(finding: Finding) -> tuple[int, int]:
    return (finding.reach.parameters, finding.reach.layers) if finding.reach else (0, 0)


def _start(model: ModelReport, reach: Reach) -> str:
    """Return where the part that gets no gradient begins; dots where it has no one beginning."""
    if not reach.is_whole or reach.layers == 1:
        return _DOTS
    if reach.start is not None:
        return shown(reach.start)
    return shown(model.inputs[0].name) if len(model.inputs) == 1 else "inputs"


def _picture(start: str, between: tuple[str, str], output: str, reach: Reach, page: Page) -> Text:
    """Return the line, with as many bars on each side as it has a share of the layers.

    A layer that is cut inside stands in it once: the scissors, and ``in layer`` before its name.
    """
    behind, before = (shown(name) for name in between)
    start = _DOTS if start == behind else start
    output = "" if output == before else output
    is_inside = behind == before
    names = [start, *([] if is_inside else [behind]), before, *([output] if output else [])]
    word = _INSIDE if is_inside else ""
    fixed = _INDENT + len(names) + len(" ✂ ") + len(word) + _FEWEST_BARS
    room = (page.width - fixed) // len(names)
    spare = sum(max(room - cell_len(name), 0) for name in names)
    longest = room + spare // max(sum(cell_len(name) > room for name in names), 1)
    short = {name: cut_in_the_middle(name, longest) for name in names}
    used = fixed - _FEWEST_BARS + sum(cell_len(name) for name in short.values())
    bars = max(min(_BARS, page.width - used), _FEWEST_BARS)
    dark = min(max(round(bars * reach.layers / max(reach.all_layers, 1)), 1), bars - 1)
    glyphs = page.glyphs
    return line(
        " " * _INDENT,
        f"{short[start]} ",
        (glyphs.starved * dark, "red"),
        " " if is_inside else f" {short[behind]} ",
        (glyphs.cut, "bold red"),
        f" {word}{short[before]} ",
        (glyphs.fed * (bars - dark), "green"),
        f" {short[output]}" if output else "",
    )


def _sides(reach: Reach, others: int, page: Page) -> list[Text]:
    """Say how much lies on either side: in one line, else in two."""
    behind = _amount(reach.layers, reach.parameters, reach.noun)
    rest = reach.all_layers - reach.layers
    before = _amount(rest, reach.all_parameters - reach.parameters, reach.noun)
    more = f"; also cut at {counted(others, 'other place')}" if others else ""
    starved = line(" " * _INDENT, (f"no gradient: {behind}", "red"))
    fed = line((f"the rest: {before}", "green"), more)
    both = starved + line(f" {page.glyphs.cut} ") + fed
    lines = [both] if both.cell_len <= page.width else [starved, line(" " * _INDENT) + fed]
    return [part for text in lines for part in fold(text, page.width, _INDENT + 2)]


def _amount(layers: int, parameters: int, noun: str) -> str:
    return f"{counted(layers, noun)}, {counted(parameters, 'parameter')}"
