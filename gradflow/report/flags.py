"""A model's report in, what its weights' flags say out: frozen, untracked or trained."""

from __future__ import annotations

from gradflow.findings import Finding, ModelReport, Role, Variable

FROZEN = "GF101"
UNTRACKED = "GF103"
UNEXPECTED_FROZEN = "GF401"


def untracked(model: ModelReport) -> frozenset[str]:
    """Names of the weights that no layer tracks."""
    return frozenset(
        name
        for finding in model.findings
        if finding.code == UNTRACKED
        for name in finding.variables
    )


def frozen(model: ModelReport) -> list[Variable]:
    """The weights that are left alone because something froze them."""
    others = untracked(model)
    return [
        v
        for v in model.variables
        if v.role is Role.WEIGHT and not v.trainable and v.name not in others
    ]


def is_about_flags(finding: Finding) -> bool:
    """Whether it tells of flags, so that paths and cuts have nothing to do with it."""
    return finding.code.startswith("GF1") or finding.code in (UNEXPECTED_FROZEN, "GF402")
