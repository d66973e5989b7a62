"""Find what Keras 2 would run of its own records in a SavedModel.

TensorFlow does not read them, and so nothing of them runs in gradflow. ``load_model`` of tf_keras
(2.21) builds each layer again, with the functions of its configuration, whatever ``safe_mode``
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradflow.files.saved_model.freeze_flags import layers_of_keras
from gradflow.scan.keras.config import CODE_HARMS, strange_objects
from gradflow.scan.threat import Threat

_WHERE = ", where Keras 2 loads it"
_WAY_OUT = (
    "load it with tf.saved_model.load, which does not read this, as gradflow does; with Keras only "
    "if you know where it comes from"
)


def strange_layers(saved: Any, folder: Path) -> Iterator[Threat]:
    """Yield the code in the configurations of layers."""
    for graph in saved.meta_graphs:
        for _, properties in layers_of_keras(graph.object_graph_def, folder):
            for threat in strange_objects(properties, "the records of Keras", ()):
                if threat.harm in CODE_HARMS:
                    harm = threat.harm + _WHERE
                    yield replace(threat, harm=harm, way_out=_WAY_OUT, is_for_keras=True)
