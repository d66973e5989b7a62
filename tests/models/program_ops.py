"""List the ops that random programs are made of, on vectors of three, by how gradient passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

Unary = Callable[[Any], Any]


def _complex(y: Any) -> Any:
    return tf.math.real(
        tf.signal.ifft(tf.signal.fft(tf.complex(y, 0.5 * y)) * tf.complex(1.0, 2.0))
    )


def _moments(y: Any) -> Any:
    mean, variance = tf.nn.moments(y, [0])
    return y * mean + variance


def _string(y: Any) -> Any:
    return tf.strings.to_number(tf.strings.as_string(y))


def _sampled(y: Any) -> Any:
    return tf.one_hot(tf.random.stateless_categorical(y[tf.newaxis], 1, [1, 2])[0, 0], 3)


def _masked(y: Any) -> Any:
    return tf.where(tf.logical_or(y > 0.1, tf.math.is_nan(y)), 1.0, 2.0)


CLASSES: dict[str, dict[str, Unary]] = {
    "flow": {
        "tanh": tf.tanh,
        "scaled": lambda y: 0.5 * y,
        "normed": lambda y: y / (1.0 + tf.reduce_sum(tf.abs(y))),
        "reshaped": lambda y: tf.reshape(tf.transpose(tf.reshape(y, [3, 1])), [3]),
        "softmax": tf.nn.softmax,
        "cumsum": tf.cumsum,
        "complex": _complex,
        "double": lambda y: tf.cast(tf.cast(y, tf.float64) * 2.0, tf.float32),
        "padded": lambda y: tf.pad(y, [[1, 1]])[:3],
        "sorted": tf.sort,
        "top_k_values": lambda y: tf.math.top_k(y, 3).values,
        "split": lambda y: tf.concat(tf.split(y, [1, 2])[::-1], 0),
        "moments": _moments,
        "gathered": lambda y: tf.gather(y, [2, 0, 2]),
        "scattered": lambda y: tf.tensor_scatter_nd_update(y, [[0]], [1.0]),
        "checked": lambda y: tf.debugging.check_numerics(tf.clip_by_value(y, -9.0, 9.0), "bad"),
        "segments": lambda y: tf.math.segment_sum(y, [0, 1, 2]),
        "broadcast": lambda y: tf.reduce_mean(tf.broadcast_to(y, [2, 3]), 0),
    },
    "stop": {"stop_gradient": tf.stop_gradient},
    "nondiff": {
        "round": tf.round,
        "floor": lambda y: tf.floor(3.0 * y),
        "rint": lambda y: tf.math.rint(3.0 * y),
        "floor_div": lambda y: y // 0.3,
        "zeros_like": lambda y: tf.zeros_like(y) + 1.0,
        "poisson": lambda y: tf.random.stateless_poisson(
            [3], [1, 2], tf.exp(tf.tanh(y)), tf.float32
        ),
    },
    "zero": {"sign": tf.sign},
    "unregistered": {
        "unique": lambda y: tf.reduce_sum(tf.unique(y)[0]) + tf.zeros([3]),
        "bitcast": lambda y: tf.cast(tf.bitcast(y, tf.bfloat16)[:, 1], tf.float32),
        "mod": lambda y: tf.raw_ops.Mod(x=y, y=[0.3, 0.3, 0.3]),
    },
    "disabled": {"prevented": lambda y: tf.raw_ops.PreventGradient(input=y, message="not here")},
    "opaque": {"numpy": lambda y: tf.reshape(tf.numpy_function(np.tanh, [y], tf.float32), [3])},
    "input": {
        "betainc": lambda y: tf.math.betainc(tf.exp(tf.tanh(y)), tf.ones([3]), tf.fill([3], 0.5)),
        "zeta": lambda y: tf.math.zeta(tf.abs(tf.tanh(y)) + 2.0, tf.ones([3])),
        "padding": lambda y: tf.raw_ops.PadV2(
            input=tf.ones([1]), paddings=[[1, 1]], constant_values=y[0]
        ),
        "shape": lambda y: (
            tf.ones([3]) * tf.cast(tf.shape(tf.boolean_mask(tf.ones([3]), y > 0.1))[0], tf.float32)
        ),
    },
    "passage": {
        "cast": lambda y: tf.cast(tf.cast(3.0 * y, tf.int32) + 1, tf.float32),
        "argmax": lambda y: tf.one_hot(tf.argmax(y), 3),
        "greater": lambda y: tf.cast(y > 0.1, tf.float32),
        "masked": _masked,
        "top_k": lambda y: tf.cast(tf.math.top_k(y, 3).indices, tf.float32),
        "bits": lambda y: tf.cast(tf.bitcast(y, tf.int32) % 7, tf.float32),
        "string": _string,
        "sampled": _sampled,
        "bucketized": lambda y: tf.cast(
            tf.raw_ops.Bucketize(input=y, boundaries=[-0.5, 0.5]), tf.float32
        ),
        "searched": lambda y: tf.cast(tf.searchsorted([-0.5, 0.5], y), tf.float32),
        "histogram": lambda y: tf.cast(tf.histogram_fixed_width(y, [-1.0, 1.0], 3), tf.float32),
    },
}
"""By class of the op table; every one is a function of one vector."""
UNARY: dict[str, Unary] = {
    name: function for functions in CLASSES.values() for name, function in functions.items()
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": tf.add,
    "multiply": tf.multiply,
    "where": lambda y, z: tf.where(y > z, y, z),
    "matmul": lambda y, z: tf.linalg.matvec(tf.linalg.diag(y), z),
    "gather": lambda y, z: tf.gather(y, tf.argmax(z)) + tf.zeros([3]),
    "stacked": lambda y, z: tf.unstack(tf.stack([y, z]))[1],
    "identities": lambda y, z: tf.raw_ops.IdentityN(input=[y, z])[0],
    "sorted_by": lambda y, z: tf.gather(y, tf.argsort(z)),
    "chosen": lambda y, z: tf.cond(tf.reduce_sum(y) > tf.reduce_sum(z), lambda: y, lambda: z),
    "straight_through": lambda y, z: y + tf.stop_gradient(tf.round(z) - y),
}


def custom_gradient(kind: str, left: Any, right: Any) -> Any:
    """A function with a gradient of its own; ``right`` may be a variable."""

    @tf.custom_gradient
    def straight(y: Any) -> Any:
        return tf.round(y), lambda upstream: upstream

    @tf.custom_gradient
    def reversed_gradient(y: Any) -> Any:
        return 2.0 * y, lambda upstream: -upstream

    @tf.custom_gradient
    def blocked(y: Any) -> Any:
        return 2.0 * y, lambda _: None

    @tf.custom_gradient
    def left_alone(y: Any, z: Any) -> Any:
        return y * z, lambda upstream: (upstream, None)

    @tf.custom_gradient
    def with_variable(y: Any) -> Any:
        def gradient(upstream: Any, variables: Any = ()) -> Any:
            return (upstream, [upstream * y for _ in variables]) if variables else upstream

        return y * right, gradient

    left = tf.convert_to_tensor(left)
    if kind == "custom_left":
        return left_alone(left, tf.convert_to_tensor(right))
    one = {
        "custom_straight": straight,
        "custom_reversed": reversed_gradient,
        "custom_none": blocked,
    }
    return one.get(kind, with_variable)(left)
