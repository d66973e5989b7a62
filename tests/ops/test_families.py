"""Families hold op types that there are, and those that draw anew are all that take a seed."""

from __future__ import annotations

import pytest

from gradflow.ops import families
from gradflow.ops.families import ADDITIONS, DRAWS_ANEW, RANDOM, SUMS
from gradflow.ops.table import cells

NO_OP = {families.WEIGHTLESS}
QUIET = ("CudnnRNN", "RandomShuffleQueue", "SnapshotDataset", "ComputeAccidentalHits")
"""They take a seed, and a model does not draw by them: of a GPU, of queues, of data."""


def test_families_name_op_types_of_the_table() -> None:
    known = cells("rule").keys() | NO_OP
    for name, family in vars(families).items():
        if isinstance(family, frozenset):
            assert family <= known, name


def test_families_are_within_each_other() -> None:
    assert SUMS < ADDITIONS
    assert not any(op_type.startswith(("Stateless", "Stateful")) for op_type in DRAWS_ANEW)
    assert {op for op in RANDOM if not op.startswith(("Stateless", "Stateful"))} < DRAWS_ANEW


@pytest.mark.tensorflow
def test_what_takes_a_seed_of_its_own_draws_anew() -> None:
    from gradflow.tape.private_api import op_def_of

    op_defs = {op_type: op_def_of(op_type) for op_type in cells("rule")}
    seeded = {
        op_type
        for op_type, op_def in op_defs.items()
        if op_def is not None and {"seed", "seed2"} <= {attr.name for attr in op_def.attr}
    }

    assert {op_type for op_type in seeded if not op_type.startswith(QUIET)} == DRAWS_ANEW
