"""Trace a function that trains once more, for the report, and run that on the same data.

What the user called runs as it is. Then the variables are set back, the Python function is traced
anew with an op that hands out each gradient, run, and the variables are set as the user's own call
has left them. The updates of the weights are left out where no gradient depends on them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.tape.measure import measure
from gradflow.tape.private_api import Function, functions_as_traced, without_op_callbacks
from gradflow.tape.watching.gradient_calls import is_telling
from gradflow.tape.watching.kept_traces import Look, look_at
from gradflow.tape.watching.recorder import Record, here
from gradflow.tape.watching.shared_batches import once_only, plain, replayed, tapped
from gradflow.tape.watching.start_values import Borders, Start
from gradflow.tape.watching.training_graphs import (
    draws_anew,
    trains,
    updates_come_last,
    written,
)
from gradflow.tape.watching.variables import Values

Original = Callable[..., Any]
"""``tf.function``'s own way to call a function."""
_Start = tuple[int, int]
"""How many gradient calls and applications a record had."""


@dataclass(slots=True)
class Session:
    """One call of a function by the user."""

    concrete: Any | None = None
    """The trace that was run, where it trains."""
    before: Values = field(default_factory=Values)


@dataclass(slots=True)
class Analysis:
    """Whether a function is called by the user, or traced for the report."""

    is_on: bool = False
    session: Session | None = None
    clones: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """What each function that is called meanwhile was made anew as."""
    leaves_updates_out: bool = False
    updated: set[int] = field(default_factory=set)
    """The handles of the variables whose update was left out."""
    is_out_of_order: bool = False
    """Whether a gradient was asked for behind an update that was left out."""

    @contextmanager
    def begun(self, *, leaves_updates_out: bool) -> Iterator[None]:
        """Trace for the report meanwhile."""
        self.is_on, self.leaves_updates_out = True, leaves_updates_out
        self.updated, self.is_out_of_order = set(), False
        try:
            yield
        finally:
            self.is_on = self.leaves_updates_out = False
            self.clones.clear()

    def leave_out(self, pairs: Sequence[tuple[int, Any]]) -> None:
        """Note an update that is left out, by the gradients and the handles of the variables."""
        self.updated |= {number for number, gradient in pairs if gradient is not None}

    def note_gradient(self) -> None:
        """Note that a gradient is asked for."""
        self.is_out_of_order |= bool(self.updated)

    def anew(self, function: Any) -> Any:
        """Return a function of the same Python code without a trace: those that it has were made
        unheard."""
        if id(function) not in self.clones:
            clone = Function(
                function._python_function,
                function._name,
                input_signature=function.input_signature,
                autograph=function._autograph,
                experimental_autograph_options=function._experimental_autograph_options,
            )
            clone._omit_frequent_tracing_warning = True  # the user traces no more than before
            self.clones[id(function)] = (function, clone)
        return self.clones[id(function)][1]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the user's that is to be looked into."""

    original: Original
    function: Any
    data: Any
    """The arguments, with iterators that keep what was read from them."""
    session: Session
    after: Values
    """What the user's call has left."""


def run(
    original: Original,
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    analysis: Analysis,
    records: Sequence[Record],
) -> Any:
    """Call ``function`` for the user; where it trains, look into it for the records."""
    data = tf.nest.map_structure(tapped, (tuple(args), dict(kwargs)))
    session = analysis.session = Session()
    try:
        result = original(function, *data[0], **data[1])
    finally:
        analysis.session = None
    if session.concrete is None:
        return result
    waiting = [record for record in records if not _is_known(record, session.concrete)]
    if waiting:
        after = Values()
        with here.without_ops():
            after.keep(handle for handle, _ in session.before.held.values())
        call = _Call(original, function, data, session, after)
        # What the step writes for TensorBoard is written once.
        with (
            _random_states_kept(),
            functions_as_traced(),
            without_op_callbacks(),
            tf.summary.record_if(False),
        ):
            _look_into(call, analysis, waiting)
    return result


def _is_known(record: Record, concrete: Any | None) -> bool:
    """Return whether a trace was looked into before; note it else."""
    if id(concrete) in record.looked_into:
        record.further_calls += 1
        return True
    record.looked_into.add(id(concrete))
    record.kept.append(concrete)
    return False


def before_call(
    concrete: Any, captured: Sequence[Any], analysis: Analysis, records: Sequence[Record]
) -> None:
    """Keep the variables of a trace that is about to run eagerly, where it trains."""
    handles = [item for item in captured if hasattr(item, "_id") and item.dtype == tf.resource]
    if not trains(concrete):
        return
    session = analysis.session
    with here.without_ops():
        for record in records:
            record.before.keep(handles)
        if session is not None:
            session.before.keep(handles)
    if session is None:
        words = "a ConcreteFunction was called, which holds a trace and no code to trace anew"
        for record in records:
            record.obstacles.append(words)
            record.hides_calls = True
    else:
        session.concrete = concrete


