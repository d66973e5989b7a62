"""Private TensorFlow API stands in one file."""

from __future__ import annotations

import re
from pathlib import Path

import gradflow

_IMPORT = re.compile(r"^\s*(from|import) tensorflow\.python\b", re.MULTILINE)


def test_one_file_imports_private_tensorflow_api() -> None:
    package = Path(gradflow.__file__).parent
    files = [path for path in package.rglob("*.py") if _IMPORT.search(path.read_text("utf-8"))]
    assert [path.relative_to(package).as_posix() for path in files] == ["tape/private_api.py"]
