"""Note which layers, ops and functions a step runs, and what leaves TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from gradflow.files.frames import Frame, user_source
from gradflow.tape.load.keras_layers import KerasVariable
from gradflow.tape.op_origins import LIBRARIES
from gradflow.tape.private_api import EagerTensorBase, SlowPathError
from gradflow.tape.watching import functions
from gradflow.tape.watching.eager_ops import EagerOp
from gradflow.tape.watching.gradient_calls import Noted
from gradflow.tape.watching.open_records import analysis, records, user_frames
from gradflow.tape.watching.recorder import Record, here
from gradflow.tape.watching.training_graphs import WRITES


def call_layer(original: Any) -> Any:
    """Wrap the call of a layer: what is run meanwhile belongs to it."""

    def calling(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if not records:
            return original(layer, *args, **kwargs)
        if not here.layers:
            for record in records:
                record.add_owner(layer)
        is_model = not here.layers and hasattr(layer, "train_step")
        path = "" if is_model else str(getattr(layer, "path", None) or layer.name)
        here.layers.append((layer, path))
        try:
            return original(layer, *args, **kwargs)
        finally:
            here.layers.pop()

    return calling


def execute(original: Any) -> Any:
    """Wrap the fast way to run an op, which hands a variable over without a word."""

    def executing(*args: Any) -> Any:
        if not here.quiet and not analysis.is_on and any(map(_reads_variable, args[3:])):
            raise SlowPathError
        return original(*args)

    return executing


def _reads_variable(argument: Any) -> bool:
    if isinstance(argument, list | tuple):
        return any(map(_reads_variable, argument))
    return hasattr(argument, "_dense_var_to_tensor") or isinstance(argument, KerasVariable)


def note_op(
    op_type: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
) -> None:
    """Note an op that was run eagerly."""
    if graph is not None or here.quiet or analysis.is_on or not records:
        return
    name = op_type.decode() if isinstance(op_type, bytes) else str(op_type)
    made = outputs if isinstance(outputs, list | tuple) else [outputs]
    frames = user_frames()
    for record in records:
        op = EagerOp(name, [], attrs, tapes=here.active, layer=here.layer, frames=frames)
        record.eager.add(op, inputs, [item for item in made if hasattr(item, "_id")])
        if name in record.eager.functions and here.graph is not None:
            record.graphs.setdefault(name, here.graph)
        for tensor in inputs:
            if tensor.dtype == tf.resource:
                record.read.add(tensor._id)
                if name.startswith(WRITES):
                    _written(record, name, inputs, frames)


def leave_tensorflow(original: Any) -> Any:
    """Wrap what makes an array or a number of a tensor."""

    def leaving(tensor: Any) -> Any:
        _note_left(tensor)
        return original(tensor)

    return leaving


def hand_to_python(original: Any) -> Any:
    """Wrap what hands tensors to a Python function as arrays."""

    def handing_over(function: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if tf.executing_eagerly():
            for tensor in tf.nest.flatten(inputs):
                if isinstance(tensor, EagerTensorBase):
                    _note_left(tensor)
        return original(function, inputs, *args, **kwargs)

    return handing_over


def _note_left(tensor: Any) -> None:
    """Note that the value of an eager tensor goes on outside of TensorFlow."""
    if here.quiet or analysis.is_on or not tensor.dtype.is_floating:
        return
    for record in records:
        place = record.eager.place(tensor)
        if place is not None:
            record.left.setdefault(place, len(record.eager.ops))


def _written(record: Record, op: str, inputs: Sequence[Any], frames: Sequence[Frame]) -> None:
    """Note that an op writes to a variable; the first value of a new one is what it began with."""
    handle = inputs[0]
    if op == "AssignVariableOp" and handle._id not in record.before.held:
        record.before.held[handle._id] = (handle, inputs[1])
    else:
        record.written[handle._id] = user_source(frames, LIBRARIES)


def record_operation(original: Any) -> Any:
    """Wrap what tells the tapes of an op with a gradient of its own."""

    def recording_operation(
        op_type: Any,
        output_tensors: Any,
        input_tensors: Any,
        backward_function: Any,
        forward_function: Any = None,
    ) -> Any:
        is_of_function = str(op_type).startswith(("__forward_", "__inference_"))
        if is_of_function or here.quiet or analysis.is_on or not tf.executing_eagerly():
            return original(
                op_type, output_tensors, input_tensors, backward_function, forward_function
            )
        frames, outcomes = user_frames(), []
        for record in records:
            op = EagerOp("IdentityN", [], (), tapes=here.active, layer=here.layer, frames=frames)
            outcomes.append(
                record.eager.add_custom_gradient(
                    op, output_tensors, input_tensors, backward_function
                )
            )

        def backward(*gradients: Any) -> Any:
            result = backward_function(*gradients)
            for returned in outcomes:
                start = len(returned) - len(result)
                returned[start:] = [gradient is not None for gradient in result]
            return result

        return original(op_type, output_tensors, input_tensors, backward, forward_function)

    return recording_operation


def create_op(original: Any) -> Any:
    """Wrap what adds an op to a graph that is traced for the report."""

    def creating(graph: Any, *args: Any, **kwargs: Any) -> Any:
        op = original(graph, *args, **kwargs)
        if analysis.is_on:
            for record in records:
                noted = record.noted.setdefault(graph, {})
                noted[op.name] = Noted(here.active, here.layer)
        return op

    return creating


def call_function(original: Any) -> Any:
    """Wrap the call of a ``tf.function``."""

    def calling(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not records or tf.config.functions_run_eagerly():
            return original(function, *args, **kwargs)
        if not tf.executing_eagerly():
            target = analysis.anew(function) if analysis.is_on else function
            return original(target, *args, **kwargs)
        if analysis.is_on or analysis.session is not None:
            return original(function, *args, **kwargs)
        return functions.run(original, function, args, kwargs, analysis=analysis, records=records)

    return calling


def call_concrete(original: Any) -> Any:
    """Wrap the call of a trace."""

    def calling(concrete: Any, tensor_inputs: Any, captured_inputs: Any) -> Any:
        if tf.executing_eagerly() and records and not analysis.is_on:
            for record in records:
                record.read.update(
                    tensor._id
                    for tensor in captured_inputs
                    if hasattr(tensor, "_id") and tensor.dtype == tf.resource
                )
            if not here.differentiating:
                functions.before_call(concrete, captured_inputs, analysis, records)
        outer, here.graph = here.graph, concrete.graph
        try:
            return original(concrete, tensor_inputs, captured_inputs)
        finally:
            here.graph = outer

    return calling
