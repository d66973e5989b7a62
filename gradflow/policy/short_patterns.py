"""Find the few patterns that cover some weights and no others, as a person would write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from gradflow.lazy_dataclass import dataclass
from gradflow.patterns import TAKEN_OUT, Named, all_covered, begin, literal, within

_LAYER, _ALIKE, _TAKEN_OUT, _ALL_BUT = 20, 45, 1, 80
"""What a pattern costs: of a layer, of names that are alike, and more where it takes out, and where
it stands for the whole model. A list of two layers is read faster than what they have in
common."""
_IMPOSSIBLE = 1_000_000
_DEEPEST, _LONGEST = 30, 60
"""Segments of a path, and characters that names have in common: beyond, nothing is divided."""
_BEGINNING = re.compile(r"[^\W\d_]+|.", re.DOTALL)
_END = re.compile(r"[\W_]*[^\W_]+\Z|.\Z", re.DOTALL)
_SEPARATORS = frozenset("_-.")


def short_patterns(
    covered: Sequence[Named], rest: Sequence[Named], *, may_take_out: bool = True
) -> list[str]:
    """Return patterns that cover ``covered`` and nothing of ``rest``: ``backbone/**``, then
    ``!backbone/head/**``.

    Where names cannot tell two variables apart, the names of ``covered`` are all that there is;
    they may cover more.

    Args:
        covered: the variables to cover.
        rest: the other variables of the model.
        may_take_out: whether a pattern may begin with ``!``.
    """
    if not covered:
        return []
    meant = {variable.name for variable in covered}
    every = [*covered, *rest]
    for path_of in (_path, _name):
        states = {path_of(variable): variable.name in meant for variable in every}
        patterns = list(_Search(may_take_out).branch(_tree(states), False).patterns)
        if {variable.name for variable in all_covered(patterns, every)} == meant:
            return patterns
    return [literal(variable.name) for variable in covered]


def _path(variable: Named) -> str:
    return variable.layer_path or variable.name


def _name(variable: Named) -> str:
    return variable.name


@dataclass(slots=True)
class _Branch:
    """What lies below the first segments of paths."""

    segments: tuple[str, ...]
    children: dict[str, _Branch] = field(default_factory=dict)
    states: set[bool] = field(default_factory=set)
    """Whether the variables below are to be covered."""
    states_by_last: dict[str, set[bool]] = field(default_factory=dict)
    """The same, by the last segment of their paths."""

    @property
    def pattern(self) -> str:
        """What covers all of it."""
        return "/".join([*self.written, "**"] if self.children else self.written)

    @property
    def written(self) -> tuple[str, ...]:
        """Its segments as they stand in a pattern."""
        return tuple(map(within, self.segments))


@dataclass(frozen=True, slots=True)
class _Way:
    """Patterns in their order, and what they cost."""

    cost: int = 0
    patterns: tuple[str, ...] = ()

    def __add__(self, other: _Way) -> _Way:
        return _Way(self.cost + other.cost, self.patterns + other.patterns)


_NOTHING, _NO_WAY = _Way(), _Way(_IMPOSSIBLE)


def _tree(states: Mapping[str, bool]) -> _Branch:
    """Arrange variables by their paths; the values say whether they are to be covered."""
    root = _Branch(())
    ends: list[tuple[_Branch, bool]] = []
    for path, state in states.items():
        segments = path.split("/", _DEEPEST)
        branch = root
        for segment in (*segments, None):
            branch.states.add(state)
            branch.states_by_last.setdefault(segments[-1], set()).add(state)
            if segment is not None:
                below = _Branch((*branch.segments, segment))
                branch = branch.children.setdefault(segment, below)
        ends.append((branch, state))
    for branch, state in ends:
        if branch.children:  # its path is the beginning of others
            branch.children[""] = _Branch(branch.segments, states={state})
    return root


@dataclass(slots=True)
class _Search:
    """Finds the cheapest way to turn the state of some variables into the one that is meant.

    The patterns before have left them all ``covered``, or all not.
    """

    may_take_out: bool
    known: dict[tuple[object, ...], _Way] = field(default_factory=dict)

    def branch(self, branch: _Branch, covered: bool) -> _Way:
        """Return the way for a branch."""
        if branch.states == {covered}:
            return _NOTHING
        cost = _LAYER if branch.segments or len(branch.states) == 1 else _ALL_BUT
        return min(
            self._turned(branch.pattern, cost, covered, branch.states)
            + self._inside(branch, not covered),
            self._inside(branch, covered),
            key=_cost,
        )

    def _turned(self, pattern: str, cost: int, covered: bool, states: set[bool]) -> _Way:
        """Return the one pattern that turns what lies in ``states``."""
        if not self.may_take_out and states != {True}:
            return _NO_WAY
        if covered:
            return _Way(cost + _TAKEN_OUT, (TAKEN_OUT + pattern,))
        return _Way(cost, (begin(pattern),))

    def _inside(self, branch: _Branch, covered: bool) -> _Way:
        """Return the way without a pattern for all of the branch."""
        if branch.states == {covered}:
            return _NOTHING
        if not branch.children:
            return _NO_WAY
        names = tuple(branch.children)
        ways = [self._siblings(branch, names, "", "", covered)]
        deep = any(child.children for child in branch.children.values())
        if deep and "" not in branch.children:
            ways.append(self._by_last_segment(branch, covered))
        return min(ways, key=_cost)

    def _by_last_segment(self, branch: _Branch, covered: bool) -> _Way:
        """Return the way that tells the variables apart by their own names: ``**/kernel``."""
        way = _NOTHING
        for last, states in branch.states_by_last.items():
            if len(states) > 1:
                return _NO_WAY
            if states != {covered}:
                pattern = "/".join([*branch.written, "**", within(last)])
                way += self._turned(pattern, _ALIKE, covered, states)
        return way

    def _siblings(
        self, branch: _Branch, names: tuple[str, ...], start: str, end: str, covered: bool
    ) -> _Way:
        """Return the way for those children whose ``names`` have their start and end in common."""
        key = (branch.segments, start, end, covered)
        if key not in self.known:
            singles = _sum(self.branch(branch.children[name], covered) for name in names)
            ways = [singles]
            if len(names) > 1 and len(start + end) < _LONGEST and singles.cost > _LAYER:
                ways += [
                    _sum(self._alike(branch, part, *ends, covered) for ends, part in parts.items())
                    for parts in (_by_start(names, start, end), _by_end(names, start, end))
                ]
            self.known[key] = min(ways, key=_cost)
        return self.known[key]

    def _alike(
        self, branch: _Branch, names: tuple[str, ...], start: str, end: str, covered: bool
    ) -> _Way:
        """Return the way for such children, perhaps with one pattern for all of their names."""
        children = [branch.children[name] for name in names]
        states = {state for child in children for state in child.states}
        if states == {covered}:
            return _NOTHING
        if len(names) == 1:
            return self.branch(children[0], covered)
        keep = self._siblings(branch, names, start, end, covered)
        fitting = [name for name in branch.children if _fits(name, start, end)]
        if len(fitting) > len(names):
            return keep
        below = ["**"] if any(child.children for child in children) else []
        alike = f"{within(start)}*{within(end)}"
        pattern = "/".join([*branch.written, alike, *below])
        turned = self._turned(pattern, _ALIKE, covered, states)
        return min(keep, turned + self._siblings(branch, names, start, end, not covered), key=_cost)


def _cost(way: _Way) -> int:
    return way.cost


def _sum(ways: Iterable[_Way]) -> _Way:
    total = _NOTHING
    for way in ways:
        total += way
    return total


def _fits(name: str, start: str, end: str) -> bool:
    return len(name) >= len(start + end) and name.startswith(start) and name.endswith(end)


_Parts = dict[tuple[str, str], tuple[str, ...]]
"""Names by what each part of them begins and ends with."""


def _by_start(names: Sequence[str], start: str, end: str) -> _Parts:
    """Divide names by the next word, digit or sign after their common start."""
    parts: dict[str, list[str]] = {}
    for name in names:
        word = _BEGINNING.match(name, len(start), len(name) - len(end))
        parts.setdefault(start + (word[0] if word else ""), []).append(name)
    if len(parts) == 1 and len(names) > 1:
        return _by_start(names, next(iter(parts)), end)
    return {
        (_with_separator(longer, part, end), end): tuple(part) for longer, part in parts.items()
    }


def _with_separator(start: str, names: Sequence[str], end: str) -> str:
    """Return ``start`` with the sign that follows it in all of ``names``."""
    following = {name[len(start) : len(name) - len(end)][:1] for name in names}
    return start + following.pop() if len(following) == 1 and following <= _SEPARATORS else start


def _by_end(names: Sequence[str], start: str, end: str) -> _Parts:
    """Divide names by the word before their common end."""
    parts: dict[str, list[str]] = {}
    for name in names:
        word = _END.search(name[len(start) : len(name) - len(end)])
        parts.setdefault((word[0] if word else "") + end, []).append(name)
    if len(parts) == 1 and len(names) > 1:
        return _by_end(names, start, next(iter(parts)))
    return {(start, longer): tuple(part) for longer, part in parts.items()}
