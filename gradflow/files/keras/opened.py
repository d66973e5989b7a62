"""Open a Keras file once, and read its JSON and its HDF5 file from there."""

from __future__ import annotations

import errno
import io
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from gradflow.errors import FETCH_AGAIN, CrashedError, DamagedError, UnreadableError
from gradflow.files.hdf5 import hdf5_errors, open_hdf5, open_with_library, text_attribute
from gradflow.files.keras.config import parse_json
from gradflow.files.model_file import ModelFile
from gradflow.files.native import native_parser
from gradflow.findings import Format
from gradflow.lazy_dataclass import dataclass
from gradflow.text import shown

WEIGHTS = "model.weights.h5"
"""The member of a ``.keras`` archive that holds the variables."""
CONFIG, TRAINING = "model_config", "training_config"
"""The attributes of an HDF5 file that hold JSON: of the model, and of what it was compiled with."""
_MEMBER = "config.json"
_MAX_JSON = 1 << 28
_MAX_DEFLATED = 1 << 32
_MAX_LIST = 1 << 24
_MOST_END = (1 << 16) + 22 + 20 + 56
"""Bytes of the end of a zip archive: a comment, and its records of both sizes."""
_CHUNK = 1 << 20
_USUAL = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_ROOM = (errno.EFBIG, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_CHECKSUM = re.compile(r"Bad CRC-32 for file '(.*)'", re.DOTALL)
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class KerasJson:
    """JSON values; None where the file has none."""

    model: object
    """The layers with their configurations, building and compiling left out."""
    build: object
    """Shapes that a ``.keras`` file records for a model that has no symbolic inputs."""
    training: object
    """What the model was compiled with."""


def bytes_of(file: ModelFile) -> IO[bytes]:
    """Return the bytes of the file, from which everything else of a ``.keras`` archive is read."""
    return file.opened(_bytes)


def archive_of(file: ModelFile) -> zipfile.ZipFile:
    """Return the ``.keras`` archive; wrap its use in ``zip_errors``."""
    return file.opened(_archive)


@contextmanager
def hdf5_of(file: ModelFile) -> Iterator[Any]:
    """The HDF5 file with the variables, as ``open_hdf5`` gives it: the file itself, or a member of
    the archive.

    Raises:
        UnreadableError: it is damaged, or the archive has none; also for what the body reads.
    """
    with _hdf5_errors(file):
        yield file.opened(_hdf5)


@contextmanager
def h5py_of(file: ModelFile) -> Iterator[Any]:
    """The same as an ``h5py.File``, whatever its form, to copy from."""
    with _hdf5_errors(file):
        yield file.opened(_h5py)


def _hdf5_errors(file: ModelFile) -> AbstractContextManager[None]:
    shown_path = shown(file.path)
    return hdf5_errors(shown_path if file.format is Format.H5 else f"{shown_path}: {WEIGHTS}")


def model_json(file: ModelFile) -> Any:
    """Return the JSON value that describes the model and, in a ``.keras`` file, its building and
    training.

    It is shared. None where an HDF5 file has none.

    Raises:
        UnreadableError: the file is damaged, or holds no JSON.
    """
    return file.once(_model_json)


def hdf5_texts(file: ModelFile) -> Mapping[str, str | None]:
    """Return the attributes ``CONFIG`` and ``TRAINING`` of an HDF5 file, as far as it has them;
    None for one that is no text.

    Raises:
        UnreadableError: the file is damaged.
    """
    return file.once(_texts)


def read_json(file: ModelFile) -> KerasJson:
    """Return the JSON of a Keras file in its parts, as values that the caller may change.

    Raises:
        UnreadableError: the file is damaged, or holds no JSON.
    """
    shown_path = shown(file.path)
    if file.format is Format.KERAS:
        config = parse_json(file.once(_config_text), shown_path)
        parts = dict(config) if isinstance(config, Mapping) else {}
        build, training = parts.pop("build_config", None), parts.pop("compile_config", None)
        return KerasJson(parts, build, training)
    texts = [hdf5_texts(file).get(name) for name in (CONFIG, TRAINING)]
    model, training = (None if text is None else parse_json(text, shown_path) for text in texts)
    return KerasJson(model, None, training)


def training_json(file: ModelFile) -> Any:
    """Return the JSON value that says what the model was compiled with; it is shared. None where
    the file has none.

    Raises:
        UnreadableError: the file is damaged, or holds no JSON.
    """
    return file.once(_training_json)


def keras_version(file: ModelFile) -> str | None:
    """Return the version of Keras that a ``.keras`` file says it was written by.

    Raises:
        UnreadableError: the archive is damaged.
    """
    shown_path = shown(file.path)
    with zip_errors(shown_path):
        archive = archive_of(file)
        if "metadata.json" not in archive.namelist():
            return None
        try:
            metadata = json.loads(_read_member(archive, "metadata.json", shown_path))
        except (ValueError, RecursionError):
            return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


@contextmanager
def zip_errors(shown_path: str) -> Iterator[None]:
    """Turn whatever is said about a damaged archive into one line."""
    try:
        yield
    except KeyError as error:
        raise DamagedError(
            f"{shown_path}: this .keras file lacks {error.args[0]}", "save the model again"
        ) from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise CrashedError(
                f"{shown_path}: there is no room to unpack its weights: {error.strerror}",
                "free space on the disk, or save it again: Keras does not compress weights",
            ) from error
        damaged = _CHECKSUM.search(str(error))
        problem = (
            f"a damaged .keras file ({shown(damaged[1])} is not what its checksum says)"
            if damaged
            else "a damaged .keras file"
        )
        raise DamagedError(f"{shown_path}: {problem}", FETCH_AGAIN) from error


def _bytes(file: ModelFile) -> IO[bytes]:
    return file.path.open("rb")


def _archive(file: ModelFile) -> zipfile.ZipFile:
    raw = bytes_of(file)
    if _length_of_list(raw) > _MAX_LIST:  # a second for each 100,000 members, which it has
        raise UnreadableError(
            f"{shown(file.path)}: its list of members is longer than {_MAX_LIST >> 20} MB",
            "this is no Keras model: Keras writes three members, and one for each asset",
        )
    archive = zipfile.ZipFile(raw)
    if any(info.compress_type not in _USUAL for info in archive.infolist()):
        native_parser()
    return archive


def _length_of_list(raw: IO[bytes]) -> int:
    """Return how many bytes the list of members has, by the end of the archive, which zipfile goes
    by; 0 where it has no such end.

    Source: APPNOTE 6.3.10, 4.3.14 and 4.3.16.
    """
    size = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, size - _MOST_END))
    tail = raw.read()
    raw.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        return 0
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    large = tail.rfind(b"PK\x06\x06", 0, at)
    if large >= 0:
        length = max(length % 0xFFFFFFFF, int.from_bytes(tail[large + 40 : large + 48], "little"))
    return length


