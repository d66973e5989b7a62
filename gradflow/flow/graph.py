"""Hold a graph of gradient flow: for every node its sources, and how each edge carries gradient."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import IntEnum, IntFlag

from gradflow.files.frames import Frame
from gradflow.flow.op_rules import OpSpec
from gradflow.lazy_dataclass import dataclass


class Edge(IntEnum):
    """How gradient goes backwards over an edge, from the consumer to the source."""

    FLOW = 0
    """The tensor is floating and the consumer passes gradient to it."""
    CUT = 1
    """The tensor is floating and the consumer passes no gradient to it."""
    DISCRETE = 2
    """The tensor itself is an integer, boolean or string."""
    ZERO = 3
    """The consumer passes a gradient that is always exactly zero."""
    UNKNOWN = 4
    """Nothing is known about the consumer's op type."""
    FILL = 5
    """No data: where the consumer gets gradient, TensorFlow hands zeros to the source."""
    SHAPE = 11
    """The consumer asks for nothing but the source's shape."""
    DEAD = 6
    """Measured: the consumer gets gradient, and nothing but zeros arrives at the source."""
    UNTAKEN = 7
    """Measured: the branch or loop body in which the source stands was not run."""
    NONFINITE = 8
    """Measured: the consumer gets a finite gradient, and hands NaN or Inf to the source."""
    OVERWRITTEN = 9
    """Measured: the loop was run, so that its output does not come from the initial value."""
    RESULT = 10
    """The source is what a function under ``tf.custom_gradient`` computed: its gradient goes to the
    arguments."""


class Mark(IntFlag):
    """What else is known about a node."""

    CONTROLLED = 1
    """It stands inside a cond, case or while."""
    CUSTOM = 2
    """Its gradient is the user's own (``tf.custom_gradient``)."""
    LOST = 4
    """The file was saved without its custom gradient."""
    GATE = 8
    """It passes on what one branch of a cond or case, or the body of a loop, brings: its name ends
    in which."""
    CARRIED = 16
    """It is a variable of a loop."""
    WRITES = 32
    """It puts a value into a variable."""
    UNRECORDED = 64
    """It was run while the tape that is asked for gradients did not record."""


