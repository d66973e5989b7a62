"""Read YAML into plain values, and keep the line of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
"""Keys and indices from the top of the file to a value."""
_MOST_NODES = 100_000
"""More are an alias bomb and no configuration."""
_DEEPEST = 50


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to repair."""

    line: int
    """From 1."""
    message: str


@dataclass(slots=True)
class Tree:
    """Plain values (dicts, lists, strings, numbers, booleans, None), their lines, and what is
    wrong."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    """From 1; of a mapping's entry, the line of its key."""
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of ``path``, or of the nearest value around it."""
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
        return [_plain(item, (*path, index), tree, budget) for index, item in enumerate(node.value)]
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
