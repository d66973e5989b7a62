"""Draw the parts of a model's report, each as a block of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from gradflow.catalogue.gf1_flags import UNTRAINABLE
from gradflow.files.formats import FILE_FORMATS
from gradflow.findings import (
    Cause,
    Failure,
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
from gradflow.report.accepted import groups_of, number_accepted, words_of
from gradflow.report.finding_line import located, remedy, snippet
from gradflow.report.model_parts import (
    FROZEN,
    ONLY_READ,
    UNEXPECTED_FROZEN,
    Danger,
    behind,
    by_name,
    dangers,
    frozen,
    is_about_flags,
    is_itemized,
    objective_line,
)
from gradflow.report.people.layers import by_layer, layer_lines, stretches
from gradflow.report.people.lines import Page, fold, lay_out, line
from gradflow.report.people.path_picture import describe, draw
from gradflow.report.reach import reach_sentences
from gradflow.report.words import counted, in_total, type_and_shape
from gradflow.text import shown

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
FORMAT_NAMES = {
    **{format: file_format.name for format, file_format in FILE_FORMATS.items()},
    Format.MEMORY: "model in memory",
}
_PREDICATES = ("is ", "has ", "holds ", "lists ", "gave ")
"""Begin messages that follow the name of the model in a line."""
_MAX_LAYERS = 8
_MAX_LAYERS_OF_A_NOTE = 3
_MAX_INPUTS = 4
_MAX_OTHER_CUTS = 3
_MAX_OF_SOME = 3
_MAX_DANGERS = 20
_MAX_LOCATIONS = 3


def origin_lines(model: ModelReport, page: Page) -> list[Text]:
    """Say what was read, how it was run and with which inputs."""
    facts = [FORMAT_NAMES[model.format] if model.format else "unknown format"]
    if model.producer:
        facts[0] += f" by {shown(model.producer)}"
    if model.entry:
        facts.append(shown(model.entry))
    facts.append(ONLY_READ if model.mode is Mode.STATIC else f"tape step{_training(model)}")
    inputs = [f"{_tensor(tensor)} {shown(tensor.source)}" for tensor in model.inputs]
    # The layers of a Keras file do not tell the shapes of what they make.
    is_of_layers = model.mode is Mode.STATIC and model.format is not Format.SAVED_MODEL
    outputs = [shown(tensor.name) if is_of_layers else _tensor(tensor) for tensor in model.outputs]
    lines = lay_out(line("  ", (", ".join(facts), "dim")), page, 4)
    if objective_line(model):
        outputs = outputs if model.unused_loss else []
        lines += lay_out(line("  ", (f"objective: {objective_line(model)}", "dim")), page, 4)
    for word, items in (("inputs", inputs), ("outputs", outputs)):
        fits = page.show_all or len(items) <= _MAX_INPUTS + 1
        listed = items if fits else items[:_MAX_INPUTS]
        more = [f"... and {len(items) - len(listed)} more"] if len(items) > len(listed) else []
        if listed:
            words = f"{word}: {'; '.join([*listed, *more])}"
            lines += lay_out(line("  ", (words, "dim")), page, 4)
    return lines


def reach_lines(model: ModelReport, page: Page) -> list[Text]:
    """Say how far back from the cuts nothing learns."""
    return [
        part
        for sentence in reach_sentences(model)
        for part in lay_out(line("  ", (sentence, "bold")), page, 4)
    ]


def finding_lines(
    finding: Finding,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    end: str,
    page: Page,
) -> list[Text]:
    """Draw one finding: message, weights behind it by layer, the path with the cut, the remedy.

    ``end``: where the path ends, in words; ``cuts`` as in ``draw``.
    """
    style = _STYLES[finding.severity]
    head = line((f"{finding.severity.value} {shown(finding.code)}", style), ": ", located(finding))
    lines = lay_out(head, page, 4)
    note = finding.severity is Severity.NOTE
    limit, flags = _MAX_LAYERS_OF_A_NOTE if note else _MAX_LAYERS, is_about_flags(finding)
    lines += layer_lines(variables, page, 4, limit, total=True, tag_frozen=not flags)
    if finding.cause and not note and not flags:
        picture = draw(finding, variables, cuts, end, page)
        lines += (
            [line(), *picture, line()]
            if picture
            else _position_lines(finding.cause, finding.message, page)
        )
    if not flags:
        lines += _several_cuts(variables, page)
        lines += _other_cuts(finding.cause, variables, page) if finding.cause else []
    fix = remedy(finding)
    if fix:
        lines += fold(line("  ", ("fix: ", "bold"), fix), page.width, 7)
        lines += code_lines(finding.cause, fix, page, 7)
    return lines


def code_lines(cause: Cause | None, fix: str, page: Page, indent: int) -> list[Text]:
    """Draw the code to paste for a remedy, where there is some."""
    return [
        part
        for code in snippet(cause, fix)
        for part in fold(line(" " * indent, code), page.width, indent + 8)
    ]


def failure_lines(
    heading: str, failure: Failure | None, page: Page, model: ModelReport | None = None
) -> list[Text]:
    """Draw why something could not be checked: ``heading``, the cause, and the remedy last.

    Where the findings of ``model`` list the dangers that keep it from being loaded, they stand for
    the cause.
    """
    code = f" ({shown(failure.code)})" if failure else ""
    head = line((heading, "bold"), (f": could not be checked{code}", "bold red"))
    lines = fold(head, page.width, 4)
    if model is not None and is_itemized(model):
        lines.append(line("  it holds what could do harm:" if model.looked_at else "  not loaded:"))
        narrower = replace(page, width=page.width - 2)
        lines += [Text("  ") + danger for danger in danger_lines(model, narrower)]
    elif failure is not None:
        subject = "it " if failure.message.startswith(_PREDICATES) else ""
        lines += fold(line(f"  {subject}{shown(failure.message)}"), page.width, 2)
    if model is not None and model.looked_at:
        looked_at = f"  looked at {', '.join(model.looked_at)}"
        lines += fold(line((looked_at, "dim")), page.width, 4)
    if failure is not None and failure.hint:
        lines += fold(line("  ", ("fix: ", "bold"), shown(failure.hint)), page.width, 7)
    return lines


def danger_lines(model: ModelReport, page: Page) -> list[Text]:
    """List what could do harm, each thing once, with the places where the file has it."""
    all_dangers = dangers(model)
    hints = {danger.hint for danger in all_dangers}
    lines: list[Text] = []
    for danger in all_dangers if page.show_all else all_dangers[:_MAX_DANGERS]:
        lines += _danger_lines(danger, page, with_hint=len(hints) > 1)
    if len(all_dangers) > _MAX_DANGERS and not page.show_all:
        more = counted(len(all_dangers) - _MAX_DANGERS, "other thing")
        lines.append(line(f"  ... and {more} (--all shows them)"))
    return lines


def frozen_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw the frozen weights by the layer that froze them; say what unfreezing would change."""
    unexpected = {
        name
        for finding in model.open_findings
        if finding.code == UNEXPECTED_FROZEN
        for name in finding.variables
    }
    still = [variable for variable in frozen(model) if variable.name not in unexpected]
    if not still:
        return []
    findings = [finding for finding in model.open_findings if finding.code == FROZEN]
    severity = min((f.severity for f in findings), key=list(Severity).index, default=Severity.NOTE)
    head = (f"{severity.value} {FROZEN}", _STYLES[severity])
    lines = fold(line(head, f": frozen: {in_total(still)}"), page.width, 4)
    by_layer: dict[str | None, list[Variable]] = {}
    for variable in still:
        by_layer.setdefault(variable.frozen_by, []).append(variable)
    alone = _frozen_alone(by_layer)
    if len(alone) > _MAX_LAYERS and not page.show_all:
        own = [variable for layer in alone for variable in by_layer.pop(layer)]
        lines += lay_out(line("    ", *_frozen_words(f"{len(alone):,} layers", own)), page, 6)
        lines += layer_lines(own, page, 6, _MAX_LAYERS, tag_frozen=False)
    for layer, members in by_layer.items():
        lines += lay_out(line("    ", *_frozen_words(layer, members)), page, 6)
        if page.show_all or layer is None or layer != members[0].layer:
            lines += layer_lines(members, page, 6, _MAX_LAYERS_OF_A_NOTE, tag_frozen=False)
    if severity is not Severity.NOTE:
        hints = dict.fromkeys(finding.hint for finding in findings if finding.hint)
        for hint in hints:
            lines += fold(line("  ", ("fix: ", "bold"), shown(hint)), page.width, 7)
    return lines


