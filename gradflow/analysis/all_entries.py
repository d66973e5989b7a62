"""Join the analyses of the entries of one SavedModel: a weight is trained where any reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from gradflow.analysis.result import Analysis
from gradflow.catalogue import CATALOGUE
from gradflow.catalogue.entry import Family
from gradflow.files.saved_model.choose_entry import Choice, entries_to_train
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.findings import (
    Finding,
    FlowMap,
    Mode,
    ModelReport,
    Severity,
    Variable,
    Verdict,
    summarize,
)
from gradflow.options import ALL_ENTRIES, Options

_FIRST_COUNTS = (Verdict.NONFINITE, Verdict.FLOWS, Verdict.UNKNOWN, Verdict.ZERO, Verdict.NONE)
"""Where entries differ. NaN or Inf comes first: it spoils what another entry trains."""
T = TypeVar("T")
_Chosen = Mapping[str, tuple[Variable, int]]
"""By name of the variable: what is said of it, and the number of the report that says so."""


def each_entry(
    graphs: Sequence[SavedModelContents], options: Options
) -> tuple[list[tuple[Choice, Options]], Options]:
    """Return the entries to analyse where ``options`` ask for all, with what concerns each, and the
    options for one entry where there are none."""
    if not _asks_for_all(graphs, options):
        return [], options
    return _all_entries(graphs, options), replace(options, entry=None)


def _asks_for_all(graphs: Sequence[SavedModelContents], options: Options) -> bool:
    """Return whether ``options`` ask for every entry; an entry of that name goes before."""
    entries = (entry for graph in graphs for entry in graph.entries)
    return options.entry == ALL_ENTRIES and not any(
        ALL_ENTRIES in (entry.name, entry.label) for entry in entries
    )


def _all_entries(
    graphs: Sequence[SavedModelContents], options: Options
) -> list[tuple[Choice, Options]]:
    """Return each entry that can be trained, with the options that concern it: of the selected
    outputs and the described inputs those that it has."""
    choices = entries_to_train(graphs, training=options.training)
    entries = [entry for _, entry in choices]
    outputs = {info.name for entry in entries for info in entry.outputs}
    inputs = {info.name for entry in entries for info in entry.inputs}
    if outputs.isdisjoint(options.outputs):
        outputs = set()
    return [
        (choice, _fitting(options, choice[1], outputs, inputs))
        for choice in choices
        if not outputs.intersection(options.outputs)
        or any(info.name in options.outputs for info in choice[1].outputs)
    ]


def _fitting(options: Options, entry: Entry, outputs: set[str], inputs: set[str]) -> Options:
    """Return the options without what only other entries have; a name that none has stays, and is
    refused."""
    own_outputs = {info.name for info in entry.outputs}
    own_inputs = {info.name for info in entry.inputs}
    return replace(
        options,
        entry=entry.label,
        outputs=tuple(
            name for name in options.outputs if name in own_outputs or name not in outputs
        ),
        inputs=tuple(
            spec for spec in options.inputs if spec.name in own_inputs or spec.name not in inputs
        ),
    )


def joined(analyses: Sequence[Analysis]) -> Analysis:
    """Return one analysis of a model of which one or more entries were analysed."""
    reports = [analysis.report for analysis in analyses]
    if len(reports) == 1:
        return analyses[0]
    chosen = _chosen(reports)
    variables = tuple(variable for variable, _ in chosen.values())
    maps = [report.map for report in reports if report.map is not None]
    is_run = any(report.mode is Mode.TAPE for report in reports)
    report = replace(
        reports[0],
        entry=f"{ALL_ENTRIES}: {', '.join(report.entry or '' for report in reports)}",
        mode=Mode.TAPE if is_run else Mode.STATIC,
        inputs=_each_once(item for report in reports for item in report.inputs),
        outputs=_each_once(item for report in reports for item in report.outputs),
        variables=variables,
        findings=_each_once(
            finding
            for number, report in enumerate(reports)
            for finding in _findings(report, number, chosen)
        ),
        summary=summarize(variables),
        map=_joined_map(maps, variables) if len(maps) == len(reports) else None,
    )
    routes = (
        analysis.route
        for number, analysis in enumerate(analyses)
        if analysis.route is not None and chosen[analysis.route.variable][1] == number
    )
    return Analysis(report, next(routes, None))


def _chosen(reports: Sequence[ModelReport]) -> _Chosen:
    """Choose what is said of each variable: what the entry says that brings it most."""
    chosen: dict[str, tuple[Variable, int]] = {}
    for number, report in enumerate(reports):
        for variable in report.variables:
            now = chosen.get(variable.name)
            if now is None or _order(variable) < _order(now[0]):
                chosen[variable.name] = (variable, number)
    return chosen


def _order(variable: Variable) -> tuple[int, bool]:
    return _FIRST_COUNTS.index(variable.verdict), variable.cuts_to_restore is None


def _findings(report: ModelReport, number: int, chosen: _Chosen) -> Iterator[Finding]:
    """Yield what one entry tells of the model and of the variables that its report counts for.

    An error at which TensorFlow raises ends the training of all the weights of the entry, and an
    error about a weight that gets a gradient is one about the step itself: they count too.
    """
    verdicts = {variable.name: variable.verdict for variable in report.variables}
    for finding in report.findings:
        item = CATALOGUE[finding.code]
        is_of_model = item.raises or item.family not in (Family.CUTS, Family.VALUES)
        if not finding.variables or is_of_model:
            yield finding
            continue
        names = tuple(
            name
            for name in finding.variables
            if chosen[name][1] == number
            or (finding.severity is Severity.ERROR and verdicts[name] is Verdict.FLOWS)
        )
        if names:
            place = f" (entry {report.entry})" if finding.code != "GF206" else ""
            yield replace(finding, variables=names, message=f"{finding.message}{place}")


def _each_once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _joined_map(maps: Sequence[FlowMap], variables: Sequence[Variable]) -> FlowMap | None:
    from gradflow.diagnose.joined_map import joined_map  # seldom needed

    return joined_map(maps, variables)
