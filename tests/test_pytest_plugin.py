"""The fixture ``gradflow``, where it must not be content."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from gradflow.pytest_plugin import Gradflow
from tests.cli.command import HEALTHY, SAMPLES


def test_what_the_file_does_not_tell_does_not_flow(tmp_path: Path) -> None:
    own = tmp_path / "own.keras"
    with zipfile.ZipFile(SAMPLES / "healthy.keras") as plain, zipfile.ZipFile(own, "w") as archive:
        for name in plain.namelist():
            content = plain.read(name)
            if name == "config.json":  # layers of a class that only its author has
                content = content.replace(b'"class_name": "Dense"', b'"class_name": "Own"')
            archive.writestr(name, content)

    with pytest.raises(pytest.fail.Exception, match="the gradient of stem/kernel is unknown"):
        Gradflow().assert_flows(str(own), static=True)
    for model in (HEALTHY, str(SAMPLES / "healthy.keras")):
        assert Gradflow().assert_flows(model, static=True).summary.flows == 7
