"""Look up the functions of a graph and what is known of its ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gradflow.flow.op_rules import Arg, OpSpec, spec, spec_from_op_def
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import writing_functions


@dataclass(frozen=True, slots=True)
class Library:
    """The functions of a graph by name, and op definitions that the op table does not have."""

    functions: Mapping[str, Any]
    op_specs: Mapping[str, OpSpec]
    custom_gradients: Mapping[str, tuple[bool | None, ...]] | None = None
    """As ``SavedModelContents.custom_gradients``; None where nobody knows what they return."""
    recomputed: frozenset[str] = frozenset()
    """Those of ``tf.recompute_grad``, by ``_gradient_op_type``: they pass gradient as the plain
    function would."""
    disabled: frozenset[str] = frozenset()
    """Nodes of the graph itself that let no gradient in, whatever their op type does."""
    unrecorded: frozenset[str] = frozenset()
    """Nodes of the graph itself that a tape has not recorded."""
    writing: frozenset[str] = frozenset()
    """Names of the functions that write to a variable."""
    by_entries: bool = False
    """Whether tensors that were joined of several are laid out part by part."""

    def spec(self, op: str) -> OpSpec | None:
        """Return the rule and signature of an op type; None where nobody knows it."""
        return spec(op) or self.op_specs.get(op)


def library_of(
    graph_def: Any,
    op_defs: Sequence[Any] = (),
    custom_gradients: Mapping[str, tuple[bool | None, ...]] | None = None,
    registered: Mapping[str, OpSpec] = MappingProxyType({}),
    disabled: frozenset[str] = frozenset(),
    recomputed: frozenset[str] = frozenset(),
    unrecorded: frozenset[str] = frozenset(),
) -> Library:
    """Collect the functions of a GraphDef, and the definitions of ops that the table does not know.

    Those of the file say nothing about gradients; ``registered``, what this process knows, outranks
    them. ``disabled`` are the nodes of the graph that let no gradient in, ``recomputed`` the custom
    gradients of ``tf.recompute_grad``, ``unrecorded`` the nodes of the graph that a tape has not
    recorded.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    unknown = {
        op_def.name: spec_from_op_def(op_def) for op_def in op_defs if spec(op_def.name) is None
    }
    return Library(
        functions=functions,
        op_specs={**unknown, **registered},
        custom_gradients=custom_gradients,
        recomputed=recomputed,
        disabled=disabled,
        unrecorded=unrecorded,
        writing=writing_functions(functions),
    )


def output_starts(library: Library, node: Any) -> dict[str, int]:
    """Return the number of the first tensor of each of a node's output arguments, by the argument's
    name."""
    if node.op in library.functions:
        arguments = library.functions[node.op].signature.output_arg
        return {arg.name: number for number, arg in enumerate(arguments)}
    op_spec = library.spec(node.op)
    starts: dict[str, int] = {}
    start = 0
    for arg in op_spec.outputs if op_spec else ():
        starts[arg.name] = start
        start += len(dtypes_of(arg, op_spec, node.attr)) if op_spec else 1
    return starts


def dtypes_of(arg: Arg, op_spec: OpSpec, attr: Any) -> Sequence[int]:
    """Return the DataType numbers of the tensors that stand for one argument of an op
    definition."""
    if arg.type_list_attr:
        return list(attr[arg.type_list_attr].list.type) if arg.type_list_attr in attr else []
    dtype, count = arg.dtype or 0, 1
    if arg.type_attr:
        is_given = arg.type_attr in attr
        dtype = attr[arg.type_attr].type if is_given else op_spec.defaults.get(arg.type_attr, 0)
    if arg.number_attr:
        is_given = arg.number_attr in attr
        count = attr[arg.number_attr].i if is_given else op_spec.defaults.get(arg.number_attr, 1)
    return [dtype] * count
