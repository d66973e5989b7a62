"""Keep the results of analyses, for as long as nothing that they depend on has changed.

Each result is a file, and its name is made of all that the result depends on. Two processes that
write the same file write the same bytes; a file gets its name when it is complete, so that nobody
reads half of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from gradflow.audit.checked import Inspect
from gradflow.errors import UnsafeError
from gradflow.files.remote import is_remote
from gradflow.findings.wire import decode, encode
from gradflow.installed import tensorflow_identity
from gradflow.options import Options
from gradflow.process.parent import Outcome
from gradflow.progress import Progress
from gradflow.version import VERSION

_FORM = "gradflow-result-1"
_LIBRARIES = ("keras", "tf-keras", "numpy", "h5py", "protobuf", "ml-dtypes")
"""What a verdict can depend on besides gradflow."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of results."""

    folder: Path

    def through(self, inspect: Inspect) -> Inspect:
        """Wrap ``inspect`` so that it runs only where no result is stored.

        Of models that could not be checked, only those are stored whose file is the reason; another
        machine may read the rest.
        """

        def cached(path: str, options: Options, progress: Progress) -> Outcome:
            key = key_of(path, options)
            stored = None if key is None else self.read(key)
            if stored is not None:
                return stored
            outcome = inspect(path, options, progress)
            # Its file can have changed while it was analysed: then the result is of neither.
            if key is not None and _lasts(outcome) and key_of(path, options) == key:
                self.write(key, outcome)
            return outcome

        return cached

    def read(self, key: str) -> Outcome | None:
        """Return the result of that name; None where there is none, or it cannot be read."""
        try:
            stored = json.loads(self._path_of(key).read_text(encoding="utf-8"))
            return decode(Outcome, stored["outcome"]) if stored["form"] == _FORM else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def write(self, key: str, outcome: Outcome) -> None:
        """Store a result; where that fails, the next run analyses the model again."""
        path = self._path_of(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump({"form": _FORM, "outcome": encode(outcome)}, file)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def clear(self) -> int:
        """Remove every result, and return how many there were."""
        count = sum(1 for _ in self.folder.glob("*/*.json"))
        shutil.rmtree(self.folder, ignore_errors=True)
        return count

    def _path_of(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def default_folder() -> Path:
    """``GRADFLOW_CACHE_DIR``, else ``gradflow`` among the caches of this user."""
    chosen = os.environ.get("GRADFLOW_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
            / "gradflow"
            / "Cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gradflow"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradflow"


def key_of(path: str, options: Options) -> str | None:
    """Return a name for the result that changes with everything that the result depends on; None
    where that cannot be known.

    The result depends on the content of the model's files, of the given inputs and of the user's
    modules, on the options, on the path as the report shows it, and on the versions of gradflow,
    Python and the libraries.
    """
    if is_remote(path):
        return None
    # None of these can change a verdict: they end an analysis, or show more of it.
    choices = encode(replace(options, timeout=0.0, memory_limit=None, verbose=False))
    digest = hashlib.sha256(json.dumps([_FORM, _versions(), path, choices]).encode())
    try:
        model = Path(path)
        folder = model.parent if model.name == "saved_model.pb" else model
        for root in (
            folder,
            *(Path(spec.file) for spec in options.inputs if spec.file),
            *_modules(options),
        ):
            for file in _files(root):
                digest.update(
                    f"\0{file.relative_to(root).as_posix()}\0{file.lstat().st_size}\0".encode()
                )
                _add(digest, file)
    except (OSError, ValueError, _UnknownError):
        return None
    return digest.hexdigest()


def _lasts(outcome: Outcome) -> bool:
    return outcome.model.error is None or outcome.model.error.code == UnsafeError.code


class _UnknownError(Exception):
    """Something that a result depends on cannot be found."""


def _files(root: Path) -> Iterator[Path]:
    """Yield the file at ``root``, or all files below it in a fixed order."""
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise _UnknownError(root)
    for file in sorted(root.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _add(digest: hashlib._Hash, file: Path) -> None:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)


def _modules(options: Options) -> Iterator[Path]:
    """Yield the files of the user's modules: of a package all files, since they import each
    other."""
    for name in options.imports:
        top = name.partition(".")[0]
        module = PathFinder.find_spec(top, [str(Path.cwd()), *sys.path])
        if module is None or not (module.submodule_search_locations or module.origin):
            raise _UnknownError(name)
        yield from map(Path, module.submodule_search_locations or [module.origin or ""])


def _versions() -> list[str]:
    return [VERSION, sys.version, platform.machine(), platform.system(), *_libraries()]


@cache
def _libraries() -> tuple[str, ...]:
    versions = [f"tensorflow {tensorflow_identity()}"]
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return tuple(versions)
