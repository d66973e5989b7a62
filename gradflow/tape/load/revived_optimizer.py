"""Let SavedModels load whose Keras 2 optimizer TensorFlow 2.16 and later cannot revive.

Without a registered type for ``optimizer`` such a file fails with "'_UserObject' object has
no attribute 'add_slot'".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from gradflow.tape.private_api import (
    AutoTrackable,
    RevivedVersion,
    register_revived_type,
    revived_entries,
    revived_identifiers,
)


class _Optimizer(AutoTrackable):  # type: ignore[misc]  # TensorFlow ships no types
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
    if "optimizer" in revived_entries:
        yield
        return
    register_revived_type(
        "optimizer",
        lambda obj: isinstance(obj, _Optimizer),
        versions=[
            RevivedVersion(
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
        del revived_entries["optimizer"]
        revived_identifiers.remove("optimizer")
