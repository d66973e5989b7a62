"""Trace a function that trains once more, for the report, and run that on the same data.

What the user called runs as it is. Then the variables are set back, the Python function is traced
anew with an op that hands out each gradient, run, and the variables are set as the user's own call
has left them.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.ops.families import CALLS
from gradflow.tape.measure import measure
from gradflow.tape.op_origins import reached
from gradflow.tape.private_api import EagerTensor, Function
from gradflow.tape.watching.recorder import Look, Record, here
from gradflow.tape.watching.variables import Values

_BACKWARD = ("gradient_tape/", "gradients/")
"""Scopes of the ops that a tape and ``tf.gradients`` make."""
_DRAWING = ("Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal")
_FROM_VARIABLES = ("Stateless", "Stateful")
"""How the types of ops begin that draw from a seed or from the state in a variable."""
WRITES = ("Assign", "ResourceScatter", "ResourceApply", "ResourceSparseApply")
"""How the types of ops begin that write to a variable."""


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

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Trace for the report meanwhile."""
        self.is_on = True
        try:
            yield
        finally:
            self.is_on = False
            self.clones.clear()

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
            self.clones[id(function)] = (function, clone)
        return self.clones[id(function)][1]


def run(
    original: Callable[..., Any],
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    analysis: Analysis,
    records: Sequence[Record],
) -> Any:
    """Call ``function`` for the user; where it trains, look into it for the records."""
    data = tf.nest.map_structure(_tapped, (tuple(args), dict(kwargs)))
    session = analysis.session = Session()
    try:
        result = original(function, *data[0], **data[1])
    finally:
        analysis.session = None
    if session.concrete is None:
        return result
    waiting = [record for record in records if not _is_known(record, session.concrete)]
    if waiting:
        again = tf.nest.map_structure(_replayed, data)
        _look_into(original, function, again, session, analysis, waiting)
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
    graphs = list(reached(concrete.graph).values())
    if not any(_trains(graph) for graph in graphs):
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


def hand_out(pairs: Sequence[tuple[int, Any]], measured: Mapping[int, list[Any]]) -> None:
    """Have the graph that is traced measure gradients each time that it is run."""
    parts = [_parts(gradient) for _, gradient in pairs]

    def keep(*arrays: Any) -> None:
        values = iter(arrays)
        for (number, gradient), tensors in zip(pairs, parts, strict=True):
            held = [_Held(next(values)) for _ in tensors]
            measured[number].append(measure(_whole(gradient, held)))

    tf.numpy_function(keep, [tensor for tensors in parts for tensor in tensors], [])


def eager_handle(tensor: Any) -> Any | None:
    """Return the eager handle that a tensor of a graph was captured from, through all the graphs
    around it; None where it is no such one."""
    while not isinstance(tensor, EagerTensor):
        outer = _captured(tensor.graph).get(tensor._id)
        if outer is None:
            return None
        tensor = outer
    return tensor


def _captured(graph: Any) -> Mapping[int, Any]:
    return {inner._id: outer for outer, inner in getattr(graph, "captures", ())}


