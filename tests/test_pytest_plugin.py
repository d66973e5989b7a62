"""The fixture ``gradflow``, where it must not be content."""

from __future__ import annotations

import pytest

from gradflow.pytest_plugin import Gradflow
from tests.cli.command import HEALTHY, SAMPLES


def test_what_was_not_measured_does_not_flow() -> None:
    with pytest.raises(pytest.fail.Exception, match="the gradient of stem/kernel is unknown"):
        Gradflow().assert_flows(str(SAMPLES / "healthy.keras"), static=True)

    assert Gradflow().assert_flows(HEALTHY, static=True).summary.flows == 7
