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
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from gradflow.audit.check_model import Inspect
from gradflow.errors import UnreadableError, UnsafeError, UsageError
from gradflow.files.graph_file import model_of
from gradflow.files.recognise import glance
from gradflow.files.remote import is_remote
from gradflow.findings.wire import decode, encode
from gradflow.installed import tensorflow_identity
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.process.parent import Outcome
from gradflow.progress import Progress
from gradflow.version import VERSION
from gradflow.whole_file import read_whole, write_whole

_FORM = "gradflow-result-1"
_Stamp = tuple[str, int, int, int]
_RESOLUTION = 4.0
"""Seconds within which two writes can leave the same time, with room to spare (2 on FAT)."""
_READ = ("TF_", "XLA_", "KERAS_", "CUDA_", "OMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_")
"""How the variables of the environment begin that TensorFlow, Keras and NumPy read."""
_ONLY_TALK = ("TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE")
_LIBRARIES = ("keras", "tf-keras", "numpy", "h5py", "protobuf", "ml-dtypes")
"""What a verdict can depend on besides gradflow."""
_CHUNK = 1 << 20
_BLOCK = 512
"""Bytes that a file system counts in."""
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
            stored = None if key is None else self._stored(key, path, options)
            if stored is not None:
                return stored
            # Who has seen the report asks why next.
            asked = replace(options, follow=options.why is None and key is not None)
            outcome = inspect(path, asked, progress)
            # Its file can have changed while it was analysed: then the result is of neither.
            if key is not None and _lasts(outcome) and key.is_of_now(path, options):
                self.write(key.name, outcome)
            return outcome

        return cached

    def read(self, key: str) -> Outcome | None:
        """Return the result of that name; None where there is none, or it cannot be read."""
        try:
            stored = json.loads(read_whole(self._path_of(key)))
            return decode(Outcome, stored["outcome"]) if stored["form"] == _FORM else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _stored(self, key: Key, path: str, options: Options) -> Outcome | None:
        """Return the result that is stored, or what the result for the whole model has to say of
        the variable that is followed."""
        stored = self.read(key.name)
        if stored is not None or options.why is None:
            return stored
        for with_map in (options.map, not options.map):
            whole = self.read(key.name_of(path, replace(options, why=None, map=with_map)))
            answer = None if whole is None else _answer(whole, options.why)
            if answer is not None:
                return answer
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


def default_folder() -> Path | None:
    """``GRADFLOW_CACHE_DIR``, else ``gradflow`` among the caches of this user; None for a user
    without a home, as a container can have."""
    chosen = os.environ.get("GRADFLOW_CACHE_DIR")
    if chosen:
        return Path(chosen)
    try:
        return _among_caches()
    except RuntimeError:  # of Path.home
        return None


def _among_caches() -> Path:
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
            / "gradflow"
            / "Cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gradflow"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradflow"


@dataclass(frozen=True, slots=True)
class Key:
    """What a result is kept under."""

    name: str
    """Changes with everything that the result depends on."""
    content: str
    """Changes with the content of the files."""
    stamps: tuple[_Stamp, ...]
    """Of the files that were read for it; other stamps mean that they may have changed."""
    is_settled: bool
    """Whether the files are old enough for a change of them to change their stamps."""

    def name_of(self, path: str, options: Options) -> str:
        """Return the name for the same files and other options."""
        return _name(self.content, path, options)

    def is_of_now(self, path: str, options: Options) -> bool:
        """Return whether the files are still what they were."""
        if self.is_settled:
            return _stamps(path, options) == self.stamps
        again = key_of(path, options)
        return again is not None and again.name == self.name


def key_of(path: str, options: Options) -> Key | None:
    """Return what the result of an analysis is kept under; None where it is not kept.

    The result depends on the content of the model's files and of the given inputs, on the options,
    on the path as the report shows it, on the versions of gradflow, Python and the libraries, and
    on the variables of the environment that the libraries read. What runs code of the user's own
    depends on more than can be told: the modules of ``imports`` and those which they import, and a
    file that is trusted.
    """
    if is_remote(path) or options.imports or options.trust:
        return None
    digest = hashlib.sha256()
    try:
        glance(path)  # what is no model is not read as a whole
        now = time.time()
        stamps = _stamps(path, options)
        for root in _roots(path, options):
            for file in _files(root):
                name = file.relative_to(root).as_posix()
                digest.update(f"\0{name}\0{file.lstat().st_size}\0".encode())
                _add(digest, file)
    except (OSError, ValueError, UnreadableError, _UnknownError):
        return None
    newest = max((max(stamp[2:]) for stamp in stamps), default=0) / 1e9
    content = digest.hexdigest()
    return Key(_name(content, path, options), content, stamps, newest + _RESOLUTION < now)


