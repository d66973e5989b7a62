"""Run ops of a replay once more, with other tensors in place of those that they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.tape.private_api import run_op
from gradflow.tape.replay.index import Trail
from gradflow.tape.replay.record import Record


def run_again(trail: Trail, record: Record, instead: Mapping[int, Any]) -> Mapping[int, Any]:
    """Return what an op gives, by slot, with the tensors ``instead`` in place of those that it
    took."""
    inputs = [instead.get(slot, trail.back.run.tensors[slot]) for slot in record.inputs]
    if not record.op:
        return dict(zip(record.outputs, inputs, strict=True))
    values = run_op(record.op, len(record.outputs), inputs, record.attrs)
    return dict(zip(record.outputs, values, strict=True))


def up_to(trail: Trail, record: Record, instead: Mapping[int, Any]) -> Mapping[int, Any]:
    """Return the tensors, by slot, of all that stands between ``instead`` and ``record``, and of
    ``record`` itself, as they would be with the tensors ``instead``."""
    between = _between(trail, set(instead), record)
    tensors = dict(instead)
    for step in between:
        given = run_again(trail, step, tensors)
        tensors.update({slot: value for slot, value in given.items() if slot not in instead})
    return tensors


def near(trail: Trail, slots: Iterable[int], most: int) -> list[Record]:
    """Return the ops before ``slots``, at most so many of the nearest, in the order of the run."""
    records: list[Record] = []
    seen: set[int] = set()
    waiting = list(slots)
    for slot in waiting:
        maker = trail.makers.get(slot)
        if maker is not None and id(maker) not in seen:
            if len(records) == most:
                break
            seen.add(id(maker))
            records.append(maker)
            waiting += maker.inputs
    return sorted(records, key=_number)


def _between(trail: Trail, slots: set[int], record: Record) -> list[Record]:
    """Return what depends on ``slots`` and is needed for ``record``, which comes last."""
    first = min(slots)
    needed: dict[int, Record] = {id(record): record}
    waiting = list(record.inputs)
    for slot in waiting:
        maker = trail.makers.get(slot)
        if maker is not None and slot > first and id(maker) not in needed:
            needed[id(maker)] = maker
            waiting += maker.inputs
    reached, between = set(slots), []
    for step in sorted(needed.values(), key=_number):
        if not reached.isdisjoint(step.inputs):
            between.append(step)
            reached.update(step.outputs)
    return between


def _number(record: Record) -> int:
    return record.outputs[0] if record.outputs else 0
