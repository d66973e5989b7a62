"""A class of the lazy ``dataclass`` is, to whoever uses it, one of the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from gradflow import findings, lazy_dataclass


def _classes(dataclass: Callable[..., Any], suffix: str) -> dict[str, Any]:
    """The same classes, made by ``dataclass``."""

    @dataclass(frozen=True, slots=True)
    class Point:
        """Two numbers."""

        x: float
        y: float = 0.0

    @dataclass(frozen=True, slots=True)
    class Named(Point):
        """As above, with a name."""

        size: int = field(kw_only=True, default=1)
        names: list[str] = field(default_factory=list)
        note: str = field(default="", repr=False, metadata={"internal": True})

    @dataclass(frozen=True, slots=True)
    class Apart:
        """Fields that do not count where two are compared, or hashed."""

        name: str
        size: int = 0
        items: list[str] = field(default_factory=list, hash=False)
        seen: float = field(default=math.nan, compare=False)

    @dataclass(frozen=True, slots=True)
    class Single:
        value: object

    @dataclass(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    @dataclass(frozen=True, slots=True)
    class Folded:
        """Has an order of its own."""

        word: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Folded) and self.word.lower() == other.word.lower()

        def __hash__(self) -> int:
            return hash(self.word.lower())

    made = {kind.__name__: kind for kind in (Point, Named, Apart, Single, Empty, Folded)}
    for name, kind in made.items():
        kind.__qualname__ = f"{name}{suffix}"
        setattr(sys.modules[__name__], kind.__qualname__, kind)
    return made


OURS = _classes(lazy_dataclass.dataclass, "Ours")
THEIRS = _classes(dataclasses.dataclass, "Theirs")
BOTH = pytest.mark.parametrize("name", OURS)
VALUES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "Point": [((1.0,), {}), ((1.0, 0.0), {}), ((), {"y": 2.0, "x": 1.0}), ((math.nan,), {})],
    "Named": [((1.0,), {}), ((1.0,), {"names": ["a"]}), ((1.0, 2.0, ["a"], "b"), {"size": 3})],
    "Apart": [(("a",), {}), (("a",), {"seen": 1.0}), (("a", 0, ["b"]), {}), (("a", 1), {})],
    "Single": [((1,), {}), ((math.nan,), {}), (((1, 2),), {})],
    "Empty": [((), {})],
    "Folded": [(("a",), {}), (("A",), {}), (("b",), {})],
}


def _made(classes: dict[str, Any], name: str) -> list[Any]:
    return [classes[name](*arguments, **named) for arguments, named in VALUES[name]]


@BOTH
def test_what_is_made_is_the_same(name: str) -> None:
    for ours, theirs in zip(_made(OURS, name), _made(THEIRS, name), strict=True):
        assert repr(asdict(ours)) == repr(asdict(theirs))
        assert repr(ours).replace("Ours", "") == repr(theirs).replace("Theirs", "")
        assert not hasattr(ours, "__dict__")


@BOTH
def test_fields_and_signature_of_matching_are_the_same(name: str) -> None:
    described = [
        [(each.name, each.default, each.metadata, each.repr) for each in fields(classes[name])]
        for classes in (OURS, THEIRS)
    ]

    assert described[0] == described[1]
    assert OURS[name].__match_args__ == THEIRS[name].__match_args__


@BOTH
def test_equality_and_hashes_are_the_same(name: str) -> None:
    compared = []
    for classes in (OURS, THEIRS):
        values = [*_made(classes, name), 1, None]
        compared.append([[left == right for right in values] for left in values])
    assert compared[0] == compared[1]
    for one, other in zip(_made(OURS, name), _made(OURS, name), strict=True):
        if one == other and name != "Named":
            assert hash(one) == hash(other)


def test_an_unhashable_field_is_one_in_both() -> None:
    for classes in (OURS, THEIRS):
        with pytest.raises(TypeError, match="unhashable"):
            hash(classes["Named"](1.0))


def test_what_is_not_compared_or_hashed_is_left_out_in_both() -> None:
    for classes in (OURS, THEIRS):
        plain, seen, full, _ = _made(classes, "Apart")
        assert plain == seen != full
        assert hash(plain) == hash(seen) == hash(full)


@BOTH
def test_nothing_can_be_changed(name: str) -> None:
    for value in _made(OURS, name):
        for item in fields(value):
            with pytest.raises(FrozenInstanceError, match=item.name):
                setattr(value, item.name, 1)
            with pytest.raises(FrozenInstanceError, match=item.name):
                delattr(value, item.name)


@pytest.mark.parametrize("arguments", [(), (1.0, 2.0, 3.0), (1.0,)])
def test_wrong_arguments_are_refused_as_there(arguments: tuple[float, ...]) -> None:
    said = []
    for classes in (OURS, THEIRS):
        with pytest.raises(TypeError) as refused:
            classes["Point"](*arguments, **({"x": 1.0} if len(arguments) == 1 else {}))
        said.append(str(refused.value).replace("Ours", "").replace("Theirs", ""))
    assert said[0].rpartition(".")[2] == said[1].rpartition(".")[2]


@BOTH
def test_copies_are_equal(name: str) -> None:
    for value in _made(OURS, name)[:1]:
        for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), replace(value)):
            assert again == value
            assert type(again) is type(value)


def test_a_copy_from_another_process_can_be_compared_before_one_is_made() -> None:
    fresh = _classes(lazy_dataclass.dataclass, "Fresh")
    values = [fresh["Point"].__new__(fresh["Point"]) for _ in range(2)]
    for value in values:
        value.__setstate__([1.0, 2.0])

    assert values[0] == values[1]
    assert hash(values[0]) == hash(values[1])


def test_other_kinds_are_those_of_the_standard_library() -> None:
    @lazy_dataclass.dataclass(slots=True)
    class Changing:
        number: int

    value = Changing(1)
    value.number = 2
    assert value == Changing(2)


def test_what_it_cannot_do_is_left_to_the_standard_library() -> None:
    @lazy_dataclass.dataclass(frozen=True, slots=True)
    class Checked:
        number: int

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError(self.number)

    assert Checked(1) == Checked(1)
    with pytest.raises(ValueError, match="-1"):
        Checked(-1)


def test_a_subclass_has_to_be_frozen_too() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Further(OURS["Point"]):  # type: ignore[misc]
        name: str = ""

    assert Further(1.0, 2.0, "a") == Further(x=1.0, y=2.0, name="a")
    with pytest.raises(TypeError, match="frozen"):

        @dataclasses.dataclass
        class Changing(OURS["Point"]):  # type: ignore[misc]
            name: str = ""


def test_a_subclass_is_made_by_it_and_leaves_its_base_frozen() -> None:
    assert OURS["Named"].__setattr__ is OURS["Point"].__setattr__ is lazy_dataclass._setattr
    assert OURS["Point"].__dataclass_params__.frozen
    assert OURS["Named"].__dataclass_params__.frozen


def test_a_base_that_can_be_changed_is_refused_as_there() -> None:
    @dataclasses.dataclass(slots=True)
    class Changing:
        number: int

    for dataclass in (lazy_dataclass.dataclass, dataclasses.dataclass):
        with pytest.raises(TypeError, match="frozen"):

            @dataclass(frozen=True, slots=True)
            class Further(Changing):
                name: str = ""


def test_the_result_types_are_made_by_it() -> None:
    assert findings.Tool.__setattr__ is lazy_dataclass._setattr
