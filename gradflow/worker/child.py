"""Runs in the child process: a request on stdin, stages and one answer as JSON lines on a private pipe."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from gradflow.errors import GradflowError
from gradflow.files.recognise import recognise
from gradflow.findings import Mode, Tool
from gradflow.findings.wire import decode, encode
from gradflow.options import Options
from gradflow.version import VERSION
from gradflow.worker.gate import admit, with_trusted
from gradflow.worker.outcome import Analysis, failed


def main() -> None:
    """Answer one request and leave; never returns."""
    # The pipe is our stdout, taken away before anything else runs: a model can print.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    answer(request["path"], decode(Options, request["options"]), pipe)
    pipe.flush()
    # NOTE: after a C++ bad_alloc, and with some models' threads, the interpreter hangs at exit.
    os._exit(0)


def answer(path: str, options: Options, pipe: TextIO) -> None:
    """Analyse ``path`` and write the stages, the report and the route that was asked for."""

    def send(**line: object) -> None:
        pipe.write(json.dumps(line) + "\n")
        pipe.flush()

    plain = Tool("gradflow", VERSION, None, None)
    send(stage="scan")
    try:
        threats = admit(recognise(path), path, options)
    except GradflowError as error:
        send(**encode(Analysis(failed(path, error, Mode.TAPE))), tool=encode(plain))
        return
    send(stage="import")
    # Imported here: the stage has to be told first, since this takes seconds.
    from gradflow.tape.runtime import tool
    from gradflow.worker.analyse import analyse_file

    try:
        analysis = with_trusted(analyse_file(path, options, lambda stage: send(stage=stage)), threats)
    except GradflowError as error:
        analysis = Analysis(failed(path, error, Mode.TAPE))
    send(**encode(analysis), tool=encode(tool()))


if __name__ == "__main__":
    main()
