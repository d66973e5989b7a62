"""What is large takes time for each of its parts, and not for each pair of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradflow.analysis import static
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
from gradflow.options import Options
from gradflow.scan.keras.scan import scan_keras
from gradflow.scan.saved_model.scan import scan_message
from gradflow.scan.saved_model.sorted_table import masked_crc32c, read_table
from tests.scan.growing import GROWING, REFUSED
from tests.scan.keras_files import archive, dense

SMALL, LARGE = 2_000, 200_000


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_is_judged_as_what_is_small(name: str) -> None:
    for size in (1, 30):
        threats = scan_message(GROWING[name](size)).threats
        if name in REFUSED:
            assert threats
            assert all(REFUSED[name] in threat.sentence for threat in threats)
        else:
            assert threats == ()


def per_element(work: Callable[[int], Callable[[], object]], size: int) -> float:
    """The best of three times, in seconds for each element."""
    run, best = work(size), float("inf")
    for _ in range(3):
        gc.collect()
        gc.disable()  # as the process that reads a file has it
        begun = time.process_time()
        run()
        best = min(best, time.process_time() - begun)
        gc.enable()
    return best / size


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWING)
def test_a_saved_model_takes_time_for_each_element(name: str) -> None:
    def work(size: int) -> Callable[[], object]:
        saved = GROWING[name](size)
        return lambda: scan_message(saved)

    assert per_element(work, LARGE) <= 1.5 * per_element(work, SMALL)


def layers(size: int) -> dict[str, Any]:
    """A model of many layers."""
    config = dense()
    (layer,) = config["config"]["layers"]
    config["config"]["layers"] = [
        {**layer, "config": {**layer["config"], "name": f"dense_{index}"}} for index in range(size)
    ]
    return config


def wide(size: int) -> dict[str, Any]:
    """A layer with many objects in its configuration."""
    return dense(**{f"key_{index}": {"class_name": "Zeros", "config": {}} for index in range(size)})


@pytest.mark.slow
@pytest.mark.parametrize("make", [layers, wide])
def test_a_keras_file_takes_time_for_each_element(
    make: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    def work(size: int) -> Callable[[], object]:
        path = archive(tmp_path / f"{size}.keras", config=make(size))

        def run() -> None:
            with ModelFile(path, Format.KERAS) as file:
                scan_keras(file, ())
            static.read(str(path), Options(static=True))

        return run

    assert per_element(work, LARGE) <= 1.5 * per_element(work, SMALL)


def table(*blocks: bytes, over: bool = False) -> bytes:
    """A sorted table of these blocks; ``over``: the index names the first one again."""

    def whole(block: bytes) -> bytes:
        return block + b"\0" + masked_crc32c(block + b"\0").to_bytes(4, "little")

    def varint(number: int) -> bytes:
        return (
            bytes([number & 127])
            if number < 128
            else bytes([number & 127 | 128]) + varint(number >> 7)
        )

    def entry(shared: int, own: bytes, value: bytes) -> bytes:
        return varint(shared) + varint(len(own)) + varint(len(value)) + own + value

    data, handles = b"", []
    for block in blocks:
        handles.append(varint(len(data)) + varint(len(block)))
        data += whole(block)
    handles += handles[:1] if over else []
    index = b"".join(entry(0, bytes([65 + at]), at_) for at, at_ in enumerate(handles))
    index += (1).to_bytes(4, "little").rjust(8, b"\0")
    empty = (1).to_bytes(4, "little").rjust(8, b"\0")
    meta_handle = varint(len(data)) + varint(len(empty))
    data += whole(empty)
    index_handle = varint(len(data)) + varint(len(index))
    data += whole(index)
    footer = (meta_handle + index_handle).ljust(40, b"\0")
    return data + footer + (0xDB4775248B80FB57).to_bytes(8, "little")


END = b"\0\0\0\0\1\0\0\0"


def test_a_table_is_read_block_after_block() -> None:
    first, second = b"\0\1\1ax" + END, b"\0\1\1by" + END

    assert list(read_table(table(first, second))) == [(b"a", b"x"), (b"b", b"y")]
    with pytest.raises(ValueError, match="one block over another"):
        list(read_table(table(END, second, over=True)))


def test_keys_that_are_written_once_and_count_often_have_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = b"\0\x40\1" + b"a" * 64 + b"x" + b"".join(b"\x40\1\1%cx" % at for at in range(32)) + END
    assert len(list(read_table(table(block)))) == 33
    monkeypatch.setattr("gradflow.scan.saved_model.sorted_table._MOST_UNPACKED", 500)

    with pytest.raises(ValueError, match="too large"):
        list(read_table(table(block)))
