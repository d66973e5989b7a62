"""The JSON of a Keras model in, the classes, functions and paths in it that are not known to be harmless out.

Source: keras/src/saving/{serialization_lib,object_registration}.py (3.15); tf_keras/src/saving/serialization_lib.py and
tf_keras/src/layers/core/{lambda_layer,tf_op_layer}.py (2.21). A class or function of the user's own is not imported
unless the user names its module, and no threat by itself.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence

from gradflow.files.wording import shown
from gradflow.scan.keras_classes import Kind, named
from gradflow.scan.tf_symbols import harm_of_node, harm_of_symbol
from gradflow.scan.threat import Threat

_KERAS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras_core")
_SPECIAL = frozenset(
    "__keras_tensor__ __tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __typespec__ __tuple__ __set__".split()
)
_CODE = "__lambda__"
_PATHS = ("vocabulary", "merges", "proto", "idf_weights", "vocabulary_path")
"""Of lookups and tokenizers: what they know, or a file that they read it from."""
_RUNS_CODE = "runs Python code that the file holds"
_UNKNOWN = "is not known: no Keras that gradflow supports makes models of it"
_DEEPEST = 500


def strange_objects(value: object, member: str, imports: Sequence[str]) -> Iterator[Threat]:
    """The threats in ``value``, which stands in ``member`` of the file.

    ``imports``: the modules that the user lets in.
    """
    trusted = {name.partition(".")[0] for name in imports}
    waiting: list[tuple[object, str, int]] = [(value, "", 0)]
    while waiting:
        one, layer, depth = waiting.pop()
        if depth > _DEEPEST:
            yield Threat(f"a configuration {_DEEPEST} levels deep", member, "ends the process that builds it")
            return
        if isinstance(one, Mapping):
            layer = _name(one) or layer
            where = f"layer {shown(layer)!r} of {member}" if layer else member
            for what, harm in _harms(one, trusted):
                yield Threat(what, where, harm)
            waiting += [(inner, layer, depth + 1) for inner in reversed(list(one.values()))]
        elif isinstance(one, list):
            waiting += [(inner, layer, depth + 1) for inner in reversed(one)]


def _harms(value: Mapping[str, object], trusted: set[str]) -> Iterator[tuple[str, str]]:
    for key in _PATHS:
        path = value.get(key)
        if isinstance(path, str):
            yield f"{key} {shown(path)!r}", "reads any file of this machine"
    name, config = value.get("class_name"), value.get("config")
    if not isinstance(name, str):
        return
    module = value.get("module")
    module = module if isinstance(module, str) else ""
    base = name.rpartition(">")[2]
    if base == _CODE:
        yield "a lambda as byte code", _RUNS_CODE
    elif base == "function":
        yield from _function(config if isinstance(config, str) else "", module, trusted)
    elif base.startswith("__") and base.endswith("__"):
        if base not in _SPECIAL:
            yield f"{shown(name)!r}", _UNKNOWN
    else:
        yield from _class(name, module, trusted)
        if isinstance(config, Mapping):
            yield from _special(base, config, trusted)


def _class(name: str, module: str, trusted: set[str]) -> Iterator[tuple[str, str]]:
    known = named(Kind.CLASS, name.rpartition(">")[2])
    what = f"class {shown(name)}" + (f" of {shown(module)}" if module else "")
    top = module.partition(".")[0]
    if top in trusted:
        return
    if _is_keras(module) or (not module and ">" not in name):
        if known is not None and not known.is_allowed:
            yield what, known.reason
        elif known is None and module:
            yield what, _UNKNOWN
    elif top in sys.stdlib_module_names:
        yield what, "runs Python's own library"


def _function(name: str, module: str, trusted: set[str]) -> Iterator[tuple[str, str]]:
    base = name.rpartition(">")[2]
    what = f"function {shown(name)}" + (f" of {shown(module)}" if module else "")
    top = module.partition(".")[0]
    if top in trusted and module != "builtins":
        return
    if module in ("", "builtins"):
        if named(Kind.FUNCTION, base) is None and (hasattr(builtins, base) or "." in base):
            yield what, "runs Python's own library"
    elif _is_keras(module):
        if named(Kind.FUNCTION, base) is None and named(Kind.CLASS, base) is None:
            yield what, "does more than to compute, as far as is known"
    elif top in sys.stdlib_module_names:
        yield what, "runs Python's own library"


def _special(base: str, config: Mapping[str, object], trusted: set[str]) -> Iterator[tuple[str, str]]:
    """What depends on the configuration of a class."""
    if base == "Lambda":
        for key in ("function", "output_shape", "mask"):
            held = config.get(key)
            if config.get(f"{key}_type") == "lambda" or (key == "function" and isinstance(held, list)):
                yield f"a Lambda layer with a {key} as byte code", _RUNS_CODE
            elif isinstance(held, str):
                module = config.get("module" if key == "function" else f"{key}_module")
                yield from _function(held, module if isinstance(module, str) else "", trusted)
    elif base == "TFOpLambda":
        harm = harm_of_symbol(config.get("function"))
        if harm is not None:
            yield f"the function tf.{shown(str(config.get('function')))}", harm
    elif base == "TensorFlowOpLayer":
        harm = harm_of_node(config.get("node_def"))
        if harm is not None:
            yield "an op of TensorFlow in a layer", harm


def _is_keras(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _KERAS)


def _name(value: Mapping[str, object]) -> str:
    config = value.get("config")
    name = config.get("name") if isinstance(config, Mapping) and "class_name" in value else None
    return name if isinstance(name, str) else ""
