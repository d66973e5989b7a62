"""Find the weights that a loss inside a Keras model moves: of its layers, or a regularizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from gradflow.diagnose import Mover
from gradflow.errors import is_lack_of_memory
from gradflow.findings import Verdict
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.load.compiled_loss import without_regularizers
from gradflow.tape.measure import measure


def movers(
    model: Any, forward: Callable[[], Any], variables: Mapping[str, Any]
) -> Mapping[str, Mover]:
    """Return what moves each of ``variables`` that a loss inside ``model`` leads a gradient to.

    Args:
        model: of Keras 2 or 3.
        forward: calls it on a batch.
        variables: ``tf.Variable`` by name.
    """

    def of_layers() -> Sequence[str]:
        with without_regularizers(model):
            return _reached(model, forward, variables)

    try:
        everything = without_lookup_errors(lambda: _reached(model, forward, variables))
        added = without_lookup_errors(of_layers) if everything else ()
    except Exception as error:  # the model's own code runs; its outputs could be stepped
        if is_lack_of_memory(error):
            raise MemoryError from error
        return {}
    return {name: Mover.ADDED if name in added else Mover.REGULARIZER for name in everything}


def _reached(model: Any, forward: Callable[[], Any], variables: Mapping[str, Any]) -> Sequence[str]:
    """Return the variables to which the losses of the model itself lead a gradient."""
    with tf.GradientTape() as tape:
        for variable in variables.values():
            tape.watch(variable)
        forward()
        losses = [tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in model.losses]
        if not losses:
            return ()
        total = tf.add_n(losses)
    gradients = tape.gradient(total, dict(variables))
    return [
        name for name, gradient in gradients.items() if measure(gradient).verdict is Verdict.FLOWS
    ]