def _hdf5(file: ModelFile) -> AbstractContextManager[Any]:
    return _opened_by(open_hdf5, file)


def _h5py(file: ModelFile) -> AbstractContextManager[Any]:
    return _opened_by(open_with_library, file)


@contextmanager
def _opened_by(
    open_: Callable[[Path | IO[bytes]], AbstractContextManager[Any]], file: ModelFile
) -> Iterator[Any]:
    if file.format is Format.H5:
        with open_(file.path) as hdf5:
            yield hdf5
        return
    with (
        _weights_member(archive_of(file), bytes_of(file), shown(file.path)) as member,
        open_(member) as hdf5,
    ):
        yield hdf5


@contextmanager
def other_hdf5(file: ModelFile, name: str) -> Iterator[Any]:
    """An HDF5 file that is a member of an archive.

    Raises:
        UnreadableError: it is damaged.
    """
    archive, raw, shown_path = archive_of(file), bytes_of(file), shown(file.path)
    with (
        hdf5_errors(f"{shown_path}: {shown(name)}"),
        _unpacked(archive, raw, name, shown_path) as member,
        open_hdf5(member) as hdf5,
    ):
        yield hdf5


def _texts(file: ModelFile) -> Mapping[str, str | None]:
    with hdf5_of(file) as hdf5:
        return {
            name: text_attribute(hdf5, name) for name in (CONFIG, TRAINING) if name in hdf5.attrs
        }


def _config_text(file: ModelFile) -> bytes:
    shown_path = shown(file.path)
    with zip_errors(shown_path):
        return _read_member(archive_of(file), _MEMBER, shown_path)


def _model_json(file: ModelFile) -> Any:
    is_archive = file.format is Format.KERAS
    text = file.once(_config_text) if is_archive else hdf5_texts(file).get(CONFIG)
    return None if text is None else parse_json(text, shown(file.path))


def _training_json(file: ModelFile) -> Any:
    if file.format is Format.KERAS:
        config = model_json(file)
        return config.get("compile_config") if isinstance(config, Mapping) else None
    text = hdf5_texts(file).get(TRAINING)
    return None if text is None else parse_json(text, shown(file.path))


def _read_member(archive: zipfile.ZipFile, name: str, shown_path: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_JSON:
        raise UnreadableError(
            f"{shown_path}: {name} is larger than {_MAX_JSON >> 20} MB",
            "this is no Keras configuration",
        )
    return archive.read(name)


@contextmanager
def _weights_member(
    archive: zipfile.ZipFile, raw: IO[bytes], shown_path: str
) -> Iterator[IO[bytes]]:
    """The HDF5 file with the weights, as a file that can be read at any place.

    Raises:
        UnreadableError: there is none.
    """
    names = archive.namelist()
    if WEIGHTS not in names:
        unread = next((name for name in names if name.startswith("model.weights")), None)
        hint = "save the model again with model.save(...)"
        if unread is None:
            raise DamagedError(f"{shown_path}: this .keras file holds no weights", hint)
        # Keras reads weights of other kinds.
        raise UnreadableError(
            f"{shown_path}: this .keras file keeps its weights in {shown(unread)}, which gradflow "
            "does not read",
            hint,
        )
    with _unpacked(archive, raw, WEIGHTS, shown_path) as member:
        yield member


@contextmanager
def _unpacked(
    archive: zipfile.ZipFile, raw: IO[bytes], name: str, shown_path: str
) -> Iterator[IO[bytes]]:
    """A member, as a file that can be read at any place."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        if info.file_size > _MAX_DEFLATED:
            raise UnreadableError(
                f"{shown_path}: {shown(name)} unpacks to {info.file_size >> 30} GB", "save it again"
            )
        # HDF5 jumps about, and a compressed member can only be read from its start: it is unpacked,
        # not into memory.
        with tempfile.TemporaryFile() as unpacked, archive.open(info) as packed:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
            yield unpacked
        return
    with archive.open(info) as checked:
        checked.read(0)  # opening has checked the member's own header
    raw.seek(info.header_offset + 26)
    lengths = raw.read(4)
    start = (
        info.header_offset
        + 30
        + int.from_bytes(lengths[:2], "little")
        + int.from_bytes(lengths[2:], "little")
    )
    yield io.BufferedReader(_Window(raw, start, info.file_size))


class _Window(io.RawIOBase):
    """A stretch of a file as a file: HDF5 jumps about, which zipfile answers by reading everything
    in between."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    # Python 3.10 cannot name Buffer.
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
