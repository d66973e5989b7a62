"""Find the classes, functions and paths in the JSON of a Keras model that are not known to be
harmless.

Source: keras/src/saving/{serialization_lib,object_registration}.py (3.15);
tf_keras/src/saving/serialization_lib.py and tf_keras/src/layers/core/{lambda_layer,tf_op_layer}.py
(2.21). A class or function of the user's own is not imported unless the user names its module, and
no threat by itself.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from gradflow.files.keras.byte_code import foreign_python, unlike_this
from gradflow.installed import is_installed
from gradflow.scan.keras.allowed_names import Kind, named
from gradflow.scan.keras.tf_symbols import harm_of_symbol, wrapped
from gradflow.scan.threat import TRUST, Threat
from gradflow.text import quoted, shown

_KERAS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras_core")
_INSIDE = tuple(f"{package}." for package in _KERAS)
_SPECIAL = frozenset(
    "__keras_tensor__ __tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __tuple__ "
    "__set__".split()
)
_BY_MODULE = frozenset(
    "AssociativeScan Cond ForiLoop Map Scan Switch VectorizedMap WhileLoop FeatureSpace".split()
)
"""Classes that Keras finds by their module alone: without one, they are layers of the user's
own."""
_CODE = "__lambda__"
_TYPE = "__typespec__"
_PATHS = (
    "vocabulary",
    "merges",
    "proto",
    "idf_weights",
    "vocabulary_path",
    "vocabulary_file",
    "ckpt_to_load_from",
)
"""Of lookups, tokenizers and feature columns: what they know, or a file that they read it from."""
_RUNS_CODE = "runs Python code that the file holds"
_UNKNOWN = "is not known: no Keras that gradflow supports makes models of it"
_ACTS = "does more than compute, as far as is known"
_STANDARD = "runs Python's own library"
_IMPORTED = "is imported from there by Keras 2, and by Keras before 3.9, and can do anything"
CODE_HARMS = frozenset({_RUNS_CODE, _STANDARD, _IMPORTED})
"""Of what runs as soon as a layer is built or called."""
_SCRIPT = "__main__"
"""The user's own script, which runs already when Keras looks there."""
_OF_THE_TEAM = frozenset({"keras_hub", "keras_cv", "keras_nlp"})
"""Packages of the Keras team, from which every Keras takes classes by itself."""
_FUNCTIONS_OF_THE_TEAM = frozenset({"gelu_approximate", "quick_gelu"})
"""Of those packages, activations that a file can name (keras_nlp 0.5 to keras_hub 0.22)."""
_NAME_OF_CLASS = re.compile(r"_?[A-Z]\w*")
_WITH_TENSORFLOW = frozenset(
    "tensorflow numpy h5py google absl ml_dtypes optree rich requests wrapt setuptools pip".split()
)
"""What is installed wherever TensorFlow is."""
_DEEPEST = 500
_Harm = tuple[str, str]
"""A thing in the file, and what it could do."""


def strange_objects(value: object, member: str, imports: Sequence[str]) -> Iterator[Threat]:
    """Yield the threats in ``value``, which stands in ``member`` of the file.

    ``imports``: the modules that the user lets in.
    """
    # Keras itself is not the user's, whoever names it.
    trusted = {
        top
        for name in imports
        if not _is_keras(name) and (top := name.partition(".")[0]) != "builtins"
    }
    waiting = [(value, "", 0)] if isinstance(value, (dict, list)) else []
    while waiting:
        item, layer, depth = waiting.pop()
        if depth > _DEEPEST:
            yield Threat(
                f"a configuration {_DEEPEST} levels deep", member, "ends the process that builds it"
            )
            return
        if isinstance(item, dict):
            layer = _name(item) or layer
            for object_name, harm in _harms(item, trusted):
                location = f"layer {quoted(layer)} of {member}" if layer else member
                version = foreign_python(item) if harm == _RUNS_CODE else None
                if version is None:
                    yield Threat(object_name, location, harm, _remedy(item, harm))
                else:
                    harm, way_out = unlike_this(version)
                    yield Threat(object_name, location, harm, way_out=way_out)
            inside = list(item.values())
        else:
            inside = list(item)
        waiting += [
            (inner, layer, depth + 1)
            for inner in reversed(inside)
            if isinstance(inner, (dict, list))
        ]


def _harms(value: Mapping[str, object], trusted: set[str]) -> Iterator[_Harm]:
    """Yield what one JSON object of a configuration could do."""
    for key in _PATHS:
        path = value.get(key)
        if isinstance(path, str):
            yield f"{key} {quoted(path)}", "reads any file of this machine"
    name, module = value.get("class_name"), _text(value.get("module"))
    if not isinstance(name, str):
        return
    base = name.rpartition(">")[2]
    if base == _CODE:
        yield "a lambda as byte code", _RUNS_CODE
    elif base == "function":
        yield from _harms_of_function(value, module, trusted)
    elif base == _TYPE:
        if module.partition(".")[0] not in {"tensorflow", "keras", "tf_keras", *trusted}:
            yield f"type {shown(str(value.get('spec_name')))} of {shown(module)}", _STANDARD
    elif base.startswith("__") and base.endswith("__"):
        if base not in _SPECIAL:
            yield f"{quoted(name)}", _UNKNOWN
    else:
        yield from _harms_of_class(value, name, module, trusted)


