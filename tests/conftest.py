"""Order and profiles shared by all tests."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from gradflow.audit import run
from gradflow.process import parent, spawn
from gradflow.process.fork_client import ForkServers
from tests.examples import examples

# Two processes of tests have two processors: more threads would only wait for each other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

settings.register_profile(
    "gradflow",
    max_examples=examples(40),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "random",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gradflow"))


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No result is kept: a test that asks twice wants two answers."""
    no_folder = tmp_path_factory.mktemp("cache") / "file"
    no_folder.touch()
    os.environ["GRADFLOW_CACHE_DIR"] = str(no_folder)


@pytest.fixture(scope="session")
def _results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def kept_results(_results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample is analysed once, as for a user who asks for its report in another form."""
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(_results))


@pytest.fixture(scope="session", autouse=True)
def copies() -> Iterator[ForkServers]:
    """Commands that run in this process start their children as copies of a warm one.

    A copy answers as a new interpreter does (tests/process/test_fork_client.py), seconds sooner.
    Tests that run ``gradflow`` in a process of its own have the interpreters that a user has.
    """
    with pytest.MonkeyPatch.context() as patch, _Servers() as copies:
        patch.setattr(parent, "interpreter", copies)
        patch.setattr(run, "fork_servers", lambda: _Shared(copies))
        yield copies


class _Servers(ForkServers):
    """Notes when TensorFlow is asked for."""

    has_asked = False

    def _current(self, with_tape: bool) -> Any:
        self.has_asked |= with_tape
        return super()._current(with_tape)


@pytest.fixture(autouse=True)
def _marked(request: pytest.FixtureRequest, copies: _Servers) -> Iterator[None]:
    """A test that has TensorFlow imported says so: those that do not are run alone, in seconds."""
    copies.has_asked = False
    yield
    if copies.has_asked and request.node.get_closest_marker("tensorflow") is None:
        pytest.fail("it runs a model: mark it with @pytest.mark.tensorflow", pytrace=False)


class _Shared:
    """What several models of one command are copied from: it outlives the command."""

    def __init__(self, copies: ForkServers) -> None:
        self._copies = copies

    def __call__(self, *arguments: Any) -> AbstractContextManager[Any]:
        return self._copies(*arguments)

    def __exit__(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        pass


@pytest.fixture
def new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process start their children as a user's command does."""
    monkeypatch.setattr(parent, "interpreter", spawn.interpreter)
    monkeypatch.setattr(run, "fork_servers", ForkServers)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the tests that need TensorFlow, it is not imported to collect them either."""
    if "not tensorflow" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return (
        True
        if re.search(r"^pytestmark = (\[\s+)?pytest\.mark\.tensorflow", text, re.MULTILINE)
        else None
    )


def pytest_sessionstart() -> None:
    """No garbage is collected while the tests, and TensorFlow with them, are imported."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what is imported out of the collector's rounds, of which Keras asks for many.

    It is 300,000 objects with TensorFlow: walking over them took half of the time of a small model.
    """
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Leave out what tests have made and is still alive, too: models are gone with their test, and
    what TensorFlow registers for good was a third of the time of all tests."""
    global _since_frozen
    _since_frozen += 1
    if nextitem is not None and _parameters(item) == _parameters(nextitem) is not None:
        return  # the two can share a model, and gradflow looks through what is not frozen
    if _since_frozen >= _OFTEN or nextitem is None:
        gc.collect()
        gc.freeze()
        _since_frozen = 0


def _parameters(item: pytest.Item) -> str | None:
    return item.callspec.id if hasattr(item, "callspec") else None


_OFTEN = 20
_since_frozen = 0
_LONGEST = (
    "test_functions.py",
    "test_objective.py",
    "test_keras_key.py",
    "test_why.py",
    "test_planted.py",
    "test_inputs.py",
    "test_programs.py",
    "test_fork_client.py",
    "test_hostile.py",
    "test_op_gradients.py",
    "test_flags.py",
    "test_answer_key.py",
    "test_raising.py",
    "test_keras_files.py",
    "test_output.py",
    "test_entries.py",
    "test_applications.py",
    "test_page.py",
    "test_fuzz.py",
    "test_distribution.py",
    "test_confine.py",
    "test_commands.py",
    "test_large_files.py",
)
"""Files that take longest, the longest first. They come first in their half, so that no process is
left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests without TensorFlow come first: they answer in seconds."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(
        key=lambda item: (
            item.get_closest_marker("tensorflow") is not None,
            places.get(item.path.name, len(places)),
        )
    )
