"""The user's line from a stack, and stacks from a SavedModel's debug folder in both of its
layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gradflow.files.frames import user_source
from gradflow.files.saved_model.debug_info import frames_finder
from gradflow.files.saved_model.schema import message

NET, LAYER = "/home/ann/net.py", "/venv/lib/python3.11/site-packages/keras/src/layers/core/dense.py"


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/home/ann/project/net.py", "net.py:41"),
        ("C:\\Users\\ann\\net.py", "net.py:41"),
        ("net.py", "net.py:41"),
        ("/home/ann/keras/train.py", "train.py:41"),
        ("/home/ann/tensorflow/models/net.py", "net.py:41"),
        ("/tmp/ipykernel_17/1234.py", "1234.py:41"),
        ("<ipython-input-3-0a1b>", "<ipython-input-3-0a1b>:41"),
        ("<string>", None),
        ("<frozen runpy>", None),
        ("", None),
        ("/usr/lib/python3.10/contextlib.py", None),
        ("/usr/lib/python3/dist-packages/keras/engine/base_layer.py", None),
        ("C:\\Python310\\lib\\threading.py", None),
        ("C:\\env\\Lib\\site-packages\\tensorflow\\python\\ops\\array_ops.py", None),
        ("/b/s/w/tensorflow/python/ops/array_ops.py", None),
        ("/src/keras/keras/src/layers/core/dense.py", None),
        ("/tmp/__autograph_generated_filekk3.py", None),
    ],
)
def test_only_a_file_of_the_users_own_is_shown_and_without_its_folder(
    file: str, shown: str | None
) -> None:
    assert user_source([(file, 41)]) == shown


def test_the_innermost_of_the_users_frames_counts() -> None:
    assert user_source([("/a/train.py", 3), (NET, 41), (LAYER, 7)]) == "net.py:41"
    assert user_source([(NET, 0), (LAYER, 7)]) is None
    assert (
        user_source([("/a/train.py", 3), ("/opt/mine/net.py", 41)], libraries=["/opt/mine"])
        == "train.py:3"
    )


@pytest.mark.parametrize("layout", ["shared", "an op"])
def test_both_layouts_of_the_file_are_read(layout: str, tmp_path: Path) -> None:
    _write(tmp_path, _shared if layout == "shared" else _each)
    frames = frames_finder(tmp_path)
    assert frames("f", "cut/StopGradient") == [(NET, 41), (LAYER, 7)]
    assert frames("g", "cut/StopGradient") is None
    assert frames("f", "StopGradient") is None


def test_a_file_that_is_missing_or_damaged_knows_nothing(tmp_path: Path) -> None:
    assert frames_finder(tmp_path)("f", "cut/StopGradient") is None
    _write(tmp_path, _shared)
    path = tmp_path / "debug" / "saved_model_debug_info.pb"
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        user_source(frames_finder(tmp_path)("f", "cut/StopGradient") or ())
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        user_source(frames_finder(tmp_path)("f", "cut/StopGradient") or ())


def _shared(info) -> None:
    info.frames_by_id[7].file_index, info.frames_by_id[7].line = 0, 41
    info.frames_by_id[2**63].file_index, info.frames_by_id[2**63].line = 1, 7
    info.traces_by_id[5].frame_id.extend([7, 2**63])
    info.name_to_trace_id["cut/StopGradient@f"] = 5


def _each(info) -> None:
    trace = info.traces["cut/StopGradient@f"]
    trace.file_line_cols.add(file_index=0, line=41)
    trace.file_line_cols.add(file_index=1, line=7)


def _write(folder: Path, fill: Callable[..., None]) -> None:
    info = message("GraphDebugInfo")(files=[NET, LAYER])
    fill(info)
    (folder / "debug").mkdir(exist_ok=True)
    (folder / "debug" / "saved_model_debug_info.pb").write_bytes(info.SerializeToString())
