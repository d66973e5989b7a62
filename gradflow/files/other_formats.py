"""Say what a file is that gradflow does not read, by its first bytes, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from gradflow.errors import FETCH_AGAIN
from gradflow.files.varint import read_varint
from gradflow.text import shown

LFS_HINT = "fetch the real file: git lfs pull"
_TORCH = "is a PyTorch file"
_TORCH_HINT = "gradflow reads Keras and TensorFlow models only"
_EXPORTED = "is made for inference: nothing in it can be trained"
_MODEL_HINT = "give the model that it was made from, as .keras or SavedModel"
_WEIGHTS_HINT = "save the whole model: model.save('model.keras')"
_CONFIGURATION = ("is a configuration of gradflow", "give it with -c, as in gradflow audit -c FILE")
_MAX_JSON = 1 << 26
_MAX_GRAPH = 1 << 28

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (4, b"TFL3", f"is a TensorFlow Lite model, which {_EXPORTED}", _MODEL_HINT),
    (0, b"\x93NUMPY", "is a NumPy array", ""),
    (0, b"\x1f\x8b", "is a gzip archive", "unpack it and give what is inside"),
    (0, b"BZh", "is a bzip2 archive", "unpack it and give what is inside"),
    (0, b"\xfd7zXZ\x00", "is an xz archive", "unpack it and give what is inside"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it and give what is inside"),
    (0, b"(\xb5/\xfd", "is a zstd archive", "unpack it and give what is inside"),
    (257, b"ustar", "is a tar archive", "unpack it and give what is inside"),
    (0, b"GGUF", "is a GGUF model", _TORCH_HINT),
    (0, b"ggml", "is a GGML model", _TORCH_HINT),
    (0, b"\x7fELF", "is a program", ""),
    (0, b"%PDF", "is a PDF document", ""),
    (0, b"\x89PNG", "is an image", ""),
)


def is_lfs_pointer(head: bytes) -> bool:
    """Return whether a file's first bytes are those of a Git LFS pointer."""
    return head.startswith(b"version https://git-lfs.github.com/spec/")


def foreign(path: Path, head: bytes) -> tuple[str, str]:
    """Return what the file is, and a hint (empty where there is nothing special to say)."""
    for offset, magic, description, hint in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return description, hint
    name = path.name.lower()
    if _is_safetensors(head):
        return "is a safetensors file: weights, no architecture", _TORCH_HINT
    if head[:1] == b"\x80" and len(head) > 1 and 2 <= head[1] <= 5:
        return _pickle(name, head)
    if name.endswith(".joblib") or head[:2] in (b"x\x9c", b"x\x01", b"x\xda"):
        return (
            "is a joblib or zlib file",
            "gradflow never unpickles; save the model with model.save('model.keras')",
        )
    text = _text(path, head)
    if text is not None:
        return text
    return _protobuf(path, head)


def is_keras_archive(names: Collection[str]) -> bool:
    """Return whether files of those names, in an archive or a folder, are those of a ``.keras``
    file."""
    return "config.json" in names and (
        "metadata.json" in names or any(name.startswith("model.weights") for name in names)
    )


def foreign_zip(names: Sequence[str]) -> tuple[str, str]:
    """Return what a zip archive is whose members have those ``names``, and a hint."""
    last = {name.rpartition("/")[2] for name in names}
    if not names:
        return "is an empty zip file", _WEIGHTS_HINT
    if "data.pkl" in last or "constants.pkl" in last:
        return f"{_TORCH} (a zip with data.pkl)", _TORCH_HINT
    if all(name.endswith(".npy") for name in names):
        return "is a NumPy .npz file: arrays, no architecture", _WEIGHTS_HINT
    if "saved_model.pb" in last:
        return "is a zipped SavedModel", "unpack it and give the folder that holds saved_model.pb"
    if {"config.json", "metadata.json"} <= last:
        return (
            "is a zip around an unpacked .keras file",
            "pack config.json, metadata.json and model.weights.h5 at the top",
        )
    if "model.weights.h5" in names:
        return (
            "is a .keras file without its config.json, which holds the architecture",
            _WEIGHTS_HINT,
        )
    inner = next((name for name in names if name.endswith((".keras", ".h5", ".hdf5"))), None)
    if inner is not None:
        return f"is a zip that holds {shown(inner)}", "unpack it and give that file"
    return (
        f"is a zip file, but no .keras file (no config.json; it holds {shown(names[0])})",
        _WEIGHTS_HINT,
    )


def _is_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return (
        len(head) > 9 and head[8:9] == b"{" and 2 <= length < 1 << 32 and head[9:10] in (b'"', b"}")
    )


