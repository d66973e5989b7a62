"""Biases whose shift is taken out again: each of them is named with every seed, and no other."""

from __future__ import annotations

from typing import Any

import pytest

import gradflow
from gradflow.findings import Severity

pytestmark = pytest.mark.tensorflow

SHIFTED = {
    "convolutions_before_batch_norm": [f"conv_{number}/bias" for number in range(9)],
    "convolutions_before_instance_norm": [f"conv_{number}/bias" for number in range(4)],
    "keys_of_attention": [f"attention_{number}/key/bias" for number in range(3)],
}
OTHERS = ("normalized_over_another_axis", "normalized_in_groups", "used_beside_the_normalization")


def named(model: Any, **options: Any) -> list[str]:
    """Return the weights that are called mathematically zero."""
    report = gradflow.inspect(model, **options).models[0]
    assert report.error is None, report.error
    notes = [finding for finding in report.findings if "mathematically zero" in finding.message]
    assert [finding.severity for finding in report.findings] == [Severity.NOTE] * len(notes)
    return [name for finding in notes for name in finding.variables]


def made(name: str) -> Any:
    import keras

    from tests.models import shifted

    keras.utils.set_random_seed(0)
    return getattr(shifted, name)()


@pytest.mark.parametrize("name", SHIFTED)
def test_each_is_named_with_every_seed(name: str) -> None:
    model = made(name)
    for seed in range(3):
        assert named(model, seed=seed) == SHIFTED[name], seed


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_taken_out_is_not_named(name: str) -> None:
    assert named(made(name)) == []


def test_moving_averages_take_nothing_out() -> None:
    assert named(made("convolutions_before_batch_norm"), training=False) == []
