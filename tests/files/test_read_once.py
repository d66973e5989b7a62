"""One analysis recognises a path once, parses a SavedModel's graph once and opens a Keras file
once; what is scanned is what is read."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import pytest

from gradflow.errors import UnreadableError
from gradflow.files import hdf5
from gradflow.files import recognise as recognising
from gradflow.files.keras.reader import read_keras
from gradflow.files.recognise import recognise
from gradflow.files.saved_model import reader
from gradflow.files.saved_model.reader import read_message
from gradflow.findings import Format
from gradflow.options import Options
from gradflow.process.child import answer
from gradflow.process.request import Purpose, request_about
from gradflow.scan import scan
from tests.cli.command import SAMPLES

MODELS = {
    "saved_model": SAMPLES / "argmax_saved_model",
    "keras": SAMPLES / "finetune.keras",
    "h5": SAMPLES / "finetune.h5",
}
ONCE = {
    "saved_model": {"recognise": 1, "parse SavedModel": 1},
    "keras": {"recognise": 1, "ZipFile": 1, "HDF5": 1},
    "h5": {"recognise": 1, "HDF5": 1},
}


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often gradflow recognises, opens and parses; what Keras opens does not count."""
    counted: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if str(sys._getframe(1).f_globals["__name__"]).startswith("gradflow"):
                counted[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counting("ZipFile", zipfile.ZipFile.__init__))
    monkeypatch.setattr(h5py.File, "__init__", counting("HDF5", h5py.File.__init__))
    monkeypatch.setattr(hdf5, "read_plain", counting("HDF5", hdf5.read_plain))
    monkeypatch.setattr(recognising, "glance", counting("recognise", recognising.glance))

    parse = reader.parse

    def parsing(kind: str, data: bytes) -> Any:
        counted[f"parse {kind}"] += 1
        return parse(kind, data)

    monkeypatch.setattr(reader, "parse", parsing)
    return counted


def answered(purpose: Purpose, path: Path) -> dict[str, Any]:
    """What a child process answers, in this process."""
    lines = io.StringIO()
    answer(request_about(purpose, str(path), str(path), Options()), lines)
    return dict(json.loads(lines.getvalue().splitlines()[-1])["answer"])


@pytest.mark.parametrize("purpose", [Purpose.STATIC, Purpose.SCAN, Purpose.ENTRIES])
@pytest.mark.parametrize("format", MODELS)
def test_a_file_is_read_once(format: str, purpose: Purpose, count: Counter[str]) -> None:
    said = answered(purpose, MODELS[format])

    assert said.get("report", said).get("error") is None
    assert count == ONCE[format]


@pytest.mark.tensorflow
@pytest.mark.parametrize("format", MODELS)
def test_a_file_that_is_stepped_is_read_once(format: str, count: Counter[str]) -> None:
    pytest.importorskip("tensorflow")

    report = answered(Purpose.TAPE, MODELS[format])["report"]

    assert report["error"] is None
    assert report["mode"] == "tape"
    assert count == ONCE[format]


@pytest.mark.parametrize("format", MODELS)
def test_what_was_scanned_is_read_whatever_stands_there_now(format: str, tmp_path: Path) -> None:
    path = copied(MODELS[format], tmp_path)
    file = recognise(path)
    scan(file)
    read: Any = read_message if format == "saved_model" else read_keras
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert read(file)


@pytest.mark.parametrize("format", MODELS)
@pytest.mark.parametrize("change", ["replaced", "written to", "removed"])
def test_a_file_that_changes_after_the_scan_is_not_loaded(
    format: str, change: str, tmp_path: Path
) -> None:
    path = copied(MODELS[format], tmp_path)
    file = recognise(path)
    file.refuse_change()
    judged = path / "saved_model.pb" if path.is_dir() else path
    status = judged.stat()
    if change == "removed":
        judged.unlink()
    elif change == "replaced":
        other = tmp_path / "other"
        shutil.copyfile(judged, other)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(judged)
    else:
        data = judged.read_bytes()
        judged.write_bytes(data)
        os.utime(judged, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(UnreadableError, match="has changed while it was read"):
        file.refuse_change()


def test_an_index_that_appears_after_the_scan_is_not_loaded(tmp_path: Path) -> None:
    folder = copied(MODELS["saved_model"], tmp_path)
    index = folder / "variables" / "variables.index"
    data = index.read_bytes()
    index.unlink()
    file = recognise(folder)
    index.write_bytes(data)

    with pytest.raises(UnreadableError, match="has changed while it was read"):
        file.refuse_change()


def test_a_file_is_closed_at_the_end(tmp_path: Path) -> None:
    with recognise(MODELS["keras"]) as file:
        read_keras(file)
        handles = list(file._handles.values())

    assert not file._handles
    assert all(getattr(handle, "closed", True) for handle in handles)
    assert read_keras(file).variables


def test_every_format_is_tried() -> None:
    formats = set(Format) - {Format.MEMORY}

    assert {recognise(path).format for path in MODELS.values()} == formats
    assert MODELS.keys() == ONCE.keys()


def copied(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    shutil.copytree(path, copy) if path.is_dir() else shutil.copyfile(path, copy)
    return copy
