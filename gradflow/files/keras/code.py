"""Find the code in the JSON of a Keras file that no Keras should run.

The ``safe_mode`` of Keras 2 and early Keras 3 looks at ``.keras`` files only; Keras 2 takes classes
and functions from any module that a file names (tf_keras 2.21, saving/serialization_lib.py).
"""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping

from gradflow.text import listed

LAMBDA = "a Lambda layer, whose Python code is not run"
_KERAS = frozenset({"keras", "tf_keras", "builtins"})
_PACKAGES = frozenset({"keras_hub", "keras_cv", "keras_nlp"})
"""Of the Keras team: Keras imports them by itself."""


def holds_marshalled_code(config: object) -> bool:
    """Return whether the model's JSON holds Python code itself, as a Lambda layer made of a lambda
    does."""
    return any(_is_marshalled(value) for value in objects(config))


def foreign_code(
    config: object, imported: Collection[str] = (), registered: Collection[str] = ()
) -> str | None:
    """Say what Keras 2 would run besides its own code; None where that is nothing.

    Args:
        config: the model's JSON.
        imported: the modules that the user has imported for it.
        known: names under which Keras has classes and functions of the user's, wherever the file
            says they were.
    """
    trusted = {*_KERAS, *(name.partition(".")[0] for name in imported)}
    for value in objects(config):
        name, function = _class(value), value.get("config")
        if name == "Lambda" or _is_marshalled(value):
            return LAMBDA
        if _registered(value) in registered:
            continue  # Keras takes these before it looks at the module
        if _elsewhere(value, trusted) is not None:
            return _all_elsewhere(config, trusted, registered)
        if (
            name == "function"
            and isinstance(function, str)
            and ("." in function or hasattr(builtins, function))
        ):
            return f"the function {function!r}"
    return None


def foreign_object(
    config: object, imported: Collection[str] = (), registered: Collection[str] = ()
) -> str | None:
    """Say what of a module that is neither Keras's own nor among ``imported`` a model names; None
    where it does not.

    Keras before 3.9 imports whatever module a file names. ``known`` is as for ``foreign_code``.
    """
    trusted = {*_KERAS, *_PACKAGES, *(name.partition(".")[0] for name in imported)}
    return _all_elsewhere(config, trusted, registered)


def foreign_modules(
    config: object, imported: Collection[str] = (), registered: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the modules that ``foreign_object`` speaks of, sorted."""
    trusted = {*_KERAS, *_PACKAGES, *(name.partition(".")[0] for name in imported)}
    return tuple(_names_by_module(config, trusted, registered))


def _all_elsewhere(
    config: object, trusted: Collection[str], registered: Collection[str]
) -> str | None:
    """Name all that a model takes from modules that are not ``trusted``; None where it takes
    nothing."""
    by_module = _names_by_module(config, trusted, registered)
    parts = [
        f"{listed(map(repr, names))} of the module {module!r}"
        for module, names in by_module.items()
    ]
    return listed(parts) if parts else None


def _names_by_module(
    config: object, trusted: Collection[str], registered: Collection[str]
) -> dict[str, list[str]]:
    pairs = {
        pair
        for value in objects(config)
        if _registered(value) not in registered and (pair := _elsewhere(value, trusted)) is not None
    }
    by_module: dict[str, list[str]] = {}
    for module, name in sorted(pairs):
        by_module.setdefault(module, []).append(name)
    return by_module


def objects(value: object) -> Iterator[Mapping[str, object]]:
    """Yield every object of a JSON value, at any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
        inside = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting += [inner for inner in inside if isinstance(inner, (dict, list))]


def class_names(config: object) -> tuple[str, ...]:
    """Return the names of the classes whose objects a model's JSON describes, each once, sorted."""
    names = {_class(value) for value in objects(config) if isinstance(value.get("config"), Mapping)}
    return tuple(sorted(name for name in names if name and not name.startswith("__")))


def function_names(config: object) -> tuple[str, ...]:
    """Return the names of the functions that a model's JSON refers to, each once, sorted."""
    names = {value.get("config") for value in objects(config) if _class(value) == "function"}
    return tuple(sorted(name for name in names if isinstance(name, str)))


def without_flag(config: object) -> tuple[str, ...]:
    """Return the names of the layers whose ``trainable`` is neither true nor false."""
    layers = [
        inner
        for value in objects(config)
        if isinstance(inner := value.get("config"), Mapping) and "trainable" in inner
    ]
    return tuple(str(layer.get("name")) for layer in layers if type(layer["trainable"]) is not bool)


def _elsewhere(value: Mapping[str, object], trusted: Collection[str]) -> tuple[str, str] | None:
    """Return the module that is not ``trusted`` and the name of what is taken from it."""
    module = value.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in trusted:
        return module, _class(value)
    return None


def _registered(value: Mapping[str, object]) -> object:
    return (
        value.get("config")
        if _class(value) == "function"
        else value.get("registered_name") or _class(value)
    )


def _is_marshalled(value: Mapping[str, object]) -> bool:
    config = value.get("config")
    if _class(value) == "__lambda__" or value.get("function_type") == "lambda":
        return True
    return (
        _class(value) == "Lambda"
        and isinstance(config, Mapping)
        and isinstance(config.get("function"), list)
    )


def _class(value: Mapping[str, object]) -> str:
    return str(value.get("class_name", "")).rpartition(">")[2]
