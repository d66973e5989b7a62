"""Find the model file at a path: by its content, whatever its name says."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeAlias

from gradflow.errors import FETCH_AGAIN, NoModelError, UnreadableError
from gradflow.files.hdf5 import holds_hdf5
from gradflow.files.model_file import ModelFile
from gradflow.files.other_formats import (
    LFS_HINT,
    foreign,
    foreign_zip,
    is_keras_archive,
    is_lfs_pointer,
)
from gradflow.findings import Format
from gradflow.text import closest, shown

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
WEIGHTS_SUFFIX = ".weights.h5"
"""Of a file that Keras writes weights into, and nothing else."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SAVE_HINT = "give a .keras file, an .h5 file saved with model.save(...), or a SavedModel folder"
_WEIGHTS_HINT = "save the whole model: model.save('model.keras')"
_CHECKPOINT_HINT = (
    "load it into its model and save that: model.save('model.keras') or model.export('folder')"
)


def recognise(path: str | Path) -> ModelFile:
    """Find out what a path holds.

    A SavedModel is known by its folder or by the ``saved_model.pb`` in it, a Keras file by its
    first bytes and by what is inside. Nothing is executed, and TensorFlow and Keras are not
    imported.

    Raises:
        UnreadableError: anything else; the message says what it is, the hint what to do.
    """
    file = glance(path)
    if file.format is Format.H5:
        _look_into_hdf5(file)
    elif file.format is Format.KERAS:
        _look_into_archive(file)
    return file


def glance(path: str | Path) -> ModelFile:
    """As ``recognise``, but of a Keras file by its first bytes alone: only a process that may die
    opens one.

    Raises:
        UnreadableError: it can be no model, whatever else stands in it.
    """
    location = Path(path)
    if str(path) == "":
        raise UnreadableError(
            "the path is empty", "give a SavedModel folder, a .keras or an .h5 file"
        )
    try:
        mode = location.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(location)
        if stat.S_ISREG(mode):
            return _file(location)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(location) from None
    except PermissionError as error:
        culprit = shown(error.filename or location)
        message = f"{shown(location)}: permission denied"
        raise UnreadableError(message, f"make {culprit} readable for this user") from None
    except (OSError, ValueError) as error:
        raise _cannot_be_read(location, error) from error
    raise UnreadableError(f"{shown(location)}: is {_kind(mode)}, not a file", _SAVE_HINT)


def may_be_keras(path: Path) -> bool:
    """Return whether the first bytes of a file are those of a zip archive or of HDF5."""
    with path.open("rb") as file:
        head = file.read(4)
    return head in _ZIP or holds_hdf5(path)


def _file(path: Path) -> ModelFile:
    shown_path = shown(path)
    if path.name == "saved_model.pb":
        return _saved_model(path.parent)
    if path.stat().st_size == 0:
        raise UnreadableError(f"{shown_path}: is empty (0 bytes)", FETCH_AGAIN)
    with path.open("rb") as file:
        head = file.read(4096)
    if is_lfs_pointer(head):
        raise UnreadableError(f"{shown_path}: is a Git LFS pointer, not the file itself", LFS_HINT)
    if head.startswith(_ZIP):
        return ModelFile(path, Format.KERAS)
    if holds_hdf5(path):
        return ModelFile(path, Format.H5)
    owner = _saved_model_around(path)
    if owner is not None:
        message = f"{shown_path}: is one file of the SavedModel {shown(owner)}"
        raise UnreadableError(message, f"give the folder: {shown(owner)}")
    if _is_checkpoint_part(path.name):
        raise UnreadableError(
            f"{shown_path}: is part of a TensorFlow checkpoint: weights, no architecture",
            _CHECKPOINT_HINT,
        )
    description, hint = foreign(path, head)
    raise UnreadableError(f"{shown_path}: {description}", hint or _SAVE_HINT)


