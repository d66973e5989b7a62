"""Keras files of every version are read without Keras: variables, roles, freeze flags, slots."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradflow.errors import UnreadableError
from gradflow.files.freezing import Doubt
from gradflow.files.keras import slots
from gradflow.files.keras.reader import KerasContents, read_keras
from gradflow.files.model_file import ModelFile
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.contents import SavedModelContents
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import Format, Role
from tests.examples import examples

SHARED = Path(__file__).parents[3] / "shared" / "models"

# ---------------------------------------------------------------- files made without Keras


def dense_config(name: str, *, trainable: bool = True) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": name, "trainable": trainable, "units": 2, "use_bias": True},
        "build_config": {"input_shape": [None, 2]},
        "name": name,
    }


def model_config(*layers: dict[str, Any], trainable: bool = True) -> dict[str, Any]:
    config = {
        "name": "m",
        "trainable": trainable,
        "layers": list(layers),
        "input_layers": [],
        "output_layers": [],
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def weights_bytes(shapes: dict[str, tuple[int, ...]]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, shape in shapes.items():
            file[path] = np.zeros(shape, np.float32)
    return buffer.getvalue()


def write_keras(
    path: Path,
    config: object,
    weights: bytes | None,
    *,
    version: str = "3.15.1",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        if weights is not None:
            archive.writestr("model.weights.h5", weights)
    return path


def write_h5(path: Path, config: object, weights: dict[str, dict[str, tuple[int, ...]]]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.3.1"
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, variables in weights.items():
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [name.encode() for name in variables]
            for name, shape in variables.items():
                inner[name] = np.zeros(shape, np.float32)
    return path


DENSE = {"layers/dense/vars/0": (2, 2), "layers/dense/vars/1": (2,)}


@pytest.fixture
def small_keras(tmp_path: Path) -> Path:
    return write_keras(tmp_path / "m.keras", model_config(dense_config("d")), weights_bytes(DENSE))


def names(contents: KerasContents) -> list[str]:
    return [variable.name for variable in contents.variables]


def test_a_small_archive_is_read(small_keras: Path) -> None:
    contents = read_keras(ModelFile(small_keras, Format.KERAS))
    assert contents.producer == "keras 3.15.1"
    assert contents.model_name == "m"
    assert names(contents) == ["d/kernel", "d/bias"]
    assert contents.variables[0].shape == (2, 2)
    assert contents.variables[0].dtype == "float32"
    assert contents.variables[0].layer == "d"
    assert dict(contents.layer_classes) == {"m": "Functional", "d": "Dense"}


def test_a_compressed_archive_is_read(tmp_path: Path) -> None:
    path = write_keras(
        tmp_path / "m.keras",
        model_config(dense_config("d")),
        weights_bytes(DENSE),
        compression=zipfile.ZIP_DEFLATED,
    )
    assert names(read_keras(ModelFile(path, Format.KERAS))) == ["d/kernel", "d/bias"]


def test_layers_are_numbered_by_class_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    shapes = {
        f"layers/dense_{n}/vars/0" if n else "layers/dense/vars/0": (n + 1,) for n in range(12)
    }
    config = model_config(*(dense_config(f"l{n}", trainable=n != 10) for n in range(12)))
    contents = read_keras(
        ModelFile(write_keras(tmp_path / "m.keras", config, weights_bytes(shapes)), Format.KERAS)
    )
    assert [(v.name, v.shape) for v in contents.variables] == [
        (f"l{n}/kernel", (n + 1,)) for n in range(12)
    ]
    assert [v.name for v in contents.variables if v.frozen_by == "l10"] == ["l10/kernel"]


def test_windows_separators_of_keras_2_are_understood(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers\\dense/vars/0"] = np.zeros((2, 2), np.float32)
        file["metrics\\mean/vars/0"] = np.zeros((), np.float32)
    path = write_keras(
        tmp_path / "m.keras", model_config(dense_config("d")), buffer.getvalue(), version="2.15.0"
    )
    contents = read_keras(ModelFile(path, Format.KERAS))
    assert names(contents) == ["d/kernel"]
    assert contents.producer == "keras 2.15.0"


def test_optimizer_and_metric_variables_are_not_counted(tmp_path: Path) -> None:
    extra = {
        "optimizer/vars/0": (),
        "optimizer/vars/1": (2, 2),
        "layers/functional/optimizer/vars/0": (3,),
    }
    inner = {**model_config(dense_config("a")), "name": "inner"}
    shapes = {**extra, "layers/functional/layers/dense/vars/0": (2, 2), "_loss_tracker/vars/0": ()}
    path = write_keras(tmp_path / "m.keras", model_config(inner), weights_bytes(shapes))
    assert names(read_keras(ModelFile(path, Format.KERAS))) == ["a/kernel"]


def test_equal_names_are_told_apart_by_the_layers_around_them(tmp_path: Path) -> None:
    left, right = ({**model_config(dense_config("d")), "name": side} for side in ("left", "right"))
    left["config"] = {**left["config"], "name": "left"}
    right["config"] = {**right["config"], "name": "right"}
    shapes = {
        "layers/functional/layers/dense/vars/0": (2,),
        "layers/functional_1/layers/dense/vars/0": (3,),
    }
    path = write_keras(tmp_path / "m.keras", model_config(left, right), weights_bytes(shapes))
    assert names(read_keras(ModelFile(path, Format.KERAS))) == ["left/d/kernel", "right/d/kernel"]


def test_equal_names_and_places_get_a_number(tmp_path: Path) -> None:
    shapes = {"layers/dense/vars/0": (2,), "layers/dense_1/vars/0": (3,)}
    config = model_config(dense_config("d"), dense_config("d"))
    path = write_keras(tmp_path / "m.keras", config, weights_bytes(shapes))
    assert names(read_keras(ModelFile(path, Format.KERAS))) == ["d/kernel", "d/kernel#2"]


def test_floating_variables_of_unknown_classes_are_weights_and_integers_are_state(
    tmp_path: Path,
) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/mystery/vars/0"] = np.zeros((2,), np.float32)
        file["layers/mystery/vars/1"] = np.zeros((2,), np.int64)
    mystery = {
        "class_name": "Mystery",
        "registered_name": "pkg>Mystery",
        "config": {"name": "x", "trainable": False},
    }
    path = write_keras(tmp_path / "m.keras", model_config(mystery), buffer.getvalue())
    weight, state = read_keras(ModelFile(path, Format.KERAS)).variables
    # Its class can freeze it or not, whatever the configuration says.
    assert (weight.name, weight.role, weight.has_open_flag, weight.frozen_by) == (
        "x/0",
        Role.WEIGHT,
        True,
        None,
    )
    (doubt,) = read_keras(ModelFile(path, Format.KERAS)).doubts
    assert (doubt.kind, doubt.variables) == (Doubt.FOREIGN_CLASS, ("x/0",))
    assert (state.name, state.role, state.trainable, state.frozen_by) == (
        "x/1",
        Role.STATE,
        False,
        None,
    )


def test_keras_2_hdf5_is_read(tmp_path: Path) -> None:
    config = {
        "class_name": "Model",
        "config": {"name": "m", "layers": [dense_config("d"), dense_config("e")]},
    }
    config["config"]["layers"][1]["config"]["trainable"] = False
    path = write_h5(
        tmp_path / "m.h5",
        config,
        {"d": {"d_1/kernel:0": (2, 2), "d_1/bias:0": (2,)}, "e": {"e/kernel:0": (2, 2)}},
    )
    contents = read_keras(ModelFile(path, Format.H5))
    assert contents.producer == "keras 2.3.1"
    assert [(v.name, v.trainable, v.frozen_by) for v in contents.variables] == [
        ("d/kernel", True, None),
        ("d/bias", True, None),
        ("e/kernel", False, "e"),
    ]


def test_a_sequential_of_keras_1_is_read(tmp_path: Path) -> None:
    bare = {"class_name": "Dense", "config": {"name": "dense_1", "trainable": False}}
    path = write_h5(
        tmp_path / "m.h5",
        {"class_name": "Sequential", "config": [bare]},
        {"dense_1": {"dense_1_W:0": (2, 1)}},
    )
    (variable,) = read_keras(ModelFile(path, Format.H5)).variables
    assert (variable.shape, variable.trainable) == ((2, 1), False)


def test_reading_needs_neither_tensorflow_nor_keras(small_keras: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gradflow.files.keras.reader import read_keras\n"
        "assert 'h5py' not in sys.modules, 'h5py must be imported where it is needed'\n"
        "from gradflow.files.recognise import recognise\n"
        "assert read_keras(recognise(sys.argv[1])).variables\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_keras)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("config", "weights", "words"),
    [
        ("not json", weights_bytes(DENSE), "not valid JSON"),
        ("[1]", weights_bytes(DENSE), "names no Keras class"),
        ("[" * 100_000, weights_bytes(DENSE), "nested too deeply"),
        (model_config(), None, "no weights"),
        (model_config(), b"rubbish", "damaged HDF5"),
        (model_config(), weights_bytes(DENSE)[:900], "truncated HDF5"),
    ],
)
def test_damaged_archives_are_said_in_one_line(
    tmp_path: Path, config: object, weights: bytes | None, words: str
) -> None:
    path = write_keras(tmp_path / "m.keras", config, weights)
    with pytest.raises(UnreadableError, match=words) as caught:
        read_keras(ModelFile(path, Format.KERAS))
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_deeply_nested_layers_are_refused(tmp_path: Path) -> None:
    config = dense_config("d")
    for _ in range(150):
        config = model_config(config)
    path = write_keras(tmp_path / "m.keras", config, weights_bytes(DENSE))
    with pytest.raises(UnreadableError, match="deep"):
        read_keras(ModelFile(path, Format.KERAS))


def test_links_into_other_files_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["vars/0"] = np.zeros((7,), np.float32)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((2,), np.float32)
        file["layers/dense_1"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
        file["layers/dense/again"] = file["layers"]  # a circle of hard links
    config = model_config(dense_config("d"), dense_config("e"))
    path = write_keras(tmp_path / "m.keras", config, buffer.getvalue())
    assert names(read_keras(ModelFile(path, Format.KERAS))) == ["d/kernel"]


def test_an_attribute_of_a_wrong_type_is_not_read_as_text(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", model_config(dense_config("d")), {"d": {"d/kernel": (2, 2)}})
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = 3.0
        file["model_weights"].attrs["layer_names"] = np.zeros(3)
        file["model_weights"].attrs["layer_names0"] = [b"d"]
    contents = read_keras(ModelFile(path, Format.H5))
    assert (contents.producer, contents.variables) == (None, ())


def test_lists_that_keras_split_are_joined(tmp_path: Path) -> None:
    path = write_h5(
        tmp_path / "m.h5",
        model_config(dense_config("d")),
        {"d": {"d/kernel": (2, 2), "d/bias": (2,)}},
    )
    with h5py.File(path, "a") as file:
        del file["model_weights/d"].attrs["weight_names"]
        file["model_weights/d"].attrs["weight_names0"] = [b"d/kernel"]
        file["model_weights/d"].attrs["weight_names1"] = [b"d/bias"]
    assert names(read_keras(ModelFile(path, Format.H5))) == ["d/kernel", "d/bias"]


def read_anything(path: Path) -> None:
    try:
        read_keras(recognise(path))
    except UnreadableError as error:
        assert error.message
        assert "\n" not in error.message


FUZZ = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_truncated_and_altered_files_raise_unreadable_or_nothing(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    source = tmp_path / f"whole.{kind}"
    if not source.exists():
        if kind == "keras":
            write_keras(source, model_config(dense_config("d")), weights_bytes(DENSE))
        else:
            write_h5(
                source, model_config(dense_config("d")), {"d": {"d/kernel": (2, 2), "d/bias": (2,)}}
            )
    content = bytearray(source.read_bytes())
    if data.draw(st.booleans(), "truncate"):
        content = content[: data.draw(st.integers(0, len(content)), "length")]
    elif (
        kind == "keras"
    ):  # altered bytes inside HDF5 can crash the HDF5 library itself: only what is around it
        start = content.index(b"\x89HDF")
        around = [*range(start), *range(start + len(weights_bytes(DENSE)), len(content))]
        for place in data.draw(st.lists(st.sampled_from(around), max_size=4), "places"):
            content[place] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path / f"broken.{kind}"
    path.write_bytes(content)
    read_anything(path)


@FUZZ
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{", b"\n"]),
)
def test_random_bytes_raise_unreadable_or_nothing(
    tmp_path: Path, content: bytes, start: bytes
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(start + content)
    with pytest.raises(UnreadableError):
        read_keras(recognise(path))


# ---------------------------------------------------------------- real files


@pytest.mark.parametrize(
    ("place", "producer", "count"),
    [
        ("k_ecg_transformer/transformer_model.keras", "keras 2.15.0", 26),
        ("k_jena_transformer/transformer.keras", "keras 3.9.2", 36),
        ("k_nested_container/pre_pr22362_nested_container.keras", "keras 3.15.0", 5),
        ("k_mario_h5_renamed/model.keras", "keras 2.2.0", 5),
        ("h5_k1_lstm_tf/simple_lstm_tf_keras_1_model.h5", "keras 1.2.2", 14),
        ("h5_mini_xception/fer2013_mini_XCEPTION.102-0.66.hdf5", "keras 2.0.5", 80),
    ],
)
def test_files_from_the_wild(place: str, producer: str, count: int) -> None:
    path = SHARED / place
    if not path.exists():
        pytest.skip("the collection of real model files is not here")
    contents = read_keras(recognise(path))
    assert contents.producer == producer
    assert len(contents.variables) == count
    assert len(set(names(contents))) == count


# ---------------------------------------------------------------- held against Keras itself

Build = Callable[[Any], Any]


def frozen_submodel(keras: Any) -> Any:
    L = keras.layers
    inner = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, name="a"), L.BatchNormalization(name="bn")], name="inner"
    )
    inner.trainable = False
    x = keras.Input((3,), name="x")
    return keras.Model(x, L.Dense(2, name="head")(inner(x)), name="m")


def frozen_functional_submodel(keras: Any) -> Any:
    L = keras.layers
    f = keras.Input((3,))
    inner = keras.Model(f, L.Dense(3, name="b")(L.Dense(3, name="a")(f)), name="inner")
    inner.trainable = False
    x = keras.Input((3,), name="x")
    return keras.Model(x, L.Dense(2, name="head")(inner(x)), name="m")


def frozen_inner_layer(keras: Any) -> Any:
    L = keras.layers
    f = keras.Input((3,))
    inner = keras.Model(
        f, L.Dense(3, name="b")(L.Dense(3, name="a", trainable=False)(f)), name="inner"
    )
    x = keras.Input((3,), name="x")
    return keras.Model(x, L.Dense(2, name="head")(inner(x)), name="m")


def child_trains_under_a_frozen_parent(keras: Any) -> Any:
    model = frozen_functional_submodel(keras)
    model.get_layer("inner").get_layer("b").trainable = True
    return model


def child_trains_under_a_frozen_sequential(keras: Any) -> Any:
    model = frozen_submodel(keras)
    model.get_layer("inner").get_layer("bn").trainable = True
    return model


def whole_model_frozen(keras: Any) -> Any:
    model = frozen_inner_layer(keras)
    model.trainable = False
    return model


def whole_model_frozen_but_a_child(keras: Any) -> Any:
    model = frozen_inner_layer(keras)
    model.trainable = False
    model.get_layer("head").trainable = True
    return model


def whole_sequential_frozen_but_a_child(keras: Any) -> Any:
    L = keras.layers
    model = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, name="a"), L.Dense(2, name="b")], name="s"
    )
    model.trainable = False
    model.get_layer("b").trainable = True
    return model


def two_deep_frozen(keras: Any) -> Any:
    L = keras.layers
    deep = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, name="a"), L.Dense(3, name="b")], name="deep"
    )
    mid = keras.Sequential([keras.Input((3,)), deep, L.Dense(3, name="c")], name="mid")
    deep.trainable = False
    mid.trainable = False
    mid.get_layer("c").trainable = True
    x = keras.Input((3,), name="x")
    return keras.Model(x, mid(x), name="m")


def normalizations(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((4, 4, 4), name="x")
    y = L.BatchNormalization(scale=False, name="bn1", trainable=False)(x)
    y = L.BatchNormalization(center=False, name="bn2")(y)
    y = L.LayerNormalization(name="ln", center=False)(y)
    y = L.GroupNormalization(2, name="gn")(y)
    y = L.SpectralNormalization(L.Conv2D(4, 3, name="sc"), name="sn")(y)
    y = L.SpectralNormalization(L.Dense(4, name="sd"), name="sn2", trainable=False)(y)
    y = L.UnitNormalization(name="un")(y)
    return keras.Model(x, y, name="m")


def adapted_normalization(keras: Any) -> Any:
    L = keras.layers
    norm = L.Normalization(name="norm")
    norm.adapt(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))
    return keras.Sequential([keras.Input((3,)), norm, L.Dense(2, name="d")], name="s")


def convolutions(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((8, 8, 3), name="x")
    y = L.Conv2D(4, 3, padding="same", use_bias=False, name="c")(x)
    y = L.DepthwiseConv2D(3, padding="same", name="dw", trainable=False)(y)
    y = L.SeparableConv2D(4, 3, padding="same", name="sep")(y)
    y = L.Conv2DTranspose(2, 3, padding="same", name="ct")(y)
    y = L.PReLU(name="pr")(y)
    return keras.Model(x, L.Dropout(0.5, name="drop")(y), name="m")


def recurrent(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((5,), dtype="int32", name="x")
    y = L.Embedding(11, 4, name="emb", trainable=False)(x)
    y = L.LSTM(3, return_sequences=True, dropout=0.1, name="lstm", trainable=False)(y)
    y = L.GRU(3, return_sequences=True, name="gru")(y)
    y = L.Bidirectional(L.LSTM(2, return_sequences=True, name="inner"), name="bi")(y)
    y = L.RNN(L.SimpleRNNCell(2, name="cell"), return_sequences=True, name="rnn", trainable=False)(
        y
    )
    y = L.RNN(
        [L.LSTMCell(2, name="k1"), L.LSTMCell(2, name="k2")], return_sequences=True, name="stack"
    )(y)
    y = L.TimeDistributed(L.Dense(3, name="td_dense"), name="td")(y)
    return keras.Model(x, L.SimpleRNN(2, name="srnn")(y), name="m")


def frozen_wrappers(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((5, 3), name="x")
    bi = L.Bidirectional(L.GRU(2, return_sequences=True, name="g"), name="bi")
    y = bi(x)
    td = L.TimeDistributed(L.Dense(3, name="d"), name="td")
    y = td(y)
    td2 = L.TimeDistributed(L.Dense(3, name="d2"), name="td2", trainable=False)
    y = td2(y)
    bi.trainable = False
    td.trainable = False
    return keras.Model(x, y, name="m")


def attention(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((5, 4), name="x")
    y = L.MultiHeadAttention(2, 3, name="mha", dropout=0.1)(x, x)
    frozen = L.MultiHeadAttention(2, 3, name="fz", use_bias=False)
    y = frozen(y, y)
    y = L.Attention(use_scale=True, score_mode="concat", name="att")([y, y])
    y = L.AdditiveAttention(name="add")([y, y])
    frozen.trainable = False
    return keras.Model(x, y, name="m")


def shared_layer(keras: Any) -> Any:
    L = keras.layers
    shared = L.Dense(3, name="shared")
    x, z = keras.Input((3,), name="x"), keras.Input((3,), name="z")
    y = L.Add(name="sum")([shared(x), shared(z)])
    shared.trainable = False
    return keras.Model([x, z], L.Dense(1, name="head")(y), name="m")


def twin_towers(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((3,), name="x")
    towers = [
        keras.Sequential(
            [keras.Input((3,)), L.Dense(n, name="d"), L.Dense(2, name="out")], name=f"tower{n}"
        )
        for n in (4, 5)
    ]
    towers[0].trainable = False
    return keras.Model(x, L.Add(name="sum")([tower(x) for tower in towers]), name="m")


def plain_sequential(keras: Any) -> Any:
    L = keras.layers
    return keras.Sequential(
        [keras.Input((3,)), L.Dense(3, name="a", trainable=False), L.Dropout(0.5), L.Dense(1)],
        name="seq",
    )


def compiled_and_fitted(keras: Any) -> Any:
    model = plain_sequential(keras)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((4, 3), "float32"), np.zeros((4, 1), "float32"), verbose=0)
    return model


def half_precision(keras: Any) -> Any:
    L = keras.layers
    return keras.Sequential(
        [keras.Input((3,)), L.Dense(3, name="a", dtype="bfloat16"), L.Dense(1, name="b")], name="s"
    )


def operations_between(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((3,), name="x")
    y = keras.ops.stop_gradient(L.Dense(3, name="a")(x))
    return keras.Model(x, L.Dense(1, name="b")(keras.ops.relu(y) + 1.0), name="m")


def custom_layer(keras: Any) -> Any:
    @keras.saving.register_keras_serializable("gradflow_tests")
    class Gated(keras.layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.gate = keras.layers.Dense(3, name="gate")

        def build(self, shape: Any) -> None:
            self.gate.build(shape)
            self.scale = self.add_weight(shape=(3,), name="scale_by")

        def call(self, x: Any) -> Any:
            return self.gate(x) * self.scale

    x = keras.Input((3,), name="x")
    frozen = Gated(name="frozen")
    y = frozen(Gated(name="free")(x))
    frozen.trainable = False
    return keras.Model(x, y, name="m")


def quantized(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((4,), dtype="int32", name="x")
    y = L.Dense(3, name="a", use_bias=False)(L.Embedding(9, 4, name="e")(x))
    model = keras.Model(x, L.Dense(2, name="b")(y), name="m")
    model.quantize("int8")
    return model


BUILDS: list[Build] = [
    frozen_submodel,
    frozen_functional_submodel,
    frozen_inner_layer,
    child_trains_under_a_frozen_parent,
    child_trains_under_a_frozen_sequential,
    whole_model_frozen,
    whole_model_frozen_but_a_child,
    whole_sequential_frozen_but_a_child,
    two_deep_frozen,
    normalizations,
    adapted_normalization,
    convolutions,
    recurrent,
    frozen_wrappers,
    attention,
    shared_layer,
    twin_towers,
    plain_sequential,
    compiled_and_fitted,
    half_precision,
    operations_between,
    custom_layer,
    quantized,
]


KERAS_CANNOT_LOAD = {  # Keras 3.15 writes these .h5 files and fails to read them
    (
        "child_trains_under_a_frozen_sequential",
        "h5",
    ): "the order of the weights depends on a flag that is not restored",
    ("half_precision", "h5"): "HDF5 has no bfloat16",
    ("operations_between", "h5"): "an operation is no layer",
    ("quantized", "h5"): "the policy of a quantized layer is not restored",
}


def cases() -> list[tuple[Build, str]]:
    every = [(build, suffix) for build in BUILDS for suffix in ("keras", "h5")]
    return [
        (build, suffix)
        for build, suffix in every
        if (build.__name__, suffix) not in KERAS_CANNOT_LOAD
    ]


def declared_states(model: Any) -> set[int]:
    """Variables that a layer declared non-trainable: Keras keeps them in a list of their own,
    whatever the flags."""
    return {id(v) for layer in model._flatten_layers() for v in layer._non_trainable_variables}


def outermost_frozen(layer: Any, variable: Any) -> str | None:
    """Walk down from ``layer`` to the variable and return the first layer whose flag is off."""
    if not any(variable is v for v in layer.weights):
        return None
    if not layer.trainable:
        return str(layer.name)
    return next(
        (
            name
            for inner in layer._layers
            if (name := outermost_frozen(inner, variable)) is not None
        ),
        None,
    )


Row = tuple[str, tuple[int, ...], str, str, bool, str | None]


def oracle(original: Any, loaded: Any) -> list[Any]:
    """What Keras says: flags after loading, and the layers that were frozen when the file was
    written."""
    states = declared_states(loaded)
    rows: list[Row] = []
    for before, after in zip(original.weights, loaded.weights, strict=True):
        assert before.shape == after.shape
        role = "state" if id(after) in states else "weight"
        trains = any(after is v for v in loaded.trainable_variables)
        by = outermost_frozen(original, before) if role == "weight" and not trains else None
        rows.append((after.path, tuple(after.shape), after.dtype, role, trains, by))
    return sorted(rows, key=repr)


def static(contents: KerasContents) -> list[Any]:
    rows: list[Any] = []
    for v in contents.variables:
        by = None if v.frozen_by is None else v.frozen_by.rpartition("/")[2]
        rows.append(
            (v.name, tuple(size or 0 for size in v.shape), v.dtype, v.role.value, v.trainable, by)
        )
    return sorted(rows, key=repr)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("build", "suffix"),
    [pytest.param(build, suffix, id=f"{build.__name__}-{suffix}") for build, suffix in cases()],
)
def test_the_static_reading_agrees_with_the_loaded_model(
    tmp_path: Path, build: Build, suffix: str
) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.clear_session()
    original = build(keras)
    path = tmp_path / f"m.{suffix}"
    original.save(path)
    loaded = keras.models.load_model(path, compile=False)
    contents = read_keras(recognise(path))
    expected, found = oracle(original, loaded), static(contents)
    if build is custom_layer:  # the file does not say what the class freezes
        assert all(one.has_open_flag for one in contents.variables if one.role is Role.WEIGHT)
        expected, found = [row[:4] for row in expected], [row[:4] for row in found]
    else:
        assert not any(one.has_open_flag for one in contents.variables)
    assert len({variable.name for variable in contents.variables}) == len(contents.variables)
    assert [row[1:] for row in sorted(found, key=lambda r: repr(r[1:]))] == [
        row[1:] for row in sorted(expected, key=lambda r: repr(r[1:]))
    ]
    paths = [row[0] for row in expected]
    # Keras forgets that layer's own name.
    if len(set(paths)) == len(paths) and build is not custom_layer:
        assert found == expected


def read_either(path: Path) -> KerasContents | SavedModelContents:
    file = recognise(path)
    return read_saved_model(file)[0] if path.is_dir() else read_keras(file)


def saved(tmp_path: Path, build: Build, suffix: str = "keras") -> KerasContents:
    keras = pytest.importorskip("keras")
    keras.utils.clear_session()
    path = tmp_path / f"m.{suffix}"
    build(keras).save(path)
    return read_keras(recognise(path))


@pytest.mark.tensorflow
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_weights_whose_freezing_keras_forgets_are_named(tmp_path: Path, suffix: str) -> None:
    contents = saved(tmp_path, attention, suffix)
    (doubt,) = contents.doubts
    assert doubt.kind is Doubt.FORGOTTEN
    assert set(doubt.variables) == {
        f"fz/{part}/kernel" for part in ("query", "key", "value", "attention_output")
    }
    assert all(variable.trainable for variable in contents.variables)


@pytest.mark.tensorflow
def test_deliberate_exceptions_from_freezing_are_not_called_forgotten(tmp_path: Path) -> None:
    doubts = saved(tmp_path, child_trains_under_a_frozen_parent).doubts
    assert [doubt.kind for doubt in doubts] == [Doubt.FROZEN_PARENT]


@pytest.mark.tensorflow
def test_the_kernel_under_a_lora_adapter_is_not_trainable(tmp_path: Path) -> None:
    def build(keras: Any) -> Any:
        model = plain_sequential(keras)
        model.layers[-1].enable_lora(1)
        return model

    flags = {
        v.name.rpartition("/")[2]: v.trainable
        for v in saved(tmp_path, build).variables
        if v.shape[-1] == 1
    }
    assert flags == {"kernel": False, "bias": True}


@pytest.mark.tensorflow
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_in_a_file_of_keras_2_a_frozen_wrapper_freezes_all_inside(
    tmp_path: Path, suffix: str
) -> None:
    keras2 = pytest.importorskip("tf_keras")

    def build(_: Any) -> Any:
        model = frozen_wrappers(keras2)
        model.get_layer("td").layer.trainable = True
        return model

    contents = saved(tmp_path, build, suffix)
    loaded = keras2.models.load_model(tmp_path / f"m.{suffix}", compile=False)
    assert not loaded.trainable_weights
    assert {variable.trainable for variable in contents.variables} == {False}
    assert {variable.frozen_by for variable in contents.variables} == {"bi", "td", "td2"}
    assert [doubt.kind for doubt in contents.doubts] == [Doubt.KERAS_3_TRAINS]
    assert [doubt.kind for doubt in contents.doubts_in_keras3] == [Doubt.FORGOTTEN]


@pytest.mark.tensorflow
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (True, False, Doubt.FROZEN_LATE),
        (False, True, Doubt.UNFROZEN_LATE),
        (False, False, None),
        (True, True, None),
    ],
)
def test_a_flag_that_was_set_after_compiling_is_told_by_the_optimizer(
    tmp_path: Path, before: bool, after: bool, kind: Doubt | None, optimizer: str, suffix: str
) -> None:
    def build(keras: Any) -> Any:
        L = keras.layers
        base = keras.Sequential([keras.Input((3,)), L.Dense(4, name="a")], name="base")
        x = keras.Input((3,))
        model = keras.Model(x, L.Dense(2, name="head")(base(x)))
        base.trainable = before
        model.compile(optimizer, "mse")
        model.optimizer.build(model.trainable_variables)
        base.trainable = after
        return model

    doubts = saved(tmp_path, build, suffix).doubts
    tells = optimizer != "sgd"  # without momentum it keeps nothing
    expected = [(kind, ["a/kernel", "a/bias"])] if kind and tells else []
    # An HDF5 file names the layers of a Sequential after it.
    told = [(one.kind, [name.removeprefix("base/") for name in one.variables]) for one in doubts]
    assert told == expected


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["m.keras", "m.h5", "m"])
@pytest.mark.parametrize("is_legacy", [False, True])
def test_slots_tell_which_layers_were_trained_where_shapes_are_alike(
    tmp_path: Path, kind: str, is_legacy: bool
) -> None:
    """The biases of two layers and both weights of the normalization have one shape; and Keras 2
    writes the optimizer as it was given to compile(), by its name."""
    keras2 = pytest.importorskip("tf_keras")
    L = keras2.layers
    weights = {layer: {f"{layer}/kernel", f"{layer}/bias"} for layer in ("a", "b")}

    def doubts(frozen_first: Sequence[str], frozen_last: Sequence[str]) -> dict[Doubt, set[str]]:
        keras2.backend.clear_session()
        model = keras2.Sequential(
            [
                keras2.Input((6,)),
                L.Dense(8, name="a"),
                L.Dense(4, name="b"),
                L.BatchNormalization(name="norm"),
                L.Dense(2, name="head"),
            ]
        )
        for layer in model.layers:
            layer.trainable = layer.name not in frozen_first
        optimizer = keras2.optimizers.legacy.RMSprop() if is_legacy else "rmsprop"
        model.compile(optimizer, "mse")
        if is_legacy:
            model.optimizer._create_all_weights(model.trainable_variables)
        else:
            model.optimizer.build(model.trainable_variables)
        for layer in model.layers:
            layer.trainable = layer.name not in frozen_last
        model.save(tmp_path / kind)
        contents = read_either(tmp_path / kind)
        late = (Doubt.FROZEN_LATE, Doubt.UNFROZEN_LATE)
        return {  # an HDF5 file names the layers of a Sequential after it
            one.kind: {name.removeprefix("sequential/") for name in one.variables}
            for one in contents.doubts
            if one.kind in late
        }

    if is_legacy and kind == "m.keras":
        assert doubts([], ["a"]) == {}  # this format keeps no slots of the older optimizers
        return
    # The older ones give no slot to a weight without gradient either.
    unfrozen = {} if is_legacy else {Doubt.UNFROZEN_LATE: weights["a"] | weights["b"]}
    assert doubts(["a", "b"], []) == unfrozen
    assert doubts([], ["a"]) == {Doubt.FROZEN_LATE: weights["a"]}
    swapped = {Doubt.FROZEN_LATE: weights["b"], Doubt.UNFROZEN_LATE: weights["a"]}
    assert doubts(["a"], ["b"]) == ({Doubt.FROZEN_LATE: weights["b"]} if is_legacy else swapped)
    assert doubts(["a"], ["a"]) == {}


def test_layers_of_like_shapes_leave_a_choice_and_nothing_is_told() -> None:
    shapes = Counter({(4, 4): 1, (4,): 1})
    layers = [(name, shapes) for name in "abc"]
    assert slots._only_cover(shapes, layers[:1]) == {"a"}
    assert slots._only_cover(shapes, layers) is None
    assert slots._only_cover(Counter({(5,): 1}), layers) is None
    many = [(str(number), Counter({(4,): 1})) for number in range(40)]
    assert slots._only_cover(Counter({(4,): 20}), many) is None
