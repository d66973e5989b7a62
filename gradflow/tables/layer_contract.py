"""Contract the flow graph of one layer to what a walk through a model needs of it.

What is left are the layer's own sources (its inputs and its weights), its outputs, and the ops that
pass no gradient on, each with the edges that lead to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gradflow.flow.graph import Edge, FlowGraph

Step = tuple[str, str]
"""A kind as the layer table writes it, or ``@`` for a function of the configuration; an op type."""
Steps = tuple[Step, ...]
_MOST_WAYS = 64


def passages_of(
    graph: FlowGraph,
    sources: Mapping[str, int],
    outputs: Mapping[int, int],
    discrete: frozenset[int],
    holes: Mapping[str, str],
) -> Mapping[tuple[str, int], frozenset[Steps]]:
    """Return the ways from each source to each output, without those that another one makes vain.

    Args:
        graph: of one call of a layer.
        sources: the node of each input and weight.
        outputs: the node of each output.
        discrete: the outputs that are no floats.
        holes: name of the function that ops of a type stand for.
    """
    ways = _Contraction(graph, sources, outputs, discrete, holes, shapes=False).ways()
    if Edge.SHAPE in graph.kinds:
        more = _Contraction(graph, sources, outputs, discrete, holes, shapes=True).ways()
        ways = {**more, **ways}
    return ways


def _least(ways: Iterable[Steps]) -> frozenset[Steps]:
    """Leave out ways that cross all that another one crosses, and more."""
    ways = set(ways)
    return frozenset(
        way for way in ways if not any(other != way and _is_part(other, way) for other in ways)
    )


def _is_part(part: Steps, whole: Steps) -> bool:
    rest = iter(whole)
    return all(step in rest for step in part)


class _Contraction:
    def __init__(
        self,
        graph: FlowGraph,
        sources: Mapping[str, int],
        outputs: Mapping[int, int],
        discrete: frozenset[int],
        holes: Mapping[str, str],
        *,
        shapes: bool,
    ) -> None:
        self._graph = graph
        self._skipped = {int(Edge.FILL)} | (set() if shapes else {int(Edge.SHAPE)})
        self._sources = {node: name for name, node in sources.items()}
        self._outputs, self._discrete, self._holes = outputs, discrete, holes
        self._behind = self._reached_from_sources()
        self._vertices = self._kept()

    def _edges(self, node: int) -> Iterator[tuple[int, Edge]]:
        graph = self._graph
        for edge in range(graph.first[node], graph.first[node + 1]):
            if graph.kinds[edge] not in self._skipped:
                yield graph.sources[edge], Edge(graph.kinds[edge])

    def _reached_from_sources(self) -> set[int]:
        consumers: dict[int, list[int]] = {}
        for node in range(len(self._graph)):
            for source, _ in self._edges(node):
                consumers.setdefault(source, []).append(node)
        waiting, reached = list(self._sources), set(self._sources)
        while waiting:
            for consumer in consumers.get(waiting.pop(), ()):
                if consumer not in reached:
                    reached.add(consumer)
                    waiting.append(consumer)
        return reached

    def _kept(self) -> set[int]:
        """Return the nodes that pass on less than all they get, or change between floats and
        integers."""
        given = {int(Edge.DISCRETE)}
        gives_discrete = {
            source
            for node in self._behind
            for source, kind in self._edges(node)
            if kind is Edge.DISCRETE
        } | {self._outputs[name] for name in self._discrete}
        gives_floats = {
            source
            for node in self._behind
            for source, kind in self._edges(node)
            if kind is not Edge.DISCRETE
        } | {node for name, node in self._outputs.items() if name not in self._discrete}
        kept = set()
        for node in self._behind - self._sources.keys():
            kinds = {int(kind) for source, kind in self._edges(node) if source in self._behind}
            flows = kinds <= {int(Edge.FLOW)} and node not in gives_discrete
            stays_discrete = kinds <= given and node not in gives_floats
            if (not flows and not stays_discrete) or self._graph.ops[node] in self._holes:
                kept.add(node)
        return kept

    def ways(self) -> dict[tuple[str, int], frozenset[Steps]]:
        """Return the ways from each source to each output."""
        ways: dict[tuple[str, int], frozenset[Steps]] = {}
        for output, node in self._outputs.items():
            for source, steps in self._ways_to(node, is_discrete=output in self._discrete).items():
                ways[source, output] = steps
        return ways

    def _ways_to(self, output: int, *, is_discrete: bool) -> dict[str, frozenset[Steps]]:
        """Return for each source the ways to a node.

        A way that comes by a vertex again crosses all that it crossed before, and more: so this
        ends.
        """
        found: dict[tuple[int, bool], frozenset[Steps]] = {}
        waiting: list[tuple[int, bool, Steps]] = [
            (origin, is_discrete, ()) for origin in self._origins(output)
        ]
        while waiting:
            vertex, is_discrete, steps = waiting.pop()
            before = found.get((vertex, is_discrete), frozenset())
            after = _least({*before, steps})
            if after == before or len(after) > _MOST_WAYS:
                continue
            found[vertex, is_discrete] = after
            if vertex in self._sources:
                continue
            for source, step, comes_discrete in self._steps(vertex, is_discrete=is_discrete):
                # A function that a loop calls again and again is one step.
                is_again = step is not None and step[0] == "@" and step in steps
                longer = steps if step is None or is_again else (step, *steps)
                waiting += [(origin, comes_discrete, longer) for origin in self._origins(source)]
        ways: dict[str, set[Steps]] = {}
        for (vertex, _), all_steps in found.items():
            if vertex in self._sources:
                ways.setdefault(self._sources[vertex], set()).update(all_steps)
        return {source: _least(all_steps) for source, all_steps in ways.items()}

    def _steps(self, vertex: int, *, is_discrete: bool) -> Iterator[tuple[int, Step | None, bool]]:
        """Yield the sources of an op, the step over it if it is one, and whether the source gives
        integers to it.

        ``is_discrete``: what is taken from the op is no float.
        """
        op_type = self._graph.ops[vertex]
        for source, kind in self._edges(vertex):
            if source not in self._behind:
                continue
            comes_discrete = kind is Edge.DISCRETE
            step: Step | None = None
            if op_type in self._holes:
                step = ("@", self._holes[op_type])
            elif is_discrete and not comes_discrete:
                step = ("discrete", op_type)
            elif not comes_discrete and kind is not Edge.FLOW:
                step = (_WORDS[kind], op_type)
            yield source, step, comes_discrete

    def _origins(self, node: int) -> set[int]:
        """Return the vertices and sources whose value comes to ``node`` over nodes that only pass
        it on."""
        origins: set[int] = set()
        waiting, seen = [node], {node}
        while waiting:
            item = waiting.pop()
            if item in self._sources or item in self._vertices:
                origins.add(item)
                if item in self._vertices:
                    continue
            for source, _ in self._edges(item):
                if source in self._behind and source not in seen:
                    seen.add(source)
                    waiting.append(source)
        return origins


_WORDS = {
    Edge.CUT: "cut",
    Edge.ZERO: "zero",
    Edge.UNKNOWN: "unknown",
    Edge.SHAPE: "shape",
    Edge.RESULT: "cut",
}
