"""Check the values of a configuration, and word each problem with its line and a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from gradflow.catalogue import CATALOGUE, series
from gradflow.config.parse import Path, Problem, Tree
from gradflow.config.schema import config_schema
from gradflow.errors import UsageError
from gradflow.options import DECLARED
from gradflow.patterns import TAKEN_OUT
from gradflow.text import closest

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
_MOST_WORDS = 8


def problems(tree: Tree) -> list[Problem]:
    """Check ``tree`` against the schema, and what no schema can say: pairs of keys, dates, models
    that are named twice."""
    # NOTE: 0.1 s, which only a configuration costs.
    from jsonschema import Draft202012Validator, validators

    if tree.value is None:
        return tree.problems  # nothing could be read
    result = [*tree.problems]
    wrong: set[Path] = set()
    # NOTE: JSON has one kind of number, so that 2.0 would be a whole one; nothing that counts
    # things can use it.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    )
    extend: Any = validators.extend  # its stubs leave it without types
    checker = extend(Draft202012Validator, type_checker=types)(
        config_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for error in checker.iter_errors(tree.value):
        path = tuple(error.absolute_path)
        wrong.update(path[:depth] for depth in range(len(path) + 1))
        prefix = f"{_shown(path)}: " if path else ""
        result += [
            Problem(tree.line((*path, *below)), f"{prefix}{message}")
            for below, message in _worded(error, path)
        ]
    return [*result, *_beyond(tree, wrong)]


Worded = Iterator[tuple[Path, str]]
"""Messages, and where below the value of the error each belongs."""


def _worded(error: Any, path: Path) -> Worded:
    if error.validator in _MESSAGES:
        yield (), _MESSAGES[error.validator](error.validator_value, error.instance)
    elif error.validator == "additionalProperties":
        yield from _unknown_keys(error, path)
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        for key in missing[:1] if error.message.startswith(repr(missing[0])) else missing:
            yield (), f"the key {key!r} is missing"
    elif error.validator in _BOUNDS:
        bound = f"{_BOUNDS[error.validator]} {error.validator_value}"
        yield (), f"has to be {bound}, and is {error.instance!r}"
    else:
        yield (), "is empty"


_MESSAGES: Mapping[str, Callable[[Any, Any], str]] = {
    "type": lambda name, value: f"has to be {_KINDS[name]}, and is {_named(value)}",
    "enum": lambda words, value: f"{value!r} is not allowed here{_nearest(value, words)}",
    "const": lambda constant, value: f"has to be {constant!r}, and is {value!r}",
    "format": lambda _, value: f"{value!r} is not a date: write 2027-01-31",
    "pattern": lambda _, value: (
        f"{value!r} is not an amount of memory: write it as 8GB or 500MB, at least 100MB"
    ),
}
"""From a word of JSON Schema, what it asks for and the value to a message."""


def _unknown_keys(error: Any, path: Path) -> Worded:
    allowed = list(error.schema["properties"])
    for key in error.instance:
        if key in allowed:
            continue
        if path == ("defaults",) and key in DECLARED:
            yield (
                (key,),
                f"{key!r} is not for all models at once: write it to the entry of each "
                "whose file you trust",
            )
        else:
            yield (key,), f"unknown key {key!r}{_nearest(key, allowed)}"


def _beyond(tree: Tree, wrong: Collection[Path]) -> Iterator[Problem]:
    """Yield what the schema cannot say; only of the parts that it accepts."""
    value = tree.value if isinstance(tree.value, dict) else {}
    models = value.get("models")
    entries: dict[Path, Any] = (
        {("models", index): entry for index, entry in enumerate(models)}
        if isinstance(models, list)
        else {}
    )
    parts: dict[Path, Any] = {("defaults",): value.get("defaults"), **entries}
    for base, settings in parts.items():
        if isinstance(settings, dict) and base not in wrong:
            yield from _of_settings(tree, base, settings)
    lines: dict[str, int] = {}
    for base, model in entries.items():
        if base in wrong:
            continue
        name, line = model.get("name", model["path"]), tree.line((*base, "path"))
        if name in lines:
            text = (
                f"{_shown(base)}: {name!r} is already in line {lines[name]}: give each a "
                f"name of its own"
            )
            yield Problem(line, text)
        lines.setdefault(name, line)


def _of_settings(tree: Tree, base: Path, settings: Mapping[str, Any]) -> Iterator[Problem]:
    for path, message in (
        *_of_inputs(settings.get("inputs", {})),
        *_of_options(settings),
        *_of_expectations(settings.get("expect", {})),
        *_of_taking_out(settings),
    ):
        inside = (*base, *path)
        yield Problem(tree.line(inside), f"{_shown(inside)}: {message}")


def _of_inputs(inputs: Mapping[str, Any]) -> Worded:
    for name, spec in inputs.items():
        path = ("inputs", name)
        if "file" in spec and ({"shape", "dtype", "low", "high"} & set(spec)):
            yield path, "has a file and a shape or range: give one of the two"
        elif "key" in spec and "file" not in spec:
            yield path, "has a key and no file"
        elif "file" not in spec and not ("shape" in spec and "dtype" in spec):
            yield path, "give shape and dtype, or a file"
        elif spec.get("high", 1) <= spec.get("low", 0):
            yield path, "high has to be more than low"


def _of_options(settings: Mapping[str, Any]) -> Worded:
    for name, option in DECLARED.items():
        if name not in settings or name == "inputs":
            continue
        try:
            option.kind.from_config(settings[name], FilePath())
        except UsageError as error:
            yield (name,), f"{error.message}: {error.hint}"


def _of_expectations(expect: Mapping[str, Any]) -> Worded:
    for pattern in expect.get("frozen", []):
        if pattern in expect.get("trainable", []) and not pattern.startswith(TAKEN_OUT):
            index = expect["trainable"].index(pattern)
            yield ("expect", "trainable", index), f"{pattern!r} is expected to be frozen as well"


def _of_taking_out(settings: Mapping[str, Any]) -> Worded:
    """Refuse patterns that take out what no pattern covers."""
    expect = settings.get("expect", {})
    lists = {
        ("expect", "frozen"): expect.get("frozen", []),
        ("expect", "trainable"): expect.get("trainable", []),
        ("state",): settings.get("state", []),
    }
    for path, patterns in lists.items():
        if patterns and patterns[0].startswith(TAKEN_OUT):
            yield (
                (*path, 0),
                f"{patterns[0]!r} takes out of nothing: write it after what it narrows",
            )
    rules = {("expect", "cut"): expect.get("cut", []), ("ignore",): settings.get("ignore", [])}
    for path, entries in rules.items():
        for index, rule in enumerate(entries):
            if rule["variables"].startswith(TAKEN_OUT):
                text = f"{rule['variables']!r} takes out of nothing: only a list can hold it"
                yield (*path, index, "variables"), text


def _shown(path: Path) -> str:
    """``models[0].expect.frozen``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _named(value: Any) -> str:
    kinds = (
        (bool, "boolean"),
        (dict, "object"),
        (list, "array"),
        (str, "string"),
        (int, "integer"),
        (float, "number"),
    )
    kind = next((_KINDS[name] for type_, name in kinds if isinstance(value, type_)), "nothing")
    return f"{kind}: {json.dumps(value)}" if isinstance(value, bool | str | int | float) else kind


def _nearest(word: Any, words: list[str]) -> str:
    codes = series(str(word)) if not CATALOGUE.keys().isdisjoint(words) else ""
    if codes:
        return f": did you mean {codes}?"
    close = closest(str(word), map(str, words))
    if close:
        return f": did you mean {close[0]!r}?"
    shown = ", ".join(str(candidate) for candidate in words[:_MOST_WORDS])
    return f": allowed are {shown}{', ...' if len(words) > _MOST_WORDS else ''}"
