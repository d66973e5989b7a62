"""Tell which Python wrote the byte code that a Keras file holds, without loading it.

Python cannot run the byte code of another Python: ``marshal`` raises, or the process ends. The
bytes name no version; what tells is how a code object is laid out (``w_object`` in
Python/marshal.c) and how its instructions begin and end (Lib/opcode.py, 3.0 to 3.14).
"""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from gradflow.files.keras.code import objects

_CODE, _BYTES = ord("c"), ord("s")
_TYPE = 0x7F
"""The bits of a type; the other one says that the object is referred to again."""
_RETURN = b"S\x00"
"""How instructions of two bytes end, from Python 3.6 on."""
_CALL, _PRECALL, _RETURN_CONST = 171, 166, 121
_RESUME_11 = 151
_RESUMES = {_RESUME_11: (11, 12), 149: (13, 13), 128: (14, 14)}
"""The instruction that code starts with from Python 3.11 on. 149 stands before it in 3.11."""
_MOST_LEADING = 4
"""Instructions that can stand before it."""
_MINOR = sys.version_info[1]
THIS_PYTHON = f"{sys.version_info[0]}.{_MINOR}"


def unlike_this(version: str) -> tuple[str, str]:
    """Say that the code of Python ``version`` cannot be run, and what to do."""
    return (
        f"its byte code is of Python {version}, and this is Python {THIS_PYTHON}, which cannot run"
        " it",
        f"load it with Python {version} and save it there as a SavedModel; or save it with a named"
        " function and give --import MODULE, the module that defines it",
    )


def foreign_python(config: object) -> str | None:
    """Return the Python that wrote byte code in a configuration, ``3.6 or 3.7``, if it is not this
    one.

    None where there is no byte code, or where it is not certain that another Python wrote it.
    """
    for value in objects(config):
        for code in _byte_codes(value):
            versions = _versions(code)
            if versions is not None and not versions[0] <= _MINOR <= versions[1]:
                return _shown(*versions)
    return None


def _byte_codes(value: Mapping[str, object]) -> list[bytes]:
    """Return the byte code that one JSON object holds: of Keras 3, or in the Lambda layer of any
    Keras."""
    class_name, config = value.get("class_name"), value.get("config")
    texts: list[object] = []
    if class_name == "__lambda__" and isinstance(config, Mapping):
        texts.append(config.get("code"))
    for key in ("function", "output_shape", "mask"):
        function = value.get(key)
        if isinstance(function, list) and function:
            texts.append(function[0])
    return [code for text in texts if isinstance(text, str) for code in _decoded(text)]


def _decoded(text: str) -> Iterator[bytes]:
    yield text.encode("latin-1", "replace")  # as Keras before 2.1 wrote it
    with suppress(binascii.Error, ValueError):
        yield base64.b64decode(text)


def _versions(code: bytes) -> tuple[int, int] | None:
    """Return the first and the last Python 3 that lays out a code object like this; (-1, -1) is
    Python 2."""
    if not code or code[0] & _TYPE != _CODE:
        return None
    for numbers in (4, 5, 6):
        start = 1 + 4 * numbers
        if len(code) > start + 5 and code[start] & _TYPE == _BYTES:
            size = int.from_bytes(code[start + 1 : start + 5], "little")
            instructions = code[start + 5 : start + 5 + size]
            if len(instructions) == size and size:
                return _of_layout(numbers, instructions)
    return None


def _of_layout(numbers: int, instructions: bytes) -> tuple[int, int]:
    if numbers == 4:
        return -1, -1
    if numbers == 6:
        return 8, 10
    operations = instructions[::2]
    for resume, versions in _RESUMES.items():
        if resume in operations[:_MOST_LEADING]:
            return _of_calls(operations) if resume == _RESUME_11 else versions
    return (6, 7) if instructions.endswith(_RETURN) else (0, 5)


def _of_calls(operations: bytes) -> tuple[int, int]:
    """Tell 3.11 and 3.12 apart, where a call or a constant allows it."""
    if _PRECALL in operations:
        return 11, 11
    return (12, 12) if _CALL in operations or _RETURN_CONST in operations else (11, 12)


def _shown(first: int, last: int) -> str:
    if last < 0:
        return "2"
    if first == last:
        return f"3.{first}"
    return f"3.{first} {'or' if last == first + 1 else 'to'} 3.{last}"
