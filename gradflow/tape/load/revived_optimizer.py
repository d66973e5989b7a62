"""Lets SavedModels load whose Keras 2 optimizer TensorFlow 2.16 and later cannot revive.

Private TensorFlow API: ``tensorflow.python.saved_model.revived_types``, checked on 2.16.1 and
2.21.0. Without a registered type for ``optimizer`` such a file fails with "'_UserObject' object has
no attribute 'add_slot'".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import revived_types
from tensorflow.python.trackable import autotrackable


class _Optimizer(autotrackable.AutoTrackable):  # type: ignore[misc]  # TensorFlow ships no types
    """Takes the slot variables, which the checkpoint restores: they are no weights of the model."""

    def add_slot(self, var: Any, slot_name: str, initializer: Any = None, shape: Any = None) -> Any:
        return tf.Variable(
            tf.zeros(var.shape if shape is None else shape, var.dtype),
            trainable=False,
            name=slot_name,
        )


@contextmanager
def revived_optimizers() -> Iterator[None]:
    """Register a stand-in for the type ``optimizer`` for the length of a load."""
    if "optimizer" in revived_types._REVIVED_TYPE_REGISTRY:
        yield
        return
    revived_types.register_revived_type(
        "optimizer",
        lambda obj: isinstance(obj, _Optimizer),
        versions=[
            revived_types.VersionedTypeRegistration(
                object_factory=lambda _: _Optimizer(),
                version=2,
                min_producer_version=1,
                min_consumer_version=1,
                setter=setattr,
            )
        ],
    )
    try:
        yield
    finally:
        del revived_types._REVIVED_TYPE_REGISTRY["optimizer"]
        revived_types._TYPE_IDENTIFIERS.remove("optimizer")
