"""Call ``gradflow`` with some arguments, and keep what it printed and its exit code."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from gradflow.cli import main

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"
HEALTHY = str(SAMPLES / "healthy_saved_model")
CUT = str(SAMPLES / "two_towers_saved_model")
FROZEN = str(SAMPLES / "finetune_saved_model")
_TOOL = "from gradflow.__main__ import main; main(prog_name='gradflow')"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished command."""

    code: int
    stdout: str
    stderr: str

    def failed_in_one_line(self) -> str:
        """Check that it failed as it should, exit code 2 and one thing said; return that as a line.

        What a text report says of a model that could not be checked is a block: title, cause, fix.
        """
        lines = (self.stdout + self.stderr).splitlines()
        assert self.code == 2, self
        assert "Traceback" not in self.stdout + self.stderr
        if self.stderr or "could not be checked" not in " ".join(self.stdout.split()):
            assert len(lines) == 1, self
            return lines[0]
        assert all(line.startswith("  ") for line in lines[1:]), self
        assert sum(line.startswith("  fix: ") for line in lines) == 1, self
        return in_one_line(self.stdout)


def in_one_line(block: str) -> str:
    """Return what a block says of a model that could not be checked as stderr says it."""
    title, cause, fix = _unfolded(block).splitlines()
    cause = re.sub("^  (it (?=is|has|holds|lists|gave))?", "", cause)
    return f"{title}: {cause}; {fix.removeprefix('  fix: ')}"


def _unfolded(block: str) -> str:
    """Put the folded lines of a block together again: title, cause and fix are a line each."""
    title, *rest = block.splitlines()
    while rest and not title.endswith(")"):
        title += " " * (not title.endswith("/")) + rest.pop(0).strip()
    lines = [title]
    for line in rest:
        is_new = len(lines) == 1 or line.startswith("  fix: ")
        gap = " " * (not lines[-1].endswith("/"))
        lines = [*lines, line] if is_new else [*lines[:-1], lines[-1] + gap + line.strip()]
    return "\n".join(lines)


def here(*arguments: str, **environment: str) -> Done:
    """Run in this process; the child that has TensorFlow is a process of its own all the same."""
    plain = {"COLUMNS": None, "NO_COLOR": None, "FORCE_COLOR": None}
    result = CliRunner().invoke(
        main, list(arguments), prog_name="gradflow", env={**plain, **environment}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def inspect(*arguments: str, **environment: str) -> Done:
    return here("inspect", *arguments, **environment)


def static(*arguments: str, **environment: str) -> Done:
    return here("inspect", "--static", *arguments, **environment)


def process(*arguments: str, code: str = _TOOL, **options: object) -> subprocess.Popen[str]:
    """Start a process of its own; ``code`` is what it runs."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **options}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], encoding="utf-8", **given)  # type: ignore[call-overload]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with nothing in it that colors or wraps."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **more}


def apart(*arguments: str, code: str = _TOOL, **options: object) -> Done:
    """Run in a process of its own, to its end."""
    with process(*arguments, code=code, **options) as running:
        out, err = running.communicate(timeout=120)
        return Done(running.returncode, out or "", err or "")


def on_a_terminal(*arguments: str, **more: str) -> Done:
    """Run in a process of its own, which has a terminal of 100 columns as stderr."""
    ours, its = os.openpty()
    with process(
        *arguments, stderr=its, env=environment(COLUMNS="100", TERM="xterm", **more)
    ) as running:
        os.close(its)
        parts: list[bytes] = []
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal as an error
            while part := os.read(ours, 4096):
                parts.append(part)
        stdout, _ = running.communicate(timeout=60)
    os.close(ours)
    return Done(running.returncode, stdout, b"".join(parts).decode())
