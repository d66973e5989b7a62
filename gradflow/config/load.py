"""Load a configuration: its Plan, or every problem of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradflow.config.find import TABLE
from gradflow.config.parse import Problem, read_yaml
from gradflow.config.plan import Plan, plan
from gradflow.config.toml import read_toml
from gradflow.config.validate import problems
from gradflow.errors import GradflowError, UsageError

_LARGEST = 1 << 24


class ConfigError(GradflowError):
    """A configuration that is not valid; ``problems`` are in the order of the file's lines."""

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        lines = [f"{path}:{problem.line}: {problem.message}" for problem in self.problems]
        super().__init__("\n".join(lines))


def load(path: Path) -> Plan:
    """Read a YAML file, or the ``[tool.gradflow]`` of a TOML file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        ConfigError: something in it is not allowed.
    """
    tree = read_toml(_text(path), TABLE) if path.suffix == ".toml" else read_yaml(_text(path))
    if tree.value is None and not tree.problems:
        lack = f"has no [{'.'.join(TABLE)}]" if path.suffix == ".toml" else "is empty"
        raise ConfigError(str(path), [Problem(1, f"{lack}: gradflow init MODEL writes one")])
    faults = problems(tree)
    if faults:
        raise ConfigError(str(path), faults)
    return plan(tree, path)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path}: is too large for a configuration", "give a YAML file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", "check the path of the configuration"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text", "give a YAML file") from error
