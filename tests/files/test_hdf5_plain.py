"""The HDF5 files that are read without the library say what the library says; all others are left
to it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.files import hdf5
from gradflow.files.hdf5 import contents, dtype_of, list_attribute, shape_of, text_attribute
from gradflow.files.hdf5_plain import NotPlainError, PlainDataset, PlainGroup, read_plain
from gradflow.files.keras.reader import KerasContents, read_keras
from gradflow.files.model_file import ModelFile
from gradflow.files.recognise import recognise
from gradflow.scan.keras.scan import scan_keras
from tests.cli.command import ROOT, SAMPLES
from tests.examples import examples

_SHARED = ROOT.parent / "shared" / "models"
KERAS_FILES = sorted(
    path
    for folder in (SAMPLES, _SHARED)
    for pattern in ("*.keras", "*.h5", "*.hdf5")
    for path in (folder.rglob(pattern) if folder.is_dir() else ())
    if path.stat().st_size > 1000 and not re.search("renamed|weights_only", str(path))
)
ATTRIBUTES = ("name", "dtype", "keras_version", "backend", "model_config", "training_config")
LISTS = ("layer_names", "weight_names")


def _weights(path: Path) -> bytes:
    if path.suffix != ".keras":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read("model.weights.h5")


def _said(root: Any) -> list[object]:
    """All that gradflow asks of a file, in the order in which it is told."""
    groups, datasets = contents(root)
    said: list[object] = [groups, list(root), *_texts(root)]
    for path, dataset in datasets:
        said.append((path, shape_of(dataset), dtype_of(dataset)))
        said += [*_texts(dataset), *_texts(dataset.parent)]
    return said


def _texts(item: Any) -> list[object]:
    return [
        sorted(item.attrs),
        *(text_attribute(item, name) for name in ATTRIBUTES),
        *(list_attribute(item, name) for name in LISTS),
    ]


@pytest.mark.parametrize("path", KERAS_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_keras_says_the_same(path: Path) -> None:
    data = io.BytesIO(_weights(path))
    plain = read_plain(data)
    with h5py.File(data, "r") as library:
        assert _said(plain) == _said(library)


@pytest.mark.parametrize("path", KERAS_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_reading_and_the_scan_are_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> tuple[object, object]:
        with recognise(str(path)) as file:
            return _comparable(file), scan_keras(file, ())

    without_library = read()
    monkeypatch.setattr(hdf5, "_plain", lambda _: None)

    assert read() == without_library


def _comparable(file: ModelFile) -> tuple[object, ...]:
    contents: KerasContents = read_keras(file)
    places = {name: (layer.path, below) for name, (layer, below) in contents.places.items()}
    return (replace(contents, model=None, places={}), places)  # type: ignore[arg-type]


def _made(write: Callable[[h5py.File], None], **options: Any) -> io.BytesIO:
    data = io.BytesIO()
    with h5py.File(data, "w", **options) as file:
        write(file)
    return data


def test_many_members_make_a_tree_of_several_levels() -> None:
    def write(file: h5py.File) -> None:
        for number in range(3000):
            file.create_group(f"layer_{number * 7919 % 3000}").attrs["name"] = f"ä{number}"

    data = _made(write)

    with h5py.File(data, "r") as library:
        assert _said(read_plain(data)) == _said(library)


@settings(max_examples=examples(50))
@given(
    st.recursive(
        st.tuples(
            st.sampled_from(["float16", "float32", "float64", "int8", "uint32", "int64", "uint8"]),
            st.lists(st.integers(0, 3), max_size=4),
        ),
        lambda inner: st.dictionaries(st.text("abc_0 :\\", min_size=1, max_size=9), inner),
        max_leaves=30,
    ),
    st.dictionaries(
        st.sampled_from([*ATTRIBUTES, "layer_names", "weight_names", "size"]),
        st.one_of(st.text("aé€\n{}", max_size=300), st.lists(st.text("abcé"), max_size=4)),
    ),
)
def test_random_files_say_the_same(tree: Any, attributes: dict[str, Any]) -> None:
    def fill(group: h5py.Group, inside: Any) -> None:
        for name, value in attributes.items():
            is_list = name in (*LISTS, "size")
            if isinstance(value, list) == is_list:
                group.attrs[name] = value
        for name, item in inside.items() if isinstance(inside, dict) else ():
            if isinstance(item, dict):
                fill(group.create_group(name), item)
            else:
                group[name] = np.zeros(item[1], item[0])

    data = _made(lambda file: fill(file, {"top": tree}))

    with h5py.File(data, "r") as library:
        assert _said(read_plain(data)) == _said(library)


def _linked_twice(file: h5py.File) -> None:
    file["a"] = [1.0]
    file["b"] = file["a"]


def _on_a_circle(file: h5py.File) -> None:
    file.create_group("a")["back"] = file


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
    file.create_virtual_dataset("x", layout)


STRANGE: dict[str, Callable[[h5py.File], Any]] = {
    "a soft link": lambda file: file.__setitem__("a", h5py.SoftLink("/b")),
    "a link to another file": lambda file: file.__setitem__("a", h5py.ExternalLink("b.h5", "/")),
    "two names": _linked_twice,
    "a circle": _on_a_circle,
    "chunks": lambda file: file.create_dataset("a", (8,), chunks=(4,)),
    "a filter": lambda file: file.create_dataset("a", (8,), compression="gzip"),
    "data in another file": lambda file: file.create_dataset(
        "a", (8,), external=[("raw.bin", 0, 64)]
    ),
    "virtual data": _virtual,
    "data that was never written": lambda file: file.create_dataset("a", (1 << 40,), "f4"),
    "a type by itself": lambda file: file.__setitem__("a", np.dtype("f4")),
    "fields": lambda file: file.create_dataset("a", (1,), [("x", "f4"), ("y", "f4")]),
    "texts as data": lambda file: file.create_dataset("a", data=["text"]),
    "references": lambda file: file.create_dataset("a", (1,), h5py.ref_dtype),
    "big-endian numbers": lambda file: file.create_dataset("a", data=np.zeros(1, ">f4")),
    "no space": lambda file: file.create_dataset("a", data=h5py.Empty("f4")),
    "a text that is a list": lambda file: file.attrs.__setitem__("model_config", ["a"]),
    "a reference in an attribute": lambda file: file.attrs.__setitem__("a", file.ref),
    "groups in groups": lambda file: file.create_group("/".join("a" * 60)),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_strange_is_left_to_the_library(what: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "strange.h5", "w") as file:
        STRANGE[what](file)

    with (tmp_path / "strange.h5").open("rb") as data, pytest.raises(NotPlainError):
        read_plain(data)


@pytest.mark.parametrize("options", [{"libver": "latest"}, {"userblock_size": 512}])
def test_another_form_is_left_to_the_library(options: dict[str, Any], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w", **options) as file:
        file["a"] = [1.0]

    with (tmp_path / "other.h5").open("rb") as data, pytest.raises(NotPlainError):
        read_plain(data)


_WHOLE = _weights(SAMPLES / "finetune.keras")


@given(st.integers(0, len(_WHOLE) - 1))
def test_a_file_that_is_cut_short_is_left_to_the_library(length: int) -> None:
    with pytest.raises(NotPlainError):
        read_plain(io.BytesIO(_WHOLE[:length]))


@given(st.lists(st.tuples(st.integers(0, len(_WHOLE) - 1), st.integers(0, 255)), min_size=1))
def test_an_altered_file_is_read_or_left(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_WHOLE)
    for place, value in changes:
        data[place] = value
    try:
        root = read_plain(io.BytesIO(data))
    except NotPlainError:
        return
    waiting: list[Any] = [root]
    while waiting:  # a tree, without an end missing
        item = waiting.pop()
        assert isinstance(item, PlainGroup | PlainDataset)
        waiting += item.members.values() if isinstance(item, PlainGroup) else ()


@pytest.mark.parametrize("address", [2**63, 2**64 - 2, len(_WHOLE), 8])
def test_an_address_out_of_the_file_is_left_to_the_library(address: int) -> None:
    data = bytearray(_WHOLE)
    data[64:72] = address.to_bytes(8, "little")  # of the root's header

    with pytest.raises(NotPlainError):
        read_plain(io.BytesIO(data))


def test_an_entry_that_contradicts_its_group_is_left_to_the_library() -> None:
    """The library goes by what the entry repeats: there it would find other members."""
    data = bytearray(_WHOLE)
    tree = int.from_bytes(data[80:88], "little")
    data[80:88] = (tree + 8).to_bytes(8, "little")

    with pytest.raises(NotPlainError):
        read_plain(io.BytesIO(data))
