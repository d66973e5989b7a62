"""Run a graph of TensorFlow 1 in a session, with the gradient of each variable built into it.

TensorFlow 2 shows no variables of such a graph, and no tape sees its loops and conditions: it is
run where it was made to run, in a session of TensorFlow 1 on a graph of its own.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.errors import GradflowError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.findings import Output
from gradflow.flow.input_use.uses import SparseParts
from gradflow.flow.lower.saved_model import lost_gradients
from gradflow.ops.families import PLAIN_READS, SHIFTS
from gradflow.options import Options
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.inputs.graph_hints import Knowledge, session_knowledge
from gradflow.tape.inputs.search import Batch, with_batch
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.load.saved_model import NotLoadedError, refusal
from gradflow.tape.load.seeded_ops import seeded_ops
from gradflow.tape.loaded_model import Step, Watched
from gradflow.tape.measure import measure
from gradflow.tape.objective import drawn_direction, part_names, projected, select
from gradflow.tape.private_api import SavedModelLoader

_DEAD = "does not have value"
"""TensorFlow's words for a tensor in the branch of a condition that was not taken (checked on
2.16.1 and 2.21.0)."""
_LOOP_ENTRIES, _LOOP_EXITS = ("Enter", "RefEnter"), ("Exit", "RefExit")
_MAX_REACHED = 5000
"""Ops whose gradients are looked at, to name the one at which they die."""
_UPKEEP = frozenset(
    {"Assign", "AssignVariableOp", "IsVariableInitialized", "VarIsInitializedOp", "SaveV2"}
)
"""What a graph does with a variable beside computing."""


@dataclass(frozen=True, slots=True)
class GraphSession:
    """A loaded graph, with the gradients of one objective built into it."""

    session: Any
    contents: SavedModelContents
    entry: Entry
    outputs: Sequence[tuple[str, Any]]
    """The selected outputs by name."""
    directions: Mapping[str, Any]
    """The placeholder of the random direction of each real part of a floating output."""
    gradients: Mapping[str, Any]
    """By floating variable; None where there is none."""
    shapes: Mapping[str, tuple[int, ...]]
    """Of the variables; unknown sizes are 1."""
    additions: Mapping[str, Sequence[Any]]
    """Of the variables that are only added to something, the gradients of the sums."""
    arriving: Mapping[str, Sequence[Any]]
    """Of the ops that a variable leads to, outside loops, the gradients of their outputs."""
    merges: Sequence[Any]
    """The ops of the model that bring the branches of its conditions together."""
    learn: Callable[[], Knowledge]
    """Asks the graph what it does with the inputs."""
    objective: Any
    """What was differentiated; None where no output is a float."""
    ops_in_loops: Collection[Any]

    def step(self, options: Options, watched: tuple[Watched, ...]) -> Step:
        """Draw a batch and measure the gradient of every variable; ``watched`` are their records.

        Raises:
            InputError: no synthetic batch is accepted.
            UsageError: a given input does not exist.
        """

        def run(batch: Batch) -> list[Any]:
            return self._fetched([tensor for _, tensor in self.outputs], self._inputs(batch))

        sparse = [
            SparseParts(parts.indices, parts.values, parts.dense_shape, parts.shape)
            for parts in self.entry.sparse
        ]
        batch, values = with_batch(
            self.entry.inputs, options, None, run, self.learn, is_cheap=True, composites=sparse
        )
        described = tuple(
            Output(name, tuple(np.shape(value)), output.dtype.base_dtype.name)
            for (name, output), value in zip(self.outputs, values, strict=True)
        )
        measured = self._measured(self._feeds(batch, described, options.seed))
        return Step(watched, batch, described, measured)

    def branches(self, step: Step, options: Options) -> dict[str, int]:
        """For each ``Merge`` that ``step`` ran, the number of the input that it passed on."""
        feeds = self.feeds(step, options)
        branches = {}
        for op in self.merges:
            # Inside another branch that was not taken, or something else that cannot be fetched.
            with contextlib.suppress(tf.errors.OpError):
                branches[op.name] = int(self.session.run(op.outputs[1], feeds))
        return branches

    def alive(self, step: Step, options: Options) -> dict[str, bool]:
        """Return for each op of ``arriving`` whether a gradient that is not zero arrives at it; it
        is missing where that cannot be told."""
        feeds = self.feeds(step, options)
        tensors = [tensor for gradients in self.arriving.values() for tensor in gradients]
        try:
            values = iter(self._fetched(tensors, feeds))
        except tf.errors.InvalidArgumentError:  # in a branch that was not taken
            return {}
        return {
            name: bool(any(np.any(getattr(value, "values", value)) for value in arrived))
            for name, gradients in self.arriving.items()
            for arrived in [[next(values) for _ in gradients]]
        }

    def differentiated(
        self, result: Any, target: Any, upstream: Any, feeds: Mapping[Any, Any]
    ) -> Any:
        """Run the gradient of a tensor by another, for the gradient ``upstream`` of the first (None
        for ones); return None where there is none."""
        fed = [self.session.graph.get_tensor_by_name(name) for name in self.entry.feeds]
        with self.session.graph.as_default(), _control_flow_of(self.contents):
            weights = None if upstream is None else [tf.constant(upstream, result.dtype)]
            (gradient,) = without_lookup_errors(
                lambda: tf.compat.v1.gradients([result], [target], weights, stop_gradients=fed),
                lost_gradients(self.contents),
            )
        return None if gradient is None else self._fetched([gradient], feeds)[0]

    def variable(self, name: str) -> Any:
        """Return the op of a variable."""
        return self.session.graph.get_operation_by_name(name)

    def feeds(self, step: Step, options: Options) -> Mapping[Any, Any]:
        """Return what the graph was fed with in ``step``, by tensor."""
        return self._feeds(step.batch, step.outputs, options.seed)

    def _feeds(self, batch: Batch, outputs: Sequence[Output], seed: int) -> Mapping[Any, Any]:
        feeds = self._inputs(batch)
        for output in outputs:
            for part in part_names(output.name):
                placeholder = self.directions.get(part)
                if placeholder is not None:
                    drawn = drawn_direction(part, [size or 0 for size in output.shape], seed)
                    feeds[placeholder] = drawn.astype(placeholder.dtype.as_numpy_dtype)
        return feeds

    def _inputs(self, batch: Batch) -> dict[Any, Any]:
        return {
            name: tensor.numpy()
            for name, tensor in zip(self.entry.feeds, batch.tensors, strict=True)
        }

    def _fetched(self, fetches: Sequence[Any], feeds: Mapping[Any, Any]) -> list[Any]:
        return list(self.session.run(list(fetches), feeds))

    def _measured(self, feeds: Mapping[Any, Any]) -> dict[str, Measurement]:
        """Measure one gradient after the other: one that no branch hands on makes the run of all
        fail."""
        gradients = {
            name: gradient for name, gradient in self.gradients.items() if gradient is not None
        }
        try:
            values = self._fetched(list(gradients.values()), feeds)
        except tf.errors.InvalidArgumentError as error:
            if _DEAD not in str(error):
                raise
            values = [self._alive(name, gradient, feeds) for name, gradient in gradients.items()]
        measured = {name: measure(None) for name in self.gradients}
        for name, value in zip(gradients, values, strict=True):
            measured[name] = measure(eager(value))
        return measured

    def _alive(self, name: str, gradient: Any, feeds: Mapping[Any, Any]) -> Any:
        """Return the gradient; zeros where it stands in a branch that was not taken, so that no
        optimizer would use it."""
        try:
            return self.session.run(gradient, feeds)
        except tf.errors.InvalidArgumentError as error:
            if _DEAD not in str(error):
                raise
            return np.zeros(self.shapes[name], np.float32)


@contextlib.contextmanager
def graph_session(
    folder: Path, contents: SavedModelContents, entry: Entry, selected: Sequence[str], seed: int = 0
) -> Iterator[GraphSession]:
    """Load ``folder`` and build the gradients of the outputs called ``selected`` (empty for
    all); ``seed`` is for its random ops.

    Raises:
        NotLoadedError: TensorFlow refuses to load it, or to differentiate it.
        UnreadableError: its variables are damaged.
        UsageError: a selected output does not exist.
    """
    graph = tf.Graph()
    # Graphs name the GPU that they were trained on.
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    # NOTE: not ``with session``: that would make its graph the default one while batches are drawn
    # eagerly.
    with contextlib.closing(tf.compat.v1.Session(graph=graph, config=config)) as session:
        try:
            with graph.as_default(), _control_flow_of(contents), seeded_ops(seed):
                loader = SavedModelLoader(str(folder))
                saver, _ = loader.load_graph(graph, list(contents.tags))
                built = _differentiated(session, contents, entry, selected)
                loader.restore_variables(session, saver)
                loader.run_init_ops(session, list(contents.tags))
                _hold_to_shapes(graph, session)
        except GradflowError:
            raise
        # Whatever a damaged file, or a graph that cannot be differentiated, brings about.
        except Exception as error:
            raise refusal(folder, contents, error) from error
        yield built


def _hold_to_shapes(graph: Any, session: Any) -> None:
    """Raise ValueError where a variable was restored from the files of another run.

    A resource variable takes a value of any shape from a checkpoint (TensorFlow 2.21); it is the
    ops which use it that fail then, one by one.
    """
    variables = [
        variable
        for variable in graph.get_collection("variables")
        if hasattr(variable, "handle") and variable.shape.is_fully_defined()
    ]
    try:
        shapes = session.run([tf.raw_ops.VariableShape(input=each.handle) for each in variables])
    except tf.errors.FailedPreconditionError:  # one that nothing restores or initialises
        return
    for variable, shape in zip(variables, shapes, strict=True):
        if tuple(shape) != tuple(variable.shape):
            raise ValueError(
                f"Received incompatible tensor with shape {tuple(map(int, shape))} when attempting "
                f"to restore variable with shape {tuple(variable.shape)} and name {variable.name}"
            )


@contextlib.contextmanager
def _control_flow_of(contents: SavedModelContents) -> Iterator[None]:
    """Build gradients as TensorFlow 1 did where the loops and conditions are its own: their arrays
    need it."""
    is_old = any(
        node.op in ("Enter", "Switch", "TensorArrayV3") for node in contents.graph_def.node
    )
    is_new = tf.compat.v1.control_flow_v2_enabled()
    if is_old and is_new:
        tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if is_old and is_new:
            tf.compat.v1.enable_control_flow_v2()


def _differentiated(
    session: Any, contents: SavedModelContents, entry: Entry, selected: Sequence[str]
) -> GraphSession:
    graph = session.graph
    in_loops = _ops_in_loops(graph)
    try:
        return without_lookup_errors(
            lambda: _built(session, contents, entry, selected, in_loops), lost_gradients(contents)
        )
    except GradflowError:
        raise
    except Exception as error:  # gradient functions raise anything at all
        reason = f"TensorFlow {tf.__version__} cannot differentiate it: {first_line(error)}"
        raise NotLoadedError(reason, "nothing to do: gradflow reads its graph instead") from error


def _built(
    session: Any,
    contents: SavedModelContents,
    entry: Entry,
    selected: Sequence[str],
    in_loops: Collection[Any],
) -> GraphSession:
    graph = session.graph
    merges = [op for op in graph.get_operations() if op.type == "Merge" and op not in in_loops]
    named = zip(entry.outputs, entry.tensors, strict=True)
    outputs = select(
        [(info.name, tf.identity(graph.get_tensor_by_name(tensor))) for info, tensor in named],
        selected,
    )
    directions: dict[str, Any] = {}

    def along(name: str, real: Any) -> Any:
        return directions.setdefault(name, tf.compat.v1.placeholder(real.dtype, real.shape))

    objective = projected(outputs, along)
    variables = {
        stored.name: stored for stored in contents.variables if stored.dtype in FLOATING_NAMES
    }
    tensors = [graph.get_operation_by_name(name).outputs[0] for name in variables]
    additions = {name: _additions(tensor) for name, tensor in zip(variables, tensors, strict=True)}
    sums = [total for uses in additions.values() for total in uses]
    reached = _reached(tensors)
    between = [tensor for op in reached for tensor in op.outputs if tensor.dtype.is_floating]
    wanted = [*tensors, *sums, *between]
    gradients = [None] * len(wanted)
    if objective is not None and tensors:
        # What is fed is given: nothing flows on to what the graph would compute it from.
        fed = [graph.get_tensor_by_name(name) for name in entry.feeds]
        gradients = tf.compat.v1.gradients(objective, wanted, stop_gradients=fed)
    by_tensor = {id(tensor): gradient for tensor, gradient in zip(wanted, gradients, strict=True)}
    return GraphSession(
        session=session,
        contents=contents,
        entry=entry,
        outputs=outputs,
        directions=directions,
        gradients=dict(zip(variables, gradients, strict=False)),
        shapes={
            name: tuple(size or 1 for size in stored.shape) for name, stored in variables.items()
        },
        additions={
            name: [by_tensor[id(total)] for total in uses if by_tensor[id(total)] is not None]
            for name, uses in additions.items()
        },
        arriving={
            op.name: [
                by_tensor[id(tensor)]
                for tensor in op.outputs
                if by_tensor.get(id(tensor)) is not None
            ]
            for op in reached
        },
        merges=merges,
        objective=objective,
        ops_in_loops=in_loops,
        learn=functools.cache(functools.partial(session_knowledge, contents, entry, session)),
    )


def _ops_in_loops(graph: Any) -> set[Any]:
    """Return the ops between the entries and the exits of loops: their tensors have a value in each
    trip, so that none can be fetched."""
    ops = [op for op in graph.get_operations() if op.type in _LOOP_ENTRIES]
    in_loops = set(ops)
    for op in ops:
        for tensor in op.outputs:
            for reader in tensor.consumers():
                if reader.type not in _LOOP_EXITS and reader not in in_loops:
                    in_loops.add(reader)
                    ops.append(reader)
    return in_loops


def _reached(variables: Sequence[Any]) -> list[Any]:
    """Return the ops that variables lead to, but for those in loops, whose tensors have a value in
    each trip; none where they are too many."""
    if not variables:
        return []
    in_loops = _ops_in_loops(variables[0].graph)
    ops = list(dict.fromkeys(tensor.op for tensor in variables))
    seen = set(ops)
    for op in ops:
        for tensor in op.outputs:
            readers = [reader for reader in tensor.consumers() if reader not in seen]
            seen.update(readers)
            ops += readers
    reached = [op for op in ops if op not in in_loops]
    return reached if len(reached) <= _MAX_REACHED else []


def _additions(variable: Any) -> list[Any]:
    """Return the sums that a variable is a term of; none where anything else computes with it."""
    sums: list[Any] = []
    slots = [variable]
    for slot in slots:
        for use in slot.consumers():
            if use.type in PLAIN_READS:
                slots += use.outputs
            elif use.type in SHIFTS and (
                use.type != "BiasAdd" or use.get_attr("data_format") == b"NHWC"
            ):
                sums += use.outputs
            elif use.type not in _UPKEEP:
                return []
    return sums


def eager(value: Any) -> Any:
    """Return what a session returned, as a tensor or as slices."""
    if hasattr(value, "indices"):  # the gradient of an embedding: an IndexedSlicesValue
        shape = None if value.dense_shape is None else tf.constant(value.dense_shape)
        return tf.IndexedSlices(tf.constant(value.values), tf.constant(value.indices), shape)
    return tf.constant(value)
