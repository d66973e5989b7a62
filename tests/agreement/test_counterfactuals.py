"""Random programs with planted cuts: what the report says, against what the bare tape says of the
program with each set of its cuts opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import Cause, Variable, Verdict
from gradflow.ops.families import CONTROL_FLOW
from tests.examples import examples

pytestmark = pytest.mark.tensorflow

SEEDS = range(examples(12))
MANY = range(1000, 1300)
Opened = frozenset[int]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """The input, and how gradflow is told to take the same: branches must be decided alike."""
    import numpy as np

    x = np.random.default_rng(0).normal(size=(1, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("batch") / "batch.npz"
    np.savez(path, x=x)
    return x, f"@{Path(path)}:x"


@pytest.mark.parametrize("seed", SEEDS)
def test_to_open_the_named_cuts_lets_the_gradient_through(
    seed: int, batch: tuple[Any, str]
) -> None:
    assert _complaints_of(seed, *batch) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_it_does_in_many_programs(seed: int, batch: tuple[Any, str]) -> None:
    assert _complaints_of(seed, *batch) == []


def test_it_does_in_the_programs_that_have_a_name(batch: tuple[Any, str]) -> None:
    from tests.models.cut_programs import NAMED

    wrong = {name: complaints(program, *batch) for name, program in NAMED.items()}
    assert not any(wrong.values()), wrong


def _complaints_of(seed: int, x: Any, given: str) -> list[str]:
    from tests.models.cut_programs import drawn

    return complaints(drawn(seed), x, given)


def complaints(program: Any, x: Any, given: str) -> list[str]:
    """Hold the report on one program against all its counterfactuals."""
    import tensorflow as tf

    from tests.models.cut_programs import MARGIN, Module, cuts_in

    count = cuts_in(program)
    module, ran = Module(program), set[int]()
    flowing: Mapping[Opened, frozenset[str]] = {
        opened: module.flowing(program, tf.constant(x), opened, ran) for opened in _subsets(count)
    }
    report = gradflow.inspect(module, entry="serve", inputs={"x": given}).models[0]
    if report.error is not None:
        _hold_that_tensorflow_fails(module, x)
        return []
    # To pad with zeros holds the gradient back too, where a value is multiplied by them: whom
    # another number lets through, of them it is a cause.
    lively = Module(program, margin=0.5).flowing(program, tf.constant(x), (), set())
    return [
        f"{variable.name}: {problem}"
        for variable in report.variables
        for problem in _problems(_without_margins(variable, MARGIN, lively), flowing, ran)
    ]


def _without_margins(variable: Variable, scope: str, lively: frozenset[str]) -> Variable:
    """Leave out the zeros of a margin by which the variable is multiplied."""
    causes = tuple(
        cause
        for cause in variable.causes
        if not (cause.code == "GF303" and f"{scope}/" in str(cause.op) and variable.name in lively)
    )
    return replace(variable, causes=causes)


def _hold_that_tensorflow_fails(module: Any, x: Any) -> None:
    """``tf.recompute_grad`` in a ``tf.cond`` cannot always be differentiated (TensorFlow 2.21)."""
    import tensorflow as tf

    with pytest.raises(AssertionError), tf.GradientTape() as tape:
        tape.gradient(module.serve(x), module.weights)


def _subsets(count: int) -> Iterator[Opened]:
    for size in range(count + 1):
        yield from map(frozenset, combinations(range(count), size))


def _problems(
    variable: Variable, flowing: Mapping[Opened, frozenset[str]], ran: set[int]
) -> Iterator[str]:
    repairs = [opened for opened, names in flowing.items() if variable.name in names]
    if not repairs:  # the values are in the way, or no way is there
        return
    smallest = min(len(opened) for opened in repairs)
    if (variable.verdict is Verdict.FLOWS) != (smallest == 0):
        yield f"verdict {variable.verdict.value}, the smallest repair has {smallest} cuts"
    if variable.cuts_to_restore != smallest:
        yield f"cuts_to_restore {variable.cuts_to_restore}, the smallest repair has {smallest}"
    if smallest:
        yield from _cause_problems(variable.causes, repairs, ran)


def _cause_problems(causes: Iterable[Cause], repairs: list[Opened], ran: set[int]) -> Iterator[str]:
    minimal = [opened for opened in repairs if not any(other < opened for other in repairs)]
    named, others = set[int](), list[Cause]()
    for cause in causes:
        numbers = re.findall(r"\bcut(\d+)(?:_\d+)?/", str(cause.op))
        named |= {int(numbers[-1])} if numbers else set()
        # A branch that is not run is no cut that was planted; to take it would help too.
        others += [cause] if not numbers and cause.op_type not in CONTROL_FLOW else []
    if others:
        yield f"names {[cause.op for cause in others]}, where no cut is planted"
    idle = (named & ran) - frozenset[int]().union(*minimal)
    if idle:
        yield f"names cuts {sorted(idle)}, which are in no smallest repair {_shown(minimal)}"
    missing = [opened for opened in minimal if not opened & named]
    if missing:
        yield f"names no cut of the repairs {_shown(missing)}"


def _shown(repairs: Iterable[Opened]) -> list[list[int]]:
    return [sorted(opened) for opened in repairs]
