"""Tell whether a text names a function of the user's own, ``package.module:function``."""

from __future__ import annotations

import os
import re

from gradflow.errors import UsageError
from gradflow.lazy_dataclass import dataclass
from gradflow.text import quoted

_NAME = re.compile(r"(?P<module>[^\W\d][\w.]*|[^:]+\.py):(?P<function>[\w.]*)")
_FORM = "write package.module:function"


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function of a module, which makes a model."""

    module: str
    """With dots."""
    function: str
    """A name, or names with dots between: a method of a class."""

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.module}:{self.function}"


def is_function(path: str) -> bool:
    """Return whether ``path`` is meant as the name of a function: nothing has it as its path."""
    match = _NAME.fullmatch(path)
    if match is None or os.path.lexists(path):
        return False
    return os.name != "nt" or len(match["module"]) > 1  # a drive of Windows


def function_at(path: str) -> FunctionName:
    """Return the function that ``path`` names, of which ``is_function`` is true.

    Raises:
        UsageError: it is not written as such a name.
    """
    module, _, function = path.partition(":")
    if module.endswith(".py"):
        stem = os.path.normpath(module.removesuffix(".py")).replace(os.sep, ".")
        raise UsageError(
            f"{path}: names a file, and a function is named by its module",
            f"write {stem}:{function or 'function'}",
        )
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        missing = "names no function" if not function else f"{quoted(path)} is no name of one"
        raise UsageError(f"{path}: {missing}", _FORM)
    return FunctionName(module, function)


def refuse_reading(path: str, what: str) -> UsageError:
    """Return the error of who asks for what only a file has: ``what`` reads one."""
    return UsageError(
        f"{path}: is a function, which has to be run, and {what} reads a file",
        "save its model, and give the file",
    )
