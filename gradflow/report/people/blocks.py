"""The parts of a model's report, each to a block of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from gradflow.catalogue import CATALOGUE
from gradflow.findings import (
    Cause,
    Finding,
    Format,
    Input,
    Mode,
    ModelReport,
    Output,
    Severity,
    Variable,
    Verdict,
)
from gradflow.report.flags import FROZEN, UNEXPECTED_FROZEN, frozen, is_about_flags
from gradflow.report.people.layers import by_layer, layer_lines, merge_numbered
from gradflow.report.people.lines import Page, fold, line
from gradflow.report.people.path_picture import describe, draw, example
from gradflow.report.threats import dangers
from gradflow.report.words import counted, in_total, type_and_shape
from gradflow.text import shown

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_FORMATS = {
    Format.KERAS: "Keras file",
    Format.H5: "HDF5 file",
    Format.SAVED_MODEL: "SavedModel",
    Format.MEMORY: "model in memory",
}
_MAX_LAYERS = 8
_MAX_LAYERS_OF_A_NOTE = 3
_MAX_INPUTS = 4
_MAX_DANGERS = 20
_MAX_PLACES = 3


def origin_lines(model: ModelReport, page: Page) -> list[Text]:
    """Say what was read, how it was run and with which inputs."""
    facts = [_FORMATS[model.format] if model.format else "unknown format"]
    if model.producer:
        facts[0] += f" by {shown(model.producer)}"
    if model.entry:
        facts.append(shown(model.entry))
    facts.append(
        "read without TensorFlow (static)"
        if model.mode is Mode.STATIC
        else f"tape step{_training(model)}"
    )
    inputs = [f"{_tensor(tensor)} {shown(tensor.source)}" for tensor in model.inputs]
    outputs = [_tensor(tensor) for tensor in model.outputs]
    lines = fold(line("  ", (", ".join(facts), "dim")), page.width, 4)
    for word, items in (("inputs", inputs), ("outputs", outputs)):
        listed = items if page.show_all or len(items) <= _MAX_INPUTS + 1 else items[:_MAX_INPUTS]
        more = [f"... and {len(items) - len(listed)} more"] if len(items) > len(listed) else []
        if listed:
            lines += fold(
                line("  ", (f"{word}: {'; '.join([*listed, *more])}", "dim")), page.width, 4
            )
    return lines


def finding_lines(
    finding: Finding,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    outputs: Sequence[str],
    page: Page,
) -> list[Text]:
    """Draw one finding: message, weights behind it by layer, the path with the cut, the remedy."""
    style = _STYLES[finding.severity]
    head = line(
        (f"{finding.severity.value} {shown(finding.code)}", style), ": ", shown(finding.message)
    )
    lines = fold(head, page.width, 4)
    note = finding.severity is Severity.NOTE
    limit, flags = _MAX_LAYERS_OF_A_NOTE if note else _MAX_LAYERS, is_about_flags(finding)
    lines += layer_lines(variables, page, 4, limit, total=True, tag_frozen=not flags)
    if finding.cause and not note and not flags:
        lines += _picture(finding.cause, finding.message, variables, cuts, outputs, page)
    lines += [] if flags else _other_cuts(finding.cause, variables, page)
    remedy = finding.hint or (
        CATALOGUE[finding.code].fix if finding.code in CATALOGUE and not note else ""
    )
    if remedy:
        lines += fold(line("  ", ("fix: ", "bold"), shown(remedy)), page.width, 7)
    return lines


def threat_lines(model: ModelReport, page: Page) -> list[Text]:
    """List what a scan has found, each thing once with the places where it stands."""
    found = dangers(model)
    options = {one.hint for one in found}
    lines: list[Text] = []
    for danger in found if page.show_all else found[:_MAX_DANGERS]:
        facts = [counted(len(danger.places), "place")] if danger.places else []
        facts += [shown(danger.hint)] if options - {danger.hint} else []
        lines += fold(
            line("  ", shown(danger.what), f" ({'; '.join(facts)})" if facts else ""), page.width, 4
        )
        places = danger.places if page.show_all else danger.places[:_MAX_PLACES]
        for place in places:
            lines += fold(line("      ", (shown(place), "dim")), page.width, 8)
        if len(places) < len(danger.places):
            lines.append(
                line(f"      ... and {len(danger.places) - len(places):,} more (--all shows them)")
            )
    if len(found) > _MAX_DANGERS and not page.show_all:
        more = counted(len(found) - _MAX_DANGERS, "other thing")
        lines.append(line(f"  ... and {more} (--all shows them)"))
    return lines


def frozen_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw the frozen weights by the layer that froze them, and what unfreezing would give."""
    told = {
        name
        for finding in model.findings
        if finding.code == UNEXPECTED_FROZEN
        for name in finding.variables
    }
    still = [variable for variable in frozen(model) if variable.name not in told]
    if not still:
        return []
    findings = [finding for finding in model.findings if finding.code == FROZEN]
    severity = min((f.severity for f in findings), key=list(Severity).index, default=Severity.NOTE)
    head = (f"{severity.value} {FROZEN}", _STYLES[severity])
    lines = fold(line(head, f": frozen: {in_total(still)}"), page.width, 4)
    by_layer: dict[str | None, list[Variable]] = {}
    for variable in still:
        by_layer.setdefault(variable.frozen_by, []).append(variable)
    for layer, members in by_layer.items():
        lines += fold(line("    ", *_frozen_words(layer, members)), page.width, 6)
        if page.show_all or layer is None or layer != members[0].layer:
            lines += layer_lines(members, page, 6, _MAX_LAYERS_OF_A_NOTE, tag_frozen=False)
    if severity is not Severity.NOTE:
        hints = dict.fromkeys(finding.hint for finding in findings if finding.hint)
        for hint in hints:
            lines += fold(line("  ", ("fix: ", "bold"), shown(hint)), page.width, 7)
    return lines


