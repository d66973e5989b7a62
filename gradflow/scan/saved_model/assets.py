"""Tell whether a string in a program can only be the path of one of the model's assets.

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
    _answers: dict[tuple[str, str], bool] = field(default_factory=dict)
    _held: dict[bytes, bool] = field(default_factory=dict)
    """By the shared name of a variable: whether it holds paths of assets alone."""

    def is_asset(self, body: str, tensor: str, depth: int = 0) -> bool:
        """Return whether whatever can reach ``tensor`` of ``body`` is the path of an asset."""
        key = (body, tensor)
        if key not in self._answers:
            self._answers[key] = True  # on a circle nothing comes in
            self._answers[key] = depth < _DEEPEST and self._follow(body, tensor, depth + 1)
        return self._answers[key]

    def _follow(self, body: str, tensor: str, depth: int) -> bool:
        name = node_of(tensor)
        if body != TOP and name in self.arguments[body]:
            return all(self._bound(body, self.arguments[body][name], depth))
        if body == TOP and name in self._assets:
            return True
        node = self.nodes[body].get(name)
        if node is None or not node.input:
            return False
        if node.op == "Identity":
            return self.is_asset(body, node.input[0], depth)
        if node.op == "ReadVariableOp" and body == TOP:
            return self._holds_assets(node.input[0], depth)
        return False

    def _bound(self, function: str, position: int, depth: int) -> Iterator[bool]:
        """For each way in which the function is called: whether its argument at ``place`` is an
        asset there."""
        objects = self.program.graph.object_graph_def
        if function in objects.concrete_functions:
            bound = objects.concrete_functions[function].bound_inputs
            index = position - (self.count(function) - len(bound))
            # What is not bound is given by who calls it, or read from the variables where the
            # function restores.
            is_bound = index >= 0 and 0 <= bound[index] < len(objects.nodes)
            yield is_bound and objects.nodes[bound[index]].HasField("asset")
        yield function not in self.called_otherwise
        for body, node in self.calls.get(function, ()):
            has_assets = body != TOP or node.name not in self.program.run_without_assets
            yield (
                has_assets
                and position < len(node.input)
                and self.is_asset(body, node.input[position], depth)
            )

    def _holds_assets(self, variable: str, depth: int) -> bool:
        """Return whether a variable of the graph itself is given nothing but paths of assets, under
        whatever name."""
        handle = self.nodes[TOP].get(node_of(variable))
        if handle is None or handle.op != "VarHandleOp":
            return False
        shared = attribute(handle, "shared_name").s
        if self._shared_by_functions & {shared, None}:
            return False
        if shared not in self._held:
            self._held[shared] = True  # on a circle nothing comes in
            self._held[shared] = self._is_given_assets(shared, depth)
        return self._held[shared]

    def _is_given_assets(self, shared: bytes, depth: int) -> bool:
        uses = self._uses.get(shared, [])
        assignments = [node for node in uses if node.op == "AssignVariableOp"]
        return (
            bool(assignments)
            and all(node.op in _USES for node in uses)
            and not any(node.name in self.program.run_without_assets for node in assignments)
            and all(self.is_asset(TOP, node.input[1], depth) for node in assignments)
        )

    @cached_property
    def _uses(self) -> Mapping[bytes, list[Any]]:
        """The nodes of the graph itself that take a handle of each variable, by its shared name."""
        nodes = self.program.graph.graph_def.node
        shared = {
            node.name: attribute(node, "shared_name").s
            for node in nodes
            if node.op == "VarHandleOp"
        }
        uses: dict[bytes, list[Any]] = {}
        for node in nodes:
            for name in {shared[name] for name in map(node_of, node.input) if name in shared}:
                uses.setdefault(name, []).append(node)
        return uses

    @cached_property
    def _assets(self) -> frozenset[str]:
        return frozenset(node_of(asset.tensor_info.name) for asset in self.program.assets)

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """The nodes of each body by their names."""
        return {
            body: {node.name: node for node in nodes} for body, nodes in self.program.bodies.items()
        }

    @cached_property
    def arguments(self) -> Mapping[str, Mapping[str, int]]:
        """The position of each argument of each function, by their names; of two of one name the
        first."""
        positions: dict[str, dict[str, int]] = {}
        for name, function in self.program.functions.items():
            arguments = positions[name] = {}
            for index, argument in enumerate(function.signature.input_arg):
                arguments.setdefault(argument.name, index)
        return positions

    def count(self, function: str) -> int:
        """Return how many arguments a function has."""
        return len(self.program.functions[function].signature.input_arg)

    @cached_property
    def _shared_by_functions(self) -> frozenset[bytes | None]:
        """The names of variables that functions make handles of; None for one that whoever calls it
        gives."""
        bodies = self.program.bodies.items()
        nodes = [
            node
            for body, inner in bodies
            if body != TOP
            for node in inner
            if node.op == "VarHandleOp"
        ]
        names = [attribute(node, "shared_name") for node in nodes]
        return frozenset(None if name.HasField("placeholder") else name.s for name in names)

    @cached_property
    def calls(self) -> Mapping[str, list[tuple[str, Any]]]:
        """The nodes that hand their inputs to a function as they are."""
        callers: dict[str, list[tuple[str, Any]]] = {}
        for body, nodes in self.program.bodies.items():
            for node in nodes:
                callers.setdefault(self._called_plainly(node), []).append((body, node))
        return callers

    @cached_property
    def called_otherwise(self) -> frozenset[str]:
        """The functions that are called in any other way, of which it is not known what it gives to
        them."""
        library = self.program.graph.graph_def.library
        gradients = {
            item.gradient_func for item in (*library.registered_gradients, *library.gradient)
        }
        nodes = [node for body in self.program.bodies.values() for node in body]
        return frozenset(gradients).union(
            *(set(self.program.called([item])) - {self._called_plainly(item)} for item in nodes)
        )

    def _called_plainly(self, node: Any) -> str:
        if node.op not in CALLS and node.op not in self.program.functions:
            return ""
        return callees(node, self.program.functions)[0].function
