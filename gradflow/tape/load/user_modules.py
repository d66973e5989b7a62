"""Import the user's modules, which register their layers with Keras, their ops with TensorFlow."""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

import keras

from gradflow.errors import UsageError
from gradflow.tape.load.error_messages import first_line

LEGACY = "TF_USE_LEGACY_KERAS"
"""The environment variable that makes Keras 2 of ``tf.keras`` (TensorFlow 2.16 and later)."""
_LIBRARIES = frozenset({"builtins", "keras", "tensorflow", "tf_keras"})


def import_modules(names: Sequence[str], folder: str) -> Mapping[str, Any]:
    """Import the modules, from ``folder`` too, and return their public classes and functions, and
    the classes of the modules below them, by name.

    The folder, which is where the user is, comes first while they are imported, as for ``python
    -m``, and last from
    then on: what TensorFlow and Keras import later stays theirs.

    Raises:
        UsageError: a module cannot be imported.
    """
    if not names:
        return {}
    sys.path.insert(0, folder)
    try:
        modules = [_imported(name) for name in names]
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)
    inner = {name: value for module in modules for name, value in _defined_below(module)}
    public = {
        name: value
        for module in modules
        for name, value in _public(module)
        if _is_the_users(name, value)
    }
    return inner | public


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a module can raise anything, and a script can leave
        reason = (
            f"it ended with exit code {error.code}"
            if isinstance(error, SystemExit)
            else first_line(error)
        )
        hint = "gradflow looks in its own environment and in the working directory"
        if _wants_keras2(name, error):
            hint = f"if it is written for Keras 2, set {LEGACY}=1 (tf_keras must be installed)"
        raise UsageError(
            f"--import {name}: cannot be imported: {type(error).__name__}: {reason}", hint
        ) from error


def _wants_keras2(name: str, error: BaseException) -> bool:
    """Return whether it is Keras that does not have what a module takes from it."""
    if os.environ.get(LEGACY) or name.partition(".")[0] in ("keras", "tf_keras"):
        return False
    return isinstance(error, (AttributeError, ImportError)) and "keras" in str(error)


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    names = getattr(module, "__all__", None) or [
        name for name in vars(module) if not name.startswith("_")
    ]
    return [(name, getattr(module, name)) for name in names if hasattr(module, name)]


def _defined_below(package: ModuleType) -> Iterator[tuple[str, type]]:
    """Yield the classes that the modules below a package define, which it need not offer itself:
    ``import tensorflow_model_optimization`` has no PruneLowMagnitude. Of two classes with one name
    neither is meant."""
    beginning = f"{package.__name__}."
    classes = [
        value
        for path, module in sorted(sys.modules.items())
        if path.startswith(beginning) and isinstance(module, ModuleType)
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == path
    ]
    count = Counter(each.__name__ for each in classes)
    yield from ((each.__name__, each) for each in classes if count[each.__name__] == 1)


def _is_the_users(name: str, value: Any) -> bool:
    """Return whether Keras may take ``value`` for the custom object ``name``: a helper called
    ``relu`` is not meant."""
    if str(getattr(value, "__module__", "builtins")).partition(".")[0] in _LIBRARIES:
        return False
    return isinstance(value, type) or (
        isinstance(value, FunctionType) and not hasattr(keras.activations, name)
    )
