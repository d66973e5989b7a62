"""Kinds and counts in, how many damaged models were taken in which way out; a process that dies is
started again."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.cli.command import ROOT, environment

_PATIENCE = 6.0
"""Seconds for one damaged model, which takes some milliseconds; gradflow itself gives more."""


@dataclass
class Result:
    """What came of the damaged models of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, int, str]] = field(default_factory=list)
    """Outcome, seed and words of what should not be."""


def fuzz(kind: str, first: int, count: int) -> Result:
    """Take ``count`` damaged models of a kind, from the seed ``first`` on.

    A crash or a hang is one of the HDF5 library, which is contained where gradflow runs; it is
    counted.
    """
    result, seed, end = Result(), first, first + count
    while seed < end:
        seed = _until_it_dies(kind, seed, end - seed, result)
    return result


def _until_it_dies(kind: str, first: int, count: int, result: Result) -> int:
    command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(first), str(count)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    ) as process:
        lines: queue.Queue[str] = queue.Queue()

        def pump() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put("")

        threading.Thread(target=pump, daemon=True).start()
        seed, running = first, False
        while True:
            try:
                line = lines.get(timeout=_PATIENCE)
            except queue.Empty:
                process.kill()
                result.counts["hang"] += 1
                return seed + 1
            if not line:
                break
            outcome, seed, words = json.loads(line)
            running = outcome == "start"
            if not running:
                result.counts[outcome] += 1
                if outcome in ("traceback", "unclear"):
                    result.faults.append((outcome, seed, words))
        if running:
            result.counts["crash"] += 1
            return seed + 1
        errors = process.stderr.read() if process.stderr else ""
        if process.wait():
            raise RuntimeError(errors[-2000:])
        return first + count
