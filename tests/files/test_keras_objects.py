"""Which object graphs are those of a Keras model, so that every scope is a layer."""

from __future__ import annotations

import pytest

from gradflow.files.saved_model.freeze_flags import is_of_keras
from gradflow.files.saved_model.schema import message


@pytest.mark.parametrize(
    ("root", "expected"), [("_tf_keras_model", True), ("_generic_user_object", False)]
)
def test_layers_inside_of_another_object_do_not_make_it_one(root: str, expected: bool) -> None:
    graph = message("SavedObjectGraph")()
    for identifier in (root, "_tf_keras_layer"):
        graph.nodes.add().user_object.identifier = identifier
    graph.nodes[0].children.add(node_id=1, local_name="network")
    graph.nodes[1].children.add(node_id=0, local_name="keras_api")

    assert is_of_keras(graph) is expected
