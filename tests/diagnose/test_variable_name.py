"""What the user calls a variable, and the one line where it is none or several."""

from __future__ import annotations

import pytest

from gradflow.diagnose import find
from gradflow.errors import UsageError

NAMES = [
    "enc/dense/kernel",
    "enc/dense/bias",
    "enc/dense_1/kernel",
    "enc/dense_1/bias",
    "dense/kernel",
    "scale",
]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("enc/dense/kernel", "enc/dense/kernel"),
        ("enc/dense/kernel:0", "enc/dense/kernel"),
        ("dense_1/kernel", "enc/dense_1/kernel"),
        ("dense/bias", "enc/dense/bias"),
        ("dense/kernel", "dense/kernel"),  # the whole of a name goes before the end of another
        ("scale", "scale"),
    ],
)
def test_a_name_or_an_end_that_no_other_has(asked: str, name: str) -> None:
    assert find(asked, NAMES) == name


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        (
            "kernel",
            "variable 'kernel': 3 names end with it",
            "give more of the name: enc/dense/kernel, enc/dense_1/kernel or dense/kernel",
        ),
        (
            "dense/kernl",
            "variable 'dense/kernl': the model has no variable of that name",
            "did you mean enc/dense/kernel, dense/kernel or enc/dense_1/kernel?",
        ),
        (
            "model/tower/scale",
            "variable 'model/tower/scale': the model has no variable of that name",
            "did you mean scale?",
        ),
        (
            "enc/dense_1",
            "variable 'enc/dense_1': the model has no variable of that name",
            "it contains enc/dense_1/kernel and enc/dense_1/bias",
        ),
        (
            "zzz",
            "variable 'zzz': the model has no variable of that name",
            "it has enc/dense/kernel, enc/dense/bias, enc/dense_1/kernel, enc/dense_1/bias, "
            "dense/kernel and scale",
        ),
        ("", "variable '': the model has no variable of that name", None),
        ("ernel", "variable 'ernel': the model has no variable of that name", None),
    ],
)
def test_one_that_is_none_or_several(asked: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        find(asked, NAMES)
    assert raised.value.message == message
    assert hint is None or raised.value.hint == hint


def test_long_lists_are_cut_short() -> None:
    many = [f"block_{place}/kernel" for place in range(900)]
    with pytest.raises(UsageError) as raised:
        find("kernel", many)
    assert raised.value.hint.endswith("block_5/kernel ... (900 in all)")
    with pytest.raises(UsageError) as raised:
        find("zzz", many)
    assert raised.value.hint == "gradflow inspect MODEL --all lists them"
    with pytest.raises(UsageError) as raised:
        find("kernel", [])
    assert raised.value.hint == "it has no variables at all"
