"""What gradflow does at size: ``python -m tests.benchmarks.at_size [PART...]``.

``nodes``, ``gigabytes``, ``cluster`` and ``models``; the last takes half an hour. All numbers are
ratios of what is measured in turns, in one run: of processor time, of peak memory, and for the
cluster of time, which tells something on a machine with nothing else to do alone. Exit code 1 if a
target is missed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.large_graph import SHAPES
from tests.benchmarks.memory import BARE, make
from tests.benchmarks.parts import children
from tests.benchmarks.speed import GRADFLOW, ROOT, Cost, Result, environment
from tests.files.test_large_files import _MEASURED

SAMPLES = ROOT / "sample_models"
_MODELS = 1_000
_SHIPPED = 40
"""Models of the cluster's audit."""
_SCALE = 42
"""Of ``memory.make``: four gigabytes."""


def nodes(folder: Path) -> Iterator[Result]:
    """Processor time and memory for each node of a million, against those of ten thousand.

    What a graph of ten nodes costs, the start of the processes, is taken off both.
    """
    for shape in SHAPES:
        costs = []
        for size in (10, 10_000, 1_000_000):
            path = folder / f"{shape}{size}"
            command = [sys.executable, "-m", "tests.benchmarks.large_graph"]
            subprocess.run(
                [*command, str(path), shape, str(size)],
                check=True,
                cwd=ROOT,
                env=environment(),
                stderr=subprocess.DEVNULL,
            )
            flags = [
                "--static",
                "--no-cache",
                "--timeout",
                "7200",
                "-q",
                "-o",
                str(folder / "report.txt"),
                "--force",
            ]
            runs = 1 if size == 1_000_000 else 5
            costs.append([measured([*GRADFLOW, "inspect", *flags, str(path)]) for _ in range(runs)])
            shutil.rmtree(path)
        for what, unit in (("processor", "us"), ("peak_mib", "B")):
            start, few, many = (
                statistics.median(getattr(cost, what) for cost in side) for side in costs
            )
            scale = 1e6 if unit == "us" else 1 << 20
            each = (few - start) * scale / 10_000, (many - start) * scale / 1_000_000
            note = f"{each[1]:.0f} {unit} a node against {each[0]:.0f} {unit}; {many:.0f} in all"
            yield Result(
                f"inspect --static of 1,000,000 nodes ({shape}), {what}",
                each[1] / each[0],
                1.3,
                note,
            )


def gigabytes(folder: Path) -> Iterator[Result]:
    """Peak memory of a step on four gigabytes of weights, against that of a bare script."""
    for kind, name in (("keras", "large.keras"), ("saved_model", "large")):
        path = folder / name
        make(kind, path, _SCALE)
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        ours = measured([*GRADFLOW, "inspect", "--no-cache", str(path)])
        bare = measured([sys.executable, BARE, str(path)])
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        note = f"{ours.peak_mib:.0f} MiB against {bare.peak_mib:.0f} MiB; {size / 1e9:.1f} GB"
        yield Result(
            f"peak memory of inspect, 4 GB, {kind}", ours.peak_mib / bare.peak_mib, 1.15, note
        )


def cluster(folder: Path) -> Iterator[Result]:
    """Time of an audit on a cluster of two workers, against that of two jobs."""
    write_models(folder, _SHIPPED)
    from distributed import LocalCluster

    audit = [*GRADFLOW, "audit", "-q", "--exit-zero", "--no-cache", str(folder)]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as local:
        ways = [*audit, "--scheduler", local.scheduler_address], [*audit, "--jobs", "2"]
        measured(ways[0])  # the first imports TensorFlow in the workers, which stay
        pairs = [tuple(measured(way).seconds for way in ways) for _ in range(3)]
    ratio = statistics.median(there / here for there, here in pairs)
    there, here = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    note = f"{there:.1f} s against {here:.1f} s, {_SHIPPED} models"
    yield Result("audit on a cluster of two workers, against --jobs 2", ratio, 1.15, note)


