"""Answer ``gradflow inspect --entry list``: what each model file holds that can be called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.text import Text

from gradflow.findings import EntryList, Format, ListedEntry, ListedTensor
from gradflow.findings.wire import encode
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.people.blocks import failure_lines
from gradflow.report.people.lines import Page, fold, joined, line, page_of
from gradflow.report.words import counted, type_and_shape
from gradflow.text import as_json, encodable, shown
from gradflow.version import VERSION

SCHEMA = "gradflow-entries-1"


def render(lists: Sequence[EntryList], layout: Layout = PLAIN) -> str:
    """Return the entries of each file as text of at most ``layout.width`` columns (40 at
    least)."""
    page = page_of(layout)
    lines: list[Text] = []
    for listed in lists:
        lines += [line()] if lines else []
        lines += _of_file(encodable(listed, layout.encoding), page)
    return joined(lines, layout.color)


def render_json(lists: Sequence[EntryList], layout: Layout = PLAIN) -> str:
    """Return the entries of each file as JSON text."""
    tool = {"name": "gradflow", "version": VERSION}
    answer = {"schema": SCHEMA, "tool": tool, "models": [encode(listed) for listed in lists]}
    return as_json(answer) + "\n"


RENDERERS: Mapping[str, Callable[[Sequence[EntryList], Layout], str]] = {
    "text": render,
    "json": render_json,
}


def refusal(listed: EntryList) -> str:
    """Say in one line why the entries of a file could not be read, and what to do."""
    if listed.error is None:
        return ""
    remedy = f"; {shown(listed.error.hint)}" if listed.error.hint else ""
    return (
        f"{shown(listed.path)}: could not be checked ({listed.error.code}): "
        f"{shown(listed.error.message)}{remedy}"
    )


def _of_file(listed: EntryList, page: Page) -> Iterator[Text]:
    if listed.error is not None:
        yield from failure_lines(shown(listed.path), listed.error, page)
        return
    width = page.width
    number = len(listed.entries)
    entries = "no entry" if not number else "1 entry" if number == 1 else f"{number} entries"
    words = f": {entries}, {counted(listed.weights, 'weight')}"
    yield from fold(line((shown(listed.path), "bold"), words), width, 4)
    if listed.format is not Format.SAVED_MODEL:
        words = "a Keras file has one entry only, the call of the model: --entry is for SavedModels"
        yield from fold(line("  ", words), width, 4)
        return
    for entry in listed.entries:
        yield from _of_entry(entry, width)


def _of_entry(entry: ListedEntry, width: int) -> Iterator[Text]:
    default = " (default)" if entry.is_default else ""
    uses = f"uses {counted(entry.weights, 'weight')}" if entry.weights else "uses no weight"
    yield line()
    head = line("  ", (shown(entry.name), "bold"), default, (f"  {uses}", "dim"))
    yield from fold(head, width, 6)
    for word, tensors in (("inputs", entry.inputs), ("outputs", entry.outputs)):
        words = "; ".join(_tensor(tensor) for tensor in tensors) or "none"
        yield from fold(line("    ", (f"{word}: {words}", "dim")), width, 6)


def _tensor(tensor: ListedTensor) -> str:
    if tensor.shape is None:
        return f"{shown(tensor.name)} {shown(tensor.dtype)}[...]"
    return f"{shown(tensor.name)} {type_and_shape(tensor.dtype, tensor.shape)}"
