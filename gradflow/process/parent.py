"""Ask a child process for the report of a model, follow its stages, and tell how it died if it
did."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

from gradflow.analysis.result import NO_TENSORFLOW, Analysis, failed, unlisted
from gradflow.errors import CrashedError, GradflowError, UsageError
from gradflow.files.function_module import require_package
from gradflow.files.graph_file import GRAPH_FILE, model_of
from gradflow.files.own_function import function_at, is_function, refuse_reading
from gradflow.files.recognise import glance
from gradflow.files.remote import is_remote, local_copy
from gradflow.findings import (
    EntryList,
    Finding,
    Followed,
    Format,
    Listing,
    Mode,
    ModelReport,
    Route,
    Status,
    Tool,
)
from gradflow.findings.wire import decode
from gradflow.installed import (
    FILES_ARE_READ,
    NOT_INSTALLED,
    has_tensorflow,
    install_command,
    unsupported_version,
)
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Objective, Options
from gradflow.process.answers import refuse_forged, relay
from gradflow.process.death import StepCrashedError, death, last_words
from gradflow.process.early_start import claimed, early_server
from gradflow.process.request import Purpose, Request, request_about
from gradflow.process.sandbox.limits import size_of
from gradflow.process.spawn import Child, Spawn, asked, flags_for, interpreter
from gradflow.process.written_bytes import is_more_written
from gradflow.progress import Progress
from gradflow.text import shown

_STAGES = {
    "fetch": "fetching the model",
    "start": "starting",
    "read": "reading the model",
    "scan": "looking for what could do harm",
    "import": "importing TensorFlow",
    "load": "loading the model",
    "build": "making the model",
    "step": "running the gradient step",
    "trace": "tracing the graph",
    "replay": "running the step op by op",
}


_QUICK = 120.0
"""Seconds, at most, for the stages that only read: the HDF5 library goes round in circles in some
altered files."""
_SLOWEST = 1e5
"""Bytes of a graph that are read in a second, at least: a million nodes have a hundred million."""
_LOOK = 0.25
"""Seconds between two looks at what a child has written."""
_TURN = 10.0
"""Seconds for the turn of a small file among others; one that takes longer is read alone."""
_GRACE = 2.0
"""Seconds for a child to end after it has closed its pipe."""
_READING = ("read", "scan")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model's report and the versions that made it; versions are None where TensorFlow was not
    used."""

    model: ModelReport
    tool: Tool
    remark: str = ""
    """Something that the user should know about how the report came about."""
    route: Route | None = None
    """What was asked about one variable (``Options.why``)."""
    followed: tuple[Followed, ...] = ()
    """What can be answered about others (``Options.follow``)."""


def inspect_path(
    path: str,
    options: Options,
    progress: Progress = lambda _: None,
    spawn: Spawn | None = None,
    copy: str | None = None,
) -> Outcome:
    """Analyse the model at ``path``; whatever goes wrong becomes a report with status ``failed``.

    Where TensorFlow is not installed, the file is read as with ``static``, and the remark says so.

    Args:
        path: of the model, or an address: what it holds is fetched first, and the report speaks of
            the address.
        options: what is asked.
        progress: is told each stage.
        spawn: starts the process that opens the model; by default a new interpreter.
        copy: where its files lie, if that is not ``path``; the report speaks of ``path`` all the
            same.
    """
    spawn = spawn or interpreter
    if is_function(path):
        return _of_function(path, options, progress, spawn)
    if options.static:
        return _outcome(Purpose.STATIC, path, options, progress=progress, spawn=spawn, copy=copy)
    if has_tensorflow():
        outcome = _outcome(Purpose.TAPE, path, options, progress=progress, spawn=spawn, copy=copy)
        remarks = (unsupported_version(), outcome.remark)
        return replace(outcome, remark="; ".join(remark for remark in remarks if remark))
    if options.objective is Objective.COMPILED:
        error = UsageError(
            f"{path}: --objective compiled needs a gradient step, and {NOT_INSTALLED}",
            install_command("tf"),
        )
        return Outcome(failed(path, error, Mode.STATIC), NO_TENSORFLOW)
    options = replace(options, static=True)
    outcome = _outcome(Purpose.STATIC, path, options, progress=progress, spawn=spawn, copy=copy)
    is_read = outcome.model.status is Status.ANALYZED
    return replace(outcome, remark=FILES_ARE_READ) if is_read else outcome


def _of_function(path: str, options: Options, progress: Progress, spawn: Spawn) -> Outcome:
    """Run a function of the user's own, and analyse the model that it returns."""
    try:
        function = function_at(path)
        if options.static:
            raise refuse_reading(path, "--static")
        if not has_tensorflow():
            raise UsageError(
                f"{path}: is a function, which has to be run, and {NOT_INSTALLED}",
                install_command("tf"),
            )
        require_package(function, str(Path.cwd()))
    except GradflowError as error:
        return Outcome(failed(path, error, Mode.TAPE, Format.MEMORY), NO_TENSORFLOW)
    remark = f"{path}: your own code was run, and not confined"
    try:
        request = request_about(Purpose.FUNCTION, path, path, options)
        outcome = _run_twice(request, progress, spawn)
    except GradflowError as error:  # it hangs, or its process has died
        return Outcome(failed(path, error, Mode.TAPE, Format.MEMORY), NO_TENSORFLOW, remark)
    return replace(outcome, remark="; ".join(filter(None, (remark, outcome.remark))))


