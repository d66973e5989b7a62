"""The rules of op types look no further than a few parts and entries."""

from __future__ import annotations

import tracemalloc

from gradflow.flow.lower.entry_rules import pieces_of
from gradflow.flow.lower.pieces import Operands


def test_a_join_of_very_many_tensors_is_not_laid_out() -> None:
    count, length = 400, 64
    operands = Operands(
        op="ConcatV2",
        attr={},
        shapes=[(None, length)] * count + [()],
        constants=[None] * count + [[1]],
        pieces=[None] * (count + 1),
        outputs=[(None, length * count)],
    )
    tracemalloc.start()
    try:
        assert pieces_of(operands) == (None,)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
