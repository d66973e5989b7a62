"""Files of many gigabytes: read statically, each costs what its graph or its headers cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from gradflow.errors import UnreadableError
from gradflow.files.keras.opened import _Window
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.reader import read_saved_model
from tests.files.test_keras_files import dense_config, model_config, weights_bytes, write_keras

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="a child's peak memory is asked the POSIX way"
)

SAMPLES = Path(__file__).parents[2] / "sample_models"
ROWS = 12_500_000_000
"""Numbers of four bytes in the kernel: 50 GB, of which the file system keeps one block."""
CONFIG = model_config(dense_config("d"))


def huge_h5(folder: Path) -> Path:
    path = folder / "huge.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"d"]
        group = weights.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        _kernel(group, "d/kernel:0")
        group.create_dataset("d/bias:0", shape=(2,), dtype="f4")
    return path


def huge_keras(folder: Path) -> Path:
    """An archive whose weights are stored as they are, as Keras does it."""
    path = folder / "huge.keras"
    info = zipfile.ZipInfo("model.weights.h5")
    info.CRC = info.file_size = info.compress_size = 0
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(CONFIG))
        assert archive.fp is not None
        info.header_offset = archive.start_dir
        archive.fp.seek(info.header_offset)
        archive.fp.write(info.FileHeader(zip64=True))
        start = archive.fp.tell()
        archive.fp.flush()
        with path.open("r+b") as raw, h5py.File(_Writable(raw, start, 0), "w") as file:
            _kernel(file, "layers/dense/vars/0")
            file.create_dataset("layers/dense/vars/1", shape=(2,), dtype="f4")
        info.file_size = info.compress_size = path.stat().st_size - start
        archive.start_dir = start + info.file_size
        archive.fp.seek(archive.start_dir)
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
    return path


def huge_saved_model(folder: Path) -> Path:
    path = folder / "huge"
    shutil.copytree(SAMPLES / "argmax_saved_model", path)
    with (path / "variables" / "variables.data-00000-of-00001").open("r+b") as file:
        file.truncate(4 * ROWS)
    return path


class _Writable(_Window):
    """The stretch that is being written."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._file.seek(self._start + self._at)
        written = self._file.write(view)
        self._at += written
        self._size = max(self._size, self._at)
        return written

    def truncate(self, size: int | None = None) -> int:
        self._size = self._at if size is None else size
        self._file.truncate(self._start + self._size)
        return self._size


def _kernel(group: h5py.Group, name: str) -> None:
    group.create_dataset(name, shape=(ROWS // 2, 2), dtype="f4")[-1, -1] = 1.0


# A process begins with the peak of the one that started it: a small one has to start it.
_MEASURED = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def cost(path: Path) -> tuple[float, float]:
    """Processor seconds and peak MiB of ``gradflow inspect --static``, which must succeed."""
    command = [sys.executable, "-m", "gradflow", "inspect", "-q", "--static", str(path)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURED, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    seconds, peak = map(float, done.stdout.split())
    # NOTE: Linux counts kibibytes, macOS bytes.
    return seconds, peak / (1024 if sys.platform != "darwin" else 1024**2)


@pytest.fixture(scope="module")
def small() -> float:
    """Peak MiB for a small file."""
    return cost(SAMPLES / "argmax.keras")[1]


@pytest.mark.parametrize("make", [huge_h5, huge_keras, huge_saved_model])
def test_fifty_gigabytes_cost_what_the_headers_cost(
    tmp_path: Path, make: Callable[[Path], Path], small: float
) -> None:
    try:
        path = make(tmp_path)
    except OSError as error:
        pytest.skip(f"this file system makes no file of 50 GB with holes: {error}")
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) >= 4 * ROWS
    seconds, peak = cost(path)
    assert seconds < 2.0
    assert peak < small + 10


def test_compressed_weights_are_not_unpacked_into_memory(tmp_path: Path, small: float) -> None:
    shapes = {"layers/dense/vars/0": (6_000_000, 2), "layers/dense/vars/1": (2,)}
    path = write_keras(
        tmp_path / "m.keras", CONFIG, weights_bytes(shapes), compression=zipfile.ZIP_DEFLATED
    )
    _, peak = cost(path)
    assert peak < small + 10


def test_a_graph_beyond_the_limit_of_protobuf_is_said(tmp_path: Path) -> None:
    with (tmp_path / "saved_model.pb").open("wb") as file:
        file.write(b"\x08\x01")
        file.truncate(1 << 31)
    with pytest.raises(
        UnreadableError, match=r"saved_model.pb: has 2.1 GB, and a protobuf can hold 2.1"
    ) as caught:
        read_saved_model(recognise(tmp_path))
    assert "constants" in caught.value.hint
