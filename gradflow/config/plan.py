"""Plan what a configuration asks for: the models, how to analyse each, and what to expect of it."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradflow.files.own_function import is_function
from gradflow.findings import Anchor, Severity
from gradflow.lazy_dataclass import dataclass
from gradflow.options import DECLARED, Options, beside, names_without_effect
from gradflow.policy import FROZEN_PATTERNS, CutExpectation, Expectations, Ignore, chosen

if TYPE_CHECKING:
    from gradflow.config.parse import Tree  # brings the parser of YAML


Location = tuple[str | int, ...]
"""Keys and indices from the top of the file."""


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
    remarks: tuple[str, ...] = ()
    """What is allowed and has no effect, with the line of each."""


EMPTY = ModelPlan(
    path="",
    name=None,
    options=Options(),
    expectations=Expectations(),
    fail_on=Severity.WARNING,
    select=(),
    anchor=None,
)
"""Without any file: nothing is expected to be frozen, and every weight to get a gradient."""


def plan(tree: Tree, file: Path) -> Plan:
    """Make the plan of a valid ``tree``; paths in it are relative to ``file``."""
    value = tree.value or {}
    shared = _located(value.get("defaults", {}), ("defaults",), tree, file)
    entries = [
        _located(entry, ("models", index), tree, file)
        for index, entry in enumerate(value.get("models", []))
    ]
    # A model that has an entry of its own belongs to that entry; of two globs the first counts.
    named = {_path(file.parent, entry["path"]) for entry in entries if not _is_glob(entry["path"])}
    models: list[ModelPlan] = []
    for index, entry in enumerate(entries):
        settings = {**shared, **entry}
        anchor = Anchor(str(file), tree.line(("models", index, "path")))
        if not _is_glob(entry["path"]):
            path = _path(file.parent, entry["path"])
            models.append(_model(settings, path, entry.get("name"), file, anchor))
            continue
        for path in _expanded(file.parent, entry["path"]):
            if path not in named:
                named.add(path)
                name = f"{entry['name']}/{Path(path).name}" if "name" in entry else None
                models.append(_model(settings, path, name, file, anchor))
    defaults = _model(shared, "", None, file, None)
    return Plan(defaults, tuple(models), tuple(_remarks(tree, file)))


def _located(settings: Mapping[str, Any], path: Location, tree: Tree, file: Path) -> dict[str, Any]:
    """Add to each rule that accepts findings where it stands: reports name that line."""

    def with_line(rules: Sequence[Mapping[str, Any]], *keys: str) -> list[dict[str, Any]]:
        return [
            {**rule, "stands_at": f"{file}:{tree.line((*path, *keys, index))}"}
            for index, rule in enumerate(rules)
        ]

    located = dict(settings)
    if "ignore" in settings:
        located["ignore"] = with_line(settings["ignore"], "ignore")
    if "cut" in settings.get("expect", {}):
        cuts = with_line(settings["expect"]["cut"], "expect", "cut")
        located["expect"] = {**settings["expect"], "cut": cuts}
    return located


def _remarks(tree: Tree, file: Path) -> Iterator[str]:
    """Name the options of each entry that have no effect because its models are only read."""
    value = tree.value or {}
    shared, models = value.get("defaults", {}), value.get("models", [])
    paths: list[tuple[str | int, ...]] = [("models", i) for i in range(len(models))]
    for path, entry in zip([("defaults",), *paths], [shared, *models], strict=True):
        options = Options(static=entry.get("static", shared.get("static", False)))
        ignored = names_without_effect([name for name in entry if name in DECLARED], options)
        if ignored:
            line = tree.line((*path, ignored[0]))
            yield f"{file}:{line}: {', '.join(ignored)}: no effect with static: true"


def _path(folder: Path, path: str) -> str:
    """Return the path of a model as seen from where the command runs; a function has none."""
    location = beside(folder, path)
    return path if is_function(path) and not Path(location).exists() else location


def _is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[") and "://" not in path


def _expanded(folder: Path, path: str) -> list[str]:
    """Return what a glob matches; the glob itself where that is nothing, so that a report names
    it."""
    # Path.glob takes no absolute pattern.
    matches = glob.glob(path, root_dir=folder, recursive=True)  # noqa: PTH207 -- see above
    return sorted(beside(folder, match) for match in matches) or [beside(folder, path)]


def _model(
    settings: Mapping[str, Any], path: str, name: str | None, file: Path, anchor: Anchor | None
) -> ModelPlan:
    return ModelPlan(
        path=path,
        name=name,
        options=_options(settings, file.parent),
        expectations=_expectations(settings, file),
        fail_on=Severity(settings.get("fail_on", "warning")),
        select=chosen(settings.get("select", ())),
        anchor=anchor,
    )


def _options(settings: Mapping[str, Any], folder: Path) -> Options:
    return Options(
        **{
            name: option.kind.from_config(settings[name], folder)
            for name, option in DECLARED.items()
            if name in settings
        }
    )


def _expectations(settings: Mapping[str, Any], file: Path) -> Expectations:
    expect = settings.get("expect", {})
    return Expectations(
        frozen=tuple(expect["frozen"]) if "frozen" in expect else None,
        trainable=tuple(expect.get("trainable", ())),
        cut=tuple(CutExpectation(**entry) for entry in expect.get("cut", ())),
        ignore=tuple(_ignore(entry) for entry in settings.get("ignore", ())),
        accepting=f"frozen: {FROZEN_PATTERNS} below expect in {file} accepts it",
    )


def _ignore(entry: Mapping[str, Any]) -> Ignore:
    until = date.fromisoformat(entry["until"]) if "until" in entry else None
    return Ignore(
        variables=entry["variables"],
        codes=chosen(entry.get("codes", ())),
        reason=entry.get("reason", ""),
        until=until,
        stands_at=entry["stands_at"],
    )
