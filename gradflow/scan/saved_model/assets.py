"""A program and one of its strings in, whether that is the name of an asset of the model out.

A table of words is filled from a text file when a SavedModel is loaded; TensorFlow puts the asset's
path into the graph at the place that the file names (tensorflow/python/saved_model/{save,load}.py,
2.21).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradflow.files.saved_model.schema import attribute
from gradflow.ops.calls import callees
from gradflow.ops.families import CALLS
from gradflow.ops.tensor_names import node_of
from gradflow.scan.saved_model.program import TOP, Program

_USES = frozenset({"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp", "NoOp"})
_DEEPEST = 100
"""Nodes and calls that a path goes through, on its way to where the file is read."""


@dataclass(frozen=True)
class Origins:
    """Follows strings back to where they come from."""

    program: Program
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def is_asset(self, body: str, tensor: str, depth: int = 0) -> bool:
        """Whether whatever can reach ``tensor`` of ``body`` is the path of an asset."""
        key = (body, tensor)
        if key not in self._known:
            self._known[key] = True  # on a circle nothing comes in
            self._known[key] = depth < _DEEPEST and self._follow(body, tensor, depth + 1)
        return self._known[key]

    def _follow(self, body: str, tensor: str, depth: int) -> bool:
        name = node_of(tensor)
        if body != TOP and name in self._arguments[body]:
            return all(self._bound(body, self._arguments[body].index(name), depth))
        if body == TOP and name in self._assets:
            return True
        node = self._nodes[body].get(name)
        if node is None or not node.input:
            return False
        if node.op == "Identity":
            return self.is_asset(body, node.input[0], depth)
        if node.op == "ReadVariableOp" and body == TOP:
            return self._holds_assets(node.input[0], depth)
        return False

    def _bound(self, function: str, place: int, depth: int) -> Iterator[bool]:
        """For each way in which the function is called: whether its argument at ``place`` is an
        asset there."""
        objects = self.program.graph.object_graph_def
        if function in objects.concrete_functions:
            bound = objects.concrete_functions[function].bound_inputs
            index = place - (len(self._arguments[function]) - len(bound))
            # What is not bound is given by who calls it, or read from the variables where the
            # function restores.
            is_bound = index >= 0 and 0 <= bound[index] < len(objects.nodes)
            yield is_bound and objects.nodes[bound[index]].HasField("asset")
        yield function not in self._called_otherwise
        for body, node in self._calls.get(function, ()):
            is_told = body != TOP or node.name not in self.program.run_without_assets
            yield (
                is_told
                and place < len(node.input)
                and self.is_asset(body, node.input[place], depth)
            )

    def _holds_assets(self, variable: str, depth: int) -> bool:
        """Whether a variable of the graph itself is given nothing but paths of assets, under
        whatever name."""
        nodes, handle = self.program.graph.graph_def.node, self._nodes[TOP].get(node_of(variable))
        if handle is None or handle.op != "VarHandleOp":
            return False
        shared = attribute(handle, "shared_name").s
        if self._shared_by_functions & {shared, None}:
            return False
        same = {
            one.name
            for one in nodes
            if one.op == handle.op and attribute(one, "shared_name").s == shared
        }
        uses = [one for one in nodes if same & set(map(node_of, one.input))]
        given = [one for one in uses if one.op == "AssignVariableOp"]
        is_plain = all(one.op in _USES for one in uses) and bool(given)
        told = [one for one in given if one.name not in self.program.run_without_assets]
        return (
            is_plain
            and told == given
            and all(self.is_asset(TOP, one.input[1], depth) for one in given)
        )

    @cached_property
    def _assets(self) -> frozenset[str]:
        return frozenset(node_of(one.tensor_info.name) for one in self.program.assets)

    @cached_property
    def _nodes(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            body: {node.name: node for node in nodes} for body, nodes in self.program.bodies.items()
        }

    @cached_property
    def _arguments(self) -> Mapping[str, list[str]]:
        functions = self.program.functions
        return {
            name: [argument.name for argument in one.signature.input_arg]
            for name, one in functions.items()
        }

    @cached_property
    def _shared_by_functions(self) -> frozenset[bytes | None]:
        """The names of variables that functions make handles of; None for one that whoever calls it
        gives."""
        bodies = self.program.bodies.items()
        nodes = [
            one for body, inner in bodies if body != TOP for one in inner if one.op == "VarHandleOp"
        ]
        names = [attribute(one, "shared_name") for one in nodes]
        return frozenset(None if name.HasField("placeholder") else name.s for name in names)

    @cached_property
    def _calls(self) -> Mapping[str, list[tuple[str, Any]]]:
        """The nodes that hand their inputs to a function as they are."""
        found: dict[str, list[tuple[str, Any]]] = {}
        for body, nodes in self.program.bodies.items():
            for node in nodes:
                found.setdefault(self._called_plainly(node), []).append((body, node))
        return found

    @cached_property
    def _called_otherwise(self) -> frozenset[str]:
        """The functions that are called in any other way, of which it is not known what it gives to
        them."""
        library = self.program.graph.graph_def.library
        gradients = {
            one.gradient_func for one in (*library.registered_gradients, *library.gradient)
        }
        nodes = [node for body in self.program.bodies.values() for node in body]
        return frozenset(gradients).union(
            *(set(self.program.called([one])) - {self._called_plainly(one)} for one in nodes)
        )

    def _called_plainly(self, node: Any) -> str:
        if node.op not in CALLS and node.op not in self.program.functions:
            return ""
        return callees(node, self.program.functions)[0].function
