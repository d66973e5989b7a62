"""A model's report in, a commented configuration that it keeps out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gradflow.findings import ModelReport, Role, Severity, Variable, Verdict
from gradflow.patterns import SYNTAX, covers
from gradflow.text import as_json

_HEAD = """\
# yaml-language-server: $schema=gradflow.schema.json
# (gradflow schema config -o gradflow.schema.json writes the schema that editors complete from)
# What gradflow check expects. Patterns are names of weights: {syntax}.
version: 1
defaults:
  fail_on: warning  # or error: the lowest severity that breaks the build
models:
"""
_STARVED = (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE)


def template(models: Iterable[tuple[str, ModelReport]]) -> str:
    """A configuration with each model by its path, as it is today: paths are written as given."""
    blocks = ["".join(f"{line}\n" for line in _model(path, model)) for path, model in models]
    return _HEAD.format(syntax=SYNTAX) + "".join(blocks)


def _model(path: str, model: ModelReport) -> Iterator[str]:
    untracked = {
        name for finding in model.findings if finding.code == "GF103" for name in finding.variables
    }
    weights = [one for one in model.variables if one.role is Role.WEIGHT]
    frozen = [one for one in weights if not one.trainable and one.name not in untracked]
    alive = [one for one in weights if one.trainable and one.name not in untracked]
    flowing = [one for one in alive if one.verdict not in _STARVED]
    yield f"  - path: {_quoted(path)}"
    if any(finding.code == "GF902" for finding in model.findings):
        yield "    trust: true  # it holds what the safety scan refuses, see gradflow scan"
    is_recorded = not any(
        finding.code == "GF102" and not finding.variables for finding in model.findings
    )
    is_known = flowing and all(one.verdict is not Verdict.UNKNOWN for one in alive)
    if is_recorded or is_known:
        yield "    expect:"
    if is_recorded:
        yield "      # These are frozen, and nothing else is."
        yield f"      frozen: {_quoted(_patterns(frozen, alive))}"
    if is_known:
        yield "      # These are trainable, and their gradient flows."
        yield (
            f"      trainable: "
            f"{_quoted(_patterns(flowing, [o for o in weights if o not in flowing]))}"
        )
    # What names no weight (GF901: read from the file alone) is not for a pattern to ignore.
    shown = [one for one in model.findings if one.severity is not Severity.NOTE and one.variables]
    if shown:
        yield "    # What is found today. Mend it, or say why it is meant."
        yield "    ignore:"
    for finding in shown:
        covered = [one for one in weights if one.name in finding.variables]
        for pattern in _patterns(covered, [one for one in weights if one not in covered]):
            rule = f"variables: {_quoted(pattern)}, codes: [{finding.code}]"
            yield f'      - {{{rule}, reason: "found when gradflow init was run"}}'


def _quoted(value: str | list[str]) -> str:
    """As YAML, which reads all JSON."""
    return as_json(value, indent=None)


def _patterns(covered: Sequence[Variable], others: Sequence[Variable]) -> list[str]:
    """The shortest patterns that cover these and none of the others: ``layer/**`` where a layer is
    of one mind."""
    found: list[str] = []
    for one in covered:
        if any(covers(pattern, one) for pattern in found):
            continue
        segments = (one.layer_path or one.name).split("/")
        wider = ["/".join([*segments[:depth], "**"]) for depth in range(len(segments))]
        clean = (
            pattern for pattern in wider if not any(covers(pattern, other) for other in others)
        )
        found.append(next(clean, one.name))
    return found
