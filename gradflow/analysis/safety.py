"""Scan a model file before it is loaded, and refuse what the user has not let in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradflow.analysis.result import Analysis, analyzed_nothing, failed
from gradflow.errors import UnreadableError, UnsafeError
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.contents import Entry
from gradflow.files.saved_model.reader import read_message
from gradflow.findings import Finding, Format, Mode, ModelReport, Severity
from gradflow.options import Objective, Options
from gradflow.scan import Threat, scan

_MOST_TOLD = 1000
"""Threats of one model: a file can hold millions, and nobody reads so many."""


class RefusedError(UnsafeError):
    """A model that is not loaded for what the scan has found in it; the first of the ``threats`` is
    named."""

    def __init__(self, path: str, format: Format, threats: Sequence[Threat]) -> None:
        more = f" (and {len(threats) - 1:,} more: gradflow scan shows them)" if threats[1:] else ""
        hint = f"{_remedy(threats)}; --static reads it without running it"
        super().__init__(f"{path}: not loaded: {threats[0].sentence}{more}", hint)
        self.format = format
        self.threats = tuple(threats)

    def report(self, path: str) -> ModelReport:
        """Return the report of the model, with each threat as a finding."""
        return _with_findings(failed(path, self, Mode.TAPE, self.format), self.threats)


def admit(file: ModelFile, path: str, options: Options) -> tuple[Threat, ...]:
    """Scan ``file`` and return what ``--trust`` has let in, and what cannot run here.

    Raises:
        RefusedError: something could do harm, and is not trusted.
        UnreadableError: the file is damaged.
    """
    threats = scan(file, options.imports, options.objective is Objective.COMPILED).threats
    refused = [
        threat
        for threat in threats
        if not (options.imports if threat.needs_import else threat.idle_op or threat.is_for_keras)
    ]
    if refused and not options.trust:
        raise RefusedError(path, file.format, refused)
    return threats


def refuse_chosen(file: ModelFile, path: str, entry: Entry) -> None:
    """Make sure that a run of ``entry`` writes and reads no checkpoint at a path of its caller's.

    Raises:
        UnsafeError: it comes to an op that does.
    """
    from gradflow.scan.saved_model.checkpoint_entries import touches_files

    graphs = read_message(file).meta_graphs
    if entry.function is not None and any(touches_files(graph, entry.function) for graph in graphs):
        raise UnsafeError(
            f"{path}: entry {entry.label} writes or reads a file whose path is its input",
            "choose another entry: --entry list shows them",
        )


def scanned(file: ModelFile, path: str, options: Options) -> Analysis:
    """Return the report of the scan alone: nothing where all is harmless, else each threat as a
    finding.

    Raises:
        UnreadableError: the file is damaged.
    """
    result = scan(file, options.imports, True)
    threats = [threat for threat in result.threats if not (threat.needs_import and options.imports)]
    report = analyzed_nothing(path, file.format, result.looked_at)
    if not threats:
        return Analysis(report)
    count = "" if len(threats) == 1 else f"{len(threats):,} things in it could do harm, the first: "
    error = UnsafeError(f"{path}: {count}{threats[0].sentence}", _remedy(threats))
    refused = _with_findings(failed(path, error, Mode.STATIC, file.format), threats)
    return Analysis(replace(refused, looked_at=report.looked_at))


def let_in(threats: Sequence[Threat]) -> tuple[Finding, ...]:
    """Return a note for each of the ``threats`` that ``--trust`` lets in, before they can run."""
    trusted = [threat for threat in threats if not (threat.idle_op or threat.is_for_keras)]
    if not trusted:
        return ()
    from gradflow.diagnose import describe_trusted

    kinds = {(threat.name, threat.harm): threat for threat in reversed(trusted)}
    if len(kinds) > _MOST_TOLD:
        trusted = list(_told(list(reversed(kinds.values()))))
    return tuple(describe_trusted(trusted))


def with_let_in(report: ModelReport, notes: Sequence[Finding]) -> ModelReport:
    """Return the report of a model with what was let in for it, unless it says that nothing was
    run."""
    is_only_read = report.mode is Mode.STATIC and any(
        finding.code == UnreadableError.code and finding.severity is Severity.WARNING
        for finding in report.findings
    )
    return report if is_only_read else replace(report, findings=(*notes, *report.findings))


def _with_findings(report: ModelReport, threats: Sequence[Threat]) -> ModelReport:
    from gradflow.diagnose import describe_threat  # takes a while, and most models are clean

    return replace(report, findings=tuple(map(describe_threat, _told(threats))))


def _told(threats: Sequence[Threat]) -> Sequence[Threat]:
    """Return the threats that a report names one by one, and one more for the rest."""
    rest = len(threats) - _MOST_TOLD
    if rest <= 0:
        return threats
    more = Threat(f"{rest:,} more", "the same file", "could do harm, and are not named one by one")
    return (*threats[:_MOST_TOLD], more)


def _remedy(threats: Sequence[Threat]) -> str:
    way_out = next((threat.way_out for threat in threats if threat.way_out), "")
    if way_out:
        return way_out
    options = list(dict.fromkeys(threat.remedy for threat in threats))
    return (
        f"{' and '.join(options)} let{'' if options[1:] else 's'} it in, if you know where it "
        f"comes from"
    )
