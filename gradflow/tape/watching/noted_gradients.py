"""Note which gradients a step asks for, and which of them an optimizer gets."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from gradflow.tape.private_api import OldOptimizer
from gradflow.tape.watching import functions
from gradflow.tape.watching.gradient_calls import Application, GradientCall
from gradflow.tape.watching.open_records import analysis, records, user_line
from gradflow.tape.watching.recorder import ALL_TAPES, here, paired, targets_in
from gradflow.tape.watching.start_values import borders
from gradflow.tape.watching.variables import handles_of, key_of

_numbers = itertools.count(1)
_numbers_of_tapes: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_SOURCE_GRAPH = 8
"""The number of ``src_graph`` among the arguments behind the first two."""


def push_tape(original: Any) -> Any:
    """Wrap the start of a tape: it records now."""

    def pushing(tape: Any) -> None:
        original(tape)
        number = here.tapes[id(tape)] = _number_of(tape)
        here.active = frozenset(here.tapes.values())
        for record in records:
            record.tapes.add(number)

    return pushing


def pop_tape(original: Any) -> Any:
    """Wrap the end of a tape."""

    def popping(tape: Any) -> None:
        original(tape)
        here.tapes.pop(id(tape), None)
        here.active = frozenset(here.tapes.values())

    return popping


def reset_tape(original: Any) -> Any:
    """Wrap the reset of a tape, which is another tape from then on."""

    def resetting(tape: Any) -> None:
        _numbers_of_tapes.pop(tape, None)  # what it had recorded is gone
        original(tape)

    return resetting


def _number_of(tape: Any) -> int:
    if tape not in _numbers_of_tapes:
        _numbers_of_tapes[tape] = next(_numbers)
    return _numbers_of_tapes[tape]


def ask_tape(method: str) -> Callable[[Any], Any]:
    """Wrap ``gradient`` of a tape, or a ``method`` like it."""

    def wrapped(original: Any) -> Any:
        def differentiating(
            tape: Any, target: Any, sources: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            sources = kwargs.pop("source", kwargs.pop("sources", sources))
            if not records or here.differentiating:
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
                source=user_line(),
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


def ask_graph(original: Any) -> Any:
    """``tf.gradients``, which asks no tape."""

    def differentiating(ys: Any, xs: Any, *args: Any, **kwargs: Any) -> Any:
        is_users = kwargs.get("src_graph") is None and len(args) < _SOURCE_GRAPH
        if not records or here.differentiating or not is_users:
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
            source=user_line(),
            method="tf.gradients",
        )
        given = args[:1] or (None,)
        _asked(call, ys, pairs, _flat(kwargs.get("grad_ys", given[0])))
        return result

    return differentiating


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
        for record in records:
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
    elif analysis.is_on:  # else it is the user's own trace: it is traced once more for the report
        analysis.note_gradient()
        targets = [tensor for tensor in flat if hasattr(tensor, "graph")]
        call.targets = [tensor.name for tensor in targets]
        call.asked = {number: [] for number, _ in pairs}
        kept = None if call.start.obstacle else borders(call.graph, targets)
        if kept is None and not call.start.obstacle:
            call.start.obstacle = "a list of tensors or a dataset, which cannot be kept"
        tensors = () if kept is None else [tf.convert_to_tensor(item) for item in upstream]
        functions.hand_out(pairs, call.asked, call.start, kept or (), tensors)
        for record in records:
            record.calls.append(call)


def apply(method: str) -> Callable[[Any], Any]:
    """Wrap the ``method`` by which an optimizer is given gradients."""

    def wrapped(original: Any) -> Any:
        def applying(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if not records or here.applying:
                return original(optimizer, *args, **kwargs)
            args, pairs = _given(optimizer, method, args, kwargs)
            if analysis.leaves_updates_out and not tf.executing_eagerly():
                analysis.leave_out(pairs)
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
    if in_graph and not analysis.is_on:
        return
    application = Application(
        optimizer=str(getattr(optimizer, "name", None) or type(optimizer).__name__),
        given={number: [] for number, _ in pairs},
        source=user_line(),
        accumulates=bool(getattr(optimizer, "gradient_accumulation_steps", None)),
    )
    if in_graph:
        functions.hand_out(pairs, application.given)
    else:
        application.results = list(pairs)
    for record in records:
        record.applications.append(application)
