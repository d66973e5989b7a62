"""Make the Keras model of a Plan, with its cuts, and write it as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tests.models.plan import WIDTH, Node, Plan, Ref

KINDS = ("keras", "h5", "export", "saved", "module")
"""``.keras``; ``.h5``; ``model.export()``; ``tf.saved_model.save()`` of the model, and of a
``tf.Module`` around it."""
STEPS, FEATURES = 3, 2
"""How a vector is read as a sequence: more than one step, or recurrent kernels and attention get
zeros."""
GAIN = 7.0
"""Values are spread before they are rounded, else most of them fall to 0 and what reads them
dies."""
OFFSET = 0.3
"""What comes out of a cut is never exactly 0, for the same reason."""

Tensor = Any  # a KerasTensor while the model is built


def build(plan: Plan, seed: int = 0) -> keras.Model:
    """Make the model; layers have the names that the plan gives them, perhaps with a suffix (see
    ``plan.layer_of``)."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    made: dict[str, Any] = {}
    model = _build(plan, made)
    for name in plan.frozen:
        for part in (name, f"{name}_norm"):
            if part in made:
                made[part].trainable = False
    return model


def save(model: keras.Model, folder: Path, kind: str) -> Path:
    """Write ``model`` below ``folder`` as one of KINDS and return the path of the file."""
    if kind in ("keras", "h5"):
        path = folder / f"planted.{kind}"
        model.save(path)
        return path
    path = folder / kind
    if kind == "export":
        model.export(path, format="tf_saved_model", verbose=False)
    elif kind == "saved":
        tf.saved_model.save(model, str(path))
    elif kind == "module":
        module = _Served(model)
        tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    else:
        raise ValueError(f"{kind}: not one of {KINDS}")
    return path


class _Served(tf.Module):
    """A SavedModel as people write it by hand: a module with one function, Keras inside."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        specs = [
            tf.TensorSpec((None, WIDTH), tf.float32, name=entry.name) for entry in model.inputs
        ]
        self.serve = tf.function(self._serve, input_signature=specs, autograph=False)

    def _serve(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self.model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        return {f"output_{number}": output for number, output in enumerate(outputs)}


def _build(plan: Plan, made: dict[str, Any]) -> keras.Model:
    entries = {name: keras.Input((WIDTH,), name=name) for name in plan.inputs}
    tensors: dict[Ref, Tensor] = {Ref(name): entry for name, entry in entries.items()}
    for node in plan.nodes:
        sources = [tensors[source] for source in node.sources]
        if node.kind == "submodel":
            if node.layer not in made:
                made[node.layer] = _build(plan.submodels[node.layer], made)
            outputs = made[node.layer](sources[0])
            outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
            tensors.update(
                {Ref(node.name, number): output for number, output in enumerate(outputs)}
            )
        else:
            tensors[Ref(node.name)] = _REALISED[node.kind](node, sources, made)
    outputs = [tensors[ref] for ref in plan.outputs]
    return keras.Model(
        list(entries.values()) if len(entries) > 1 else next(iter(entries.values())),
        outputs if len(outputs) > 1 else outputs[0],
        name=plan.name,
    )


def _shared(made: dict[str, Any], layer: layers.Layer) -> layers.Layer:
    """The layer of that name, made at its first use."""
    return made.setdefault(layer.name, layer)


def _dense(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    layer = layers.Dense(WIDTH, activation=node.activation, use_bias=node.bias, name=node.layer)
    return _shared(made, layer)(sources[0])


def _dense_norm(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    hidden = _shared(made, layers.Dense(WIDTH, use_bias=False, name=node.layer))(sources[0])
    return _shared(made, layers.BatchNormalization(name=f"{node.layer}_norm"))(hidden)


def _layer_norm(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    return _shared(made, layers.LayerNormalization(name=node.layer))(sources[0])


def _recurrent(kind: type[layers.Layer]) -> Callable[[Node, list[Tensor], dict[str, Any]], Tensor]:
    def realise(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
        sequence = layers.Reshape((STEPS, FEATURES), name=f"{node.name}_sequence")(sources[0])
        return _shared(made, kind(WIDTH, unroll=node.bias, name=node.layer))(sequence)

    return realise


def _attention(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    query, value = (
        layers.Reshape((STEPS, FEATURES), name=f"{node.name}_{role}")(source)
        for role, source in zip(("query", "value"), sources, strict=True)
    )
    # A key bias has no influence on a softmax: without biases every weight has a gradient.
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=2, use_bias=False, name=node.layer)
    return layers.Reshape((WIDTH,), name=f"{node.name}_flat")(_shared(made, layer)(query, value))


def _concat(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    joined = layers.Concatenate(name=f"{node.name}_join")(sources)
    return _dense(node, [joined], made)


def _residual(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    return layers.Add(name=f"{node.name}_add")([sources[0], _dense(node, sources, made)])


def _add(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    return layers.Add(name=node.name)(sources)


def _multiply(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    return layers.Multiply(name=node.name)(sources)


def _operation(cut: Callable[[Tensor], Tensor], gain: float = 1.0) -> Callable[..., Tensor]:
    """A cut made of ``keras.ops`` calls, which have no names of their own."""

    def realise(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
        return ops.add(cut(ops.multiply(sources[0], gain) if gain != 1.0 else sources[0]), OFFSET)

    return realise


def _quantise(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    codes = layers.Rescaling(1, dtype="int32", name=f"{node.name}_codes")(
        layers.Rescaling(GAIN, name=f"{node.name}_gain")(sources[0])
    )
    return layers.Rescaling(1 / GAIN, offset=OFFSET, name=f"{node.name}_back")(codes)


def _bins(node: Node, sources: list[Tensor], made: dict[str, Any]) -> Tensor:
    numbers = layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5], name=f"{node.name}_bins")(
        sources[0]
    )
    rows = _shared(made, layers.Embedding(4, 1, name=node.layer))(numbers)
    return layers.Reshape((WIDTH,), name=f"{node.name}_flat")(rows)


_REALISED: dict[str, Callable[[Node, list[Tensor], dict[str, Any]], Tensor]] = {
    "dense": _dense,
    "dense_norm": _dense_norm,
    "layer_norm": _layer_norm,
    "lstm": _recurrent(layers.LSTM),
    "gru": _recurrent(layers.GRU),
    "attention": _attention,
    "concat": _concat,
    "residual": _residual,
    "add": _add,
    "multiply": _multiply,
    "stop_gradient": _operation(ops.stop_gradient),
    # Keras 3.12's argmax replaces negative zeros first; the gain puts an op there in every version.
    "argmax": _operation(lambda x: ops.one_hot(ops.argmax(x, axis=-1), WIDTH), GAIN),
    "round": _operation(ops.round, GAIN),
    "floor": _operation(ops.floor, GAIN),
    "integer": _operation(lambda x: ops.cast(ops.cast(x, "int32"), "float32"), GAIN),
    "greater": _operation(lambda x: ops.cast(ops.greater(x, 0.0), "float32")),
    "sign": _operation(ops.sign),
    "top_k": _operation(lambda x: ops.cast(ops.top_k(x, WIDTH)[1], "float32")),
    "open": _operation(lambda x: x, GAIN),  # what is left of a cut that was taken out
    "quantise": _quantise,
    "bins": _bins,
}
