"""Listen to TensorFlow and Keras while a step is watched, and leave them as they were.

Each method that is replaced calls the one that stood there, with the same arguments, and returns
what that returns. The first record that begins replaces them, the last that ends puts them back.
"""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from gradflow.files.frames import Frame, user_source
from gradflow.tape.load.keras_layers import KerasVariable
from gradflow.tape.op_origins import LIBRARIES
from gradflow.tape.private_api import (
    ConcreteFunction,
    EagerTensorBase,
    FuncGraph,
    Function,
    GradientTape,
    OldOptimizer,
    SlowPathError,
    add_op_callback,
    extract_stack,
    fast_ops,
    graph_gradients,
    python_functions,
    remove_op_callback,
    tape_record,
)
from gradflow.tape.watching import functions
from gradflow.tape.watching.eager_ops import EagerOp
from gradflow.tape.watching.gradient_calls import Application, GradientCall, Noted
from gradflow.tape.watching.recorder import ALL_TAPES, Record, here, paired, targets_in
from gradflow.tape.watching.start_values import borders
from gradflow.tape.watching.training_graphs import WRITES
from gradflow.tape.watching.variables import alive, handles_of, key_of, layer_classes

_records: list[Record] = []
"""Those that are open, the first one first."""
_originals: list[tuple[Any, str, Any]] = []
_numbers = itertools.count(1)
_numbers_of_tapes: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_analysis = functions.Analysis()
"""Whether a function is being traced for the report."""
_SOURCE_GRAPH = 8
"""The number of ``src_graph`` among the arguments behind the first two."""
_is_users: dict[Any, bool] = {}
"""Whether a code object is the user's own."""


@contextmanager
def recording(owners: Sequence[Any] = ()) -> Iterator[Record]:
    """Record what is done meanwhile.

    Args:
        owners: models and layers whose weights are wanted, whether they are called or not.
    """
    record = Record()
    for owner in owners:
        record.add_owner(owner)
    with here.without_ops():
        for variable in alive():
            handles = handles_of(variable)
            record.before.keep(handles)
            record.variables.update((handle._id, weakref.ref(variable)) for handle in handles)
    if not _records:
        _listen()
    _records.append(record)
    try:
        yield record
    finally:
        _records.remove(record)
        if not _records:
            _leave()


def _listen() -> None:
    try:
        _replace(GradientTape, "_push_tape", _pushing)
        _replace(GradientTape, "_pop_tape", _popping)
        _replace(GradientTape, "reset", _resetting)
        _replace(GradientTape, "gradient", _differentiating("gradient"))
        _replace(GradientTape, "jacobian", _differentiating("jacobian"))
        _replace(GradientTape, "batch_jacobian", _differentiating("batch_jacobian"))
        _replace(graph_gradients, "_GradientsHelper", _differentiating_graph)
        _replace(tape_record, "record_operation", _recording_operation)
        _replace(fast_ops, "TFE_Py_FastPathExecute", _executing)
        _replace(Function, "__call__", _calling_function)
        _replace(ConcreteFunction, "_call_flat", _calling_concrete)
        _replace(EagerTensorBase, "_numpy", _leaving)
        _replace(python_functions, "py_func_common", _handing_over)
        _replace(FuncGraph, "_create_op_internal", _creating)
        for kind in layer_classes():
            _replace(kind, "__call__", _calling_layer)
        for kind, method in _optimizers():
            _replace(kind, method, _applying(method))
        add_op_callback(_on_op)
    except BaseException:
        _leave()
        raise


def _leave() -> None:
    remove_op_callback_if_any()
    while _originals:
        owner, name, original = _originals.pop()
        setattr(owner, name, original)
    here.clear()


def remove_op_callback_if_any() -> None:
    """Take the callback out again, where it came to be put in."""
    try:
        remove_op_callback(_on_op)
    except KeyError:
        return


def _replace(owner: Any, name: str, wrapped: Callable[[Any], Any]) -> None:
    original = vars(owner)[name]
    _originals.append((owner, name, original))
    setattr(owner, name, functools.wraps(original)(wrapped(original)))


def _optimizers() -> Iterator[tuple[Any, str]]:
    """Yield every class of optimizers that says itself how gradients are applied."""
    roots = [(keras.optimizers.Optimizer, "apply"), (OldOptimizer, "apply_gradients")]
    old = sys.modules.get("tf_keras")
    if old is not None:
        roots.append((old.optimizers.Optimizer, "apply_gradients"))
        roots.append((old.optimizers.legacy.Optimizer, "apply_gradients"))
    seen: set[Any] = set()
    for root, method in roots:
        waiting = [*root.__mro__[:-1], root]
        while waiting:
            kind = waiting.pop()
            if kind not in seen:
                seen.add(kind)
                waiting += kind.__subclasses__() if issubclass(kind, root) else []
                if method in vars(kind):
                    yield kind, method