def _harms_of_function(
    value: Mapping[str, object], module: str, trusted: set[str]
) -> Iterator[_Harm]:
    name, registered = value.get("config"), value.get("registered_name")
    yield from _function(_text(name), module, trusted)
    if (
        isinstance(registered, str)
        and registered != "function"
        and registered.rpartition(">")[2] != name
    ):
        yield from _function(registered, module, trusted)  # Keras 2 looks for that, too


def _harms_of_class(
    value: Mapping[str, object], name: str, module: str, trusted: set[str]
) -> Iterator[_Harm]:
    base, registered, config = (
        name.rpartition(">")[2],
        value.get("registered_name"),
        value.get("config"),
    )
    yield from _class(name, module, trusted)
    if isinstance(registered, str) and registered.rpartition(">")[2] != base:
        yield from _class(registered, module if _is_keras(module) else "", trusted)
    if isinstance(config, Mapping):
        yield from _special(base, config, trusted)


def _class(name: str, module: str, trusted: set[str]) -> Iterator[_Harm]:
    base, top = name.rpartition(">")[2], module.partition(".")[0]
    harm = None
    if top in trusted and not _is_keras(module):
        return
    if _is_keras(module) or (not module and ">" not in name):
        keras_name = named(Kind.CLASS, base)
        if keras_name is None:
            harm = _UNKNOWN if module else None
        elif not keras_name.is_allowed and (module or base not in _BY_MODULE):
            harm = keras_name.reason
    elif top in sys.stdlib_module_names:
        harm = _STANDARD
    elif module not in ("", _SCRIPT) and not (
        _NAME_OF_CLASS.fullmatch(base) and _is_the_users(top)
    ):
        harm = _IMPORTED  # Keras 2 takes a function that stands in the place of a class
    if harm is not None:
        yield _of("class", name, module), harm


def _function(name: str, module: str, trusted: set[str]) -> Iterator[_Harm]:
    base, top = name.rpartition(">")[2], module.partition(".")[0]
    harm = None
    if top in trusted and not _is_keras(module):
        return
    if module in ("", "builtins"):
        if named(Kind.FUNCTION, base) is None and (hasattr(builtins, base) or "." in base):
            harm = _STANDARD
    elif _is_keras(module):
        if named(Kind.FUNCTION, base) is None:
            keras_class = named(Kind.CLASS, base)
            harm = _ACTS if keras_class is None or keras_class.is_allowed else keras_class.reason
    elif top in sys.stdlib_module_names:
        harm = _STANDARD
    elif top == "tensorflow":
        harm = harm_of_symbol(base) if named(Kind.FUNCTION, base) is None else None
    elif module != _SCRIPT and not (top in _OF_THE_TEAM and base in _FUNCTIONS_OF_THE_TEAM):
        harm = _IMPORTED
    if harm is not None:
        yield _of("function", name, module), harm


def _is_the_users(top: str) -> bool:
    """Return whether a module can be the user's own, or is of the Keras team: no other package
    that is installed here."""
    return top in _OF_THE_TEAM or not (top in _WITH_TENSORFLOW or is_installed(top))


def _remedy(value: Mapping[str, object], harm: str) -> str:
    """Return the option that lets one object in."""
    module = _text(value.get("module"))
    is_written = harm == _IMPORTED and all(map(str.isidentifier, module.split(".")))
    return f"--import {shown(module)}" if is_written else TRUST


def _of(kind: str, name: str, module: str) -> str:
    return f"{kind} {shown(name)}" + (f" of {shown(module)}" if module else "")


def _special(base: str, config: Mapping[str, object], trusted: set[str]) -> Iterator[_Harm]:
    """Yield what depends on the configuration of a class."""
    if base == "Lambda":
        for key in ("function", "output_shape", "mask"):
            function = config.get(key)
            if config.get(f"{key}_type") == "lambda" or (
                key == "function" and isinstance(function, list)
            ):
                yield f"a Lambda layer with a {key} as byte code", _RUNS_CODE
            elif isinstance(function, str):
                module = _text(config.get("module" if key == "function" else f"{key}_module"))
                yield from _function(function, module, trusted)
        return
    harm = wrapped(base, config)
    if harm is not None:
        yield harm


def _is_keras(module: str) -> bool:
    return module in _KERAS or module.startswith(_INSIDE)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(value: Mapping[str, object]) -> str:
    config = value.get("config")
    is_named = isinstance(config, Mapping) and "class_name" in value
    return _text(config.get("name")) if is_named and isinstance(config, Mapping) else ""
