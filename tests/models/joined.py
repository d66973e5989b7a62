"""Make a random program from a seed that joins weights and takes them apart again, by constants."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import tensorflow as tf

SHAPE = (2, 3)
WEIGHTS = "abcd"


class LeftOut(tf.Module):
    """The function ``name`` of this module, of which some entries are left out in the end."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = FUNCTIONS[name]
        shapes = {"a": SHAPE, "b": (SHAPE[0],), "c": ()}
        self.weights = {
            name: tf.Variable(tf.random.stateless_normal(shape, [place, 7]), name=name)
            for place, (name, shape) in enumerate(shapes.items())
        }

    def serve(self, x: Any) -> Any:
        """Return a sum over what the function gives for the rows ``x``."""
        return tf.reduce_sum(tf.sin(self.function(x[tf.newaxis], *self.weights.values())))


def bias_of_margin(x: Any, a: Any, b: Any, c: Any) -> Any:
    """A margin comes from nothing but the bias of its channel."""
    padded = tf.pad(x * a, [[0, 0], [0, 0], [1, 1]])
    return c * tf.nn.bias_add(padded, b, data_format="NC..")[:, :, 0]


def divided_bias(x: Any, a: Any, b: Any, c: Any) -> Any:
    """Of a bias that was joined the first channel stays."""
    joined = tf.concat([c[tf.newaxis], b[1:]], 0)
    return tf.nn.bias_add(x * a, joined, data_format="NC..")[:, :1]


def filling_left_out(x: Any, a: Any, b: Any, c: Any) -> Any:
    """TensorFlow hands no gradient, not even zeros, to what a margin is filled with."""
    padded = tf.pad(x * a, [[0, 0], [0, 0], [1, 1]], constant_values=c)
    return padded[:, :, 1:-1] + b[:, tf.newaxis]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (bias_of_margin, divided_bias, filling_left_out)
}


class Joined(tf.Module):
    """Three to seven operations on weights of two by three that were joined; ``joins_again``:
    later ones may join what came of them."""

    def __init__(self, seed: int, *, joins_again: bool) -> None:
        super().__init__()
        self.seed = seed
        self.joins_again = joins_again
        self.weights = {
            name: tf.Variable(tf.random.stateless_normal(SHAPE, [place, seed]), name=name)
            for place, name in enumerate(WEIGHTS)
        }

    def serve(self, x: Any) -> Any:
        """Return a sum over what is left in the end."""
        source = random.Random(self.seed)
        values = [x * weight for weight in self.weights.values()]
        value = self._join(source, values)
        for _ in range(source.randint(3, 7)):
            steps = _STEPS + _JOINING if self.joins_again else _STEPS
            value = source.choice(steps)(source, value)
            if self.joins_again and source.random() < 0.15:
                value = self._join(source, [value, 0.5 * value, tf.sin(value)])
        mixed = tf.range(1.0, 1.0 + tf.cast(tf.size(value), tf.float32))
        return tf.reduce_sum(tf.sin(tf.reshape(value, [-1]) * mixed))

    def _join(self, source: random.Random, values: list[Any]) -> Any:
        chosen = source.sample(values, source.randint(2, len(values)))
        axis = source.randint(0, 1)
        if source.random() < 0.4:
            return tf.stack(chosen, axis)
        return tf.concat(chosen, min(axis, len(chosen[0].shape) - 1))


def _axis(source: random.Random, value: Any) -> int:
    return min(source.randint(0, 1), len(value.shape) - 1)


