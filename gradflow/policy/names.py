"""The names of two models' weights in, which means which out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gradflow.policy.compare import Known

_NUMBER = re.compile(r"_\d+(?=/|$)")


def aligned(before: Known, names: Iterable[str]) -> Known:
    """The weights of ``before`` by what they are called among ``names``; those of no such name keep
    theirs."""
    meant = pairs(before.weights, names)
    return replace(
        before, weights={meant.get(name, name): weight for name, weight in before.weights.items()}
    )


def pairs(before: Iterable[str], after: Iterable[str]) -> Mapping[str, str]:
    """For names of ``before``, what the same weight is called in ``after``.

    Equal names are one weight. Of the others, one that ends in the segments of another is (an
    export, or a model inside of another, puts a scope in front), where that is so of no third. At
    last, as many names that differ only in Keras's numbers (``dense_4`` for ``dense_1`` in a model
    that was built anew) are meant in their order.
    """
    left, right = list(dict.fromkeys(before)), list(dict.fromkeys(after))
    same = set(left) & set(right)
    found = {name: name for name in left if name in same}
    left, right = (
        [name for name in left if name not in same],
        [name for name in right if name not in same],
    )
    candidates = {
        name: [other for other in right if _is_end(name, other) or _is_end(other, name)]
        for name in left
    }
    for name, others in candidates.items():
        if len(others) == 1 and sum(others[0] in some for some in candidates.values()) == 1:
            found[name] = others[0]
    taken = set(found.values())
    unnumbered = _by_stem(name for name in left if name not in found)
    for stem, others in _by_stem(name for name in right if name not in taken).items():
        if len(unnumbered.get(stem, ())) == len(others):
            found.update(zip(unnumbered[stem], others, strict=True))
    return found


def _is_end(end: str, name: str) -> bool:
    return name.endswith(f"/{end}")


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(_NUMBER.sub("", name), []).append(name)
    return stems
