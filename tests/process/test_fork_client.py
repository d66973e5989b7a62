"""A copy of the process that has TensorFlow answers as a new interpreter does, and costs nobody but
itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from gradflow.findings import Status, Verdict
from gradflow.options import Options
from gradflow.process import fork_start
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import Outcome, inspect_path
from gradflow.process.spawn import interpreter
from tests.cli.command import SAMPLES

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each child is a new interpreter"),
]
MODELS = [str(SAMPLES / name) for name in ("healthy.keras", "argmax.h5", "two_towers_saved_model")]

CUT_EVERY_DENSE = """
import keras
whole = keras.layers.Dense.call
cut = lambda self, inputs, training=None: keras.ops.stop_gradient(whole(self, inputs, training))
keras.layers.Dense.call = cut
"""


@pytest.fixture(scope="module")
def copies() -> Iterator[ForkServers]:
    with ForkServers() as made:
        yield made


@pytest.fixture
def ask(copies: ForkServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Ask for a model after running ``code`` in its process."""
    monkeypatch.chdir(tmp_path)

    def asked(model: str, code: str = "", **options: object) -> Outcome:
        if code:
            (tmp_path / "strange.py").write_text(code)
        return inspect_path(
            model, replace(Options(imports=("strange",) if code else ()), **options), spawn=copies
        )

    yield asked


@cache
def by_an_interpreter(model: str) -> Outcome:
    return inspect_path(model, Options(), spawn=interpreter)


@pytest.mark.parametrize("model", MODELS)
def test_a_copy_answers_as_an_interpreter_does(model: str, ask) -> None:
    assert ask(model) == by_an_interpreter(model)


@pytest.mark.parametrize("model", MODELS)
def test_a_copy_reads_as_an_interpreter_does(model: str, ask) -> None:
    apart = inspect_path(model, Options(static=True), spawn=interpreter)

    assert ask(model, static=True) == apart


def test_many_at_once_answer_as_one_after_the_other(ask) -> None:
    wanted = [ask(model) for model in MODELS]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, MODELS * 4)) == wanted * 4


def test_what_one_model_changes_no_other_sees(ask) -> None:
    before = ask(MODELS[0])

    changed = ask(MODELS[0], CUT_EVERY_DENSE)

    assert {one.verdict for one in changed.model.variables if one.trainable} == {Verdict.NONE}
    assert ask(MODELS[0]) == before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import time; time.sleep(60)", "gave no answer in 4 s"),
        (
            "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; "
            "time.sleep(60)",
            "no answer in 4 s",
        ),
        ("import sys; sys.stdout.write('{}'); sys.stdout.flush(); 1 / 0", "ZeroDivisionError"),
        ("x = bytearray(40 * 1024**3)", "more memory"),
    ],
)
def test_a_death_costs_one_model(code: str, words: str, ask) -> None:
    died = ask(MODELS[0], code, timeout=4.0)

    assert died.model.error is not None
    assert words in died.model.error.message + died.model.error.hint
    assert ask(MODELS[0]).model.status is Status.ANALYZED


def test_nothing_is_left_behind(ask) -> None:
    ask(MODELS[0])
    waiting = list(map(children, servers()))

    ask(MODELS[0], "import time; time.sleep(60)", timeout=2.0)

    assert list(map(children, servers())) == waiting


def test_a_server_that_has_died_is_started_again(ask, copies: ForkServers) -> None:
    ask(MODELS[0])
    os.kill(server_of(copies), signal.SIGKILL)
    time.sleep(0.5)

    assert ask(MODELS[0]).model.status is Status.ANALYZED


def test_without_a_server_each_has_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_start, "_BOOT", "raise SystemExit(3)")
    with ForkServers() as made:
        inspected = inspect_path(MODELS[0], Options(), spawn=made)
    assert inspected == by_an_interpreter(MODELS[0])


def test_at_the_end_the_server_is_gone() -> None:
    with ForkServers() as made:
        inspect_path(MODELS[0], Options(static=True), spawn=made)
        server = server_of(made)
        assert Path(f"/proc/{server}").exists()

    assert not Path(f"/proc/{server}").exists()


def server_of(copies: ForkServers) -> int:
    """The newest child of this process that runs the server."""
    return max(servers(), key=started_at)


def servers() -> list[int]:
    return [
        child
        for child in children(os.getpid())
        if b".fork_server" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def started_at(process: int) -> int:
    """When the process was started, in clock ticks: process numbers begin again at the lowest."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sorted(int(one) for task in tasks for one in (task / "children").read_text().split())
