"""What is in the wheel and the sdist, and that the wheel works without TensorFlow."""

from __future__ import annotations

import email.message
import email.parser
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from gradflow.installed import DISTRIBUTION, FILES_ARE_READ
from gradflow.version import VERSION
from tests.cli.command import ROOT, SAMPLES

NOT_IN_A_CHECKOUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", "__pycache__", "*.egg-info", "build", "dist", ".hypothesis"
)
STEM = f"{DISTRIBUTION.replace('-', '_')}-{VERSION}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds a wheel and an sdist: the wheel is built from the sdist."""
    pytest.importorskip("build", reason="build is not installed: pip install -e '.[test]'")
    source = tmp_path_factory.mktemp("source") / "gradflow"
    shutil.copytree(ROOT, source, ignore=NOT_IN_A_CHECKOUT)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "../dist", folder=source)
    return source.parent / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl")


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    return email.parser.Parser().parsestr(wheel.read(f"{STEM}.dist-info/METADATA").decode())


def run(*command: str | Path, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COLUMNS", "FORCE_COLOR", "COV_"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=plain,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    data = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gradflow").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }

    assert {name.split("/")[0] for name in names} == {"gradflow", f"{STEM}.dist-info"}
    assert {"gradflow/py.typed", "gradflow/ops/op_table.tsv"} <= data
    assert data <= names
    assert "gradflow/cli/main.py" in names
    assert not [name for name in names if name.startswith("gradflow/tables")], "not used in a run"
    assert f"{STEM}.dist-info/licenses/LICENSE" in names


def test_the_metadata_says_what_the_index_shows(metadata: email.message.Message) -> None:
    assert metadata["Name"] == DISTRIBUTION
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    links = dict(text.split(", ") for text in metadata.get_all("Project-URL", []))
    assert {"Source", "Issues", "Changelog"} <= set(links)
    assert not [text for text in metadata.get_all("Classifier", []) if text.startswith("License")]


def test_tensorflow_is_an_extra(metadata: email.message.Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    always = {item.name for item in requirements if "extra" not in str(item.marker)}

    assert "tensorflow" not in always
    assert [item.name for item in requirements if str(item.marker) == 'extra == "tf"'] == [
        "tensorflow"
    ]


def test_the_sdist_holds_what_the_first_command_of_the_readme_needs(built: Path) -> None:
    with tarfile.open(built / f"{STEM}.tar.gz") as archive:
        names = {name.removeprefix(f"{STEM}/") for name in archive.getnames()}
    samples = {
        path.relative_to(ROOT).as_posix()
        for path in SAMPLES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert samples <= names
    assert {"README.md", "LICENSE", "pyproject.toml", "gradflow/version.py"} <= names
    assert "gradflow/tables/op_table.py" in names
    assert {"tests/conftest.py", "tests/cli/command.py", ".ci/run", "action.yml"} <= names


@pytest.fixture(scope="module")
def lone(built: Path, metadata: email.message.Message, tmp_path_factory: pytest.TempPathFactory):
    """The bin folder of an environment with the wheel, what it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("lone")
    python = folder / "bin" / "python"
    # The pip of this environment, where it can install into another one, saves making one.
    is_able = importlib.util.find_spec("pip") is not None and int(pip_version()[0]) >= 23
    venv.create(folder, with_pip=not is_able)
    base = {"base": str(folder), "platbase": str(folder), "installed_base": str(folder)}
    site = Path(sysconfig.get_path("purelib", "posix_prefix", base))
    for distribution in required(metadata.get_all("Requires-Dist", [])):
        link_files(distribution, site)
    pip = [sys.executable if is_able else python, "-m", "pip", "--disable-pip-version-check"]
    pip += ["--python", python] if is_able else []
    wheel = built / f"{STEM}-py3-none-any.whl"
    # What no command below imports need not be compiled.
    flags = ("-q", "--no-index", "--no-deps", "--no-compile")
    run(*pip, "install", *flags, wheel, folder=folder)
    run(*pip, "check", folder=folder)  # all that the wheel requires is there
    return folder / "bin"


def pip_version() -> list[str]:
    return importlib.metadata.version("pip").split(".")


def required(texts: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions of this environment that ``texts`` require, and those that they require."""
    waiting, done = list(texts), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in done or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        done.add(name)
        distribution = importlib.metadata.distribution(name)
        waiting += distribution.requires or []
        yield distribution


def link_files(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """Link what a distribution installs: whole packages, with their byte code, else each file."""
    files = [file for file in distribution.files or [] if ".." not in file.parts]
    packages = {file.parts[0] for file in files if file.parts[1:] == ("__init__.py",)}
    entries = {file.parts[:1] if file.parts[0] in packages else file.parts for file in files}
    for parts in entries:
        target = site.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(distribution.locate_file("/".join(parts))))


def test_nothing_is_imported_from_a_checkout_or_from_tensorflow(lone: Path) -> None:
    found = "import gradflow, importlib.util as u; print(gradflow.__file__, u.find_spec('keras'), "
    done = run(
        lone / "python", "-c", f"{found} u.find_spec('tensorflow'))", folder=lone
    ).stdout.split()

    assert Path(done[0]).is_relative_to(lone.parent)
    assert done[1:] == ["None", "None"]


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        ("inspect --static argmax.keras argmax.h5 argmax_saved_model", 0, "(static)"),
        ("check --static argmax_saved_model", 1, "GF202"),
        ("why --static argmax_saved_model router/bias", 0, "smallest repair: 1 change"),
        ("scan argmax.keras argmax.h5 argmax_saved_model", 0, "argmax_saved_model: "),
        ("explain GF201", 0, "stop_gradient"),
        ("schema config", 0, '"$schema"'),
        ("diff --static finetune.keras finetune.h5", 0, "finetune.h5"),
    ],
)
def test_what_reads_only_works(lone: Path, command: str, code: int, output: str) -> None:
    done = run(lone / "gradflow", *command.split(), folder=SAMPLES, code=code)

    assert output in done.stdout
    assert "TensorFlow is not installed" not in done.stderr


def test_inspect_and_audit_read_and_say_so_once(lone: Path, tmp_path: Path) -> None:
    models = ["two_towers_saved_model", "argmax.keras"]
    inspected = run(lone / "gradflow", "inspect", "--format", "json", *models, folder=SAMPLES)
    (tmp_path / "gradflow.yaml").write_text(
        f"models: [{{path: {SAMPLES}/healthy_saved_model}}, {{path: {SAMPLES}/argmax.keras}}]\n"
    )
    audited = run(
        lone / "gradflow", "audit", "--no-cache", "gradflow.yaml", folder=tmp_path, code=1
    )

    report = json.loads(inspected.stdout)
    assert [model["mode"] for model in report["models"]] == ["static", "static"]
    assert report["tool"]["tensorflow"] is None
    assert f"gradflow: {FILES_ARE_READ}" in inspected.stderr.splitlines()
    assert inspected.stderr.count("TensorFlow is not installed") == 1
    assert audited.stderr.count(f"gradflow: {FILES_ARE_READ}\n") == 1
    assert "2 of 7 weights get no gradient" in audited.stdout


def test_check_ends_with_the_line_to_write(lone: Path) -> None:
    done = run(lone / "gradflow", "check", "healthy_saved_model", folder=SAMPLES, code=2)

    assert done.stdout == ""
    assert done.stderr == (
        "Error: TensorFlow is not installed, and check measures gradients: pip install "
        "'gradflow-tf[tf]'; or read the files only: gradflow check --static healthy_saved_model\n"
    )
