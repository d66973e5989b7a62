"""Find the zero and tiny gradients of a graph of TensorFlow 1 that another run shows harmless."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.findings import Verdict
from gradflow.options import Options
from gradflow.tape.further_steps import alive
from gradflow.tape.loaded_model import LoadedModel, Step
from gradflow.tape.replay.shift_invariance import is_noise_of_terms
from gradflow.tape.tf1.session import GraphSession

_REDRAWN = 0.1
"""Standard deviation of weights that are drawn again."""


@dataclass(frozen=True, slots=True)
class Awakened:
    """What another step shows once weights of zeros have moved."""

    names: frozenset[str] = frozenset()
    """The variables whose gradient has come alive."""
    zeros: tuple[str, ...] = ()
    """The weights of zeros."""


def cancelled(
    live: GraphSession, step: Step, names: Iterable[str], options: Options, epsilon: float
) -> frozenset[str]:
    """Return those of ``names`` that are only added to something, where all that the sums get
    cancels: what follows takes the shift out again, and the gradient is zero by mathematics."""
    feeds = live.feeds(step, options)
    return frozenset(
        name
        for name in names
        if live.additions.get(name)
        and all(
            is_noise_of_terms(terms, live.shapes[name], epsilon)
            for terms in live.session.run(list(live.additions[name]), feeds)
        )
    )


def awakened(
    model: LoadedModel,
    live: GraphSession,
    options: Options,
    measured: Mapping[str, Measurement],
    trained: Collection[str],
) -> Awakened:
    """Return the variables whose gradient is zero in ``measured``, and not once the weights of
    zeros among ``trained`` that get a gradient have moved.

    A zero-initialized head hides what lies under it for one update.
    """
    flowing = [
        name for name in trained if name in measured and measured[name].verdict is Verdict.FLOWS
    ]

    def alive_with(zeros: Mapping[str, tuple[int, ...]]) -> frozenset[str]:
        return _alive_with(model, live, zeros, options, measured)

    sleeping = _zeros(live, flowing)
    names = alive_with(sleeping)
    # What has come alive can be a weight of zeros itself, which the next update moves.
    while further := _zeros(live, [name for name in trained if name in names - sleeping.keys()]):
        sleeping = {**sleeping, **further}
        names |= alive_with(sleeping)
    alone = [name for name in sleeping if alive_with({name: sleeping[name]})] if names else []
    return Awakened(names, tuple(alone or sleeping))


def _zeros(live: GraphSession, names: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of those of ``names`` that hold only zeros, and multiply with them: what is
    only added to something multiplies no gradient with zero."""
    graph = live.session.graph
    nodes = [graph.get_operation_by_name(name) for name in names]
    with graph.as_default():
        reads = {name: _value(node) for name, node in zip(names, nodes, strict=True)}
    values = ((name, live.session.run(read)) for name, read in reads.items())
    return {
        name: np.shape(value)
        for name, value in values
        if not np.any(value) and not live.additions[name]
    }


def _alive_with(
    model: LoadedModel,
    live: GraphSession,
    zeros: Mapping[str, tuple[int, ...]],
    options: Options,
    measured: Mapping[str, Measurement],
) -> frozenset[str]:
    """Return the variables that come alive once ``zeros`` (shapes by name) are drawn again."""
    if not zeros:
        return frozenset()
    draw = np.random.default_rng(options.seed)
    for name, shape in zeros.items():
        _assign(live.session, name, _REDRAWN * draw.standard_normal(shape))
    drawn = model.step(options).measured
    for name, shape in zeros.items():
        _assign(live.session, name, np.zeros(shape))
    return alive(measured, drawn)


def _assign(session: Any, name: str, value: np.ndarray[Any, Any]) -> None:
    graph = session.graph
    node = graph.get_operation_by_name(name)
    with graph.as_default():
        placeholder = tf.compat.v1.placeholder(node.get_attr("dtype"), value.shape)
        if node.type == "VarHandleOp":
            assign = tf.raw_ops.AssignVariableOp(resource=node.outputs[0], value=placeholder)
        else:
            assign = tf.raw_ops.Assign(ref=node.outputs[0], value=placeholder).op
    session.run(assign, {placeholder: value})


def _value(node: Any) -> Any:
    """Return what a variable holds."""
    if node.type == "VarHandleOp":
        return tf.raw_ops.ReadVariableOp(resource=node.outputs[0], dtype=node.get_attr("dtype"))
    return tf.identity(node.outputs[0])
