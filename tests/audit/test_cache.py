"""A result is used again exactly as long as nothing has changed that it depends on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.analysis.result import failed
from gradflow.audit import cache as module
from gradflow.audit.cache import Cache, Cleared, default_folder, key_of
from gradflow.errors import CrashedError, UnreadableError, UnsafeError
from gradflow.findings import Mode, Report, Tool
from gradflow.findings.wire import decode, encode
from gradflow.options import InputSpec, Objective, Options, Thresholds
from gradflow.process.parent import Outcome, inspect_path
from gradflow.process.sandbox.limits import size_of
from gradflow.progress import Progress
from gradflow.report.formats import FORMATS, renderer
from gradflow.report.layout import Layout
from tests.cli.command import CUT, SAMPLES, here
from tests.examples import examples

STATIC = Options(static=True)
OTHER = {
    "static": True,
    "entry": "other",
    "outputs": ("head",),
    "inputs": (InputSpec("x", "float32", (2, 3)),),
    "targets": (InputSpec("y", "float32", (2, 3)),),
    "sample_weights": (InputSpec("", "float32", (2,)),),
    "batch_size": 5,
    "seed": 1,
    "training": False,
    "objective": Objective.COMPILED,
    "probes": 4,
    "state": ("a",),
    "thresholds": Thresholds(1e-5),
    "why": "a",
    "map": True,
}
NOT_MEANT = {"timeout": 7.0, "memory_limit": 10**9, "verbose": True, "follow": True}


@pytest.fixture
def model(tmp_path: Path) -> str:
    shutil.copytree(SAMPLES / "argmax_saved_model", tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def name_of(path: str, options: Options) -> str | None:
    key = key_of(path, options)
    return key and key.name


def test_every_option_is_thought_of() -> None:
    assert {one.name for one in fields(Options)} == {*OTHER, *NOT_MEANT, "imports", "trust"}


@pytest.mark.parametrize("name", OTHER)
def test_another_option_is_another_result(name: str, model: str) -> None:
    assert name_of(model, replace(Options(), **{name: OTHER[name]})) != name_of(model, Options())


@pytest.mark.parametrize("name", NOT_MEANT)
def test_what_cannot_change_a_result_is_left_out(name: str, model: str) -> None:
    assert name_of(model, replace(Options(), **{name: NOT_MEANT[name]})) == name_of(
        model, Options()
    )


def test_each_file_counts(model: str) -> None:
    before = name_of(model, Options())
    for file in [path for path in Path(model).rglob("*") if path.is_file()]:
        content = file.read_bytes()
        file.write_bytes(content + b"x")
        assert name_of(model, Options()) != before
        file.write_bytes(content)
    assert name_of(model, Options()) == before
    (Path(model) / "more").write_text("")
    assert name_of(model, Options()) != before


def test_the_graph_file_stands_for_its_folder(model: str) -> None:
    graph = f"{model}/saved_model.pb"
    before = name_of(graph, Options())
    (Path(model) / "more").write_text("")

    assert before is not None
    assert name_of(graph, Options()) != before


def test_the_versions_count(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = name_of(model, Options())
    monkeypatch.setattr(module, "VERSION", "9.9.9")

    assert name_of(model, Options()) != before


def test_a_tensorflow_of_any_name_counts(
    model: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    before = name_of(model, Options())
    request.addfinalizer(module._libraries.cache_clear)
    keys = set()
    for identity in ("", "1.0.0", "/opt/vendor/tensorflow/__init__.py 1"):
        monkeypatch.setattr(module, "tensorflow_identity", lambda identity=identity: identity)
        module._libraries.cache_clear()
        keys.add(name_of(model, Options()))

    assert len(keys | {before}) == 4


@pytest.mark.parametrize("options", [Options(imports=("json",)), Options(trust=True)])
def test_what_runs_code_of_the_user_is_not_kept(options: Options, model: str) -> None:
    """It can depend on anything: on modules that the module imports, on files that it reads."""
    assert key_of(model, options) is None


def test_another_program_is_another_result(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two releases the version is the same."""
    before = name_of(model, Options())
    monkeypatch.setattr(module, "_own_files", lambda: "changed")

    assert name_of(model, Options()) != before


