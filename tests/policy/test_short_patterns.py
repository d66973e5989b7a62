"""The patterns that ``init`` writes cover exactly what they are for, and are few."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.patterns import all_covered
from gradflow.policy import short_patterns


@dataclass(frozen=True, slots=True)
class Weight:
    name: str
    layer_path: str = ""


SEGMENTS = st.one_of(
    st.sampled_from("backbone head block_1 block_10 block_1_bn conv2d conv2d_1 bn_1 a ab".split()),
    st.text("ab1_.-@*!\\", min_size=1, max_size=6),
    st.sampled_from(["*", "**", "!a", "a*"]),
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.booleans(), max_size=30), st.booleans(), st.booleans())
def test_they_cover_exactly_what_is_frozen(
    frozen: dict[str, bool], below_layers: bool, may_take_out: bool
) -> None:
    weights = [
        Weight(f"{number}:{path}", path) if below_layers else Weight(path)
        for number, path in enumerate(frozen)
    ]
    covered = [weight for weight, state in zip(weights, frozen.values(), strict=True) if state]
    rest = [weight for weight in weights if weight not in covered]

    patterns = short_patterns(covered, rest, may_take_out=may_take_out)

    assert len(patterns) <= max(len(covered), 1)
    assert all_covered(patterns, weights) == covered or _has_a_twin(covered, rest)
    if not may_take_out:
        assert not any(pattern.startswith("!") for pattern in patterns)


def _has_a_twin(covered: list[Weight], rest: list[Weight]) -> bool:
    """A name without its suffix covers the name with it: ``dense/kernel`` and
    ``dense/kernel@left``."""
    names = {path for weight in covered for path in (weight.name, weight.layer_path)}
    return any(
        path.rpartition("@")[0] in names
        for weight in rest
        for path in (weight.name, weight.layer_path)
    )


def layers(*names: str, of: str = "kernel bias") -> list[str]:
    return [f"{name}/{weight}" for name in names for weight in of.split()]


def mobilenet() -> Iterator[str]:
    yield from layers("m/Conv1", of="kernel")
    for block in range(1, 17):
        for part in ("expand", "depthwise", "project"):
            yield from layers(f"m/block_{block}_{part}", of="kernel")
            yield from layers(f"m/block_{block}_{part}_BN", of="gamma beta")
    yield from layers("m/Conv_1", of="kernel")
    yield from layers("m/Conv_1_bn", of="gamma beta")
    yield from layers("head")


CASES: dict[str, tuple[list[str], Callable[[str], bool], list[str]]] = {
    "all but the head of the backbone": (
        layers(*(f"backbone/block{number}" for number in range(40)), "backbone/head", "top"),
        lambda name: name.startswith("backbone/block"),
        ["backbone/**", "!backbone/head/**"],
    ),
    "the backbone": (
        layers("backbone/a", "backbone/b", "head"),
        lambda name: name.startswith("backbone"),
        ["backbone/**"],
    ),
    "few layers of their own": (
        layers("stem", "norm", "block", "head"),
        lambda name: not name.startswith("head"),
        ["stem/**", "norm/**", "block/**"],
    ),
    "the last blocks are trained": (
        list(mobilenet()),
        lambda name: (
            name.startswith("m/") and not any(end in name for end in ("_15_", "_16_", "Conv_1"))
        ),
        ["m/**", "!m/Conv_1/**", "!m/Conv_1_bn/**", "!m/block_15_*/**", "!m/block_16_*/**"],
    ),
    "all is trained, normalizations excepted": (
        list(mobilenet()),
        lambda name: name.endswith(("gamma", "beta")),
        ["m/block_*_BN/**", "m/Conv_1_bn/**"],
    ),
    "low rank": (
        [*layers("enc/a", "enc/b", "enc/c", of="kernel bias lora_kernel_a lora_kernel_b"), "head"],
        lambda name: name.startswith("enc") and "lora" not in name,
        ["enc/**/kernel", "enc/**/bias"],
    ),
    "layers with numbers of their own": (
        layers("conv", *(f"conv_{number}" for number in range(1, 90)), "head"),
        lambda name: not name.startswith(("conv_8", "head")) or name.startswith("conv_8/"),
        ["conv*/**", "!conv_8*/**", "conv_8/**"],
    ),
    "everything": (layers("a", "b/c"), lambda name: True, ["**"]),
    "nothing": (layers("a", "b/c"), lambda name: False, []),
}


@pytest.mark.parametrize("name", CASES)
def test_they_are_what_a_person_would_write(name: str) -> None:
    paths, is_frozen, patterns = CASES[name]
    weights = [Weight(path) for path in paths]
    covered = [weight for weight in weights if is_frozen(weight.name)]

    assert short_patterns(covered, [item for item in weights if item not in covered]) == patterns


def test_a_thousand_layers_that_were_frozen_by_lot_are_not_slow() -> None:
    lot = random.Random(0)
    weights = [Weight(f"l{number % 10}/m_{number}/kernel") for number in range(1000)]
    covered = [weight for weight in weights if lot.random() < 0.5]

    patterns = short_patterns(covered, [item for item in weights if item not in covered])

    assert all_covered(patterns, weights) == covered
