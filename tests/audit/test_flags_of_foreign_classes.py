"""Where a class that is not Keras's own decides what is frozen, no expectation is kept unseen."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.cli.command import here


def written(
    folder: Path, class_name: str, module: str | None, model_class: str = "Functional"
) -> str:
    """Write a ``.keras`` file with one frozen layer of the class."""
    layer: dict[str, Any] = {
        "class_name": class_name,
        "module": module,
        "registered_name": class_name if module else f"pkg>{class_name}",
        "config": {"name": "d", "trainable": False, "units": 2},
    }
    config = {"class_name": model_class, "config": {"name": "m", "layers": [layer]}}
    path = folder / "model.keras"
    with h5py.File(folder / "weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((2, 2), np.float32)
        file["layers/wrapper/vars/0"] = np.zeros((2, 2), np.float32)
        del file[f"layers/{'wrapper' if module else 'dense'}"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.write(folder / "weights.h5", "model.weights.h5")
    return str(path)


@pytest.mark.parametrize(
    ("class_name", "module", "code"), [("Dense", "keras.layers", 0), ("Wrapper", None, 2)]
)
@pytest.mark.parametrize("select", [(), ("--select", "GF4")])
def test_a_frozen_flag_of_a_foreign_class_is_not_believed(
    class_name: str, module: str | None, code: int, select: tuple[str, ...], tmp_path: Path
) -> None:
    path = written(tmp_path, class_name, module)
    done = here("check", path, "--static", "--expect-frozen", "**", *select, COLUMNS="400")
    assert done.code == code
    assert ("a class that is not Keras's own decides that" in done.stdout) is (code == 2)


def test_the_class_that_decides_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "Wrapper", None, model_class="Sequential")
    done = here("check", path, "--static", "--expect-frozen", "**", COLUMNS="400")
    assert "a class that is not Keras's own decides that ('Wrapper')" in done.stdout


@pytest.mark.tensorflow
def test_what_kept_tensorflow_from_it_is_the_next_step(tmp_path: Path) -> None:
    """Where the user did give ``--import`` and no ``--static``, to ask for them helps nobody."""
    path = written(tmp_path, "Wrapper", None)
    done = here("check", path, "--import", "json", "--expect-frozen", "**", COLUMNS="400")
    assert done.code == 2
    assert "a class that is not Keras's own decides that; not run, read from the" in done.stdout
    assert "without --static" not in done.stdout
