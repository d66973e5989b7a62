"""docs/codes.md holds every code as the catalogue has it."""

from __future__ import annotations

import os

from tests.docs.codes import PAGE, page


def test_the_page_is_what_the_catalogue_says() -> None:
    shown = PAGE.read_text(encoding="utf-8")
    written = page(shown)
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        PAGE.write_text(written, encoding="utf-8", newline="\n")
        return
    assert shown == written, "write it anew: python -m tests.docs.codes"
