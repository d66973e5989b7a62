"""Fold styled text into lines that fit a width, in color or plain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple
from io import StringIO

from rich.cells import cell_len
from rich.text import Text

from gradflow.lazy_dataclass import dataclass
from gradflow.report.layout import Layout

_NARROWEST = 40
_GAP = "..."
"""Stands for the middle of a name that is cut."""
_WIDEST = 2
"""Cells of a character, at most."""
_ONE_CELL_EACH = re.compile(r"[ -~]*")
_WORD = re.compile(r"[^ ]+")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of a drawn path."""

    starved: str
    """Data flows down, no gradient comes up."""
    fed: str
    cut: str
    fault: str
    """An op that makes zeros, NaN or Inf."""
    gap: str
    end: str
    rule: str


_DRAWN = Glyphs(starved="╎", fed="│", cut="✂", fault="●", gap="⋮", end="▼", rule="─")
_ASCII = Glyphs(starved=":", fed="|", cut="X", fault="*", gap="~", end="v", rule="-")


@dataclass(frozen=True, slots=True)
class Page:
    """What the lines are laid out for."""

    width: int
    show_all: bool
    glyphs: Glyphs
    show_ops: bool = False


def page_of(layout: Layout) -> Page:
    """Return the page for ``layout``; drawn characters only where its encoding has them all."""
    glyphs = _DRAWN
    try:
        "".join(astuple(_DRAWN)).encode(layout.encoding)
    except UnicodeEncodeError:
        glyphs = _ASCII
    return Page(max(layout.width, _NARROWEST), layout.show_all, glyphs, layout.show_ops)


def line(*parts: str | tuple[str, str]) -> Text:
    """Return one line of plain strings and ``(string, style)`` pairs; nothing in them is read as
    markup."""
    text = Text()
    for part in parts:
        if isinstance(part, str):
            text.append(part)
        else:
            text.append(part[0], style=part[1])
    return text


def fold(text: Text, width: int, hang: int = 0) -> list[Text]:
    """Break ``text`` into lines of at most ``width`` cells, later ones indented by ``hang``.

    Lines break at spaces, else after ``/``, else anywhere: a long name is folded and nothing of it
    is lost.
    """
    plain, indent, start = text.plain, "", 0
    if _break_at(plain, 0, width) == len(plain):
        return [text]
    stretches = []
    while (at := _break_at(plain, start, width - len(indent))) < len(plain):
        stretches.append((start, at, indent))
        while plain[at : at + 1] == " ":
            at += 1
        start, indent = at, " " * hang
    stretches.append((start, len(plain), indent))
    # At once: a rest without a beginning would be copied for each line of a name of a megabyte.
    parts = text.divide([bound for start, end, _ in stretches for bound in (start, end)])
    return [
        _indented(part, indent) for part, (_, _, indent) in zip(parts[1::2], stretches, strict=True)
    ]


def lay_out(text: Text, page: Page, hang: int = 0) -> list[Text]:
    """Fold ``text`` to the page as ``fold`` does, with names as ``with_short_names`` has them."""
    return fold(with_short_names(text, page, hang), page.width, hang)


def with_short_names(text: Text, page: Page, hang: int = 0) -> Text:
    """Return ``text`` with each name cut in the middle that is too long for a line behind ``hang``
    spaces, unless everything is to be shown.

    For what names things of the model; not for commands and paths, which people copy.
    """
    if page.show_all:
        return text
    room = page.width - hang
    for match in reversed(list(_WORD.finditer(text.plain))):
        if len(match[0]) * _WIDEST > room and cell_len(match[0]) > room:
            head, tail = _ends(match[0], room)
            start, end = match.start() + len(head), match.end() - len(tail)
            text = text[:start] + Text(_GAP) + text[end:]
    return text


def cut_in_the_middle(name: str, room: int) -> str:
    """Return ``name`` in at most ``room`` cells, 20 at least: ``net/block_0/.../query/MatMul``.

    It is cut between segments where that leaves enough of both ends.
    """
    return name if cell_len(name) <= room else _GAP.join(_ends(name, room))


def _ends(name: str, room: int) -> tuple[str, str]:
    """Return the beginning and the end of a name that is too long."""
    half = (max(room, 20) - len(_GAP)) // 2
    head, tail = _first_cells(name, half), _first_cells(name[::-1], half)[::-1]
    head_segments, tail_segments = head.rpartition("/"), tail.partition("/")
    if len(head_segments[0]) > half // 2:
        head = f"{head_segments[0]}/"
    if len(tail_segments[2]) > half // 2:
        tail = f"/{tail_segments[2]}"
    return head, tail


def _first_cells(name: str, cells: int, start: int = 0) -> str:
    first = name[start : start + cells]
    if _ONE_CELL_EACH.fullmatch(first):
        return first
    end, used = start, 0
    while end < len(name) and (used := used + cell_len(name[end])) <= cells:
        end += 1
    return name[start:end]


def joined(lines: Iterable[Text], color: bool) -> str:
    """Return the lines as one string, with terminal colors or without any escape sequence."""
    ends = [_inert(_trimmed(text)) for text in lines]
    return _colored(ends) if color else "".join(f"{end.plain}\n" for end in ends)


def _break_at(plain: str, start: int, room: int) -> int:
    """Return where the line ends that begins at ``start``; the end of ``plain`` where all fits."""
    fits = start + len(_first_cells(plain, room, start))
    if fits == len(plain):
        return fits
    first = start
    while first < fits and plain[first] == " ":
        first += 1
    space = plain.rfind(" ", first, fits + 1)
    if space > first:
        return space
    slash = plain.rfind("/", first, fits)
    return slash + 1 if slash > first else max(fits, start + 1)


def _indented(text: Text, indent: str) -> Text:
    return Text(indent) + text if indent else text


def _trimmed(text: Text) -> Text:
    if not text.plain[-1:].isspace():
        return text
    text = text.copy()
    text.rstrip()
    return text


def _inert(text: Text) -> Text:
    """GitHub Actions takes a line of a log that begins with ``::``, after any spaces, for a
    command."""
    indent = len(text.plain) - len(text.plain.lstrip(" "))
    if not text.plain.startswith("::", indent):
        return text
    # The stroke takes the place of a space, or of the first colon: the line grows no wider.
    return Text(" " * (indent - 1) + "\\") + text[max(indent, 1) :]


def _colored(lines: list[Text]) -> str:
    from rich.console import (
        Console,
    )  # NOTE: costs as much as everything else here together; plain text does not need it

    console = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
        _environ={},
    )
    for text in lines:
        console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)
    stream = console.file
    assert isinstance(stream, StringIO)
    return stream.getvalue()