def expectation_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw the expectations: the broken ones in full, the kept ones as a count."""
    if not model.expectations:
        return []
    counts = Counter(expectation.status.value for expectation in model.expectations)
    tally = ", ".join(f"{number:,} {shown(status)}" for status, number in counts.items())
    lines = fold(line("expectations: ", tally), page.width, 4)
    by_name = {variable.name: variable for variable in model.variables}
    for expectation in model.expectations:
        if expectation.is_kept and not page.show_all:
            continue
        style = "green" if expectation.is_kept else "red"
        words = line(
            "    ",
            (shown(expectation.status.value), style),
            f"  {shown(expectation.kind)}: {shown(expectation.pattern)}",
        )
        lines += fold(words, page.width, 6)
        named = [by_name[name] for name in expectation.variables if name in by_name]
        lines += layer_lines(named, page, 6, _MAX_LAYERS_OF_A_NOTE)
    return lines


def _tensor(tensor: Input | Output) -> str:
    return f"{shown(tensor.name)} {type_and_shape(tensor.dtype, tensor.shape)}"


def _training(model: ModelReport) -> str:
    entry = model.entry or ""
    if "training=True" in entry:
        return " in training mode"
    return " in inference mode" if "training=False" in entry else ""


def _picture(
    cause: Cause,
    message: str,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    outputs: Sequence[str],
    page: Page,
) -> list[Text]:
    drawn = example(variables, cause)
    if drawn:
        return [line(), *draw(drawn, cuts, outputs, page), line()]
    if cause.op and (cause.op not in message or cause.source or cause.layer):
        about = describe(cause)
        detail = (f"  {about}" if about else "", "dim")
        words = line("  ", ("at: ", "bold"), shown(cause.op), detail)
        return fold(words, page.width, 6)
    return []


def _other_cuts(cause: Cause | None, variables: Sequence[Variable], page: Page) -> list[Text]:
    lines: list[Text] = []
    for cuts in sorted(
        {v.cuts_to_restore for v in variables if v.cuts_to_restore and v.cuts_to_restore > 1}
    ):
        held = [v for v in variables if v.cuts_to_restore == cuts]
        words = (
            f"{_subject(held, variables, 'needs', 'need')} {cuts} cuts removed before a "
            f"gradient arrives"
        )
        lines += fold(line("  ", words + _where(held, variables)), page.width, 4)
    elsewhere = (
        {v.name: [o for o in v.causes if o.op and o != cause] for v in variables} if cause else {}
    )
    held = [v for v in variables if elsewhere.get(v.name)]
    if held:
        others = dict.fromkeys(
            f"{shown(o.code)} {shown(str(o.op))}" for v in held for o in elsewhere[v.name]
        )
        listed = list(others) if page.show_all else list(others)[:3]
        more = f" and {len(others) - len(listed)} more" if len(others) > len(listed) else ""
        words = (
            f"{_subject(held, variables, 'is', 'are')} also cut on another way to the output, by "
        )
        lines += fold(line("  ", f"{words}{', '.join(listed)}{more}"), page.width, 4)
    return lines


def _subject(
    held: Sequence[Variable], variables: Sequence[Variable], one: str, several: str
) -> str:
    if len(variables) == 1:
        return f"it {one}"
    if len(held) == len(variables):
        return f"all of them {several}"
    return f"{len(held):,} of them {one if len(held) == 1 else several}"


def _where(held: Sequence[Variable], variables: Sequence[Variable]) -> str:
    layers = [row.layer for row in merge_numbered(by_layer(held))]
    if len(held) == len(variables) or len(layers) > 3:
        return ""
    return f": {', '.join(layers)}"


def _frozen_words(layer: str | None, members: Sequence[Variable]) -> list[str | tuple[str, str]]:
    starved = sum(v.verdict in (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE) for v in members)
    who = (
        (shown(layer), "bold")
        if layer is not None
        else "left out of the file's list of trainable variables"
    )
    how = " (trainable=False)" if layer is not None else ""
    rest = f"; unfreezing would bring no useful gradient to {starved:,} of them" if starved else ""
    return [who, how, f": {in_total(members)}", rest]
