"""Turn hints that name options of the command line into what a Python caller writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gradflow.options.analysis import DECLARED, Declared
from gradflow.options.kinds import Choice, Flag, Inputs, Memory, Modules, Text, Texts

_COMMAND = re.compile(r"(gradflow [a-z]+\b(?: [^;,()]*)?|--entry list\b)")
"""A command that a hint names stays one; a list of entries is had from the command alone."""
_LIST = "--entry list"
_VALUES = {
    Inputs: r"[\w./:\[\]-]+=@?[\w./:\[\],?<-]*[\w\]]",
    Memory: r"\d[\w.]*",
    Modules: r"[A-Za-z_][\w.]*\w",
    Text: r"(?:[A-Z]{2,}\b|all\b|'[^']*')",
    Texts: r"[A-Z]{2,}\b",
}
"""What the value of an option looks like in a hint, by its kind."""
_NUMBER = r"(?:\d[\d.e]*|[A-Z]+)\b"


def in_python(text: str) -> str:
    """Return ``text`` with each option as the keyword that ``gradflow.inspect`` takes:
    ``trust=True`` for ``--trust``, ``inputs={"x": "float32[4,16]"}`` for
    ``--input x=float32[4,16]``."""
    parts = _COMMAND.split(text)
    return "".join(
        part.replace(_LIST, f"gradflow inspect MODEL {_LIST}", part == _LIST)
        if number % 2
        else _translated(part)
        for number, part in enumerate(parts)
    )


def _translated(text: str) -> str:
    if "-" not in text:
        return text
    for option in DECLARED.values():
        if option.flag is not None and option.in_python:
            text = _with_keyword(text, option)
    text = re.sub(r"(?<![\w-])-v(?![\w-])", "gradflow inspect -v", text)
    return text.replace("--all shows", "show_all=True shows")


def _with_keyword(text: str, option: Declared) -> str:
    flag, name = re.escape(option.flag or ""), option.name
    if isinstance(option.kind, Flag):
        text = _flag_to(text, flag, f"{name}=True")
        off = re.escape(option.kind.off)
        return _flag_to(text, off, f"{name}=False") if off else text
    value = _VALUES.get(type(option.kind), _NUMBER)
    if isinstance(option.kind, Choice):
        value = rf"(?:{'|'.join(option.kind.names)})\b"
    repeated = rf"(?<![\w-]){flag} ({value}(?: {flag} {value})*)"

    def keyword(match: re.Match[str]) -> str:
        values = re.split(rf" {flag} ", match[1])
        return f"{name}={_WRITTEN.get(type(option.kind), _plain)(values)}"

    return _flag_to(re.sub(repeated, keyword, text), flag, name)


def _flag_to(text: str, flag: str, keyword: str) -> str:
    return re.sub(rf"(?<![\w-]){flag}(?![\w-])", keyword, text)


def _plain(values: list[str]) -> str:
    return values[-1]


def _quoted(values: list[str]) -> str:
    return values[-1] if values[-1].startswith("'") else f'"{values[-1]}"'


def _listed(values: list[str]) -> str:
    return f"[{', '.join(map(_quoted, ([value] for value in values)))}]"


def _mapping(values: list[str]) -> str:
    pairs = [value.partition("=") for value in values]
    return f"{{{', '.join(f'{_quoted([name])}: {_quoted([spec])}' for name, _, spec in pairs)}}}"


_WRITTEN: Mapping[type, Callable[[list[str]], str]] = {
    Choice: _quoted,
    Inputs: _mapping,
    Memory: _quoted,
    Modules: _listed,
    Text: _quoted,
    Texts: _listed,
}
