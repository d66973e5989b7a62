"""Print the rows of docs/formats.md for model files: ``python -m tests.docs.formats FOLDER``.

FOLDER holds an INDEX.tsv with the columns name, path, origin, format and era, one line a file.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TIMEOUT = "120"


def main() -> int:
    """Print one row a file."""
    folder = Path(sys.argv[1])
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            print(row(line, inspected(folder / line["path"])), flush=True)
    return 0


def inspected(path: Path) -> Mapping[str, Any]:
    """The record of one model in the JSON report, by the command line with no option but a
    deadline."""
    command = [
        sys.executable,
        "-m",
        "gradflow",
        "inspect",
        "-q",
        "--format",
        "json",
        "--timeout",
        TIMEOUT,
        str(path),
    ]
    process = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", check=False
    )
    record: Mapping[str, Any] = json.loads(process.stdout)["models"][0]
    return record


def row(line: Mapping[str, str], record: Mapping[str, Any]) -> str:
    """A row of the table: origin, kind, result, what the report says."""
    return (
        f"| {_origin(line['origin'])} | {line['format']}, {line['era']} | "
        f"{' | '.join(result(record))} |"
    )


def result(record: Mapping[str, Any]) -> tuple[str, str]:
    """How a model was read, and what came of it."""
    if record["error"] is not None:
        return "refused", _cell(record["error"]["message"])
    return ("step" if record["mode"] == "tape" else "static"), "; ".join(_counts(record))


def _counts(record: Mapping[str, Any]) -> Iterator[str]:
    summary = record["summary"]
    weights = summary["weights"]
    yield f"{weights} weight{'' if weights == 1 else 's'}" if weights else "no weights"
    for verdict, words in (
        ("none", "without gradient"),
        ("zero", "zero"),
        ("nonfinite", "NaN or Inf"),
    ):
        if summary[verdict]:
            yield f"{summary[verdict]} {words}"
    if summary["unknown"]:
        yield f"{summary['unknown']} unknown"
    reasons = [finding["message"] for finding in record["findings"] if finding["code"] == "GF901"]
    yield from (_cell(reason) for reason in reasons)


def _origin(text: str) -> str:
    """``owner/repository:path@commit`` as the repository and the file's name in it."""
    repository, _, rest = text.partition(":")
    path = rest.rpartition("@")[0]
    return f"{repository}: `{path}`" if path else repository


def _cell(text: str) -> str:
    short = text if len(text) <= 160 else text[:157].rstrip() + "..."
    return short.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
