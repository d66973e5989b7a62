"""Every kind of path that holds no model is one line that says what it is and what to give instead,
and exit code 2."""

from __future__ import annotations

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.cli.command import CUT, HEALTHY, SAMPLES, Done, inspect, static

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"


def missing(folder: Path) -> Path:
    return folder / "model.keras"


def empty(folder: Path) -> Path:
    (folder / "model.keras").touch()
    return folder / "model.keras"


def empty_folder(folder: Path) -> Path:
    (folder / "model").mkdir()
    return folder / "model"


def weights(folder: Path) -> Path:
    with zipfile.ZipFile(SAMPLES / "healthy.keras") as archive:
        (folder / "my.weights.h5").write_bytes(archive.read("model.weights.h5"))
    return folder / "my.weights.h5"


def keras_2_weights(folder: Path) -> Path:
    with h5py.File(folder / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense")
    return folder / "weights.h5"


def checkpoint(folder: Path) -> Path:
    (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\n')
    (folder / "ckpt-1.index").write_bytes(b"\x00" * 8)
    (folder / "ckpt-1.data-00000-of-00001").write_bytes(b"\x00" * 8)
    return folder


def checkpoint_file(folder: Path) -> Path:
    return checkpoint(folder) / "ckpt-1.index"


def tflite(folder: Path) -> Path:
    (folder / "model.tflite").write_bytes(struct.pack("<I", 28) + b"TFL3" + bytes(64))
    return folder / "model.tflite"


def onnx(folder: Path) -> Path:
    (folder / "model.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x3a\x10" + bytes(16))
    return folder / "model.onnx"


def frozen_graph(folder: Path) -> Path:
    node = b"\x0a\x01x\x12\x05Const"
    (folder / "frozen.pb").write_bytes(b"\x0a" + bytes([len(node)]) + node)
    return folder / "frozen.pb"


def lfs_pointer(folder: Path) -> Path:
    (folder / "model.h5").write_text(LFS)
    return folder / "model.h5"


def lfs_pointer_inside(folder: Path) -> Path:
    shutil.copytree(HEALTHY, folder / "model")
    (folder / "model" / "saved_model.pb").write_text(LFS)
    return folder / "model"


def below(folder: Path) -> Path:
    shutil.copytree(HEALTHY, folder / "model")
    return folder / "model" / "variables"


def a_file_inside(folder: Path) -> Path:
    return below(folder) / "variables.index"


def cut_short(folder: Path) -> Path:
    (folder / "model.keras").write_bytes((SAMPLES / "healthy.keras").read_bytes()[:9000])
    return folder / "model.keras"


def damaged_graph(folder: Path) -> Path:
    shutil.copytree(HEALTHY, folder / "model")
    (folder / "model" / "saved_model.pb").write_bytes(b"\xff" * 100)
    return folder / "model"


def text(folder: Path) -> Path:
    (folder / "model.keras").write_text("import keras\n")
    return folder / "model.keras"


KINDS: list[tuple[Callable[[Path], Path], list[str]]] = [
    (missing, ["no such file"]),
    (empty, ["empty (0 bytes)"]),
    (empty_folder, ["empty folder"]),
    (weights, ["weights only", "model.save("]),
    (keras_2_weights, ["weights only", "model.save("]),
    (checkpoint, ["checkpoint", "model.save("]),
    (checkpoint_file, ["checkpoint", "model.save("]),
    (tflite, ["TensorFlow Lite", "made from"]),
    (onnx, ["ONNX", "made from"]),
    (frozen_graph, ["frozen graph", "before freezing"]),
    (lfs_pointer, ["Git LFS pointer", "git lfs pull"]),
    (lfs_pointer_inside, ["saved_model.pb is a Git LFS pointer", "git lfs pull"]),
    (below, ["variables folder of a SavedModel", "give the folder above: ", "/model"]),
    (a_file_inside, ["one file of the SavedModel", "give the folder: ", "/model"]),
    (cut_short, ["truncated or damaged .keras file"]),
    (damaged_graph, ["saved_model.pb"]),
    (text, ["is a text file"]),
]


RUNS = [pytest.param(inspect, marks=pytest.mark.tensorflow), static]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0].__name__)
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, list[str]]:
    make, words = request.param
    return str(make(tmp_path)), words


