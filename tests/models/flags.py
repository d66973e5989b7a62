"""Tiny named Keras models whose freeze flags are lost, contradicted or as they should be, and what
must be told.

Scenario U27 is about weights that no layer tracks, U29 to U38 and U45 are about freezing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from gradflow.files.freezing import Doubt

layers = keras.layers
FILES = ("keras", "h5")
EVERYWHERE = ("memory", "keras", "h5", "export", "saved")
Told = Mapping[str, tuple[str, ...]]
"""The weights behind each thing that must be told: by ``GF103``, or by the doubt that a GF102 is
about."""


@dataclass(frozen=True, slots=True)
class Case:
    """A model and the truth about its flags."""

    build: Callable[[], Any]
    scenario: str
    frozen: Mapping[str, str] = field(default_factory=dict)
    """The outermost frozen layer, by weight."""
    state: Set[str] = frozenset()
    memory: Told = field(default_factory=dict)
    files: Told = field(default_factory=dict)
    export: Told = field(default_factory=dict)
    kinds: tuple[str, ...] = EVERYWHERE
    """What it can be made into."""


CASES: dict[str, Case] = {}


def _case(scenario: str, **truth: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(build: Callable[[], Any]) -> Callable[[], Any]:
        CASES[build.__name__] = Case(build, scenario, **truth)
        return build

    return register


def _weights(
    layer: str, *layers: str, leaves: tuple[str, ...] = ("kernel", "bias")
) -> tuple[str, ...]:
    return tuple(f"{one}/{leaf}" for one in (layer, *layers) for leaf in leaves)


def _by(freezer: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, freezer)


def _base(*inner: Any) -> Any:
    inputs = keras.Input([6])
    outputs = inputs
    for layer in inner:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="base")


def _on(*stack: Any) -> Any:
    inputs = keras.Input([6], name="x")
    outputs = inputs
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(outputs), name="m")


BASE = _weights("a", "b")
MOVING = frozenset({"norm/moving_mean", "norm/moving_variance"})
ATTENTION = _weights("mha/query", "mha/key", "mha/value", "mha/attention_output")


@_case("U35", state=MOVING | {"seed_generator/seed_generator_state"})
def nothing_is_frozen() -> Any:
    return _on(
        layers.Dense(6, name="a"), layers.BatchNormalization(name="norm"), layers.Dropout(0.5)
    )


@_case("U29 U37", frozen=_by("base", *BASE), export={Doubt.RECORD_DIFFERS.name: BASE})
def submodel_is_frozen() -> Any:
    base = _base(layers.Dense(6, name="a"), layers.Dense(6, name="b"))
    base.trainable = False
    return _on(base)


@_case("U31", frozen=_by("base", *BASE), export={Doubt.RECORD_DIFFERS.name: BASE})
def discriminator_is_frozen_in_the_gan_and_trained_alone() -> Any:
    discriminator = _base(layers.Dense(6, name="a"), layers.Dense(6, name="b"))
    discriminator.compile("sgd", "mse")
    discriminator.trainable = False
    return _on(layers.Dense(6, name="generator"), discriminator)


@_case(
    "U32",
    frozen=_by("base", *_weights("b")),
    memory={Doubt.FROZEN_PARENT.name: _weights("a")},
    files={Doubt.FROZEN_PARENT.name: _weights("a")},
    export={Doubt.RECORD_DIFFERS.name: _weights("b")},
)
def child_trains_under_a_frozen_parent() -> Any:
    base = _base(layers.Dense(6, name="a"), layers.Dense(6, name="b"))
    base.trainable = False
    base.get_layer("a").trainable = True
    return _on(base)


@_case(
    "U32",
    frozen=_by("m", *BASE, *_weights("head")),
    export={Doubt.RECORD_DIFFERS.name: (*BASE, *_weights("head"))},
)
def child_of_a_frozen_model_does_not_train() -> Any:
    model = _on(_base(layers.Dense(6, name="a"), layers.Dense(6, name="b")))
    model.trainable = False
    model.get_layer("base").get_layer("a").trainable = True
    return model


@_case(
    "U33",
    frozen=_by("norm", "norm/gamma", "norm/beta"),
    state=MOVING,
    export={Doubt.RECORD_DIFFERS.name: ("norm/gamma", "norm/beta")},
)
def batch_normalization_is_frozen() -> Any:
    return _on(layers.Dense(6, name="a"), layers.BatchNormalization(name="norm", trainable=False))


@_case("U38", frozen=_by("a", *_weights("a")), export={Doubt.RECORD_DIFFERS.name: _weights("a")})
def flag_is_changed_after_building_and_compiling() -> Any:
    model = _on(layers.Dense(6, name="a"), layers.Dense(6, name="b"))
    model.compile("sgd", "mse")
    for flag in (False, True, False):
        model.get_layer("a").trainable = flag
    return model


@_case("U45", frozen=_by("a", *_weights("a")), export={Doubt.RECORD_DIFFERS.name: _weights("a")})
def model_is_made_anew_from_json() -> Any:
    model = _on(layers.Dense(6, name="a", trainable=False), layers.Dense(6, name="b"))
    return keras.models.model_from_json(model.to_json())


def _attending(attention: Any) -> Any:
    inputs = keras.Input([5, 6])
    return keras.Model(inputs, layers.Dense(2, name="head")(attention(inputs, inputs)), name="m")


@_case("U29", files={Doubt.FORGOTTEN.name: ATTENTION}, kinds=FILES)
def attention_is_frozen() -> Any:
    model = _attending(layers.MultiHeadAttention(2, 3, name="mha"))
    model.get_layer("mha").trainable = False
    return model


@_case(
    "U32",
    memory={Doubt.FROZEN_PARENT.name: ATTENTION},
    files={Doubt.FORGOTTEN.name: ATTENTION},
    kinds=("memory", *FILES),
)
def flag_given_to_the_constructor_does_not_reach_inner_layers() -> Any:
    return _attending(layers.MultiHeadAttention(2, 3, name="mha", trainable=False))


@keras.saving.register_keras_serializable("flags")
class Scale(layers.Layer):
    """Multiplies by a raw variable that it has as an attribute, and adds one that calls itself
    non-trainable."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.raw = tf.Variable([1.0] * 6, name="raw")
        self.average = tf.Variable([1.0] * 6, name="average", trainable=False)

    def call(self, x: Any) -> Any:
        return x * self.raw + self.average


