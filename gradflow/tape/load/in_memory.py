"""Choose how a Keras model or tf.Module in memory is stepped."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from gradflow.errors import UsageError
from gradflow.options import Options, refuse_entry, refuse_objective
from gradflow.tape.load.choose_loss import choose_live_loss
from gradflow.tape.load.keras2 import Keras2Model, is_keras2
from gradflow.tape.load.keras3 import Keras3Model
from gradflow.tape.load.tf_module import ModuleMethod
from gradflow.tape.loaded_model import LoadedModel
from gradflow.tape.private_api import AutoTrackable


def model_in_memory(model: Any, name: str, options: Options) -> LoadedModel:
    """Describe ``model``, which messages call ``name``.

    Raises:
        UsageError: it is neither a Keras model nor a ``tf.Module``, or has no such entry.
        InputError: its inputs are not recorded and none are given.
    """
    names = tuple(spec.name for spec in options.inputs)
    if isinstance(model, keras.Model) and keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"{name}: Keras runs on {keras.backend.backend()} here, "
            "gradflow measures on TensorFlow",
            "set KERAS_BACKEND=tensorflow before Keras is imported",
        )
    training = options.training
    if isinstance(model, keras.Model) or is_keras2(model):
        refuse_entry(name, options)
    if isinstance(model, keras.Model):
        loss = choose_live_loss(model, options)
        return Keras3Model(model, training=training, input_names=names, loss=loss)
    if is_keras2(model):
        loss = choose_live_loss(model, options)
        return Keras2Model(model, training=training, is_file=False, loss=loss)
    refuse_objective(name, options)
    if isinstance(model, tf.Module):
        return ModuleMethod(model, options.entry, names)
    if isinstance(model, AutoTrackable) and hasattr(model, "signatures"):
        raise UsageError(
            "what tf.saved_model.load returns is neither a Keras model nor a tf.Module",
            "give the path that it was loaded from",
        )
    raise UsageError(
        f"{name}: a {type(model).__name__} is neither a Keras model nor a tf.Module",
        "give a path, a keras.Model or a tf.Module",
    )
