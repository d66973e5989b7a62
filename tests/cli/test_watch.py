"""``--watch`` answers once for each change of a file, when it is whole."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from gradflow.cli.watch import Stamps, answers, stamps_of
from tests.cli.command import SAMPLES, environment, here, process


def stamps(number: int) -> Stamps:
    return frozenset({("m", number, 0, 0)})


def played(looks: list[int], answer: Callable[[], str], count: int) -> tuple[list[str], float]:
    """The first answers where the files look so, one look after the other, and the time waited."""
    waited: list[float] = []
    left = iter(looks)
    answered = answers(
        lambda: stamps(next(left)), answer, lambda text: text == "half", waited.append
    )
    return list(islice(answered, count)), sum(waited)


def test_it_answers_at_once_and_after_each_change() -> None:
    texts = iter("abc")
    # Look, look after the answer; the same for a while; a change, quiet, and the answer.
    looks = [1, 1, 1, 1, 2, 2, 2, 2]

    told, waited = played(looks, lambda: next(texts), 2)

    assert told == ["a", "b"]
    assert waited == pytest.approx(0.4)


def test_a_file_that_is_being_written_is_waited_for() -> None:
    texts = iter("abc")
    looks = [1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4]

    assert played(looks, lambda: next(texts), 2)[0] == ["a", "b"]


def test_an_answer_about_a_file_that_has_changed_is_dropped() -> None:
    texts = iter("abc")

    assert played([1, 2, 2, 2], lambda: next(texts), 1)[0] == ["b"]


def test_half_of_a_file_is_told_only_where_nothing_more_comes() -> None:
    texts = iter(["half", "whole"])
    assert played([1, 1, 1, 1, 2, 2, 2, 2], lambda: next(texts), 1)[0] == ["whole"]

    told, waited = played([1] * 30, lambda: "half", 1)
    assert told == ["half"]
    assert waited == pytest.approx(2.0)


def test_what_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLES / "healthy_saved_model", "m")
    Path("nets.py").touch()
    for path, changed in [
        ("m", "m/variables/variables.index"),
        ("m/saved_model.pb", "m/variables/variables.index"),
        (".", "new.keras"),
        ("nets:make", "nets.py"),
        ("late.keras", "late.keras"),
    ]:
        before = stamps_of([path])
        Path(changed).write_bytes(b"x")
        assert stamps_of([path]) != before, path
        assert stamps_of([path]) == stamps_of([path])


def test_an_address_is_not_watched() -> None:
    line = here("inspect", "--watch", "gs://bucket/m.keras").failed_in_one_line()

    assert line == "Error: --watch: gs://bucket/m.keras is an address: give a file or a folder"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_new_answer_comes_from_the_warm_process(tmp_path: Path) -> None:
    model = tmp_path / "m.keras"
    shutil.copy(SAMPLES / "healthy.keras", model)
    arguments = ("inspect", "--watch", "--static", str(model), "--no-cache")
    with process(*arguments, env=environment(PYTHONUNBUFFERED="1", COLUMNS="400")) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        first = running.stdout.readline()
        assert "watching" in running.stderr.readline()
        shutil.copy(SAMPLES / "finetune.keras", tmp_path / "other")
        (tmp_path / "other").replace(model)
        begun = time.monotonic()
        assert "watching" in running.stderr.readline()
        taken = time.monotonic() - begun
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=20)

    assert running.returncode == 130
    assert first.startswith(f"{model}: ")
    assert "8 frozen" in rest
    assert taken < 20
