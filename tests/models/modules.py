"""SavedModels of TensorFlow 2 whose functions are many: variants, wrong ones to call, inner ones,
none at all."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf

SPEC = tf.TensorSpec([None, 3], tf.float32, name="x")


def _weight(name: str, shape: tuple[int, ...] = (3,)) -> tf.Variable:
    return tf.Variable(tf.random.stateless_normal(shape, [len(name), 1]), name=name)


def save_hub_module(folder: Path) -> None:
    """A module as TensorFlow Hub has them: ``drop`` only counts in training, ``mean`` only in
    inference."""
    w, drop, mean = (
        _weight("w"),
        _weight("drop"),
        tf.Variable(tf.zeros([3]), trainable=False, name="mean"),
    )

    @tf.function
    def call(x: Any, training: bool = False) -> Any:
        if training:
            mean.assign(0.9 * mean)
            return x * w + drop
        return x * w - mean

    @tf.function(input_signature=[])
    def penalty() -> Any:
        return tf.reduce_sum(w * w)

    call.get_concrete_function(SPEC, training=True)
    call.get_concrete_function(SPEC, training=False)
    call.get_concrete_function(
        tf.TensorSpec([None, None, 3], tf.float32, name="long"), training=True
    )
    lists = {
        "variables": [w, drop, mean],
        "trainable_variables": [w, drop],
        "regularization_losses": [penalty],
    }
    _save_as_trackable(folder, __call__=call, **lists)


def _save_as_trackable(folder: Path, **attributes: Any) -> None:
    """A ``tf.Module`` has ``variables`` of its own: a bare trackable takes any attribute."""
    root = tf.train.Checkpoint()
    for name, value in attributes.items():
        setattr(root, name, value)
    tf.saved_model.save(root, str(folder))


def save_normalized(folder: Path) -> None:
    """A Keras 2 layer that in training divides its kernel by a norm, and keeps that."""
    import tf_keras

    class Normalized(tf_keras.layers.Dense):
        def call(self, inputs: Any, training: Any = None) -> Any:
            if training:
                self.kernel.assign(self.kernel / tf.norm(self.kernel))
            return super().call(inputs)

    layers = [tf_keras.Input((4,)), Normalized(3, name="normalized"), tf_keras.layers.Dense(1)]
    tf_keras.Sequential(layers).save(folder, save_format="tf")


def save_trainer(folder: Path) -> None:
    """A function that computes, one that trains the weights, one that sets them, and a signature
    that uses half."""
    module = tf.Module()
    a, b = _weight("a"), _weight("b")
    module.weights = [a, b]

    @tf.function(input_signature=[SPEC])
    def predict(x: Any) -> Any:
        return x * a + b

    @tf.function(input_signature=[SPEC])
    def advance(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((x * a + b) ** 2)
        for weight, gradient in zip([a, b], tape.gradient(loss, [a, b]), strict=True):
            weight.assign_sub(0.1 * gradient)
        return loss

    @tf.function(input_signature=[tf.TensorSpec([3], tf.float32, name="value")])
    def reset_state(value: Any) -> Any:
        a.assign(value)
        b.assign(value)
        return a + b

    module.predict, module.advance, module.reset_state = predict, advance, reset_state
    half = tf.function(lambda x: {"y": x * a}, input_signature=[SPEC])
    module.half = half
    tf.saved_model.save(module, str(folder), {"serving_default": half.get_concrete_function()})


def save_inner_function(folder: Path) -> None:
    """The function is in an object inside the model, as in a retrieval model of which only a tower
    can be called."""
    tower, module = tf.Module(), tf.Module()
    tower.w = _weight("w")
    tower.call = tf.function(
        lambda x: {"embedding": x * tower.w, "again": x}, input_signature=[SPEC]
    )
    module.tower, module.unused = tower, _weight("unused")
    tf.saved_model.save(module, str(folder))


def save_function_in_a_list(folder: Path) -> None:
    """As ``save_inner_function``, two steps inside: in a list, and in a dict."""
    towers = [tf.Module(), tf.Module()]
    for number, tower in enumerate(towers):
        tower.w = _weight("w" * (number + 1))
        tower.call = tf.function(functools.partial(tf.multiply, tower.w), input_signature=[SPEC])
    module = tf.Module()
    module.towers, module.named = [towers[0]], {"second": towers[1]}
    tf.saved_model.save(module, str(folder))


def save_picky_function(folder: Path) -> None:
    """The function that is taken first refuses whatever is not all sevens; a signature takes
    any."""
    module = tf.Module()
    module.w = _weight("w")

    @tf.function(input_signature=[SPEC])
    def call(x: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_equal(x, 7.0)]):
            return x * module.w

    module.call = call
    module.any = tf.function(
        lambda value: {"y": value * module.w}, input_signature=[tf.TensorSpec([3], name="value")]
    )
    tf.saved_model.save(module, str(folder), {"zz_any": module.any.get_concrete_function()})


def save_functions_without_inputs(folder: Path) -> None:
    """``unused`` is in a penalty and among the weights that are handed out, and not in what is
    computed from data."""
    module = tf.Module()
    module.w, module.unused = _weight("w"), _weight("unused")
    module.call = tf.function(lambda x: x * module.w, input_signature=[SPEC])
    module.penalty = tf.function(
        lambda: tf.reduce_sum(module.w * module.unused), input_signature=[]
    )
    module.weights = tf.function(lambda: [module.w + 0.0, module.unused + 0.0], input_signature=[])
    tf.saved_model.save(module, str(folder))


def save_python_function(folder: Path) -> None:
    """``before`` is used in Python code that the file does not hold, ``after`` behind it."""
    module = tf.Module()
    module.before, module.after = _weight("before"), _weight("after")

    def call(x: Any) -> Any:
        return (
            tf.numpy_function(lambda value: 2.0 * value, [x * module.before], tf.float32)
            * module.after
        )

    module.call = tf.function(call, input_signature=[SPEC])
    tf.saved_model.save(module, str(folder))


def save_no_function(folder: Path) -> None:
    """Variables and nothing to call."""
    module = tf.Module()
    module.w, module.steps = _weight("w"), tf.Variable(0, name="steps")
    tf.saved_model.save(module, str(folder))


def save_structures(folder: Path) -> None:
    """A function that takes and returns dicts, lists, plain values and nothing."""
    w = _weight("w")

    @tf.function
    def call(features: Any, scale: float = 1.0, mask: Any = None) -> Any:
        (x, y), z = features["pair"], features["single"]
        return {"sum": (x + y) * w * scale, "none": None, "list": [z, {"inner": z * w}]}

    pair = [
        tf.TensorSpec([None, 3], tf.float32, name="first"),
        tf.TensorSpec([None, 3], tf.float32, name="second"),
    ]
    spec = {"pair": pair, "single": tf.TensorSpec([None, 3], tf.float32, name="single")}
    call.get_concrete_function(spec, scale=2.0)
    call.get_concrete_function(spec, scale=3.0)
    _save_as_trackable(folder, __call__=call, w=w)


def save_signatures(folder: Path, *, is_cut: bool = False) -> None:
    """Two signatures with a weight each, one that only a third function sets, and one that none
    uses; ``is_cut`` stops the gradient of the second."""
    module = tf.Module()
    module.enc, module.dec = _weight("enc"), _weight("decoder")
    module.only_set, module.unused = _weight("only_set"), _weight("unused")

    @tf.function(input_signature=[SPEC])
    def encode(x: Any) -> Any:
        return x * module.enc + tf.reduce_mean(module.enc)

    @tf.function(input_signature=[SPEC])
    def decode(x: Any) -> Any:
        product = x * module.dec
        return tf.stop_gradient(product) if is_cut else product

    @tf.function(input_signature=[tf.TensorSpec([3], tf.float32, name="value")])
    def reset(value: Any) -> Any:
        module.only_set.assign(value)
        return value

    module.encode, module.decode, module.reset = encode, decode, reset
    signatures = {"encode": encode.get_concrete_function()}
    tf.saved_model.save(module, str(folder), signatures)


def save_inference_loop(folder: Path) -> None:
    """The root offers one step of inference, and holds the model that was trained below it."""
    body, head = _weight("body"), _weight("head")

    @tf.function
    def call(x: Any, training: bool = False) -> Any:
        return x * body * head if training else x * body * head + 1.0

    model, part = tf.Module(), tf.Module()
    part.call = tf.function(lambda x: x * body, input_signature=[SPEC])
    part.body, model.part, model.head = body, part, head
    model.call = call
    for training in (True, False):
        call.get_concrete_function(SPEC, training=training)
    root = tf.Module()
    root.model = model

    @tf.function(input_signature=[SPEC])
    def generate_one_step(x: Any) -> Any:
        return tf.argmax(call(x), -1), x * body

    root.generate_one_step = generate_one_step
    tf.saved_model.save(root, str(folder))


class Owned(tf.Module):  # type: ignore[misc]  # TensorFlow is not typed
    """What ``owned`` builds, which can be called."""

    @tf.function(input_signature=[SPEC])
    def __call__(self, x: Any) -> Any:
        with tf.name_scope("mode"), tf.name_scope("categorical"):
            stopped = tf.stop_gradient(x * self.enc.kernel)
        return stopped * self.dec.kernel * self.likelihood.variance._pretransformed_input


def owned() -> Any:
    """Two objects with a kernel each; a variable as a bijector names it; a stop in a scope that is
    no layer."""

    def part(name: str) -> Any:
        module = tf.Module()
        setattr(module, name, _weight("kernel"))
        return module

    root = Owned()
    root.enc, root.dec, root.likelihood = part("kernel"), part("kernel"), tf.Module()
    root.likelihood.variance = tf.Module()
    root.likelihood.variance._pretransformed_input = _weight("softplus")
    return root


def save_owned(folder: Path) -> None:
    tf.saved_model.save(owned(), str(folder))
