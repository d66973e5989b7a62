"""Values read from a configuration in, what is wrong with them out, each with its line and the
nearest valid word."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gradflow.config.parse import Path, Tree
from gradflow.config.problems import Problem
from gradflow.config.schema import config_schema
from gradflow.errors import UsageError
from gradflow.options import parse_memory

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_MOST_WORDS = 8


def problems(tree: Tree) -> list[Problem]:
    """Hold ``tree`` against the schema, and what no schema can say: pairs of keys, dates, models
    given twice."""
    # NOTE: 0.1 s, which only a configuration costs.
    from jsonschema import Draft202012Validator, validators

    if tree.value is None:
        return tree.problems  # nothing could be read
    found = [*tree.problems]
    wrong: set[Path] = set()
    # NOTE: JSON has one kind of number, so that 2.0 would be a whole one; nothing that counts
    # things can use it.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    )
    kind = validators.extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]  # its stubs leave it so
    checker = kind(config_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in checker.iter_errors(tree.value):
        path = tuple(error.absolute_path)
        wrong.update(path[:depth] for depth in range(len(path) + 1))
        found += [Problem(tree.line(at), text) for at, text in _worded(error, path)]
    return [*found, *_beyond(tree, wrong)]


def _worded(error: Any, path: Path) -> Iterator[tuple[Path, str]]:
    where = f"{_shown(path)}: " if path else ""
    allowed = error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in error.instance:
            if key in known:
                continue
            what = f"unknown key {key!r}{_nearest(key, known)}"
            if key == "trust" and path == ("defaults",):
                what = (
                    "'trust' is not for all models at once: write it to the entry of each whose "
                    "file you trust"
                )
            yield (*path, key), f"{where}{what}"
    elif error.validator == "required":
        missing = [key for key in allowed if key not in error.instance]
        for key in missing[:1] if error.message.startswith(repr(missing[0])) else missing:
            yield path, f"{where}the key {key!r} is missing"
    elif error.validator == "type":
        yield path, f"{where}has to be {_KINDS[allowed]}, and is {_named(error.instance)}"
    elif error.validator == "enum":
        yield path, f"{where}{error.instance!r} is no valid word{_nearest(error.instance, allowed)}"
    elif error.validator == "const":
        yield path, f"{where}has to be {allowed!r}, and is {error.instance!r}"
    elif error.validator == "format":
        yield path, f"{where}{error.instance!r} is no date: write 2027-01-31"
    elif error.validator == "pattern":
        yield (
            path,
            f"{where}{error.instance!r} is no amount of memory: write it as 8GB or 500MB, at least "
            f"100MB",
        )
    elif error.validator in ("minimum", "exclusiveMinimum", "maximum"):
        word = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}[
            error.validator
        ]
        yield path, f"{where}has to be {word} {allowed}, and is {error.instance!r}"
    else:
        yield path, f"{where}is empty"


def _beyond(tree: Tree, wrong: Collection[Path]) -> Iterator[Problem]:
    """What the schema cannot say; only of the parts that it has nothing against."""
    value = tree.value if isinstance(tree.value, dict) else {}
    models = value.get("models")
    placed: dict[Path, Any] = (
        {("models", place): one for place, one in enumerate(models)}
        if isinstance(models, list)
        else {}
    )
    parts: dict[Path, Any] = {("defaults",): value.get("defaults"), **placed}
    for base, settings in parts.items():
        if isinstance(settings, dict) and base not in wrong:
            yield from _of_settings(tree, base, settings)
    seen: dict[str, int] = {}
    for base, model in placed.items():
        if base in wrong:
            continue
        name, line = model.get("name", model["path"]), tree.line((*base, "path"))
        if name in seen:
            text = (
                f"{_shown(base)}: {name!r} stands already in line {seen[name]}: give each a "
                f"name of its own"
            )
            yield Problem(line, text)
        seen.setdefault(name, line)


def _of_settings(tree: Tree, base: Path, settings: Mapping[str, Any]) -> Iterator[Problem]:
    for name, spec in settings.get("inputs", {}).items():
        path = (*base, "inputs", name)
        if "file" in spec and ({"shape", "dtype", "low", "high"} & set(spec)):
            yield Problem(
                tree.line(path),
                f"{_shown(path)}: has a file and a shape or range: give one of the two",
            )
        elif "key" in spec and "file" not in spec:
            yield Problem(tree.line(path), f"{_shown(path)}: has a key and no file")
        elif "file" not in spec and not ("shape" in spec and "dtype" in spec):
            yield Problem(tree.line(path), f"{_shown(path)}: give shape and dtype, or a file")
        elif spec.get("high", 1) <= spec.get("low", 0):
            yield Problem(tree.line(path), f"{_shown(path)}: high has to be more than low")
    if "memory_limit" in settings:
        try:
            parse_memory(settings["memory_limit"])
        except UsageError as error:
            path = (*base, "memory_limit")
            yield Problem(tree.line(path), f"{_shown(path)}: {error.message}: {error.hint}")
    expect = settings.get("expect", {})
    for pattern in expect.get("frozen", []):
        if pattern in expect.get("trainable", []):
            path = (*base, "expect", "trainable", expect["trainable"].index(pattern))
            yield Problem(
                tree.line(path), f"{_shown(path)}: {pattern!r} is expected to be frozen as well"
            )


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


def _nearest(word: Any, known: list[str]) -> str:
    close = difflib.get_close_matches(str(word), [str(one) for one in known], n=1)
    if close:
        return f": did you mean {close[0]!r}?"
    shown = ", ".join(str(one) for one in known[:_MOST_WORDS])
    return f": allowed are {shown}{', ...' if len(known) > _MOST_WORDS else ''}"
