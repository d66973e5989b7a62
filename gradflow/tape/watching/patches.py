"""Listen to TensorFlow and Keras while a step is watched, and leave them as they were.

Each method that is replaced calls the one that stood there, with the same arguments, and returns
what that returns. The first record that begins replaces them, the last that ends puts them back.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from gradflow.tape.private_api import (
    ConcreteFunction,
    EagerTensorBase,
    FuncGraph,
    Function,
    GradientTape,
    OldOptimizer,
    add_op_callback,
    fast_ops,
    graph_gradients,
    python_functions,
    remove_op_callback,
    tape_record,
)
from gradflow.tape.watching.noted_gradients import (
    apply,
    ask_graph,
    ask_tape,
    pop_tape,
    push_tape,
    reset_tape,
)
from gradflow.tape.watching.noted_ops import (
    call_concrete,
    call_function,
    call_layer,
    create_op,
    execute,
    hand_to_python,
    leave_tensorflow,
    note_op,
    record_operation,
)
from gradflow.tape.watching.open_records import records
from gradflow.tape.watching.recorder import Record, here
from gradflow.tape.watching.variables import alive, handles_of, layer_classes

_originals: list[tuple[Any, str, Any]] = []


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
    if not records:
        _listen()
    records.append(record)
    try:
        yield record
    finally:
        records.remove(record)
        if not records:
            _leave()


def _listen() -> None:
    try:
        _replace(GradientTape, "_push_tape", push_tape)
        _replace(GradientTape, "_pop_tape", pop_tape)
        _replace(GradientTape, "reset", reset_tape)
        _replace(GradientTape, "gradient", ask_tape("gradient"))
        _replace(GradientTape, "jacobian", ask_tape("jacobian"))
        _replace(GradientTape, "batch_jacobian", ask_tape("batch_jacobian"))
        _replace(graph_gradients, "_GradientsHelper", ask_graph)
        _replace(tape_record, "record_operation", record_operation)
        _replace(fast_ops, "TFE_Py_FastPathExecute", execute)
        _replace(Function, "__call__", call_function)
        _replace(ConcreteFunction, "_call_flat", call_concrete)
        _replace(EagerTensorBase, "_numpy", leave_tensorflow)
        _replace(python_functions, "py_func_common", hand_to_python)
        _replace(FuncGraph, "_create_op_internal", create_op)
        for kind in layer_classes():
            _replace(kind, "__call__", call_layer)
        for kind, method in _optimizers():
            _replace(kind, method, apply(method))
        add_op_callback(note_op)
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
        remove_op_callback(note_op)
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
