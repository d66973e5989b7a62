"""Match the weights of two models by their names."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gradflow.policy.compare import Snapshot

_NUMBER = re.compile(r"_\d+(?=/|$)")


def aligned(before: Snapshot, names: Iterable[str]) -> Snapshot:
    """Rename the weights of ``before`` to their names among ``names``; weights without a match keep
    their names."""
    meant = pairs(before.weights, names)
    return replace(
        before, weights={meant.get(name, name): weight for name, weight in before.weights.items()}
    )


def pairs(before: Iterable[str], after: Iterable[str]) -> Mapping[str, str]:
    """Map each name of ``before`` to the name of the same weight in ``after``.

    Equal names are the same weight. Otherwise a name that ends with the segments of the other is
    the same weight, where only one fits: an export, or a model inside another, adds a scope in
    front. Last, names that differ only in Keras's numbers (``dense_4`` for ``dense_1`` in a rebuilt
    model) are paired in their order, where both sides have the same number of them.
    """
    left, right = list(dict.fromkeys(before)), list(dict.fromkeys(after))
    same = set(left) & set(right)
    matches = {name: name for name in left if name in same}
    left, right = (
        [name for name in left if name not in same],
        [name for name in right if name not in same],
    )
    candidates = {
        name: [twin for twin in right if _is_end(name, twin) or _is_end(twin, name)]
        for name in left
    }
    claims = Counter(itertools.chain.from_iterable(candidates.values()))
    for name, ends in candidates.items():
        if len(ends) == 1 and claims[ends[0]] == 1:
            matches[name] = ends[0]
    matched = set(matches.values())
    unnumbered = _by_stem(name for name in left if name not in matches)
    for stem, numbered in _by_stem(name for name in right if name not in matched).items():
        if len(unnumbered.get(stem, ())) == len(numbered):
            matches.update(zip(unnumbered[stem], numbered, strict=True))
    return matches


def _is_end(end: str, name: str) -> bool:
    return name.endswith(f"/{end}")


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(_NUMBER.sub("", name), []).append(name)
    return stems