def models(folder: Path) -> Iterator[Result]:
    """So many models, of which 1 % crash and 1 % hang: reports, memory, a run that is stopped."""
    bad = _MODELS // 100
    (folder / "dies.py").write_text("import os; os.abort()")
    (folder / "hangs.py").write_text("import time; time.sleep(600)")
    entries = [f"{{path: {name}}}" for name in write_models(folder, _MODELS - 2 * bad)]
    for number in range(bad):
        entries.insert(number * 7, f"{{path: m0.keras, name: dies{number}, imports: [dies]}}")
        hanging = f"{{path: m0.keras, name: hangs{number}, imports: [hangs], timeout: 20}}"
        entries.insert(number * 11 + 3, hanging)
    (folder / "a.yaml").write_text(
        "version: 1\nmodels:\n" + "".join(f"  - {entry}\n" for entry in entries)
    )
    begun = time.monotonic()
    whole, sizes = audited(folder, "whole.json", "--no-cache")
    seconds = time.monotonic() - begun
    reports = json.loads((folder / "whole.json").read_text())["models"]
    good = sum(model["status"] == "analyzed" for model in reports)
    note = (
        f"{good} reports, {len(reports) - good} short answers, exit code {whole}, {seconds:.0f} s"
    )
    is_right = (good, len(reports), whole) == (_MODELS - 2 * bad, _MODELS, 2)
    yield Result(f"{_MODELS:,} models: each has its answer", float(not is_right), 0.0, note)
    tenth = max(1, len(sizes) // 10)
    early, late = max(sizes[tenth : 3 * tenth]), max(sizes[-3 * tenth :])
    note = f"{late} MiB late against {early} MiB early"
    yield Result("  memory of gradflow and its server", late / early, 1.1, note)
    stopped, _ = audited(folder, "part.json", stop_after=seconds / 2)
    part = len(json.loads((folder / "part.json").read_text())["models"])
    audited(folder, "resumed.json")
    is_same = (folder / "resumed.json").read_bytes() == (folder / "whole.json").read_bytes()
    note = f"stopped with exit code {stopped} after {part} models, and gone on"
    if not is_same:
        again = json.loads((folder / "resumed.json").read_text())["models"]
        pairs = zip(reports, again, strict=True)
        note += f"; first that differs: {next((each for each in pairs if each[0] != each[1]), '')}"
    yield Result("  the identical report after an interruption", float(not is_same), 0.0, note)


def audited(
    folder: Path, report: str, *options: str, stop_after: float | None = None
) -> tuple[int, list[int]]:
    """Run the audit of ``folder``; return its exit code and the MiB of it and its servers, taken
    once a second."""
    command = [*GRADFLOW, "audit", "-q", "--format", "json", "-o", report, *options, "a.yaml"]
    variables = {**environment(), "GRADFLOW_CACHE_DIR": str(folder / "cache")}
    with subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.DEVNULL) as running:
        if stop_after is not None:
            threading.Timer(stop_after, running.send_signal, [signal.SIGINT]).start()
        sizes = []
        while running.poll() is None:
            sizes.append(sum(map(resident, [running.pid, *children(running.pid)])))
            time.sleep(1)
    return running.returncode, sizes


def write_models(folder: Path, count: int) -> list[str]:
    """Write small models, each a file of its own, and return their names."""
    names = []
    samples = sorted([*SAMPLES.glob("*.keras"), *SAMPLES.glob("*_saved_model")])
    for number in range(count):
        sample = samples[number % len(samples)]
        target = folder / f"m{number}{sample.suffix}"
        shutil.copytree(sample, target) if sample.is_dir() else shutil.copy(sample, target)
        names.append(target.name)
    return names


def measured(command: Sequence[str]) -> Cost:
    """Run ``command``, from a small process: one begins with the peak memory of its parent."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURED, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
    processor, peak = map(float, done.stdout.split())
    return Cost(time.perf_counter() - began, processor, peak / 1024)


def resident(process: int) -> int:
    """MiB that a process has in memory."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


PARTS = {"nodes": nodes, "gigabytes": gigabytes, "cluster": cluster, "models": models}


def main(names: Sequence[str]) -> int:
    """Measure, and print a row of the table as soon as it is known."""
    os.environ["PYTHONPATH"] = str(ROOT)
    results = []
    for name in names or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            for result in PARTS[name](Path(folder)):
                results.append(result)
                print(result.line(), flush=True)
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
