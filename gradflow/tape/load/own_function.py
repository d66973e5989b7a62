"""Call the user's own function that makes a model."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf

from gradflow.errors import UsageError, is_lack_of_memory
from gradflow.files.function_module import no_module
from gradflow.files.own_function import FunctionName
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.load.keras2 import is_keras2
from gradflow.text import listed, near

_RETURNS = "let it return a Keras model, a tf.Module, or (model, batch)"
_MANY = 8
"""Names that a hint lists."""


def made_by(name: FunctionName, folder: str) -> tuple[Any, Any]:
    """Return the model that a function makes, and its batch; None for that where it gives none.

    The module is looked for in ``folder`` first, as for ``python -m``.

    Raises:
        UsageError: there is no such function, it fails, or returns something else.
    """
    sys.path.insert(0, folder)
    try:
        function = _member(_module(name, folder), name)
        made = _called(function, name)
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)
    model, batch = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, keras.Model | tf.Module) and not is_keras2(model):
        what = f"({type(model).__name__}, ...)" if made is not model else type(model).__name__
        raise UsageError(f"{name}: returned {what}, which is no model", _RETURNS)
    return model, batch


def _module(name: FunctionName, folder: str) -> ModuleType:
    try:
        return importlib.import_module(name.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name.module}.".startswith(f"{error.name}."):
            raise _failure(name, "importing its module", error, folder) from error
        raise no_module(name, error.name, folder) from None
    except (Exception, SystemExit) as error:  # a module can raise anything, and a script can leave
        raise _failure(name, "importing its module", error, folder) from error


def _member(module: ModuleType, name: FunctionName) -> Callable[[], Any]:
    value: Any = module
    for part in name.function.split("."):
        if not hasattr(value, part):
            raise UsageError(
                f"{name}: {name.module} has no {part!r}",
                near(part, _callables(value)).strip() or _offered(_own_functions(module)),
            )
        value = getattr(value, part)
    if isinstance(value, keras.Model | tf.Module):
        return lambda: value
    if not callable(value):
        hint = _offered(_own_functions(module))
        raise UsageError(f"{name}: is no function: {type(value).__name__}", hint)
    _refuse_arguments(value, name)
    return value  # type: ignore[no-any-return]  # it is callable


def _refuse_arguments(function: Callable[..., Any], name: FunctionName) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # one of C: its call tells
        return
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise UsageError(
            f"{name}: needs {listed(needed)}, and gradflow calls it without arguments",
            "name a function that takes none and calls it, or give each a default",
        )


def _called(function: Callable[[], Any], name: FunctionName) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:  # it is the user's own code
        raise _failure(name, "calling it", error, sys.path[0]) from error


def _failure(name: FunctionName, what: str, error: BaseException, folder: str) -> Exception:
    if is_lack_of_memory(error):
        return MemoryError()
    reason = (
        f"it ended with exit code {error.code}"
        if isinstance(error, SystemExit)
        else first_line(error)
        if isinstance(error, Exception)
        else str(error)
    )
    place = _place(error, folder)
    message = f"{name}: {what} raised {type(error).__name__}: {reason}{place}"
    return UsageError(message, "make it run by itself first, with python -c")


def _place(error: BaseException, folder: str) -> str:
    """Return the innermost line of the user's own files that the error comes from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(folder) and not {"site-packages", "lib"} & set(path.parts):
            return f" ({path.relative_to(folder)}:{frame.lineno})"
    return ""


def _callables(value: Any) -> list[str]:
    return [name for name in dir(value) if callable(getattr(value, name, None))]


def _own_functions(module: ModuleType) -> list[str]:
    """Return the functions that a module defines itself, in their order."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]


def _offered(names: Iterable[str]) -> str:
    names = [name for name in names if not name.startswith("_")][:_MANY]
    return f"its functions: {', '.join(names)}" if names else "it defines no function"
