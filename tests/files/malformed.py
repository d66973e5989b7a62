"""Damage a whole sample model in one of several named ways, and write it below a folder."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from gradflow.files.saved_model.schema import message

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
Make = Callable[[Path], Path]
BIDI, ESCAPE, MARKUP = (
    "\u202egpj.exe",
    "\x1b[31mred\x1b]0;title\x07",
    "<script>alert(1)</script>[bold]::error::x",
)
STRANGE = (BIDI, ESCAPE, MARKUP)


# ---------------------------------------------------------------- SavedModel


def folder(at: Path) -> Path:
    """A sound SavedModel below ``at``."""
    return Path(shutil.copytree(SAMPLES / "argmax_saved_model", at / "model"))


def graph(change: Callable[[Any], object]) -> Make:
    """A SavedModel whose message was changed."""

    def make(at: Path) -> Path:
        model = folder(at)
        saved = message("SavedModel")()
        saved.ParseFromString((model / "saved_model.pb").read_bytes())
        change(saved)
        (model / "saved_model.pb").write_bytes(saved.SerializeToString())
        return model

    return make


def part(name: str, change: Callable[[bytes], bytes | None]) -> Make:
    """A SavedModel one of whose files was changed, or taken away."""

    def make(at: Path) -> Path:
        model = folder(at)
        content = change((model / name).read_bytes())
        (model / name).unlink()
        if content is not None:
            (model / name).write_bytes(content)
        return model

    return make


def as_folder(name: str) -> Make:
    """A SavedModel with a folder where a file should be."""

    def make(at: Path) -> Path:
        model = folder(at)
        (model / name).unlink()
        (model / name).mkdir()
        return model

    return make


def _nodes(saved: Any) -> Any:
    return saved.meta_graphs[0].object_graph_def.nodes


def _library(saved: Any) -> Any:
    return saved.meta_graphs[0].graph_def.library.function


def _children_in_a_circle(saved: Any) -> None:
    for node in _nodes(saved):
        if node.user_object.identifier == "_generic_user_object":
            node.children.add(node_id=0, local_name="again")


def _child_beyond(saved: Any) -> None:
    _nodes(saved)[0].children.add(node_id=10**6, local_name="beyond")


def _calls(saved: Any, names: list[str], last: str) -> None:
    """Functions each of which calls the next, and the last one ``last``."""
    library = _library(saved)
    for name, called in zip(names, [*names[1:], last], strict=True):
        function = library.add()
        function.signature.name = name
        node = function.node_def.add(name="call", op="PartitionedCall")
        node.attr["f"].func.name = called
    caller = next(one for one in library if one.node_def)
    caller.node_def.add(name="to_deep", op="PartitionedCall").attr["f"].func.name = names[0]


def _shape(*sizes: int) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        for node in _nodes(saved):
            if node.HasField("variable"):
                del node.variable.shape.dim[:]
                for size in sizes:
                    node.variable.shape.dim.add(size=size)

    return change


def _variable_name(name: str) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        for node in _nodes(saved):
            if node.HasField("variable"):
                node.variable.name = name

    return change


def _deep_structure(saved: Any) -> None:
    for function in saved.meta_graphs[0].object_graph_def.concrete_functions.values():
        value = function.output_signature
        for _ in range(40):
            value = value.list_value.values.add()


def _nested_messages(depth: int) -> Callable[[bytes], bytes]:
    """A signature in which a list holds a list, written by hand: no library writes it so deep."""

    def change(data: bytes) -> bytes:
        value = b""
        for _ in range(depth):
            value = _field(51, _field(1, value))
        function = _field(1, b"f") + _field(2, _field(4, value))
        return data + _field(2, _field(7, _field(2, function)))

    return change


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def _non_utf_8(data: bytes) -> bytes:
    return data.replace(b"serving_default", b"serving_\xff\xfe_ault")


def _schema(number: int) -> Callable[[Any], None]:
    return lambda saved: setattr(saved, "saved_model_schema_version", number)


def _no_nodes(saved: Any) -> None:
    for function in _library(saved):
        del function.node_def[:]


def _no_library(saved: Any) -> None:
    del _library(saved)[:]


def _min_consumer(saved: Any) -> None:
    """Ask for a reader of the year 3000, in a VersionDef, which gradflow's own messages do not
    name."""
    versions = b"\x08" + _varint(99999) + b"\x10" + _varint(99999)
    saved.meta_graphs[0].graph_def.MergeFromString(_field(4, versions))


SAVED_MODELS: Mapping[str, Make] = MappingProxyType(
    {
        "pb empty": part("saved_model.pb", lambda _: b""),
        "pb cut": part("saved_model.pb", lambda data: data[: len(data) // 2]),
        "pb cut by one byte": part("saved_model.pb", lambda data: data[:-1]),
        "pb of two bytes": part("saved_model.pb", lambda data: data[:2]),
        "pb as text": part(
            "saved_model.pb", lambda _: b"saved_model_schema_version: 1\nmeta_graphs {\n}\n"
        ),
        "pb of zeros": part("saved_model.pb", lambda data: bytes(len(data))),
        "pb is hdf5": part("saved_model.pb", lambda _: (SAMPLES / "argmax.h5").read_bytes()),
        "pb is zip": part("saved_model.pb", lambda _: (SAMPLES / "argmax.keras").read_bytes()),
        "pb is html": part("saved_model.pb", lambda _: b"<!DOCTYPE html><html>Not Found</html>"),
        "pb is folder": as_folder("saved_model.pb"),
        "no graph": graph(lambda saved: saved.meta_graphs.pop()),
        "schema 99": graph(_schema(99)),
        "min consumer": graph(_min_consumer),
        "no library": graph(_no_library),
        "no nodes": graph(_no_nodes),
        "circle of objects": graph(_children_in_a_circle),
        "object that is not there": graph(_child_beyond),
        "function calls itself": graph(lambda saved: _calls(saved, ["again"], "again")),
        "functions in a circle": graph(lambda saved: _calls(saved, ["a", "b", "c"], "a")),
        "function that is not there": graph(lambda saved: _calls(saved, ["a"], "nowhere")),
        "nested functions": graph(
            lambda saved: _calls(saved, [f"f{i}" for i in range(2000)], "f1999")
        ),
        "structure": graph(_deep_structure),
        "nested messages": part("saved_model.pb", _nested_messages(20_000)),
        "huge shape": graph(_shape(1 << 40, 1 << 40)),
        "negative shape": graph(_shape(-7)),
        "bidi name": graph(_variable_name(BIDI)),
        "escape name": graph(_variable_name(ESCAPE)),
        "markup name": graph(_variable_name(MARKUP)),
        "nul name": graph(_variable_name("a\0b")),
        "non utf-8": part("saved_model.pb", _non_utf_8),
        "index empty": part("variables/variables.index", lambda _: b""),
        "index cut": part("variables/variables.index", lambda data: data[:-20]),
        "index missing": part("variables/variables.index", lambda _: None),
        "index bit": part(
            "variables/variables.index", lambda data: data[:30] + bytes([data[30] ^ 4]) + data[31:]
        ),
        "index is text": part("variables/variables.index", lambda _: b"hello\n" * 20),
        "index is folder": as_folder("variables/variables.index"),
        "data missing": part("variables/variables.data-00000-of-00001", lambda _: None),
        "data cut": part(
            "variables/variables.data-00000-of-00001", lambda data: data[: len(data) // 2]
        ),
        "data empty": part("variables/variables.data-00000-of-00001", lambda _: b""),
        "data bit": part(
            "variables/variables.data-00000-of-00001", lambda data: bytes([data[0] ^ 64]) + data[1:]
        ),
        "data is folder": as_folder("variables/variables.data-00000-of-00001"),
    }
)


# ---------------------------------------------------------------- .keras


def _members() -> dict[str, bytes]:
    with zipfile.ZipFile(SAMPLES / "argmax.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archive(**changed: bytes | None) -> Make:
    """A ``.keras`` file with other members; ``_dot_`` stands for a dot."""

    def make(at: Path) -> Path:
        members: dict[str, bytes | None] = {**_members()}
        members |= {name.replace("_dot_", "."): content for name, content in changed.items()}
        return _file(
            at, ".keras", _packed({name: one for name, one in members.items() if one is not None})
        )

    return make


def _file(at: Path, suffix: str, content: bytes) -> Path:
    path = at / f"model{suffix}"
    path.write_bytes(content)
    return path


def raw(suffix: str, change: Callable[[bytes], bytes], source: str = "") -> Make:
    """The bytes of a sample, changed, under a suffix."""
    return lambda at: _file(
        at, suffix, change((SAMPLES / f"argmax{source or suffix}").read_bytes())
    )


def config(change: Callable[[dict[str, Any]], object]) -> Make:
    """A ``.keras`` file with a changed configuration."""

    def make(at: Path) -> Path:
        found = json.loads(_members()["config.json"])
        change(found)
        return archive(config_dot_json=json.dumps(found).encode())(at)

    return make


def _layer_name(name: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        text = json.dumps(found["config"])
        old = found["config"]["layers"][-1]["config"]["name"]
        found["config"] = json.loads(text.replace(json.dumps(old), json.dumps(name)))

    return change


def _wrapped(depth: int) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        layer = found["config"]["layers"][-1]
        for _ in range(depth):
            inner = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
            layer["config"]["layer"] = {
                "class_name": "TimeDistributed",
                "config": {"name": "t", "layer": inner},
            }
            layer = layer["config"]["layer"]

    return change


def _wrong_crc(data: bytes) -> bytes:
    """A byte of config.json is another than its checksum was made of."""
    at = data.index(b'"module"')
    return data[: at + 1] + b"M" + data[at + 2 :]


def _weights(change: Callable[[Any], object]) -> Make:
    def make(at: Path) -> Path:
        buffer = io.BytesIO(_members()["model.weights.h5"])
        with h5py.File(buffer, "a") as file:
            change(file)
        return archive(**{"model.weights_dot_h5": buffer.getvalue()})(at)

    return make


def _endless_group(file: Any) -> None:
    file["layers/again"] = file["layers"]


def _deep_groups(file: Any) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("g")
    group["vars/0"] = [1.0]


def _huge(file: Any) -> None:
    file.create_dataset(
        "layers/huge/vars/0", shape=(1 << 40, 1 << 20), dtype="f4", chunks=(1, 1024)
    )


KERAS_FILES: Mapping[str, Make] = MappingProxyType(
    {
        "empty": raw(".keras", lambda _: b""),
        "cut at half": raw(".keras", lambda data: data[: len(data) // 2]),
        "cut in the directory": raw(".keras", lambda data: data[:-30]),
        "cut by one byte": raw(".keras", lambda data: data[:-1]),
        "cut at the head": raw(".keras", lambda data: data[:10]),
        "is hdf5": raw(".keras", bytes, ".h5"),
        "is text": raw(".keras", lambda _: b"hello\n"),
        "is zip": raw(".h5", bytes, ".keras"),
        "wrong suffix": raw(".pb", bytes, ".keras"),
        "crc": raw(".keras", _wrong_crc),
        "no config": archive(config_dot_json=None),
        "no metadata": archive(metadata_dot_json=None),
        "no weights": archive(**{"model.weights_dot_h5": None}),
        "empty config": archive(config_dot_json=b""),
        "empty weights": archive(**{"model.weights_dot_h5": b""}),
        "weights cut": archive(**{"model.weights_dot_h5": _members()["model.weights.h5"][:3000]}),
        "weights are text": archive(**{"model.weights_dot_h5": b"hello\n" * 400}),
        "config is a list": archive(config_dot_json=b"[]"),
        "config is a number": archive(config_dot_json=b"1"),
        "config is null": archive(config_dot_json=b"null"),
        "config is no json": archive(config_dot_json=b"{'a': 1}"),
        "config is utf-16": archive(config_dot_json='{"a": 1}'.encode("utf-16")),
        "config is not utf-8": archive(
            config_dot_json=_members()["config.json"].replace(b"functional", b"f\xff\xfenal")
        ),
        "config of digits": archive(config_dot_json=b"1" * 10_000),
        "deep json": archive(config_dot_json=b"[" * 100_000 + b"]" * 100_000),
        "deep objects": archive(config_dot_json=b'{"config":' * 100_000 + b"1" + b"}" * 100_000),
        "deep layers": config(_wrapped(300)),
        "layers is a number": config(lambda found: found["config"].update(layers=7)),
        "layers is null": config(lambda found: found["config"].update(layers=None)),
        "no class": config(lambda found: found.pop("class_name")),
        "no inner config": config(lambda found: found.pop("config")),
        "metadata is no json": archive(metadata_dot_json=b"\xff"),
        "version 99": archive(metadata_dot_json=b'{"keras_version": "99.0.0"}'),
        "version of markup": archive(
            metadata_dot_json=json.dumps({"keras_version": ESCAPE + MARKUP}).encode()
        ),
        "bidi name": config(_layer_name(BIDI)),
        "escape name": config(_layer_name(ESCAPE)),
        "markup name": config(_layer_name(MARKUP)),
        "nul name": config(_layer_name("a\0b")),
        "surrogate name": config(_layer_name("\udcff")),
        "units huge": config(
            lambda found: found["config"]["layers"][-1]["config"].update(units=1 << 40)
        ),
        "units negative": config(
            lambda found: found["config"]["layers"][-1]["config"].update(units=-1)
        ),
        "units text": config(
            lambda found: found["config"]["layers"][-1]["config"].update(units="many")
        ),
        "circle of groups": _weights(_endless_group),
        "deep groups": _weights(_deep_groups),
        "huge dataset": _weights(_huge),
        "weights of a strange name": archive(
            **{"model.weights_dot_h5": None, "model.weights" + ESCAPE: b"x"}
        ),
        "member of a strange name": archive(**{ESCAPE: b"x"}),
    }
)


# ---------------------------------------------------------------- .h5


def hdf5(change: Callable[[Any], object]) -> Make:
    """An HDF5 model that was changed."""

    def make(at: Path) -> Path:
        path = raw(".h5", bytes)(at)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def attribute(name: str, value: Any) -> Make:
    return hdf5(lambda file: file.attrs.__setitem__(name, value))


def _drop(place: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[place]

    return change


def _drop_attribute(name: str) -> Callable[[Any], None]:
    return lambda file: file.attrs.__delitem__(name)


def _endless_model(file: Any) -> None:
    for group in file["model_weights"].values():
        group["again"] = file["model_weights"]


def _strange_weights(name: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        weights = file["model_weights"]
        for layer in list(weights):
            names = weights[layer].attrs.get("weight_names", [])
            if len(names):
                strange = name.encode("utf-8", "surrogateescape")
                weights[layer].attrs["weight_names"] = np.array(
                    [strange, *list(names)[1:]], h5py.string_dtype()
                )

    return change


H5_FILES: Mapping[str, Make] = MappingProxyType(
    {
        "empty": raw(".h5", lambda _: b""),
        "signature": raw(".h5", lambda data: data[:8]),
        "superblock": raw(".h5", lambda data: data[:96]),
        "cut at half": raw(".h5", lambda data: data[: len(data) // 2]),
        "cut by one byte": raw(".h5", lambda data: data[:-1]),
        "zeros": raw(".h5", lambda data: bytes(len(data))),
        "zeros after the signature": raw(".h5", lambda data: data[:8] + bytes(len(data) - 8)),
        "version of the superblock": raw(".h5", lambda data: data[:8] + b"\x63" + data[9:]),
        "saved model as h5": lambda at: _file(
            at, ".h5", (SAMPLES / "argmax_saved_model/saved_model.pb").read_bytes()
        ),
        "folder": lambda at: _empty(at / "model.h5"),
        "no config": hdf5(_drop_attribute("model_config")),
        "no weights": hdf5(_drop("model_weights")),
        "config empty": attribute("model_config", ""),
        "config no json": attribute("model_config", "{'a': 1}"),
        "config is a number": attribute("model_config", 7),
        "config is a list": attribute("model_config", "[]"),
        "config of bytes": attribute("model_config", b"\xff\xfe{}"),
        "version 99": attribute("keras_version", "99.0"),
        "version of markup": attribute("keras_version", ESCAPE + MARKUP),
        "version not utf-8": attribute("keras_version", b"\xff\xfe"),
        "layer names are numbers": hdf5(
            lambda file: file["model_weights"].attrs.__setitem__("layer_names", [1, 2])
        ),
        "layer that is not there": hdf5(
            lambda file: file["model_weights"].attrs.__setitem__("layer_names", [b"no"])
        ),
        "weights is a dataset": hdf5(
            lambda file: (_drop("model_weights")(file), file.__setitem__("model_weights", 1))
        ),
        "circle of groups": hdf5(_endless_model),
        "deep groups": hdf5(_deep_groups),
        "huge dataset": hdf5(_huge),
        "weight that is not there": hdf5(_strange_weights("nowhere")),
        "bidi weight": hdf5(_strange_weights(BIDI)),
        "escape weight": hdf5(_strange_weights(ESCAPE)),
        "weight not utf-8": hdf5(_strange_weights("\udcff")),
    }
)


def _empty(at: Path) -> Path:
    at.mkdir()
    return at


ALL: Mapping[str, Make] = MappingProxyType(
    {
        f"{kind}: {name}": make
        for kind, made in (("saved_model", SAVED_MODELS), ("keras", KERAS_FILES), ("h5", H5_FILES))
        for name, make in made.items()
    }
)
