"""Training steps as people write them, right and wrong: each really trains tiny models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

DATA = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Wrap = Callable[[Any], Any]
"""``tf.function``, or nothing for eager execution."""


@dataclass
class Training:
    """A step that can be taken again and again."""

    step: Callable[[], object]
    parts: Sequence[Any]
    """Models, layers and variables."""
    codes: dict[str, str] = field(default_factory=dict)
    """The code that explains each weight that does not move, by a part of its name."""
    prepare: Callable[[], object] = lambda: None
    """What is done after the first step."""


@dataclass(frozen=True)
class Mistake:
    name: str
    build: Callable[[Wrap], Training]
    modes: tuple[str, ...] = ("eager", "graph")


MISTAKES: list[Mistake] = []


def mistake(*modes: str) -> Callable[[Callable[[Wrap], Training]], Callable[[Wrap], Training]]:
    def add(build: Callable[[Wrap], Training]) -> Callable[[Wrap], Training]:
        MISTAKES.append(Mistake(build.__name__, build, modes or ("eager", "graph")))
        return build

    return add


def dense(units: int, name: str, **options: Any) -> Any:
    layer = keras.layers.Dense(units, name=name, **options)
    layer.build((None, options.pop("width", 3)))
    return layer


def sgd(rate: float = 0.1, **options: Any) -> Any:
    return keras.optimizers.SGD(rate, **options)


def square(value: Any) -> Any:
    return tf.reduce_mean(tf.square(value))


def _gan() -> tuple[Any, Any, Any]:
    return dense(3, "generator"), dense(1, "discriminator"), tf.constant(DATA)


@mistake()
def gan_generator_outside_its_tape(wrap: Wrap) -> Training:
    generator, discriminator, noise = _gan()
    optimizer = sgd()

    @wrap
    def step() -> Any:
        fake = generator(noise)
        with tf.GradientTape() as tape:
            loss = square(discriminator(fake) - 1.0)
        weights = generator.trainable_weights + discriminator.trainable_weights
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return Training(step, [generator, discriminator], {"generator": "GF501"})


@mistake()
def gan_discriminator_not_frozen_in_the_combined_model(wrap: Wrap) -> Training:
    generator, discriminator, noise = _gan()
    combined = keras.Sequential([keras.Input([3]), generator, discriminator])
    combined.compile(sgd(), "mse", run_eagerly=wrap is not tf.function)
    ones = np.ones((6, 1), "float32")
    return Training(lambda: combined.train_on_batch(noise, ones), [combined])


@mistake()
def gan_discriminator_frozen_in_the_combined_model(wrap: Wrap) -> Training:
    generator, discriminator, noise = _gan()
    discriminator.trainable = False
    combined = keras.Sequential([keras.Input([3]), generator, discriminator])
    combined.compile(sgd(), "mse", run_eagerly=wrap is not tf.function)
    ones = np.ones((6, 1), "float32")
    return Training(
        lambda: combined.train_on_batch(noise, ones), [combined], {"discriminator": "GF101"}
    )


@mistake()
def gan_both_optimizers_given_all_variables(wrap: Wrap) -> Training:
    generator, discriminator, noise = _gan()
    optimizers = [sgd(), sgd(0.2)]

    @wrap
    def step() -> None:
        with tf.GradientTape() as first, tf.GradientTape() as second:
            fake = discriminator(generator(noise))
            generator_loss = square(fake - 1.0)
            discriminator_loss = square(fake) + square(discriminator(noise) - 1.0)
        weights = generator.trainable_weights + discriminator.trainable_weights
        optimizers[0].apply(first.gradient(generator_loss, weights), weights)
        optimizers[1].apply(second.gradient(discriminator_loss, weights), weights)

    return Training(step, [generator, discriminator])


@mistake()
def gan_with_two_tapes(wrap: Wrap) -> Training:
    generator, discriminator, noise = _gan()
    optimizers = [sgd(), keras.optimizers.Adam()]

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(discriminator(tf.stop_gradient(generator(noise)))) + square(
                discriminator(noise) - 1.0
            )
        weights = discriminator.trainable_weights
        optimizers[0].apply(tape.gradient(loss, weights), weights)
        with tf.GradientTape() as tape:
            loss = square(discriminator(generator(noise)) - 1.0)
        weights = generator.trainable_weights
        optimizers[1].apply(tape.gradient(loss, weights), weights)

    return Training(step, [generator, discriminator])


def _vae(wrap: Wrap, stop: Any) -> Training:
    encoder, decoder = dense(3, "encoder"), dense(3, "decoder")
    spread = dense(3, "spread")
    optimizer, data = sgd(), tf.constant(DATA)
    seeds = keras.random.SeedGenerator(1)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            noise = keras.random.normal([6, 3], seed=seeds)
            code = stop(encoder(data) + noise * tf.exp(0.5 * spread(data)))
            loss = square(decoder(code) - data)
        weights = [*encoder.weights, *spread.weights, *decoder.weights]
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, decoder, spread, seeds.state])


@mistake()
def vae(wrap: Wrap) -> Training:
    return _vae(wrap, tf.identity)


@mistake()
def vae_with_a_stopped_sample(wrap: Wrap) -> Training:
    training = _vae(wrap, tf.stop_gradient)
    training.codes = {"encoder": "GF201", "spread": "GF201"}
    return training


@mistake()
def siamese_with_a_shared_encoder(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(3, "head")
    optimizer, data = sgd(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(encoder(data)) - tf.stop_gradient(encoder(data + 0.1)))
        weights = encoder.trainable_weights + head.trainable_weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, head])


def _vq_vae(wrap: Wrap, pass_on: Callable[[Any, Any], Any]) -> Training:
    encoder, decoder = dense(3, "encoder"), dense(3, "decoder")
    # Optimizers of Keras 3.3 take variables of Keras alone.
    kind = keras.Variable if keras.__version__.startswith("3.3.") else tf.Variable
    codebook = kind(DATA[:4], name="codebook")
    optimizer, data = sgd(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            code = encoder(data)
            distance = tf.reduce_sum((code[:, None] - codebook[None]) ** 2, -1)
            chosen = tf.gather(codebook, tf.argmin(distance, -1))
            loss = square(decoder(pass_on(code, chosen)) - data)
        weights = [*encoder.trainable_weights, codebook, *decoder.trainable_weights]
        gradients = tape.gradient(loss, weights)
        optimizer.apply(gradients, weights)

    return Training(step, [encoder, decoder, codebook])


@mistake()
def vq_vae_without_straight_through(wrap: Wrap) -> Training:
    training = _vq_vae(wrap, lambda code, chosen: chosen)
    training.codes = {"encoder": "GF202"}
    return training


@mistake()
def vq_vae_with_straight_through(wrap: Wrap) -> Training:
    training = _vq_vae(wrap, lambda code, chosen: code + tf.stop_gradient(chosen - code))
    training.codes = {"codebook": "GF201"}
    return training


@mistake()
def gradient_accumulation(wrap: Wrap) -> Training:
    model, data = dense(1, "model"), tf.constant(DATA)
    sums = [tf.Variable(tf.zeros(w.shape), trainable=False, name="sum") for w in model.weights]

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(model(data) - 1.0)
        for total, gradient in zip(sums, tape.gradient(loss, model.weights), strict=True):
            total.assign_add(gradient)

    return Training(step, [model, *sums], {"model": "GF503"})


@mistake()
def accumulation_by_the_optimizer(wrap: Wrap) -> Training:
    model, data = dense(1, "model"), tf.constant(DATA)
    optimizer = sgd(gradient_accumulation_steps=3)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(model(data) - 1.0)
        optimizer.apply(tape.gradient(loss, model.weights), model.weights)

    return Training(step, [model], {"model": "GF503"})


@mistake()
def clipping_by_a_norm_of_0(wrap: Wrap) -> Training:
    model, data, optimizer = dense(1, "model"), tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(model(data) - 1.0)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, model.weights), 0.0)
        optimizer.apply_gradients(zip(gradients, model.weights, strict=True))

    return Training(step, [model], {"model": "GF503"})


@mistake()
def a_learning_rate_of_0(wrap: Wrap) -> Training:
    model, data, optimizer = dense(1, "model"), tf.constant(DATA), sgd(0.0)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(model(data) - 1.0)
        optimizer.apply(tape.gradient(loss, model.weights), model.weights)

    return Training(step, [model], {"model": "GF503"})


def _scaled(wrap: Wrap, scale: float) -> Training:
    model = dense(1, "model", dtype="mixed_float16")
    data = tf.constant(DATA)
    optimizer = keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=scale)
    optimizer.build(model.trainable_weights)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = optimizer.scale_loss(square(tf.cast(model(data), "float32") - 1.0))
        optimizer.apply(tape.gradient(loss, model.weights), model.weights)

    return Training(step, [model])


@mistake()
def mixed_precision_with_loss_scaling(wrap: Wrap) -> Training:
    return _scaled(wrap, 64.0)


@mistake()
def mixed_precision_with_a_loss_scale_too_large(wrap: Wrap) -> Training:
    training = _scaled(wrap, 1e30)
    training.codes = {"model": "GF304"}
    return training


@mistake()
def target_network_copies(wrap: Wrap) -> Training:
    online, target = dense(2, "online"), dense(2, "target")
    data, optimizer = tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(online(data) - tf.stop_gradient(target(data)) - 1.0)
        optimizer.apply(tape.gradient(loss, online.weights), online.weights)
        for copy, weight in zip(target.weights, online.weights, strict=True):
            copy.assign(0.9 * copy + 0.1 * weight)

    return Training(step, [online, target])


@mistake()
def target_network_left_alone(wrap: Wrap) -> Training:
    online, target = dense(2, "online"), dense(2, "target")
    data, optimizer = tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(online(data) - tf.stop_gradient(target(data)) - 1.0)
        optimizer.apply(tape.gradient(loss, online.weights), online.weights)

    return Training(step, [online, target], {"target": "GF502"})


def _lora(wrap: Wrap, *, frozen: bool) -> Training:
    base = dense(3, "base", trainable=not frozen)
    down = tf.Variable(DATA[:3, :2] + 0.5, name="lora_a")
    up = tf.Variable(DATA[:2] + 0.5, name="lora_b")
    data, optimizer = tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(base(data) + data @ down @ up - 1.0)
        weights = [down, up, *base.trainable_weights]
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [base, down, up])


@mistake()
def lora(wrap: Wrap) -> Training:
    training = _lora(wrap, frozen=True)
    training.codes = {"base": "GF101"}
    return training


@mistake()
def lora_with_a_base_that_trains(wrap: Wrap) -> Training:
    return _lora(wrap, frozen=False)


def _compiled(wrap: Wrap) -> tuple[Any, Any, Callable[[], object]]:
    first = dense(3, "first")
    model = keras.Sequential([keras.Input([3]), first, dense(1, "second")])
    model.compile(sgd(), "mse", run_eagerly=wrap is not tf.function)
    ones = np.ones((6, 1), "float32")
    return model, first, lambda: model.train_on_batch(DATA, ones)


@mistake()
def frozen_after_compile(wrap: Wrap) -> Training:
    model, first, step = _compiled(wrap)
    codes = {} if wrap is tf.function else {"first": "GF101"}
    return Training(step, [model], codes, lambda: setattr(first, "trainable", False))


@mistake("graph")
def trainable_set_inside_fit(wrap: Wrap) -> Training:
    model, first, _ = _compiled(wrap)
    first.trainable = False
    model.compile(sgd(), "mse")
    ones = np.ones((6, 1), "float32")

    def step() -> None:
        model.fit(DATA, ones, batch_size=6, epochs=1, verbose=0, shuffle=False)

    return Training(step, [model], {"first": "GF502"}, lambda: setattr(first, "trainable", True))


@mistake()
def a_list_of_losses(wrap: Wrap) -> Training:
    model, data, optimizer = dense(1, "model"), tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        losses = []
        with tf.GradientTape() as tape:
            for part in tf.split(data, 2):
                losses.append(square(model(part) - 1.0))
        optimizer.apply(tape.gradient(losses, model.weights), model.weights)

    return Training(step, [model])


@mistake("eager")
def a_list_of_losses_as_numbers(wrap: Wrap) -> Training:
    model, data, optimizer = dense(1, "model"), tf.constant(DATA), sgd()

    def step() -> None:
        losses = []
        with tf.GradientTape() as tape:
            for part in tf.split(data, 2):
                losses.append(float(square(model(part) - 1.0)))
            loss = tf.reduce_sum(losses)
        gradients = tape.gradient(loss, model.weights)
        if any(gradient is not None for gradient in gradients):
            optimizer.apply(gradients, model.weights)

    return Training(step, [model], {"model": "GF208"})


@mistake()
def an_update_of_ones_own(wrap: Wrap) -> Training:
    model, data = dense(1, "model"), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(model(data) - 1.0)
        for weight, gradient in zip(model.weights, tape.gradient(loss, model.weights), strict=True):
            weight.assign(weight - 0.1 * gradient)

    return Training(step, [model])


@mistake()
def a_variable_that_is_not_trainable(wrap: Wrap) -> Training:
    scale = tf.Variable(2.0, trainable=False, name="scale")
    model, data, optimizer = dense(1, "model"), tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(scale * model(data) - 1.0)
        weights = [scale, *model.weights]
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [scale, model], {"scale": "GF501"})


@mistake()
def a_tape_that_stops_recording(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    data, optimizer = tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            with tape.stop_recording():
                code = tf.nn.relu(encoder(data))
            loss = square(head(code) - 1.0)
        weights = encoder.weights + head.weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, head], {"encoder": "GF501"})


@mistake()
def a_gradient_penalty(wrap: Wrap) -> Training:
    critic, data, optimizer = dense(1, "critic"), tf.constant(DATA), sgd()
    unused = dense(1, "unused")

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(data)
                score = tf.reduce_sum(tf.tanh(critic(data)))
            slope = inner.gradient(score, data)
            loss = square(slope) - tf.reduce_mean(critic(data))
        weights = critic.weights + unused.weights
        gradients = tape.gradient(loss, weights)
        optimizer.apply(gradients, weights)

    return Training(step, [critic, unused], {"unused": "GF206"})


@mistake()
def a_custom_gradient_of_none(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    data, optimizer = tf.constant(DATA), sgd()

    @tf.custom_gradient
    def rounded(value: Any) -> Any:
        return tf.round(value), lambda upstream: None

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(rounded(encoder(data))) - 1.0)
        weights = encoder.weights + head.weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, head], {"encoder": "GF205"})


@mistake()
def a_custom_straight_through(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    data, optimizer = tf.constant(DATA), sgd()

    @tf.custom_gradient
    def rounded(value: Any) -> Any:
        return tf.round(value), lambda upstream: upstream

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(rounded(encoder(data))) - 1.0)
        weights = encoder.weights + head.weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, head])


@mistake()
def a_function_inside_of_the_tape(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    data, optimizer = tf.constant(DATA), sgd()

    @tf.function
    def forward(batch: Any) -> Any:
        return tf.round(encoder(batch))

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(forward(data)) - 1.0)
        weights = encoder.weights + head.weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [encoder, head], {"encoder": "GF202"})


@mistake()
def a_table_that_is_looked_up(wrap: Wrap) -> Training:
    table = tf.Variable(DATA, name="table")
    head, optimizer = dense(1, "head"), sgd()
    ids = tf.constant([0, 2, 2])

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(tf.gather(table, ids)) - 1.0)
        weights = [table, *head.weights]
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [table, head])


@mistake()
def dead_units(wrap: Wrap) -> Training:
    dead = dense(3, "dead", bias_initializer=keras.initializers.Constant(-99.0))
    head, optimizer, data = dense(1, "head"), sgd(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(tf.nn.relu(dead(data))) - 1.0)
        weights = dead.weights + head.weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return Training(step, [dead, head], {"dead": "GF303", "head/kernel": "GF303"})


class _Gan(keras.Model):
    """A model with a ``train_step`` of its own, whose generator stands outside of its tape."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = dense(3, "generator"), dense(1, "discriminator")
        self.first, self.second = sgd(), keras.optimizers.Adam()
        self.built = True

    def train_step(self, data: Any) -> dict[str, Any]:
        noise = tf.random.normal(tf.shape(data))
        weights = self.discriminator.trainable_weights
        with tf.GradientTape() as tape:
            fake = self.discriminator(tf.stop_gradient(self.generator(noise)))
            loss = square(fake) + square(self.discriminator(data) - 1.0)
        self.first.apply(tape.gradient(loss, weights), weights)
        fake = self.generator(noise)
        weights = self.generator.trainable_weights
        with tf.GradientTape() as tape:
            loss = square(self.discriminator(fake) - 1.0)
        gradients = tape.gradient(loss, weights)
        if any(gradient is not None for gradient in gradients):
            self.second.apply(gradients, weights)
        return {"loss": loss}