def _look_into_archive(file: ModelFile) -> None:
    import zipfile  # who only glances at a file does without

    from gradflow.files.keras.opened import archive_of

    shown_path = shown(file.path)
    try:
        names = archive_of(file).namelist()
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
    ) as error:
        kind = ".keras" if file.path.suffix == ".keras" else "zip"
        raise UnreadableError(
            f"{shown_path}: is a truncated or damaged {kind} file", FETCH_AGAIN
        ) from error
    except OSError as error:
        raise _cannot_be_read(file.path, error) from error
    if not is_keras_archive(names):
        description, hint = foreign_zip(names)
        raise NoModelError(f"{shown_path}: {description}", hint)


def _look_into_hdf5(file: ModelFile) -> None:
    from gradflow.files.keras.opened import hdf5_of  # as above

    shown_path = shown(file.path)
    with hdf5_of(file) as hdf5:
        if "model_config" in hdf5.attrs:
            return
        names, attributes = (set(map(_as_text, part)) for part in (hdf5, hdf5.attrs))
    keras_3 = names & {"layers", "_layer_checkpoint_dependencies", "vars"} or any(
        "\\" in name for name in names
    )
    if keras_3 or attributes & {"layer_names", "keras_version"} or "model_weights" in names:
        raise NoModelError(f"{shown_path}: holds weights only, no architecture", _WEIGHTS_HINT)
    raise NoModelError(
        f"{shown_path}: is an HDF5 file without a Keras model (no model_config)", _WEIGHTS_HINT
    )


def _as_text(name: str | bytes) -> str:
    """Return a name of HDF5, of which h5py gives the bytes where they are not UTF-8."""
    return name if isinstance(name, str) else name.decode("utf-8", "replace")


def _folder(path: Path) -> ModelFile:
    names = sorted(entry.name for entry in os.scandir(path))
    if "saved_model.pb" in names:
        return _saved_model(path)
    for explain in _OTHER_FOLDERS:
        explanation = explain(path, names)
        if explanation is not None:
            description, hint = explanation
            raise UnreadableError(f"{shown(path)}: {description}", hint)
    message = f"{shown(path)}: is a folder without a model (no saved_model.pb)"
    raise UnreadableError(message, _SAVE_HINT)


_Explanation: TypeAlias = tuple[str, str] | None
"""What a folder is that is no model, and what to do about it; None where it is not of that kind."""


def _saved_model_as_text(path: Path, names: list[str]) -> _Explanation:
    if "saved_model.pbtxt" not in names:
        return None
    return (
        "is a SavedModel in text form (saved_model.pbtxt), which gradflow does not read",
        "save it again in binary form: tf.saved_model.save(...) or model.export(...)",
    )


def _empty(path: Path, names: list[str]) -> _Explanation:
    return ("is an empty folder", _SAVE_HINT) if not names else None


def _unpacked_keras(path: Path, names: list[str]) -> _Explanation:
    if not is_keras_archive(names):
        return None
    archive = f"../{shown(path.name or 'model')}.keras"
    return "is an unpacked .keras file", f"pack it: cd {shown(path)} && zip -0 -r {archive} ."


def _inside_a_saved_model(path: Path, names: list[str]) -> _Explanation:
    owner = _saved_model_around(path / "x")
    if owner is None:
        return None
    return (
        f"is the {shown(path.name)} folder of a SavedModel",
        f"give the folder above: {shown(owner)}",
    )


def _around_saved_models(path: Path, names: list[str]) -> _Explanation:
    models = [entry for entry in path.iterdir() if (entry / "saved_model.pb").is_file()]
    if not models:
        return None
    newest = max(models, key=_version)
    listed = ", ".join(shown(entry.name) for entry in sorted(models, key=_version)[-5:])
    inside = (
        f"the folder {listed} is one"
        if len(models) == 1
        else f"{len(models)} folders in it are: {listed}"
    )
    return f"is not a SavedModel itself, but {inside}", f"give {shown(newest)}"


def _checkpoint(path: Path, names: list[str]) -> _Explanation:
    if "checkpoint" not in names and not any(_is_checkpoint_part(name) for name in names):
        return None
    return "is a TensorFlow checkpoint: weights, no architecture", _CHECKPOINT_HINT


