"""Model files whose names a terminal, a browser or a CI system would obey, end to end: nothing of
them is shown raw."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from markdown_it import MarkdownIt

from gradflow.files.saved_model.schema import message
from gradflow.report.formats import FORMATS
from tests.cli.command import SAMPLES, here
from tests.report.reports import HOSTILE

pytestmark = pytest.mark.usefixtures("kept_results")

TOKENS = ("encoder", "router", "experts", "features")
"""Parts of the names in the sample model: layers, variables, ops, inputs."""
COLORS = re.compile(r"\x1b\[[0-9;]*m")
OURS = re.compile(r"</?(details|summary|code)>|<!-- -->")
"""The HTML that a Markdown report is made of."""
Names = tuple[str, ...]
"""What stands before each of the ``TOKENS``."""


def four(texts: Iterable[str]) -> list[Names]:
    """The texts in groups, each of one model."""
    kept = [text for text in texts if text]
    return [
        tuple((kept * 2)[place : place + len(TOKENS)]) for place in range(0, len(kept), len(TOKENS))
    ]


NAMES = four(HOSTILE)
TEXTS = four(name for name in HOSTILE if "\udcff" not in name)
"""What protobuf and an archive take as names."""
PLAIN = four(name for name in HOSTILE if "/" not in name and "\0" not in name and name.isascii())
"""What HDF5 takes as the name of a group."""
WORST = ("::error::x\n::error::y", "\r\x1b[2J\u202e", "##[add-mask]<script>", "`|[i](x) @octocat")
"""All of it in one model."""
SUITE = ("testsuites", "testsuite", "testcase", "error", "failure", "skipped", "system-out")


def renamed(text: str, names: Names) -> str:
    for token, name in zip(TOKENS, names, strict=True):
        text = text.replace(token, f"{name}{token}")
    return text


def edited(value: Any, names: Names) -> Any:
    """``value`` of a JSON text, with other names."""
    if isinstance(value, dict):
        return {renamed(key, names): edited(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [edited(one, names) for one in value]
    return renamed(value, names) if isinstance(value, str) else value


def saved_model(folder: Path, names: Names) -> Path:
    saved = message("SavedModel")()
    saved.ParseFromString((SAMPLES / "argmax_saved_model" / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        _rename(graph.object_graph_def, names)
        # A colon in the name of an op ends it.
        _rename(graph, tuple(name.replace(":", "") for name in names))
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def _rename(value: Any, names: Names) -> None:
    for field, one in value.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in list(one):
                if hasattr(one[key], "ListFields"):
                    _rename(one[key], names)
                    if isinstance(key, str) and renamed(key, names) != key:
                        one[renamed(key, names)].CopyFrom(one[key])
                        del one[key]
        elif field.type == field.TYPE_MESSAGE:
            for inner in one if _is_list(one) else [one]:
                _rename(inner, names)
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES) and _is_list(one):
            one[:] = [_renamed(text, names) for text in one]
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            setattr(value, field.name, _renamed(one, names))


def _is_list(value: Any) -> bool:
    return hasattr(value, "extend")


def _renamed(text: Any, names: Names) -> Any:
    if isinstance(text, str):
        return renamed(text, names)
    try:
        return renamed(text.decode(), names).encode()
    except UnicodeDecodeError:
        return text


def keras(folder: Path, names: Names, class_name: str = "") -> Path:
    folder.mkdir()
    path = folder / "model.keras"
    with zipfile.ZipFile(SAMPLES / "argmax.keras") as sample, zipfile.ZipFile(path, "w") as written:
        for name in sample.namelist():
            data = sample.read(name)
            if name == "config.json":
                config = edited(json.loads(data), names)
                if class_name:
                    config["config"]["layers"][1] |= {
                        "class_name": class_name,
                        "registered_name": class_name,
                    }
                data = json.dumps(config).encode()
            written.writestr(name, data)
    return path


def foreign(folder: Path, names: Names) -> Path:
    """One of its layers is of a class that nobody knows."""
    return keras(folder, names, f"{names[0]}Layer")


def lambdas(folder: Path, names: Names) -> Path:
    """The scan refuses it."""
    path = keras(folder, names)
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as sample, zipfile.ZipFile(path, "w") as written:
        for name in sample.namelist():
            text = sample.read(name)
            if name == "config.json":
                config = json.loads(text)
                code = {
                    "class_name": "__lambda__",
                    "config": {"code": "4w==", "defaults": None, "closure": None},
                }
                config["config"]["layers"][1] |= {"class_name": "Lambda", "registered_name": None}
                config["config"]["layers"][1]["config"] |= {"function": code}
                config["config"]["layers"][2] |= {"module": names[0], "class_name": names[1]}
                text = json.dumps(config).encode()
            written.writestr(name, text)
        written.writestr(f"assets/{''.join(names)}/../x", b"")
    return path


def h5(folder: Path, names: Names) -> Path:
    import h5py

    folder.mkdir()
    path = folder / "model.h5"
    path.write_bytes((SAMPLES / "argmax.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(
            edited(json.loads(file.attrs["model_config"]), names)
        )
        found: list[Any] = []
        file.visititems(lambda _, one: found.append(one))
        for one in (file, *found):
            for attribute in ("layer_names", "weight_names"):
                if attribute in one.attrs:
                    one.attrs[attribute] = [
                        renamed(_text(text), names) for text in one.attrs[attribute]
                    ]
        for depth in range(4):
            places: list[str] = []
            file.visit(places.append)
            for name in places:
                parts = name.split("/")
                if len(parts) == depth + 1 and renamed(parts[-1], names) != parts[-1]:
                    file.move(name, "/".join([*parts[:-1], renamed(parts[-1], names)]))
    return path


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


MADE: Mapping[str, tuple[Callable[[Path, Names], Path], list[Names]]] = {
    "saved_model": (saved_model, TEXTS),
    "keras": (keras, NAMES),
    "foreign": (foreign, NAMES),
    "lambdas": (lambdas, TEXTS),
    "h5": (h5, PLAIN),
}


@pytest.fixture(scope="module", params=MADE)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Models with every hostile name that the format takes."""
    make, names = MADE[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return [str(make(folder / str(place), those)) for place, those in enumerate(names)]


def harmless(text: str, format: str = "text") -> None:
    """Nothing in it that a terminal, a browser or a CI system obeys."""
    unprintable = {letter for letter in text if not letter.isprintable()} - {"\n"}
    assert not unprintable
    assert "##[" not in text
    commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    if format == "github":
        assert all(re.match(r"::(error|warning|notice) file=[^:]*::", line) for line in commands)
    else:
        assert commands == []
    if format == "markdown":
        for block in MarkdownIt("commonmark").enable("table").parse(text):
            for part in (block, *(block.children or ())):
                assert part.type not in ("link_open", "image")
                assert not part.type.startswith("html_") or "<" not in OURS.sub("", part.content)
                assert (
                    part.type != "text" or re.search(r"@\w|www\.\w|https?://", part.content) is None
                )
    if format == "junit":
        assert {one.tag for one in ET.fromstring(text).iter()} <= {*SUITE}


@pytest.fixture(scope="module")
def shown(
    models: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], str]:
    """What each command writes in each format, and its stderr."""
    found = {}
    for command, options in {"inspect": ["--static"], "scan": [], "check": ["--static"]}.items():
        folder = tmp_path_factory.mktemp(command)
        targets = [
            part for format in FORMATS for part in ("--report", f"{format}={folder / format}")
        ]
        done = here(command, *options, *models, *targets, "--format", "json")
        colored = here(command, *options, *models, "--all", FORCE_COLOR="1")
        assert done.code in (0, 1, 2)
        found |= {
            (command, format): (folder / format).read_text(encoding="utf-8") for format in FORMATS
        }
        found[command, "stderr"] = done.stderr
        assert "\x1b" in colored.stdout
        found[command, "color"] = COLORS.sub("", colored.stdout)
    return found


