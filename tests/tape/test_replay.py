"""A step that is run op by op gives what TensorFlow's own step gives: values, gradients, and where
they were lost; of the named functions, tests/agreement/test_functions.py."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.examples import examples
from tests.models.programs import Module, Program, programs
from tests.tape.replayed import hold_replay

pytestmark = pytest.mark.tensorflow


@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # to shrink one costs minutes of tracing
)
@given(programs())
def test_random_programs_come_out_as_the_tape_has_them(program: Program) -> None:
    hold_replay(Module(program))
