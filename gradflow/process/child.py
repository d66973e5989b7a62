"""Answer a request in the child process: it comes on stdin, and stages and one answer go as JSON
lines to a private pipe."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from gradflow.analysis.result import NO_TENSORFLOW, Analysis, failed, unlisted
from gradflow.errors import CrashedError, GradflowError, is_lack_of_memory
from gradflow.files.model_file import ModelFile
from gradflow.files.native import HeldBackError, hold_back
from gradflow.files.recognise import recognise
from gradflow.findings import EntryList, Finding, Listing, Mode, Status, Tool
from gradflow.findings.wire import encode
from gradflow.lazy_dataclass import dataclass
from gradflow.process.held_file import held, held_by
from gradflow.process.lasting_imports import lasting_imports
from gradflow.process.request import OF_ONE_FILE, Purpose, Request, from_line, out_of_memory
from gradflow.process.sandbox.confine import as_nobody, confine, end_with_parent
from gradflow.process.sandbox.limits import impose
from gradflow.progress import Progress


def main(imports: str | None = None) -> None:
    """Answer one request and leave; never returns.

    ``imports`` is the module to import while nothing is asked yet, and to ``prepare``.
    """
    # The pipe is our stdout, taken away before anything else runs: a model can print.
    pipe = os.dup(1)
    os.dup2(2, 1)
    if imports is not None:
        getattr(import_module(imports), "prepare", _nothing)()
    line = sys.stdin.readline()
    if not line:  # nothing was asked after all
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve(line, pipe)


def _nothing() -> None:
    """Prepare nothing."""


def serve(
    line: str,
    pipe: int,
    modules: Sequence[str] | None = None,
    turns: Iterable[tuple[str, int]] = (),
) -> None:
    """Answer the request ``line`` on the file descriptor ``pipe``, confined, and leave; never
    returns.

    Args:
        line: the request; with a turn it only says what to prepare, and comes again in ``turns``.
        pipe: where the answer goes.
        modules: folders of modules that whoever this process becomes has to be able to read; by
            default those of ``sys.path``.
        turns: requests that are answered one after the other, each with the handle of its file.
    """
    request, scratch, turn = from_line(line)
    # What is read of a file stays until the end: each round of the collector looks at all of it.
    gc.disable()
    if not turn and request.purpose in OF_ONE_FILE:
        request = held(request, Path(scratch))
    needed = [] if turn else _read_by(request)
    _settle(Path(scratch), request, needed, sys.path if modules is None else modules)
    with os.fdopen(pipe, "w", encoding="utf-8") as stream:
        if turn:
            _take(turns, stream)
        else:
            answer(request, stream)
    # NOTE: after a C++ bad_alloc, and with some models' threads, the interpreter hangs at exit.
    os._exit(0)


def _take(turns: Iterable[tuple[str, int]], stream: TextIO) -> None:
    """Answer one request after the other; nothing of a file stays for the next."""
    hold_back()
    for number, (line, handle) in enumerate(turns):
        request, _, turn = from_line(line)
        impose(request.limits)  # the lowest of all so far
        folder = Path.cwd() / str(number)
        folder.mkdir()
        answer(held_by(handle, request, folder), stream, turn)
        os.close(handle)
        gc.collect()


def _settle(scratch: Path, request: Request, needed: Sequence[str], modules: Sequence[str]) -> None:
    """Make a folder in ``scratch`` the one place that this process, from here on, can write to;
    code of the user's own runs as the user would run it.

    ``needed`` is what it still has to read, besides ``modules``.
    """
    if request.purpose is Purpose.FUNCTION:
        end_with_parent()
        os.environ["KERAS_BACKEND"] = "tensorflow"
        if request.options.memory_limit is not None:
            impose(request.limits)
        return
    folder = scratch / "work"
    folder.mkdir()
    os.chdir(folder)
    for name in (
        "HOME",
        "TMPDIR",
        "TEMP",
        "TMP",
        "KERAS_HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    ):
        os.environ[name] = str(folder)
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = None
    os.environ["KERAS_BACKEND"] = "tensorflow"
    modules = [*modules, *[request.folder] * bool(request.options.imports)]
    remark = as_nobody(scratch, folder, needed, modules)
    end_with_parent()
    impose(request.limits)
    missing = confine(folder)
    if missing:
        remark = (
            f"this system has no {' and no '.join(missing)}: the model runs without this protection"
        )
    if remark:
        sys.stderr.write(f"gradflow: {remark}\n")


def _read_by(request: Request) -> list[str]:
    """Return the files and folders that the request is about."""
    return [request.path, *request.options.files]


def answer(request: Request, pipe: TextIO, turn: str = "") -> None:
    """Do what is asked and write the stages and the answer, which names files as the user does.

    In a ``turn``, whatever is not a whole report is left to a process that reads the file alone:
    what went wrong can have been another file's.
    """
    tell = _Teller(request, pipe, turn)
    result: _Answer | None
    try:
        result, tool = _ANSWERS[request.purpose](request, tell)
    except GradflowError as error:
        result, tool = _refused(request, error), NO_TENSORFLOW
    except MemoryError:
        result, tool = _refused(request, CrashedError(*out_of_memory(request))), NO_TENSORFLOW
    except HeldBackError:
        result, tool = None, NO_TENSORFLOW
    if turn and not _is_whole(result):
        tell.send(alone=True)
        return
    tell.send(answer=encode(result), tool=encode(tool))


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells the parent, line by line."""

    request: Request
    pipe: TextIO
    turn: str

    def __call__(self, stage: str) -> None:
        self.send(stage=stage)

    def let_in(self, notes: Sequence[Finding]) -> None:
        """Tell what the user lets in, before it can run: what is told later it can have
        changed."""
        if notes:
            self.send(let_in=encode(notes))

    def send(self, **line: object) -> None:
        if self.turn:
            line["turn"] = self.turn
        self.pipe.write(json.dumps(as_written(line, self.request.names)) + "\n")
        self.pipe.flush()


