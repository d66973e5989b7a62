"""Hold a step that is run op by op against TensorFlow's own step: values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

_DRAWING = frozenset({"Multinomial"})
"""Ops that draw anew in each run, so that only the gradients beside them can be the same."""


def hold_replay(module: Any) -> None:
    """Run ``serve`` of a tf.Module both ways."""
    import tensorflow as tf

    from gradflow.options import Options
    from gradflow.tape.gradient_registry import without_lookup_errors
    from gradflow.tape.load.tf_module import ModuleMethod
    from gradflow.tape.objective import project
    from gradflow.tape.replay.locate import look

    method = ModuleMethod(module, "serve")
    batch = [tf.constant(np.random.default_rng(0).standard_normal((4, 3)), tf.float32)]
    variables = [item.variable for item in method.watched]

    def tape_step() -> tuple[list[Any], list[Any]]:
        with tf.GradientTape() as tape:
            for variable in variables:
                tape.watch(variable)
            outputs = method.call(batch)
            objective = project(outputs, seed=0)
        missing = [None] * len(variables)
        return [value for _, value in outputs], missing if objective is None else tape.gradient(
            objective, variables
        )

    outputs, gradients = without_lookup_errors(tape_step)
    scene = without_lookup_errors(lambda: look(method, method.trace(batch), batch, Options()))
    assert scene is not None, "it could not be run op by op"
    back = scene.trail.back
    draws = any(record.op in _DRAWING for record in back.run.records)
    for slot, output in zip(back.run.outputs, outputs, strict=True):
        if draws:
            assert back.run.tensors[slot].shape == output.shape
            continue
        np.testing.assert_allclose(back.run.tensors[slot], output, rtol=1e-4, atol=1e-5)
    for item, gradient in zip(method.watched, gradients, strict=True):
        mine = back.gradients.get(scene.trail.handles.get(item.stored.name, -1))
        # Where a branch or a cut inside control flow leaves nothing, TensorFlow fills in zeros.
        theirs = (
            np.zeros(item.variable.shape) if gradient is None else tf.convert_to_tensor(gradient)
        )
        mine = np.zeros(item.variable.shape) if mine is None else tf.convert_to_tensor(mine)
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=item.stored.name)