def _sliced(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    length = value.shape[axis]
    start = source.randint(0, length - 1)
    size = source.randint(1, length - start)
    begin, sizes = [0] * len(value.shape), [-1] * len(value.shape)
    begin[axis], sizes[axis] = start, size
    return tf.slice(value, begin, sizes)


def _strided(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    length = value.shape[axis]
    if length > 1 and len(value.shape) > 2 and source.random() < 0.3:
        taken: Any = source.randint(-length, length - 1)
    else:
        taken = source.choice([slice(None, None, 2), slice(1, None), slice(None, None, -1)])
        taken = slice(None) if length < 2 else taken
    keys: list[Any] = [slice(None)] * axis + [taken]
    form = source.random()
    if form < 0.3:
        return value[tuple(keys)]
    if form < 0.6:
        return value[(*keys, ..., tf.newaxis)]
    return value[
        (..., *[slice(None)] * axis, taken, *[slice(None)] * (len(value.shape) - axis - 1))
    ]


def _split(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    length = value.shape[axis]
    if length < 2:
        return value
    first = source.randint(1, length - 1)
    return source.choice(tf.split(value, [first, length - first], axis))


def _halved(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    if value.shape[axis] % 2:
        return value
    return source.choice(tf.split(value, 2, axis))


def _unstacked(source: random.Random, value: Any) -> Any:
    if len(value.shape) < 3:
        return value
    return source.choice(tf.unstack(value, axis=_axis(source, value)))


def _gathered(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    length = value.shape[axis]
    indices = [source.randint(0, length - 1) for _ in range(source.randint(1, 3))]
    return tf.gather(value, indices, axis=axis)


def _padded(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    widths = [[0, 0] for _ in value.shape]
    widths[axis] = [source.randint(0, 2), source.randint(0, 2)]
    return tf.pad(value, widths, constant_values=source.choice([0.0, 1.5]))


def _transposed(source: random.Random, value: Any) -> Any:
    order = list(range(len(value.shape)))
    source.shuffle(order)
    return tf.transpose(value, order)


def _turned(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    if source.random() < 0.5:
        return tf.reverse(value, [axis])
    both = [axis, len(value.shape) - 1]
    return tf.roll(value, [source.randint(-2, 2), 1], both)


def _flattened(source: random.Random, value: Any) -> Any:
    first = value.shape[0]
    return tf.reshape(value, source.choice([[first, -1], [-1, value.shape[-1]]]))


def _widened(source: random.Random, value: Any) -> Any:
    axis = source.randint(0, len(value.shape))
    return value if len(value.shape) > 3 else tf.expand_dims(value, axis)


def _squeezed(source: random.Random, value: Any) -> Any:
    single = [axis for axis, size in enumerate(value.shape) if size == 1]
    return tf.squeeze(value, single[:1]) if single and len(value.shape) > 2 else value


def _reduced(source: random.Random, value: Any) -> Any:
    if len(value.shape) < 3:
        return value
    return tf.reduce_mean(value, _axis(source, value), keepdims=source.random() < 0.5)


def _stopped_in_part(source: random.Random, value: Any) -> Any:
    axis = _axis(source, value)
    length = value.shape[axis]
    if length < 2:
        return value
    first, last = tf.split(value, [1, length - 1], axis)
    return tf.concat([tf.stop_gradient(first), last], axis)


def _mapped(source: random.Random, value: Any) -> Any:
    bias = tf.range(1.0, 1.0 + value.shape[-1])
    return source.choice([tf.tanh(value), value + bias, 0.3 * value, value * tf.sin(value)])


def _stopped(source: random.Random, value: Any) -> Any:
    return tf.stop_gradient(value) if source.random() < 0.2 else value


def _multiplied(source: random.Random, value: Any) -> Any:
    """A matrix product mixes one axis, and keeps the others apart."""
    is_first = source.random() < 0.4
    length = value.shape[-2 if is_first else -1]
    matrix = tf.reshape(tf.sin(1.0 + tf.range(2.0 * length)), [length, 2])
    if is_first:
        return tf.matmul(matrix, value, transpose_a=True)
    return tf.matmul(value, matrix)


def _shared_out(_: random.Random, value: Any) -> Any:
    return value * tf.nn.softmax(value)


def _listed(source: random.Random, value: Any) -> Any:
    """Rows of a list are read and written one by one."""
    if len(value.shape) < 2:
        return value
    length = value.shape[0]
    rows = tf.TensorArray(tf.float32, length, clear_after_read=False)
    if source.random() < 0.5:
        rows = rows.unstack(value)
    else:
        for row in range(length):
            rows = rows.write(row, tf.sin(value[row]))
    for _ in range(source.randint(0, 2)):
        place, other = (source.randint(0, length - 1) for _ in range(2))
        rows = rows.write(place, tf.cos(rows.read(other)))
    if source.random() < 0.4:
        return rows.stack()
    return rows.gather(sorted(source.sample(range(length), source.randint(1, length))))


_Step = Callable[[random.Random, Any], Any]
_STEPS: tuple[_Step, ...] = (
    *(_sliced, _strided, _split, _halved, _unstacked, _gathered, _transposed, _flattened),
    *(_widened, _squeezed, _reduced, _mapped, _stopped, _multiplied, _shared_out, _listed),
    _turned,
)
_JOINING: tuple[_Step, ...] = (_padded, _stopped_in_part)