def _unknown(function: str, op: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Origins:
    """Where ops come from, by the names of the function and of the op in it; an op that is not
    known gives None."""

    frames: Callable[[str, str], Sequence[Frame] | None] = _unknown
    """The stack that created the op, outermost frame first."""
    layer: Callable[[str, str], str | None] = _unknown
    """The Keras layer or keras.ops operation in whose call the op was created; empty for the
    model's own call."""
    libraries: tuple[str, ...] = ()
    """Folders of this machine whose files are not the user's."""
    calls: Callable[[str, str], Sequence[Frame] | None] = _unknown
    """The lines of which one has called the operation that created the op, where no stack is
    kept."""


NOWHERE = Origins()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A node that puts a value into a variable."""

    node: int
    variable: int
    """The node of the variable."""
    is_whole: bool
    """Nothing of the old value stays, unless the new one is computed from it."""
    is_certain: bool
    """Each call runs it: it stands in no branch."""


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """A graph as flat arrays, one entry a node; edges are grouped by consumer (compressed sparse
    rows).

    The in-edges of node ``n`` stand at ``first[n]`` to ``first[n + 1]`` of ``sources`` and
    ``kinds``.
    """

    names: Sequence[str]
    """Display name of each node; empty for nodes that only pass a value on (calls, loop
    variables)."""
    ops: Sequence[str]
    """TensorFlow op type of each node."""
    first: array[int]
    sources: array[int]
    kinds: bytearray
    """An ``Edge`` each."""
    variables: Mapping[str, int]
    """Node of each variable, by the caller's key."""
    outputs: Sequence[int]
    """Nodes of the selected floating outputs."""
    discrete_outputs: Sequence[int] = ()
    """Nodes of the selected integer, boolean and string outputs."""
    marks: bytearray = field(default_factory=bytearray)
    """A ``Mark`` for each node."""
    filled_outputs: Sequence[int] = ()
    """Nodes that get zeros although they are not selected: the other outputs of the same
    function."""
    functions: Sequence[str] = ()
    """Name of the function that each node stands in; empty for the graph's own nodes."""
    op_specs: Mapping[str, OpSpec] = field(default_factory=dict)
    """What is known of op types that the op table does not have."""
    raising: Sequence[int] = ()
    """Nodes whose gradient a training step asks for, and TensorFlow raises an error there."""
    assignments: Sequence[Assignment] = ()
    """What the call writes to variables."""
    overwritten_reads: frozenset[int] = frozenset()
    """Nodes whose first input is a variable that the call has just overwritten."""
    origins: Origins = NOWHERE
    """Where the ops come from, as far as the file or the trace knows."""
    idle: Mapping[int, str] = field(default_factory=dict)
    """For nodes of variables, the name of a sum that they are a term of, and that is not used;
    empty where the call takes no gradient itself."""
    places: Sequence[int] = ()
    """For each node the first one that stands for the same place of the file, in another call of
    its function; empty where no function is called twice."""
    _by_name: dict[str, list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def named(self, name: str) -> Sequence[int]:
        """Return the nodes with that display name, in their order; several where a function is
        called several times."""
        if not self._by_name:
            for node, known in enumerate(self.names):
                self._by_name.setdefault(known, []).append(node)
        return self._by_name.get(name, ())

    def place(self, node: int) -> int:
        """Return the place of the file that a node stands for, as the first of its copies."""
        return self.places[node] if self.places else node

    def given_gradient(self, outputs: Iterable[int]) -> bytearray:
        """Which nodes get a tensor at all, be it of zeros, where the nodes ``outputs`` get one."""
        passes = {int(Edge.FLOW), int(Edge.ZERO), int(Edge.FILL)}
        given = bytearray(len(self))
        stack = list(outputs)
        for node in stack:
            given[node] = 1
        while stack:
            node = stack.pop()
            for edge in range(self.first[node], self.first[node + 1]):
                source = self.sources[edge]
                if self.kinds[edge] in passes and not given[source]:
                    given[source] = 1
                    stack.append(source)
        return given

    def as_if_unknown_flowed(self) -> FlowGraph:
        """Return the same graph as if every op that nothing is known about passed gradient."""
        return replace(self, kinds=self.kinds.replace(bytes([Edge.UNKNOWN]), bytes([Edge.FLOW])))


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and edges in any order; ``build`` sorts them into a FlowGraph in linear
    time."""

    names: list[str] = field(default_factory=list)
    ops: list[str] = field(default_factory=list)
    marks: bytearray = field(default_factory=bytearray)
    functions: list[str] = field(default_factory=list)
    function: str = ""
    """The function that nodes are added for."""
    repeats: list[tuple[int, int, int]] = field(default_factory=list)
    """Stretches of nodes that repeat earlier ones: their start, the start of the earlier ones, how
    many they are."""
    _sources: array[int] = field(default_factory=lambda: array("i"))
    _consumers: array[int] = field(default_factory=lambda: array("i"))
    _kinds: bytearray = field(default_factory=bytearray)

    def node(self, name: str, op: str, mark: Mark | int = 0) -> int:
        """Add a node and return its number."""
        self.names.append(name)
        self.ops.append(op)
        self.marks.append(mark)
        self.functions.append(self.function)
        return len(self.names) - 1

    def edge(self, source: int, consumer: int, kind: Edge) -> None:
        """Add an edge along the data, from ``source`` to ``consumer``."""
        self._sources.append(source)
        self._consumers.append(consumer)
        self._kinds.append(kind)

    def build(
        self,
        variables: Mapping[str, int],
        outputs: Sequence[int],
        discrete_outputs: Sequence[int] = (),
        filled_outputs: Sequence[int] = (),
    ) -> FlowGraph:
        """Sort the edges by consumer, in the order in which they were added."""
        first = array("i", bytes(4 * (len(self.names) + 1)))
        for consumer in self._consumers:
            first[consumer + 1] += 1
        for node in range(len(self.names)):
            first[node + 1] += first[node]
        sources = array("i", bytes(4 * len(self._sources)))
        kinds = bytearray(len(self._kinds))
        next_edge = first[:]
        for source, consumer, kind in zip(self._sources, self._consumers, self._kinds, strict=True):
            edge = next_edge[consumer]
            next_edge[consumer] = edge + 1
            sources[edge] = source
            kinds[edge] = kind
        return FlowGraph(
            names=self.names,
            ops=self.ops,
            first=first,
            sources=sources,
            kinds=kinds,
            variables=variables,
            outputs=outputs,
            discrete_outputs=discrete_outputs,
            marks=self.marks,
            filled_outputs=filled_outputs,
            functions=self.functions,
            places=self._places(),
        )

    def _places(self) -> Sequence[int]:
        if not self.repeats:
            return ()
        places = array("i", range(len(self.names)))
        for start, earlier, count in self.repeats:
            places[start : start + count] = places[earlier : earlier + count]
        return places
