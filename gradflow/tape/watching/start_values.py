"""Keep what a gradient call started from, where it brought zeros: the same step can be run again.

What an op computes of its inputs can be computed again. What it drew, read from an iterator or from
a variable that is written to later cannot: that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import tensorflow as tf

from gradflow.ops.families import BRANCHES, CALLS, LOOPS, PLAIN_READS
from gradflow.tape.private_api import op_def_of
from gradflow.tape.watching.training_graphs import WRITES

_CALLING = CALLS | BRANCHES | LOOPS
_FOREIGN = ("Placeholder", "PlaceholderWithDefault")
_OPAQUE = (tf.resource, tf.variant)
"""Types of which no value can be kept."""


@dataclass(slots=True, eq=False)
class Start:
    """What one run of a gradient call started from."""

    outputs: Mapping[Any, Any] = field(default_factory=dict)
    """What ops gave: in a graph that was traced all of it, by the name of the op; of what ran
    eagerly each tensor, as ``EagerOps.kept`` returns it."""
    upstream: Sequence[Any] = ()
    """The gradients of the targets, where the user gave them."""
    before: Mapping[int, tuple[Any, Any]] = field(default_factory=dict)
    """What variables held, as ``Values.held`` has it; the others what they held when the record
    began."""
    run: int | None = None
    """The number of that run; None where nothing was kept."""
    obstacle: str = ""
    """Why nothing can be kept."""

    def clear(self) -> None:
        """Forget it."""
        self.outputs, self.upstream, self.before, self.run = {}, (), {}, None


Borders = Sequence[tuple[str, Sequence[Any]]]
"""The names of ops, with the tensors that they give."""


def borders(graph: Any, targets: Sequence[Any]) -> Borders | None:
    """Return the ops of a traced ``graph`` that ``targets`` depend on and whose outputs are to be
    kept; None where those of one cannot be."""
    overwritten = {
        op.inputs[0].op.name
        for op in graph.get_operations()
        if op.type.startswith(WRITES) and op.inputs
    }
    found: dict[str, Sequence[Any]] = {}
    waiting = [tensor.op for tensor in targets if getattr(tensor, "graph", None) is graph]
    seen = {op.name for op in waiting}
    for op in waiting:
        if op.type in _FOREIGN and op.outputs[0].dtype == tf.resource:
            continue
        if op.type in _FOREIGN or has_effect(op.type):
            is_read = op.type in PLAIN_READS and op.outputs[0].dtype.is_floating
            if not is_read or op.inputs[0].op.name in overwritten:
                found[op.name] = op.outputs
            if not is_read:
                continue
        sources = [tensor.op for tensor in op.inputs if tensor.op.name not in seen]
        seen.update(source.name for source in sources)
        waiting += {source.name: source for source in sources}.values()
    if any(tensor.dtype in _OPAQUE for outputs in found.values() for tensor in outputs):
        return None
    return list(found.items())


@cache
def has_effect(op_type: str) -> bool:
    """Return whether an op can give something else each time that it is run."""
    op_def = op_def_of(op_type)
    return op_def is not None and op_def.is_stateful and op_type not in _CALLING
