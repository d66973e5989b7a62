"""Byte code of other Pythons is told from that of this one, without loading it."""

from __future__ import annotations

import base64
import marshal
import sys
from typing import Any

import pytest

from gradflow.files.keras.byte_code import foreign_python

WRITTEN: dict[str, tuple[str, str]] = {
    "2.7": (
        "YwEAAAABAAAAAgAAAEMAAABzCAAAAHwAAGQBABRTKAIAAABOZwAAAAAAAABAKAAAAAAoAQAAAHQBAAAAeCgAAAAAKAAAAABzCgAAAC90bXAvbWsucHl0CAAAADxsYW1iZGE+AwAAAHQAAAAA",
        "YwEAAAABAAAAAQAAAEMAAABzCgAAAHwAAGoAAIMAAFMoAQAAAE4oAQAAAHQEAAAAbWVhbigBAAAAdAEAAAB4KAAAAAAoAAAAAHMKAAAAL3RtcC9tay5weXQIAAAAPGxhbWJkYT4DAAAAdAAAAAA=",
    ),
    "3.6": (
        "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwgAAAB8AGQBFABTACkCTucAAAAAAAAAQKkAKQHaAXhyAgAAAHICAAAA+govdG1wL21rLnB52gg8bGFtYmRhPgMAAABzAAAAAA==",
        "4wEAAAAAAAAAAQAAAAEAAABDAAAAcwgAAAB8AGoAgwBTACkBTikB2gRtZWFuKQHaAXipAHIDAAAA+govdG1wL21rLnB52gg8bGFtYmRhPgMAAABzAAAAAA==",
    ),
    "3.7": (
        "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwgAAAB8AGQBFABTACkCTucAAAAAAAAAQKkAKQHaAXhyAgAAAHICAAAA+govdG1wL21rLnB52gg8bGFtYmRhPgMAAADzAAAAAA==",
        "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwgAAAB8AKAAoQBTACkBTikB2gRtZWFuKQHaAXipAHIDAAAA+govdG1wL21rLnB52gg8bGFtYmRhPgMAAADzAAAAAA==",
    ),
    "3.8": (
        "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfABkARQAUwApAk7nAAAAAAAAAECpAKkB2gF4cgIAAAByAgAAAPoKL3RtcC9tay5wedoIPGxhbWJkYT4DAAAA8wAAAAA=",
        "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfACgAKEAUwCpAU4pAdoEbWVhbqkB2gF4qQByBQAAAPoKL3RtcC9tay5wedoIPGxhbWJkYT4DAAAA8wAAAAA=",
    ),
    "3.10": (
        "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfABkARQAUwApAk7nAAAAAAAAAECpAKkB2gF4cgIAAAByAgAAAPoKL3RtcC9tay5wedoIPGxhbWJkYT4DAAAA8wIAAAAIAA==",
        "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfACgAKEAUwCpAU4pAdoEbWVhbqkB2gF4qQByBQAAAPoKL3RtcC9tay5wedoIPGxhbWJkYT4DAAAA8wIAAAAIAA==",
    ),
    "3.11": (
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACXAHwAZAF6BQAAUwApAk7nAAAAAAAAAECpAKkB2gF4cwEAAAAg+govdG1wL21rLnB5+gg8bGFtYmRhPnIHAAAAAwAAAHMKAAAAgACIYZADiWWAAPMAAAAA",
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8yoAAACXAHwAoAAAAAAAAAAAAAAAAAAAAAAAAAAAAKYAAACrAAAAAAAAAAAAUwCpAU4pAdoEbWVhbqkB2gF4cwEAAAAg+govdG1wL21rLnB5+gg8bGFtYmRhPnIHAAAAAwAAAHMOAAAAgACYcZ92mnaZeJx4gADzAAAAAA==",
    ),
    "3.12": (
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACXAHwAZAF6BQAAUwApAk7nAAAAAAAAAECpAKkB2gF4cwEAAAAg+govdG1wL21rLnB5+gg8bGFtYmRhPnIHAAAAAwAAAHMKAAAAgACIYZADiWWAAPMAAAAA",
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8yIAAACXAHwAagEAAAAAAAAAAAAAAAAAAAAAAACrAAAAAAAAAFMAqQFOKQHaBG1lYW6pAdoBeHMBAAAAIPoKL3RtcC9tay5wefoIPGxhbWJkYT5yBwAAAAMAAABzDAAAAIAAmHGfdpl2m3iAAPMAAAAA",
    ),
    "3.13": (
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACVAFUAUwEtBQAAJAApAk7nAAAAAAAAAECpAKkB2gF4cwEAAAAg2govdG1wL21rLnB52gg8bGFtYmRhPnIHAAAAAwAAAHMIAAAAgACIYZADimXzAAAAAA==",
        "4wEAAAAAAAAAAAAAAAIAAAADAAAA8yIAAACVAFUAUgEAAAAAAAAAAAAAAAAAAAAAAAA1AAAAAAAAACQAqQFOKQHaBG1lYW6pAdoBeHMBAAAAINoKL3RtcC9tay5wedoIPGxhbWJkYT5yBwAAAAMAAABzCgAAAIAAmHGfdpl2nHjzAAAAAA==",
    ),
}
"""``lambda x: x * 2.0`` and ``lambda x: x.mean()``, as each Python writes them."""
ALIKE = {
    "2.7": "2",
    "3.6": "3.6 or 3.7",
    "3.7": "3.6 or 3.7",
    "3.8": "3.8 to 3.10",
    "3.10": "3.8 to 3.10",
    "3.11": "3.11",
    "3.12": "3.12",
    "3.13": "3.13",
}
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def keras3(code: str) -> dict[str, Any]:
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None}}
    return {"class_name": "Lambda", "config": {"name": "act", "function": function}}


def keras2(code: str) -> dict[str, Any]:
    function = [code, None, None]
    return {"class_name": "Lambda", "config": {"function": function, "function_type": "lambda"}}


@pytest.mark.parametrize("layer", [keras3, keras2])
@pytest.mark.parametrize("version", WRITTEN)
def test_the_python_that_wrote_byte_code_is_told(version: str, layer: Any) -> None:
    called = foreign_python({"layers": [layer(WRITTEN[version][1])]})
    first, _, last = ALIKE[version].replace(" to ", " or ").partition(" or ")
    minors = range(int(first.rpartition(".")[2]), int((last or first).rpartition(".")[2]) + 1)
    is_here = first != "2" and sys.version_info[1] in minors
    assert called == (None if is_here else ALIKE[version])


def test_where_two_pythons_write_the_same_nothing_is_claimed_of_this_one() -> None:
    for version in ("3.11", "3.12"):
        said = foreign_python(keras3(WRITTEN[version][0]))
        assert said == (None if HERE in ("3.11", "3.12") else "3.11 or 3.12")


def test_the_byte_code_of_this_python_is_not_foreign() -> None:
    factor = 2.0

    def outer() -> Any:
        return lambda value: value * factor

    for function in (outer(), lambda value: value.sum(), lambda: None, lambda *a: list(a)):
        code = base64.b64encode(marshal.dumps(function.__code__)).decode()
        assert foreign_python(keras3(code)) is None


@pytest.mark.parametrize("text", ["", "c", "4wEAAAA=", "no byte code", "\ud800", "4w" * 40])
def test_damaged_byte_code_tells_nothing(text: str) -> None:
    assert foreign_python(keras2(text)) is None
