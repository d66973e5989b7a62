"""Find the ops at which TensorFlow raises an error as soon as a training step asks for gradients.

Two things must come together. Gradient comes down to the op, be it zeros. And the op was recorded:
floating tensors lead to it from something that is differentiated by. A tape differentiates by the
trainable variables, whatever the optimizer updates. A function, a branch and the body of a loop are
differentiated as a whole, by all their floating arguments, data among them; their floating results
all get gradient, zeros where nothing reads them (tensorflow/python/ops/gradients_util.py and
eager/polymorphic_function/concrete_function.py, TensorFlow 2.16 to 2.21).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gradflow.flow.graph import FlowGraph
from gradflow.flow.lower.body import Body
from gradflow.flow.lower.layout import BodyCopy, Caller, Layout
from gradflow.flow.lower.references import Reference


def raising(
    graph: FlowGraph,
    layout: Layout,
    outermost: Body,
    sources: Collection[str] | None = None,
    outputs: Sequence[int] = (),
) -> tuple[int, ...]:
    """The nodes of ``graph`` at which TensorFlow raises an error.

    Args:
        graph: what was laid out.
        layout: how it was laid out.
        outermost: the body of the graph itself.
        sources: names of the nodes in it that stand for what is differentiated by; its arguments by
            default.
        outputs: the nodes of ``graph`` that gradient starts from.
    """
    if not layout.raising:
        return ()
    recorded = {id(outermost): _recorded_nodes(outermost, sources)}

    def is_recorded(body_copy: BodyCopy, number: int) -> bool:
        caller: Caller = (body_copy, number)
        while caller is not None:
            (body, outer), number = caller
            if id(body) not in recorded:
                recorded[id(body)] = _recorded_nodes(body)
            if number not in recorded[id(body)]:
                return False
            caller = outer
        return True

    given = graph.given_gradient(outputs)
    return tuple(
        node
        for node, body_copy, number in layout.raising
        if given[node] and is_recorded(body_copy, number)
    )


def _recorded_nodes(body: Body, sources: Collection[str] | None = None) -> frozenset[int]:
    """The numbers of the nodes to which floating tensors lead from the nodes called ``sources``, or
    from the arguments of the body by default."""
    readers: dict[Reference, list[int]] = {}
    for number, node in enumerate(body.nodes):
        for reference in node.inputs:
            readers.setdefault(reference, []).append(number)
    if sources is None:
        starts = [
            (~argument, 0) for argument, (_, floating) in enumerate(body.arguments) if floating
        ]
    else:
        starts = [(number, 0) for number, node in enumerate(body.nodes) if node.name in sources]
    todo = [reader for start in starts for reader in readers.get(start, ())]
    recorded: set[int] = set()
    while todo:
        number = todo.pop()
        if number in recorded:
            continue
        recorded.add(number)
        for output, floating in enumerate(body.nodes[number].floating):
            if floating:
                todo += readers.get((number, output), ())
    return frozenset(recorded)
