"""List the functions that a node of a graph calls."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from gradflow.lazy_dataclass import dataclass
from gradflow.ops.families import (
    ASSIGNMENTS,
    CALLS,
    CASES,
    CONTROL_FLOW,
    IFS,
    LOOPS,
    REMOTE_CALLS,
)

COND, BODY = "cond", "body"


@dataclass(frozen=True, slots=True)
class Callee:
    """A function that a node calls, and how the node's tensors go in and out."""

    function: str
    part: str = ""
    """The branch, ``cond`` or ``body`` that it is; empty for a plain call."""
    first_input: int = 0
    """The node's input that is the first argument: 1 behind the condition of a branch."""

    @property
    def gives_results(self) -> bool:
        """Whether its results are the node's: not those of a loop's condition."""
        return self.part != COND


def callees(node: Any, functions: Container[str]) -> tuple[Callee, ...]:
    """Return the functions that a NodeDef calls; empty for an op that calls none.

    The branches come in their order, ``then`` first; of a loop the body comes first.
    ``functions`` are the names of the graph's functions, which can stand in place of an op type.
    """
    attr = node.attr
    if node.op in functions:
        return (Callee(node.op),)
    if node.op in CALLS | REMOTE_CALLS:
        return (Callee(_function(attr, "f")),)
    if node.op in IFS:
        return tuple(
            Callee(_function(attr, name), part, 1)
            for name, part in (("then_branch", "then"), ("else_branch", "else"))
        )
    if node.op in CASES and "branches" in attr:
        return tuple(
            Callee(function.name, f"branch{number}", 1)
            for number, function in enumerate(attr["branches"].list.func)
        )
    if node.op in LOOPS:
        return (Callee(_function(attr, "body"), BODY), Callee(_function(attr, "cond"), COND))
    return ()


def writing_functions(functions: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the functions that write to a variable, themselves or by a call."""
    callers: dict[str, list[str]] = {}
    todo: list[str] = []
    for name, function in functions.items():
        for node in function.node_def:
            if node.op in ASSIGNMENTS:
                todo.append(name)
            elif node.op in CONTROL_FLOW or node.op in functions:
                for callee in callees(node, functions):
                    callers.setdefault(callee.function, []).append(name)
    writing: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in writing:
            writing.add(name)
            todo += callers.get(name, ())
    return frozenset(writing)


def _function(attr: Any, name: str) -> str:
    """Return the function that an attr names; empty where it is missing, which must not add it."""
    return str(attr[name].func.name) if name in attr else ""


def named_functions(node: Any) -> Iterator[str]:
    """Yield every function that a NodeDef could call: its op type and all names in its attrs, at
    any depth.

    More than it does call: an op type is yielded whether it is a function or not. For those who
    must not overlook one.
    """
    yield node.op
    yield from functions_in_attrs(node)


def functions_in_attrs(node: Any) -> Iterator[str]:
    """Yield every function that the attrs of a NodeDef name, at any depth."""
    for value in node.attr.values():
        yield from _named(value)


def _named(value: Any) -> Iterator[str]:
    if value.HasField("func"):
        yield value.func.name
        for inner in value.func.attr.values():
            yield from _named(inner)
    if value.HasField("list"):
        for function in value.list.func:
            yield function.name
            for inner in function.attr.values():
                yield from _named(inner)