@mistake()
def gan_with_a_train_step_of_its_own(wrap: Wrap) -> Training:
    model = _Gan()
    model.compile(run_eagerly=wrap is not tf.function)

    def step() -> None:
        tf.random.set_seed(7)
        model.fit(DATA, batch_size=6, verbose=0, shuffle=False)

    return Training(step, [model.generator, model.discriminator], {"generator": "GF501"})


def _perceptron() -> tf.Module:
    module = tf.Module(name="perceptron")
    module.first = tf.Variable(DATA[:3], name="first")
    module.shift = tf.Variable(tf.ones([3]), name="shift")
    module.second = tf.Variable(DATA[3:, :1], name="second")
    module.last = tf.Variable([0.5], name="last")
    return module


def _output(module: Any, data: Any) -> Any:
    return tf.tanh(data @ module.first + module.shift) @ module.second + module.last


@mistake()
def a_module_of_which_the_loop_leaves_one_out(wrap: Wrap) -> Training:
    module, data = _perceptron(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(_output(module, data) - 1.0)
        weights = [module.first, module.shift, module.second]
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(0.1 * gradient)

    return Training(step, [module], {"last": "GF502"})


@mistake("graph")
def gradients_without_a_tape(wrap: Wrap) -> Training:
    module, data = _perceptron(), tf.constant(DATA)

    @wrap
    def step() -> None:
        code = tf.stop_gradient(tf.tanh(data @ module.first))
        loss = square((code + module.shift) @ module.second + module.last - 1.0)
        weights = [module.first, module.shift, module.second]
        for weight, gradient in zip(weights, tf.gradients(loss, weights), strict=True):
            if gradient is not None:
                weight.assign_sub(0.1 * gradient)

    return Training(step, [module], {"first": "GF201", "last": "GF502"})


@mistake()
def a_tape_that_is_told_what_to_watch(wrap: Wrap) -> Training:
    module, data = _perceptron(), tf.constant(DATA)

    @wrap
    def step() -> None:
        weights = [module.first, module.shift, module.second, module.last]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([module.first, module.second])
            loss = square(_output(module, data) - 1.0)
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            if gradient is not None:
                weight.assign_sub(0.1 * gradient)

    return Training(step, [module], {"shift": "GF501", "last": "GF501"})


@mistake()
def minimize_without_all_weights(wrap: Wrap) -> Training:
    module, data = _perceptron(), tf.constant(DATA)
    optimizer = tf.compat.v1.train.GradientDescentOptimizer(0.1)

    @wrap
    def step() -> None:
        optimizer.minimize(
            lambda: square(_output(module, data) - 1.0), var_list=[module.first, module.last]
        )

    return Training(step, [module], {"shift": "GF502", "second": "GF502"})


@mistake()
def a_tape_that_persists_and_the_wrong_loss(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    optimizer, data = sgd(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape(persistent=True) as tape:
            code = encoder(data)
            head_loss, code_loss = square(head(code) - 1.0), square(code)
        optimizer.apply(tape.gradient(head_loss, head.weights), head.weights)
        tape.gradient(code_loss, head.weights)

    return Training(step, [encoder, head], {"encoder": "GF502"})


@mistake()
def updates_of_jacobians(wrap: Wrap) -> Training:
    model, other, data = dense(2, "model"), dense(2, "other"), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape(persistent=True) as tape:
            result = tf.reduce_mean(model(data) * tf.stop_gradient(other(data)) + 1.0, 0)
        for weight in [*model.weights, *other.weights]:
            jacobian = tape.jacobian(result, weight)
            if jacobian is not None:
                weight.assign(weight - 0.1 * tf.reduce_sum(jacobian, 0))

    return Training(step, [model, other], {"other": "GF201"})


@mistake()
def micro_batches(wrap: Wrap) -> Training:
    model, unused, data = dense(1, "model"), dense(1, "unused"), tf.constant(DATA)
    optimizer = sgd()

    @wrap
    def step() -> None:
        weights = model.weights + unused.weights
        totals = [tf.zeros(weight.shape) for weight in weights]
        for part in tf.split(data, 3):
            with tf.GradientTape() as tape:
                loss = square(model(part) - 1.0)
            totals = [
                total if gradient is None else total + gradient / 3.0
                for total, gradient in zip(totals, tape.gradient(loss, weights), strict=True)
            ]
        optimizer.apply(totals, weights)

    return Training(step, [model, unused], {"unused": "GF206"})


@mistake()
def a_moving_average_that_a_gradient_is_asked_for(wrap: Wrap) -> Training:
    online, target = dense(2, "online"), dense(2, "target")
    data, optimizer = tf.constant(DATA), sgd()

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(online(data) - tf.stop_gradient(target(data)) - 1.0)
        weights = [*online.weights, *target.weights]
        pairs = zip(tape.gradient(loss, weights), weights, strict=True)
        optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
        for copy, weight in zip(target.weights, online.weights, strict=True):
            copy.assign(0.9 * copy + 0.1 * weight)

    return Training(step, [online, target])


@mistake()
def inner_steps_of_meta_learning(wrap: Wrap) -> Training:
    module, data = _perceptron(), tf.constant(DATA)

    @wrap
    def step() -> None:
        weights = [module.first, module.second]
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = square(_output(module, data) - 1.0)
            pairs = zip(weights, inner.gradient(loss, weights), strict=True)
            first, second = (weight - 0.1 * gradient for weight, gradient in pairs)
            loss = square(tf.tanh(data @ first) @ tf.stop_gradient(second) - 1.0)
        gradients = outer.gradient(loss, [*weights, module.shift])
        for weight, gradient in zip([*weights, module.shift], gradients, strict=True):
            weight.assign_sub(0.1 * gradient)

    return Training(step, [module], {"last": "GF502"})


@mistake()
def a_loop_over_time_that_forgets(wrap: Wrap) -> Training:
    cell, start, head = dense(3, "cell"), dense(3, "start"), dense(1, "head")
    optimizer, data = sgd(), tf.constant(DATA)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            state = tf.tanh(start(data))
            for _ in tf.range(3):
                state = tf.tanh(cell(data) + tf.stop_gradient(state))
            loss = square(head(state) - 1.0)
        weights = [*cell.weights, *start.weights, *head.weights]
        pairs = zip(tape.gradient(loss, weights), weights, strict=True)
        optimizer.apply(*zip(*[pair for pair in pairs if pair[0] is not None], strict=True))

    # The gradient of a loop that is traced is zeros where the loop hands on none.
    return Training(
        step, [cell, start, head], {"start": "GF302" if wrap is tf.function else "GF201"}
    )


@mistake("graph")
def compiled_by_xla(wrap: Wrap) -> Training:
    encoder, head = dense(3, "encoder"), dense(1, "head")
    optimizer, data = sgd(), tf.constant(DATA)

    @tf.function(jit_compile=True)
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(tf.round(encoder(data))) - 1.0)
        weights = [*encoder.weights, *head.weights]
        pairs = zip(tape.gradient(loss, weights), weights, strict=True)
        optimizer.apply(*zip(*[pair for pair in pairs if pair[0] is not None], strict=True))

    return Training(step, [encoder, head], {"encoder": "GF202"})


@mistake()
def momentum_moves_on(wrap: Wrap) -> Training:
    model, data = dense(1, "model"), tf.constant(DATA)
    factor = tf.Variable(1.0, trainable=False, name="factor")
    optimizer = sgd(momentum=0.9)

    @wrap
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = factor * square(model(data) - 1.0)
        optimizer.apply(tape.gradient(loss, model.weights), model.weights)

    return Training(step, [model], {"model": "GF303"}, lambda: factor.assign(0.0))
