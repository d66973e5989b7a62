"""A gradient is measured where it is."""

from __future__ import annotations

import tracemalloc

import pytest

_ROWS, _COLUMNS = 4_096, 8_192
_BYTES = 4 * _ROWS * _COLUMNS


@pytest.mark.tensorflow
def test_nothing_of_the_size_of_a_gradient_is_made() -> None:
    import tensorflow as tf

    from gradflow.tape.measure import measure

    gradient = tf.ones([_ROWS, _COLUMNS])
    measure(tf.ones([2]))  # what is made once

    tracemalloc.start()
    measurement = measure(gradient)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert measurement.gradient is not None
    assert measurement.gradient.max_abs == 1.0
    assert peak < _BYTES / 4
