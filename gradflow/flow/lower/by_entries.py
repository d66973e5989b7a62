"""Lay a body out part by part where it joins tensors and takes them apart again.

Each part of a tensor becomes a node of its own: what came in by one of them goes on by that one
alone. Nodes are added only between a join and an op that takes some of its parts and not others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from math import prod
from typing import Any

from gradflow.files.saved_model.schema import attribute
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.input_use.constants import numbers_in
from gradflow.flow.lower.body_node import BodyNode
from gradflow.flow.lower.entry_rules import JOINS, SELECTIONS, is_followed, pieces_of
from gradflow.flow.lower.pieces import (
    NOTHING,
    WHOLE,
    Code,
    Operands,
    Pieces,
    Shape,
    Taken,
    parts_in,
)
from gradflow.flow.lower.references import Reference
from gradflow.lazy_dataclass import dataclass

_MOST_NUMBERS = 4096
_HANDS_BACK = (Edge.FLOW, Edge.ZERO)
"""Over these TensorFlow hands a gradient to the source, be it zeros."""


@dataclass(frozen=True, slots=True)
class ByEntries:
    """A body whose joined tensors are laid out part by part."""

    nodes: list[BodyNode]
    results: list[Reference]
    copies: dict[int, int]
    """For each node that stands for the same op as an earlier one, the earlier one."""


def by_entries(
    nodes: Sequence[BodyNode],
    node_defs: Sequence[Any],
    arguments: Sequence[Shape | None],
    results: Sequence[Reference],
) -> ByEntries:
    """Lay out a body part by part where that tells more.

    Args:
        nodes: of the body.
        node_defs: the NodeDef of each.
        arguments: the shapes of the arguments.
        results: what the body gives.
    """
    if not can_divide({node.op for node in nodes}):
        return ByEntries(list(nodes), list(results), {})
    known = _Known(nodes, node_defs, arguments)
    for number in _sources_first(nodes):
        known.follow(number)
    wanted = known.wanted()
    if not wanted:
        return ByEntries(list(nodes), list(results), {})
    return _Rewriting(known, wanted).rewritten(results)


def can_divide(ops: Collection[str]) -> bool:
    """Return whether a graph of these op types can join tensors and take them apart again."""
    return not JOINS.isdisjoint(ops) and not SELECTIONS.isdisjoint(ops)


def _sources_first(nodes: Sequence[BodyNode]) -> Iterator[int]:
    """Yield the numbers of the nodes, each after its inputs, but for loops of TensorFlow 1."""
    seen = [False] * len(nodes)
    for start in range(len(nodes)):
        stack = [] if seen[start] else [(start, iter(nodes[start].inputs))]
        seen[start] = True
        while stack:
            number, inputs = stack[-1]
            source = next(
                (source for source, _ in inputs if source >= 0 and not seen[source]), None
            )
            if source is None:
                stack.pop()
                yield number
            else:
                seen[source] = True
                stack.append((source, iter(nodes[source].inputs)))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the tensors of a body."""

    nodes: Sequence[BodyNode]
    node_defs: Sequence[Any]
    arguments: Sequence[Shape | None]
    pieces: dict[Reference, Pieces] = field(default_factory=dict)
    """Of the outputs that consist of parts."""

    def follow(self, number: int) -> None:
        """Find the pieces of the outputs of a node; those of its inputs are known."""
        node = self.nodes[number]
        begins = node.op in JOINS and node.floating[0]
        # TensorListReserve has no gradient, and nothing that could get one.
        if not is_followed(node.op) or node.mark & Mark.CUSTOM or (node.raises and not begins):
            return
        pieces = [self._divided(reference) for reference in node.inputs]
        if not begins and not any(pieces):
            return
        operands = Operands(
            op=node.op,
            attr=self.node_defs[number].attr,
            shapes=[self._shape(reference) for reference in node.inputs],
            constants=[self._constant(reference) for reference in node.inputs],
            pieces=pieces,
            outputs=[self._shape((number, output)) for output in range(len(node.floating))],
        )
        for output, made in enumerate(pieces_of(operands)):
            if made is not None:
                self.pieces[number, output] = made

    def wanted(self) -> frozenset[int]:
        """Return the nodes to lay out part by part: those that leave a part out, and all that bring
        them their parts."""
        of_node: dict[int, list[Pieces]] = {}
        for (number, _), made in self.pieces.items():
            of_node.setdefault(number, []).append(made)
        waiting = [number for number, made in of_node.items() if self._leaves_out(number, made)]
        wanted: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number not in wanted:
                wanted.add(number)
                waiting += [
                    source
                    for source, output in self.nodes[number].inputs
                    if self._divided((source, output)) is not None
                ]
        return frozenset(wanted)

    def _leaves_out(self, number: int, made: Sequence[Pieces]) -> bool:
        for place, reference in enumerate(self.nodes[number].inputs):
            divided = self._divided(reference)
            if divided is not None:
                every = set(range(1, len(divided.sources) + 1))
                for pieces in made:
                    taken = {part for code in pieces.sources for part in parts_in(code[place])}
                    if WHOLE not in taken and not every <= taken:
                        return True
        return False

    def _divided(self, reference: Reference) -> Pieces | None:
        pieces = self.pieces.get(reference)
        return pieces if pieces is not None and pieces.is_divided else None

    def _shape(self, reference: Reference) -> Shape | None:
        number, output = reference
        if number < 0:
            return self.arguments[~number] if ~number < len(self.arguments) else None
        if self.node_defs[number].op == "Const":
            return shape_of(attribute(self.node_defs[number], "value").tensor.tensor_shape)
        shapes = attribute(self.node_defs[number], "_output_shapes").list.shape
        return shape_of(shapes[output]) if output < len(shapes) else None

    def _constant(self, reference: Reference) -> Sequence[int] | None:
        number, _ = reference
        while number >= 0 and self.node_defs[number].op in ("Identity", "Enter"):
            number, _ = self.nodes[number].inputs[0]
        if number < 0 or self.node_defs[number].op != "Const":
            return None
        tensor = attribute(self.node_defs[number], "value").tensor
        if prod(dim.size for dim in tensor.tensor_shape.dim) > _MOST_NUMBERS:
            return None
        numbers = numbers_in(tensor)
        return None if numbers is None else [int(number) for number in numbers]


