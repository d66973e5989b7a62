"""The text of a YAML or TOML file in, plain values and the line of each out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

import yaml

from gradflow.config.problems import Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Path = tuple[str | int, ...]
"""Keys and places from the top of the file to a value."""
_MOST_NODES = 100_000
"""More are an alias bomb and no configuration."""
_DEEPEST = 50


@dataclass(slots=True)
class Tree:
    """Plain values (dicts, lists, strings, numbers, booleans, None), where they stand, and what is
    wrong."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    """From 1; of a mapping's entry, the line of its key."""
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Of ``path``, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's words: ``on`` and ``no`` are names, ``1e-6`` is a number, dates are texts."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 -- PyYAML's way to set it


_WORDS = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", [*"-+0123456789"]),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
        [*"-+.0123456789"],
    ),
)
for _tag, _pattern, _first in _WORDS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


def read_yaml(text: str) -> Tree:
    """Read YAML; a syntax error, a duplicate key or a tag is a problem of the tree, nothing is
    raised."""
    tree = Tree()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        about = ": ".join(part for part in (error.context, error.problem) if part)
        tree.problems.append(Problem(line, f"is not YAML: {about}"))
        return tree
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        tree.problems.append(Problem(1, f"is not YAML: {str(error).splitlines()[0]}"))
        return tree
    if node is not None:
        budget = iter(range(_MOST_NODES))
        tree.value = _plain(node, (), tree, budget)
        if next(budget, None) is None:
            tree.problems.append(
                Problem(1, f"holds more than {_MOST_NODES:,} values: aliases inside aliases")
            )
    return tree


def _plain(node: yaml.Node, path: Path, tree: Tree, budget: Iterator[int]) -> Any:
    line = node.start_mark.line + 1
    tree.lines.setdefault(path, line)
    if next(budget, None) is None:
        return None
    if len(path) > _DEEPEST:
        tree.problems.append(Problem(line, "is nested too deeply"))
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, place), tree, budget) for place, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, budget)
    convert = _SCALARS.get(node.tag)
    if convert is None:
        tree.problems.append(Problem(line, f"tag {node.tag} is not allowed: write a plain value"))
        return str(node.value)
    try:
        return convert(node.value)
    except ValueError:  # Python reads no integer of more than 4,300 digits
        tree.problems.append(Problem(line, f"a number of {len(node.value):,} digits is too long"))
        return None


def _mapping(
    node: yaml.MappingNode, path: Path, tree: Tree, budget: Iterator[int]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            tree.problems.append(Problem(line, "a key has to be a word"))
            continue
        if key.value in values:
            before = tree.line((*path, key.value))
            tree.problems.append(
                Problem(line, f"key {key.value!r} stands here a second time, after line {before}")
            )
            continue
        inside = (*path, key.value)
        tree.lines[inside] = line
        values[key.value] = _plain(value, inside, tree, budget)
    return values


def read_toml(text: str, table: tuple[str, ...]) -> Tree:
    """Read the ``table`` of a TOML file, such as ``("tool", "gradflow")``; its value is None where
    it is missing."""
    tree = Tree()
    try:
        value: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        tree.problems.append(Problem(int(found[1]) if found else 1, f"is not TOML: {error}"))
        return tree
    for key in table:
        value = value.get(key) if isinstance(value, dict) else None
    tree.value = _without_dates(value)
    if value is not None:
        _locate(value, (), tree, _Lines(text.splitlines(), table))
    return tree


def _without_dates(value: Any) -> Any:
    """TOML has dates of its own, which stand for their texts here, as in YAML."""
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


@dataclass(slots=True)
class _Lines:
    """TOML's parser keeps no lines: a key is looked for below the header of its table, in the order
    of the file."""

    text: list[str]
    table: tuple[str, ...]
    at: int = 0

    def __post_init__(self) -> None:
        head = re.compile(r"^\s*\[+\s*" + r"\s*\.\s*".join(map(re.escape, self.table)) + r"\b")
        self.at = next((place for place, line in enumerate(self.text) if head.search(line)), 0)

    def of(self, key: str) -> int:
        word = re.compile(r"(?:^|[\s.\[{,\"'])" + re.escape(key) + r"[\"']?\s*(?:=|\]|\.)")
        for place in range(self.at, len(self.text)):
            if word.search(self.text[place]):
                self.at = place
                return place + 1
        return self.at + 1


def _locate(value: Any, path: Path, tree: Tree, lines: _Lines) -> None:
    tree.lines.setdefault(path, lines.at + 1)
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        inside = (*path, key)
        if isinstance(key, str):
            tree.lines[inside] = lines.of(key)
        _locate(item, inside, tree, lines)
