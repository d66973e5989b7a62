"""CONTRIBUTING.md names every folder of the program and of the tests, and no other."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.docs.console import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYOUT = PAGE.partition("## How the code is laid out")[2].partition("\n## ")[0]
ROWS = [line.strip("|").split(" | ") for line in LAYOUT.splitlines() if line[:3] == "| `"]
IN_ORDER = [re.findall(r"`(\w+)`", row[0]) for row in ROWS]
NO_SUBJECT = {"__init__", "__main__", "__pycache__", "py"}


def names_in(folder: Path) -> set[str]:
    names = {path.stem for path in folder.iterdir() if path.suffix in ("", ".py")}
    return names - NO_SUBJECT


def test_every_folder_and_module_has_its_row() -> None:
    assert sorted(name for row in IN_ORDER for name in row) == sorted(names_in(ROOT / "gradflow"))


def test_each_row_names_tests_that_exist() -> None:
    for row in ROWS:
        paths = re.findall(r"`(tests/[\w/.]+)`", row[2])

        assert paths, row
        assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_folder_of_tests_is_named() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}

    assert folders == set(re.findall(r"`tests/(\w+)\b", PAGE.partition("## Recipes")[0]))


def test_the_rows_stand_in_the_order_of_the_layers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {
        name.removeprefix("gradflow."): number
        for number, layer in enumerate(layers)
        for name in layer.split(" | ")
    }

    heights = [height[name] for row in IN_ORDER for name in row if name in height]
    assert heights == sorted(heights)
