"""Group measured calls of one class into rows of the layer table.

Calls that gradient passes in the same way share a row. Where they differ, the row says on what
that depends: the fewest facts that tell the calls apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradflow.ops.config_values import dtype_of, is_numbers, policy_of, text_of
from gradflow.ops.layer_rows import never_matters
from gradflow.tables.layer_contract import Steps
from gradflow.tables.layer_trials import Trial

Row = Mapping[str, str]
Ways = tuple[frozenset[Steps], ...]
"""For each output."""


FLOATING = ("float", "complex")
"""Kinds of tensors that carry gradient."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How gradient passes through a call, as a row has it."""

    is_alike: bool
    """All outputs are the same."""
    count: int
    """The most outputs that were seen."""
    outputs: tuple[frozenset[tuple[bool, bool]], ...]
    """For each output: whether a tensor was floating, and whether the output was."""
    floating: Mapping[str, Ways]
    """By source, where it was floating."""
    discrete: Mapping[str, Ways]
    """By source, where it was none."""


def shape_of(trial: Trial) -> Shape | None:
    """Return how gradient passed through a measured call; None where that is not certain."""
    measured = trial.measured
    if measured is None:
        return None
    count = len(measured.outputs)
    ways = {
        source: tuple(
            measured.passages.get((source, output), frozenset()) for output in range(count)
        )
        for source in sorted(measured.sources)
    }
    is_alike = len(set(measured.outputs)) == 1 and all(
        len(set(each)) == 1 for each in ways.values()
    )
    if is_alike:
        count, ways = 1, {source: each[:1] for source, each in ways.items()}
    ways = _without_items(ways, trial.kinds)
    has_floats = any(kind in FLOATING for kind in trial.kinds.values())
    discrete = {source for source in ways if _kind(source, trial.kinds) not in (*FLOATING, None)}
    discrete |= set(measured.discrete_weights)
    return Shape(
        is_alike=is_alike,
        count=len(measured.outputs),
        outputs=tuple(frozenset({(has_floats, measured.outputs[index])}) for index in range(count)),
        floating={source: each for source, each in ways.items() if source not in discrete},
        discrete={source: each for source, each in ways.items() if source in discrete},
    )


def _kind(source: str, kinds: Mapping[str, str]) -> str | None:
    if source in kinds:
        return kinds[source]
    within = {kind for name, kind in kinds.items() if name.startswith(f"{source}.")}
    if not within:
        return None
    return min(within.intersection(FLOATING) or within)


def _without_items(ways: Mapping[str, Ways], kinds: Mapping[str, str]) -> dict[str, Ways]:
    """Put one source in the place of all items of a list, where they are the same."""
    lists: dict[str, list[str]] = {}
    for source in ways:
        name, _, item = source.rpartition(".")
        if item.isdecimal() and not source.startswith("$"):
            lists.setdefault(name, []).append(source)
    joined = dict(ways)
    for name, items in lists.items():
        floats = {ways[item] for item in items if kinds.get(item) in FLOATING}
        different = floats or {ways[item] for item in items}
        if len(different) == 1:
            for item in items:
                del joined[item]
            joined[name] = different.pop()
    return joined


def join(one: Shape | None, other: Shape | None) -> Shape | None:
    """Return what holds for both; None where that is nothing."""
    if one is None or other is None:
        return None
    if one.is_alike != other.is_alike and 1 not in (len(one.outputs), len(other.outputs)):
        return None
    if len(one.outputs) != len(other.outputs):
        return None
    outputs = tuple(left | right for left, right in zip(one.outputs, other.outputs, strict=True))
    if any(_word(seen) is None for seen in outputs):
        return None
    for left, right in ((one.floating, other.floating), (one.discrete, other.discrete)):
        if any(left[source] != right[source] for source in left.keys() & right.keys()):
            return None
    floating, discrete = {**one.floating, **other.floating}, {**one.discrete, **other.discrete}
    if any(
        bool(way) != bool(floating_way)
        for source in floating.keys() & discrete.keys()
        for way, floating_way in zip(discrete[source], floating[source], strict=True)
    ):
        return None
    if _mixes_items(floating.keys() | discrete.keys()):
        return None
    return Shape(
        is_alike=one.is_alike and other.is_alike,
        count=max(one.count, other.count),
        outputs=outputs,
        floating=floating,
        discrete=discrete,
    )


def _mixes_items(sources: Iterable[str]) -> bool:
    """Whether a list stands among the sources as a whole, and an item of it too."""
    sources = set(sources)
    return any(
        source.rpartition(".")[0] in sources for source in sources if not source.startswith("$")
    )


