"""The documentation site builds from the pages without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.console import PAGES, README, ROOT

CONFIG = ROOT / ".mkdocs.yml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    process = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", CONFIG, "-d", folder],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert (process.returncode, process.stdout + process.stderr) == (0, "")
    return folder


def test_the_readme_is_its_first_page(site: Path) -> None:
    html = (site / "index.html").read_text(encoding="utf-8")

    for page in re.findall(r"/blob/main/docs/([\w-]+)\.md", README.read_text(encoding="utf-8")):
        assert f'href="{page}/"' in html
        assert (site / page / "index.html").exists()
    assert "/blob/main/docs/" not in html.replace("/blob/main/docs/index.md", "")


def test_every_page_stands_in_its_navigation() -> None:
    parts = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"]
    pages = [page for part in parts for entry in part.values() for page in _listed(entry)]

    assert sorted(pages) == sorted(path.name for path in PAGES if path != README)


def _listed(entry: str | list[str]) -> list[str]:
    return [entry] if isinstance(entry, str) else entry


def test_the_site_asks_no_other_server_for_anything(site: Path) -> None:
    html = (site / "index.html").read_text(encoding="utf-8")

    assert re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', html) == []
