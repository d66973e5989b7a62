"""Take the pictures of the HTML page that README.md and docs/ show: sample models in a browser.

``python -m tests.docs.pictures`` writes them into docs/pictures/. Look at them before you commit.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import gradflow
from tests.browser.conftest import Page, paths, started
from tests.docs.console import ROOT

FOLDER = ROOT / "docs" / "pictures"
SAMPLES = ROOT / "sample_models"


def two_towers(page: Page) -> str:
    """A finding that is chosen: its cut, the layers behind it, and the way out."""
    page.open(_page_of("two_towers.keras"), size=(1280, 760))
    page.click(".finding .head", "GF201")
    return page.picture()


def argmax(page: Page) -> str:
    """A layer that is chosen, in the dark: its weights, and why they get nothing."""
    page.open(_page_of("argmax.keras"), size=(1280, 760), scheme="dark")
    page.choose("router")
    return page.picture()


PICTURES: Mapping[str, Callable[[Page], str]] = MappingProxyType(
    {"two_towers": two_towers, "argmax": argmax}
)


def _page_of(name: str) -> str:
    report = gradflow.inspect(SAMPLES / name)
    # As who runs the command in a clone sees it.
    return report.to_html().replace(f"{SAMPLES.as_posix()}/", "sample_models/")


def main() -> None:
    programs = paths()
    if programs is None:
        raise SystemExit("no Chromium with chromedriver: apt-get install chromium chromium-driver")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, started(programs, Path(folder)) as page:
        for name, take in PICTURES.items():
            (FOLDER / f"{name}.png").write_bytes(base64.b64decode(take(page)))


if __name__ == "__main__":
    main()
