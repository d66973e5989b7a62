"""A model of an odd kind is analysed, or one clear line says what is odd about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

import gradflow
from gradflow.findings import ModelReport, Verdict
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path

pytestmark = pytest.mark.tensorflow


def dense_table(folder: Path) -> None:
    """A table whose empty places have a key, which nobody may ask for."""
    import numpy as np
    import tensorflow as tf

    from tests.hostile.saved_models import save

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.ones([3, 2]), name="weight")
            self.table = tf.lookup.experimental.DenseHashTable(
                tf.string, tf.int64, np.int64(1), empty_key="nothing", deleted_key="gone"
            )
            self.table.insert(tf.constant(["a word"]), tf.constant([2], tf.int64))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return tf.gather(self.weight, self.table.lookup(x))

    save(Model(), folder)


def python_function(folder: Path) -> None:
    import tensorflow as tf

    from tests.hostile.saved_models import Model, save

    def doubled(x: tf.Tensor) -> tf.Tensor:
        y = tf.py_function(lambda value: value * 2, [x], tf.float32)
        return tf.ensure_shape(y, [None, 3])

    save(Model(doubled), folder)


def later_python_function(folder: Path) -> None:
    """TensorFlow numbers them, and says something else of a number that it has given itself."""
    import tensorflow as tf

    tf.py_function(lambda: 1, [], tf.int32)
    python_function(folder)


def plain(folder: Path, **options: Any) -> None:
    from tests.hostile.saved_models import Model, save

    save(Model(), folder, **options)


def another_root(folder: Path) -> None:
    """The object that holds all others is of a kind that holds nothing."""
    from tensorflow.core.protobuf import saved_model_pb2

    plain(folder)
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    saved.meta_graphs[0].object_graph_def.nodes[0].user_object.identifier = "signature_map"
    path.write_bytes(saved.SerializeToString())


def damaged_debug_info(folder: Path) -> None:
    plain(folder, save_debug_info=True)
    (folder / "debug" / "saved_model_debug_info.pb").write_bytes(b"\xff" * 40)


def told(model: ModelReport) -> str:
    return model.error.message if model.error else "".join(f.message for f in model.findings)


@pytest.mark.parametrize(
    ("make", "words", "verdict"),
    [
        (dense_table, "", Verdict.FLOWS),
        (python_function, "it calls a Python function, which no file holds", Verdict.FLOWS),
        (later_python_function, "it calls a Python function, which no file holds", Verdict.FLOWS),
        (another_root, "serving_default is not in what it has loaded", Verdict.FLOWS),
        (damaged_debug_info, "its debug information is damaged", None),
    ],
)
def test_what_is_odd_about_it_is_told_in_one_line(
    make: Any, words: str, verdict: Verdict | None, tmp_path: Path, copies: ForkServers
) -> None:
    make(tmp_path / "model")

    model = inspect_path(str(tmp_path / "model"), Options(), spawn=copies).model

    assert words in told(model)
    assert [weight.verdict for weight in model.variables] == ([verdict] if verdict else [])
    assert (model.error is None) == (verdict is not None)


def test_names_of_hdf5_need_not_be_utf_8(tmp_path: Path, copies: ForkServers) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.create_group(b"\xff\xfe")

    model = inspect_path(str(tmp_path / "model.h5"), Options(static=True), spawn=copies).model

    assert told(model) == "is an HDF5 file without a Keras model (no model_config)"


@pytest.mark.parametrize("dtype", ["float64", "float16", "float32"])
def test_a_module_is_given_the_floating_type_that_it_computes_in(dtype: str) -> None:
    """GPflow computes in float64, and takes no other."""
    import numpy as np
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable(tf.ones([3, 2], dtype))
    module.call = lambda x: tf.matmul(x, module.w)
    for value in ((4, 3), np.ones((4, 3)), np.ones((4, 3), "float32")):
        report = gradflow.inspect(module, entry="call", inputs={"x": value}).models[0]
        assert report.error is None
        assert report.inputs[0].dtype == dtype
        assert report.summary.flows == 1
