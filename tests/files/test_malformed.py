"""Of a damaged model one line is said, in gradflow's own words: what is damaged, where, and what to
do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gradflow.analysis.entries import list_entries
from gradflow.analysis.result import Analysis, failed
from gradflow.analysis.safety import scanned
from gradflow.analysis.static import read
from gradflow.errors import GradflowError
from gradflow.files.recognise import recognise
from gradflow.findings import EntryList, Failure, Mode, ModelReport
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path
from gradflow.report.text import render_model
from tests.cli.command import here, in_one_line, static
from tests.files.malformed import ALL, BIDI, ESCAPE, MARKUP, SAMPLES

TEXT = "the model configuration is not valid JSON"
CLASS = "the model configuration names no Keras class"
DEEP = "the model configuration is nested too deeply"
DAMAGED = "saved_model.pb is damaged, cut short or nested too deep"
ARCHIVE = "is a truncated or damaged .keras file"
CUT, HDF5 = "a truncated HDF5 file (it ends early)", "a damaged HDF5 file"

REFUSED = {
    "saved_model: pb empty": "saved_model.pb is empty (0 bytes)",
    "saved_model: pb cut": DAMAGED,
    "saved_model: pb cut by one byte": DAMAGED,
    "saved_model: pb of two bytes": "saved_model.pb holds no graph",
    "saved_model: pb as text": "saved_model.pb is a SavedModel in text form",
    "saved_model: pb of zeros": DAMAGED,
    "saved_model: pb is hdf5": "saved_model.pb is an HDF5 file, not a graph",
    "saved_model: pb is zip": "saved_model.pb is a zip archive, not a graph",
    "saved_model: pb is html": "saved_model.pb is an HTML page",
    "saved_model: pb is folder": "saved_model.pb is not a file",
    "saved_model: no graph": "saved_model.pb holds no graph",
    "saved_model: nested messages": DAMAGED,
    "saved_model: non utf-8": DAMAGED,
    "keras: empty": "is empty (0 bytes)",
    "keras: cut at half": ARCHIVE,
    "keras: cut in the directory": ARCHIVE,
    "keras: cut by one byte": ARCHIVE,
    "keras: cut at the head": ARCHIVE,
    "keras: is text": "is a text file",
    "keras: crc": "a damaged .keras file (config.json is not what its checksum says)",
    "keras: no config": "is a .keras file without its config.json",
    "keras: empty config": TEXT,
    "keras: empty weights": f"model.weights.h5: {HDF5}",
    "keras: weights cut": f"model.weights.h5: {CUT}",
    "keras: weights are text": f"model.weights.h5: {HDF5}",
    "keras: config is no json": TEXT,
    "keras: config is not utf-8": TEXT,
    "keras: config of digits": TEXT,
    "keras: deep json": DEEP,
    "keras: deep objects": DEEP,
    "h5: empty": "is empty (0 bytes)",
    "h5: signature": HDF5,
    "h5: superblock": CUT,
    "h5: cut at half": CUT,
    "h5: cut by one byte": CUT,
    "h5: zeros": "is no Keras file: neither a zip archive nor HDF5",
    "h5: zeros after the signature": HDF5,
    "h5: version of the superblock": HDF5,
    "h5: saved model as h5": "is the graph of a SavedModel under another name",
    "h5: folder": "is an empty folder",
    "h5: no config": "holds weights only, no architecture",
    "h5: config empty": TEXT,
    "h5: config no json": TEXT,
    "h5: config of bytes": TEXT,
}
"""Damage that every way of looking into a file meets."""

INSIDE = {
    "saved_model: no nodes": "the graph refers to something that it does not have ('Identity')",
    "saved_model: object that is not there": "saved_model.pb refers to something that it does not "
    "have",
    "keras: no weights": "this .keras file holds no weights",
    "keras: config is a list": CLASS,
    "keras: config is a number": CLASS,
    "keras: config is null": CLASS,
    "keras: config is utf-16": CLASS,
    "keras: no class": CLASS,
    "keras: no inner config": CLASS,
    "h5: no weights": "holds no weights",
    "h5: config is a number": "holds no model configuration",
    "h5: config is a list": CLASS,
    "h5: layer that is not there": "lists the layer 'no' and holds no weights of it",
    "h5: weights is a dataset": "holds no weights",
    "h5: weight that is not there": "lists the weight 'nowhere' and does not hold it",
    "h5: bidi weight": "lists the weight '\\u202egpj.exe' and does not hold it",
    "h5: escape weight": "lists the weight '\\x1b[31mred\\x1b]0;title\\x07' and does not hold it",
    "h5: weight not utf-8": HDF5,
}
"""Damage that is met by who reads the model: the scan tells of harm, and nothing of it runs."""

HARM = {
    "saved_model: function calls itself": "function 'again' (function 'again'): calls itself, "
    "without end",
    "saved_model: functions in a circle": "function 'a' (function 'c'): calls itself, without end",
    "saved_model: nested functions": "calls itself, without end",
    "keras: deep layers": "a configuration 500 levels deep (config.json)",
    "keras: units huge": "a weight of 1,099,511,627,776 numbers (layer 'head' of config.json)",
    "keras: deep groups": "groups 200 levels deep (model.weights.h5)",
    "keras: huge dataset": "that the file does not hold",
    "keras: member of a strange name": "is no part of a Keras model",
    "h5: deep groups": "groups 200 levels deep (the file)",
    "h5: huge dataset": "that the file does not hold",
}
"""What can be read, and is refused before it is loaded."""

VARIABLES = {
    "saved_model: index empty": "variables/variables.index is damaged",
    "saved_model: index cut": "variables/variables.index is damaged",
    "saved_model: index is text": "variables/variables.index is damaged",
    "saved_model: index bit": "variables/variables.index is damaged",
    "saved_model: data cut": "variables/variables.data-00000-of-00001 is cut short",
    "saved_model: data empty": "variables/variables.data-00000-of-00001 is cut short",
    "saved_model: data bit": "its variables are damaged",
}
"""Damage of the values alone, which reading the graph does not open."""

NOT_RUN = {
    "saved_model: no library": "it holds no function that can be called",
    "saved_model: function that is not there": "TensorFlow {} cannot load it: There is a cyclic "
    "dependency",
    "saved_model: structure": "TensorFlow {} cannot load it: No encoder for object",
    "saved_model: huge shape": "TensorFlow {} cannot load it: Shape [1099511627776,1099511627776] "
    "is too large",
    "saved_model: negative shape": "TensorFlow {} cannot load it: Shape [-7]",
    "saved_model: index missing": "some of the files of its variables are missing",
    "saved_model: data missing": "some of the files of its variables are missing",
    "saved_model: index is folder": "Is a directory",
    "saved_model: data is folder": "Is a directory",
    "keras: layers is a number": "Keras {} cannot load it",
    "keras: layers is null": "Keras {} cannot load it",
    "keras: markup name": "cannot contain character `/`",
    "keras: surrogate name": "surrogates not allowed",
    "keras: units negative": "invalid value for `units`",
    "keras: units text": "invalid value for `units`",
}
"""What is read all the same, with a warning that says why it was not run."""

LOADED = ("h5: layer names are numbers", "keras: weights of a strange name")
"""What Keras alone has words for."""

HARMLESS = {*ALL} - {*REFUSED, *INSIDE, *HARM, *VARIABLES, *NOT_RUN, *LOADED}


def test_each_kind_of_damage_is_held_to_something() -> None:
    named = [*REFUSED, *INSIDE, *HARM, *VARIABLES, *NOT_RUN, *LOADED, *HARMLESS]
    assert sorted(named) == sorted(ALL)
    assert len(HARMLESS) == 22


def plain(path: Path, error: Failure | None, words: str) -> None:
    """Check that the error is one line of plain text with the words that are wanted."""
    assert error is not None
    assert words in error.message
    assert error.hint
    assert (error.message + error.hint).isprintable()
    # The path is said once, by who shows the message.
    assert not error.message.startswith(str(path.parent))


def said(look: Callable[[], Analysis], path: Path) -> ModelReport:
    try:
        return look().report
    except GradflowError as error:
        return failed(str(path), error, Mode.STATIC)


def read_it(path: Path) -> ModelReport:
    return said(lambda: read(str(path), Options()), path)


def scan_it(path: Path) -> ModelReport:
    return said(lambda: scanned(recognise(path), str(path), Options()), path)


def list_it(path: Path) -> EntryList:
    return list_entries(str(path), Options())


@pytest.mark.parametrize("name", REFUSED)
def test_damage_is_one_line_of_its_own(name: str, tmp_path: Path) -> None:
    path = ALL[name](tmp_path)

    for look in (read_it, scan_it, list_it):
        plain(path, look(path).error, REFUSED[name])


@pytest.mark.parametrize("name", INSIDE)
def test_damage_inside_is_told_by_who_reads_it(name: str, tmp_path: Path) -> None:
    path = ALL[name](tmp_path)

    plain(path, read_it(path).error, INSIDE[name])


@pytest.mark.parametrize("name", HARM)
def test_what_would_take_everything_is_read_and_refused(name: str, tmp_path: Path) -> None:
    path = ALL[name](tmp_path)

    assert read_it(path).error is None
    assert list_it(path).error is None
    error = scan_it(path).error
    plain(path, error, HARM[name])
    assert error is not None
    assert error.code == "GF902"


@pytest.mark.parametrize("name", sorted(HARMLESS | NOT_RUN.keys()))
def test_harmless_damage_is_read_and_let_in(name: str, tmp_path: Path) -> None:
    path = ALL[name](tmp_path)
    report = read_it(path)

    assert (report.error, scan_it(path).error, list_it(path).error) == (None, None, None)
    text = render_model(report)
    assert text.replace("\n", "").isprintable()
    assert report.variables


@pytest.mark.parametrize(
    "name",
    [
        "saved_model: pb cut",
        "saved_model: object that is not there",
        "keras: crc",
        "h5: cut at half",
        "keras: no weights",
    ],
)
def test_every_command_says_it_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = REFUSED.get(name) or INSIDE[name]
    monkeypatch.chdir(tmp_path)
    path = str(ALL[name](tmp_path).relative_to(tmp_path))
    other = str(SAMPLES / "argmax.keras")

    differing = here("diff", "--static", other, path).stderr.splitlines()
    lines = [
        static(path).failed_in_one_line(),
        here("inspect", path, "--entry", "list").failed_in_one_line(),
        here("why", "--static", path, "kernel").failed_in_one_line(),
        *(line for line in differing if path in line.replace(other, "")),
        in_one_line(here("check", "--static", path).stdout),
    ]
    assert len(lines) == 5  # once from each
    for line in lines:
        assert f"{path}: could not be checked (GF901): " in line
        assert words in line


@pytest.mark.tensorflow
@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere each child is a new interpreter: minutes"
)
class TestWithTensorFlow:
    """What TensorFlow and Keras say of damage misleads: nothing of it is shown where gradflow knows
    better."""

    @pytest.mark.parametrize("name", [*INSIDE, *VARIABLES])
    def test_damage_is_one_line_of_its_own(
        self, name: str, tmp_path: Path, copies: ForkServers
    ) -> None:
        path = ALL[name](tmp_path)
        report = inspect_path(str(path), Options(timeout=60), spawn=copies).model

        words = "the model configuration is no text" if name == "h5: config is a number" else None
        plain(path, report.error, words or INSIDE.get(name) or VARIABLES[name])
        assert "cannot load it" not in render_model(report)

    @pytest.mark.parametrize("name", NOT_RUN)
    def test_what_cannot_be_loaded_is_read_and_says_so(
        self, name: str, tmp_path: Path, copies: ForkServers
    ) -> None:
        import keras
        import tensorflow as tf

        path = ALL[name](tmp_path)
        report = inspect_path(str(path), Options(timeout=60), spawn=copies).model

        version = tf.__version__ if name.startswith("saved_model") else keras.__version__
        assert report.error is None
        (warning,) = (one.message for one in report.findings if one.code == "GF901")
        assert NOT_RUN[name].format(version) in warning
        assert warning.isprintable()

    @pytest.mark.parametrize(
        "name", ["keras: is hdf5", "keras: is zip", "saved_model: schema 99", "keras: version 99"]
    )
    def test_what_is_harmless_is_run(self, name: str, tmp_path: Path, copies: ForkServers) -> None:
        report = inspect_path(str(ALL[name](tmp_path)), Options(timeout=60), spawn=copies).model

        assert report.error is None
        assert report.summary.flows > 0

    @pytest.mark.parametrize("name", [BIDI, ESCAPE, MARKUP])
    def test_a_strange_name_is_shown_escaped(
        self, name: str, tmp_path: Path, copies: ForkServers
    ) -> None:
        kind = {BIDI: "bidi", ESCAPE: "escape", MARKUP: "markup"}[name]
        path = ALL[f"saved_model: {kind} name"](tmp_path)
        text = render_model(inspect_path(str(path), Options(timeout=60), spawn=copies).model)

        assert text.replace("\n", "").isprintable()
        assert "\x1b" not in text