def _pickle(name: str, head: bytes) -> tuple[str, str]:
    torch = name.endswith((".pt", ".pth")) or b"torch" in head
    joblib = name.endswith(".joblib") or b"joblib" in head
    if torch:
        return f"{_TORCH} (a pickle)", _TORCH_HINT
    description = "is a joblib file (a pickle)" if joblib else "is a Python pickle"
    return description, "gradflow never unpickles; save the model with model.save('model.keras')"


def _text(path: Path, head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    json_text = _json(path) if start[:1] in (b"{", b"[", b'"') else None
    if json_text is not None:
        return json_text
    if start[:15].lower().startswith((b"<!doctype", b"<html")):
        return (
            "is an HTML page",
            "the download failed: fetch the file itself, not the page that shows it",
        )
    if b"\x00" in head or any(byte < 9 or 13 < byte < 32 for byte in head):
        return None
    try:
        head[:-4].decode("utf-8")
    except UnicodeDecodeError as error:
        # The cut at the end may fall inside a character.
        if error.start < len(head) - 8:
            return None
    if start.startswith((b"class_name:", b"backend:")) or b"\nclass_name:" in head:
        return "is an architecture in YAML, without weights", _WEIGHTS_HINT
    if any(line.startswith((b"models:", b"[tool.gradflow")) for line in head.splitlines()):
        return _CONFIGURATION
    return "is a text file", ""


def _json(path: Path) -> tuple[str, str] | None:
    if path.stat().st_size > _MAX_JSON:
        return "is a large JSON file", ""
    try:
        value = json.loads(path.read_bytes())
        # Json.dump(model.to_json(), file).
        value = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    keys = set(value) if isinstance(value, dict) else set()
    if keys & {"modelTopology", "weightsManifest"}:
        return (
            "is a TensorFlow.js model",
            "convert it back with tensorflowjs_converter, or give the original model",
        )
    if {"class_name", "config"} <= keys:
        return "is an architecture in JSON (model.to_json()), without weights", _WEIGHTS_HINT
    if "models" in keys and "tool" not in keys:  # with it, it is a report
        return _CONFIGURATION
    return "is a JSON file", ""


def _protobuf(path: Path, head: bytes) -> tuple[str, str]:
    name = path.name.lower()
    # ModelProto of ONNX: ir_version (field 1, varint), then producer_name or a later field;
    # SavedModel has the same shape: schema version 1, then a MetaGraphDef (field 2, some kB) that
    # starts with its own field 1.
    saved_model = head[:3] == b"\x08\x01\x12" and not name.endswith(".onnx")
    if saved_model:
        return (
            "is the graph of a SavedModel under another name",
            "name it saved_model.pb, next to its variables folder",
        )
    if name.endswith(".onnx") or (
        head[:1] == b"\x08" and 3 <= _byte(head, 1) <= 20 and _byte(head, 2) in (0x12, 0x3A)
    ):
        return f"is an ONNX model, which {_EXPORTED}", _MODEL_HINT
    if _is_graph_def(head):
        return _graph_def(path)
    if name.endswith((".pb", ".pbtxt")):
        return (
            "is no SavedModel (not a graph that gradflow knows)",
            "give the folder that holds saved_model.pb",
        )
    if name.endswith((".keras", ".h5", ".hdf5")):
        return (
            "is no Keras file: neither a zip archive nor HDF5",
            FETCH_AGAIN,
        )
    return "is in a format that gradflow does not know", ""


def _graph_def(path: Path) -> tuple[str, str]:
    if path.stat().st_size <= _MAX_GRAPH and any(
        op in path.read_bytes() for op in (b"VariableV2", b"VarHandleOp")
    ):
        return (
            "is a bare graph (GraphDef) without the values of its variables",
            "give the SavedModel or .keras file",
        )
    description = (
        "is a frozen graph (GraphDef): it holds constants and no variables, nothing in it can "
        "be trained"
    )
    return description, "give the model from before freezing, as .keras or SavedModel"


def _byte(head: bytes, index: int) -> int:
    return head[index] if index < len(head) else 0


def _is_graph_def(head: bytes) -> bool:
    """GraphDef: field 1 repeats NodeDef, whose fields 1 and 2 are the node's name and op."""
    with suppress(ValueError, IndexError):
        size, start = _length(head, 0, tag=0x0A)
        end = start + size
        length, start = _length(head, start, tag=0x0A)
        name, start = head[start : start + length], start + length
        length, start = _length(head, start, tag=0x12)
        op = head[start : start + length]
        is_whole = size > 0 and start + length <= end
        return is_whole and name.isascii() and op.isascii() and op.decode("ascii").isidentifier()
    return False


def _length(data: bytes, start: int, tag: int) -> tuple[int, int]:
    """Return the length of the field ``tag`` that begins at ``start``, and where its content
    begins."""
    if data[start] != tag:
        raise ValueError("another field")
    return read_varint(data, start + 1)
