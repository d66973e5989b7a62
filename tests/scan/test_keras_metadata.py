"""What Keras 2 records of its layers in a SavedModel is scanned, and refuses no analysis:
TensorFlow does not read it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gradflow.analysis.safety import admit
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.schema import message
from gradflow.findings import Format
from gradflow.options import Options
from gradflow.scan import scan
from tests.cli.command import HEALTHY, here

CODE = ["4wEAAAAAAAAA", None, None]
LAYERS = {
    "a Lambda layer with a function as byte code": {"function": CODE, "function_type": "lambda"},
    "function system of os": {"function": "system", "function_type": "function", "module": "os"},
    "function load of yaml": {"function": "load", "function_type": "function", "module": "yaml"},
}


def recorded(folder: Path, config: dict[str, object], *, inside: bool = False) -> ModelFile:
    """A SavedModel with a Lambda layer in the records of Keras: beside the graph, or in it as Keras
    wrote it before 2.5."""
    shutil.copytree(HEALTHY, folder)
    layer = {"class_name": "Lambda", "name": "act", "config": {"name": "act", **config}}
    text = json.dumps({"class_name": "Functional", "config": {"layers": [layer]}})
    if inside:
        saved = message("SavedModel")()
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
        node = saved.meta_graphs[0].object_graph_def.nodes.add()
        node.user_object.metadata = text
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    else:
        records = message("SavedMetadata")()
        records.nodes.add(node_id=1, metadata=text)
        (folder / "keras_metadata.pb").write_bytes(records.SerializeToString())
    return ModelFile(folder, Format.SAVED_MODEL)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_code_in_the_records_is_found(name: str, inside: bool, tmp_path: Path) -> None:
    file = recorded(tmp_path / "model", LAYERS[name], inside=inside)

    (threat,) = scan(file, ()).threats

    assert threat.name == name
    assert threat.location == "layer 'act' of the records of Keras"
    assert "where Keras 2 loads it" in threat.harm
    assert admit(file, "model", Options()) == (threat,)


def test_layers_without_code_are_nothing(tmp_path: Path) -> None:
    file = recorded(tmp_path / "model", {"function": "my_function", "module": "__main__"})

    assert scan(file, ()).threats == ()


def test_the_command_says_what_to_do(tmp_path: Path) -> None:
    recorded(tmp_path / "model", LAYERS["function system of os"])

    line = here("scan", "-q", str(tmp_path / "model")).failed_in_one_line()

    assert "(GF902)" in line
    assert "tf.saved_model.load" in line
    assert here("inspect", "--static", "-q", str(tmp_path / "model")).code == 0