def _name(content: str, path: str, options: Options) -> str:
    # None of these can change a verdict: they end an analysis, or show more of it.
    choices = encode(replace(options, timeout=0.0, memory_limit=None, verbose=False, follow=False))
    parts = [_FORM, _versions(), _environment(), path, choices, content]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _answer(outcome: Outcome, why: str) -> Outcome | None:
    """Return the answer about one variable from a result for the whole model; None where it has
    none."""
    model = outcome.model
    name = _full_name(why, [variable.name for variable in model.variables])
    for answered in outcome.followed:
        if answered.variable.name == name:
            variables = tuple(
                answered.variable if variable.name == name else variable
                for variable in model.variables
            )
            model = replace(model, variables=variables)
            return Outcome(model, outcome.tool, outcome.remark, answered.route)
    return None


def _full_name(why: str, names: Sequence[str]) -> str | None:
    if why in names:
        return why
    from gradflow.diagnose import find  # it takes a while

    try:
        return find(why, names)
    except UsageError:
        return None  # the analysis tells what is near


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
    """Yield the file at ``root``, or all files below it, in a fixed order."""
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise _UnknownError(root)
    waiting = [root]
    while waiting:
        # Not by rglob, which fails in a folder that is a thousand folders deep.
        with os.scandir(waiting.pop()) as entries:
            items = sorted(entries, key=lambda entry: entry.name, reverse=True)
        yield from (Path(entry.path) for entry in reversed(items) if entry.is_file())
        waiting += [Path(entry.path) for entry in items if entry.is_dir(follow_symlinks=False)]


def _roots(path: str, options: Options) -> list[Path]:
    """Return the model's file or folder, and the files of the given inputs and targets."""
    return [model_of(Path(path)), *map(Path, options.files)]


def _stamps(path: str, options: Options) -> tuple[_Stamp, ...]:
    """Return what differs once a file of the model is written to, replaced, new or gone."""
    stamps = []
    for root in _roots(path, options):
        for file in _files(root):
            status = file.stat()
            stamps.append((str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(stamps)


def _add(digest: hashlib._Hash, file: Path) -> None:
    """Add what a file holds; where it holds nothing, as most of a sparse file does, only where."""
    with file.open("rb") as stream:
        for start, end in _stretches(stream.fileno(), file.stat()):
            digest.update(f"\0{start}\0".encode())
            stream.seek(start)
            while chunk := stream.read(min(_CHUNK, end - stream.tell())):
                digest.update(chunk)


def _stretches(handle: int, status: os.stat_result) -> Iterator[tuple[int, int]]:
    """Yield the parts of a file that the disk has; all of it where it is no sparse one."""
    size = status.st_size
    if not hasattr(os, "SEEK_DATA") or getattr(status, "st_blocks", size) * _BLOCK >= size:
        yield 0, size
        return
    end = 0
    with contextlib.suppress(OSError):  # ENXIO: no data from there on
        while end < size:
            start = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, start, os.SEEK_HOLE)
            yield start, end


def _versions() -> list[str]:
    processors = str(os.cpu_count())  # the last digits of a sum depend on how it is split
    system = [platform.machine(), platform.system(), processors]
    return [VERSION, _own_files(), sys.version, *system, *_libraries()]


def _environment() -> list[tuple[str, str]]:
    return sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_READ) and name not in _ONLY_TALK
    )


@cache
def _own_files() -> str:
    """Return a text that changes with the program itself: between two releases the version does
    not."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for folder, names, files in os.walk(package):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for name in sorted(files):
            status = (Path(folder) / name).stat()
            digest.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@cache
def _libraries() -> tuple[str, ...]:
    versions = [f"tensorflow {tensorflow_identity()}"]
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return tuple(versions)
