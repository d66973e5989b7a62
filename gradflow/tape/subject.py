"""A loaded model as the step sees it: inputs, a call, watched variables, a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradflow.files.contents import StoredVariable
from gradflow.files.doubts import FreezeDoubt
from gradflow.files.saved_model import TensorInfo
from gradflow.flow.graph import FlowGraph


@dataclass(frozen=True, slots=True)
class Watched:
    """A variable's record and the live ``tf.Variable``; None where the entry does not use it."""

    stored: StoredVariable
    variable: Any | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that can be stepped."""

    producer: str | None
    entry: str
    inputs: tuple[TensorInfo, ...]
    id_limit: int | None
    """Integers below this are valid indexes of every embedding; None where nothing is known."""
    call: Callable[[Sequence[Any]], list[tuple[str, Any]]]
    """Tensors in the order of ``inputs`` in, named output tensors out."""
    watched: tuple[Watched, ...]
    graph: Callable[[Sequence[Any], Sequence[str]], FlowGraph | None]
    """The batch and the selected output names in, the graph of the same call out."""
    layers: Mapping[str, str] | None
    """Path of every layer by its name; None where only the variables tell of layers."""
    lost_gradients: frozenset[str] = frozenset()
    """Custom gradients that the graph names and the file does not hold, by their ``_gradient_op_type``."""
    doubts: tuple[FreezeDoubt, ...] = ()
    describe: Callable[[Sequence[Any]], list[StoredVariable | None]] | None = None
    """Records of variables that the call reads and no layer tracks, None for what is no weight; not set where the file
    itself says what is tracked."""
