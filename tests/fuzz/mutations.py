"""A whole model file and a seed in, a damaged one out: the same seed gives the same damage."""

from __future__ import annotations

import io
import itertools
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from gradflow.files.saved_model.schema import message
from gradflow.scan.saved_model.sorted_table import masked_crc32c
from tests.cli.command import SAMPLES

_NASTY = (
    "",
    "\x00",
    "\x1b[2J",
    "‮",
    "../../etc/passwd",
    "::error::x",
    "<b>",
    "a" * 5000,
    "{{x}}",
    "\ud83d\ude00",
    "%s",
)
_TEXT = h5py.string_dtype()
_VALUES: tuple[Any, ...] = (
    "",
    "{}",
    "[]",
    b"\xff\xfe",
    7,
    -1.5,
    [1, 2],
    [b"a", b"b"],
    True,
    "\x1b[2J",
    "a" * 5000,
)
_NUMBERS = (-1, 0, 1, 2**31, 2**63 - 1, -(2**63), 10**6)
_FOOTER, _TRAILER = 48, 5
"""Bytes at the end of an index of variables, and of each block in it: its type and its checksum."""
_MOST_GROWN = 1 << 22
"""Bytes that are added: what is larger takes its time, and thousands are tried."""
Mutation = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def drop(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.choice((1, 2, 7, 100, 5000)) :]


