"""Fetch what stands at an address (``gs://bucket/model``) into a local copy, for as long as it is
needed."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.paths import leads_out
from gradflow.installed import install_command
from gradflow.scratch import scratch_folder
from gradflow.text import shown

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
"""A letter and a colon alone are a drive of Windows."""
_EXTRA = install_command("remote")
_OURS = frozenset({"gs", "gcs", "s3", "s3a", "hf", "http", "https"})
"""What the extra reads."""
_ALLOWED = _OURS | {"memory"}
"""Kinds of addresses that are followed. Others can run code (reference://), read local files under
another name, or chain several kinds with ``::``; memory:// is what this process has put there."""
_MOST_FETCHED = 1 << 35
"""Bytes of one model, as they are once a packed answer is unpacked."""
_MOST_OF_DISK = 2
"""A copy takes at most one part of so many of what is free."""
_GONE = (None, 404, 410)
"""What a server answers where there is nothing."""
_CHATTY = ("aiobotocore", "asyncio", "botocore", "fsspec", "gcsfs", "huggingface_hub", "s3fs")
"""Clients that log each attempt, with its traceback, to stderr where nobody listens."""
_ACCESS = (
    "gradflow uses the credentials that the store's own tools have set up; check them, the "
    "address and the network"
)
_GRAPH = ("saved_model.pb", "keras_metadata.pb", "debug/saved_model_debug_info.pb")
"""The files of a SavedModel that are read without TensorFlow."""
_FIRST_ANSWER = 60.0
"""Seconds for a store to say what an address holds."""
_KNOCK = 0.2
"""Seconds between looks at the deadline: a wait without an end would not hear Ctrl-C on Windows."""


def is_remote(path: str) -> bool:
    """Return whether ``path`` is an address, which ``local_copy`` fetches."""
    return _ADDRESS.match(path) is not None


@contextlib.contextmanager
def local_copy(address: str, graph_only: bool, timeout: float) -> Iterator[Path]:
    """Fetch what ``address`` holds into a temporary folder and give the path of the copy, which is
    removed at the end.

    Args:
        address: of a file, or of a SavedModel's folder where the store has folders.
        graph_only: of a SavedModel leave the variables and assets where they are: empty files stand
            in for them.
        timeout: seconds for all of it.

    Raises:
        UnreadableError: the extra is not installed, nothing is there, or the store cannot be asked.
    """
    _refuse_kind(address)
    with scratch_folder() as folder:
        deadline = time.monotonic() + timeout
        kind = _answer(address, min(timeout, _FIRST_ANSWER), lambda: _opened(address))
        copy = Path(folder, kind.name)
        _answer(
            address, max(0.0, deadline - time.monotonic()), lambda: _fetch(kind, copy, graph_only)
        )
        yield copy


@dataclass(slots=True)
class _Source:
    """What stands at an address."""

    store: Any
    """An fsspec file system."""
    path: str
    is_folder: bool

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2] or "model"


@dataclass(slots=True)
class _Reply:
    values: list[Any] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


def _answer(address: str, timeout: float, ask: Callable[[], Any]) -> Any:
    """Ask in a thread, which is left behind where no answer comes: a store's client can hang in a
    retry."""
    reply = _Reply()

    def asking() -> None:
        try:
            reply.values.append(ask())
        except BaseException as error:
            reply.errors.append(error)

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    deadline = time.monotonic() + timeout
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(_KNOCK)
    if reply.values:
        return reply.values[0]
    if reply.errors:
        raise _refusal(address, reply.errors[0]) from reply.errors[0]
    raise UnreadableError(f"{shown(address)}: gave no answer in {timeout:.0f} s", _ACCESS)


def _refuse_kind(address: str) -> None:
    """Make sure that an address is of a kind that the documentation names.

    Raises:
        UnreadableError: it is not.
    """
    if "::" in address or address.partition(":")[0].lower() not in _ALLOWED:
        raise UnreadableError(
            f"{shown(address)}: is an address of an unknown kind",
            "give a gs://, s3://, hf:// or https:// address, or a path",
        )


def _opened(address: str) -> _Source:
    import logging  # which nothing else needs

    import fsspec  # an extra

    for name in _CHATTY:
        logging.getLogger(name).addHandler(logging.NullHandler())
    store, path = fsspec.core.url_to_fs(address)
    return _Source(store, path, store.info(path)["type"] == "directory")


def _fetch(source: _Source, copy: Path, graph_only: bool) -> None:
    room = _room(copy.parent)
    if not source.is_folder:
        source.store.get_file(source.path, str(copy), callback=room)
        return
    root = source.path.rstrip("/")
    paths = source.store.find(root)
    inside = {path[len(root) :].lstrip("/"): path for path in paths if path.startswith(root)}
    needed = _GRAPH if graph_only or "saved_model.pb" not in inside else tuple(inside)
    copy.mkdir()
    for name, path in _safe(inside.items()):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in needed:
            source.store.get_file(path, str(target), callback=room)
        else:
            target.touch()  # its name tells what the folder is


class _TooLargeError(Exception):
    """More comes than there is room for."""


def _room(folder: Path) -> Any:
    """Return what counts the bytes that are written, and raises ``_TooLargeError`` beyond the
    limit."""
    from fsspec.callbacks import Callback

    most = min(_MOST_FETCHED, shutil.disk_usage(folder).free // _MOST_OF_DISK)

    class Room(Callback):  # type: ignore[misc]  # of a library without types
        written = 0

        def relative_update(self, inc: int = 1) -> None:
            self.written += inc
            if self.written > most:
                raise _TooLargeError(f"it is larger than {most >> 20:,} MB")

    return Room()


def _safe(files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield those whose name stays in the folder."""
    for name, path in files:
        if name and not name.endswith("/") and not leads_out(name):
            yield name, path


def _refusal(address: str, error: BaseException) -> UnreadableError:
    shown_address = shown(address)
    if isinstance(error, ImportError):
        scheme = address.partition(":")[0].lower()
        hint = (
            _EXTRA if scheme in _OURS or error.name == "fsspec" else "install that beside gradflow"
        )
        message = (
            f"{shown_address}: is a remote address, and what reads {scheme}:// is not installed "
            f"({_line(error)})"
        )
        return UnreadableError(message, hint)
    if isinstance(error, _TooLargeError):
        return UnreadableError(
            f"{shown_address}: {error}, the most that is fetched onto a disk with so much space",
            "download it yourself, and give the path",
        )
    cause = error.__cause__
    status = getattr(cause, "status", None)
    if isinstance(error, FileNotFoundError) and cause is not None and status not in _GONE:
        if status:  # 0 where it never came to an answer: a circle of redirections
            return UnreadableError(
                f"{shown_address}: cannot be fetched: the server answers {status}", _ACCESS
            )
        error = cause
    if isinstance(error, FileNotFoundError) and _is_of_the_connection(cause):
        error = cause or error  # fsspec's https client says so of a host that it cannot connect to
    if isinstance(error, FileNotFoundError):
        return UnreadableError(f"{shown_address}: no such file or folder", "check the address")
    return UnreadableError(
        f"{shown_address}: cannot be fetched: {type(error).__name__}: {_line(error)}", _ACCESS
    )


def _is_of_the_connection(cause: BaseException | None) -> bool:
    """Whether that is why nothing came, and not that there is nothing."""
    if isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) is not None:
        return False
    return isinstance(cause, OSError) or type(cause).__module__.startswith("aiohttp.")


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shown(lines[0])[:200] if lines else "no reason given"