@pytest.mark.parametrize(
    ("variable", "counts"),
    [
        ("TF_USE_LEGACY_KERAS", True),
        ("CUDA_VISIBLE_DEVICES", True),
        ("TF_CPP_MIN_LOG_LEVEL", False),
        ("COLUMNS", False),
    ],
)
def test_what_libraries_read_of_the_environment_counts(
    variable: str, counts: bool, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = name_of(model, Options())
    monkeypatch.setenv(variable, "7")

    assert (name_of(model, Options()) != before) is counts


def test_what_is_no_model_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"x" * 100)

    assert key_of(str(tmp_path / "film.mp4"), Options()) is None
    assert key_of(str(tmp_path), Options()) is None


def test_the_given_inputs_count(model: str, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    file.write_bytes(b"1")
    options = Options(inputs=(InputSpec("x", file=str(file)),))
    before = name_of(model, options)
    file.write_bytes(b"2")

    assert name_of(model, options) != before


def counting(calls: list[str]) -> object:
    def inspect(path: str, options: Options, progress: Progress) -> Outcome:
        calls.append(path)
        return inspect_path(path, options, progress)

    return inspect


def test_a_second_run_asks_nobody(model: str, cache: Cache) -> None:
    calls: list[str] = []
    inspect = cache.through(counting(calls))

    first, second = (inspect(model, STATIC, lambda _: None) for _ in range(2))

    assert calls == [model]
    assert first == second


def test_a_changed_model_is_asked_again(model: str, cache: Cache) -> None:
    calls: list[str] = []
    inspect = cache.through(counting(calls))
    inspect(model, STATIC, lambda _: None)
    (Path(model) / "assets.extra").write_text("x")
    inspect(model, STATIC, lambda _: None)

    assert len(calls) == 2


@pytest.mark.parametrize(
    ("error", "kept"),
    [(CrashedError("m: x"), False), (UnreadableError("m: x"), False), (UnsafeError("m: x"), True)],
)
def test_what_depends_on_this_machine_is_not_kept(
    error: Exception, kept: bool, model: str, cache: Cache
) -> None:
    calls: list[str] = []

    def inspect(path: str, options: Options, progress: Progress) -> Outcome:
        calls.append(path)
        return Outcome(failed(path, error, Mode.TAPE), Tool("gradflow", "0", None, None))

    for _ in range(2):
        cache.through(inspect)(model, Options(), lambda _: None)

    assert len(calls) == (1 if kept else 2)


def test_a_result_of_a_file_that_changed_meanwhile_is_not_kept(model: str, cache: Cache) -> None:
    def inspect(path: str, options: Options, progress: Progress) -> Outcome:
        outcome = inspect_path(path, options, progress)
        (Path(path) / "late").write_text("x")
        return outcome

    cache.through(inspect)(model, STATIC, lambda _: None)

    assert list(cache.folder.rglob("*.json")) == []


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"form": "other"}', b'{"form": "gradflow-result-1", "outcome": {}}'],
)
def test_a_damaged_result_is_made_anew(damage: bytes, model: str, cache: Cache) -> None:
    calls: list[str] = []
    inspect = cache.through(counting(calls))
    first = inspect(model, STATIC, lambda _: None)
    for file in cache.folder.rglob("*.json"):
        file.write_bytes(damage)

    assert inspect(model, STATIC, lambda _: None) == first
    assert len(calls) == 2


def test_many_at_once_leave_whole_results(model: str, cache: Cache) -> None:
    key = name_of(model, STATIC)
    outcome = inspect_path(model, STATIC)
    assert key is not None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.write(key, outcome), range(100)))
        assert set(pool.map(lambda _: cache.read(key) == outcome, range(20))) == {True}

    names = {path.name for path in cache.folder.rglob("*") if path.is_file()}
    assert names == {f"{key}.json", "CACHEDIR.TAG"}


