"""Find what is strange in how a program is built: names that hide others, endless nesting, assets
elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from gradflow.files.paths import leads_out
from gradflow.scan.saved_model.allowed_ops import is_op
from gradflow.scan.saved_model.program import TOP, Program
from gradflow.scan.threat import Threat
from gradflow.text import quoted

_DEEPEST = 200
"""Calls in calls: keras_hub's deepest models have some forty."""
_MOST_NODES = 3_000_000
"""Of all functions: 9,610 in the largest export that was measured."""


def strange_structure(program: Program) -> Iterator[Threat]:
    """Yield what no exporter writes about functions and assets."""
    counts = Counter(
        function.signature.name for function in program.graph.graph_def.library.function
    )
    for name, count in counts.items():
        if count > 1:
            yield Threat(
                f"function {quoted(name)}",
                "the function library",
                "is there twice: only one is looked at",
            )
        if is_op(name):
            yield Threat(
                f"function {quoted(name)}",
                "the function library",
                "has the name of an op, and hides it",
            )
    nodes = sum(map(len, program.bodies.values()))
    if nodes > _MOST_NODES:
        yield Threat(
            f"a graph of {nodes:,} nodes", "saved_model.pb", "takes hours and all memory to load"
        )
    yield from _nesting(program)
    for asset in program.assets:
        yield from _asset(asset.filename)


def _nesting(program: Program) -> Iterator[Threat]:
    """Functions that call each other too deep, or in a circle; iterative, since the depth is the
    attacker's."""
    depth: dict[str, int] = {}
    for start in program.calls:
        waiting = [(start, iter(program.calls[start]))]
        open_ = {start}
        while waiting:
            name, inner = waiting[-1]
            called = next(inner, None)
            if called is None:
                depth[name] = 1 + max(
                    (depth.get(inner_name, 0) for inner_name in program.calls[name]), default=0
                )
                open_.discard(name)
                waiting.pop()
            elif called in open_:
                yield Threat(
                    f"function {quoted(called)}", _within(name), "calls itself, without end"
                )
                depth[called] = 0
            elif called not in depth and called in program.calls:
                waiting.append((called, iter(program.calls[called])))
                open_.add(called)
    deepest = max(depth, key=lambda name: depth[name], default=TOP)
    if depth.get(deepest, 0) > _DEEPEST:
        description = f"{depth[deepest]:,} functions, each of which calls the next"
        yield Threat(description, _within(deepest), "take gigabytes to load")


def _within(name: str) -> str:
    return f"function {quoted(name)}" if name != TOP else "the graph"


def _asset(name: str) -> Iterator[Threat]:
    if leads_out(name) or not (PurePosixPath(name).parts and PureWindowsPath(name).parts):
        harm = "reads a file outside of the model's folder"
        yield Threat(f"asset {quoted(name)}", "the list of assets in saved_model.pb", harm)
