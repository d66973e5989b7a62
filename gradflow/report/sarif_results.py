"""Write the findings of a model as the results of a SARIF log."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradflow.findings import (
    LEFT_OUT,
    Acceptance,
    Anchor,
    Cause,
    Finding,
    ModelReport,
    Step,
    Variable,
    example,
)
from gradflow.report.accepted import words_of
from gradflow.report.anchors import anchor_of, identity_of, source_anchor, source_anchors, uri
from gradflow.report.finding_line import remedy, sentence, snippet
from gradflow.report.headline import headline
from gradflow.report.model_parts import behind, by_name, by_severity, end_of_way, is_itemized
from gradflow.report.people.path_picture import describe, is_cut, known_cuts, steps_of
from gradflow.text import encodable, shown

Json = dict[str, Any]

_PLACEHOLDER = re.compile(r"\{[0-9]+\}")
_GRADIENT = {True: "reaches it", False: "does not reach it"}


def results_of(
    model: ModelReport,
    rule_index: Mapping[str, int],
    anchors: Mapping[str, Anchor],
    fingerprints: Counter[str],
) -> Iterator[Json]:
    """Yield a result for each finding, the worst first and accepted ones last, or one for a model
    that could not be checked.

    Args:
        model: the model.
        rule_index: the index of each code among the rules.
        anchors: where the findings of a model are shown, by its name or path.
        fingerprints: how often each is in the log already; counted on.
    """
    physical = physical_location(anchor_of(model, anchors))
    identity = identity_of(model, anchors)
    if model.error is not None and not is_itemized(model):
        yield {
            "ruleId": shown(model.error.code),
            "ruleIndex": rule_index[model.error.code],
            "level": "error",
            "message": message(failure_message(model)),
            "locations": [{"physicalLocation": physical}],
            "partialFingerprints": _fingerprints(model.error.code, identity, "", fingerprints),
        }
    model_variables, cuts = by_name(model), known_cuts(model)
    for finding in (*by_severity(model), *model.accepted_findings):
        variables = behind(finding, model_variables)
        yield {
            "ruleId": shown(finding.code),
            "ruleIndex": rule_index[finding.code],
            "level": finding.severity.value,
            "message": message(_words(finding, variables)),
            "locations": [_location(physical, finding)],
            **_related(finding.cause),
            "partialFingerprints": _fingerprints(
                finding.code, identity, min(finding.variables, default=""), fingerprints
            ),
            **_code_flows(finding, variables, cuts, model, physical),
            **_suppressions(finding.accepted),
        }


def physical_location(anchor: Anchor) -> Json:
    """Return where ``anchor`` is; GitHub refuses an upload with a result that has no URI, and
    wants a line."""
    return {
        "artifactLocation": {"uri": uri(anchor.path)},
        "region": {"startLine": anchor.line or 1},
    }


def failure_message(model: ModelReport) -> str:
    """Say that a model could not be checked, why, and what to do."""
    return headline(model)


def message(text: str) -> Json:
    """Return ``text`` as a message in which nothing is a link or a placeholder (SARIF 2.1.0, 3.11.5
    and 3.11.6)."""
    if "](" in text:
        text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    if _PLACEHOLDER.search(text):
        text = text.replace("{", "{{").replace("}", "}}")
    return {"text": text}


def _words(finding: Finding, variables: Sequence[Variable]) -> str:
    fix = remedy(finding)
    lines = [sentence(finding, variables), *([f"fix: {fix}"] if fix else [])]
    return "\n".join([*lines, *snippet(finding.cause, fix)])


def _location(physical: Json, finding: Finding) -> Json:
    # SARIF wants each once, and names can look alike: an escape, and the letters that stand for it.
    logical = [*{shown(name): _logical(name, "variable") for name in finding.variables}.values()]
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}


def _logical(name: str, kind: str) -> Json:
    full = shown(name)
    return {"name": full.rpartition("/")[2] or full, "fullyQualifiedName": full, "kind": kind}


def _related(cause: Cause | None) -> Json:
    """Return the line of code that makes the cut."""
    if cause is None or not cause.source:
        return {}
    words = message(_cut_words(cause))
    locations = [
        {"id": number, "physicalLocation": physical_location(anchor), "message": words}
        for number, anchor in enumerate(source_anchors(cause.source), 1)
    ]
    return {"relatedLocations": locations}


def _suppressions(accepted: Acceptance | None) -> Json:
    """Say by which line of which file a finding is accepted."""
    if accepted is None:
        return {}
    suppression: Json = {
        "kind": "external",
        "status": "accepted",
        "justification": words_of(accepted),
    }
    if accepted.by != "ignore":
        suppression["location"] = {
            "physicalLocation": physical_location(source_anchor(accepted.by))
        }
    return {"suppressions": [suppression]}


def _fingerprints(code: str, identity: str, variable: str, counts: Counter[str]) -> Json:
    """Identify the finding from one run to the next: by code, model and first variable. Names of
    ops are left out, since they are numbered anew.

    Two findings of one code can begin with the same variable, and a model can be in the report
    twice: those are numbered.
    """
    key = encodable("\0".join((code, identity, variable)), "utf-8")
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    counts[digest] += 1
    value = f"{digest}:{counts[digest]}"
    # NOTE: GitHub goes by the first name alone; without it, its action would hash "line 1" of the
    # model file.
    return {"primaryLocationLineHash": value, "gradflow/v1": value}


def _code_flows(
    finding: Finding,
    variables: Sequence[Variable],
    cuts: Mapping[str, Cause],
    model: ModelReport,
    physical: Json,
) -> Json:
    """Return the path of the data from a variable to the output, with the cut marked; nothing
    where no path is known."""
    cause = finding.cause
    drawn = example(variables, cause) if cause is not None and cause.op is not None else None
    if drawn is None:
        return {}
    end = end_of_way(model, finding)
    output = end if " " in end else f"the {end}"
    steps = steps_of(drawn, cuts)
    fed = any(step.fed for step in steps[:1])
    locations = [
        _stop(
            physical,
            message(f"weight {shown(drawn.name)}"),
            _logical(drawn.name, "variable"),
            "essential",
            fed,
        ),
        *(_step(step, physical) for step in steps),
        _stop(physical, message(output), None, "essential", True),
    ]
    flow = {"threadFlows": [{"locations": locations}]}
    return {"codeFlows": [{"message": message(f"from {shown(drawn.name)} to {output}"), **flow}]}


def _step(step: Step, physical: Json) -> Json:
    if step.op == LEFT_OUT:
        return _stop(physical, message("many more ops"), None, "unimportant", step.fed)
    logical = _logical(step.op, "member")
    if step.cause is not None:
        places = source_anchors(step.cause.source) if step.cause.source else ()
        physical = physical_location(places[0]) if len(places) == 1 else physical
        return _stop(physical, message(_cut_words(step.cause)), logical, "essential", step.fed)
    words = shown(step.op) + (" (is a float again)" if step.comes_back else "")
    return _stop(physical, message(words), logical, "important", step.fed)


def _stop(physical: Json, words: Json, logical: Json | None, importance: str, fed: bool) -> Json:
    location: Json = {"physicalLocation": physical, "message": words}
    if logical is not None:
        location["logicalLocations"] = [logical]
    return {
        "location": location,
        "importance": importance,
        "state": {"gradient": {"text": _GRADIENT[fed]}},
    }


def _cut_words(cause: Cause) -> str:
    event = "gradient is cut here" if is_cut(cause) else "gradient is lost here"
    description = describe(cause)
    detail = f" ({description})" if description else ""
    return f"{event}: {shown(cause.op or cause.kind)}{detail}"
