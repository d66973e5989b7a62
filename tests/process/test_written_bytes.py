"""What a model writes has a sum, whatever it is cut into and whether it still has names."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from gradflow.process.written_bytes import is_more_written

_MB = 1 << 20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def log() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


def more(most: int, folder: Path, log: IO[bytes]) -> bool:
    return is_more_written(most, str(folder), os.getpid(), log)


def test_many_files_are_one_sum(tmp_path: Path, log: IO[bytes]) -> None:
    (tmp_path / "below").mkdir()
    for number in range(8):
        (tmp_path / "below" / f"{number}").write_bytes(bytes(_MB))

    assert more(7 * _MB, tmp_path, log)
    assert not more(9 * _MB, tmp_path, log)


def test_a_log_counts(tmp_path: Path, log: IO[bytes]) -> None:
    log.write(bytes(4 * _MB))
    log.flush()

    assert more(3 * _MB, tmp_path, log)
    assert not more(5 * _MB, tmp_path, log)


def test_a_file_without_a_name_counts(tmp_path: Path, log: IO[bytes]) -> None:
    with (tmp_path / "file").open("wb") as file:
        (tmp_path / "file").unlink()
        file.write(bytes(4 * _MB))
        file.flush()

        assert more(3 * _MB, tmp_path, log)
        assert not more(5 * _MB, tmp_path, log)
    assert not more(3 * _MB, tmp_path, log)


def test_files_without_content_count(tmp_path: Path, log: IO[bytes]) -> None:
    for number in range(100):
        (tmp_path / f"{number}").touch()

    assert more(3 * _MB, tmp_path, log)


def test_what_is_gone_is_nothing(tmp_path: Path) -> None:
    assert not is_more_written(0, str(tmp_path / "nothing"), None, io.BytesIO())