def scan_path(
    path: str,
    options: Options,
    progress: Progress = lambda _: None,
    spawn: Spawn | None = None,
) -> Outcome:
    """Look for what could do harm in the model at ``path``; as ``inspect_path``."""
    if is_function(path):
        error = refuse_reading(path, "scan")
        return Outcome(failed(path, error, Mode.STATIC, Format.MEMORY), NO_TENSORFLOW)
    return _outcome(Purpose.SCAN, path, options, progress, spawn or interpreter)


def list_entries(path: str, options: Options) -> EntryList:
    """Return the entries of the model at ``path``; what is wrong with it is in ``error``."""
    try:
        if is_function(path):
            raise refuse_reading(path, "--entry list")
        with _fetched(path, options, lambda _: None) as copy:
            glance(copy)
            return _ask(
                request_about(Purpose.ENTRIES, copy, path, options),
                EntryList,
                lambda _: None,
                interpreter,
                {},
            )[0]
    except GradflowError as error:
        return unlisted(path, error)


def list_models(folder: str) -> Listing:
    """Return the models below ``folder``; where the process that opens the files dies, their first
    bytes decide."""
    try:
        request = request_about(Purpose.MODELS, folder, folder, Options())
        with _reader() as spawn:
            return _ask(request, Listing, lambda _: None, spawn, {})[0]
    except (GradflowError, OSError):
        from gradflow.files.below import models_below  # seldom needed

        return models_below(Path(folder), look_inside=False)


@contextlib.contextmanager
def _reader() -> Iterator[Spawn]:
    """Give what starts a process that reads: by the fork server, where one was started early."""
    if early_server() is None:
        yield interpreter
        return
    from gradflow.process.fork_client import ForkServers  # what one model does without

    with ForkServers() as copies:
        yield copies


def _outcome(
    purpose: Purpose,
    path: str,
    options: Options,
    progress: Progress,
    spawn: Spawn,
    copy: str | None = None,
) -> Outcome:
    format: Format | None = None
    try:
        with (
            _fetched(path, options, progress)
            if copy is None
            else _speaking_of(path, copy) as location
        ):
            format = glance(location).format
            return _run_twice(request_about(purpose, location, path, options), progress, spawn)
    except GradflowError as error:
        trouble = error
    # Too many open files or processes, a full disk: it costs this model, not the others.
    except OSError as error:
        trouble = CrashedError(
            f"{path}: this machine cannot start another process for it: {error.strerror or error}",
            "end other programs, or analyse fewer models at a time: --jobs N",
        )
    return Outcome(
        failed(path, trouble, Mode.TAPE if purpose is Purpose.TAPE else Mode.STATIC, format),
        NO_TENSORFLOW,
    )


@contextlib.contextmanager
def _fetched(path: str, options: Options, progress: Progress) -> Iterator[str]:
    """The local path of what is at ``path``."""
    if not is_remote(path):
        yield path
        return
    progress(_STAGES["fetch"])
    with (
        local_copy(path, options.static, options.timeout) as copy,
        _speaking_of(path, str(copy)) as location,
    ):
        yield location


@contextlib.contextmanager
def _speaking_of(path: str, copy: str) -> Iterator[str]:
    """``copy``; errors about it speak of ``path``."""
    try:
        yield copy
    except GradflowError as error:
        shown_as = path.rstrip("/")
        error.message, error.hint = (
            text.replace(copy, shown_as) for text in (error.message, error.hint)
        )
        raise


class _LeftAloneError(Exception):
    """The child leaves the file to one that reads it alone."""


def _run_twice(request: Request, progress: Progress, spawn: Spawn) -> Outcome:
    remark = ""
    try:
        analysis, tool = _ask(request, Analysis, progress, spawn, {})
    except StepCrashedError as error:
        # oneDNN in TensorFlow 2.21 can crash in Conv2DBackpropFilter on processors with AVX-512. It
        # is switched where TensorFlow is imported: that takes an interpreter of its own.
        analysis, tool = _ask(
            request, Analysis, progress, interpreter, {"TF_ENABLE_ONEDNN_OPTS": "0"}
        )
        remark = f"{error.message}; it was run again without oneDNN (TF_ENABLE_ONEDNN_OPTS=0)"
    return Outcome(analysis.report, tool, remark, analysis.route, analysis.followed)


def _ask(
    request: Request,
    kind: type[T],
    progress: Progress,
    spawn: Spawn,
    environment: Mapping[str, str],
) -> tuple[T, Tool]:
    begun = time.monotonic()
    with _child(request, spawn, environment) as (child, log):
        try:
            return _answer(request, kind, progress, child=child, log=log, begun=begun)
        except _LeftAloneError:
            pass
        except CrashedError:
            if not child.turn:
                raise
            child.kill()
    # What went wrong can be another file's doing: what is said of this one is found out alone.
    return _ask(replace(request, may_share=False), kind, progress, spawn, environment)


