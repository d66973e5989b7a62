"""Write a commented configuration that describes models as their reports show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gradflow.findings import Finding, ModelReport, Role, Severity, Variable, Verdict
from gradflow.patterns import SYNTAX
from gradflow.policy import short_patterns
from gradflow.text import as_json

SCHEMA_FILE = "gradflow.schema.json"
"""What editors complete from; it stands beside the configuration."""
_HEAD = """\
# yaml-language-server: $schema={schema}
# What gradflow check expects. Patterns are names of weights: {syntax};
# one that begins with ! takes out again what those before it covered.
version: 1
defaults:
  fail_on: warning  # or error: the lowest severity that breaks the build
models:
"""
_WIDTH = 100
_STARVED = (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE)
_WORDS = {
    Verdict.NONE: " without gradient",
    Verdict.ZERO: " with a gradient of zeros",
    Verdict.NONFINITE: " with NaN or Inf in the gradient",
}


def template(models: Iterable[tuple[str, ModelReport]]) -> str:
    """Return a configuration with an entry for each path and its report."""
    blocks = ["".join(f"{line}\n" for line in _model(path, model)) for path, model in models]
    return _HEAD.format(syntax=SYNTAX, schema=SCHEMA_FILE) + "".join(blocks)


def _model(path: str, model: ModelReport) -> Iterator[str]:
    yield f"  - path: {_quoted(path)}"
    if any(finding.code == "GF902" for finding in model.findings):
        yield "    trust: true  # it holds what the safety scan refuses, see gradflow scan"
    weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
    expected = [*_frozen(model, weights), *_trainable(model, weights)]
    if expected:
        yield "    expect:"
        yield from expected
    ignored = list(_ignored(model, weights))
    if ignored:
        yield "    # The findings of today. Repair each, or write the reason why it is right."
        yield "    ignore:"
        yield from ignored


def _frozen(model: ModelReport, weights: Sequence[Variable]) -> Iterator[str]:
    if any(finding.code == "GF102" and not finding.variables for finding in model.findings):
        return  # the file does not record what is frozen
    tracked = _tracked(model, weights)
    frozen = [weight for weight in tracked if not weight.trainable]
    trainable = [weight for weight in tracked if weight.trainable]
    yield "      # These are frozen, and nothing else is."
    yield from _list("frozen", short_patterns(frozen, trainable))


def _trainable(model: ModelReport, weights: Sequence[Variable]) -> Iterator[str]:
    trainable = [weight for weight in _tracked(model, weights) if weight.trainable]
    flowing = [weight for weight in trainable if weight.verdict not in _STARVED]
    if not flowing or any(weight.verdict is Verdict.UNKNOWN for weight in trainable):
        return
    rest = [weight for weight in weights if weight not in flowing]
    yield "      # These are trainable, and their gradient flows."
    yield from _list("trainable", short_patterns(flowing, rest))


def _tracked(model: ModelReport, weights: Sequence[Variable]) -> list[Variable]:
    """Return the weights that some layer tracks, so that an optimizer sees them."""
    untracked = {
        name for finding in model.findings if finding.code == "GF103" for name in finding.variables
    }
    return [weight for weight in weights if weight.name not in untracked]


def _ignorable(model: ModelReport) -> list[Finding]:
    """Return the findings for an ignore; what names no weight (GF901: read from the file alone) is
    not for a pattern."""
    return [
        finding
        for finding in model.open_findings
        if finding.severity is not Severity.NOTE and finding.variables
    ]


def _ignored(model: ModelReport, weights: Sequence[Variable]) -> Iterator[str]:
    for finding in _ignorable(model):
        covered = [weight for weight in weights if weight.name in finding.variables]
        rest = [weight for weight in weights if weight not in covered]
        for pattern in short_patterns(covered, rest, may_take_out=False):
            rule = f"variables: {_quoted(pattern)}, codes: [{finding.code}]"
            yield f'      - {{{rule}, reason: "found when gradflow init was run"}}'


def accepted_words(models: Iterable[ModelReport]) -> Iterator[str]:
    """Say what the ignores of ``template``, or a baseline, accept, in one sentence for each
    code."""
    verdicts: dict[str, list[Verdict]] = {}
    for model in models:
        weights = {weight.name: weight for weight in model.variables if weight.role is Role.WEIGHT}
        names: dict[str, set[str]] = {}
        for finding in _ignorable(model):
            names.setdefault(finding.code, set()).update(finding.variables)
        for code, covered in names.items():
            members = [weight.verdict for name, weight in weights.items() if name in covered]
            verdicts.setdefault(code, []).extend(members)
    for code in sorted(verdicts):
        number, kinds = len(verdicts[code]), set(verdicts[code])
        what = _WORDS.get(next(iter(kinds)), "") if len(kinds) == 1 else ""
        noun = "weight" if number == 1 else "weights"
        them = "it" if number == 1 else "them"
        yield f"{number:,} {noun}{what} accepted ({code}): look at {them} first"


def _list(key: str, patterns: list[str]) -> Iterator[str]:
    """Write a list in one line, or each pattern in a line of its own where that is long."""
    line = f"      {key}: {_quoted(patterns)}"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"      {key}:"
    yield from (f"        - {_quoted(pattern)}" for pattern in patterns)


def _quoted(value: str | list[str]) -> str:
    """Return a text as YAML writes it: JSON will do, since YAML reads all JSON."""
    return as_json(value, indent=None)