# Tapes


def _pushing(original: Any) -> Any:
    def pushing(tape: Any) -> None:
        original(tape)
        number = here.tapes[id(tape)] = _number_of(tape)
        here.active = frozenset(here.tapes.values())
        for record in _records:
            record.tapes.add(number)

    return pushing


def _popping(original: Any) -> Any:
    def popping(tape: Any) -> None:
        original(tape)
        here.tapes.pop(id(tape), None)
        here.active = frozenset(here.tapes.values())

    return popping


def _resetting(original: Any) -> Any:
    def resetting(tape: Any) -> None:
        _numbers_of_tapes.pop(tape, None)  # what it had recorded is gone
        original(tape)

    return resetting


def _number_of(tape: Any) -> int:
    if tape not in _numbers_of_tapes:
        _numbers_of_tapes[tape] = next(_numbers)
    return _numbers_of_tapes[tape]


def _differentiating(method: str) -> Callable[[Any], Any]:
    def wrapped(original: Any) -> Any:
        def differentiating(
            tape: Any, target: Any, sources: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            sources = kwargs.pop("source", kwargs.pop("sources", sources))
            if not _records or here.differentiating:
                return original(tape, target, sources, *args, **kwargs)
            watched = frozenset(
                handle._id for variable in _watched(tape) for handle in handles_of(variable)
            )
            number = _number_of(tape)
            others = set(here.tapes.values()) - {number}
            here.differentiating += 1
            try:
                with here.without_ops(not others):
                    result = original(tape, target, sources, *args, **kwargs)
            finally:
                here.differentiating -= 1
            call = GradientCall(
                tape=number,
                graph=None if tf.executing_eagerly() else _graph_of(target),
                targets=[],
                asked={},
                watched=watched,
                source=_source(),
                method=method,
            )
            given = args[:1] if method == "gradient" else ()
            upstream = _flat(kwargs.get("output_gradients", given[0] if given else None))
            if method != "gradient":
                call.start.obstacle = f"it is of a {method}"
            _asked(call, target, paired(sources, result), upstream)
            return result

        return differentiating

    return wrapped


def _differentiating_graph(original: Any) -> Any:
    """``tf.gradients``, which asks no tape."""

    def differentiating(ys: Any, xs: Any, *args: Any, **kwargs: Any) -> Any:
        is_users = kwargs.get("src_graph") is None and len(args) < _SOURCE_GRAPH
        if not _records or here.differentiating or not is_users:
            return original(ys, xs, *args, **kwargs)
        here.differentiating += 1
        try:
            result = original(ys, xs, *args, **kwargs)
        finally:
            here.differentiating -= 1
        pairs = paired(xs, result)
        call = GradientCall(
            tape=ALL_TAPES,
            graph=_graph_of(ys),
            targets=[],
            asked={},
            watched=frozenset(number for number, _ in pairs),
            source=_source(),
            method="tf.gradients",
        )
        given = args[:1] or (None,)
        _asked(call, ys, pairs, _flat(kwargs.get("grad_ys", given[0])))
        return result

    return differentiating


def _source() -> str | None:
    """Return the user's file and line that is being run or traced."""
    if tf.executing_eagerly():
        return user_source(_frames(), LIBRARIES)
    frames = [(frame.filename, frame.lineno) for frame in extract_stack()]
    return user_source(frames, LIBRARIES)


def _watched(tape: Any) -> Sequence[Any]:
    variables: Sequence[Any] = tape.watched_variables()
    return variables


def _graph_of(target: Any) -> Any:
    flat = tf.nest.flatten(target, expand_composites=True)
    graphs = [tensor.graph for tensor in flat if hasattr(tensor, "graph")]
    return graphs[0] if graphs else tf.compat.v1.get_default_graph()


def _flat(gradients: Any) -> Sequence[Any]:
    """Return the gradients of targets that the user gave, if he did."""
    flat = tf.nest.flatten(gradients, expand_composites=True)
    return flat if any(gradient is not None for gradient in flat) else ()


def _asked(
    call: GradientCall, target: Any, pairs: Sequence[tuple[int, Any]], upstream: Sequence[Any]
) -> None:
    flat = tf.nest.flatten(target, expand_composites=True)
    if len(upstream) not in (0, len(flat)) or any(item is None for item in upstream):
        call.start.obstacle = "gradients were given for some of its targets"
    if call.graph is None:
        for record in _records:
            heard = replace(
                call,
                targets=targets_in(target, record.eager.place),
                asked={number: [] for number, _ in pairs},
                begun_at=len(record.eager.ops),
                is_partial=call.tape not in record.tapes,
                start=replace(call.start),
            )
            if heard.is_partial:
                record.obstacles.append("a tape that began to record before watch() did")
            with here.without_ops():
                is_any = heard.measure(pairs)
            if is_any and len(heard.targets) == len(flat):
                record.keep_start(heard, upstream)
            record.eager.turn()
            record.calls.append(heard)
    elif _analysis.is_on:  # else it is the user's own trace: it is traced once more for the report
        _analysis.note_gradient()
        targets = [tensor for tensor in flat if hasattr(tensor, "graph")]
        call.targets = [tensor.name for tensor in targets]
        call.asked = {number: [] for number, _ in pairs}
        kept = None if call.start.obstacle else borders(call.graph, targets)
        if kept is None and not call.start.obstacle:
            call.start.obstacle = "a list of tensors or a dataset, which cannot be kept"
        tensors = () if kept is None else [tf.convert_to_tensor(item) for item in upstream]
        functions.hand_out(pairs, call.asked, call.start, kept or (), tensors)
        for record in _records:
            record.calls.append(call)


# Optimizers


def _applying(method: str) -> Callable[[Any], Any]:
    def wrapped(original: Any) -> Any:
        def applying(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if not _records or here.applying:
                return original(optimizer, *args, **kwargs)
            args, pairs = _given(optimizer, method, args, kwargs)
            if _analysis.leaves_updates_out and not tf.executing_eagerly():
                _analysis.leave_out(pairs)
                _applied(optimizer, pairs)
                return _in_place_of_update(optimizer)
            here.applying += 1
            try:
                with here.without_ops(not here.tapes):
                    result = original(optimizer, *args, **kwargs)
            finally:
                here.applying -= 1
            _applied(optimizer, pairs)
            return result

        return applying

    return wrapped


def _in_place_of_update(optimizer: Any) -> Any:
    """Return what stands for the update that an optimizer does not make."""
    if isinstance(optimizer, OldOptimizer):
        return tf.no_op()
    return getattr(optimizer, "iterations", None)


def _given(
    optimizer: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], list[tuple[int, Any]]]:
    """Return the arguments, of which iterators can be read once only, and the gradients in them
    with their variables."""
    if method == "apply_gradients":
        name = "grads_and_vars"
        listed = list(kwargs[name] if name in kwargs else args[0])
        args = (listed, *args[1:]) if name not in kwargs else args
        kwargs.update({name: listed} if name in kwargs else {})
        numbered = [(key_of(variable), gradient) for gradient, variable in listed]
    else:
        gradients = list(kwargs["grads"] if "grads" in kwargs else args[0])
        variables = kwargs.get("trainable_variables", args[1] if len(args) > 1 else None)
        listed = list(optimizer._trainable_variables if variables is None else variables)
        if "grads" in kwargs:
            kwargs["grads"] = gradients
        else:
            args = (gradients, *args[1:])
        if variables is not None and "trainable_variables" in kwargs:
            kwargs["trainable_variables"] = listed
        elif variables is not None:
            args = (*args[:1], listed, *args[2:])
        numbered = [
            (key_of(variable), gradient)
            for gradient, variable in zip(gradients, listed, strict=False)
        ]
    return args, [(number, gradient) for number, gradient in numbered if number is not None]


def _applied(optimizer: Any, pairs: Sequence[tuple[int, Any]]) -> None:
    in_graph = not tf.executing_eagerly()
    if in_graph and not _analysis.is_on:
        return
    application = Application(
        optimizer=str(getattr(optimizer, "name", None) or type(optimizer).__name__),
        given={number: [] for number, _ in pairs},
        source=_source(),
        accumulates=bool(getattr(optimizer, "gradient_accumulation_steps", None)),
    )
    if in_graph:
        functions.hand_out(pairs, application.given)
    else:
        application.results = list(pairs)
    for record in _records:
        record.applications.append(application)


# Layers


def _calling_layer(original: Any) -> Any:
    def calling(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if not _records:
            return original(layer, *args, **kwargs)
        if not here.layers:
            for record in _records:
                record.add_owner(layer)
        is_model = not here.layers and hasattr(layer, "train_step")
        path = "" if is_model else str(getattr(layer, "path", None) or layer.name)
        here.layers.append((layer, path))
        try:
            return original(layer, *args, **kwargs)
        finally:
            here.layers.pop()

    return calling


# Ops


def _executing(original: Any) -> Any:
    def executing(*args: Any) -> Any:
        if not here.quiet and not _analysis.is_on and any(map(_reads_variable, args[3:])):
            raise SlowPathError
        return original(*args)

    return executing


def _reads_variable(argument: Any) -> bool:
    if isinstance(argument, list | tuple):
        return any(map(_reads_variable, argument))
    return hasattr(argument, "_dense_var_to_tensor") or isinstance(argument, KerasVariable)


def _on_op(
    op_type: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
) -> None:
    if graph is not None or here.quiet or _analysis.is_on or not _records:
        return
    name = op_type.decode() if isinstance(op_type, bytes) else str(op_type)
    made = outputs if isinstance(outputs, list | tuple) else [outputs]
    frames = _frames()
    for record in _records:
        op = EagerOp(name, [], attrs, tapes=here.active, layer=here.layer, frames=frames)
        record.eager.add(op, inputs, [item for item in made if hasattr(item, "_id")])
        if name in record.eager.functions and here.graph is not None:
            record.graphs.setdefault(name, here.graph)
        for tensor in inputs:
            if tensor.dtype == tf.resource:
                record.read.add(tensor._id)
                if name.startswith(WRITES):
                    _written(record, name, inputs, frames)


def _leaving(original: Any) -> Any:
    def leaving(tensor: Any) -> Any:
        _note_left(tensor)
        return original(tensor)

    return leaving


def _handing_over(original: Any) -> Any:
    def handing_over(function: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if tf.executing_eagerly():
            for tensor in tf.nest.flatten(inputs):
                if isinstance(tensor, EagerTensorBase):
                    _note_left(tensor)
        return original(function, inputs, *args, **kwargs)

    return handing_over


def _note_left(tensor: Any) -> None:
    """Note that the value of an eager tensor goes on outside of TensorFlow."""
    if here.quiet or _analysis.is_on or not tensor.dtype.is_floating:
        return
    for record in _records:
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


def _recording_operation(original: Any) -> Any:
    def recording_operation(
        op_type: Any,
        output_tensors: Any,
        input_tensors: Any,
        backward_function: Any,
        forward_function: Any = None,
    ) -> Any:
        is_of_function = str(op_type).startswith(("__forward_", "__inference_"))
        if is_of_function or here.quiet or _analysis.is_on or not tf.executing_eagerly():
            return original(
                op_type, output_tensors, input_tensors, backward_function, forward_function
            )
        frames, outcomes = _frames(), []
        for record in _records:
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


def _creating(original: Any) -> Any:
    def creating(graph: Any, *args: Any, **kwargs: Any) -> Any:
        op = original(graph, *args, **kwargs)
        if _analysis.is_on:
            for record in _records:
                noted = record.noted.setdefault(graph, {})
                noted[op.name] = Noted(here.active, here.layer)
        return op

    return creating


def _frames() -> list[Frame]:
    """Return the innermost line of the user's own code that is being run."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        is_users = _is_users.get(code)
        if is_users is None:
            is_users = user_source([(code.co_filename, 1)], LIBRARIES) is not None
            _is_users[code] = is_users
        if is_users:
            return [(code.co_filename, frame.f_lineno)]
        frame = frame.f_back  # type: ignore[assignment]  # None ends it
    return []


# Functions


def _calling_function(original: Any) -> Any:
    def calling(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not _records or tf.config.functions_run_eagerly():
            return original(function, *args, **kwargs)
        if not tf.executing_eagerly():
            target = _analysis.anew(function) if _analysis.is_on else function
            return original(target, *args, **kwargs)
        if _analysis.is_on or _analysis.session is not None:
            return original(function, *args, **kwargs)
        return functions.run(original, function, args, kwargs, analysis=_analysis, records=_records)

    return calling


def _calling_concrete(original: Any) -> Any:
    def calling(concrete: Any, tensor_inputs: Any, captured_inputs: Any) -> Any:
        if tf.executing_eagerly() and _records and not _analysis.is_on:
            for record in _records:
                record.read.update(
                    tensor._id
                    for tensor in captured_inputs
                    if hasattr(tensor, "_id") and tensor.dtype == tf.resource
                )
            if not here.differentiating:
                functions.before_call(concrete, captured_inputs, _analysis, _records)
        outer, here.graph = here.graph, concrete.graph
        try:
            return original(concrete, tensor_inputs, captured_inputs)
        finally:
            here.graph = outer

    return calling
