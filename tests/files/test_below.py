"""A folder stands for every model below it: what is damaged is listed, what is no model counted."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from gradflow.errors import CrashedError
from gradflow.files.below import models_below
from gradflow.findings import Listing
from gradflow.process import parent
from gradflow.process.models import models_at
from tests.cli.command import SAMPLES, here

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Models of each kind, damaged ones, and what stands beside models."""
    import h5py

    root = tmp_path / "registry"
    shutil.copytree(SAMPLES / "healthy_saved_model", root / "serving" / "2")
    shutil.copytree(SAMPLES / "healthy_saved_model", root / "serving" / "10")
    shutil.copytree(SAMPLES / "healthy_saved_model", root / ".git" / "hidden")
    (root / "serving" / "2" / "assets.extra").mkdir()
    shutil.copy(SAMPLES / "argmax.keras", root / "serving" / "2" / "assets.extra")
    shutil.copy(SAMPLES / "argmax.keras", root / "b.keras")
    shutil.copy(SAMPLES / "argmax.h5", root / "whole.weights.h5")
    shutil.copy(SAMPLES / "argmax.keras", root / "no suffix")
    (root / "damaged.keras").write_bytes((SAMPLES / "argmax.keras").read_bytes()[:900])
    (root / "cut.h5").write_bytes((SAMPLES / "argmax.h5").read_bytes()[:2000])
    (root / "page.h5").write_text("<html></html>")
    (root / "pointer.keras").write_text(LFS)
    (root / "pointer.h5").write_text(LFS)
    (root / "gone.keras").symlink_to("nowhere.keras")
    # Not one of these is a model.
    (root / "pointer.weights.h5").write_text(LFS)
    (root / "README.md").write_text("# Models\n")
    with zipfile.ZipFile(root / "data.npz", "w") as archive:
        archive.writestr("x.npy", b"")
    with h5py.File(root / "only.weights.h5", "w") as weights:
        weights.create_group("layers")
    with h5py.File(root / "dataset.h5", "w") as data:
        data["x"] = [1.0]
    (root / "checkpoint").write_text("model_checkpoint_path: 'ckpt-1'\n")
    (root / "ckpt-1.index").write_bytes(b"\x00" * 60)
    return root


LISTED = (
    "b.keras",
    "cut.h5",
    "damaged.keras",
    "gone.keras",
    "no suffix",
    "page.h5",
    "pointer.h5",
    "pointer.keras",
    "serving/10",
    "serving/2",
    "whole.weights.h5",
)


def test_models_are_listed_and_what_is_none_is_counted(registry: Path) -> None:
    assert models_below(registry, look_inside=True) == Listing(LISTED, others=7, hidden=1)


def test_without_a_look_inside_files_of_weights_are_listed_too(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the process that opens them dies: nothing is left out."""

    def dead(*_: object) -> None:
        raise CrashedError("the process ended")

    monkeypatch.setattr(parent, "_ask", dead)
    more = {"data.npz", "dataset.h5", "only.weights.h5"}

    assert set(parent.list_models(str(registry)).models) == {*LISTED, *more}


def test_links_lead_to_each_folder_once(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "healthy_saved_model", tmp_path / "elsewhere" / "m")
    root = tmp_path / "root"
    shutil.copytree(SAMPLES / "healthy_saved_model", root / "3")
    (root / "latest").symlink_to("3")
    (root / "round").symlink_to(root)
    (root / "other").symlink_to(tmp_path / "elsewhere")
    (root / "twin").symlink_to(tmp_path / "elsewhere")

    assert models_below(root, look_inside=True).models == ("3", "other/m")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="there is nothing that root may not read"
)
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)

    assert models_below(tmp_path, look_inside=True).models == ("closed",)


def test_a_folder_is_what_its_models_are(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registry.parent)
    found = models_at(["registry/", "registry/b.keras", "missing"])

    assert found.paths == (*(f"registry/{name}" for name in LISTED), "missing")
    assert found.remarks == (
        "registry/: 11 models below it, 7 other files are none, 1 hidden folder is not looked into",
    )
    monkeypatch.chdir(registry)
    assert models_at(["."]).paths == LISTED


def test_a_model_that_is_named_twice_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLES / "healthy_saved_model", "saved")
    shutil.copy(SAMPLES / "argmax.keras", "a.keras")
    absolute = str(tmp_path / "a.keras")
    Path("elsewhere/inside").mkdir(parents=True)
    shutil.copy(SAMPLES / "healthy.keras", "elsewhere/a.keras")
    Path("link").symlink_to("elsewhere/inside")
    named = [
        "./a.keras",
        "a.keras",
        absolute,
        "saved/saved_model.pb",
        "saved",
        ".",
        "no",
        "./no",
        "link/../a.keras",
    ]

    # Behind a link, .. is not the folder that the link is in.
    once = ["./a.keras", "saved/saved_model.pb", "elsewhere/a.keras", "no"]
    assert models_at(named).paths == tuple(once)
    for command in ("inspect", "check", "audit"):
        report = json.loads(here(command, *named, "--static", "--format", "json").stdout)
        assert [model["path"] for model in report["models"]] == once


def test_one_saved_model_is_one_model_and_a_folder_of_none_is_told(tmp_path: Path) -> None:
    saved = str(SAMPLES / "healthy_saved_model")

    assert models_at([saved, f"{saved}/variables", str(tmp_path)]).paths == (
        saved,
        f"{saved}/variables",
        str(tmp_path),
    )
    assert "is an empty folder" in here("inspect", str(tmp_path)).failed_in_one_line()


@pytest.mark.parametrize("command", ["inspect", "check", "scan", "audit"])
def test_a_damaged_model_in_a_folder_is_not_passed_over(command: str, registry: Path) -> None:
    static = [] if command == "scan" else ["--static", "--no-cache"]
    done = here(command, str(registry), *static, "--format", "json", COLUMNS="300")

    assert done.code == 2
    assert "registry: 11 models below it, 7 other files are none" in done.stderr
    for name in ("cut.h5", "damaged.keras", "gone.keras", "page.h5", "pointer.keras"):
        assert f'{name}",\n' in done.stdout


@pytest.mark.parametrize("command", [["why"], ["diff", "missing"]])
def test_a_question_about_one_model_takes_a_folder_of_one(
    command: list[str], registry: Path, tmp_path: Path
) -> None:
    variable = ["kernel"] if command == ["why"] else []
    line = here(*command, str(registry), *variable, "--static").failed_in_one_line()
    assert "is a folder of 11 models" in line

    shutil.copytree(SAMPLES / "two_towers_saved_model", tmp_path / "one" / "1")
    if command == ["why"]:
        done = here(
            *("why", str(tmp_path / "one"), "query_hidden/kernel", "--static"), COLUMNS="400"
        )
        assert done.stdout.startswith(f"{tmp_path}/one/1: ")