def _answer(
    request: Request,
    kind: type[T],
    progress: Progress,
    child: Child,
    log: IO[bytes],
    begun: float,
) -> tuple[T, Tool]:
    patience = min(request.options.timeout, threading.TIMEOUT_MAX)
    quick = min(patience, reading_time(request.path, request.options.timeout))
    if child.turn:
        patience = quick = min(quick, _TURN)
    stage = "start"
    notes: tuple[Finding, ...] = ()
    while True:
        allowed = quick if stage in _READING else patience
        left = begun + allowed - time.monotonic()
        try:
            line = child.lines.get(timeout=max(0.0, min(left, _LOOK)))
        except queue.Empty:
            _refuse_flood(request, stage, child, log)
            if left > _LOOK:
                continue
            longer = "give it longer with --timeout SECONDS"
            hint = (
                longer
                if allowed == patience
                else "save the model again: the file is damaged, or was made so that reading "
                "it never ends"
            )
            # Which stage the limit strikes in depends on how busy the machine is: a report does
            # not say it, progress has shown it.
            where = "" if allowed == patience else " while its file was read"
            problem = f"gave no answer in {allowed:g} s{where}"
            raise CrashedError(f"{request.shown}: {problem}", hint) from None
        if line is None:
            code, words = child.wait(_GRACE), last_words(log)
            raise death(request, _STAGES[stage], code, words, in_step=stage == "step")
        try:
            _refuse_out_of_turn(line, child.turn)
            if "let_in" in line and stage == "scan":
                notes += decode(tuple[Finding, ...], line["let_in"])
                continue
            if "stage" not in line:
                answer, tool = decode(kind, line["answer"]), decode(Tool, line["tool"])
                refuse_forged(answer, tool, request)
                return _with_notes(answer, notes), tool
            label, stage = _STAGES[line["stage"]], line["stage"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CrashedError(
                f"{request.shown}: the process that runs the model sent what cannot be read "
                f"while {_STAGES[stage]}",
                "this is a fault of gradflow or of the model: please report it",
            ) from error
        progress(label)


def _refuse_out_of_turn(line: Any, turn: str) -> None:
    """Make sure that a line is of this turn: it was sent by whoever has been asked."""
    if line.get("turn", "") != turn:
        raise ValueError("a line of another turn")
    if turn and "alone" in line:
        raise _LeftAloneError


def _refuse_flood(request: Request, stage: str, child: Child, log: IO[bytes]) -> None:
    """Raise CrashedError where the child has written more than it may, file by file."""
    most = request.limits.file
    if request.purpose is Purpose.FUNCTION or not is_more_written(
        most, child.scratch, child.process, log
    ):
        return
    raise CrashedError(
        f"{request.shown}: wrote more than {most / 1e9:.2g} GB of temporary files while "
        f"{_STAGES[stage]}",
        "the file was made so that it fills the disk, or is damaged: save the model again",
    )


def reading_time(path: str, timeout: float) -> float:
    """Return the seconds, at most, for the stages that only read the model at ``path``.

    Who gives an analysis longer than others has a slow machine, or a large model.
    """
    seconds = _QUICK + size_of(model_of(Path(path)) / GRAPH_FILE) / _SLOWEST
    return seconds * max(1.0, timeout / Options().timeout)


def _with_notes(answer: T, notes: Sequence[Finding]) -> T:
    """Return the answer with what the scan let in, which the answer itself could leave out."""
    if not notes or not isinstance(answer, Analysis):
        return answer
    from gradflow.analysis.safety import with_let_in  # seldom needed

    return replace(answer, report=with_let_in(answer.report, notes))


@contextlib.contextmanager
def _child(
    request: Request, spawn: Spawn, environment: Mapping[str, str]
) -> Iterator[tuple[Child, IO[bytes]]]:
    """Start a child for the request, or take the one that was started early; and where it prints
    to."""
    is_plain = spawn is interpreter and not environment and not request.options.verbose
    is_own = request.purpose is Purpose.FUNCTION  # which finds another environment
    early = claimed(flags_for(request)) if is_plain and not is_own else None
    if early is not None:
        with asked(early.process, request) as child:
            yield child, early.log
        return
    with _log(request.options) as log, spawn(request, log, environment) as child:
        yield child, log


@contextlib.contextmanager
def _log(options: Options) -> Iterator[IO[bytes]]:
    """Where a child prints to: a file, or with ``-v`` the user's stderr, without what a terminal
    would obey."""
    if not options.verbose:
        with tempfile.TemporaryFile() as file:
            yield file
        return
    read, write = os.pipe()

    def pass_on() -> None:
        with os.fdopen(read, encoding="utf-8", errors="replace") as lines:
            # Neither colors nor a command to GitHub, which takes them from the start of a line.
            relay(lines, lambda line: sys.stderr.write(f"| {shown(line.rstrip())}\n"))

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    with os.fdopen(write, "wb") as end:
        yield end
    thread.join(_GRACE)