@pytest.mark.parametrize("command", ["inspect", "scan", "check"])
@pytest.mark.parametrize("format", [*FORMATS, "color", "stderr"])
def test_nothing_of_a_file_is_obeyed(
    format: str, command: str, shown: dict[tuple[str, str], str]
) -> None:
    harmless(shown[command, format], format)


def test_the_reports_are_what_they_should_be(
    models: list[str], shown: dict[tuple[str, str], str]
) -> None:
    """No name breaks out of its format, and the names are there."""
    report = json.loads(shown["inspect", "json"])
    assert [one["path"] for one in report["models"]] == models
    names = [variable["name"] for one in report["models"] for variable in one["variables"]]
    assert any(not name.isprintable() for name in names)
    json.loads(shown["inspect", "sarif"])
    assert len(ET.fromstring(shown["inspect", "junit"])) == len(models)


@pytest.mark.parametrize("kind", MADE)
def test_the_other_commands_show_nothing_raw(kind: str, tmp_path: Path) -> None:
    make, _ = MADE[kind]
    names = tuple(name.replace("/", "") for name in WORST)
    model, sample = str(make(tmp_path / "m", names)), str(SAMPLES / "argmax.keras")
    configuration, baseline = tmp_path / "gradflow.yaml", tmp_path / "baseline.json"
    commands = [
        *(("why", model, "bias", "--format", format) for format in ("text", "json")),
        *(("diff", model, sample, "--format", format) for format in ("text", "json")),
        ("inspect", model, "--entry", "list"),
        ("inspect", model, "--entry", "nowhere"),
        ("inspect", model, "--output", "nowhere"),
        ("inspect", model, "-v"),
        ("init", model, "-o", str(configuration)),
        ("baseline", model, "-o", str(baseline)),
    ]

    done = [here(command, "--static", *rest) for command, *rest in commands]

    for one in done:
        assert one.code in (0, 1, 2)
        harmless(one.stdout)
        harmless(one.stderr)
    for file in (configuration, baseline):
        if file.exists():
            harmless(file.read_text(encoding="utf-8"))
            yaml.safe_load(file.read_text(encoding="utf-8"))
    if kind in ("saved_model", "keras", "foreign"):
        assert configuration.exists()
        assert here("check", "--static", model, "-c", str(configuration), "-q").code != 1
