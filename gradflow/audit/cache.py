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
import re
import sys
from collections.abc import Iterable, Iterator
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
from gradflow.whole_file import write_whole

_FORM = "gradflow-result-1"
_LIBRARIES = ("keras", "tf-keras", "numpy", "h5py", "protobuf", "ml-dtypes")
"""What a verdict can depend on besides gradflow."""
_CHUNK = 1 << 20
_MARKER = "CACHEDIR.TAG"
"""Says that the folder is a cache, to backup programs too (bford.info/cachedir), and whose."""
_MARK = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder holds results of gradflow audit; gradflow cache clear removes them.\n"
)
_RESULT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.json")
_PARTIAL = re.compile(r"[0-9a-f]{2}/\.[\w.]+\.part")
_START = f'{{"form": "{_FORM.rstrip("0123456789")}'.encode()
"""Of a result of any version."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What ``Cache.clear`` did."""

    results: int
    """How many it removed."""
    others: tuple[str, ...]
    """Paths in the folder that are not gradflow's, in order: they stay."""


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
            marker = self.folder / _MARKER
            if not marker.exists():
                marker.write_text(_MARK, encoding="utf-8")
            write_whole(path, json.dumps({"form": _FORM, "outcome": encode(outcome)}))

    def clear(self) -> Cleared:
        """Remove every result that gradflow wrote, and nothing else.

        A folder without the marker is none of gradflow's: the user may have named a folder of
        their own.

        Raises:
            OSError: a result cannot be removed.
        """
        is_ours = _is_marker(self.folder / _MARKER)
        results = 0
        for path in sorted(self.folder.glob("??/*")) if is_ours else ():
            is_result = self._is_result(path)
            if is_result or self._is_partial(path):
                path.unlink()
                results += is_result
        return Cleared(results, tuple(self._others(is_ours)))

    def _others(self, is_ours: bool) -> Iterator[str]:
        """Yield what is left, and remove the folders and the marker that are left alone."""
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if is_ours and re.fullmatch("[0-9a-f]{2}", path.name) and not path.is_symlink():
                with contextlib.suppress(OSError):  # it is not empty
                    path.rmdir()
                    continue
                yield from (f"{path.name}/{inner.name}" for inner in sorted(path.glob("*")))
            elif not (is_ours and path.name == _MARKER):
                yield path.name
        with contextlib.suppress(OSError):
            if is_ours and {path.name for path in self.folder.iterdir()} == {_MARKER}:
                (self.folder / _MARKER).unlink()
                self.folder.rmdir()

    def _is_result(self, path: Path) -> bool:
        if not self._is_named(path, _RESULT):
            return False
        with path.open("rb") as file:
            return file.read(len(_START)) == _START

    def _is_partial(self, path: Path) -> bool:
        """Whether it is what a run that was killed left of a result."""
        return self._is_named(path, _PARTIAL)

    def _is_named(self, path: Path, name: re.Pattern[str]) -> bool:
        is_plain = path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
        return is_plain and name.fullmatch(path.relative_to(self.folder).as_posix()) is not None

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
        inputs = [Path(spec.file) for spec in options.inputs if spec.file]
        for root in (folder, *inputs):
            _add_all(digest, root, _files(root))
        for root in _modules(options):
            # What Python compiled of a module is made again from its source.
            files = (
                file for file in _files(root) if "__pycache__" not in file.relative_to(root).parts
            )
            _add_all(digest, root, files)
    except (OSError, ValueError, _UnknownError):
        return None
    return digest.hexdigest()


def _lasts(outcome: Outcome) -> bool:
    return outcome.model.error is None or outcome.model.error.code == UnsafeError.code


def _is_marker(path: Path) -> bool:
    try:
        return not path.is_symlink() and path.read_text(encoding="utf-8", errors="replace") == _MARK
    except OSError:
        return False


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
        if file.is_file():
            yield file


def _add_all(digest: hashlib._Hash, root: Path, files: Iterable[Path]) -> None:
    for file in files:
        name = file.relative_to(root).as_posix()
        digest.update(f"\0{name}\0{file.lstat().st_size}\0".encode())
        _add(digest, file)


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
