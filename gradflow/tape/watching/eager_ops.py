"""Record the ops that run eagerly, and write those that lead to a tensor as a GraphDef."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradflow.files.frames import Frame
from gradflow.tape.private_api import function_definition, op_def_of
from gradflow.tape.watching.start_values import has_effect

_TURNS = 3
"""Gradient calls for which it is kept what they started from: the tapes of several losses are asked
one after the other."""
_MOST = 20_000
"""What is kept for one of them: of a network of some hundred layers, a few dozen passes."""
Place = tuple[int, int]
"""The number of a recorded op, and that of its output."""


@dataclass(slots=True)
class EagerOp:
    """One op that was run."""

    op: str
    inputs: list[Place | int]
    """Each made by a recorded op, or the number of a tensor that none has made."""
    attrs: Sequence[Any]
    """Name, value, name, value, ..."""
    tapes: frozenset[int]
    """The tapes that were recording."""
    layer: str
    """The Keras layer in whose call it was run; empty where there is none."""
    frames: Sequence[Frame]
    """The user's line that led to it, where there is one."""
    returned: list[bool] | None = None
    """Of a gradient of the user's own: to which inputs it returns one."""
    results: int = 0
    """Of a gradient of the user's own: how many tensors it is of."""


@dataclass(slots=True)
class EagerGraph:
    """The ops that lead to some tensors."""

    graph_def: Any
    outputs: list[str]
    ops: dict[str, EagerOp]
    """By the names that they have in ``graph_def``."""
    handles: dict[str, int]
    """The numbers of the handles of variables, by the names of their nodes."""
    fed: dict[str, int]
    """The numbers of the tensors that no recorded op has made, by the names of their nodes."""
    numbers: dict[str, int]
    """The numbers of the ops, by name."""