def _keras_files(path: Path, names: list[str]) -> _Explanation:
    files = [
        name
        for name in names
        if name.endswith(KERAS_SUFFIXES) and not name.endswith(WEIGHTS_SUFFIX)
    ]
    if not files:
        return None
    listed = ", ".join(shown(name) for name in files[:5]) + (", ..." if len(files) > 5 else "")
    return f"is a folder of Keras files ({listed})", f"give one: {shown(path / files[0])}"


def _tensorflow_js(path: Path, names: list[str]) -> _Explanation:
    if "model.json" not in names:
        return None
    return "is a TensorFlow.js model", "convert it back: tensorflowjs_converter, or re-export"


_OTHER_FOLDERS = (
    _saved_model_as_text,
    _empty,
    _unpacked_keras,
    _inside_a_saved_model,
    _around_saved_models,
    _checkpoint,
    _keras_files,
    _tensorflow_js,
)
"""Looked through in this order: the first that explains the folder is told."""


def _version(folder: Path) -> tuple[int, str]:
    # TensorFlow Serving numbers its versions: the highest is the newest. Times on disk differ from
    # clone to clone.
    number = int(folder.name) if folder.name.isdecimal() and folder.name.isascii() else -1
    return (number, folder.name)


def _saved_model(folder: Path) -> ModelFile:
    shown_path = shown(folder)
    graph = folder / "saved_model.pb"
    if not stat.S_ISREG(graph.stat().st_mode):
        raise UnreadableError(f"{shown_path}: saved_model.pb is not a file", _SAVE_HINT)
    if graph.stat().st_size == 0:
        raise UnreadableError(f"{shown_path}: saved_model.pb is empty (0 bytes)", FETCH_AGAIN)
    variables = folder / "variables"
    parts = sorted(variables.glob("variables.*")) if variables.is_dir() else []
    for file in (graph, *parts):
        if stat.S_ISREG(file.stat().st_mode):
            with file.open("rb") as opened_file:
                head = opened_file.read(64)
            if is_lfs_pointer(head):
                name = shown(file.relative_to(folder))
                raise UnreadableError(
                    f"{shown_path}: {name} is a Git LFS pointer, not the file itself", LFS_HINT
                )
    return ModelFile(folder, Format.SAVED_MODEL)


def _saved_model_around(path: Path) -> Path | None:
    """Return the SavedModel folder that the file ``path`` lies in, at its top or in variables/ and
    assets/."""
    folder = path.parent if path.parent.name else path.parent.resolve()
    if (folder / "saved_model.pb").is_file():
        return path.parent
    parent = folder.parent if path.parent.name not in ("", "..") else folder.resolve().parent
    inside = folder.name in ("variables", "assets", "assets.extra", "debug")
    return parent if inside and (parent / "saved_model.pb").is_file() else None


def _is_checkpoint_part(name: str) -> bool:
    stem, _, tail = name.rpartition(".")
    return name == "checkpoint" or (bool(stem) and (tail == "index" or tail.startswith("data-")))


def _cannot_be_read(path: Path, error: Exception) -> UnreadableError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return UnreadableError(f"{shown(path)}: cannot be read ({reason})", _SAVE_HINT)


def _missing(path: Path) -> UnreadableError:
    shown_path = shown(path)
    if "://" in str(path) or str(path).startswith(("gs:/", "s3:/", "hf:/", "http:/", "https:/")):
        return UnreadableError(
            f"{shown_path}: is a remote address, not a local path", "download the model first"
        )
    if path.is_symlink():
        return UnreadableError(
            f"{shown_path}: is a link to {shown(path.readlink())}, which does not exist",
            "fix the link",
        )
    index = path.with_name(f"{path.name}.index") if path.name else path
    if path.name and index.is_file():
        message = (
            f"{shown_path}: is the prefix of a TensorFlow checkpoint: weights, no architecture"
        )
        return UnreadableError(message, _CHECKPOINT_HINT)
    return UnreadableError(f"{shown_path}: no such file or folder", _nearest(path))


def _nearest(path: Path) -> str:
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return f"check the path: the folder {shown(path.parent)} does not exist either"
    close = closest(path.name, names)
    return f"did you mean {shown(path.parent / close[0])}?" if close else "check the path"


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
