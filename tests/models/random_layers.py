"""Make random functional models of Keras's own layers: shared, nested, wrapped, cut, frozen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers as L
from keras import ops

STEPS = 10
"""How many layers are put on the inputs, before the heads."""

Block = Callable[[Any], Any]


def _own_model(draw: random.Random, width: int, units: int) -> Any:
    """Return a model in a model, one of two kinds."""
    name = f"inner_{draw.randrange(10**6)}"
    if draw.random() < 0.5:
        return keras.Sequential([L.Dense(units, "tanh"), L.Dropout(0.1), L.Dense(width)], name=name)
    entry = keras.Input((width,))
    hidden = L.Dense(units)(entry)
    return keras.Model(entry, L.Add()([L.Dense(width)(hidden), entry]), name=name)


def _on_itself(attention: Any) -> Block:
    return lambda x: attention(x, x)


def _vectors(draw: random.Random, width: int) -> list[Callable[[], Block]]:
    """Return what takes (batch, width)."""
    units = draw.choice((3, 4))
    activation = draw.choice((None, "relu", "tanh", "softmax", "gelu", "hard_sigmoid"))
    return [
        lambda: L.Dense(units, activation, use_bias=draw.random() < 0.7),
        lambda: L.BatchNormalization(center=draw.random() < 0.7),
        lambda: L.LayerNormalization(scale=draw.random() < 0.7),
        lambda: L.PReLU(),
        lambda: L.UnitNormalization(),
        lambda: L.GaussianNoise(0.1),
        lambda: L.EinsumDense("ab,bc->ac", output_shape=units, bias_axes="c"),
        lambda: L.SpectralNormalization(L.Dense(units)),
        lambda: L.RepeatVector(3),
        lambda: _own_model(draw, width, units),
        lambda: lambda x: x * 0.5 + 1.0,
        lambda: lambda x: ops.tanh(x),
        lambda: lambda x: ops.concatenate([x, ops.square(x)], axis=-1),
        lambda: lambda x: ops.where(x > 0, x, 0.1 * x),
        lambda: lambda x: ops.expand_dims(x, 1),
    ]


def _sequences(draw: random.Random, width: int) -> list[Callable[[], Block]]:
    """Return what takes (batch, steps, width)."""
    units = draw.choice((3, 4))
    returned = draw.random() < 0.6
    return [
        lambda: L.Conv1D(units, 2, padding="same"),
        lambda: L.LSTM(units, return_sequences=returned),
        lambda: L.GRU(units, return_sequences=returned, reset_after=draw.random() < 0.5),
        lambda: L.Bidirectional(L.SimpleRNN(units, return_sequences=returned)),
        lambda: L.RNN([L.LSTMCell(units), L.GRUCell(units)], return_sequences=returned),
        lambda: L.TimeDistributed(L.Dense(units, "relu")),
        lambda: L.TimeDistributed(_own_model(draw, width, units)),
        lambda: _on_itself(L.MultiHeadAttention(2, 3)),
        lambda: _on_itself(L.MultiHeadAttention(1, 2, value_dim=3, use_bias=False)),
        lambda: L.GroupNormalization(groups=1),
        lambda: L.SpatialDropout1D(0.1),
        lambda: L.Permute((2, 1)),
        lambda: L.GlobalMaxPooling1D(),
        lambda: L.Flatten(),
        lambda: lambda x: ops.mean(x, axis=1),
        lambda: lambda x: x[:, 0],
        lambda: lambda x: ops.flip(x, axis=1),
    ]


def _images(draw: random.Random, width: int) -> list[Callable[[], Block]]:
    """Return what takes (batch, height, width, channels)."""
    units = draw.choice((2, 3))
    return [
        lambda: L.Conv2D(units, 3, padding="same", activation="relu"),
        lambda: L.DepthwiseConv2D(3, padding="same"),
        lambda: L.SeparableConv2D(units, 3, padding="same"),
        lambda: L.SpectralNormalization(L.Conv2D(units, 1)),
        lambda: L.Conv2DTranspose(units, 2),
        lambda: L.BatchNormalization(),
        lambda: L.MaxPooling2D(2, padding="same"),
        lambda: L.UpSampling2D(2),
        lambda: L.RandomFlip(),
        lambda: L.Rescaling(0.5),
        lambda: L.GlobalAveragePooling2D(),
        lambda: L.Flatten(),
        lambda: lambda x: ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3])),
    ]


BLOCKS = {2: _vectors, 3: _sequences, 4: _images}
"""By the rank of what they take."""

CUTS: list[Block] = [
    lambda x: ops.stop_gradient(x),
    lambda x: ops.cast(ops.cast(x, "int32"), "float32"),
    lambda x: ops.one_hot(ops.argmax(x, axis=-1), x.shape[-1]),
    lambda x: ops.cast(x > 0, "float32"),
    lambda x: ops.sign(x),
    lambda x: ops.round(x),
    lambda x: ops.zeros_like(x),
]


@dataclass(slots=True)
class _Growing:
    """Tensors that a further layer can be put on."""

    draw: random.Random
    tensors: list[Any] = field(default_factory=list)

    def grow(self) -> None:
        """Put one more block on a tensor, at times on two that are alike; or join two."""
        x = self.draw.choice(self.tensors[-3:])
        if self.draw.random() < 0.3:
            x = self.draw.choice(CUTS)(x)
        alike = [other for other in self.tensors if other.shape == x.shape and other is not x]
        if alike and self.draw.random() < 0.4:
            join = self.draw.choice((L.Add, L.Multiply, L.Concatenate, L.Average, L.Maximum))
            self.tensors.append(join()([x, self.draw.choice(alike)]))
            return
        blocks = BLOCKS[len(x.shape)](self.draw, x.shape[-1])
        block = self.draw.choice(blocks)()
        self.tensors.append(block(x))
        if alike and self.draw.random() < 0.3:  # the same layer once more
            self.tensors.append(block(self.draw.choice(alike)))


def random_model(seed: int) -> keras.Model:
    """Return a functional model of one to three inputs and one to three outputs; not compiled."""
    draw = random.Random(seed)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((4,), dtype="int32", name="tokens")
    entries = [
        (keras.Input((5,), name="vector"), None),
        (keras.Input((4, 3), name="sequence"), None),
        (keras.Input((6, 6, 2), name="image"), None),
        (tokens, L.Embedding(2, 3, mask_zero=draw.random() < 0.5)),
    ]
    chosen = draw.sample(entries, draw.randint(1, 3))
    growing = _Growing(draw, [first(entry) if first else entry for entry, first in chosen])
    for _ in range(STEPS):
        growing.grow()
    outputs = draw.sample(growing.tensors[-3:], draw.randint(1, 3))
    heads = [
        L.Dense(2, name=f"head_{index}")(x) if draw.random() < 0.7 else x
        for index, x in enumerate(outputs)
    ]
    model = keras.Model([entry for entry, _ in chosen], heads)
    for layer in model.layers:
        if draw.random() < 0.1:
            layer.trainable = False
    return model
