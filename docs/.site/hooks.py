"""Make the README the first page of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_PAGE_ADDRESS = re.compile(
    r"\(https://(github\.com/gradflow/gradflow/blob|raw\.githubusercontent\.com/gradflow/gradflow)"
    r"/main/docs/"
)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put the README in place of ``index.md``; its addresses of pages lead to those of the site."""
    if page.file.src_uri != "index.md":
        return markdown
    return _PAGE_ADDRESS.sub("(", (_ROOT / "README.md").read_text(encoding="utf-8"))