@dataclass(slots=True)
class EagerOps:
    """All ops that were run so far."""

    ops: list[EagerOp] = field(default_factory=list)
    made: dict[int, Place] = field(default_factory=dict)
    """What made each tensor, by its number."""
    foreign: dict[int, Any] = field(default_factory=dict)
    """The type of each tensor that no recorded op has made."""
    functions: dict[str, Any] = field(default_factory=dict)
    """The FunctionDefs of functions that were called, by name."""
    recent: deque[dict[Any, Any]] = field(default_factory=lambda: deque([{}], maxlen=_TURNS))
    """What was taken and given that cannot be run again, in the time of each of the last gradient
    calls: a ``Place`` of an op that did, the number of a tensor that none has made; and gradients
    of the user's own, by ``custom_name``."""

    def turn(self) -> None:
        """Forget what is older than the last gradient calls."""
        self.recent.append({})

    def _keep(self, key: Any, value: Any) -> None:
        now = self.recent[-1]
        if len(now) >= _MOST:  # a pass over data without a gradient: it would all stay in memory
            now.clear()
        now[key] = value

    def kept(self, targets: Sequence[Place]) -> dict[Any, Any]:
        """Return what ``targets`` depend on of that which was kept."""
        needed = set(self._needed(targets))
        taken = {item for number in needed for item in self.ops[number].inputs}
        customs = {custom_name(self.ops[number]) for number in needed}
        return {
            key: value
            for kept in self.recent
            for key, value in kept.items()
            if (key[0] in needed if isinstance(key, tuple) else key in taken or key in customs)
        }

    def add(self, op: EagerOp, inputs: Iterable[Any], outputs: Iterable[Any]) -> None:
        """Add an op with the tensors that it took and gave."""
        op.inputs += [self._place(tensor) for tensor in inputs]
        number = len(self.ops)
        self.ops.append(op)
        for position, tensor in enumerate(outputs):
            self.made[tensor._id] = number, position
            if has_effect(op.op):
                self._keep((number, position), tensor)
        if op.op not in self.functions and op_def_of(op.op) is None:
            self._add_function(op.op)

    def add_custom_gradient(
        self,
        op: EagerOp,
        results: Sequence[Any],
        arguments: Sequence[Any],
        gradient: Callable[..., Any],
    ) -> list[bool]:
        """Note that ``results`` have a ``gradient`` of the user's own, which goes to ``arguments``.

        Returns what says to which of them it goes: to all, until it was called.
        """
        op.returned = [False] * len(results) + [True] * len(arguments)
        op.results = len(results)
        op.attrs = ("T", [tensor.dtype.as_datatype_enum for tensor in (*results, *arguments)])
        self._keep(custom_name(op), gradient)
        self.add(op, [*results, *arguments], results)
        return op.returned

    def place(self, tensor: Any) -> Place | None:
        """Return what made ``tensor``; None where no recorded op has."""
        return self.made.get(tensor._id)

    def graph(self, targets: Sequence[Place]) -> EagerGraph:
        """Write the ops that ``targets`` depend on as a GraphDef."""
        needed = self._needed(targets)
        graph = EagerGraph(
            graph_def=tf.compat.v1.GraphDef(), outputs=[], ops={}, handles={}, fed={}, numbers={}
        )
        counts: Counter[str] = Counter()
        names: dict[int, str] = {}
        fed: dict[int, str] = {}
        for number in needed:
            op = self.ops[number]
            inputs = [self._input(item, names, fed, graph) for item in op.inputs]
            names[number] = _name(op, counts)
            graph.ops[names[number]] = op
            graph.numbers[names[number]] = number
            node = graph.graph_def.node.add(name=names[number], op=op.op, input=inputs)
            _set_attrs(node, op)
        graph.outputs = [f"{names[number]}:{output}" for number, output in targets]
        graph.graph_def.library.function.extend(self.functions.values())
        return graph

    def _place(self, tensor: Any) -> Place | int:
        place = self.made.get(tensor._id)
        # A variable that is made meanwhile is a variable all the same.
        if place is not None and tensor.dtype != tf.resource:
            return place
        self.foreign[tensor._id] = tensor.dtype
        self._keep(int(tensor._id), tensor)
        return int(tensor._id)

    def _needed(self, targets: Sequence[Place]) -> list[int]:
        """Return the numbers of all ops that ``targets`` depend on, in the order of the run."""
        seen: set[int] = set()
        stack = [number for number, _ in targets]
        while stack:
            number = stack.pop()
            if number not in seen:
                seen.add(number)
                stack += [item[0] for item in self.ops[number].inputs if isinstance(item, tuple)]
        return sorted(seen)

    def _input(
        self, item: Place | int, names: Mapping[int, str], fed: dict[int, str], graph: EagerGraph
    ) -> str:
        if isinstance(item, tuple):
            return f"{names[item[0]]}:{item[1]}"
        if item not in fed:
            dtype = self.foreign[item]
            fed[item] = f"input_{item}"
            node = graph.graph_def.node.add(name=fed[item], op="Placeholder")
            node.attr["dtype"].type = dtype.as_datatype_enum
            graph.fed[fed[item]] = item
            if dtype == tf.resource:
                graph.handles[fed[item]] = item
        return fed[item]

    def _add_function(self, name: str) -> None:
        """Keep a function that was called, and those that it calls: TensorFlow forgets them with
        the last reference."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            definition = None if name in self.functions else function_definition(name)
            if definition is not None:
                self.functions[name] = definition
                waiting += _called(definition.node_def)


def _called(nodes: Iterable[Any]) -> Collection[str]:
    names = set()
    for node in nodes:
        names.add(node.op)
        for value in node.attr.values():
            names.add(value.func.name)
            names.update(func.name for func in value.list.func)
    return [name for name in names if name and op_def_of(name) is None]


def _name(op: EagerOp, counts: Counter[str]) -> str:
    kind = "CustomGradient" if op.returned is not None else op.op
    name = f"{op.layer}/{kind}" if op.layer else kind
    counts[name] += 1
    return name if counts[name] == 1 else f"{name}_{counts[name] - 1}"


def custom_name(op: EagerOp) -> str:
    """Return what stands for a gradient of the user's own in place of an op type."""
    return f"watched_custom_gradient_{id(op)}"


def _set_attrs(node: Any, op: EagerOp) -> None:
    if op.returned is not None:
        node.attr["_gradient_op_type"].s = custom_name(op).encode()
        _write_types(node.attr["T"], op.attrs[1])
        return
    op_def = op_def_of(op.op)
    kinds = {attr.name: attr.type for attr in op_def.attr} if op_def is not None else {}
    for name, value in zip(op.attrs[::2], op.attrs[1::2], strict=True):
        write = _WRITERS.get(kinds.get(name, ""))
        if write is not None and value is not None:  # None stands for the op's default
            write(node.attr[name], value)


def _type(value: Any) -> int:
    return int(tf.as_dtype(value).as_datatype_enum)


def _write_type(attr: Any, value: Any) -> None:
    attr.type = _type(value)


def _write_types(attr: Any, value: Any) -> None:
    del attr.list.type[:]
    attr.list.type.extend(map(_type, value))


def _write_int(attr: Any, value: Any) -> None:
    attr.i = int(value)


def _write_bool(attr: Any, value: Any) -> None:
    attr.b = bool(value)


def _write_function(attr: Any, value: Any) -> None:
    name = getattr(value, "name", value)
    attr.func.name = name.decode() if isinstance(name, bytes) else str(name)


_WRITERS = {
    "type": _write_type,
    "list(type)": _write_types,
    "int": _write_int,
    "bool": _write_bool,
    "func": _write_function,
}
"""How the value of an attr of each kind is written; what no rule of an op asks for is left out."""