@pytest.mark.parametrize("run", RUNS)
def test_what_it_is_and_what_to_give(bad: tuple[str, list[str]], run: Callable[..., Done]) -> None:
    path, words = bad

    line = run(path).failed_in_one_line()

    assert line.startswith(f"{path}: could not be checked (GF901): ")
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize("run", RUNS)
def test_json_says_it_too(bad: tuple[str, list[str]], run: Callable[..., Done]) -> None:
    path, words = bad

    done = run(path, "--format", "json")

    [model] = json.loads(done.stdout)["models"]
    assert (done.code, model["status"], model["error"]["code"], model["path"]) == (
        2,
        "failed",
        "GF901",
        path,
    )
    assert model["error"]["message"]
    assert model["variables"] == model["findings"] == []
    assert len(done.stderr.splitlines()) == 1
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_stderr_says_it_where_the_report_is_a_file(tmp_path: Path, quiet: list[str]) -> None:
    done = inspect("no/model.keras", "-o", str(tmp_path / "report.txt"), *quiet)

    assert (done.code, done.stdout) == (2, "")
    assert "no/model.keras: could not be checked (GF901): no such file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("run", [pytest.param(inspect, marks=pytest.mark.tensorflow), static])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([CUT, "--output", "nope"], ["--output 'nope'", "output_0"]),
        ([CUT, "--entry", "nope"], ["no entry 'nope'", "serving_default"]),
        ([str(SAMPLES / "healthy.keras"), "--entry", "nope"], ["--entry 'nope'"]),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(
    run: Callable[..., Done], arguments: list[str], words: list[str]
) -> None:
    line = run(*arguments).failed_in_one_line()

    assert [word for word in words if word not in line] == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("model", ["two_towers_saved_model", "two_towers.keras"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "nope=float32[2,8]"], ["--input 'nope'", "query", "document"]),
        (["--input", "query=@no/such.npz:query"], ["query", "no/such.npz"]),
        (["--input", "query=float32[4,9]"], ["query", "--input "]),
        (["--batch-size", "999999999999"], ["too large", "--input "]),
    ],
)
def test_an_input_that_does_not_fit(model: str, arguments: list[str], words: list[str]) -> None:
    line = inspect(str(SAMPLES / model), *arguments).failed_in_one_line()

    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    "spec",
    [
        "query",
        "=float32[2]",
        "query=",
        "query=float32",
        "query=float31[2,8]",
        "query=float32[2,x]",
        "query=float32[2,,8]",
        "query=float32[2,8]<4",
        "query=int32[2,8]<0",
        "query=@batch.csv",
    ],
)
def test_an_input_spec_that_cannot_be_read(spec: str) -> None:
    line = inspect(CUT, "--input", spec).failed_in_one_line()

    assert "--input " in line
    assert "int32[2,16]<30522" in line


def test_an_input_given_twice() -> None:
    assert (
        "twice"
        in inspect(CUT, "--input", "query=float32[2,8]", "--input", "query=float32[3,8]").stderr
    )


@pytest.mark.tensorflow
def test_inputs_that_cannot_be_guessed(picky: str) -> None:
    line = inspect(picky).failed_in_one_line()

    assert "x=float32[" in line, "the input is named, with what was tried"
    assert "--input x=@batch.npz:x" in line, "what has not been tried is shown"
    assert "sizes 1, 4, 8, 16, " in line, "what was tried is told"


@pytest.mark.tensorflow
def test_the_input_that_was_asked_for_is_taken(picky: str) -> None:
    done = inspect(picky, "--input", "x=float32[4,7]")

    assert (done.code, done.stderr) == (0, "")
    assert "the only weight receives a gradient" in done.stdout


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SavedModel that declares [None, None] and takes 7 columns only, and whose error does not
    say so."""
    import tensorflow as tf

    class Picky(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.ones([1, 3]), name="w")

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            with tf.control_dependencies(
                [tf.debugging.Assert(tf.shape(x)[1] == 7, ["not these, please"])]
            ):
                return {"y": tf.reduce_sum(x, 1, keepdims=True) * self.w}

    folder = tmp_path_factory.mktemp("picky")
    module = Picky()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return str(folder)
