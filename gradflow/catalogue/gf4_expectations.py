"""Describe how a model can differ from what its user expects."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity

EXPECTATIONS = (
    CodeEntry(
        code="GF401",
        kind="unexpected_frozen",
        severity=Severity.ERROR,
        breaks_expectation=True,
        title="weight is frozen against the expectation",
        why=(
            "The weight is frozen and no pattern of expect.frozen covers it (without "
            "expect.frozen, none does), or expect.trainable asks for it."
        ),
        fix=(
            "unfreeze the layer that is named and save again, or add the pattern to expect.frozen"
        ),
        right_when="the expectation is out of date",
        example=("expect:\n  frozen: ['backbone/**']  # and adapter has trainable=False as well"),
    ),
    CodeEntry(
        code="GF402",
        kind="unexpected_trainable",
        severity=Severity.ERROR,
        breaks_expectation=True,
        title="weight is trainable against the expectation",
        why=(
            "A pattern of expect.frozen covers the weight and it is trainable: fine-tuning would "
            "change what should stay."
        ),
        fix="set layer.trainable = False before saving, or narrow the pattern",
        right_when="the expectation is out of date",
        example=("expect:\n  frozen: ['backbone/**']  # and backbone was unfrozen"),
    ),
    CodeEntry(
        code="GF403",
        kind="unmatched",
        severity=Severity.ERROR,
        breaks_expectation=True,
        title="expectation or ignore that matches nothing",
        why=(
            "The pattern matches no weight of the model, so it checks nothing: a typing error, or"
            " a layer that was renamed."
        ),
        fix="correct the pattern; gradflow inspect MODEL --all lists the names",
        right_when="one configuration serves models of which some lack the layer",
        example=("expect:\n  frozen: ['backbnoe/**']"),
    ),
    CodeEntry(
        code="GF404",
        kind="changed",
        severity=Severity.ERROR,
        title="differs from the baseline",
        message="{change} since the baseline was taken",
        why=(
            "The verdict or the freeze flag of the weight is not what the accepted baseline says."
        ),
        fix="repair the model, or accept the change with gradflow baseline",
        right_when="the change is meant",
        example="",
    ),
)
