"""Find the variables of a graph of TensorFlow 1, and those that the outputs of a signature depend
on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.schema import DecodeError, attribute, parse
from gradflow.files.saved_model.variables import read_shape
from gradflow.findings import Role
from gradflow.ops.families import ADDITIONS, PLAIN_READS, VARIABLES
from gradflow.ops.tensor_names import node_of, output_of

_COLLECTIONS = ("variables", "trainable_variables", "model_variables", "local_variables")
"""Where TensorFlow 1 keeps the records of variables."""
_SLOT = re.compile(
    r"/(Adam|Adam_1|AdaMax|AdaMax_1|Adadelta|Adadelta_1|Adagrad|AdagradDA|Ftrl|Ftrl_1|Momentum"
    r"|RMSProp|RMSProp_1|RMSProp_2|ExponentialMovingAverage)$"
)
_NO_WEIGHT = re.compile(r"(^|/)(beta[12]_power|global_step|moving_mean|moving_variance)(_\d+)?$")
"""Floating variables that a graph without a list of its trainable variables must not be thought to
train."""


def graph_variables(graph: Any) -> tuple[StoredVariable, ...]:
    """Return the variables of a TF1 graph: those to be trained are in the collection
    ``trainable_variables``.

    A graph that was saved without that collection, or with an empty one, is told by its names:
    slots of optimizers, step counters and moving averages are no weights. Each part of a
    partitioned variable stands for itself.
    """
    trainable = _trainable(graph)
    owners = dict(_owners(graph))
    nodes = [node for node in graph.graph_def.node if node.op in VARIABLES]
    names = {node.name for node in nodes}
    variables = []
    for node in nodes:
        dtype = dtype_name(attribute(node, "dtype").type)
        is_trained = (
            node.name in trainable if trainable is not None else _looks_trained(node.name, names)
        )
        is_weight = dtype in FLOATING_NAMES and is_trained
        variables.append(
            StoredVariable(
                name=node.name,
                layer=owners.get(node.name, node.name).rpartition("/")[0] or None,
                shape=read_shape(attribute(node, "shape").shape) or (),
                dtype=dtype,
                role=Role.WEIGHT if is_weight else Role.STATE,
                trainable=is_weight,
                frozen_by=None,
            )
        )
    return tuple(variables)


def depends_on(
    graph_def: Any, tensors: Iterable[str], fed: Collection[str] = ()
) -> tuple[str, ...]:
    """Names of the variables that ``tensors`` of the graph depend on, in the graph's order, where
    ``fed`` are given."""
    nodes = {node.name: node for node in graph_def.node}
    reached: set[str] = set()
    fed_outputs = {output_of(tensor) for tensor in fed}
    queue = [node_of(tensor) for tensor in tensors]
    while queue:
        name = queue.pop()
        if name in reached or name not in nodes:
            continue
        reached.add(name)
        sources = [source for source in nodes[name].input if not source.startswith("^")]
        queue += [node_of(source) for source in sources if output_of(source) not in fed_outputs]
    return tuple(name for name, node in nodes.items() if name in reached and node.op in VARIABLES)


def shifts_before_normalization(graph_def: Any) -> frozenset[str]:
    """Return the variables that are added right before a BatchNormalization by the batch, which
    takes the shift out again."""
    nodes = {node.name: node for node in graph_def.node}

    def behind(tensor: str, ops: Collection[str]) -> Any:
        node = nodes.get(node_of(tensor))
        while node is not None and node.op in ops and node.input:
            node = nodes.get(node_of(node.input[0]))
        return node

    shifts: set[str] = set()
    for node in graph_def.node:
        if (
            node.op.startswith("FusedBatchNorm")
            and "Grad" not in node.op
            and attribute(node, "is_training").b
        ):
            added = behind(node.input[0], ("Identity",))
            if added is not None and added.op in ADDITIONS:
                terms = (behind(source, PLAIN_READS | {"Enter"}) for source in added.input[:2])
                shifts.update(
                    term.name for term in terms if term is not None and term.op in VARIABLES
                )
    return frozenset(shifts)


def disabled_exits(graph: Any) -> frozenset[str]:
    """Return the nodes through which the data leaves a loop of ``while_loop(back_prop=False)``: no
    gradient enters there."""
    loops = _records(graph, "while_context", "WhileContextDef")
    return frozenset(
        node_of(name) for loop in loops if not loop.back_prop for name in loop.loop_exit_names
    )


def _looks_trained(name: str, names: set[str]) -> bool:
    slot = _SLOT.search(name)
    is_slot = slot is not None and name[: slot.start()] in names
    return not is_slot and _NO_WEIGHT.search(name) is None


def _trainable(graph: Any) -> set[str] | None:
    return {
        node_of(record.variable_name) for record in _records(graph, "trainable_variables")
    } or None


def _owners(graph: Any) -> Iterator[tuple[str, str]]:
    """Yield the whole variable that each part of a partitioned one belongs to."""
    for collection in _COLLECTIONS:
        for record in _records(graph, collection):
            owner = record.save_slice_info_def.full_name
            if owner and record.variable_name.startswith(f"{owner}/"):
                yield node_of(record.variable_name), owner


def _records(graph: Any, collection: str, kind: str = "VariableDef") -> Iterator[Any]:
    if collection not in graph.collection_def:
        return
    for raw in graph.collection_def[collection].bytes_list.value:
        with suppress(DecodeError):
            yield parse(kind, raw)
