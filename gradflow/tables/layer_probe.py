"""Call a layer once, and say how gradient comes from each output to each input and weight.

Both the walk over the traced call and a bare GradientTape are asked, and must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.flow.lower.graph_def import lower_graph
from gradflow.tables.layer_contract import Steps, passages_of
from gradflow.tape.trace import live_library

Passages = Mapping[tuple[str, int], frozenset[Steps]]
"""By source and output, the ways between them; no entry where no way leads."""
HOLES = {"Lgamma": "activation", "Digamma": "recurrent_activation"}
"""Ops that no layer uses by itself: they stand for the functions that a layer is given."""


class DisagreementError(Exception):
    """The walk and the tape do not say the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How gradient passed through one call."""

    outputs: tuple[bool, ...]
    """Whether each is floating."""
    passages: Passages
    sources: frozenset[str]
    """Every tensor and every weight, also those without a passage."""
    discrete_weights: frozenset[str]
    """The weights that are no floats."""
    raises: bool
    """TensorFlow raises where a gradient is asked for."""
    is_taped: bool
    """A tape was asked too."""


def activation(x: Any) -> Any:
    """Stand for the function that a layer calls ``activation``."""
    return tf.cast(tf.raw_ops.Lgamma(x=tf.cast(x, tf.float32)), x.dtype)


def recurrent_activation(x: Any) -> Any:
    """Stand for the function that a layer calls ``recurrent_activation``."""
    return tf.cast(tf.raw_ops.Digamma(x=tf.cast(x, tf.float32)), x.dtype)


def measure(
    call: Callable[[Mapping[str, Any]], Any],
    tensors: Mapping[str, Any],
    weights: Mapping[str, Any],
    op_type: str = "",
) -> Measured:
    """Measure one call.

    Args:
        call: takes the tensors by name.
        tensors: by the names of the layer table: ``inputs``, ``inputs.0``.
        weights: the TensorFlow variables, by their path in the layer.
        op_type: stands for the whole call where that cannot be traced.

    Raises:
        DisagreementError: the walk and the tape do not say the same.
    """
    floats = {name: weight for name, weight in weights.items() if _is_floating(weight)}
    try:
        seen, outputs = _walked(call, tensors, floats)
    except (TypeError, NotImplementedError):
        # Keras asks for a size or a value that a trace does not know (of Kron and IsIn, 3.15): the
        # tape answers alone.
        return _by_tape(call, tensors, weights, floats, op_type)
    try:
        tape: Mapping[tuple[str, int], bool] | None = _taped(call, tensors, floats)
        is_taped = True
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.UnimplementedError):
        tape, is_taped = None, False  # this machine cannot run it: channels_first, say
    measured = Measured(
        outputs=outputs,
        passages=seen,
        sources=frozenset({*tensors, *weights}),
        discrete_weights=frozenset(weights.keys() - floats.keys()),
        raises=tape is None and is_taped,
        is_taped=is_taped,
    )
    if tape is not None:
        wrong = sorted(
            f"{source}>{output}: tape {'something' if arrives else 'None'}, walk "
            f"{_shown(seen.get((source, output), frozenset()))}"
            for (source, output), arrives in tape.items()
            if arrives != arrives_by(seen.get((source, output), frozenset()))
        )
        if wrong:
            raise DisagreementError("; ".join(wrong))
    return measured


def _by_tape(
    call: Callable[[Mapping[str, Any]], Any],
    tensors: Mapping[str, Any],
    weights: Mapping[str, Any],
    floats: Mapping[str, Any],
    op_type: str,
) -> Measured:
    """Measure a call that cannot be traced; an output that is no float counts as one op.

    Raises:
        DisagreementError: something does not flow: only the walk could tell why.
    """
    tape = _taped(call, tensors, floats)
    outputs = tuple(map(_is_floating, _flat(call(dict(tensors)))))
    if tape is None or not all(tape.values()):
        raise DisagreementError("it cannot be traced")
    sources = {**tensors, **weights}
    leaves = frozenset({(("discrete", op_type),)})
    return Measured(
        outputs=outputs,
        passages={
            (name, number): leaves if _is_floating(source) and not is_floating else frozenset({()})
            for name, source in sources.items()
            for number, is_floating in enumerate(outputs)
        },
        sources=frozenset(sources),
        discrete_weights=frozenset(weights.keys() - floats.keys()),
        raises=False,
        is_taped=True,
    )


def arrives_by(ways: frozenset[Steps]) -> bool:
    """Return whether a tape hands something back over one of the ways."""
    return any(all(step[0] in ("@", "zero") for step in way) for way in ways)


def _shown(ways: frozenset[Steps]) -> str:
    return "|".join(sorted(",".join("/".join(step) for step in way) for way in ways)) or "-"


def _is_floating(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating or tensor.dtype.is_complex)


def _flat(value: Any) -> list[Any]:
    """Return the tensors of a result; of a sparse or ragged one what holds its values."""
    flat = []
    for item in tf.nest.flatten(value):
        if item is None:
            continue
        if isinstance(item, tf.SparseTensor):
            flat.append(item.values)
        elif isinstance(item, tf.RaggedTensor):
            flat.append(item.flat_values)
        else:
            flat.append(tf.convert_to_tensor(item))
    return flat


def _walked(
    call: Callable[[Mapping[str, Any]], Any],
    tensors: Mapping[str, Any],
    weights: Mapping[str, Any],
) -> tuple[Passages, tuple[bool, ...]]:
    names = list(tensors)

    def traced(*values: Any) -> list[Any]:
        return [tf.identity(item) for item in _flat(call(dict(zip(names, values, strict=True))))]

    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=f"tensor{index}")
        for index, tensor in enumerate(tensors.values())
    ]
    concrete = tf.function(traced, autograph=False).get_concrete_function(*specs)
    graph = concrete.graph
    keys = {id(weight.handle): name for name, weight in weights.items()}
    variables = {
        placeholder.op.name: keys[id(external)]
        for external, placeholder in graph.captures
        if id(external) in keys
    }
    for name, placeholder in zip(names, graph.inputs, strict=False):
        variables[placeholder.op.name] = name
    lowered = lower_graph(
        live_library(graph),
        graph.as_graph_def(),
        [output.name for output in graph.outputs],
        variables,
        runs_all=True,
    )
    floating = tuple(_is_floating(output) for output in graph.outputs)
    nodes, rest = iter(lowered.outputs), iter(lowered.discrete_outputs)
    outputs = {
        index: next(nodes) if is_floating else next(rest)
        for index, is_floating in enumerate(floating)
    }
    discrete = frozenset(index for index, is_floating in enumerate(floating) if not is_floating)
    return passages_of(lowered, lowered.variables, outputs, discrete, HOLES), floating


def _taped(
    call: Callable[[Mapping[str, Any]], Any],
    tensors: Mapping[str, Any],
    weights: Mapping[str, Any],
) -> Mapping[tuple[str, int], bool] | None:
    """Return for each floating source and output whether a gradient arrives; None where TensorFlow
    raises."""
    inputs = {name: tf.convert_to_tensor(tensor) for name, tensor in tensors.items()}
    watched = {name: tensor for name, tensor in inputs.items() if _is_floating(tensor)}
    arrives = {}
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(list(watched.values()))
        tape.watch(list(weights.values()))
        outputs = _flat(call(inputs))
    sources: dict[str, Any] = {**watched, **weights}
    for number, output in enumerate(outputs):
        if not _is_floating(output):
            continue
        try:
            gradients: Sequence[Any] = tape.gradient(output, list(sources.values()))
        except (LookupError, NotImplementedError, TypeError, RuntimeError):
            return None
        for name, gradient in zip(sources, gradients, strict=True):
            arrives[name, number] = gradient is not None
    return arrives
