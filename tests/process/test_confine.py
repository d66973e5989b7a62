"""A confined process changes nothing outside of its folder, reaches nobody and starts nothing; it
can still compute. So with every Landlock since the first, which is simulated."""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import sys
import tempfile

import pytest

from gradflow.process.sandbox import about
from gradflow.process.sandbox.about import ACTS, Means
from tests.cli.command import ROOT, environment, here
from tests.process.escapes import ESCAPES, NOT_EVERYWHERE

HERE = about.means_here()
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not HERE.landlock or not HERE.seccomp,
    reason="needs Landlock (Linux 5.13) and seccomp on x86-64 or arm64",
)
Kept = dict[str, str]
OLDER = [
    pytest.param(version, marks=() if version == 1 else pytest.mark.slow)
    for version in range(1, max(2, min(HERE.landlock, 6)))
]


@functools.cache
def outcome(version: int, *, seccomp: bool) -> tuple[Kept, Kept]:
    """What kept each escape and each piece of work from being done; empty where it was."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the address of a socket is short
        command = [sys.executable, "-m", "tests.process.escapes", folder, str(version)]
        done = subprocess.run(
            [*command, str(int(seccomp))],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    escapes, work = json.loads(done.stdout)
    return escapes, work


def done_in(kept: Kept) -> list[str]:
    return [name for name, words in kept.items() if not words]


def test_each_escape_works_without_a_jail() -> None:
    """Else the tests below could not fail."""
    kept, _ = outcome(0, seccomp=False)

    assert {name: kept[name] for name in kept if name not in NOT_EVERYWHERE and kept[name]} == {}


def test_no_escape_works() -> None:
    assert done_in(outcome(HERE.landlock, seccomp=True)[0]) == []


@pytest.mark.parametrize("version", OLDER)
def test_no_escape_works_with_an_older_landlock(version: int) -> None:
    assert done_in(outcome(version, seccomp=True)[0]) == []


@pytest.mark.parametrize("version", OLDER)
def test_what_computing_needs_goes_on(version: int) -> None:
    assert [kept for kept in outcome(version, seccomp=True)[1].items() if kept[1]] == []
    assert [kept for kept in outcome(HERE.landlock, seccomp=True)[1].items() if kept[1]] == []


@pytest.mark.parametrize(
    ("version", "seccomp"),
    [
        (0, True),
        (1, False),
        *(
            pytest.param(version, False, marks=pytest.mark.slow)
            for version in range(2, HERE.landlock + 1)
        ),
    ],
)
def test_what_each_kernel_gives_is_as_told(version: int, seccomp: bool) -> None:
    """What is called closed is, and what is called open was done."""
    kept, _ = outcome(version, seccomp=seccomp)
    means = Means(version, seccomp)

    for act in ACTS:
        names = [name for name in ESCAPES[act] if name not in NOT_EVERYWHERE]
        done = [name for name in names if not kept[name]]
        assert (act.words, done if act.closed_by(means) else bool(done)) == (
            act.words,
            [] if act.closed_by(means) else True,
        )


def test_each_kind_of_escape_is_tried() -> None:
    assert list(ESCAPES) == list(ACTS)


def test_what_this_machine_gives_is_told() -> None:
    told = here("scan", "--about-this-machine")

    assert told.code == 0
    assert f"Landlock: ABI {HERE.landlock} (Linux " in told.stdout
    assert platform.release() in told.stdout
    for act in ACTS:
        assert f"- {act.words} (" in told.stdout