@keras.saving.register_keras_serializable("flags")
class Block(layers.Layer):
    """Makes its inner layers in code, so that no configuration describes them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.dense = layers.Dense(6, name="dense")
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, shape: Any) -> None:
        self.dense.build(shape)
        self.norm.build(shape)

    def call(self, x: Any) -> Any:
        return self.norm(self.dense(x))


@_case(
    "U32",
    frozen=_by("m", *_weights("head")),
    files={Doubt.FORGOTTEN.name: _weights("a")},
    kinds=("keras",),
)
def sequential_model_is_frozen_and_a_layer_in_it_is_not() -> Any:
    model = keras.Sequential(
        [keras.Input([6]), layers.Dense(6, name="a"), layers.Dense(2, name="head")], name="m"
    )
    model.trainable = False
    model.get_layer("a").trainable = True
    return model


@_case("T", frozen=_by("spectral", *_weights("inner")), state={"spectral/vector_u"}, kinds=FILES)
def normalized_kernel_is_frozen() -> Any:
    spectral = layers.SpectralNormalization(layers.Dense(6, name="inner"), name="spectral")
    model = _on(spectral)
    spectral.trainable = False
    return model


RAW: Told = {"GF103": ("raw",)}


@_case(
    "U27", state={"average"}, memory=RAW, files=RAW, export=RAW, kinds=("memory", "keras", "export")
)
def raw_variable_is_an_attribute_of_a_layer() -> Any:
    return _on(Scale(name="scale"), layers.Dense(6, name="a"))


@_case("U27", memory=RAW, export=RAW, kinds=("memory", "export"))
def lambda_captures_a_variable() -> Any:
    raw = tf.Variable([1.0] * 6, name="raw")
    return _on(layers.Lambda(lambda x: x * raw), layers.Dense(6, name="a"))


HIDDEN: Told = {"GF103": _weights("hidden")}


@_case("U27", memory=HIDDEN, export=HIDDEN, kinds=("memory", "export"))
def lambda_captures_a_layer() -> Any:
    hidden = layers.Dense(6, name="hidden")
    hidden.build([None, 6])
    return _on(layers.Lambda(lambda x: hidden(x)))


@_case("U35", kinds=("memory",))
def lambda_captures_a_frozen_teacher() -> Any:
    teacher = layers.Dense(6, name="teacher")
    teacher.build([None, 6])
    teacher.trainable = False
    return _on(layers.Lambda(lambda x: teacher(x)))