def test_a_folder_that_cannot_be_written_does_without(model: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")

    assert cache.through(counting([]))(model, STATIC, lambda _: None) == inspect_path(model, STATIC)
    assert cache.clear() == Cleared(0, ())


def test_it_is_cleared(model: str, cache: Cache) -> None:
    cache.through(counting([]))(model, STATIC, lambda _: None)
    (next(cache.folder.glob("??")) / ".killed.part").write_text("")  # of a run that was killed

    assert cache.clear() == Cleared(1, ())
    assert not cache.folder.exists()


def test_what_is_not_its_own_stays_and_is_named(model: str, cache: Cache, tmp_path: Path) -> None:
    cache.through(counting([]))(model, STATIC, lambda _: None)
    (result,) = cache.folder.glob("??/*.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(result, elsewhere)
    foreign = {
        "notes.txt": "mine",
        "ab/notes.json": "mine",
        f"{result.parent.name}/{'0' * 64}.json": '{"form": "another"}',
        "thesis/chapter": "mine",
    }
    for name, content in foreign.items():
        (cache.folder / name).parent.mkdir(exist_ok=True)
        (cache.folder / name).write_text(content)
    link = next(name for name in ("00", "01") if name != result.parent.name)
    (cache.folder / link).symlink_to(elsewhere)

    cleared = cache.clear()

    assert cleared.results == 1
    assert set(cleared.others) == {*foreign, "thesis", link} - {"thesis/chapter"}
    assert {name: (cache.folder / name).read_text() for name in foreign} == foreign
    assert (elsewhere / result.name).exists()
    assert not result.exists()


def test_a_folder_without_the_marker_is_left_as_it_is(model: str, cache: Cache) -> None:
    """As where GRADFLOW_CACHE_DIR names a folder that holds anything."""
    cache.through(counting([]))(model, STATIC, lambda _: None)
    (cache.folder / "CACHEDIR.TAG").unlink()
    before = sorted(cache.folder.rglob("*"))

    assert cache.clear().results == 0
    assert sorted(cache.folder.rglob("*")) == before


def test_the_command_names_what_it_left(model: str, cache: Cache) -> None:
    cache.through(counting([]))(model, STATIC, lambda _: None)
    (cache.folder / "notes.txt").write_text("mine")

    done = here("cache", "clear", GRADFLOW_CACHE_DIR=str(cache.folder))

    left = f"1 result removed; not gradflow's, and left in {cache.folder}: notes.txt\n"
    assert (done.code, done.stdout) == (0, left)


def test_what_lies_in_a_cache_folder_of_python_counts(model: str, tmp_path: Path) -> None:
    """A model can lie anywhere."""
    below = tmp_path / "__pycache__" / "model"
    shutil.copytree(model, below)
    before = name_of(str(below), Options())
    (below / "more").write_text("")

    assert name_of(str(below), Options()) != before


@settings(max_examples=examples(100))
@given(damage=st.data())
def test_a_damaged_result_is_a_miss_or_of_the_right_form(
    outcomes: tuple[Path, Outcome], damage: st.DataObject
) -> None:
    folder, outcome = outcomes
    cache = Cache(folder)
    cache.write("a" * 64, outcome)
    path = folder / "aa" / f"{'a' * 64}.json"
    stored = json.loads(path.read_text())
    _damage(stored, damage)
    path.write_text(json.dumps(stored))

    result = cache.read("a" * 64)

    if result is not None:  # another text or number of the same type, or a default was left out
        assert decode(Outcome, encode(result)) == result
        for format in FORMATS:
            renderer(format)(Report(result.tool, (result.model,)), Layout(width=80))


def _damage(value: Any, data: st.DataObject) -> None:
    """Replace or take out one entry, anywhere in ``value``."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        is_inside = isinstance(value[key], dict | list) and value[key]
        if not is_inside or data.draw(st.integers(0, 9)) == 0:
            if data.draw(st.booleans()):
                del value[key]
            else:
                value[key] = data.draw(
                    st.sampled_from([None, True, -1, 2.5, "", "x", [], [None], {}, {"a": 1}])
                )
            return
        value = value[key]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A folder, and the result of a model with a cut."""
    return tmp_path_factory.mktemp("cache"), inspect_path(CUT, STATIC)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", "/somewhere")

    assert default_folder() == Path("/somewhere")


def test_a_user_without_a_home_does_without(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("GRADFLOW_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)

    assert here("inspect", "--static", model).code == 0
    for command in ("folder", "clear"):
        assert "set GRADFLOW_CACHE_DIR" in here("cache", command).failed_in_one_line()


def test_a_very_deep_folder_has_a_key(tmp_path: Path) -> None:
    """A walk that calls itself for each folder ends the audit at a thousand of them."""
    model = tmp_path / "model"
    shutil.copytree(SAMPLES / "healthy_saved_model", model)
    at = os.open(model, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("a", dir_fd=at)
        inner = os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)

    assert key_of(str(model), Options()) is not None
    subprocess.run(["rm", "-rf", str(model)], check=True)  # which shutil cannot


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="needs files with holes")
def test_a_sparse_file_is_read_where_it_holds_something(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    keys = []
    for content in (b"", b"a", b"b"):
        with path.open("wb") as file:
            file.write(b"\x89HDF\r\n\x1a\n")
            file.truncate(1 << 40)  # hours to read
            file.seek(1 << 39)
            file.write(content)
        key = key_of(str(path), Options())
        assert key is not None
        keys.append(key.name)

    assert len(set(keys)) == 3
    assert size_of(path) < 1 << 24
