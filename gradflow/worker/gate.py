"""A model file in, nothing out but what the user has let in: the scan that comes before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradflow.errors import UnsafeError
from gradflow.files.contents import ModelFile
from gradflow.findings import Mode
from gradflow.options import Options
from gradflow.scan import IMPORT, Threat, scan
from gradflow.worker.answer import Analysis, analyzed_nothing, failed


def admit(file: ModelFile, path: str, options: Options) -> tuple[Threat, ...]:
    """Scan ``file`` and return what ``--trust`` has let in, and the ops that cannot run here.

    Raises:
        UnsafeError: something could do harm, and is not trusted.
        UnreadableError: the file is damaged.
    """
    threats = scan(file, options.imports, options.loss_seed is not None).threats
    refused = [one for one in threats if not one.idle_op]
    if refused and not options.trust:
        raise refusal(path, refused)
    return threats


def scanned(file: ModelFile, path: str, options: Options) -> Analysis:
    """The report of the scan alone: nothing where all is harmless, else each threat as a finding.

    Raises:
        UnreadableError: the file is damaged.
    """
    found = scan(file, options.imports, True)
    threats = [one for one in found.threats if not (one.remedy == IMPORT and options.imports)]
    report = analyzed_nothing(path, file.format, found.looked_at)
    if not threats:
        return Analysis(report)
    from gradflow.diagnose import describe_threat  # takes a while, and most models are clean

    count = "" if len(threats) == 1 else f"{len(threats):,} things in it could do harm, the first: "
    remedies = " and ".join(dict.fromkeys(one.remedy for one in threats))
    error = UnsafeError(
        f"{path}: {count}{threats[0].sentence}", f"{remedies} lets it in, if you know where it comes from"
    )
    findings = tuple(map(describe_threat, threats))
    return Analysis(
        replace(failed(path, error, Mode.STATIC, file.format), findings=findings, looked_at=report.looked_at)
    )


def refusal(path: str, threats: Sequence[Threat]) -> UnsafeError:
    """What is said of a model with ``threats``, the first of which is named."""
    more = f" (and {len(threats) - 1:,} more: gradflow scan shows them)" if threats[1:] else ""
    hint = f"{threats[0].remedy} lets it in, if you know where it comes from; --static reads it without running it"
    return UnsafeError(f"{path}: not loaded: {threats[0].sentence}{more}", hint)


def with_trusted(analysis: Analysis, threats: Sequence[Threat]) -> Analysis:
    """The analysis, with a note for each of the ``threats`` that were let in."""
    if not threats:
        return analysis
    from gradflow.diagnose import describe_trusted

    trusted = (describe_trusted(one) for one in threats if not one.idle_op)
    findings = (*trusted, *analysis.report.findings)
    return replace(analysis, report=replace(analysis.report, findings=findings))
