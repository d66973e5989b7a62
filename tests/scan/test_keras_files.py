"""What does not belong into a Keras file is found: members, links, types and claims; a usual file
is let in."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gradflow.errors import UnreadableError
from tests.cli.command import SAMPLES, environment
from tests.scan.keras_files import FILES, archive, dense, h5, recognised, sentences, weights

LARGE = 1 << 29


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_usual_file_is_let_in(path: Path) -> None:
    assert sentences(path, is_trained=True) == []


def test_the_files_of_these_tests_are_let_in(tmp_path: Path) -> None:
    assert sentences(archive(tmp_path / "m.keras")) == []
    assert sentences(archive(tmp_path / "m.keras", packed=zipfile.ZIP_DEFLATED)) == []
    assert sentences(archive(tmp_path / "m.keras", {"assets/words/vocabulary.txt": b"a"})) == []
    assert sentences(h5(tmp_path / "m.h5")) == []


def test_it_takes_no_tensorflow() -> None:
    code = (
        "import sys; from gradflow.files.recognise import recognise; from gradflow.scan import "
        "scan\n"
        f"scan(recognise({str(SAMPLES / 'finetune.keras')!r}))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=environment(), check=False, timeout=60
        ).returncode
        == 0
    )


@pytest.mark.parametrize(
    "name", ["../x", "assets/../../x", "/etc/x", "C:\\x", "C:x", "assets\\..\\..\\x"]
)
def test_a_member_that_leads_out(name: str, tmp_path: Path) -> None:
    (hit,) = sentences(archive(tmp_path / "m.keras", {name: b""}))

    assert hit.startswith("member ")
    assert hit.endswith("(the archive): is written outside of the folder that it is unpacked to")


@pytest.mark.parametrize(
    "name", ["setup.py", "config.json.py", "model.weights.pkl", "CONFIG.JSON", "x/config.json"]
)
def test_a_member_that_is_no_part_of_a_model(name: str, tmp_path: Path) -> None:
    assert sentences(archive(tmp_path / "m.keras", {name: b""})) == [
        f"member {name!r} (the archive): is no part of a Keras model"
    ]


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as written:
        written.writestr(name, b"{}")

    assert sentences(path) == [
        f"member {name!r} (the archive): is there twice, and not every reader takes the same of "
        "the two"
    ]


def changed(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """A file with an asset whose entry in the archive was changed."""
    info = zipfile.ZipInfo("assets/x")
    change(info)
    with zipfile.ZipFile(archive(path), "a") as written:
        written.writestr(info, b"/etc/passwd")
    return path


def test_a_member_that_is_a_link(tmp_path: Path) -> None:
    path = changed(
        tmp_path / "m.keras", lambda info: setattr(info, "external_attr", 0o120777 << 16)
    )

    assert sentences(path) == [
        "member 'assets/x' (the archive): is a link to another place, whose file would be read"
    ]


def test_a_member_that_is_encrypted(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"assets/x": b"secret"})
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)

    assert "is encrypted" in sentences(path)[0]


def test_a_member_with_another_name_where_it_stands(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"assets/xx": b"secret"})
    path.write_bytes(path.read_bytes().replace(b"assets/xx", b"config.py", 1))

    assert "one name in its own header and another in the list" in sentences(path)[0]


def test_members_that_unpack_to_far_more(tmp_path: Path) -> None:
    for name, size, words in (
        ("config.json", 1 << 27, "unpacks to 128 MB, which is no configuration"),
        ("assets/x", 1 << 26, "bytes to 64 MB"),
    ):
        (hit,) = sentences(
            archive(tmp_path / "m.keras", {name: b" " * size}, packed=zipfile.ZIP_DEFLATED)
        )
        assert words in hit


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def raw_npz(header: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        written.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    return stream.getvalue()


def test_arrays_of_numbers_are_let_in(tmp_path: Path) -> None:
    arrays = npz(
        a=np.zeros((2, 3), "float32"),
        b=np.arange(4, dtype=">i8"),
        c=np.array(True),
        d=np.array(["x"]),
    )

    assert sentences(archive(tmp_path / "m.keras", {"model.weights.npz": arrays})) == []


@pytest.mark.parametrize(
    "arrays",
    [
        npz(a=np.array([{"x": 1}], dtype=object)),
        npz(a=np.zeros(2, dtype=[("a", "f4"), ("b", "O")])),
        *(
            raw_npz(
                f"{{{' ' * 5000}'descr': {kind}, 'fortran_order': False, "
                f"'shape': (1,), }}\n".encode()
            )
            for kind in ("'|O'", "'O8'", "'\\x4f'", "'object'", "[('a', 'O')]", "('O', (2,))")
        ),
        raw_npz(b"__import__('os')"),
        raw_npz(b"("),
    ],
)
def test_an_array_that_is_pickled(arrays: bytes, tmp_path: Path) -> None:
    (hit,) = sentences(archive(tmp_path / "m.keras", {"model.weights.npz": arrays}))

    assert hit.endswith(".npy' (model.weights.npz): is pickled, which runs any Python code")


def test_an_array_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    (hit,) = sentences(archive(tmp_path / "m.keras", {"model.weights.npz": raw_npz(header)}))

    assert "claims 1,000,000,000,000 numbers" in hit


def soft(file: h5py.File) -> None:
    file["strange"] = h5py.SoftLink("/layers")


def external(file: h5py.File) -> None:
    file["strange"] = h5py.ExternalLink("/etc/other.h5", "/x")


def dangling(file: h5py.File) -> None:
    file["strange"] = h5py.SoftLink("/nowhere")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file.create_virtual_dataset("strange", layout)


def elsewhere(file: h5py.File) -> None:
    file.create_dataset("strange", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def plugged(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(32008, h5py.h5z.FLAG_OPTIONAL)  # bitshuffle
    h5py.h5d.create(file.id, b"strange", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)


def fields(file: h5py.File) -> None:
    file["strange"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def arrays(file: h5py.File) -> None:
    file.create_dataset("strange", (2,), np.dtype(("f4", (3,))))
    h5py.h5d.create(
        file["/"].id,
        b"other",
        h5py.h5t.array_create(h5py.h5t.IEEE_F32LE, (3,)),
        h5py.h5s.create_simple((2,)),
    )
    del file["strange"]
    file.move("other", "strange")


def references(file: h5py.File) -> None:
    file.create_dataset("strange", data=file.ref, dtype=h5py.ref_dtype)


def ragged(file: h5py.File) -> None:
    file.create_dataset("strange", (2,), h5py.vlen_dtype("i4"))


def committed(file: h5py.File) -> None:
    file["strange"] = np.dtype("f4")


def claimed(file: h5py.File) -> None:
    file.create_dataset("strange", (LARGE,), "f4")


def squeezed(file: h5py.File) -> None:
    file.create_dataset("strange", (LARGE,), "f4", chunks=(1 << 20,), compression="gzip")


STRANGE = [
    *(
        (fill, "is a link to another place, whose data would be read")
        for fill in (soft, external, dangling)
    ),
    (virtual, "takes its data from other files"),
    (elsewhere, "keeps its data in another file"),
    (plugged, "is packed in a way that needs a plug-in (filter 32008)"),
    *((fill, "is of a type that no variable has") for fill in (fields, arrays, references, ragged)),
    (committed, "is a type by itself, which no Keras writes"),
    *((fill, "claims 2,048 MB that the file does not hold") for fill in (claimed, squeezed)),
]


@pytest.mark.parametrize(
    ("fill", "words"), STRANGE, ids=lambda value: getattr(value, "__name__", "")
)
def test_what_is_strange_about_hdf5(
    fill: Callable[[h5py.File], None], words: str, tmp_path: Path
) -> None:
    assert sentences(archive(tmp_path / "m.keras", {"model.weights.h5": weights(fill)})) == [
        f"'/strange' (model.weights.h5): {words}"
    ]
    assert sentences(h5(tmp_path / "m.h5", fill)) == [f"'/strange' (the file): {words}"]
    for name in ("variables.h5", "model_00001.weights.h5"):
        for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = archive(tmp_path / "other.keras", {name: weights(fill)}, packed=packed)
            assert f"'/strange' ({name}): {words}" in sentences(path)


def test_other_hdf5_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", {"variables.h5": weights()[:-600]})

    with pytest.raises(UnreadableError, match=r"variables\.h5: a (damaged|truncated) HDF5 file"):
        sentences(path)


def usual(file: h5py.File) -> None:
    file.create_dataset(
        "gzip", data=np.zeros(64), compression="gzip", shuffle=True, fletcher32=True
    )
    file.create_dataset("lzf", data=np.zeros(64), compression="lzf")
    file["again"] = file["gzip"]  # a hard link
    file["round"] = file["/"]
    file["texts"] = ["a", "b"]
    file["half"] = np.zeros(2, "f2")
    file["bfloat16"] = np.zeros(2, "V2")
    file["yes"] = np.array([True])
    file["none"] = h5py.Empty("f4")


def test_what_is_usual_about_hdf5(tmp_path: Path) -> None:
    assert sentences(archive(tmp_path / "m.keras", {"model.weights.h5": weights(usual)})) == []
    assert sentences(h5(tmp_path / "m.h5", usual)) == []


def test_groups_in_groups_without_end(tmp_path: Path) -> None:
    (hit,) = sentences(h5(tmp_path / "m.h5", lambda file: file.create_group("g/" * 300)))

    assert hit == "groups 200 levels deep (the file): take hours to read"


HUGE = [
    ("Dense", {"units": 10**9}),
    ("Embedding", {"input_dim": 10**6, "output_dim": 10**4}),
    ("LSTM", {"units": 10**5}),
    ("GRUCell", {"units": 10**5}),
    ("Conv2D", {"filters": 10**3, "kernel_size": [10**3, 10**3]}),
    ("DepthwiseConv1D", {"kernel_size": 10**9}),
    ("MultiHeadAttention", {"num_heads": 10**5, "key_dim": 10**5}),
]


@pytest.mark.parametrize(("kind", "settings"), HUGE)
def test_a_weight_that_the_file_does_not_hold(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    config = dense(
        planted={
            "class_name": kind,
            "module": "keras.layers",
            "config": {"name": "huge", **settings},
        }
    )
    for path in (
        archive(tmp_path / "m.keras", config=config),
        h5(tmp_path / "m.h5", config=config),
    ):
        (hit,) = sentences(path)
        assert hit.startswith("a weight of ")
        assert "(layer 'huge' of " in hit
    small = {key: [3, 3] if isinstance(value, list) else 3 for key, value in settings.items()}
    config = dense(
        planted={"class_name": kind, "module": "keras.layers", "config": {"name": "small", **small}}
    )
    assert sentences(h5(tmp_path / "m.h5", config=config)) == []


def test_a_large_weight_that_the_file_holds_is_let_in(tmp_path: Path) -> None:
    path = h5(tmp_path / "m.h5", config=dense(1 << 28))
    assert sentences(path) != []

    with h5py.File(path, "a") as file:
        # Takes no room on the disk while nothing is written.
        file.create_dataset("kernel", (1 << 28,), "i1")
    assert sentences(path) == []


BYTE_CODE = {"class_name": "__lambda__", "config": {"value": ["4w==", None, None]}}


def test_what_it_was_compiled_with_counts_where_it_is_read(tmp_path: Path) -> None:
    for path, place in (
        (
            archive(
                tmp_path / "m.keras", config={**dense(), "compile_config": {"loss": BYTE_CODE}}
            ),
            "compile_config",
        ),
        (
            h5(
                tmp_path / "m.h5",
                lambda file: file.attrs.update(training_config=json.dumps({"loss": BYTE_CODE})),
            ),
            "training_config",
        ),
    ):
        assert sentences(path) == []
        assert sentences(path, is_trained=True) == [
            f"a lambda as byte code ({place}): runs Python code that the file holds"
        ]


def test_what_a_model_inside_was_compiled_with_counts_always(tmp_path: Path) -> None:
    inner = {**dense(), "compile_config": {"loss": BYTE_CODE}}

    assert len(sentences(archive(tmp_path / "m.keras", config=dense(planted=inner)))) == 1


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b"[" * 200_000, b"1" * 10_000])
def test_a_damaged_configuration_is_told(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="the model configuration is n"):
        sentences(archive(tmp_path / "m.keras", {"config.json": text}))


def test_a_configuration_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = h5(tmp_path / "m.h5", lambda file: file.attrs.__setitem__("model_config", np.zeros(3)))

    with pytest.raises(UnreadableError, match="the model configuration is no text"):
        sentences(path)


def test_an_archive_without_a_configuration_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as written:
        written.writestr("metadata.json", b"{}")

    with pytest.raises(UnreadableError, match=r"lacks .*config\.json"):
        sentences(path)


def test_the_imports_reach_the_configuration(tmp_path: Path) -> None:
    mine = {"class_name": "Mine", "module": "code.layers", "config": {}, "registered_name": None}
    path = archive(tmp_path / "m.keras", config=dense(planted=mine))

    assert len(sentences(path)) == 1
    assert sentences(path, ("code",)) == []
    assert recognised(path).path == path
