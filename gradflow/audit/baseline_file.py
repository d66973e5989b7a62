"""Write what models are like into a baseline file, and read it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradflow.config import ModelPlan
from gradflow.errors import UsageError
from gradflow.findings.wire import decode, encode
from gradflow.policy import Snapshot, WeightSnapshot
from gradflow.text import as_json
from gradflow.whole_file import read_whole

SCHEMA = "gradflow-baseline-1"
_AGAIN = "take a new one: gradflow baseline MODEL... -o FILE"


def render_baseline(models: Mapping[str, Snapshot]) -> str:
    """Return the text of the file, by the models' names or paths; the same models give the same
    bytes."""
    weights = {
        path: {name: encode(weight) for name, weight in snapshot.weights.items()}
        for path, snapshot in models.items()
    }
    listed = {_key(path): {"weights": weights[path]} for path in sorted(weights)}
    return as_json({"schema": SCHEMA, "models": listed}, indent=1) + "\n"


def read_baseline(path: Path) -> Mapping[str, Snapshot]:
    """Return the models of a baseline, by name or path.

    Raises:
        UsageError: there is no such file, or it is not a baseline.
    """
    try:
        data = json.loads(read_whole(path))
        if data["schema"] != SCHEMA:
            raise UsageError(f"{path}: is a baseline of another version: {data['schema']}", _AGAIN)
        return {key: _snapshot(model, path) for key, model in data["models"].items()}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", _AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: is not a baseline of gradflow", _AGAIN) from error


def of_model(baseline: Mapping[str, Snapshot], plan: ModelPlan) -> Snapshot | None:
    """Return the model of that name, else of that path; None where the baseline does not have it.

    Two models of one path, each with its own entry, have two names.
    """
    named = baseline.get(_key(plan.name)) if plan.name else None
    return named or baseline.get(_key(plan.path))


def _key(path: str) -> str:
    """Write a path the same way on every platform."""
    return path if "://" in path else Path(path).as_posix()


def _snapshot(value: Any, path: Path) -> Snapshot:
    weights = {name: decode(WeightSnapshot, weight) for name, weight in value["weights"].items()}
    return Snapshot(weights, path=str(path))
