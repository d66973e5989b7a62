"""A path in, its report out: starts the child process, follows its stages, and tells how it died if it did."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from gradflow.errors import CrashedError, GradflowError
from gradflow.files.recognise import recognise
from gradflow.files.remote import is_remote, local_copy
from gradflow.findings import Format, Mode, ModelReport, Route, Tool
from gradflow.findings.wire import decode, encode
from gradflow.options import Options
from gradflow.version import VERSION
from gradflow.worker.outcome import Analysis, Progress, failed
from gradflow.worker.read import read

_BOOT = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from gradflow.worker.child import main; main()"
_STAGES = {
    "fetch": "fetching the model",
    "start": "starting",
    "scan": "looking for what could do harm",
    "import": "importing TensorFlow",
    "load": "loading the model",
    "step": "running the gradient step",
    "trace": "tracing the graph",
    "replay": "running the step op by op",
}


_GRACE = 2.0
"""Seconds for a child to end after it has closed its pipe."""
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model's report and the versions that made it; versions are None where TensorFlow was not used."""

    model: ModelReport
    tool: Tool
    remark: str = ""
    """Something that the user should know about how the report came about."""
    route: Route | None = None
    """What was asked about one variable (``Options.why``)."""


def inspect_path(path: str, options: Options, progress: Progress = lambda _: None) -> Outcome:
    """Analyse the model at ``path``; whatever goes wrong becomes a report with status ``failed``.

    ``path`` can be an address: what it holds is fetched first, and the report speaks of the address.
    """
    if not is_remote(path):
        return _inspect_local(path, options, progress)
    progress(_STAGES["fetch"])
    try:
        with local_copy(path, options.static, options.timeout) as copy:
            return _renamed(_inspect_local(str(copy), options, progress), str(copy), path)
    except GradflowError as error:
        mode = Mode.STATIC if options.static else Mode.TAPE
        return Outcome(failed(path, error, mode), Tool("gradflow", VERSION, None, None))


def _renamed(outcome: Outcome, copy: str, address: str) -> Outcome:
    """The outcome as if the address itself had been read."""

    def named(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(copy, address.rstrip("/"))
        if isinstance(value, list):
            return [named(item) for item in value]
        return {key: named(item) for key, item in value.items()} if isinstance(value, dict) else value

    renamed = decode(Outcome, named(encode(outcome)))
    return replace(renamed, model=replace(renamed.model, path=address))


def _inspect_local(path: str, options: Options, progress: Progress) -> Outcome:
    mode = Mode.STATIC if options.static else Mode.TAPE
    plain = Tool("gradflow", VERSION, None, None)
    format: Format | None = None
    try:
        if options.static:
            analysis = read(path, options)
            return Outcome(analysis.report, plain, route=analysis.route)
        format = recognise(path).format
        return _run_twice(path, options, progress)
    except GradflowError as error:
        return Outcome(failed(path, error, mode, format), plain)


class StepCrashedError(CrashedError):
    """The child died of a fault in native code during the gradient step."""


def _run_twice(path: str, options: Options, progress: Progress) -> Outcome:
    try:
        return _run(path, options, progress, {})
    except StepCrashedError as error:
        # oneDNN in TensorFlow 2.21 can crash in Conv2DBackpropFilter on processors with AVX-512.
        outcome = _run(path, options, progress, {"TF_ENABLE_ONEDNN_OPTS": "0"})
        return replace(outcome, remark=f"{error.message}; it was run again without oneDNN (TF_ENABLE_ONEDNN_OPTS=0)")


def _run(path: str, options: Options, progress: Progress, environment: Mapping[str, str]) -> Outcome:
    deadline = time.monotonic() + min(options.timeout, threading.TIMEOUT_MAX)
    stage = "start"
    with tempfile.TemporaryFile() as log, _child(path, options, log, environment) as child:
        lines = _lines(child)
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise CrashedError(
                    f"{path}: gave no answer in {options.timeout:g} s while {_STAGES[stage]}",
                    "give it longer with --timeout SECONDS",
                ) from None
            if line is None:
                death = _death(child)
                faulted = stage == "step" and -(child.returncode or 0) in _FAULTS
                kind = StepCrashedError if faulted else CrashedError
                raise kind(f"{path}: {death} while {_STAGES[stage]}", _last_words(log, options))
            try:
                if "stage" not in line:
                    analysis = decode(Analysis, line)
                    return Outcome(analysis.report, decode(Tool, line["tool"]), route=analysis.route)
                label, stage = _STAGES[line["stage"]], line["stage"]
            except (KeyError, TypeError, ValueError) as error:
                raise CrashedError(
                    f"{path}: the process that runs the model sent what cannot be read while {_STAGES[stage]}",
                    "this is a fault of gradflow or of the model: please report it",
                ) from error
            progress(label)


@contextlib.contextmanager
def _child(path: str, options: Options, log: IO[bytes], environment: Mapping[str, str]) -> Any:
    search = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]
    package = str(Path(__file__).resolve().parents[2])
    # -I: neither the working directory nor PYTHON* variables choose what is imported beside the model.
    command = [sys.executable, "-I", "-c", _BOOT, json.dumps([*search, package])]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        stderr=None if options.verbose else log,
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(json.dumps({"path": path, "options": encode(options)}) + "\n")
                child.stdin.close()
        yield child
    finally:
        _kill(child)


def _kill(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _lines(child: subprocess.Popen[str]) -> queue.Queue[Any]:
    """What the child sends, line by line; None at its end. A thread reads, so that a deadline can be kept."""
    lines: queue.Queue[Any] = queue.Queue()

    def pump() -> None:
        with contextlib.suppress(OSError, ValueError):  # the pipe is closed once the child is killed
            for line in child.stdout or ():
                lines.put(_parsed(line))
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    return lines


def _parsed(line: str) -> Any:
    """The line's JSON; an empty list, which nothing accepts, where it has none."""
    try:
        return json.loads(line)
    except ValueError:
        return []


def _death(child: subprocess.Popen[str]) -> str:
    try:
        code = child.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        return "the process that runs the model stopped talking"
    if code >= 0:
        return f"the process that runs the model ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"the process that runs the model was ended by {signal.Signals(-code).name}"
    return f"the process that runs the model was ended by signal {-code}"


def _last_words(log: IO[bytes], options: Options) -> str:
    if options.verbose:
        return "its messages stand above"
    log.seek(0)
    text = log.read()[-4000:].decode("utf-8", "replace").strip()
    last = text.splitlines()[-1] if text else "it left no message"
    return f"{last[:300]} (-v shows all of its messages)"
