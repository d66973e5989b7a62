"""The API for training imports TensorFlow no sooner than it is used."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
import gradflow
gradflow.keras.FlowCheck(frozen=["backbone/**"], log_dir="logs")
gradflow.watch(), gradflow.assert_trains
print([name for name in ("tensorflow", "keras", "numpy") if name in sys.modules])
"""


def test_tensorflow_is_not_imported() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"
