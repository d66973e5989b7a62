"""Write what docs/codes.md takes from the catalogue: ``python -m tests.docs.codes``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gradflow.catalogue import CATALOGUE, CodeEntry, Family

PAGE = Path(__file__).parents[2] / "docs" / "codes.md"
MARK = "<!-- All below this line is written by: python -m tests.docs.codes -->\n"
_AS_IT_IS = "<!-- fmt: off -->"
"""For ruff, which formats Python in Markdown: the examples stay as ``explain`` shows them."""


def page(text: str) -> str:
    """The page with its introduction as in ``text``, and everything else from the catalogue."""
    introduction, mark, _ = text.partition(MARK)
    assert mark, f"{PAGE} lacks the line that ends its introduction"
    return f"{introduction}{MARK}{_AS_IT_IS}\n\n" + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| code | kind | severity | meaning |"
    yield "| --- | --- | --- | --- |"
    for item in CATALOGUE.values():
        link = f"[{item.code}](#{item.code.lower()}-{item.kind})"
        yield f"| {link} | {item.kind} | {_severity(item)} | {_prose(item.title)} |"
    for item in CATALOGUE.values():
        yield from _section(item)


def _section(item: CodeEntry) -> Iterator[str]:
    yield f"\n## {item.code} {item.kind}\n"
    yield f"{_severity(item).capitalize()}: {_prose(item.title)}.\n"
    yield f"**Why:** {_prose(item.why)}\n"
    if item.example:
        language = "yaml" if item.family is Family.EXPECTATIONS else "python"
        yield f"```{language}\n{item.example}\n```\n"
    yield f"**Fix:** {_prose(item.fix)}.\n"
    yield f"**Right when:** {_prose(item.right_when)}."


def _severity(item: CodeEntry) -> str:
    return "failure" if item.family is Family.FAILURES else item.severity.value


def _prose(words: str) -> str:
    return re.sub(r"([*<>|\\`\[\]])", r"\\\1", words)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
