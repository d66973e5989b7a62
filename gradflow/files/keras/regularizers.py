"""Tell the regularizers of Keras from those of others."""

from __future__ import annotations

from collections.abc import Mapping

_OWN = frozenset("l1 l2 l1_l2 l1l2 orthogonalregularizer orthogonal_regularizer".split())
_OF_KERAS_1 = frozenset("l1l2regularizer weightregularizer activityregularizer".split())


def is_own_regularizer(described: object) -> bool:
    """Return whether a value of a configuration names a regularizer of Keras's own: by its name, as
    an object, or as Keras 1 writes it (``{"name": "ActivityRegularizer", ...}``)."""
    if isinstance(described, str):
        return described.lower() in _OWN
    if not isinstance(described, Mapping):
        return False
    module, registered = described.get("module"), described.get("registered_name")
    if isinstance(module, str) and module.partition(".")[0] not in ("keras", "tf_keras"):
        return False
    if isinstance(registered, str) and ">" in registered:
        return False
    name = str(described.get("class_name") or described.get("name")).lower()
    return name in _OWN or name in _OF_KERAS_1