def hand_out(
    pairs: Sequence[tuple[int, Any]],
    measured: Mapping[int, list[Any]],
    start: Start | None = None,
    kept: Borders = (),
    upstream: Sequence[Any] = (),
) -> None:
    """Have the graph that is traced measure gradients each time that it is run.

    Args:
        pairs: the handles of the variables, with their gradients.
        measured: where to note what was measured, by handle.
        start: where to keep what the first run started from that brings zeros.
        kept: what that is.
        upstream: as well as the gradients of the targets.
    """
    parts = [_parts(gradient) for _, gradient in pairs]
    tensors = [*(tensor for inner in parts for tensor in inner), *upstream]
    tensors += [tensor for _, outputs in kept for tensor in outputs]

    def keep(*arrays: Any) -> None:
        values = iter(arrays)
        is_any = False
        for (number, gradient), inner in zip(pairs, parts, strict=True):
            held = [np.asarray(next(values)) for _ in inner]
            measured[number].append(measure(_whole(gradient, held)))
            is_any |= is_telling(measured[number][-1])
        if is_any and start is not None and start.run is None and not start.obstacle:
            start.upstream = [next(values) for _ in upstream]
            start.outputs = {name: [next(values) for _ in outputs] for name, outputs in kept}
            start.run = len(measured[pairs[0][0]]) - 1

    tf.numpy_function(keep, tensors, [])


def _parts(gradient: Any) -> Sequence[Any]:
    if gradient is None:
        return ()
    if isinstance(gradient, tf.IndexedSlices):
        shape = gradient.dense_shape
        return (gradient.values, gradient.indices, *([] if shape is None else [shape]))
    return (gradient,)


def _whole(gradient: Any, held: Sequence[Any]) -> Any:
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(held[0], held[1], held[2] if len(held) > 2 else None)
    return held[0]


def _look_into(call: _Call, analysis: Analysis, records: Sequence[Record]) -> None:
    concrete = call.session.concrete
    known = look_at(concrete)
    if known is not None:
        known.forget()
        starts = _starts(records)
        with analysis.begun(leaves_updates_out=known.leaves_updates_out):
            _, obstacle = _run(call, known.clone, known.traced)
        if starts == _starts(records):  # else it was traced anew, for arguments of another kind
            for record in records:
                record.add_look(known)
                _tell(record, call.session, known, obstacle)
            _keep_values(call, records, starts)
            return
        _begin_again(records, starts)
    for is_short in (True, False) if updates_come_last(concrete) else (False,):
        starts = _starts(records)
        with analysis.begun(leaves_updates_out=is_short):
            clone = analysis.anew(call.function)
            traced, obstacle = _run(call, clone, None)
        if not analysis.is_out_of_order:
            break
        _begin_again(records, starts)
    trained = (written(traced) | analysis.updated) if traced is not None else set()
    for record, (calls, applications) in zip(records, starts, strict=True):
        look = None
        if traced is not None:
            look = Look(
                clone=clone,
                traced=traced,
                calls=record.calls[calls:],
                applications=record.applications[applications:],
                noted=dict(record.noted),
                owners=tuple(record.owners),
                trained=trained,
                leaves_updates_out=is_short,
            )
            record.looks.append(look)
            look.keep_with(concrete)
        _tell(record, call.session, look, obstacle)
    _keep_values(call, records, starts)


def _keep_values(call: _Call, records: Sequence[Record], starts: Sequence[_Start]) -> None:
    """Keep the weights as they were for the gradient calls that are to be run again."""
    for record, (calls, _) in zip(records, starts, strict=True):
        for item in record.calls[calls:]:
            if item.start.run is not None:
                item.start.before = call.session.before.held


def _starts(records: Sequence[Record]) -> list[_Start]:
    return [(len(record.calls), len(record.applications)) for record in records]


def _begin_again(records: Sequence[Record], starts: Sequence[_Start]) -> None:
    for record, (calls, applications) in zip(records, starts, strict=True):
        del record.calls[calls:], record.applications[applications:]


def _run(call: _Call, clone: Any, traced: Any | None) -> tuple[Any | None, str]:
    """Run ``clone``, which may have to be traced, on the data of the user's call, and leave the
    variables as that did.

    Returns its trace, None where there is none, and what hinders.
    """
    args, kwargs = again = tf.nest.map_structure(replayed, call.data)
    try:
        obstacle = once_only(call.session.concrete, again)
        if obstacle:
            args, kwargs = tf.nest.map_structure(plain, again)
            return traced or clone.get_concrete_function(*args, **kwargs), obstacle
        call.session.before.restore()
        call.original(clone, *args, **kwargs)
        return traced or clone.get_concrete_function(*args, **kwargs), ""
    except Exception as error:  # the user's own code runs, which can raise anything at all
        return traced, f"the function cannot be traced or run once more: {_reason(error)}"
    finally:
        call.after.restore()


def _tell(record: Record, session: Session, look: Look | None, obstacle: str) -> None:
    record.traced = True
    if obstacle:
        record.obstacles.append(obstacle)
    record.trained_by_call |= written(session.concrete)
    if look is None:
        record.trained_by_trace = None
        record.hides_calls = True
        return
    if record.trained_by_trace is not None:
        record.trained_by_trace |= look.trained
    record.draws_anew |= draws_anew(session.concrete, look.traced)
    record.traces.append(look.traced)


def _reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong; AutoGraph puts the user's stack before
    it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1] if lines[0].startswith("in user code") else lines[0]


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Leave the random numbers of Python and NumPy as they were; those of TensorFlow belong to the
    graph or to variables."""
    state, legacy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(legacy)
