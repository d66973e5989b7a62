"""Bring the gradient back to every tensor of a Run, by TensorFlow's own gradient functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.tape.measure import shared_array
from gradflow.tape.private_api import MockOp, gradient_registry
from gradflow.tape.replay.record import Gradient, Record, ReplayError, Run

_NUMBERLESS = (tf.variant, tf.resource)


@dataclass(slots=True)
class Backward:
    """What came back through a run."""

    run: Run
    nodes: dict[NodeKey, Arrived] = field(default_factory=dict)
    """What arrived at the outputs of each place, all its runs together; a place that was not run is
    missing."""
    edges: dict[tuple[NodeKey, int], Arrived] = field(default_factory=dict)
    """What an op handed to its input of that number."""
    gradients: dict[int, Any] = field(default_factory=dict)
    """By slot; None is not kept."""
    _elements: dict[int, int] = field(default_factory=dict)
    """Element type of the lists among the tensors, by slot."""


class Bridge(Protocol):
    """What hands a gradient over cuts."""

    def over(self, record: Record, arrived: Sequence[Any], handed: Sequence[Any]) -> Sequence[Any]:
        """Return what goes on to the inputs of ``record``: ``handed``, what its gradient function
        gave for what ``arrived`` at its outputs, with what is let over its cuts."""


def backward(
    run: Run,
    upstream: Mapping[int, Any],
    sources: Iterable[int],
    opened: Collection[NodeKey] = (),
    bridge: Bridge | None = None,
    closed: Collection[str] = (),
) -> Backward:
    """Go backwards from ``upstream``, the gradients of some slots, to the slots ``sources``.

    The ops at the places ``opened`` hand on what they get, to each input of the same shape;
    ``bridge``, where there is one, lets the gradient over cuts; the ops ``closed`` of the outermost
    graph hand on nothing.

    Raises:
        ReplayError: a gradient function cannot be run by itself.
    """
    back = Backward(run, gradients=dict(upstream))
    active = _active(run, sources, back)
    for record in reversed(run.records):
        arrived = [back.gradients.get(slot) for slot in record.outputs]
        _note(back, record, arrived)
        has_gradient = any(gradient is not None for gradient in arrived)
        handed: Sequence[Any] = ()
        key = record.keys[0]
        is_closed = not key.copy and key.name in closed
        if has_gradient and not is_closed and not active.isdisjoint(record.inputs):
            try:
                is_open = key in opened
                handed = (_let_through if is_open else handed_by)(run, record, arrived)
            except Exception as error:  # a gradient function can raise anything at all
                raise ReplayError(
                    f"the gradient of {record.op}: {type(error).__name__}: {error}"
                ) from error
        if bridge is not None:
            handed = bridge.over(record, arrived, handed)
        for number, (slot, gradient) in enumerate(zip(record.inputs, handed, strict=False)):
            if gradient is None or slot not in active:
                continue
            edge = (key, number)
            back.edges[edge] = back.edges.get(edge, Arrived(0)) | _arrived(
                gradient, back._elements.get(slot)
            )
            back.gradients[slot] = _sum(back.gradients.get(slot), gradient)
    back.nodes.update(
        {NodeKey("", name, "0"): arrived_at(back, slot) for name, slot in run.fed.items()}
    )
    return back


def arrived_at(back: Backward, slot: int) -> Arrived:
    """Return what arrived at one tensor."""
    gradient = back.gradients.get(slot)
    return (
        Arrived.RUN
        if gradient is None
        else Arrived.RUN | _arrived(gradient, back._elements.get(slot))
    )


def gradient_at(back: Backward, slot: int) -> Any:
    """Return the gradient of a tensor, that of a list as its rows; None where it got none."""
    gradient, element = back.gradients.get(slot), back._elements.get(slot)
    if gradient is None or element is None or gradient.dtype != tf.variant:
        return gradient
    return _stacked(gradient, element)


def _active(run: Run, sources: Iterable[int], back: Backward) -> set[int]:
    """Return the slots whose value depends on ``sources``, for a tape records nothing else, and
    those that come from a branch or a loop: another branch, or another trip, may bring it there."""
    active = set(sources)
    for record in run.records:
        is_brought = ":" in record.keys[0].part and run.tensors[record.outputs[0]].dtype.is_floating
        if is_brought or not active.isdisjoint(record.inputs):
            active.update(record.outputs)
        attrs = dict(zip(record.attrs[::2], record.attrs[1::2], strict=True))
        for slot in record.outputs:
            if "element_dtype" in attrs:
                back._elements[slot] = attrs["element_dtype"]
            elif not record.op and record.inputs[0] in back._elements:
                back._elements[slot] = back._elements[record.inputs[0]]
    return active


def _note(back: Backward, record: Record, arrived: Sequence[Any]) -> None:
    for number, slot in enumerate(record.outputs):
        key = record.keys[number if len(record.keys) > 1 else 0]
        back.nodes[key] = back.nodes.get(key, Arrived.RUN) | arrived_at(back, slot)
    if not record.outputs:
        back.nodes[record.keys[0]] = Arrived.RUN


def handed_by(
    run: Run,
    record: Record,
    arrived: Sequence[Any],
    instead: Mapping[int, Any] = MappingProxyType({}),
) -> Sequence[Any]:
    """Return what an op hands to its inputs for what ``arrived`` at its outputs, where the tensors
    ``instead``, by slot, take the place of those of the run."""
    if not record.op:
        return arrived
    function = record.gradient or _registered(record.op)
    if function is None:
        return ()
    outputs = [instead.get(slot, run.tensors[slot]) for slot in record.outputs]
    inputs = [instead.get(slot, run.tensors[slot]) for slot in record.inputs]
    upstream = [
        _zeros(output) if gradient is None else gradient
        for output, gradient in zip(outputs, arrived, strict=True)
    ]

    def gradient(
        inputs: Sequence[Any], outputs: Sequence[Any], upstream: Sequence[Any]
    ) -> Sequence[Any]:
        handed = function(MockOp(record.attrs, inputs, outputs, record.op, ()), *upstream)
        return handed if isinstance(handed, list | tuple) else [handed]

    try:
        return gradient(inputs, outputs, upstream)
    except tf.errors.InvalidArgumentError:
        # The gradient of a grouped convolution has no kernel for the processor (TensorFlow 2.21):
        # Keras compiles it.
        compiled: Sequence[Any] = tf.function(gradient, jit_compile=True)(inputs, outputs, upstream)
        return compiled


def _let_through(run: Run, record: Record, arrived: Sequence[Any]) -> Sequence[Any]:
    upstream = arrived[0]
    return [
        upstream if upstream is not None and _is_like(run.tensors[slot], upstream) else None
        for slot in record.inputs
    ]


def _is_like(tensor: Any, gradient: Any) -> bool:
    return bool(tensor.dtype == gradient.dtype and tensor.shape == gradient.shape)


def _registered(op: str) -> Gradient | None:
    try:
        function: Gradient | None = gradient_registry.lookup(op)
    except LookupError:
        return None
    return function


def _zeros(tensor: Any) -> Any:
    return None if tensor.dtype == tf.resource else tf.zeros_like(tensor)


def _sum(before: Any, added: Any) -> Any:
    if before is None:
        return added
    if before.dtype == tf.variant:
        return tf.raw_ops.AddN(inputs=[before, added])
    return tf.convert_to_tensor(before) + tf.convert_to_tensor(added)


def _arrived(gradient: Any, element: int | None) -> Arrived:
    values = getattr(gradient, "values", gradient)  # of IndexedSlices
    if values.dtype == tf.variant and element is not None:
        values = _stacked(values, element)
    if values.dtype in _NUMBERLESS:
        return Arrived.GRADIENT | Arrived.SOMETHING  # no numbers to look at
    array = shared_array(values)
    if array.dtype.kind not in "fc":
        array = array.astype(np.float32)  # bfloat16 comes as a NumPy extension type
    arrived = Arrived.GRADIENT
    if np.any(array):
        arrived |= Arrived.SOMETHING
    if not np.all(np.isfinite(array)):
        arrived |= Arrived.NONFINITE
    return arrived


def _stacked(values: Any, element: int) -> Any:
    try:
        return tf.raw_ops.TensorListStack(
            input_handle=values,
            element_shape=tf.constant(-1),
            element_dtype=tf.dtypes.as_dtype(element),
        )
    except (tf.errors.OpError, TypeError):
        return values  # its elements differ in shape, or none was ever set