def double(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    part = data[start : start + draw.choice((1, 4, 100, 5000))]
    return data[:start] + part * draw.choice((2, 2, 50)) + data[start + len(part) :]


def swap(data: bytes, draw: random.Random) -> bytes:
    a, b = sorted((draw.randrange(len(data)), draw.randrange(len(data))))
    size = draw.choice((1, 8, 512))
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def fill(data: bytes, draw: random.Random) -> bytes:
    start, size = draw.randrange(len(data)), draw.choice((1, 4, 8, 64, 1024))
    return data[:start] + bytes([draw.choice((0, 255, 127))]) * size + data[start + size :]


def splice(data: bytes, draw: random.Random) -> bytes:
    """The beginning of this file and the end of another."""
    others = sorted(
        path for path in SAMPLES.rglob("*") if path.suffix in (".keras", ".h5", ".pb", ".index")
    )
    other = draw.choice(others).read_bytes()
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def grow(data: bytes, draw: random.Random) -> bytes:
    """A part of the file, up to some 100,000 times."""
    start = draw.randrange(len(data))
    part = data[start : start + draw.choice((1, 4, 30, 1000))]
    return data[:start] + part * (draw.choice((1 << 12, 1 << 17)) // len(part)) + data[start:]


ANY: tuple[Mutation, ...] = (flip, cut, drop, double, swap, fill, splice, grow)


def edit_proto(data: bytes, draw: random.Random) -> bytes:
    """Change single fields of a SavedModel message."""
    saved = message("SavedModel")()
    saved.ParseFromString(data)
    for _ in range(draw.choice((1, 1, 3))):
        _edit_message(saved, draw)
    return bytes(saved.SerializeToString())


def grow_proto(data: bytes, draw: random.Random) -> bytes:
    """Repeat what a SavedModel holds: nodes, functions, objects, their inputs and attributes; each
    copy as it is, or under a name of its own, or a name that grows."""
    saved = message("SavedModel")()
    saved.ParseFromString(data)
    repeated: list[Any] = []
    waiting: list[Any] = [saved]
    while waiting:
        for field, held in waiting.pop().ListFields():
            if hasattr(held, "ListFields"):
                waiting.append(held)
            elif hasattr(held, "add") and len(held):
                repeated.append(held)
                waiting += list(held[:40])
            elif hasattr(held, "append") and field.type == field.TYPE_STRING:
                repeated.append(held)
    held = draw.choice(repeated)
    item, count = held[draw.randrange(len(held))], draw.choice((30, 3000))
    if hasattr(item, "ByteSize"):
        count = min(count, 1 + _MOST_GROWN // (1 + item.ByteSize()))
    named = hasattr(item, "name") and isinstance(item.name, str) and draw.random() < 0.7
    name = item.name if named else ""
    long = draw.random() < 0.2
    for number in range(count):
        if not hasattr(item, "ListFields"):
            held.append(item if draw.random() < 0.5 else f"{item}{number}"[:99])
            continue
        held.add().CopyFrom(item)
        if named:
            held[-1].name = "a/" * min(number, 300) + name if long else f"{name}_{number}"
    return bytes(saved.SerializeToString())


def _edit_message(value: Any, draw: random.Random) -> None:
    """Go down to a field at random and change it there."""
    for _ in range(40):
        fields = value.ListFields()
        if not fields:
            return
        field, held = draw.choice(fields)
        repeated = (
            hasattr(held, "__len__")
            and not isinstance(held, str | bytes)
            and not hasattr(held, "ListFields")
        )
        if repeated and hasattr(held, "keys"):
            key = draw.choice(sorted(held))
            if draw.random() < 0.2 or not hasattr(held[key], "ListFields"):
                del held[key]
                return
            value = held[key]
        elif repeated:
            index = draw.randrange(len(held))
            if draw.random() < 0.1:
                del held[index]
                return
            if hasattr(held[index], "ListFields"):
                value = held[index]
            else:
                held[index] = _other(held[index], draw)
                return
        elif hasattr(held, "ListFields"):
            value = held
        else:
            try:
                setattr(value, field.name, _other(held, draw))
            except (ValueError, TypeError):  # out of the range of the field
                value.ClearField(field.name)
            return


def _other(value: Any, draw: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return type(value)(draw.choice(_NUMBERS))
    nasty = draw.choice(_NASTY)
    return (
        nasty.encode("utf-8", "surrogatepass")
        if isinstance(value, bytes)
        else nasty.encode("utf-8", "ignore").decode()
    )


def edit_archive(data: bytes, draw: random.Random) -> bytes:
    """Change a member, its name, or the JSON in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = draw.choice(sorted(members))
    act = draw.randrange(4)
    if act == 0:
        del members[name]
    elif act == 1:
        members[draw.choice((*_NASTY[4:5], "x", name + "x", "assets/" + name))] = members.pop(name)
    elif act == 2 or not name.endswith(".json"):
        members[name] = draw.choice(ANY)(members[name], draw) if members[name] else b"x"
    else:
        members[name] = edit_json(members[name], draw)
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as target:
        for member, content in members.items():
            target.writestr(member, content)
    return packed.getvalue()


def edit_hdf5(data: bytes, draw: random.Random) -> bytes:
    """Give groups and datasets of an HDF5 file other attributes, other names, or take them away."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "a") as file:
        for _ in range(draw.choice((1, 1, 3))):
            places: list[str] = []
            file.visit(places.append)
            place = file[draw.choice(["/", *places])]
            if draw.random() < 0.4 and place.name != "/":
                _move(file, place.name, draw)
            else:
                _edit_attribute(place.attrs, draw)
    return buffer.getvalue()


def _move(file: Any, name: str, draw: random.Random) -> None:
    act = draw.randrange(3)
    if act == 0:
        # A circle of hard links.
        file[name + draw.choice(("x", "\u202e", "/vars/0", "/layers"))] = file["/"]
    elif act == 1:
        file["moved"] = file[name]
    if act:
        del file[name]


def _edit_attribute(attributes: Any, draw: random.Random) -> None:
    if not attributes:
        attributes[draw.choice(("weight_names", "layer_names", "name", "keras_version"))] = (
            draw.choice(_VALUES)
        )
        return
    key = draw.choice(sorted(attributes))
    value = attributes[key]
    if isinstance(value, str) and value.startswith("{"):
        attributes[key] = edit_json(value.encode(), draw).decode()
    elif draw.random() < 0.2:
        del attributes[key]
    elif hasattr(value, "shape") and draw.random() < 0.5:
        attributes[key] = np.array(
            [str(one) + draw.choice(("", "x", "\u202e", "/")) for one in value], _TEXT
        )
    else:
        attributes[key] = draw.choice(_VALUES)


def _places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every list and mapping in a JSON value, once with each of its keys."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys: Any = ()
        if isinstance(holder, dict):
            keys = list(holder)
        elif isinstance(holder, list):
            keys = range(len(holder))
        places += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys]
    return places


def edit_json(data: bytes, draw: random.Random) -> bytes:
    """Put another value at a place of a JSON text."""
    value = json.loads(data)
    places = _places_in(value)
    for _ in range(draw.choice((1, 1, 3))):
        holder, key = draw.choice(places)
        other: Any = draw.choice(
            (
                *_NASTY,
                *_NUMBERS,
                None,
                True,
                [],
                {},
                [[]] * 3,
                {"class_name": "X", "config": {}},
                value,
            )
        )
        holder[key] = json.loads(json.dumps(other))
    return json.dumps(value).encode()


def edit_index(data: bytes, draw: random.Random) -> bytes:
    """Change bytes of an index of variables and write the checksums again, as who means harm
    would."""
    found, numbers, at = bytearray(data), [], len(data) - _FOOTER
    while len(numbers) < 4:
        value, shift = 0, 0
        while data[at] > 127:
            value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
        numbers.append(value | data[at] << shift)
        at += 1
    other, size, index, length = numbers
    values = (0, other - _TRAILER)
    for _ in range(draw.choice((1, 1, 2))):
        start, extent = draw.choice((values, values, values, (other, size), (index, length)))
        place = start + draw.randrange(extent)
        found[place] = draw.choice((found[place] ^ 1 << draw.randrange(8), 0, 1, 127, 255))
    for start, extent in (values, (other, size), (index, length)):
        end = start + extent + 1
        found[end : end + 4] = masked_crc32c(bytes(found[start:end])).to_bytes(4, "little")
    return bytes(found)


def grow_json(data: bytes, draw: random.Random) -> bytes:
    """Repeat an item of a list or a mapping, nest it in itself, or lengthen a text."""
    value = json.loads(data)
    places = _places_in(value)
    holder, key = draw.choice(places)
    item, count = holder[key], draw.choice((30, 3000))
    act = draw.randrange(3)
    if act == 0 and isinstance(item, str):
        holder[key] = item * count
    elif act == 1:
        for _ in range(min(count, 400)):
            item = {"config": item, "class_name": "Dense"} if count > 30 else [item]
        holder[key] = item
    elif isinstance(holder, list):
        holder.extend([item] * count)
    else:
        holder.update({f"{key}_{number}": item for number in range(count)})
    return json.dumps(value).encode()


def grow_archive(data: bytes, draw: random.Random) -> bytes:
    """Make the configuration larger, or add members."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    if draw.random() < 0.8:
        members["config.json"] = grow_json(members["config.json"], draw)
    else:
        name = draw.choice(sorted(members))
        copies = draw.choice((30, 3000))
        members |= {f"assets/{number}/{name}": b"x" for number in range(copies)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for member, content in members.items():
            target.writestr(member, content)
    return packed.getvalue()


def grow_hdf5(data: bytes, draw: random.Random) -> bytes:
    """Add groups, beside each other or below each other, names and attributes."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "a") as file:
        count = draw.choice((30, 1000))
        groups = ["/"]
        file.visititems(lambda name, item: groups.append(name) if hasattr(item, "keys") else None)
        group = file[draw.choice(groups)]
        act = draw.randrange(3)
        if act == 0:
            for number in range(count):
                group[f"grown_{number}/vars/0"] = [0.5]
        elif act == 1:
            group["/".join(["x"] * min(count, 200))] = [0.5]
        else:
            key = draw.choice(("model_config", "training_config"))
            if key in file.attrs:
                text = grow_json(str(file.attrs[key]).encode(), draw).decode()
                file.attrs[key] = text[: 60_000 if draw.random() < 0.5 else None]
    return buffer.getvalue()


KINDS: Mapping[str, tuple[str, str, tuple[Mutation, ...]]] = MappingProxyType(
    {
        "saved_model": (
            "*_saved_model",
            "saved_model.pb",
            (*ANY, *[edit_proto] * 3, *[grow_proto] * 3),
        ),
        "index": ("*_saved_model", "variables/variables.index", (*ANY, *[edit_index] * len(ANY))),
        "keras": ("*.keras", "", (*ANY, *[edit_archive] * 3, *[grow_archive] * 3)),
        "h5": ("*.h5", "", (*ANY, *[edit_hdf5] * 3, *[grow_hdf5] * 3)),
    }
)
"""The samples to start from, the file in each that is altered, and how."""


def drawn(kind: str, seed: int) -> tuple[random.Random, Path, Mutation]:
    """The sample that the seed damages, and how, with what the damage itself is drawn from."""
    draw = random.Random(f"{kind} {seed}")
    pattern, _, mutations = KINDS[kind]
    return draw, draw.choice(sorted(SAMPLES.glob(pattern))), draw.choice(mutations)


def one_of_each(kind: str) -> dict[Mutation, int]:
    """The first seed for each way to damage a model of that kind."""
    seeds: dict[Mutation, int] = {}
    for seed in itertools.count():
        if len(seeds) == len({*KINDS[kind][2]}):
            return seeds
        seeds.setdefault(drawn(kind, seed)[2], seed)
    raise AssertionError  # the count has no end


def mutated(kind: str, seed: int, folder: Path) -> Path:
    """Write the damaged model of that seed below ``folder`` and return its path."""
    draw, model, mutation = drawn(kind, seed)
    inside = KINDS[kind][1]
    target = folder / f"{kind}-{seed}{model.suffix}"
    files = [path for path in model.rglob("*") if path.is_file()] if inside else [model]
    for file in files:
        data = file.read_bytes()
        if not inside or file == model / inside:
            try:
                data = mutation(data, draw)
            except (
                RecursionError,
                ValueError,
                KeyError,
                TypeError,
                OSError,
                RuntimeError,
            ):  # h5py has its own limits
                data = b""
        place = target / file.relative_to(model) if inside else target
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return target
