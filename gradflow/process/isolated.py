"""Start an isolated interpreter in a session of its own, and end it with all that it has started.

Nothing else of gradflow is imported here: it is used while the command line is not there yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ISOLATED = ("-I",)
"""Flags of Python: neither the working directory nor PYTHON* variables choose what is imported
beside the model."""
READS_ONLY = ("-I", "-S")
"""What only reads a file does without what the user's packages do at the start of Python."""
_NEEDED = re.compile(
    r"PATH|HOME|PWD|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TE?MP|TMPDIR|LD_LIBRARY_PATH|LD_PRELOAD"
    r"|DYLD_\w+|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|PROCESSOR_\w+"
    r"|NUMBER_OF_PROCESSORS|SSL_CERT_\w+"
    r"|(?:TF|TF2|KERAS|XLA|ABSL|CUDA|CUDNN|CUBLAS|NCCL|NVIDIA|ROCM|HIP|HSA|MIOPEN|OMP|GOMP|KMP|MKL"
    r"|OPENBLAS|BLIS|ONEDNN|DNNL|HDF5|H5PY|NPY|MALLOC|GLIBC|PROTOCOL_BUFFERS)_\w+",
    re.IGNORECASE,
)
"""Names of environment variables that Python, TensorFlow and the libraries below it read."""
_SECRET = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE|(?:API|ACCESS)_?KEY", re.IGNORECASE)
"""Some programs give their secrets names like those: TF_TOKEN_... is Terraform's."""
_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "-1"),
    "HDF5_PLUGIN_PRELOAD": "::",  # no filter is loaded from a library beside the file
    "HDF5_USE_FILE_LOCKING": "FALSE",  # a file that is only read, by a process that may lock none
    "MALLOC_ARENA_MAX": "2",  # address space counts, and each arena reserves 64 MB of it
}


_SEARCH = "import gc, sys, json; gc.disable(); sys.path[:] = json.loads(sys.argv[1])\n"
"""An isolated interpreter is told where to import from; what it imports first is no garbage."""


@contextmanager
def started(
    boot: str,
    log: IO[bytes],
    environment: Mapping[str, str],
    flags: Sequence[str],
    stdin: int = subprocess.PIPE,
    *,
    is_own: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run ``boot`` in an isolated interpreter, in a session of its own; at the end all of that
    session is gone. Code of the user's own (``is_own``) finds the whole environment."""
    passed_on = os.environ if is_own else needed_of(os.environ)
    search = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]
    package = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, *flags, "-c", _SEARCH + boot, json.dumps([*search, package])],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**passed_on, **_ENVIRONMENT, **environment},
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield process
    finally:
        end_group(process.pid)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def needed_of(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that a model's process has a use for: it could write any
    other into its report."""
    return {
        name: value
        for name, value in variables.items()
        if _NEEDED.fullmatch(name) and not _SECRET.search(name)
    }


def end_group(process: int) -> None:
    """Kill a process and all that it has started, where they are still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process, signal.SIGKILL)
        else:
            os.kill(process, signal.SIGTERM)
