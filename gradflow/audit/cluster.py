"""Analyse models on the workers of a Dask cluster.

A worker runs a model in a process of its own, as this machine would. When a worker dies, Dask gives
its work to another one. What comes back is read as data, and believed as little as what a process
of this machine sends.
"""

from __future__ import annotations

import io
import json
import tarfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from gradflow.analysis.result import NO_TENSORFLOW, Analysis, failed
from gradflow.audit.plain_pickles import NotRead, plain_pickles
from gradflow.errors import CrashedError, UsageError
from gradflow.files.graph_file import model_of
from gradflow.files.remote import is_remote
from gradflow.findings import Mode
from gradflow.findings.wire import decode, encode
from gradflow.installed import install_command
from gradflow.options import Options
from gradflow.process.answers import MOST_SENT, refuse_forged
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import Outcome, inspect_path
from gradflow.process.request import Purpose, request_about
from gradflow.progress import Progress
from gradflow.scratch import scratch_folder

_PATIENCE = 20
"""Seconds for the scheduler to answer."""
_INSIDE = "model"
_LONGEST = 1000
"""Characters of what has gone wrong on a worker."""
_SEE_LOGS = "the workers need this gradflow; see their logs"


class Cluster:
    """Analyses models on the workers of a cluster."""

    def __init__(self, address: str, *, ship: bool) -> None:
        """Connect to the scheduler at ``address``; ``ship`` sends the model files to the workers,
        which read the paths themselves otherwise.

        Raises:
            UsageError: Dask is not installed, no scheduler answers, or it has no workers.
        """
        try:
            from distributed import Client
        except ImportError as error:
            raise UsageError("--scheduler needs Dask", install_command("dask")) from error
        self._open = ExitStack()
        self._open.enter_context(plain_pickles())
        try:
            self._client: Any = self._open.enter_context(
                Client(address, timeout=_PATIENCE, set_as_default=False)
            )
            threads = self._client.nthreads()
        except (OSError, ValueError, TimeoutError) as error:
            self._open.close()
            message = f"--scheduler {address}: no scheduler answers there"
            raise UsageError(
                message, "give the address that dask scheduler prints: tcp://host:8786"
            ) from error
        if not threads:
            self._open.close()
            raise UsageError(
                f"--scheduler {address}: has no workers", f"start some: dask worker {address}"
            )
        self.jobs = sum(threads.values())
        self._ship = ship
        self._futures: set[Any] = set()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def inspect(self, path: str, options: Options, progress: Progress) -> Outcome:
        """Analyse the model at ``path`` on some worker."""
        progress("on the cluster")
        asked = replace(options.with_absolute_files(), verbose=False)
        options_text = json.dumps(encode(asked))
        location = path if is_remote(path) else str(Path(path).absolute())
        content = (
            _packed(Path(path))
            if self._ship and not is_remote(path) and Path(path).exists()
            else None
        )
        # Pure, it would be taken for the same task as that of an equal model that is there twice.
        future = self._client.submit(_on_worker, path, location, options_text, content, pure=False)
        self._futures.add(future)
        try:
            return _outcome(_answer(future), path, options)
        except CrashedError as error:
            return Outcome(failed(path, error, Mode.TAPE), NO_TENSORFLOW)
        finally:
            self._futures.discard(future)

    def stop(self) -> None:
        """Cancel what runs and what waits."""
        with suppress(Exception):  # the scheduler can be gone
            self._client.cancel(list(self._futures), force=True)


def _answer(future: Any) -> object:
    """Return what a task gives back; an error where it has no answer."""
    try:
        return future.result()
    except Exception as error:  # of Dask, where no worker has finished it
        return error


def _outcome(answer: object, path: str, options: Options) -> Outcome:
    """Read what a worker has sent of the model at ``path``.

    Raises:
        CrashedError: it is no answer, or none that gradflow has made.
    """
    if not isinstance(answer, str) or isinstance(answer, NotRead):
        raise CrashedError(
            f"{path}: the cluster did not finish it",
            "the workers need this gradflow, and memory for the model; see their logs",
        )
    try:
        message = json.loads(answer[:MOST_SENT])
        if "trouble" in message:
            raise CrashedError(f"{path}: a worker failed: {message['trouble']}", _SEE_LOGS)
        outcome = decode(Outcome, message["outcome"])
        analysis = Analysis(outcome.model, outcome.route, outcome.followed)
        refuse_forged(analysis, outcome.tool, request_about(Purpose.TAPE, path, path, options))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CrashedError(f"{path}: a worker sent what cannot be read", _SEE_LOGS) from error
    return outcome


def _on_worker(path: str, location: str, options_text: str, content: bytes | None) -> str:
    """Analyse the model that the user knows as ``path`` (runs on a worker), and return its outcome
    as JSON, or what has gone wrong: an exception would be a pickle."""
    try:
        outcome = _inspected(path, location, options_text, content)
        return json.dumps({"outcome": encode(outcome)})
    except Exception as error:  # a full disk, a missing library: the client tells its user
        return json.dumps({"trouble": f"{type(error).__name__}: {error}"[:_LONGEST]})


def _inspected(path: str, location: str, options_text: str, content: bytes | None) -> Outcome:
    options = decode(Options, json.loads(options_text))
    if content is None:
        copy = None if is_remote(location) else location
        return inspect_path(path, options, spawn=_copies(), copy=copy)
    with scratch_folder() as folder:
        copy = str(_unpacked(content, Path(folder)))
        return inspect_path(path, options, spawn=_copies(), copy=copy)


@cache
def _copies() -> ForkServers:
    """Return the fork server of this worker; it ends with the worker."""
    return ForkServers()


def _packed(path: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(model_of(path), arcname=f"{_INSIDE}{path.suffix}")
    return packed.getvalue()


def _unpacked(content: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        # Links stay links, and lead nowhere: the scan refuses them.
        archive.extractall(folder, filter="tar") if hasattr(
            tarfile, "tar_filter"
        ) else archive.extractall(folder)
    return next(folder.iterdir())
