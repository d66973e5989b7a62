"""What an audit gains over one inspect after another, and whether it holds out over many models
that die.

Usage: ``python -m tests.benchmarks.audit`` (about 3 minutes), and ``python -m
tests.benchmarks.audit --many 1000``.

Ratios in one run. The first: 20 small models with 20 inspects, with one job, with two, and from the
cache. The second:
so many models, of which 1 % crash and 1 % hang; their reports, how memory grows, and a run that is
stopped half-way and goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.cli.command import ROOT, SAMPLES, environment

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


def models(folder: Path, count: int) -> list[str]:
    """Small models, each with bytes of its own."""
    found = []
    samples = sorted([*SAMPLES.glob("*.keras"), *SAMPLES.glob("*_saved_model")])
    for number in range(count):
        sample = samples[number % len(samples)]
        target = folder / f"m{number}{sample.suffix}"
        shutil.copytree(sample, target) if sample.is_dir() else shutil.copy(sample, target)
        found.append(target.name)
    return found


def small(folder: Path) -> None:
    """The ratios that the README states."""
    names = models(folder, _SMALL)
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


def many(folder: Path, count: int) -> None:
    """So many models, some of which die."""
    bad = max(1, count // 100)
    (folder / "dies.py").write_text("import os; os.abort()")
    (folder / "hangs.py").write_text("import time; time.sleep(600)")
    entries = [f"{{path: {name}}}" for name in models(folder, count - 2 * bad)]
    for number in range(bad):
        entries.insert(number * 7, f"{{path: m0.keras, name: dies{number}, imports: [dies]}}")
        entries.insert(
            number * 11 + 3,
            f"{{path: m0.keras, name: hangs{number}, imports: [hangs], timeout: 5}}",
        )
    (folder / "a.yaml").write_text(
        "version: 1\nmodels:\n" + "".join(f"  - {entry}\n" for entry in entries)
    )
    command = [sys.executable, "-m", "gradflow", "audit", "-q", "--format", "json", "-o"]
    given = environment(GRADFLOW_CACHE_DIR=str(folder / "cache"))
    begun = time.monotonic()
    with subprocess.Popen(
        [*command, "whole.json", "--no-cache", "a.yaml"], cwd=folder, env=given
    ) as running:
        sizes = sampled(running)
        code = running.wait()
    seconds = time.monotonic() - begun
    found = json.loads((folder / "whole.json").read_text())["models"]
    good = sum(model["status"] == "analyzed" for model in found)
    tenth = max(1, len(sizes) // 10)
    early, late = max(sizes[tenth : 3 * tenth] or sizes), max(sizes[-3 * tenth :])
    print(
        f"{count} models in {seconds:.0f} s: {good} reports, {len(found) - good} lines, exit {code}"
    )
    print(f"memory of gradflow and its server: {early} MB early, {late} MB late")
    with subprocess.Popen(
        [*command, "part.json", "a.yaml"], cwd=folder, env=given, stderr=subprocess.DEVNULL
    ) as running:
        time.sleep(seconds / 2)
        running.send_signal(signal.SIGINT)
        stopped = running.wait()
    part = len(json.loads((folder / "part.json").read_text())["models"])
    subprocess.run(
        [*command, "resumed.json", "a.yaml"],
        cwd=folder,
        env=given,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    same = (folder / "resumed.json").read_bytes() == (folder / "whole.json").read_bytes()
    print(
        f"stopped with exit {stopped} after {part} models; gone on: "
        f"{'identical' if same else 'ANOTHER report'}"
    )


def sampled(running: subprocess.Popen[bytes]) -> list[int]:
    """Megabytes of the process and its server, taken once a second until it ends."""
    sizes: list[int] = []

    def sample() -> None:
        while running.poll() is None:
            own = [running.pid, *children(running.pid)]
            sizes.append(sum(map(resident, own)))
            time.sleep(1)

    thread = threading.Thread(target=sample)
    thread.start()
    thread.join()
    return sizes


def children(process: int) -> list[int]:
    try:
        return [
            int(one)
            for task in Path(f"/proc/{process}/task").iterdir()
            for one in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def resident(process: int) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit")
    parser.add_argument("--many", type=int, metavar="N", help="models, some of which die")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        many(Path(folder), given.many) if given.many else small(Path(folder))


if __name__ == "__main__":
    main()
