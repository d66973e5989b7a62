"""What an audit gains over one inspect after another: ``python -m tests.benchmarks.audit``.

Ratios in one run, about 3 minutes: 20 small models with 20 inspects, with one job, with two, and
from the cache. ``tests.benchmarks.at_size`` has a thousand models, some of which die.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.at_size import write_models
from tests.cli.command import ROOT, environment

_SMALL = 20


def run(folder: Path, *arguments: str) -> tuple[float, int]:
    """Seconds and exit code of a command of gradflow."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "gradflow", *arguments]
    given = environment(GRADFLOW_CACHE_DIR=str(folder / "cache"))
    done = subprocess.run(
        command,
        cwd=folder,
        env=given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.monotonic() - begun, done.returncode


def small(folder: Path) -> None:
    """The ratios that the README states."""
    names = write_models(folder, _SMALL)
    (folder / "a.yaml").write_text(
        "version: 1\nmodels:\n" + "".join(f"  - path: {name}\n" for name in names)
    )
    alone = sum(run(folder, "inspect", "-q", name)[0] for name in names)
    one, _ = run(folder, "audit", "-q", "--jobs", "1", "--no-cache", "a.yaml")
    two, _ = run(folder, "audit", "-q", "--jobs", "2", "a.yaml")
    again, _ = run(folder, "audit", "-q", "--jobs", "2", "a.yaml")
    print(
        f"{_SMALL} inspects {alone:.1f} s, 1 job {one:.1f} s, 2 jobs {two:.1f} s, from the cache "
        f"{again:.2f} s"
    )
    print(f"inspects / 2 jobs {alone / two:.2f} (at least 5)")
    print(f"1 job / 2 jobs {one / two:.2f} (at least 1.7)")
    print(f"cache / 2 jobs {again / two:.3f} (at most 0.05)")


def main() -> None:
    """Measure and print."""
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        small(Path(folder))


if __name__ == "__main__":
    main()