def _frozen_alone(by_layer: Mapping[str | None, Sequence[Variable]]) -> list[str | None]:
    """Return the layers that froze their own weights, and those of no other layer."""
    return [
        layer
        for layer, members in by_layer.items()
        if layer is not None and {variable.layer for variable in members} == {layer}
    ]


def expectation_lines(model: ModelReport, page: Page) -> list[Text]:
    """Draw the expectations: the broken ones in full, the kept ones as a count."""
    if not model.expectations:
        return []
    counts = Counter(expectation.status.value for expectation in model.expectations)
    tally = ", ".join(f"{number:,} {shown(status)}" for status, number in counts.items())
    lines = fold(line("expectations: ", tally), page.width, 4)
    variables = by_name(model)
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
        covered = [variables[name] for name in expectation.variables if name in variables]
        lines += layer_lines(covered, page, 6, _MAX_LAYERS_OF_A_NOTE)
    return lines


def accepted_lines(model: ModelReport, page: Page) -> list[Text]:
    """Say how many findings are accepted, and by which line of which file; with ``show_all`` draw
    each of them."""
    groups = groups_of([model])
    if not groups:
        return []
    total = counted(number_accepted([model]), "finding")
    more = "" if page.show_all else " (--all shows them)"
    lines = fold(line("accepted: ", total, (more, "dim")), page.width, 4)
    variables = by_name(model)
    for group in groups:
        number = f"{len(group.findings):,}  "
        lines += fold(line("    ", number, words_of(group.acceptance)), page.width, 6)
        for finding in group.findings if page.show_all else ():
            words = line("      ", (shown(finding.code), "bold"), f": {located(finding)}")
            lines += lay_out(words, page, 8)
            lines += layer_lines(behind(finding, variables), page, 8, _MAX_LAYERS)
    return lines


