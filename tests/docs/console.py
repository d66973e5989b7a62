"""Find the console examples of the Markdown pages and run them.

``python -m tests.docs.console [PAGE...]`` writes what the commands print today into the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import environment, here

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_GRADFLOW = "from gradflow.cli import main; main(prog_name='gradflow')"
_WITHOUT_TENSORFLOW = re.compile(
    r" --(static|help|version|entry list)\b|/variables"
    r"|gradflow (explain|rules|scan|schema|cache)\b"
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block and the output that the page shows for it."""

    line: str
    output: str

    @property
    def is_run(self) -> bool:
        """Whether a test can run it: ``model/`` stands for the reader's own model."""
        return self.line == "echo $?" or (
            self.line.startswith("gradflow ") and "model/" not in self.line.split()
        )

    @property
    def needs_tensorflow(self) -> bool:
        return self.is_run and self.line != "echo $?" and not _WITHOUT_TENSORFLOW.search(self.line)


def sessions(page: str) -> list[list[Command]]:
    """The commands of each console block: one block is one session in one folder."""
    return [list(_commands(block["body"])) for block in _BLOCK.finditer(page)]


def run_session(commands: list[Command], folder: Path) -> list[Command]:
    """Run the commands in ``folder``; the same commands with what they printed.

    Where one ends with another exit code than 0, ``echo $?`` is put behind it.
    """
    printed: list[Command] = []
    for command in commands:
        if command.line == "echo $?":
            continue
        output, code = run(command.line, folder) if command.is_run else (command.output, 0)
        printed.append(Command(command.line, output))
        if code:
            printed.append(Command("echo $?", f"{code}\n"))
    return printed


def run(line: str, folder: Path = ROOT) -> tuple[str, int]:
    """Run ``gradflow ...`` in ``folder``; stdout and the exit code.

    A plain command runs in this process, which saves the start of Python; one with a pipe or the
    like runs in a shell.
    """
    words = shlex.split(line)
    if words[0] == "gradflow" and not set(line) & set("|$;<>"):
        with _working_directory(folder):
            result = here(*words[1:])
        return result.stdout, result.code
    tool = f'"{sys.executable}" -c "{_GRADFLOW}"'
    shell_line = re.sub(r"(^|\| )gradflow ", lambda match: f"{match[1]}{tool} ", line)
    shell_line = shell_line.replace("| python3 ", f'| "{sys.executable}" ')
    finished = subprocess.run(
        shell_line,
        shell=True,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    return finished.stdout, finished.returncode


@contextmanager
def project() -> Iterator[Path]:
    """A folder with the sample models and the configurations that the pages speak of."""
    with tempfile.TemporaryDirectory() as name:
        for folder in ("sample_models", "configs"):
            shutil.copytree(ROOT / folder, Path(name) / folder)
        yield Path(name)


@contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _commands(body: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def _rewritten(page: str) -> str:
    """The page with every output replaced by the real one."""

    def block(match: re.Match[str]) -> str:
        with project() as folder:
            printed = run_session(list(_commands(match["body"])), folder)
        body = "".join(f"$ {command.line}\n{command.output}" for command in printed)
        return f"```console\n{body}```"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    for page in [Path(name) for name in sys.argv[1:]] or PAGES:
        page.write_text(_rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
