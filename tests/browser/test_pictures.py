"""The pictures of README.md and docs/ show the page as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Page
from tests.docs.pictures import FOLDER, PICTURES

LARGEST = 150_000
OTHER_CELLS = 0.12


def test_they_are_small_and_all_of_them_are_made() -> None:
    sizes = {path.stem: path.stat().st_size for path in FOLDER.iterdir()}

    assert {*sizes} == {*PICTURES}
    assert max(sizes.values()) < LARGEST


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", PICTURES)
def test_they_look_as_the_page_does_now(
    name: str, browser: Page, likeness: Callable[[str, Path], float]
) -> None:
    assert likeness(PICTURES[name](browser), FOLDER / f"{name}.png") < OTHER_CELLS
