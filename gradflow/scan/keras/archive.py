"""Find the members of a ``.keras`` archive that do not belong there; nothing is unpacked."""

from __future__ import annotations

import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import IO

from gradflow.files.paths import leads_out
from gradflow.scan.threat import Threat
from gradflow.text import quoted

_MEMBERS = re.compile(
    r"(config|metadata)\.json|model\.weights\.(h5|npz|json)|model_\d+\.weights\.h5|variables\.h5"
    r"|states\.npz|assets/.*"
)
"""What keras/src/saving/saving_lib.py writes (3.0 to 3.15), and tf_keras from 2.11 on."""
_MOST_JSON = 1 << 26
_MOST_RATIO, _SMALL = 400, 1 << 24
"""A member that unpacks to more than so many times its size, where that is more than 16 MB. Zeros
reach 1,030."""
_MOST_MEMBERS = 100_000
_ENCRYPTED = 1
_LOCAL = b"PK\x03\x04"


def strange_members(archive: zipfile.ZipFile, raw: IO[bytes]) -> Iterator[Threat]:
    """Yield what is odd about the members of ``archive``, whose bytes are ``raw``."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        yield Threat(f"{len(members):,} members", "the archive", "take hours to read")
        return
    for name, count in Counter(info.filename for info in members).items():
        if count > 1:
            yield _threat(name, "is there twice, and not every reader takes the same of the two")
    for info in members:
        yield from _member(info, raw)


def _member(info: zipfile.ZipInfo, raw: IO[bytes]) -> Iterator[Threat]:
    name = info.filename
    if leads_out(name):
        yield _threat(name, "is written outside of the folder that it is unpacked to")
    elif not (_MEMBERS.fullmatch(name) or info.is_dir()):
        yield _threat(name, "is no part of a Keras model")
    if stat.S_ISLNK(info.external_attr >> 16):
        yield _threat(name, "is a link to another place, whose file would be read")
    if info.flag_bits & _ENCRYPTED:
        yield _threat(name, "is encrypted, so that its content cannot be checked")
    if name.endswith(".json") and info.file_size > _MOST_JSON:
        yield _threat(name, f"unpacks to {info.file_size >> 20:,} MB, which is no configuration")
    elif info.file_size > max(_SMALL, _MOST_RATIO * info.compress_size):
        yield _threat(
            name, f"unpacks from {info.compress_size:,} bytes to {info.file_size >> 20:,} MB"
        )
    if not _starts_as_told(info, raw):
        yield _threat(name, "has one name in its own header and another in the list of members")


def _starts_as_told(info: zipfile.ZipInfo, raw: IO[bytes]) -> bool:
    """Return whether the member's own header agrees with the directory at the end: readers go by
    the one or the other."""
    raw.seek(info.header_offset)
    header = raw.read(30)
    if len(header) < 30 or header[:4] != _LOCAL:
        return True  # the archive is damaged, which its reader tells
    length = int.from_bytes(header[26:28], "little")
    return raw.read(length) in (
        info.filename.encode("utf-8"),
        info.orig_filename.encode("cp437", "replace"),
    )


def _threat(name: str, harm: str) -> Threat:
    return Threat(f"member {quoted(name)}", "the archive", harm)
