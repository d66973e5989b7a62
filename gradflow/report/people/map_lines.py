"""Write the map of gradient flow as text: a line for each layer, and the cuts between them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from gradflow.findings import Carried, FlowMap, MapEdge, MapNode, NodeKind, NodeState
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.people.lines import Page, cut_in_the_middle, fold, page_of
from gradflow.report.words import counted
from gradflow.text import shown

_INDENT = 2
_SHORTEST = 20
"""Columns that a name has at least."""
_BEFORE = " before "
_HELD_BACK = (Carried.CUT, Carried.ZERO, Carried.DISCRETE)
_STATES = {
    NodeState.FLOWS: "gradient",
    NodeState.NONE: "no gradient",
    NodeState.ZERO: "gradient of zeros",
    NodeState.NONFINITE: "NaN or Inf",
    NodeState.FROZEN: "frozen",
    NodeState.MIXED: "mixed",
    NodeState.UNKNOWN: "unknown",
}


def map_text(flow_map: FlowMap, layout: Layout = PLAIN) -> str:
    """Return the map in lines of at most ``layout.width`` columns.

    Layers stand in the order of the data, those of a submodel indented below it; below a layer
    stand the places behind it that hold the gradient back.
    """
    page = page_of(layout)
    by_id = {node.id: node for node in flow_map.nodes}
    cuts: dict[int, list[MapEdge]] = {}
    for edge in flow_map.edges:
        if edge.gradient in _HELD_BACK and edge.cuts:
            cuts.setdefault(edge.source, []).append(edge)
    inside: dict[int | None, list[MapNode]] = {}
    for node in flow_map.nodes:
        inside.setdefault(node.parent, []).append(node)
    lines: list[str] = []
    waiting = [(node, 0) for node in reversed(inside.get(None, []))]
    while waiting:
        node, depth = waiting.pop()
        waiting += [(inner, depth + 1) for inner in reversed(inside.get(node.id, []))]
        indent = min(_INDENT * depth, page.width // 3)
        lines += _folded(_of_node(node, page.width - indent), indent, page)
        for edge in cuts.get(node.id, ()):
            for text in _of_cuts(edge, by_id[edge.target], page):
                lines += _folded(text, indent + _INDENT, page)
    return "\n".join(lines)


def _folded(text: str, indent: int, page: Page) -> Iterator[str]:
    margin = " " * indent
    for part in fold(Text(text), page.width - indent, _INDENT):
        yield margin + part.plain


def _of_node(node: MapNode, width: int) -> str:
    if node.kind in (NodeKind.INPUT, NodeKind.OUTPUT):
        kind = node.kind.value
    else:
        kind = shown(node.class_name) if node.class_name else ""
    amounts = []
    if node.weights:
        amounts += [_STATES.get(node.state, node.state.value), counted(node.weights, "weight")]
        if node.norm is not None:
            amounts.append(f"norm {node.norm:.2g}")
    rest = ": ".join(part for part in (kind, ", ".join(amounts)) if part)
    rest = f"  {rest}" if rest else ""
    return cut_in_the_middle(shown(node.name), max(width - cell_len(rest), _SHORTEST)) + rest


def _of_cuts(edge: MapEdge, target: MapNode, page: Page) -> Iterator[str]:
    """Yield a line for each op that holds the gradient back on an edge."""
    room = max(page.width // 2 - cell_len(page.glyphs.cut) - len(_BEFORE), _SHORTEST)
    for name in edge.cuts:
        op, layer = (cut_in_the_middle(shown(word), room) for word in (name, target.name))
        before = "" if name == target.name else f"{_BEFORE}{layer}"
        yield f"{page.glyphs.cut} {op}{before}"
