"""Models that read what is not theirs, wait for ever, end the process or take all memory are
refused before they do.

Where TensorFlow alone falls for it, the test shows that first: else the second half could not fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradflow.files.saved_model.schema import message
from gradflow.findings import Verdict
from gradflow.options import Options
from gradflow.process.parent import inspect_path
from tests.cli.command import ROOT, SAMPLES, apart, environment, here
from tests.scan.test_saved_model import header, write_index

SECRET = "the secret words"
PLAIN = SAMPLES / "two_towers_saved_model"
posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes")


def refused(model: Path) -> str:
    """Check that neither ``scan`` nor ``inspect`` lets the model in, and return what is said."""
    assert here("scan", str(model), "-q").code == 2
    line = here("inspect", str(model), "-q", COLUMNS="400").failed_in_one_line()
    assert "(GF902)" in line or "(GF901)" in line
    return line


def table(folder: Path, words: Path) -> None:
    """A model that looks words up in a table, which is filled from a file when it is loaded."""
    import tensorflow as tf

    from tests.hostile.saved_models import Model, save

    rows = tf.lookup.TextFileIndex
    filled = tf.lookup.TextFileInitializer(
        str(words), tf.string, rows.WHOLE_LINE, tf.int64, rows.LINE_NUMBER
    )
    model = Model()
    model.table = tf.lookup.StaticHashTable(filled, -1)
    model.find = tf.function(model.table.lookup, input_signature=[tf.TensorSpec([], tf.string)])
    save(model, folder)


def changed(folder: Path, change: Callable[[Any], object]) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def finds(folder: Path) -> bool:
    """Whether TensorFlow alone brings the secret in."""
    import tensorflow as tf

    return int(tf.saved_model.load(str(folder)).find(tf.constant(SECRET))) == 0


@pytest.mark.tensorflow
@pytest.mark.parametrize("way", ["up", "absolute", "link", "folder"])
@posix
def test_an_asset_that_lies_elsewhere(way: str, tmp_path: Path) -> None:
    secret, words, model = tmp_path / "secret.txt", tmp_path / "words.txt", tmp_path / "model"
    secret.write_text(SECRET)
    words.write_text("a word")
    table(model, words)
    if way in ("up", "absolute"):
        name = "../../secret.txt" if way == "up" else str(secret)
        changed(model, lambda graph: setattr(graph.asset_file_def[0], "filename", name))
    elif way == "link":
        (model / "assets" / "words.txt").unlink()
        (model / "assets" / "words.txt").symlink_to(secret)
    else:
        shutil.rmtree(model / "assets")
        secret.rename(tmp_path / "elsewhere.txt")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere.txt").rename(tmp_path / "elsewhere" / "words.txt")
        (model / "assets").symlink_to(tmp_path / "elsewhere")

    assert finds(model)
    assert ("asset " if way in ("up", "absolute") else "link 'assets") in refused(model)


def reads(path: str) -> Any:
    import tensorflow as tf

    return tf.io.read_file(path)


def maps(path: str) -> Any:
    import tensorflow as tf

    size = Path(path).stat().st_size
    held = tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[size], memory_region_name=path)
    return tf.strings.reduce_join(
        tf.gather([chr(code) for code in range(128)], tf.cast(held, tf.int32))
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("read", [reads, maps])
def test_a_file_that_is_read_in_a_call(read: Callable[[str], Any], tmp_path: Path) -> None:
    import tensorflow as tf

    from tests.hostile.saved_models import Model, save

    secret, model = tmp_path / "secret.txt", Model()
    secret.write_text(SECRET)
    model.tell = tf.function(lambda: read(str(secret)), input_signature=[])
    save(model, tmp_path / "model")

    assert tf.saved_model.load(str(tmp_path / "model")).tell().numpy().decode() == SECRET
    assert "reads any file of this machine" in refused(tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["variables/variables.index", "keras_metadata.pb", "debug/saved_model_debug_info.pb"]
)
@pytest.mark.tensorflow
@posix
def test_a_pipe_keeps_nobody_waiting(name: str, tmp_path: Path) -> None:
    shutil.copytree(PLAIN, tmp_path / "model")
    place = tmp_path / "model" / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)

    assert f"pipe {name!r}" in refused(tmp_path / "model")
    for option in (["--static"], ["--entry", "list"]):
        assert apart("inspect", str(tmp_path / "model"), "-q", *option).code == 0


def aborts(folder: Path) -> None:
    import tensorflow as tf

    from tests.hostile.saved_models import Model, save

    def act(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies(
            [tf.raw_ops.Abort(error_msg="the end", exit_without_error=False)]
        ):
            return tf.identity(x)

    save(Model(act), folder)


def counts_below_zero(folder: Path) -> None:
    shutil.copytree(PLAIN, folder)
    entry = message("BundleEntry")(dtype=1, size=4)
    entry.shape.dim.add(size=-1)
    write_index(folder, [(b"", header()), (b"dense/kernel", entry.SerializeToString())])


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("make", "words"), [(aborts, "op Abort"), (counts_below_zero, "end TensorFlow's process")]
)
def test_what_ends_the_process(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    make(tmp_path / "model")
    command = [sys.executable, "-m", "tests.hostile.bare", str(tmp_path / "model")]
    bare = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, timeout=200, check=False
    )

    assert bare.returncode < 0  # a signal
    assert words in refused(tmp_path / "model")


@pytest.mark.tensorflow
def test_two_thousand_functions_in_each_other(tmp_path: Path) -> None:
    shutil.copytree(PLAIN, tmp_path / "model")

    def nest(graph: Any) -> None:
        library = graph.graph_def.library
        for number in range(2000):
            function = library.function.add()
            function.signature.name = f"deep_{number}"
            if number:
                call = function.node_def.add(name="call", op="PartitionedCall")
                call.attr["f"].func.name = f"deep_{number - 1}"

    changed(tmp_path / "model", nest)

    assert "2,000 functions, each of which calls the next" in refused(tmp_path / "model")


@pytest.mark.tensorflow
def test_a_model_that_is_trained_on_a_device_is_run_but_for_what_saves_it(tmp_path: Path) -> None:
    import tensorflow as tf

    text = tf.TensorSpec([], tf.string)

    class OnDevice(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable(tf.ones([3, 2]), name="w")

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def infer(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x @ self.w}

        @tf.function(input_signature=[text])
        def save(self, path: tf.Tensor) -> dict[str, tf.Tensor]:
            tf.raw_ops.Save(filename=path, tensor_names=["w"], data=[self.w.read_value()])
            return {"path": path}

        @tf.function(input_signature=[text])
        def restore(self, path: tf.Tensor) -> dict[str, tf.Tensor]:
            value = tf.raw_ops.Restore(file_pattern=path, tensor_name="w", dt=tf.float32)
            self.w.assign(tf.reshape(value, [3, 2]))
            return {"w": value}

    model, folder = OnDevice(), str(tmp_path / "model")
    methods = {name: getattr(model, name) for name in ("infer", "save", "restore")}
    tf.saved_model.save(model, folder, signatures=methods)
    run = inspect_path(folder, Options()).model
    assert run.error is None
    assert run.entry == "infer"
    assert [one.verdict for one in run.variables] == [Verdict.FLOWS]
    for entry in ("save", "restore"):
        refused = inspect_path(folder, Options(entry=entry)).model
        assert refused.error is not None
        assert refused.error.code == "GF902"
        assert "whose path is its input" in refused.error.message
