"""Which weight of one model is which of another: never one for two, and equal names first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.policy import pairs

NAMES = st.lists(
    st.sampled_from(["a/k", "m/a/k", "a_1/k", "a_2/k", "a_7/k", "b/k", "x/b/k", "y/b/k", "k"]),
    unique=True,
    max_size=6,
)


@given(NAMES, NAMES)
def test_no_weight_stands_for_two(before: list[str], after: list[str]) -> None:
    found = pairs(before, after)

    assert set(found) <= set(before)
    assert set(found.values()) <= set(after)
    assert len(set(found.values())) == len(found)
    assert all(found[name] == name for name in set(before) & set(after))


@given(NAMES)
def test_a_scope_in_front_of_all_changes_nothing(names: list[str]) -> None:
    names = [f"{name}{place}" for place, name in enumerate(names)]

    assert pairs(names, [f"scope/{name}" for name in names]) == {
        name: f"scope/{name}" for name in names
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            ["dense/k", "dense_1/k"],
            ["dense_2/k", "dense_3/k"],
            {"dense/k": "dense_2/k", "dense_1/k": "dense_3/k"},
        ),
        (["dense/k", "dense_1/k"], ["dense_2/k"], {}),  # one was taken out: nobody knows which
        (["b/k"], ["x/b/k", "y/b/k"], {}),
    ],
)
def test_numbers_are_followed_where_the_count_is_the_same(
    before: list[str], after: list[str], expected: dict[str, str]
) -> None:
    assert pairs(before, after) == expected