def _danger_lines(danger: Danger, page: Page, *, with_hint: bool) -> Iterator[Text]:
    total = len(danger.locations)
    facts = [counted(total, "place")] if total else []
    facts += [shown(danger.hint)] if with_hint else []
    words = shown(danger.description) + (f" ({'; '.join(facts)})" if facts else "")
    yield from fold(line("  ", words), page.width, 4)
    locations = danger.locations if page.show_all else danger.locations[:_MAX_LOCATIONS]
    for location in locations:
        yield from fold(line("      ", (shown(location), "dim")), page.width, 8)
    if len(locations) < total:
        yield line(f"      ... and {total - len(locations):,} more (--all shows them)")


def _tensor(tensor: Input | Output) -> str:
    return f"{shown(tensor.name)} {type_and_shape(tensor.dtype, tensor.shape)}"


def _training(model: ModelReport) -> str:
    entry = model.entry or ""
    if "training=True" in entry:
        return " in training mode"
    return " in inference mode" if "training=False" in entry else ""


def _position_lines(cause: Cause, message: str, page: Page) -> list[Text]:
    if cause.op and (cause.op not in message or cause.source or cause.layer):
        description = describe(cause)
        detail = (f"  {description}" if description else "", "dim")
        words = line("  ", ("at: ", "bold"), shown(cause.op), detail)
        return lay_out(words, page, 6)
    return []


def _several_cuts(variables: Sequence[Variable], page: Page) -> Iterator[Text]:
    """Say which weights need more than one cut removed."""
    for cuts in sorted({variable.cuts_to_restore or 0 for variable in variables}):
        if cuts > 1:
            some = [variable for variable in variables if variable.cuts_to_restore == cuts]
            need = _subject(some, variables, "needs", "need")
            words = f"{need} {cuts} cuts removed before a gradient arrives"
            yield from lay_out(line("  ", words + _layers(some, variables)), page, 4)


def _other_cuts(cause: Cause, variables: Sequence[Variable], page: Page) -> list[Text]:
    """Say which weights are cut on another way to the output too."""
    others = {
        variable.name: [
            other
            for other in variable.causes
            if other.op and other != cause and not {other.op, cause.op} <= {*variable.path}
        ]
        for variable in variables
    }
    some = [variable for variable in variables if others[variable.name]]
    if not some:
        return []
    ops = dict.fromkeys(
        f"{shown(other.code)} {shown(str(other.op))}"
        for variable in some
        for other in others[variable.name]
    )
    listed = list(ops) if page.show_all else list(ops)[:_MAX_OTHER_CUTS]
    more = f" and {len(ops) - len(listed)} more" if len(ops) > len(listed) else ""
    words = f"{_subject(some, variables, 'is', 'are')} also cut on another way to the output, by "
    return lay_out(line("  ", f"{words}{', '.join(listed)}{more}"), page, 4)


def _subject(
    some: Sequence[Variable], variables: Sequence[Variable], singular: str, plural: str
) -> str:
    if len(variables) == 1:
        return f"it {singular}"
    if len(some) == len(variables):
        return f"all of them {plural}"
    return f"{len(some):,} of them {singular if len(some) == 1 else plural}"


def _layers(some: Sequence[Variable], variables: Sequence[Variable]) -> str:
    layers = [row.layer for row in stretches(by_layer(some), _MAX_OF_SOME)]
    if len(some) == len(variables) or len(layers) > _MAX_OF_SOME:
        return ""
    return f": {', '.join(layers)}"


def _frozen_words(layer: str | None, members: Sequence[Variable]) -> list[str | tuple[str, str]]:
    starved = sum(v.verdict in (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE) for v in members)
    who = (shown(layer), "bold") if layer is not None else UNTRAINABLE
    how = " (trainable=False)" if layer is not None else ""
    rest = f"; unfreezing would bring no useful gradient to {starved:,} of them" if starved else ""
    return [who, how, f": {in_total(members)}", rest]
