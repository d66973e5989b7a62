"""A Markdown page in, its console examples out; run as a script, it writes the real outputs into
README.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"

_BLOCK = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_GRADFLOW = "from gradflow.cli import main; main(prog_name='gradflow')"
_WITHOUT_TENSORFLOW = (
    "--static",
    "--help",
    "--version",
    "/variables",
    "gradflow explain",
    "gradflow rules",
)


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a console block and the output that the page shows for it."""

    command: str
    output: str

    @property
    def is_run(self) -> bool:
        """Whether a test can run it: set-up lines install packages, ``model/`` stands for the
        reader's own."""
        return self.command.startswith("gradflow ") and "model/" not in self.command.split()

    @property
    def needs_tensorflow(self) -> bool:
        return self.is_run and not any(word in self.command for word in _WITHOUT_TENSORFLOW)


def examples(page: str) -> list[Example]:
    """The commands of all console blocks, in order."""
    return [example for block in _BLOCK.finditer(page) for example in _examples(block["body"])]


def run(command: str) -> tuple[str, int]:
    """Run ``gradflow ...`` in the root of the checkout; stdout and the exit code."""
    tool = f'"{sys.executable}" -c "{_GRADFLOW}"'
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")
    }
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    line = re.sub(r"(^|\| )gradflow ", lambda match: f"{match[1]}{tool} ", command)
    line = line.replace("| python3 ", f'| "{sys.executable}" ')
    done = subprocess.run(
        line,
        shell=True,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    return done.stdout, done.returncode


def _examples(body: str) -> Iterator[Example]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Example(command, output)


def _written(page: str) -> str:
    """The page with every output replaced by the real one."""

    def block(match: re.Match[str]) -> str:
        lines, code = [], 0
        for example in _examples(match["body"]):
            output = example.output
            if example.is_run:
                output, code = run(example.command)
            elif example.command == "echo $?":
                output = f"{code}\n"
            lines.append(f"$ {example.command}\n{output}")
        return f"```console\n{''.join(lines)}```"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    README.write_text(_written(README.read_text(encoding="utf-8")), encoding="utf-8")
