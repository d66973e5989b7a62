"""Arguments in, what ``gradflow`` printed and its exit code out."""

from __future__ import annotations

import os
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
_TOOL = "from gradflow.cli import main; main(prog_name='gradflow')"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished command."""

    code: int
    stdout: str
    stderr: str

    def failed_in_one_line(self) -> str:
        """Check that it failed as it should, exit code 2 and one line, and return the line."""
        lines = (self.stdout + self.stderr).splitlines()
        assert self.code == 2, self
        assert len(lines) == 1, self
        assert "Traceback" not in lines[0]
        return lines[0]


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