def shape_of(message: Any) -> Shape | None:
    """Return the shape in a TensorShapeProto; None where its rank is unknown."""
    if message.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in message.dim)


@dataclass(slots=True)
class _Rewriting:
    """A body while it is laid out anew."""

    known: _Known
    wanted: frozenset[int]
    nodes: list[BodyNode] = field(default_factory=list)
    copies: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    """The new numbers of nodes that stay as they are."""
    parts: dict[Reference, list[int]] = field(default_factory=dict)
    """The new nodes for the parts of an output, or the one that it is in all."""
    joined: dict[Reference, int] = field(default_factory=dict)
    """The new node that stands for all parts of an output."""
    mixed: dict[Reference, dict[tuple[int, ...], int]] = field(default_factory=dict)
    """The new nodes that stand for some parts of an output, by their numbers."""

    def rewritten(self, results: Sequence[Reference]) -> ByEntries:
        """Lay all nodes out."""
        self._find_mixed()
        count = 0
        for number, node in enumerate(self.known.nodes):
            if number not in self.wanted:
                self.numbers[number] = count
                count += 1
                continue
            first = count
            for output in range(len(node.floating)):
                size = len(self._codes(number, output))
                self.parts[number, output] = list(range(count, count + size))
                self.copies.update(dict.fromkeys(range(max(count, first + 1), count + size), first))
                count += size
                if size > 1:
                    self.joined[number, output] = count
                    count += 1
                for taken in self.mixed.get((number, output), ()):
                    self.mixed[number, output][taken] = count
                    count += 1
        for number, node in enumerate(self.known.nodes):
            self.nodes += self._laid_out(number, node)
        return ByEntries(self.nodes, [self._whole(reference) for reference in results], self.copies)

    def _find_mixed(self) -> None:
        for number in sorted(self.wanted):
            node = self.known.nodes[number]
            for output in range(len(node.floating)):
                for code in self._codes(number, output):
                    for reference, taken in zip(node.inputs, code, strict=True):
                        if isinstance(taken, tuple):
                            self.mixed.setdefault(reference, {})[taken] = -1

    def _codes(self, number: int, output: int) -> Sequence[Code]:
        """Return where the parts of an output come from, or all that it is."""
        pieces = self.known.pieces.get((number, output))
        count = len(self.known.nodes[number].inputs)
        if pieces is None:
            return ((WHOLE,) * count,)
        return pieces.sources or ((NOTHING,) * count,)

    def _laid_out(self, number: int, node: BodyNode) -> Iterable[BodyNode]:
        if number not in self.wanted:
            yield replace(node, inputs=tuple(map(self._whole, node.inputs)))
            return
        for output, floating in enumerate(node.floating):
            for code in self._codes(number, output):
                yield self._part(node, code, floating)
            parts = self.parts[number, output]
            if (number, output) in self.joined:
                yield _together(node, parts, floating)
            for some in self.mixed.get((number, output), ()):
                yield _together(node, [parts[part - 1] for part in some], floating)

    def _part(self, node: BodyNode, code: Code, floating: bool) -> BodyNode:
        inputs: list[Reference] = []
        passes: list[Edge] = []
        for place, (reference, edge) in enumerate(zip(node.inputs, node.passes, strict=True)):
            taken = code[place]
            is_divided = len(self.parts.get(reference, ())) > 1
            if taken == NOTHING:
                inputs.append(
                    (self.parts[reference][0], 0) if is_divided else self._whole(reference)
                )
                passes.append(Edge.FILL if edge in _HANDS_BACK else edge)
            else:
                inputs.append(self._some(reference, taken))
                passes.append(edge)
        return replace(node, inputs=tuple(inputs), passes=tuple(passes), floating=(floating,))

    def _some(self, reference: Reference, taken: Taken) -> Reference:
        if isinstance(taken, tuple):
            return self.mixed[reference][taken], 0
        if taken == WHOLE or reference not in self.parts:
            return self._whole(reference)
        return self.parts[reference][taken - 1], 0

    def _whole(self, reference: Reference) -> Reference:
        number, output = reference
        if reference in self.joined:
            return self.joined[reference], 0
        if reference in self.parts:
            return self.parts[reference][0], 0
        return self.numbers.get(number, number), output


def _together(node: BodyNode, parts: Sequence[int], floating: bool) -> BodyNode:
    """Return a node that stands for several parts of what ``node`` gives."""
    return replace(
        node,
        name="",
        inputs=tuple((part, 0) for part in parts),
        passes=(Edge.FLOW,) * len(parts),
        floating=(floating,),
    )


def argument_shapes(function: Any) -> Sequence[Shape | None]:
    """Return the shapes of a function's arguments, as far as the FunctionDef tells them."""
    shapes: list[Shape | None] = []
    for number in range(len(function.signature.input_arg)):
        attrs: Mapping[str, Any] = {}
        if number in function.arg_attr:
            attrs = function.arg_attr[number].attr
        listed: Sequence[Any] = ()
        if "_output_shapes" in attrs:
            listed = attrs["_output_shapes"].list.shape
        shapes.append(shape_of(listed[0]) if listed else None)
    return shapes