def _word(seen: Iterable[tuple[bool, bool]]) -> str | None:
    seen = set(seen)
    if all(is_floating for _, is_floating in seen):
        return "float"
    if not any(is_floating for _, is_floating in seen):
        return "int"
    return "like" if all(given == is_floating for given, is_floating in seen) else None


def facts_of(trial: Trial) -> Mapping[str, str]:
    """Return all on which the way of gradient through a call may depend."""
    words = {kind if kind in FLOATING else "int" for kind in trial.kinds.values()}
    kinds = "+".join(sorted(words))
    given = {
        f"@given.{name}": text_of(
            any(tensor == name or tensor.startswith(f"{name}.") for tensor in trial.kinds)
        )
        for name in trial.arguments[1:]
    }
    items = (
        {
            f"@items.{trial.arguments[0]}": str(
                sum(tensor.startswith(f"{trial.arguments[0]}.") for tensor in trial.kinds)
            )
        }
        if trial.arguments
        else {}
    )
    config = {key: text_of(value) for key, value in trial.config.items() if not _is_any(trial, key)}
    return {
        **config,
        **trial.facts,
        **given,
        **items,
        "@kinds": kinds,
        "@policy": policy_of(trial.config),
        "@dtype": dtype_of(trial.config),
    }


def _is_any(trial: Trial, key: str) -> bool:
    return never_matters(key, trial.key)


