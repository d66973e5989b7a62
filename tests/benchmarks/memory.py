"""Peak memory on a gigabyte of weights, as a ratio against a bare script: ``python -m
tests.benchmarks.memory``.

An embedding and a dense layer of half a gigabyte each, as ``.keras``, ``.h5`` and SavedModel. Exit
code 1 if the target is missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.speed import GRADFLOW, Result, environment, run

BARE = str(Path(__file__).with_name("bare_large.py"))
TARGET = 1.3
_MAKE = """
import sys, keras
from keras import layers
kind, path, scale = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = keras.Input((16,), dtype="int32", name="ids")
words = layers.GlobalAveragePooling1D()(layers.Embedding(12_000 * scale, 1_000)(x))
model = keras.Model(x, layers.Dense(1_000 * scale, use_bias=False)(layers.Dense(12_000)(words)))
model.export(path, verbose=False) if kind == "saved_model" else model.save(path)
"""
_NAMES = {"keras": "large.keras", "h5": "large.h5", "saved_model": "large"}


def ratios(folder: Path, scale: int = 10) -> list[Result]:
    """The three kinds of file; ``scale`` 10 is a gigabyte."""
    return [_ratio(kind, str(folder / name), scale) for kind, name in _NAMES.items()]


def make(kind: str, path: Path, scale: int) -> None:
    """Write a model of ``scale`` times 100 MB of weights."""
    command = [sys.executable, "-c", _MAKE, kind, str(path), str(scale)]
    subprocess.run(
        command, check=True, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _ratio(kind: str, path: str, scale: int) -> Result:
    make(kind, Path(path), scale)
    ours, bare = run([*GRADFLOW, "inspect", path]), run([sys.executable, BARE, path])
    note = f"{ours.peak_mib:.0f} MiB against {bare.peak_mib:.0f} MiB"
    return Result(f"peak memory of inspect, {kind}", ours.peak_mib / bare.peak_mib, TARGET, note)


def main() -> int:
    """Measure all, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        results = ratios(Path(folder))
    for result in results:
        print(result.line())
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
