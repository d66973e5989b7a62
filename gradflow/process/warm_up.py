"""Read a small model of the package's own, so that copies of this process read theirs faster.

What a function needs when it runs for the first time is made, and Python has fitted its code to the
types that it meets: a copy has that already, and does not write it into memory of its own.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from gradflow.options import Options
from gradflow.process.child import answer
from gradflow.process.request import Purpose, from_line, request_about, to_line

MODEL = Path(__file__).with_name("warm_up.keras")
"""The model ``two_towers`` of the samples."""


def warm_up() -> None:
    """Answer what a copy is asked about a Keras file."""
    for purpose in (Purpose.STATIC, Purpose.SCAN):
        options = replace(Options(), static=True)
        request = request_about(purpose, str(MODEL), MODEL.name, options)
        answer(from_line(to_line(request, ""))[0], io.StringIO())
