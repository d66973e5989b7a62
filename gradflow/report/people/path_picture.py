"""Draw a variable's path to the output, with the cut marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from gradflow.catalogue import CATALOGUE
from gradflow.findings import LEFT_OUT, Cause, Finding, ModelReport, Step, Variable, example
from gradflow.report.people.lines import Page, cut_in_the_middle, lay_out, line
from gradflow.report.words import counted
from gradflow.text import shown

_INDENT = 4
_BESIDE = _INDENT + 4
"""Columns before the name of an op."""
_CONTROL = ("If", "Case", "While")
# The cuts of other codes depend on the input: Gather cuts its indices and not its rows (GF204).
_CUTS_EVERY_INPUT = frozenset(item.code for item in CATALOGUE.values() if item.cuts_every_input)


def known_cuts(model: ModelReport) -> dict[str, Cause]:
    """Return the cuts of the model that hold back every input of their op, by the op's name."""
    causes = [cause for variable in model.variables for cause in variable.causes]
    causes += [finding.cause for finding in model.findings if finding.cause]
    return {
        cause.op: cause
        for cause in causes
        if cause.op is not None and cause.code in _CUTS_EVERY_INPUT
    }


def draw(
    finding: Finding,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    end: str,
    page: Page,
) -> list[Text]:
    """Draw the way of one of ``variables`` through the cause of ``finding`` to ``end``: in layers
    where they are known, unless ops are asked for; nothing where no way is known.

    ``cuts`` as in ``steps_of``.
    """
    way = finding.way
    if way is not None and way.steps and not page.show_ops and way.variable in finding.variables:
        return draw_steps(way.variable, way.steps, end, page, in_layers=True)
    drawn = example(variables, finding.cause) if finding.cause is not None else None
    return [] if drawn is None else draw_steps(drawn.name, steps_of(drawn, cuts), end, page)


def steps_of(variable: Variable, cuts: Mapping[str, Cause]) -> list[Step]:
    """Return the ops on the path of ``variable``; ``cuts`` are those of other variables that may
    stand on it."""
    path = variable.path
    cuts = {**cuts, **{cause.op: cause for cause in variable.causes if cause.op is not None}}
    marks = [index for index, op in enumerate(path) if op in cuts]
    back = {cause.reenters_at for op in path if (cause := cuts.get(op))}
    fed_from = max(
        [mark + 1 for mark in marks] + [path.index(op) for op in back if op in path], default=0
    )
    return [
        Step(op, "", None, fed=index >= fed_from, comes_back=op in back, cause=cuts.get(op))
        for index, op in enumerate(path)
    ]


def draw_steps(
    name: str,
    steps: Sequence[Step],
    end: str,
    page: Page,
    *,
    in_layers: bool = False,
    with_codes: bool = False,
) -> list[Text]:
    """Draw the data's way down from the variable to ``end``; a solid bar is where gradient comes
    up.

    Long stretches without a cut, and long names of ops, are left out in the middle, unless
    everything is to be shown.
    ``in_layers``: the steps are layers, so that a cut tells its op. ``with_codes`` adds to each cut
    the code that stands for its reason.
    """
    glyphs = page.glyphs
    visible = set(range(len(steps))) if page.show_all else _worth_drawing(steps)
    lines = lay_out(line(" " * _INDENT, (shown(name), "bold")), page, _INDENT + 3)
    index, room = 0, page.width - _BESIDE
    while index < len(steps):
        step = steps[index]
        op = shown(step.op) if page.show_all else cut_in_the_middle(shown(step.op), room)
        if index not in visible:
            until = next(later for later in range(index, len(steps)) if later in visible)
            long = any(skipped.op == LEFT_OUT for skipped in steps[index:until])
            noun = "layer" if in_layers else "op"
            words = f"many more {noun}s" if long else counted(until - index, f"more {noun}")
            lines += _row(glyphs.gap, "dim", [(words, "dim")], page)
            index = until
            continue
        if step.cause is not None:
            glyph = glyphs.cut if is_cut(step.cause) else glyphs.fault
            is_layer = in_layers and step.layer is not None
            said = describe_op(step.cause) if is_layer else describe(step.cause)
            details = _details(step.cause, steps, said, with_codes=with_codes)
            lines += _row(glyph, "bold red", [(op, "red"), *details], page)
        else:
            note = ["  is a float again"] if step.comes_back else []
            bar = (glyphs.fed, "green") if step.fed else (glyphs.starved, "red")
            lines += _row(*bar, [op, *note], page)
        index += 1
    return [*lines, *_row(glyphs.end, "green", [end], page)]


def is_cut(cause: Cause) -> bool:
    """Return whether the op itself holds the gradient back, and not the values of this run."""
    inside = cause.code == "GF302" and not (cause.op_type or "").removeprefix(
        "Stateless"
    ).startswith(_CONTROL)
    return inside or cause.code.startswith("GF2")


def describe(cause: Cause) -> str:
    """Return what is known of a cause's op that its name does not say: ``StopGradient, layer cut7,
    net.py:41``."""
    leaf = (cause.op or "").rpartition("/")[2]
    op_type = (
        None if leaf.rstrip("0123456789").removesuffix("_") == cause.op_type else cause.op_type
    )
    layer = f"layer {cause.layer}" if cause.layer else None
    return ", ".join(shown(part) for part in (op_type, layer, cause.source) if part)


def describe_op(cause: Cause) -> str:
    """Return what is known of a cause's op beside its layer: ``StopGradient, net.py:41``."""
    return ", ".join(shown(part) for part in (cause.op_type, cause.source) if part)


def _worth_drawing(steps: Sequence[Step]) -> set[int]:
    last = len(steps) - 1
    visible = {0, 1, last - 1, last}
    for index, step in enumerate(steps):
        if step.cause is not None or step.comes_back:
            visible |= {index - 1, index, index + 1}
    # A gap of one op is as long as the op itself.
    visible |= {index for index in range(last) if {index - 1, index + 1} <= visible}
    return {index for index in visible if 0 <= index <= last}


def _details(
    cause: Cause, steps: Sequence[Step], said: str, *, with_codes: bool
) -> list[str | tuple[str, str]]:
    words = ", ".join(
        part for part in (f"{cause.code} {cause.kind}" if with_codes else "", said) if part
    )
    parts = [words] if words else []
    if cause.reenters_at is not None and any(
        step.comes_back or step.op == cause.reenters_at for step in steps
    ):
        parts.append("its result is not a float")
    elif cause.reenters_at:
        parts.append(f"its result is not a float until {shown(cause.reenters_at)}")
    return [("  " + "; ".join(parts), "dim")] if parts else []


def _row(glyph: str, style: str, parts: Sequence[str | tuple[str, str]], page: Page) -> list[Text]:
    return lay_out(line(" " * (_INDENT + 1), (glyph, style), "  ", *parts), page, _INDENT + 6)