class _Held:
    """An array that is measured as a tensor would be."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    def numpy(self) -> Any:
        """Return the array."""
        return self._array


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


def _trains(graph: Any) -> bool:
    """Return whether a graph computes gradients, or changes a variable that is meant to be
    trained."""
    trainable = {
        variable.handle._id
        for variable in graph.variables
        if getattr(variable, "trainable", False) and variable.dtype.is_floating
    }
    for op in graph.get_operations():
        if op.name.startswith(_BACKWARD) or "/gradient_tape/" in op.name:
            return True
        if op.type.startswith(WRITES) and trainable:
            handle = eager_handle(op.inputs[0])
            if handle is not None and handle._id in trainable:
                return True
    return False


def _written(concrete: Any) -> set[int]:
    """Return the handles of the variables that a trace writes to."""
    handles = (
        eager_handle(op.inputs[0])
        for op in _ops(concrete)
        if op.type.startswith(WRITES) and op.inputs
    )
    return {handle._id for handle in handles if handle is not None}


def _look_into(
    original: Callable[..., Any],
    function: Any,
    data: tuple[Sequence[Any], Mapping[str, Any]],
    session: Session,
    analysis: Analysis,
    records: Sequence[Record],
) -> None:
    concrete = session.concrete
    known = [record.looks[id(concrete)] for record in records if id(concrete) in record.looks]
    starts = [(len(record.calls), len(record.applications)) for record in records]
    after = Values()
    with here.without_ops():
        after.keep(handle for handle, _ in session.before.held.values())
    obstacle, traced = "", known[0].traced if known else None
    with analysis.begun(), _random_states_kept():
        session.before.restore()
        clone = known[0].clone if known else analysis.anew(function)
        if known:
            known[0].forget()
        try:
            if any(isinstance(item, _Untapped) for item in tf.nest.flatten(data)):
                data = tf.nest.map_structure(_plain, data)
                traced = traced or clone.get_concrete_function(*data[0], **data[1])
                obstacle = "the batch of a distributed iterator can be read once only"
            else:
                original(clone, *data[0], **data[1])
                traced = traced or clone.get_concrete_function(*data[0], **data[1])
        except Exception as error:  # the user's own code runs, which can raise anything at all
            obstacle = f"the function cannot be traced or run once more: {_reason(error)}"
        finally:
            after.restore()
    for record, (calls, applications) in zip(records, starts, strict=True):
        if known:
            known[0].tell(record)
        elif traced is not None:
            look = Look(
                concrete=concrete,
                clone=clone,
                traced=traced,
                calls=record.calls[calls:],
                applications=record.applications[applications:],
                noted=dict(record.noted),
            )
            record.looks[id(concrete)] = look
        _tell(record, session, traced, obstacle)


def _tell(record: Record, session: Session, traced: Any | None, obstacle: str) -> None:
    record.traced = True
    if obstacle:
        record.obstacles.append(obstacle)
    record.trained_by_call |= _written(session.concrete)
    if traced is None:
        record.trained_by_trace = None
        record.hides_calls = True
        return
    if record.trained_by_trace is not None:
        record.trained_by_trace |= _written(traced)
    record.draws_anew |= _draws_anew(session.concrete, traced)
    record.traces.append(traced)


def _reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong; AutoGraph puts the user's stack before
    it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1] if lines[0].startswith("in user code") else lines[0]


def _draws_anew(concrete: Any, traced: Any) -> bool:
    """Return whether ``traced`` draws other random numbers than ``concrete``, the user's own: ops
    with a state of their own do, and those that XLA runs in the user's."""
    drawing = [op for op in _ops(traced) if "Random" in op.type or op.type in _DRAWING]
    if any(not op.type.startswith(_FROM_VARIABLES) for op in drawing):
        return True
    calls = [op.node_def for op in _ops(concrete) if op.type in CALLS]
    by_xla = any(node.attr["_XlaMustCompile"].b for node in (concrete.function_def, *calls))
    return bool(drawing) and by_xla


def _ops(concrete: Any) -> Iterator[Any]:
    for graph in reached(concrete.graph).values():
        yield from graph.get_operations()


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


# Iterators can be read once: what the user's call reads is kept for the trace of the report.


@dataclass(frozen=True, slots=True)
class _Untapped:
    """An iterator whose batches cannot be kept."""

    iterator: Any


class _Tap:
    """Keeps what is read from an iterator."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._pulled: list[Any] = []

    def reading(self) -> Any:
        """Return an iterator over the rest of the user's, of which each batch is kept."""

        def pull() -> Iterator[Any]:
            for batch in self._iterator:
                self._pulled.append(batch)
                yield batch

        return self._over(pull)

    def again(self) -> Any:
        """Return an iterator over what was read."""
        return self._over(lambda: iter(list(self._pulled)))

    def _over(self, batches: Callable[[], Iterator[Any]]) -> Any:
        spec = self._iterator.element_spec
        dataset = tf.data.Dataset.from_generator(batches, output_signature=spec)
        options = tf.data.Options()
        # Nothing may be read ahead: the user's next step is to get that batch.
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        options.experimental_optimization.inject_prefetch = False
        return iter(dataset.with_options(options))


_pulled: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
"""What was read from each Python generator: Keras 3.3 gives the batch of ``train_on_batch`` as
one."""


def _tapped(item: Any) -> Any:
    if isinstance(item, GeneratorType):
        return _tapped_generator(item)
    if isinstance(item, tf.distribute.DistributedIterator) or not isinstance(
        item, tf.data.Iterator
    ):
        return item
    tap = _Tap(item)
    try:
        reading = tap.reading()
    except (TypeError, ValueError):  # batches of a kind that a generator cannot give
        return item
    reading._gradflow_tap = tap
    return reading


def _tapped_generator(generator: Any) -> Any:
    pulled: list[Any] = []

    def reading() -> Iterator[Any]:
        for part in generator:
            pulled.append(part)
            yield part

    tapped = reading()
    _pulled[tapped] = pulled
    return tapped


def _replayed(item: Any) -> Any:
    if isinstance(item, GeneratorType):
        return (part for part in list(_pulled[item]))
    if isinstance(item, tf.data.Iterator | tf.distribute.DistributedIterator):
        tap = getattr(item, "_gradflow_tap", None)
        return _Untapped(item) if tap is None else tap.again()
    return item


def _plain(item: Any) -> Any:
    return item.iterator if isinstance(item, _Untapped) else item
