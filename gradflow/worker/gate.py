"""A model file in, nothing out but what the user has let in: the scan that comes before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradflow.diagnose import describe_trusted
from gradflow.errors import UnsafeError
from gradflow.files.contents import ModelFile
from gradflow.options import Options
from gradflow.scan import Threat, scan
from gradflow.worker.outcome import Analysis


def admit(file: ModelFile, path: str, options: Options) -> tuple[Threat, ...]:
    """Scan ``file`` and return what ``--trust`` has let in.

    Raises:
        UnsafeError: something is not known to be harmless, and not trusted.
        UnreadableError: the file is damaged.
    """
    threats = scan(file, options.imports).threats
    if threats and not options.trust:
        more = f" (and {len(threats) - 1:,} more: gradflow scan shows them)" if threats[1:] else ""
        hint = f"{threats[0].remedy} lets it in, if you know where it comes from; --static reads it without running it"
        raise UnsafeError(f"{path}: not loaded: {threats[0].sentence}{more}", hint)
    return threats


def with_trusted(analysis: Analysis, threats: Sequence[Threat]) -> Analysis:
    """The analysis, with a note for each of the ``threats`` that were let in."""
    findings = (*map(describe_trusted, threats), *analysis.report.findings)
    return replace(analysis, report=replace(analysis.report, findings=findings))
