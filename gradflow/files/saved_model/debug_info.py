"""Find the stack that created an op, in a SavedModel's ``debug`` folder, without TensorFlow.

Source: tensorflow/core/framework/graph_debug_info.proto, 2.21. TensorFlow writes the file for
``SaveOptions(save_debug_info=True)``: up to 2.15 with a stack an op (``traces``), since then with
stacks and frames that are shared by number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gradflow.files.frames import Frame
from gradflow.files.saved_model.schema import DecodeError, parse

_FILE = Path("debug", "saved_model_debug_info.pb")


def frames_finder(folder: Path) -> Callable[[str, str], Sequence[Frame] | None]:
    """Return a function from a function's and an op's name to its stack, outermost first; None for
    an unknown op.

    The file is read at the first question. One that is damaged knows nothing: it must not cost the
    analysis.
    """

    @cache
    def info() -> Any | None:
        if not (folder / _FILE).is_file():  # a pipe would be waited for
            return None
        try:
            return parse("GraphDebugInfo", (folder / _FILE).read_bytes())
        except (OSError, DecodeError):
            return None

    def frames(function: str, op: str) -> Sequence[Frame] | None:
        return _stack(info(), f"{op}@{function}")

    return frames


def _stack(info: Any | None, key: str) -> list[Frame] | None:
    if info is None:
        return None
    if key in info.name_to_trace_id:
        trace = info.traces_by_id[info.name_to_trace_id[key]]
    elif key in info.traces:
        trace = info.traces[key]
    else:
        return None
    frames = [info.frames_by_id[number] for number in trace.frame_id] or trace.file_line_cols
    numbers = range(len(info.files))
    return [
        (info.files[frame.file_index], frame.line)
        for frame in frames
        if frame.file_index in numbers
    ]
