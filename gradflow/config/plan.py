"""Valid values of a configuration in, a Plan out: models, how to analyse each, and what to expect
of it."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gradflow.config.parse import Tree
from gradflow.findings import Anchor, Severity
from gradflow.options import InputSpec, Objective, Options, Thresholds, parse_memory
from gradflow.policy import CutExpectation, Expectations, Ignore, chosen


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model, or the settings for those that are not named."""

    path: str
    """As a report shows it; empty for the defaults."""
    name: str | None
    options: Options
    expectations: Expectations
    fail_on: Severity
    select: tuple[str, ...]
    """Codes of the findings that count; empty for all."""
    anchor: Anchor | None
    """Where it is named; None without a file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration asks for."""

    defaults: ModelPlan
    models: tuple[ModelPlan, ...]
    """In the order of the file; of a glob, in the order of the names."""


EMPTY = ModelPlan("", None, Options(), Expectations(), Severity.WARNING, (), None)
"""Without any file: nothing is expected to be frozen, and every weight to get a gradient."""


def plan(tree: Tree, file: Path) -> Plan:
    """Make the plan of a valid ``tree``; paths in it are relative to ``file``."""
    value = tree.value or {}
    shared = value.get("defaults", {})
    given = value.get("models", [])
    # A model that a line of its own names is meant by that line; of two globs the first counts.
    seen = {_joined(file.parent, one["path"]) for one in given if not _is_glob(one["path"])}
    models: list[ModelPlan] = []
    for place, one in enumerate(given):
        settings, anchor = (
            {**shared, **one},
            Anchor(str(file), tree.line(("models", place, "path"))),
        )
        if not _is_glob(one["path"]):
            path = _joined(file.parent, one["path"])
            models.append(_model(settings, path, one.get("name"), file, anchor))
            continue
        for path in _expanded(file.parent, one["path"]):
            if path not in seen:
                seen.add(path)
                name = f"{one['name']}/{Path(path).name}" if "name" in one else None
                models.append(_model(settings, path, name, file, anchor))
    return Plan(_model(shared, "", None, file, None), tuple(models))


def _is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[") and "://" not in path


def _expanded(folder: Path, path: str) -> list[str]:
    """What a glob matches; itself where it matches nothing, so that the report has a line for
    it."""
    found = glob.glob(path, root_dir=folder, recursive=True)  # noqa: PTH207 -- Path.glob takes no absolute pattern
    return sorted(_joined(folder, one) for one in found) or [_joined(folder, path)]


def _joined(folder: Path, path: str) -> str:
    """As seen from where the command runs, without the ``configs/..`` on the way."""
    return path if "://" in path else os.path.normpath(folder / path)


def _model(
    settings: Mapping[str, Any], path: str, name: str | None, file: Path, anchor: Anchor | None
) -> ModelPlan:
    return ModelPlan(
        path=path,
        name=name,
        options=_options(settings, file.parent),
        expectations=_expectations(settings),
        fail_on=Severity(settings.get("fail_on", "warning")),
        select=chosen(settings.get("select", ())),
        anchor=anchor,
    )


def _options(settings: Mapping[str, Any], folder: Path) -> Options:
    plain = ("entry", "batch_size", "seed", "training", "probes", "static", "timeout", "trust")
    limit = settings.get("memory_limit")
    return Options(
        **{key: settings[key] for key in plain if key in settings},
        memory_limit=None if limit is None else parse_memory(limit),
        objective=Objective(settings.get("objective", "outputs")),
        outputs=tuple(settings.get("outputs", ())),
        inputs=tuple(
            _input(name, spec, folder) for name, spec in settings.get("inputs", {}).items()
        ),
        imports=tuple(settings.get("imports", ())),
        state=tuple(settings.get("state", ())),
        thresholds=Thresholds(
            **{key: float(value) for key, value in settings.get("thresholds", {}).items()}
        ),
    )


def _input(name: str, spec: Mapping[str, Any], folder: Path) -> InputSpec:
    if "file" in spec:
        return InputSpec(name, file=_joined(folder, spec["file"]), key=spec.get("key"))
    return InputSpec(
        name, spec["dtype"], tuple(spec["shape"]), spec.get("high"), low=spec.get("low", 0)
    )


def _expectations(settings: Mapping[str, Any]) -> Expectations:
    expect = settings.get("expect", {})
    return Expectations(
        frozen=tuple(expect["frozen"]) if "frozen" in expect else None,
        trainable=tuple(expect.get("trainable", ())),
        cut=tuple(CutExpectation(**one) for one in expect.get("cut", ())),
        ignore=tuple(_ignore(one) for one in settings.get("ignore", ())),
    )


def _ignore(given: Mapping[str, Any]) -> Ignore:
    until = date.fromisoformat(given["until"]) if "until" in given else None
    return Ignore(
        given["variables"], chosen(given.get("codes", ())), given.get("reason", ""), until
    )
