"""One variable and its Route to text for people: the picture of its way, and the smallest
repair."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gradflow.findings import Change, ModelReport, Role, Route, Variable, Verdict
from gradflow.report.flags import untracked
from gradflow.report.headline import headline as model_headline
from gradflow.report.people.blocks import origin_lines
from gradflow.report.people.layers import by_layer, layer_lines
from gradflow.report.people.lines import Page, fold, joined, line, page
from gradflow.report.people.path_picture import draw_steps
from gradflow.report.words import counted, in_total, type_and_shape
from gradflow.text import encodable, shown

_FROZEN = "GF101"
_MAX_LAYERS = 6
_MAX_OTHERS = 3
_STYLES = {
    Verdict.FLOWS: "bold green",
    Verdict.NONE: "bold red",
    Verdict.ZERO: "bold yellow",
    Verdict.NONFINITE: "bold red",
    Verdict.UNKNOWN: "bold",
}
_GETS = {
    Verdict.FLOWS: "a gradient",
    Verdict.NONE: "no gradient",
    Verdict.ZERO: "only zeros",
    Verdict.NONFINITE: "NaN or Inf",
    Verdict.UNKNOWN: "a gradient or not",
}


def render(
    model: ModelReport,
    route: Route | None,
    *,
    width: int = 80,
    color: bool = False,
    show_all: bool = False,
    encoding: str = "utf-8",
) -> str:
    """Return the answer of ``gradflow why`` as text of at most ``width`` columns (40 at least).

    ``route`` is None for a model that could not be checked: that is one line, whatever the width.
    The other arguments are those of ``gradflow.report.text.render``.
    """
    layout = page(width, show_all, encoding)
    model = encodable(model, encoding)
    if route is None:
        return joined([line((headline(model, None), "bold red"))], color)
    return joined(_lines(model, encodable(route, encoding), layout), color)


def headline(model: ModelReport, route: Route | None) -> str:
    """The answer in one line: ``m.keras: dense/kernel gets no gradient, 2 cuts on its way to output
    score``."""
    if route is None:
        return model_headline(model)
    return (
        f"{shown(model.path)}: {shown(route.variable)} "
        f"{_statement(model, _variable(model, route), route)}"
    )


def _variable(model: ModelReport, route: Route) -> Variable:
    return next(variable for variable in model.variables if variable.name == route.variable)


def _lines(model: ModelReport, route: Route, layout: Page) -> Iterator[Text]:
    variable = _variable(model, route)
    style = "bold" if variable.role is Role.STATE else _STYLES[variable.verdict]
    head = (f": {shown(variable.name)} {_statement(model, variable, route)}", style)
    yield from fold(line((shown(model.path), "bold"), head), layout.width, 4)
    yield from origin_lines(model, layout)
    facts = (
        f"{variable.role.value} {type_and_shape(variable.dtype, variable.shape)}, "
        f"{counted(variable.parameters, 'parameter')}"
    )
    yield from fold(line("  ", (facts, "dim")), layout.width, 4)
    if route.steps:
        yield line()
        yield from draw_steps(variable.name, route.steps, route.output, layout, with_codes=True)
    if route.changes:
        yield line()
        yield from _repair_lines(model, variable, route, layout)


def _statement(model: ModelReport, variable: Variable, route: Route) -> str:
    if variable.role is Role.STATE:
        return "is state, not trained by design"
    if variable.verdict is Verdict.UNKNOWN:
        why = "the graph alone cannot tell" if route.steps else "the file has no graph"
        words = f"has an unknown verdict: {why}; run without --static"
        return words if variable.trainable else f"is {_frozen(variable)} and {words}"
    gets = f"{'get' if not variable.trainable else 'gets'} {_GETS[variable.verdict]}"
    words = f"is {_frozen(variable)}; unfrozen it would {gets}"
    if variable.name in untracked(model):
        words = f"is tracked by no layer; tracked it would {gets}"
    return (gets if variable.trainable else words) + _where(model, variable, route)


def _frozen(variable: Variable) -> str:
    return f"frozen by {shown(variable.frozen_by)}" if variable.frozen_by is not None else "frozen"


def _where(model: ModelReport, variable: Variable, route: Route) -> str:
    end = f"output {shown(route.output)}" if route.output is not None else "the output"
    if variable.cuts_to_restore:
        return f", {counted(variable.cuts_to_restore, 'cut')} on its way to {end}"
    if any(change.cause.code == "GF206" for change in route.changes):
        names = [shown(output.name) for output in model.outputs]
        if len(names) > _MAX_OTHERS:
            return f": no way leads from it to any of the {len(names):,} outputs"
        return f": no way leads from it to output {' or '.join(names)}"
    return ""


def _repair_lines(
    model: ModelReport, variable: Variable, route: Route, layout: Page
) -> Iterator[Text]:
    known = variable.verdict is not Verdict.UNKNOWN
    is_repair = known and all(_is_certain(change, variable, route) for change in route.changes)
    number = len(route.changes)
    flows = variable.trainable and variable.verdict is Verdict.FLOWS
    words = (
        f"smallest repair: {counted(number, 'change')}"
        if is_repair
        else "remarks:"
        if flows
        else "what to do:"
    )
    yield line((words, "bold"))
    by_name = {one.name: one for one in model.variables}
    for place, change in enumerate(route.changes, start=1):
        yield from _change_lines(f"{place}. " if number > 1 else "", change, by_name, layout)
    yield from _effect_lines(variable, route, by_name, layout)
    yield from _other_lines(variable, route, layout)


def _is_certain(change: Change, variable: Variable, route: Route) -> bool:
    """Whether the change is sure to help: a flag to set, or a cut on the way to remove."""
    is_cut = bool(variable.cuts_to_restore) and any(
        step.cause == change.cause for step in route.steps
    )
    return is_cut or change.cause.code == _FROZEN


def _change_lines(
    number: str, change: Change, by_name: dict[str, Variable], layout: Page
) -> Iterator[Text]:
    indent = 2 + len(number)
    pad = " " * indent
    head = line("  ", number, (shown(change.cause.code), "bold"), f": {shown(change.reason)}")
    yield from fold(head, layout.width, indent + 2)
    op = (
        change.cause.op
        if change.cause.op is not None and change.cause.op not in change.reason
        else None
    )
    place = ", ".join(shown(part) for part in (op, change.cause.source) if part)
    if place:
        yield from fold(line(pad, ("at: ", "bold"), place), layout.width, indent + 4)
    yield from fold(line(pad, ("fix: ", "bold"), shown(change.fix)), layout.width, indent + 5)
    others = [by_name[name] for name in change.behind]
    if others:
        words = "frozen with it:" if change.cause.code == _FROZEN else "also held back:"
        total = f" {in_total(others)}" if len(by_layer(others)) > 1 else ""
        yield from fold(line(pad, (words, "bold"), total), layout.width, indent + 2)
        yield from layer_lines(
            others, layout, indent + 2, _MAX_LAYERS, tag_frozen=change.cause.code != _FROZEN
        )


def _effect_lines(
    variable: Variable, route: Route, by_name: dict[str, Variable], layout: Page
) -> Iterator[Text]:
    """Say to how many of the weights behind the cuts the same changes bring a gradient."""
    held = {
        name for change in route.changes if change.cause.code != _FROZEN for name in change.behind
    }
    if not held or not variable.cuts_to_restore:
        return
    back = [by_name[name] for name in route.also_restored]
    if len(back) == len(held):
        whom = "it" if len(held) == 1 else "all of them"
    else:
        some, others = (f"{len(back):,}", "the others") if back else ("none", "they")
        whom = f"{some} of them: {others} are cut elsewhere too"
    subject = "the change also brings" if len(route.changes) == 1 else "the changes also bring"
    yield from fold(line("  ", f"{subject} the gradient back to {whom}"), layout.width, 4)
    if 0 < len(back) < len(held):
        yield from layer_lines(back, layout, 4, _MAX_LAYERS)


def _other_lines(variable: Variable, route: Route, layout: Page) -> list[Text]:
    named = {change.cause for change in route.changes}
    others = [
        f"{shown(cause.code)} {shown(cause.op)}"
        for cause in variable.causes
        if cause.op and cause not in named
    ]
    if not others or not variable.cuts_to_restore:
        return []
    listed = others if layout.show_all else others[:_MAX_OTHERS]
    more = f" and {len(others) - len(listed):,} more" if len(others) > len(listed) else ""
    words = (
        f"it is also cut on another way to the output, by {', '.join(listed)}{more}; one open "
        f"way is enough"
    )
    return fold(line("  ", words), layout.width, 4)
