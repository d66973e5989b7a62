"""A Keras model or tf.Module in memory in, a Subject out."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from gradflow.errors import UsageError
from gradflow.options import Options, refuse_objective
from gradflow.tape.load.keras2 import is_keras2, keras2_subject
from gradflow.tape.load.keras3 import keras_subject
from gradflow.tape.load.tf_module import module_subject
from gradflow.tape.loaded_model import Subject


def memory_subject(model: Any, name: str, options: Options) -> Subject:
    """Describe ``model``.

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
    if isinstance(model, keras.Model):
        return keras_subject(model, None, options.training, names, loss_seed=options.loss_seed)
    if is_keras2(model):
        return keras2_subject(
            model, None, options.training, is_file=False, loss_seed=options.loss_seed
        )
    refuse_objective(name, options)
    if isinstance(model, tf.Module):
        return module_subject(model, options.entry, names)
    raise UsageError(
        f"{name}: a {type(model).__name__} is neither a Keras model nor a tf.Module",
        "give a path, a keras.Model or a tf.Module",
    )
