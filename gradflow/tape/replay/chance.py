"""Tell how often what is drawn at random decides as it did: redraw it, and run what depends on it.

A unit that a dropout or a stochastic depth has dropped gets no gradient in that draw, and is not
dead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.ops.families import RANDOM
from gradflow.tape.replay.again import near, run_again
from gradflow.tape.replay.backward import handed_by
from gradflow.tape.replay.index import Trail, numbers
from gradflow.tape.replay.record import Record

_NEAREST = 60
"""Ops before a decision among which the draw is looked for: the way of the data may hold others."""
_REDRAWS, _ENOUGH = 300, 30
"""How often it is drawn again, at most, and how many draws with another outcome suffice."""
_SEEDS = ("key", "seed")
_SEED_ATTRS = ("seed", "seed2")


def odds_of_nothing(trail: Trail, record: Record, inputs: Sequence[int]) -> float | None:
    """Return the share of draws in which an op hands only zeros to its ``inputs``, given by number;
    None where nothing random decides over that.

    What the gradient is handed to stays as it is; what else the op takes is drawn again.
    """
    dying = {record.inputs[number] for number in inputs}
    deciding = [slot for slot in record.inputs if slot not in dying]
    arrived = [trail.back.gradients.get(slot) for slot in record.outputs]

    def is_nothing(drawn: Mapping[int, Any]) -> bool:
        again = {**drawn, **run_again(trail, record, drawn)}
        handed = handed_by(trail.back.run, record, arrived, again)
        return not any(
            handed[number] is not None and np.any(numbers(handed[number]))
            for number in inputs
            if number < len(handed)
        )

    return _share(trail, deciding, is_nothing)


def odds_of_same(trail: Trail, slot: int) -> float | None:
    """Return the share of draws in which a condition comes out as it did; None where nothing random
    decides over it."""
    value = trail.back.run.tensors[slot].numpy()

    def is_same(drawn: Mapping[int, Any]) -> bool:
        return bool(np.array_equal(drawn[slot].numpy(), value)) if slot in drawn else True

    return _share(trail, [slot], is_same)


def _share(
    trail: Trail, slots: Iterable[int], is_so: Callable[[Mapping[int, Any]], bool]
) -> float | None:
    cone = _random_cone(trail, slots)
    if not cone:
        return None
    drawn, others = 0, 0
    try:
        for tensors in _redrawn(trail, cone):
            drawn += 1
            others += not is_so(tensors)
            if others == _ENOUGH:
                break
    # An op that is run again can raise anything; then nothing is known of its chances.
    except Exception:
        return None
    return 1 - others / drawn if others else None


def _random_cone(trail: Trail, slots: Iterable[int]) -> list[Record]:
    """Return the draws near ``slots`` and what depends on them, in the order of the run."""
    reached: set[int] = set()
    cone = []
    for record in near(trail, slots, _NEAREST):
        if record.op in RANDOM or not reached.isdisjoint(record.inputs):
            cone.append(record)
            reached.update(record.outputs)
    return cone


def _redrawn(trail: Trail, cone: Sequence[Record]) -> Iterator[Mapping[int, Any]]:
    draw = np.random.default_rng(0)
    for _ in range(_REDRAWS):
        drawn: dict[int, Any] = {}
        for record in cone:
            if record.op not in RANDOM:
                drawn.update(run_again(trail, record, drawn))
                continue
            again = replace(record, attrs=_reseeded(record.attrs, draw))
            drawn.update(run_again(trail, again, {**drawn, **_seeds(trail, record, draw)}))
        yield drawn


def _reseeded(attrs: Sequence[Any], draw: np.random.Generator) -> tuple[Any, ...]:
    """Return the attrs of an op that keeps its own state, with other seeds: TensorFlow would go on
    from the state of the user's own op with the same ones."""
    pairs = zip(attrs[::2], attrs[1::2], strict=True)
    return tuple(
        item
        for name, value in pairs
        for item in (name, int(draw.integers(1, 2**31)) if name in _SEED_ATTRS else value)
    )


def _seeds(trail: Trail, record: Record, draw: np.random.Generator) -> Mapping[int, Any]:
    """Return another seed for an op that takes it as an input."""
    names = list(inspect.signature(getattr(tf.raw_ops, record.op)).parameters)
    tensors = trail.back.run.tensors
    return {
        slot: tf.cast(draw.integers(0, 2**31, tensors[slot].shape.as_list()), tensors[slot].dtype)
        for name, slot in zip(names, record.inputs, strict=False)
        if name in _SEEDS
    }
