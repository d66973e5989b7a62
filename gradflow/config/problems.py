"""What is wrong with a configuration: every problem of a file at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gradflow.errors import GradflowError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend."""

    line: int
    """From 1."""
    message: str


class ConfigError(GradflowError):
    """A configuration that cannot be kept; ``problems`` are its lines, in the order of the file."""

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        lines = [f"{path}:{problem.line}: {problem.message}" for problem in self.problems]
        super().__init__("\n".join(lines), "gradflow schema config tells what is allowed")