def as_written(value: Any, names: Sequence[tuple[str, str]]) -> Any:
    """Return a JSON value with each path as the user wrote it: ``names`` has both.

    A path counts where it begins: ``/mnt`` is also a part of the weight ``encoder/mnt/kernel``.
    """
    if isinstance(value, dict):
        return {key: as_written(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item, names) for item in value]
    if isinstance(value, str):
        for path, shown in names:
            if path == value:  # as most are, and to make a pattern takes a while
                value = shown
            elif path in value:
                alone = rf"(?<![\w/.-]){re.escape(path)}(?![\w-])"
                value = re.sub(alone, shown.replace("\\", r"\\"), value)
    return value


def _is_whole(result: _Answer | None) -> bool:
    return isinstance(result, Analysis) and result.report.status is Status.ANALYZED


def _refused(request: Request, error: GradflowError) -> Analysis | EntryList:
    if request.purpose is Purpose.ENTRIES:
        return unlisted(request.path, error)
    static = request.purpose not in (Purpose.TAPE, Purpose.FUNCTION)
    return Analysis(failed(request.path, error, Mode.STATIC if static else Mode.TAPE))


def _tape(request: Request, tell: _Teller) -> tuple[Analysis, Tool]:
    tell("scan")
    with recognise(request.path) as file:
        return _scan_and_step(request, file, tell)


def _scan_and_step(request: Request, file: ModelFile, tell: _Teller) -> tuple[Analysis, Tool]:
    from gradflow.analysis.safety import RefusedError, admit, let_in

    try:
        threats = admit(file, request.path, request.options)
    except RefusedError as error:
        return Analysis(error.report(request.path)), NO_TENSORFLOW
    tell.let_in(let_in(threats))
    tell("import")
    # Imported here: the stage has to be told first, since this takes seconds.
    with lasting_imports():
        from gradflow.analysis.dynamic import analyse_file, known_to_tensorflow
        from gradflow.tape.versions import tool

    # An op that is new in this TensorFlow is one that nobody has looked at.
    new = known_to_tensorflow(threats) if not request.options.trust else []
    if new:
        return Analysis(
            RefusedError(request.path, file.format, new).report(request.path)
        ), NO_TENSORFLOW
    try:
        analysis = analyse_file(file, request.path, request.options, request.folder, tell)
    except GradflowError as error:
        if is_lack_of_memory(error):
            raise MemoryError from error
        analysis = Analysis(failed(request.path, error, Mode.TAPE))
    return analysis, tool()


def _function(request: Request, tell: _Teller) -> tuple[Analysis, Tool]:
    tell("import")
    with lasting_imports():
        from gradflow.analysis.own_function import analyse_function

    tool, analysis = analyse_function(request.path, request.options, request.folder, tell)
    return analysis, tool


def _static(request: Request, progress: Progress) -> tuple[Analysis, Tool]:
    from gradflow.analysis.static import read

    progress("read")
    return read(request.path, request.options), NO_TENSORFLOW


def _scan(request: Request, progress: Progress) -> tuple[Analysis, Tool]:
    from gradflow.analysis.safety import scanned

    progress("scan")
    with recognise(request.path) as file:
        return scanned(file, request.path, request.options), NO_TENSORFLOW


def _entries(request: Request, progress: Progress) -> tuple[EntryList, Tool]:
    from gradflow.analysis.entries import list_entries

    progress("read")
    return list_entries(request.path, request.options), NO_TENSORFLOW


def _models(request: Request, progress: Progress) -> tuple[Listing, Tool]:
    from gradflow.files.below import models_below

    progress("read")
    return models_below(Path(request.path), look_inside=True), NO_TENSORFLOW


_Answer = Analysis | EntryList | Listing
_ANSWERS: dict[Purpose, Callable[[Request, _Teller], tuple[_Answer, Tool]]] = {
    Purpose.TAPE: _tape,
    Purpose.FUNCTION: _function,
    Purpose.STATIC: _static,
    Purpose.SCAN: _scan,
    Purpose.ENTRIES: _entries,
    Purpose.MODELS: _models,
}

if __name__ == "__main__":
    main()
