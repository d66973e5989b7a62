"""Answer ``gradflow why``: the way of one variable to the output, and the smallest repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rich.text import Text

from gradflow.findings import Change, ModelReport, Role, Route, Tool, Variable, Verdict
from gradflow.findings.wire import encode
from gradflow.lazy_dataclass import dataclass
from gradflow.report.finding_line import position
from gradflow.report.headline import headline as model_headline
from gradflow.report.headline import title, why_unknown
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.model_parts import by_name, end_of, objective_line, untracked
from gradflow.report.people.blocks import code_lines, failure_lines, origin_lines
from gradflow.report.people.layers import by_layer, layer_lines
from gradflow.report.people.lines import (
    Page,
    fold,
    joined,
    lay_out,
    line,
    page_of,
    with_short_names,
)
from gradflow.report.people.path_picture import draw_steps
from gradflow.report.words import counted, in_total, type_and_shape, untrainable
from gradflow.text import as_json, encodable, quoted, shown

SCHEMA = "gradflow-why-1"

_OF_THE_MODEL = (
    "path",
    "format",
    "producer",
    "entry",
    "mode",
    "status",
    "error",
    "inputs",
    "outputs",
)
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
_STOPS = {"GF302": "a branch or loop body is not run", "GF304": "it becomes NaN or Inf"}
"""What happens to a gradient that is let over the cuts, where it does not just become zero."""
_BECOMES_ZERO = "the gradient becomes zero"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one variable."""

    tool: Tool
    model: ModelReport
    route: Route | None
    """None where the model could not be checked."""


def render(answer: Answer, layout: Layout = PLAIN) -> str:
    """Return the answer as text of at most ``layout.width`` columns (40 at least)."""
    answer, page = encodable(answer, layout.encoding), page_of(layout)
    model, route = answer.model, answer.route
    if route is None:
        return joined(failure_lines(title(model), model.error, page, model), layout.color)
    return joined(_lines(model, route, page), layout.color)


def render_json(answer: Answer, layout: Layout = PLAIN) -> str:
    """Return the answer as JSON text; ``variable`` is the report's own record of it.

    ``variable`` and ``route`` are null where the model could not be checked.
    """
    model, route = answer.model, answer.route
    facts = encode(model, public=True)
    value = {
        "schema": SCHEMA,
        "tool": encode(answer.tool),
        "model": {name: facts[name] for name in _OF_THE_MODEL},
        "variable": encode(_variable(model, route) if route else None, public=True),
        "route": encode(route, public=True),
    }
    return as_json(value) + "\n"


RENDERERS: Mapping[str, Callable[[Answer, Layout], str]] = {"text": render, "json": render_json}


def headline(model: ModelReport, route: Route | None) -> str:
    """Return the answer in one line: ``m.keras: dense/kernel gets no gradient, 2 cuts on its
    way to output score``."""
    if route is None:
        return model_headline(model)
    return (
        f"{shown(model.path)}: {shown(route.variable)} "
        f"{_statement(model, _variable(model, route), route)}"
    )


def _variable(model: ModelReport, route: Route) -> Variable:
    return next(variable for variable in model.variables if variable.name == route.variable)


def _lines(model: ModelReport, route: Route, page: Page) -> Iterator[Text]:
    variable = _variable(model, route)
    style = "bold" if variable.role is Role.STATE else _STYLES[variable.verdict]
    head = (f": {shown(variable.name)} {_statement(model, variable, route)}", style)
    words = with_short_names(line(head), page, 4)
    yield from fold(line((shown(model.path), "bold")) + words, page.width, 4)
    yield from origin_lines(model, page)
    facts = (
        f"{variable.role.value} {type_and_shape(variable.dtype, variable.shape)}, "
        f"{counted(variable.parameters, 'parameter')}"
    )
    yield from fold(line("  ", (facts, "dim")), page.width, 4)
    if route.steps:
        yield line()
        in_layers = bool(route.way) and not page.show_ops
        steps = route.way if in_layers else route.steps
        end = end_of(model, route.output)
        yield from draw_steps(variable.name, steps, end, page, in_layers=in_layers, with_codes=True)
    if route.changes:
        yield line()
        yield from _repair_lines(model, variable, route, page)


def _statement(model: ModelReport, variable: Variable, route: Route) -> str:
    if variable.role is Role.STATE:
        if variable.declared_trainable:
            return f"is state: {untrainable(variable)}"
        return "is state, not trained by design"
    if variable.verdict is Verdict.UNKNOWN:
        words = f"has an unknown verdict: {why_unknown(model)}"
        return words if variable.trainable else f"is {_frozen(variable)} and {words}"
    gets = f"{'get' if not variable.trainable else 'gets'} {_GETS[variable.verdict]}"
    words = f"is {_frozen(variable)}; unfrozen it would {gets}"
    if variable.name in untracked(model):
        words = f"is tracked by no layer; tracked it would {gets}"
    return (gets if variable.trainable else words) + _where(model, variable, route)


def _frozen(variable: Variable) -> str:
    return f"frozen by {shown(variable.frozen_by)}" if variable.frozen_by is not None else "frozen"


