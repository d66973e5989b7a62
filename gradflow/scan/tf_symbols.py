"""A function or an op of TensorFlow that a layer of Keras 2 stands for in, what harm it could do out."""

from __future__ import annotations

from gradflow.files.proto import message
from gradflow.scan.op_classes import class_of

_MODULES = frozenset(
    "__operators__ math nn linalg signal strings image sparse ragged random audio bitwise dtypes quantization sets "
    "experimental.numpy feature_column".split()
)
"""Of TensorFlow's public names, those whose functions compute."""
_ACTING = frozenset(
    "py_function numpy_function load_library load_op_library print function custom_gradient recompute_grad map_fn "
    "foldl foldr scan while_loop cond case switch_case vectorized_map import_graph_def init_scope device".split()
)
"""Functions at the top of TensorFlow that do more than to compute, or call a function that they are given."""
_UNKNOWN = "does more than to compute, as far as is known"


def harm_of_symbol(symbol: object) -> str | None:
    """What a public name of TensorFlow, such as ``math.add``, could do; None where it computes."""
    if not isinstance(symbol, str):
        return _UNKNOWN
    name = symbol.removeprefix("tf.").removeprefix("compat.v1.").removeprefix("compat.v2.")
    module, _, function = name.rpartition(".")
    if module == "raw_ops":
        found = class_of(function)
        return None if found.is_allowed else found.reason
    if not module:
        return _UNKNOWN if function in _ACTING or not function.isidentifier() else None
    return None if module in _MODULES else _UNKNOWN


def harm_of_node(node: object) -> str | None:
    """What the op of a NodeDef, which a file holds as text, could do; None where it computes."""
    if not isinstance(node, str):
        return _UNKNOWN
    parsed = message("NodeDef")()
    try:
        parsed.ParseFromString(node.encode("utf-8"))
    except Exception:  # protobuf's DecodeError, whose class differs between its implementations
        return _UNKNOWN
    found = class_of(parsed.op)
    return None if found.is_allowed else found.reason
