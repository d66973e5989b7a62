"""Name the versions of this process, seed its libraries, and put variables back as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from gradflow.findings import Tool
from gradflow.version import VERSION


def tool() -> Tool:
    """Return the versions at work in this process."""
    return Tool("gradflow", VERSION, tf.__version__, keras.__version__)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, so that initial seeds of layers are the same from run to
    run."""
    keras.utils.set_random_seed(seed)


@contextmanager
def unchanged(variables: Sequence[Any]) -> Iterator[None]:
    """Put back what a forward pass in training mode changes: moving averages, counters, seeds."""
    before = [(variable, variable.read_value()) for variable in variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
