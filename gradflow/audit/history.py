"""Keep the report of each run in a file of a folder, and read it again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from gradflow.errors import UsageError
from gradflow.findings import Report
from gradflow.findings.wire import decode
from gradflow.report.json import SCHEMA, render
from gradflow.whole_file import read_whole, write_whole

_AGAIN = "gradflow audit CONFIG --history DIR, or any command with --format json, writes one"


def keep(report: Report, folder: Path) -> Path:
    """Write ``report`` to a new file in ``folder``, named by the time, and return its path.

    Raises:
        UsageError: it cannot be written.
    """
    # Two runs are compared by verdicts: a map is for who looks at one of them.
    models = tuple(replace(model, map=None) for model in report.models)
    report = replace(report, models=models)
    name = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S%fZ}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        write_whole(path, render(report))
    except OSError as error:
        raise UsageError(
            f"--history {folder}: {error.strerror or error}", "name a folder that can be written"
        ) from error
    return path


def latest(folder: Path) -> Report | None:
    """Return the newest report in ``folder``; None where there is none.

    Raises:
        UsageError: it is not a report.
    """
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return read_report(files[-1]) if files else None


def is_report(path: str) -> bool:
    """Return whether a file is meant as a report, and not as a model."""
    return path.endswith(".json")


def read_report(path: Path) -> Report:
    """Return the report from a file that ``--format json`` or ``--history`` wrote.

    Raises:
        UsageError: there is no such file, or it is not a report.
    """
    try:
        value = json.loads(read_whole(path))
        if value["schema"] != SCHEMA:
            raise UsageError(f"{path}: is not a report of this version: {value['schema']}", _AGAIN)
        return decode(Report, value)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", _AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: is not a report of gradflow", _AGAIN) from error
