"""A path is recognised by what it holds, and what is no model is named for what it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gradflow.errors import UnreadableError
from gradflow.files.model_file import ModelFile
from gradflow.files.recognise import recognise
from gradflow.findings import Format

SHARED = Path(__file__).parents[3] / "shared" / "models"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
GRAPH = b"\x08\x01\x12\x04\x0a\x02\x0a\x00"  # a SavedModel: schema version 1, one MetaGraphDef


def saved_model(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(GRAPH)
    (folder / "variables" / "variables.index").write_bytes(b"\x00index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"\x00" * 8)
    return folder


def keras_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"x" * 500)
    return path


def keras_h5(path: Path, userblock: int = 0) -> Path:
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file.attrs["model_config"] = "{}"
        file.create_group("model_weights")
    return path


def files_in_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def node(name: bytes, op: bytes) -> bytes:
    body = b"\x0a" + bytes([len(name)]) + name + b"\x12" + bytes([len(op)]) + op
    return b"\x0a" + bytes([len(body)]) + body


def refusal(path: str | Path) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        recognise(path)
    error = caught.value
    assert "\n" not in error.message
    assert error.hint
    return error


# ---------------------------------------------------------------- what is accepted


def test_a_saved_model_folder_is_recognised(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m")
    assert recognise(folder) == ModelFile(folder, Format.SAVED_MODEL)
    assert recognise(str(folder)) == ModelFile(folder, Format.SAVED_MODEL)


def test_the_graph_file_stands_for_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved_model(tmp_path / "m")
    assert recognise(folder / "saved_model.pb") == ModelFile(folder, Format.SAVED_MODEL)
    monkeypatch.chdir(folder)
    assert recognise("saved_model.pb") == ModelFile(Path(), Format.SAVED_MODEL)


def test_a_saved_model_without_variables_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(GRAPH)
    assert recognise(tmp_path).format is Format.SAVED_MODEL


@pytest.mark.parametrize("name", ["m.keras", "m.zip", "m.h5", "m"])
def test_a_keras_archive_is_recognised_by_its_content(tmp_path: Path, name: str) -> None:
    assert recognise(keras_zip(tmp_path / name)).format is Format.KERAS


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m.keras", "m"])
@pytest.mark.parametrize("userblock", [0, 512, 2048])
def test_a_keras_hdf5_file_is_recognised_by_its_content(
    tmp_path: Path, name: str, userblock: int
) -> None:
    assert recognise(keras_h5(tmp_path / name, userblock)).format is Format.H5


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(keras_zip(tmp_path / "m.keras"))
    assert recognise(tmp_path / "link") == ModelFile(tmp_path / "link", Format.KERAS)


# ---------------------------------------------------------------- files that are refused

Make = Callable[[Path], object]


def write(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def truncated(make: Make, keep: float) -> Make:
    def build(path: Path) -> None:
        make(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return build


def keras_3_weights(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros(2)


def keras_2_weights(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file["dense/dense/kernel:0"] = np.zeros(2)


def other_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros(2)


def tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())


def tar_gz(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())


ARCHITECTURE = json.dumps(
    {"class_name": "Sequential", "config": {"name": "s", "layers": []}}
).encode()
TFJS = json.dumps({"format": "layers-model", "modelTopology": {}, "weightsManifest": []}).encode()
ONNX = b"\x08\x07\x12\x07pytorch\x1a\x031.9" + b"\x3a\x04\x0a\x02\x0a\x00"
SAFETENSORS = (50).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'

BAD_FILES: list[tuple[str, Make, str, str]] = [
    # name, content, words of the message, words of the hint
    ("m.keras", write(b""), "is empty (0 bytes)", "again"),
    ("m.weights.h5", keras_3_weights, "weights only, no architecture", "model.save("),
    ("m.h5", keras_2_weights, "weights only, no architecture", "model.save("),
    ("data.h5", other_hdf5, "HDF5 file without a Keras model", "model.save("),
    ("m.h5", truncated(keras_h5, 0.5), "truncated HDF5", "again"),
    ("m.keras", truncated(keras_zip, 0.7), "truncated or damaged .keras", "again"),
    ("m.h5", write(LFS), "Git LFS pointer", "git lfs pull"),
    ("m.tflite", write(b"\x1c\x00\x00\x00TFL3" + b"\x00" * 20), "TensorFlow Lite", "made from"),
    ("m.onnx", write(ONNX), "ONNX", "made from"),
    ("renamed.bin", write(ONNX), "ONNX", "made from"),
    ("m.onnx", write(b"\x00\x01\x02"), "ONNX", "made from"),
    (
        "frozen.pb",
        write(node(b"x", b"Placeholder") * 3),
        "constants and no variables",
        "before freezing",
    ),
    (
        "graph.pb",
        write(node(b"w", b"VariableV2") * 3),
        "without the values of its variables",
        "SavedModel",
    ),
    ("other.pb", write(GRAPH), "SavedModel under another name", "saved_model.pb"),
    (
        "unknown.pb",
        write(b"\xff\xfe\x00\x01"),
        "is no SavedModel",
        "folder that holds saved_model.pb",
    ),
    ("a.npz", lambda path: files_in_zip(path, arr_dot_npy=b"x"), "NumPy .npz", "model.save("),
    (
        "m.pt",
        lambda path: files_in_zip(path, archive__data_dot_pkl=b"x"),
        "PyTorch",
        "Keras and TensorFlow",
    ),
    (
        "m.zip",
        lambda path: files_in_zip(path, m__saved_model_dot_pb=b"x"),
        "zipped SavedModel",
        "unpack",
    ),
    (
        "m.zip",
        lambda path: files_in_zip(path, m_dot_keras=b"x"),
        "zip that holds m.keras",
        "unpack",
    ),
    (
        "m.keras",
        lambda path: files_in_zip(path, m__config_dot_json=b"", m__metadata_dot_json=b""),
        "zip around an unpacked .keras",
        "at the top",
    ),
    (
        "m.zip",
        lambda path: files_in_zip(path, readme_dot_txt=b"x"),
        "no .keras file",
        "model.save(",
    ),
    ("m.zip", lambda path: files_in_zip(path), "empty zip", "model.save("),
    ("m.pkl", write(pickle.dumps([1, 2])), "Python pickle", "never unpickles"),
    ("m.joblib", write(pickle.dumps([1, 2])), "joblib", "never unpickles"),
    ("m.pth", write(pickle.dumps([1, 2], protocol=2)), "PyTorch", "Keras and TensorFlow"),
    ("m.safetensors", write(SAFETENSORS), "safetensors", "Keras and TensorFlow"),
    ("model.json", write(TFJS), "TensorFlow.js", "tensorflowjs_converter"),
    ("model.json", write(ARCHITECTURE), "architecture in JSON", "model.save("),
    (
        "twice.json",
        write(json.dumps(ARCHITECTURE.decode()).encode()),
        "architecture in JSON",
        "model.save(",
    ),
    (
        "model.yaml",
        write(b"backend: tensorflow\nclass_name: Sequential\n"),
        "architecture in YAML",
        "model.save(",
    ),
    ("other.json", write(b'{"a": 1}'), "JSON file", ".keras"),
    ("report.json", write(b'{"tool": {}, "models": []}'), "JSON file", ".keras"),
    ("gradflow.json", write(b'{"models": ["m.keras"]}'), "a configuration", "-c FILE"),
    ("audit.cfg", write(b"# ours\nmodels:\n  - path: m.keras\n"), "a configuration", "-c FILE"),
    ("project", write(b"[project]\n[tool.gradflow]\n"), "a configuration", "-c FILE"),
    ("notes.txt", write("grüße\n".encode() * 900), "text file", ".keras"),
    ("m.keras", write(b"<!DOCTYPE html><html>"), "HTML page", "download failed"),
    ("m.tar", tar, "tar archive", "unpack"),
    ("m.tar.gz", tar_gz, "gzip archive", "unpack"),
    ("a.npy", write(b"\x93NUMPY\x01\x00"), "NumPy array", ".keras"),
    ("m.keras", write(b"\x00\x01\x02\x03" * 9), "is no Keras file", "again"),
    ("m.bin", write(b"\x00\x01\x02\x03" * 9), "does not know", ".keras"),
    ("ckpt-1.index", write(b"\x00\x01"), "TensorFlow checkpoint", "model.export("),
    ("ckpt-1.data-00000-of-00001", write(b"\x00\x01"), "TensorFlow checkpoint", "model.export("),
    (
        "checkpoint",
        write(b'model_checkpoint_path: "ckpt-1"\n'),
        "TensorFlow checkpoint",
        "model.export(",
    ),
]


@pytest.mark.parametrize(
    ("name", "make", "words", "remedy"),
    [pytest.param(*row, id=f"{row[0]}-{row[2]}") for row in BAD_FILES],
)
def test_a_file_that_is_no_model_is_named_for_what_it_is(
    tmp_path: Path, name: str, make: Make, words: str, remedy: str
) -> None:
    path = tmp_path / name
    make(path)
    error = refusal(path)
    assert error.message.startswith(f"{path}: ")
    assert words in error.message
    assert remedy in error.hint


# ---------------------------------------------------------------- folders that are refused


def test_an_empty_graph_is_said(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m")
    (folder / "saved_model.pb").write_bytes(b"")
    for path in (folder, folder / "saved_model.pb"):
        error = refusal(path)
        assert "saved_model.pb is empty (0 bytes)" in error.message
        assert "again" in error.hint


@pytest.mark.parametrize(
    "name",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_lfs_pointers_inside_a_saved_model_are_found(tmp_path: Path, name: str) -> None:
    folder = saved_model(tmp_path / "m")
    (folder / name).write_bytes(LFS)
    error = refusal(folder)
    assert f"{name} is a Git LFS pointer" in error.message
    assert "git lfs pull" in error.hint


def test_the_text_form_of_a_saved_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pbtxt").write_text("saved_model_schema_version: 1")
    error = refusal(tmp_path)
    assert "text form" in error.message
    assert "tf.saved_model.save" in error.hint


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    assert "empty folder" in refusal(tmp_path).message


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert "no saved_model.pb" in refusal(tmp_path).message


@pytest.mark.parametrize("names", [["checkpoint"], ["ckpt-1.index", "ckpt-1.data-00000-of-00001"]])
def test_a_checkpoint_folder_is_said(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    error = refusal(tmp_path)
    assert "TensorFlow checkpoint" in error.message
    assert "model.save(" in error.hint


def test_a_checkpoint_prefix_is_said(tmp_path: Path) -> None:
    (tmp_path / "ckpt-1.index").write_bytes(b"x")
    error = refusal(tmp_path / "ckpt-1")
    assert "prefix of a TensorFlow checkpoint" in error.message
    assert "model.save(" in error.hint


def test_the_newest_version_one_level_below_is_suggested(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        saved_model(tmp_path / "serving" / version)
    error = refusal(tmp_path / "serving")
    assert "2, 9, 10" in error.message
    assert error.hint == f"give {tmp_path / 'serving' / '10'}"


def test_a_single_saved_model_below_is_suggested(tmp_path: Path) -> None:
    saved_model(tmp_path / "export")
    error = refusal(tmp_path)
    assert "export" in error.message
    assert str(tmp_path / "export") in error.hint


@pytest.mark.parametrize(
    "inside", ["variables", "variables/variables.index", "assets", "assets/vocab.txt"]
)
def test_what_lies_inside_a_saved_model_leads_to_its_folder(tmp_path: Path, inside: str) -> None:
    folder = saved_model(tmp_path / "m")
    (folder / "assets").mkdir()
    (folder / "assets" / "vocab.txt").write_text("a\nb\n")
    error = refusal(folder / inside)
    assert "SavedModel" in error.message
    assert error.hint.endswith(f": {folder}")


def test_a_file_next_to_the_graph_leads_to_its_folder(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m")
    (folder / "keras_metadata.pb").write_bytes(b"\x0a\x01x")
    assert refusal(folder / "keras_metadata.pb").hint.endswith(f": {folder}")


def test_inside_is_found_from_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved_model(tmp_path / "m")
    monkeypatch.chdir(folder)
    assert "SavedModel" in refusal("variables").message
    monkeypatch.chdir(folder / "variables")
    assert "SavedModel" in refusal("variables.index").message
    assert "SavedModel" in refusal(".").message


def test_a_folder_of_keras_files_names_them(tmp_path: Path) -> None:
    keras_zip(tmp_path / "b.keras")
    keras_h5(tmp_path / "a.h5")
    error = refusal(tmp_path)
    assert "(a.h5, b.keras)" in error.message
    assert str(tmp_path / "a.h5") in error.hint


def test_an_unpacked_keras_file_is_said(tmp_path: Path) -> None:
    for name in ("config.json", "metadata.json", "model.weights.h5"):
        (tmp_path / name).write_bytes(b"{}")
    error = refusal(tmp_path)
    assert "unpacked .keras file" in error.message
    assert "zip" in error.hint


def test_a_tensorflow_js_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(TFJS)
    assert "TensorFlow.js" in refusal(tmp_path).message


# ---------------------------------------------------------------- paths that lead nowhere


def test_a_missing_path_is_said_with_its_nearest_neighbour(tmp_path: Path) -> None:
    keras_zip(tmp_path / "model.keras")
    error = refusal(tmp_path / "modle.keras")
    assert "no such file or folder" in error.message
    assert error.hint == f"did you mean {tmp_path / 'model.keras'}?"


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert "does not exist either" in refusal(tmp_path / "a" / "b.keras").hint


def test_a_path_through_a_file_is_said(tmp_path: Path) -> None:
    assert "no such file" in refusal(keras_zip(tmp_path / "m.keras") / "x").message


def test_a_dangling_link_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.keras").symlink_to("gone.keras")
    assert "link to gone.keras" in refusal(tmp_path / "m.keras").message


def test_a_circle_of_links_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.keras").symlink_to("m.keras")
    assert "cannot be read" in refusal(tmp_path / "m.keras").message


def test_a_remote_address_is_said() -> None:
    assert "remote address" in refusal("gs://bucket/model").message


@pytest.mark.parametrize(
    "path", ["a\0b", "x" * 5000, "line\nbreak", "\x1b[31mred", "\udcff.keras", ""]
)
def test_strange_paths_stay_on_one_line(path: str) -> None:
    assert refusal(path).message.isprintable()


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "named pipe" in refusal(tmp_path / "pipe").message


def test_a_pipe_in_place_of_the_graph_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "saved_model.pb")
    assert "not a file" in refusal(tmp_path).message
    assert "not a file" in refusal(tmp_path / "saved_model.pb").message


def test_a_socket_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 108 bytes only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert "socket" in refusal("s").message


def test_a_device_is_said() -> None:
    assert "device" in refusal(os.devnull).message


def test_a_forbidden_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keras_zip(tmp_path / "m.keras")

    def forbidden(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    # The superuser, whom CI may run as, may read everything.
    monkeypatch.setattr(Path, "open", forbidden)
    error = refusal(path)
    assert "permission denied" in error.message
    assert str(path) in error.hint


# ---------------------------------------------------------------- cost, and real files


def test_neither_tensorflow_nor_keras_nor_h5py_is_imported(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m")
    code = (
        "import sys; from gradflow.files.recognise import recognise; recognise(sys.argv[1]); "
        "recognise(sys.argv[2])\n"
        "print(sorted({'tensorflow', 'keras', 'h5py', 'numpy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(folder), str(keras_zip(tmp_path / "m.keras"))]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def real_files() -> list[tuple[str, str]]:
    index = SHARED / "INDEX.tsv"
    if not index.exists():
        return []
    rows = [line.split("\t") for line in index.read_text().splitlines()[1:]]
    return [(row[1], row[3]) for row in rows]


@pytest.mark.skipif(not real_files(), reason="the collection of real model files is not here")
def test_real_files_are_recognised() -> None:
    refused = {
        "h5_weights_only/KERAS_3layer_weights.h5": "weights only",
        "h5_lfs_pointer/yolo.h5": "Git LFS pointer",
        "onnx_frozen_lstm/frozen.pb": "frozen graph",
    }
    for place, kind in real_files():
        if place in refused:
            assert refused[place] in refusal(SHARED / place).message
        else:
            assert recognise(SHARED / place).format.value.replace("_", "") == kind


def test_an_empty_path_is_not_the_working_directory() -> None:
    with pytest.raises(UnreadableError, match="the path is empty"):
        recognise("")
