"""Write texts from a model file as Markdown that shows them and does nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from gradflow.text import shown

_MAX_LENGTH = 200
_ACTIVE = re.compile(r"[\\`*_\[\]<>#@|~&$]|:(?=\S)|(?<=[wW]{3})\.")
_TORN = "@#:."
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_QUOTED = re.compile(r"(?<![\w(])'([^']+)'(?![\w)])")


def code(text: str) -> str:
    """Return a name as code: no markup, link or mention in it; the middle of a very long one is
    left out.

    It can stand in a table. Where the text has a backtick or a bar, HTML stands for the backticks,
    since both would need an escape that a cell of a table and a code span read differently.
    """
    plain = shortened(shown(text))
    if not plain or plain != plain.strip() or "`" in plain or "|" in plain:
        return f"<code>{_PUNCTUATION.sub(_torn, plain)}</code>"
    return f"`{plain}`"


def prose(text: str) -> str:
    """Return a sentence as text, with what it quotes as code: ``cut by Round 'net/round'`` with the
    name in code."""
    parts = _QUOTED.split(shortened(shown(text), 4 * _MAX_LENGTH))
    return "".join(code(part) if number % 2 else _inert(part) for number, part in enumerate(parts))


def summary(text: str) -> str:
    """Return a name as code for the ``<summary>`` of a block, which is HTML and no Markdown."""
    return f"<code>{html.escape(shortened(shown(text)), quote=False)}</code>"


def fence(lines: Sequence[str]) -> str:
    """Return lines of printable text as a code block that nothing in them can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    ticks = "`" * max(3, longest + 1)
    # GitHub Actions takes a line of a log that begins with "::" for a command.
    lines = [f"\\{line.lstrip()}" if line.lstrip().startswith("::") else line for line in lines]
    return "\n".join([f"{ticks}text", *lines, ticks])


def shortened(text: str, limit: int = _MAX_LENGTH) -> str:
    """Return ``text`` with its middle left out where it is longer than ``limit`` characters."""
    half = limit // 2 - 3
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


def _inert(text: str) -> str:
    return _ACTIVE.sub(_torn, text)


def _torn(match: re.Match[str]) -> str:
    """Put a comment between: GitHub looks for mentions, issues and addresses after it has read the
    Markdown."""
    return f"{_entity(match)}<!-- -->" if match[0] in _TORN else _entity(match)


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
