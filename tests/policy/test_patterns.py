"""Patterns of names, held against a matcher that tries every way to place the segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.patterns import matches

SEGMENT = st.sampled_from(["a", "b", "ab", "a.b", "kernel"])
PART = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "a.b"])


def by_hand(pattern: list[str], name: list[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(by_hand(pattern[1:], name[used:]) for used in range(len(name) + 1))
    return bool(name) and segment_matches(pattern[0], name[0]) and by_hand(pattern[1:], name[1:])


def segment_matches(pattern: str, segment: str) -> bool:
    if "*" not in pattern:
        return pattern == segment
    start, _, end = pattern.partition("*")
    return len(segment) >= len(start + end) and segment.startswith(start) and segment.endswith(end)


@given(st.lists(PART, min_size=1, max_size=4), st.lists(SEGMENT, min_size=1, max_size=5))
def test_patterns_mean_what_they_say(pattern: list[str], name: list[str]) -> None:
    assert matches("/".join(pattern), "/".join(name)) is by_hand(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("backbone/**", "backbone/block/kernel", True),
        ("backbone/**", "backbone2/kernel", False),
        ("**/ema_*", "encoder/ema_kernel", True),
        ("**/ema_*", "ema_kernel", True),
        # The suffix tells two weights of one name apart.
        ("dense/kernel", "dense/kernel@towers.left", True),
        ("dense/kernel@towers.left", "dense/kernel@towers.right", False),
        ("layers[0]/(x)", "layers[0]/(x)", True),
        ("a/*/c", "a//c", False),
        (r"\*\*/kernel", "**/kernel", True),
        (r"\*\*/kernel", "a/kernel", False),
        (r"a\*/b*", "a*/bc", True),
        (r"a\*/b*", "ab/bc", False),
        (r"\!a", "!a", True),
        (r"a\b", r"a\b", True),
    ],
)
def test_particular_names(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected
