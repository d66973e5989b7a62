"""Damaged models in, one line for each out: what gradflow says of it, or the traceback that should
not be.

Usage: ``python -m tests.fuzz.worker KIND FIRST COUNT``; reads statically and scans, without
TensorFlow.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from gradflow.analysis.entries import list_entries
from gradflow.analysis.static import read
from gradflow.errors import GradflowError
from gradflow.files.recognise import recognise
from gradflow.options import Options
from gradflow.process.sandbox.limits import Limits, impose
from gradflow.scan import scan
from tests.fuzz.mutations import mutated


def say(path: Path) -> tuple[str, str]:
    """How the damaged model is taken, and in which words."""
    try:
        threats = scan(recognise(path)).threats
        read(str(path), Options())
        list_entries(str(path), Options())
    except GradflowError as error:
        line = f"{error.message}; {error.hint}"
        return (
            "refused" if line.isprintable() and error.message and error.hint else "unclear"
        ), line
    except Exception:
        return "traceback", traceback.format_exc()
    return ("unsafe" if threats else "read"), ""


def main() -> None:
    """Take the damaged models of the seeds."""
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    impose(Limits(4 << 30, 600, 1 << 30))
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            path = mutated(kind, seed, Path(folder))
            print(json.dumps(["start", seed, ""]), flush=True)
            outcome, words = say(path)
            print(json.dumps([outcome, seed, words]), flush=True)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