def _where(model: ModelReport, variable: Variable, route: Route) -> str:
    end = end_of(model, route.output)
    end = end if " " in end else f"the {end}"
    if variable.cuts_to_restore:
        return f", {counted(variable.cuts_to_restore, 'cut')} on its way to {end}"
    if any(change.cause.code == "GF206" for change in route.changes):
        if objective_line(model) and not model.unused_loss:
            return ": no way leads from it to the loss"
        names = [shown(output.name) for output in model.outputs]
        if len(names) > _MAX_OTHERS:
            return f": no way leads from it to any of the {len(names):,} outputs"
        return f": no way leads from it to output {' or '.join(names)}"
    return ""


def _repair_lines(
    model: ModelReport, variable: Variable, route: Route, page: Page
) -> Iterator[Text]:
    is_repair = variable.verdict is not Verdict.UNKNOWN and all(
        _is_certain(change, variable, route) for change in route.changes
    )
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
    variables = by_name(model)
    for index, change in enumerate(route.changes, start=1):
        yield from _change_lines(f"{index}. " if number > 1 else "", change, variables, page)
    yield from _effect_lines(variable, route, variables, page)
    yield from _proof_lines(route, page)
    yield from _other_lines(variable, route, page)


def _is_certain(change: Change, variable: Variable, route: Route) -> bool:
    """Return whether the change is sure to help: a flag to set, or a cut on the way to remove."""
    is_cut = bool(variable.cuts_to_restore) and any(
        step.cause == change.cause for step in route.steps
    )
    return is_cut or change.cause.code == _FROZEN


def _change_lines(
    number: str, change: Change, variables: dict[str, Variable], page: Page
) -> Iterator[Text]:
    indent = 2 + len(number)
    pad = " " * indent
    told = ", ".join(part for part in (position(change.between), shown(change.reason)) if part)
    head = line("  ", number, (shown(change.cause.code), "bold"), f": {told}")
    yield from lay_out(head, page, indent + 2)
    op = (
        change.cause.op
        if change.cause.op is not None and change.cause.op not in change.reason
        else None
    )
    at = ", ".join(shown(part) for part in (op, change.cause.source) if part)
    if at:
        yield from lay_out(line(pad, ("at: ", "bold"), at), page, indent + 4)
    yield from fold(line(pad, ("fix: ", "bold"), shown(change.fix)), page.width, indent + 5)
    yield from code_lines(change.cause, change.fix, page, indent + 5)
    behind = [variables[name] for name in change.behind]
    if behind:
        words = "frozen with it:" if change.cause.code == _FROZEN else "also held back:"
        total = f" {in_total(behind)}" if len(by_layer(behind)) > 1 else ""
        yield from fold(line(pad, (words, "bold"), total), page.width, indent + 2)
        yield from layer_lines(
            behind, page, indent + 2, _MAX_LAYERS, tag_frozen=change.cause.code != _FROZEN
        )


def _effect_lines(
    variable: Variable, route: Route, variables: dict[str, Variable], page: Page
) -> Iterator[Text]:
    """Say to how many of the weights behind the cuts the same changes bring a gradient."""
    behind = {
        name for change in route.changes if change.cause.code != _FROZEN for name in change.behind
    }
    if not behind or not variable.cuts_to_restore:
        return
    restored = [variables[name] for name in route.also_restored]
    if len(restored) == len(behind):
        whom = "it" if len(behind) == 1 else "all of them"
    else:
        some, rest = (f"{len(restored):,}", "the others") if restored else ("none", "they")
        whom = f"{some} of them: {rest} are cut elsewhere too"
    subject = "the change also brings" if len(route.changes) == 1 else "the changes also bring"
    yield from fold(line("  ", f"{subject} the gradient back to {whom}"), page.width, 4)
    if 0 < len(restored) < len(behind):
        yield from layer_lines(restored, page, 4, _MAX_LAYERS)


def _proof_lines(route: Route, page: Page) -> Iterator[Text]:
    """Say what a step brought with these cuts let through."""
    proof = route.proof
    cuts = len({step.cause for step in route.steps if step.cause is not None})
    changes = "this change" if cuts == 1 else "these changes"
    if proof is not None and proof.restored:
        style = "green"
        words = f"with {changes} the gradient arrives: norm {proof.norm:.3g}"
    elif proof is not None and proof.stopped_by is not None:
        style = "yellow"
        stopped = proof.stopped_by
        at = f", at {shown(stopped.op_type or 'op')} {quoted(stopped.op)}" if stopped.op else ""
        changes = "the change at the cut" if cuts == 1 else "the changes at the cuts"
        words = f"{changes} alone would not do: {_STOPS.get(stopped.code, _BECOMES_ZERO)}{at}"
    elif route.unproven:
        style = "dim"
        words = f"not tried in a step: {shown(route.unproven)}"
    else:
        return
    yield from lay_out(line("  ", (words, style)), page, 4)


def _other_lines(variable: Variable, route: Route, page: Page) -> list[Text]:
    causes = []
    for cut in route.also_cut:
        parts = (shown(cut.cause.code), shown(cut.cause.op or ""), position(cut.between))
        causes.append(" ".join(part for part in parts if part))
    if not causes or not variable.cuts_to_restore:
        return []
    listed = causes if page.show_all else causes[:_MAX_OTHERS]
    more = f" and {len(causes) - len(listed):,} more" if len(causes) > len(listed) else ""
    words = (
        f"it is also cut on another way to the output, by {', '.join(listed)}{more}; one open "
        f"way is enough"
    )
    return lay_out(line("  ", words), page, 4)
