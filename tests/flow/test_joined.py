"""What comes of each part of a tensor that was joined, as the graph alone tells it, against the
tape."""

from __future__ import annotations

from typing import Any

import pytest

from tests.examples import examples

pytestmark = pytest.mark.tensorflow

SEEDS = range(examples(60))


@pytest.mark.parametrize("joins_again", [False, True])
def test_what_is_left_out_of_a_join_is_seen_in_the_graph(joins_again: bool) -> None:
    from tests.models.joined import Joined

    modules = {seed: Joined(seed, joins_again=joins_again) for seed in SEEDS}
    wrong = {seed: found for seed, module in modules.items() if (found := _compared(module))}
    assert wrong == {}


@pytest.mark.parametrize("name", ["bias_of_margin", "divided_bias", "filling_left_out"])
def test_what_an_op_adds_or_holds_back_is_seen_where_entries_are_left_out(name: str) -> None:
    from tests.models.joined import LeftOut

    assert _compared(LeftOut(name)) == {}


def _compared(module: Any) -> dict[str, tuple[str, str]]:
    """Return the weights of which the graph says something else than the tape."""
    import tensorflow as tf

    from gradflow.flow.attribute import attribute
    from gradflow.tape.trace import lower_trace, trace
    from tests.models.joined import SHAPE

    x = tf.random.stateless_normal(SHAPE, [1, 2])
    with tf.GradientTape() as tape:
        loss = module.serve(x)
    gradients = tape.gradient(loss, module.weights)
    traced = trace(lambda batch: [("y", module.serve(batch[0]))], [x])
    handles = {id(weight.handle): name for name, weight in module.weights.items()}
    attributions = attribute(lower_trace(traced, handles, ()))
    return {
        name: (said, found)
        for name in module.weights
        if (said := _said(attributions[name])) != (found := _found(gradients[name]))
    }


def _said(attribution: Any) -> str:
    if attribution.cuts_to_restore == 0:
        return "flows"
    return "zero" if attribution.zero_filled else "none"


def _found(gradient: Any) -> str:
    import numpy as np

    if gradient is None:
        return "none"
    return "flows" if np.any(gradient.numpy()) else "zero"