def rows_of(key: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Yield the rows of a class."""
    trials = [_with_first_named(trial, trials[0].arguments[0]) for trial in trials]
    facts = [facts_of(trial) for trial in trials]
    shapes = [shape_of(trial) for trial in trials]
    chosen = _telling(facts, shapes)
    # A row says nothing of quantized or integer layers unless it names them.
    chosen += [
        name
        for name in ("@policy", "@dtype")
        if name not in chosen and len({fact[name] for fact in facts}) > 1
    ]
    groups = _merged(_decided(facts, shapes, chosen))
    every = [{fact.get(name, "null") for fact in facts} for name in chosen]
    arguments = trials[0].arguments
    defaults = {name: text for trial in trials for name, text in trial.defaults.items()}
    whens = [
        (
            [
                f"{name}={_alternatives(value, defaults.get(name))}"
                for name, value, all_values in zip(chosen, values, every, strict=True)
                if value != all_values or name in ("@policy", "@dtype")
            ],
            shape,
        )
        for values, shape in groups.items()
    ]
    # What is said of single numbers comes before what is said of all of them.
    for when, shape in sorted(whens, key=lambda item: (str(item[0]).count("#"), item[0])):
        yield {
            "class": key,
            "when": " ".join(when),
            "arguments": " ".join(arguments),
            "keys": " ".join(keys_of(trials)),
            "outputs": _outputs(shape),
            "passages": " ".join(_passages(shape)),
        }


def _with_first_named(trial: Trial, name: str) -> Trial:
    """Return a trial whose first argument is called ``name``, as in the other versions of a
    class."""
    old = {trial.arguments[0], *(source.partition(".")[0] for source in trial.kinds)}
    old = {root for root in old if root == trial.arguments[0] or root not in trial.arguments}
    if old == {name} or trial.measured is None:
        return trial

    def renamed(source: str) -> str:
        root, dot, rest = source.partition(".")
        return f"{name}{dot}{rest}" if root in old else source

    measured = replace(
        trial.measured,
        passages={
            (renamed(source), output): ways
            for (source, output), ways in trial.measured.passages.items()
        },
        sources=frozenset(map(renamed, trial.measured.sources)),
    )
    return replace(
        trial,
        arguments=(name, *trial.arguments[1:]),
        kinds={renamed(source): kind for source, kind in trial.kinds.items()},
        measured=measured,
    )


def _decided(
    facts: Sequence[Mapping[str, str]], shapes: Sequence[Shape | None], chosen: Sequence[str]
) -> dict[tuple[frozenset[str], ...], Shape]:
    """Return what holds for the calls with the same facts.

    Where that is nothing, they are left out: of such a call nothing is known. Versions of Keras
    differ in a few: the mean of integers is an integer in Keras 2.
    """
    groups: dict[tuple[frozenset[str], ...], Shape | None] = {}
    for fact, shape in zip(facts, shapes, strict=True):
        values = tuple(frozenset({fact.get(name, "null")}) for name in chosen)
        groups[values] = join(groups[values], shape) if values in groups else shape
    return {values: shape for values, shape in groups.items() if shape is not None}


def _alternatives(values: frozenset[str], default: str | None) -> str:
    # What is absent is the default.
    texts = sorted({*values, *(["null"] if default is not None and default in values else [])})
    numbers = [text for text in texts if is_numbers(json_of(text))]
    return "|".join(["#", *sorted(set(texts) - set(numbers))] if len(numbers) > 1 else texts)


def _telling(facts: Sequence[Mapping[str, str]], shapes: Sequence[Shape | None]) -> list[str]:
    """Return the fewest facts that tell apart what is different, chosen one by one."""
    names = sorted({name for fact in facts for name in fact}, key=_preference)
    names = [name for name in names if len({fact.get(name) for fact in facts}) > 1]
    chosen: list[str] = []
    while _open(facts, shapes, chosen):
        left = {name: _open(facts, shapes, [*chosen, name]) for name in names if name not in chosen}
        if not left:
            break
        best = min(left, key=lambda name: (left[name], _preference(name)))
        chosen.append(best)
    for name in list(chosen):
        fewer = [other for other in chosen if other != name]
        if _open(facts, shapes, fewer) <= _open(facts, shapes, chosen):
            chosen = fewer
    return chosen


def _preference(name: str) -> tuple[int, str]:
    order = ("@policy", "@dtype", "@training", "call.", "@given", "@items", "@kinds")
    ranks = {start: rank + 1 for rank, start in enumerate(order)}
    return next((rank for start, rank in ranks.items() if name.startswith(start)), 0), name


def _open(
    facts: Sequence[Mapping[str, str]], shapes: Sequence[Shape | None], chosen: Sequence[str]
) -> int:
    """Return how many calls stand in groups that are not the same throughout."""
    groups: dict[tuple[str, ...], list[Shape | None]] = {}
    for fact, shape in zip(facts, shapes, strict=True):
        groups.setdefault(tuple(fact.get(name, "null") for name in chosen), []).append(shape)
    count = 0
    for members in groups.values():
        joined: Shape | None = members[0]
        for member in members[1:]:
            joined = join(joined, member)
        count += len(members) if joined is None else 0
    return count


def _merged(
    groups: Mapping[tuple[frozenset[str], ...], Shape],
) -> dict[tuple[frozenset[str], ...], Shape]:
    """Join groups that differ in the values of one fact, and not in how gradient passes."""
    merged = dict(groups)
    again = True
    while again:
        again = False
        for left, right in _pairs(list(merged)):
            different = [
                index
                for index, pair in enumerate(zip(left, right, strict=True))
                if pair[0] != pair[1]
            ]
            joined = join(merged[left], merged[right]) if len(different) == 1 else None
            if joined is not None:
                values = tuple(one | other for one, other in zip(left, right, strict=True))
                del merged[left], merged[right]
                merged[values] = joined
                again = True
                break
    return merged


def _pairs(items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for index, left in enumerate(items):
        for right in items[index + 1 :]:
            yield left, right


def keys_of(trials: Sequence[Trial]) -> Iterator[str]:
    """Yield the keys of the configuration that were tried, with what is known of their values."""
    values: dict[str, list[Any]] = {}
    for trial in trials:
        for key, value in trial.config.items():
            if not _is_any(trial, key):
                values.setdefault(key, []).append(value)
    for key, tried in sorted(values.items()):
        texts = sorted({text_of(value) for value in tried})
        numbers = [text for text in texts if is_numbers(json_of(text))]
        rest = [text for text in texts if text not in numbers]
        if any(text.startswith("@") for text in rest):
            yield f"{key}=@"
            continue
        yield f"{key}={'|'.join([*(['#'] if numbers else []), *rest])}"


def json_of(text: str) -> Any:
    """Return a value that was written by ``as_text``."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _outputs(shape: Shape) -> str:
    words = [_word(seen) or "" for seen in shape.outputs]
    return " ".join(words) + ("*" if shape.is_alike and shape.count > 1 else "")


def _passages(shape: Shape) -> Iterator[str]:
    for source, ways in sorted({**shape.discrete, **shape.floating}.items()):
        if not any(ways):
            yield f"{source}>-"
            continue
        is_same = len(set(ways)) == 1
        for output, steps in enumerate(ways[:1] if is_same else ways):
            target = "*" if is_same else str(output)
            for way in sorted(steps):
                written = ",".join(
                    f"@{op_type}" if kind == "@" else f"{kind}/{op_type}" for kind, op_type in way
                )
                yield f"{source}>{target}" + (f":{written}" if written else "")
