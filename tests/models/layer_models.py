"""Small models around one layer of Keras, with a weight before each floating input of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gradflow.tables.layer_trials import (
    gathered,
    is_layer,
    recipe_of,
    split_call,
)

FUNCTIONS = ("relu", "tanh", "linear", "hard_sigmoid", "softmax")
"""In the place of the function that the recipes give to a layer."""


@dataclass(frozen=True, slots=True)
class LayerModel:
    """A model that was saved, and what it is called with."""

    path: Path
    model: Any
    batch: list[Any]
    about: str


def layer_models(layer_class: Any, count: int, seed: int, folder: Path) -> Iterator[LayerModel]:
    """Save ``count`` models, each with one layer of a random configuration; fewer where Keras
    refuses some."""
    draw = random.Random(f"{seed} {layer_class.__name__}")
    recipe = recipe_of(layer_class)
    for number in range(count):
        arguments = dict(recipe.base)
        for key, values in recipe.vary.items():
            if values and draw.random() < 0.5:
                arguments[key] = draw.choice(list(values))
        for key in ("activation", "recurrent_activation"):
            if key in arguments and is_layer(layer_class):
                arguments[key] = draw.choice(FUNCTIONS)
        call = draw.choice(list(recipe.calls))
        about = f"{layer_class.__name__}({arguments})"
        path = folder / f"{layer_class.__name__}_{number}.keras"
        try:
            model, batch = _model(layer_class, arguments, call)
            model(batch)
            model.save(path)
            model = keras.models.load_model(path, safe_mode=False)
            model(batch)
        except Exception:  # of Keras, of any kind: there is no such model
            continue
        yield LayerModel(path, model, batch, about)


def _model(
    layer_class: Any, arguments: Mapping[str, Any], call: Mapping[str, Any]
) -> tuple[Any, list[Any]]:
    tensors, _ = split_call(call)
    inputs, batch, values = [], [], {}
    for index, (name, tensor) in enumerate(tensors.items()):
        shape, dtype = tuple(tensor.shape), tensor.dtype
        entry = keras.Input(batch_shape=shape, dtype=dtype.name, name=f"in{index}")
        inputs.append(entry)
        batch.append(tensor)
        is_plain = dtype.is_floating and len(shape) > 1
        values[name] = (
            keras.layers.Dense(shape[-1], name=f"before{index}")(entry) if is_plain else entry
        )
    layer = layer_class(**arguments)
    (first_name, first), *rest = gathered(call, values).items()
    if first_name.endswith(".0"):
        outputs = layer(first, *(value for _, value in rest))
    else:
        outputs = layer(first, **dict(rest))
    flat = [item for item in keras.tree.flatten(outputs) if item is not None]
    return keras.Model(inputs, flat), batch


def taped(model: LayerModel, *, training: bool) -> dict[str, bool] | None:
    """Return for each weight whether a bare tape hands something back; None where it raises."""
    takes = getattr(model.model, "_call_has_training_arg", True)
    weights = {variable.path: variable.value for variable in model.model.variables}
    weights = {name: weight for name, weight in weights.items() if weight.dtype.is_floating}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(weights.values()))
        try:
            more = {"training": training} if takes else {}
            outputs = model.model(model.batch, **more)
        except Exception:  # as above: in training, the layer does not take such a batch
            return None
        floating = [
            output
            for output in keras.tree.flatten(outputs)
            if tf.is_tensor(output)
            and (
                np.issubdtype(output.dtype.as_numpy_dtype, np.inexact)
                or output.dtype == tf.bfloat16
            )
        ]
    if not floating:
        return dict.fromkeys(weights, False)
    try:
        gradients = tape.gradient(floating, list(weights.values()))
    except (LookupError, NotImplementedError, TypeError, ValueError, tf.errors.OpError):
        return None
    return {name: gradient is not None for name, gradient in zip(weights, gradients, strict=True)}
