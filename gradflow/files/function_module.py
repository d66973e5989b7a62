"""Look for the module of a function of the user's own, and run nothing of it."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from gradflow.errors import UsageError
from gradflow.files.own_function import FunctionName
from gradflow.text import near


def require_package(name: FunctionName, folder: str) -> None:
    """Look for the outermost package of the function's module, in ``folder`` first.

    Raises:
        UsageError: it is not there.
    """
    package = name.module.partition(".")[0]
    is_below = PathFinder.find_spec(package, [folder]) is not None
    if not is_below and package not in sys.modules and importlib.util.find_spec(package) is None:
        raise no_module(name, package, folder)


def no_module(name: FunctionName, missing: str, folder: str) -> UsageError:
    """Return the error of a function whose module, or a package of it, is ``missing``.

    ``folder``: where gradflow has looked first.
    """
    package, _, last = missing.rpartition(".")
    parent = sys.modules.get(package)
    names = _modules_in(list(parent.__path__) if parent is not None else [folder])
    looked = "gradflow looks in the working directory and in its own environment"
    source = Path(folder, "src", last)
    if not package and (source.is_dir() or source.with_suffix(".py").is_file()):
        looked = "it is below src: set PYTHONPATH=src, or install your package"
        names = []
    place = f" in {package}" if package else ""
    return UsageError(f"{name}: there is no module {last!r}{place}", f"{near(last, names)}{looked}")


def _modules_in(folders: Sequence[str]) -> Sequence[str]:
    return [module.name for module in pkgutil.iter_modules(folders)]
