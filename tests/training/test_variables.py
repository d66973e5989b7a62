"""Whether a step changed a variable is told by its bits, and without a copy of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from gradflow.tape.watching.variables import Values, handles_of

pytestmark = pytest.mark.tensorflow

NAN = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
"""Two values that are not a number, of other bits."""
PAIRS = [
    (np.float32([1.0, 2.0]), np.float32([1.0, np.nextafter(np.float32(2.0), np.float32(3.0))])),
    (np.float32([0.0]), np.float32([-0.0])),
    (NAN[:1], NAN[1:]),
    (np.float64(1.0), np.float64(2.0)),
    (np.complex128([1 + 1j]), np.complex128([1 - 1j])),
    tuple(np.float32([[1.0], [1.5]]).astype(tf.bfloat16.as_numpy_dtype)),
    (np.array([True, False]), np.array([True, True])),
    (np.int8([[1, 2], [3, 4]]), np.int8([[1, 2], [3, 5]])),
    (np.array([b"a", b"bc"], object), np.array([b"a", b"b"], object)),
    (np.zeros([0, 3], np.float32), np.zeros([2, 3], np.float32)),
]


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_a_variable_has_moved_where_its_bits_have(old, new) -> None:
    variable = tf.Variable(old, shape=tf.TensorShape(None))
    [handle] = handles_of(variable)
    values = Values()
    values.keep([handle])

    assert values.moved(handle._id) is False
    variable.assign(old)
    assert values.moved(handle._id) is False
    variable.assign(new)
    assert values.moved(handle._id) is True
    values.restore()
    assert values.moved(handle._id) is False


def test_no_variable_is_copied_to_be_compared() -> None:
    variable = tf.Variable(tf.zeros([8, 1024, 1024]))
    [handle] = handles_of(variable)
    values = Values()
    values.keep([handle])
    tracemalloc.start()
    try:
        assert values.moved(handle._id) is False
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 << 20  # of 32 MB
