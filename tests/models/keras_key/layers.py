"""Layers of our own that the key's models are made of."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

registered = keras.saving.register_keras_serializable("key")


@registered
class NumpyTanh(layers.Layer):
    """Leaves TensorFlow and comes back."""

    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(np.tanh, [x], tf.float32), x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape


@registered
class Thresholded(layers.Layer):
    """A cast used as a threshold."""

    def call(self, x):
        return ops.cast(ops.cast(x + 0.5, "int32"), "float32")


@registered
class Blocked(layers.Layer):
    """A custom gradient that returns None."""

    def call(self, x):
        @tf.custom_gradient
        def blocked(y):
            return 2.0 * y, lambda _: None

        return blocked(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@registered
class StraightThrough(layers.Layer):
    """Rounds, and passes the gradient on as if it had not."""

    def call(self, x):
        @tf.custom_gradient
        def rounded(y):
            return tf.round(y), lambda upstream: upstream

        return rounded(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@registered
class Forgetful(layers.Layer):
    """Has a weight that it does not use."""

    def build(self, input_shape):
        self.used = self.add_weight(shape=(input_shape[-1],), name="used")
        self.forgotten = self.add_weight(shape=(input_shape[-1],), name="forgotten")

    def call(self, x):
        return x * self.used


@registered
class OnlyInTraining(layers.Layer):
    """Uses one of its weights in training mode alone."""

    def build(self, input_shape):
        self.always = self.add_weight(shape=(input_shape[-1],), name="always")
        self.sometimes = self.add_weight(shape=(input_shape[-1],), name="sometimes")

    def call(self, x, training=False):
        return x * self.always + self.sometimes if training else x * self.always


@registered
class Counted(layers.Layer):
    """Counts its calls in a variable that is state."""

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        self.calls.assign_add(1.0)
        return x


@registered
class LossLayer(layers.Layer):
    """Turns predictions and targets into the loss."""

    def call(self, predicted, target):
        return ops.mean(ops.square(predicted - target), axis=-1)


@registered
class StoppingCell(layers.Layer):
    """A recurrent cell that stops the gradient to one of its kernels."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), name="recurrent_kernel"
        )

    def call(self, x, states):
        state = ops.tanh(
            ops.matmul(x, ops.stop_gradient(self.kernel))
            + ops.matmul(states[0], self.recurrent_kernel)
        )
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@registered
class Chooser(layers.Layer):
    """Takes one of two ways, by a condition on its input."""

    def build(self, input_shape):
        self.taken = self.add_weight(shape=(input_shape[-1],), name="taken")
        self.left = self.add_weight(shape=(input_shape[-1],), name="left")

    def call(self, x):
        return ops.cond(ops.sum(x) > -1e9, lambda: x * self.taken, lambda: x * self.left)

    def compute_output_shape(self, input_shape):
        return input_shape


@registered
class Looped(layers.Layer):
    """Stops the gradient to a weight inside a loop."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), name="factor")
        self.shift = self.add_weight(shape=(input_shape[-1],), name="shift")

    def call(self, x):
        def body(step, y):
            return step + 1, y * self.factor + ops.stop_gradient(self.shift)

        return ops.while_loop(lambda step, _: step < 3, body, (0, x))[1]

    def compute_output_shape(self, input_shape):
        return input_shape


@registered
class Scaled(layers.Layer):
    """Multiplies by a constant."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
