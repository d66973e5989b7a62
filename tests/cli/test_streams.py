"""A standard stream that is closed or full ends in one line and an exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.command import CUT, Done, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="redirects as a POSIX shell does")
TOOL = "from gradflow.cli import main; main(prog_name='gradflow')"
STATIC = ["inspect", "--static", CUT]


def redirected(redirection: str, *arguments: str) -> Done:
    """Run ``gradflow`` as ``gradflow ARGUMENTS REDIRECTION`` does."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirection}', sys.executable, "-c", TOOL, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "redirection", "reason"),
    [
        (STATIC, ">&-", "Bad file descriptor"),
        (["--help"], ">&-", "Bad file descriptor"),
        pytest.param(
            ["rules"],
            ">/dev/full",
            "No space left on device",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is of Linux"),
        ),
    ],
)
def test_stdout_that_takes_nothing_is_an_error(
    arguments: list[str], redirection: str, reason: str
) -> None:
    line = redirected(redirection, *arguments).failed_in_one_line()

    assert line == f"Error: stdout: cannot be written: {reason}"


def test_closed_stderr_and_stdin_change_nothing() -> None:
    done = redirected("2>&- <&-", *STATIC)

    assert done.code == 0
    assert done.stdout.startswith(f"{CUT}: 4 of 8 weights get no gradient")


def test_what_is_opened_next_is_not_taken_for_stdout() -> None:
    """A model would get the number of the stream that is closed, and the report with it."""
    done = redirected(">&- 2>&-", "check", "--static", CUT)

    assert (done.code, done.stdout, done.stderr) == (2, "", "")
