"""Read the names, shapes, types and texts of an HDF5 file of the plain form that Keras writes.

In pure Python: neither NumPy nor the HDF5 library is imported, and no broken heap can hurt. What is
not of the plain form, in whatever way, is left to the library: links, filters, chunks, external or
virtual data, shared messages, later versions, a second message of a kind, objects under two names,
and whatever contradicts itself. So a file that is read here holds nothing of these.

Source: HDF5 File Format Specification 3.0, the parts that version 0 of the superblock uses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from struct import Struct
from struct import error as malformed
from typing import IO, Any

_UNDEFINED = (1 << 64) - 1
_PAGE = 1 << 13
_MOST_PAGES = 4096
"""Pages that are kept: a file cannot make this process read on and on."""
_MOST_OBJECTS = 100_000
_MOST_DEPTH = 50
_MOST_BYTES = 1 << 28
"""Of one text."""
_MOST_RANK = 32
_MOST_UNWRITTEN = 1 << 20
"""Bytes of an array that the file claims and does not hold."""

_SUPERBLOCK = Struct("<8s3Bx3Bx4xI4Q")
_ENTRY = Struct("<2QI4x2Q")
_HEADER = Struct("<BxHII4x")
_MESSAGE = Struct("<HHB3x")
_TREE = Struct("<4sBBHQQ")
_LEAF = Struct("<4sBxH")
_HEAP = Struct("<4sB3xQQQ")
_HEAP_OBJECT = Struct("<HH4xQ")
_TEXT = Struct("<IQI")
_COLLECTION = Struct("<4sB3xQ")
_SIZES = Struct("<3H")
_TWO = Struct("<2Q")

_SPACE, _TYPE, _LAYOUT, _ATTRIBUTE, _CONTINUES, _TABLE = 0x01, 0x03, 0x08, 0x0C, 0x10, 0x11
_NOTHING, _OLD_FILL, _FILL, _OLD_TIME, _TIME = 0x00, 0x04, 0x05, 0x0E, 0x12
_ONCE = frozenset({_SPACE, _TYPE, _LAYOUT, _TABLE})
_WITHOUT_MEANING = frozenset({_NOTHING, _OLD_FILL, _FILL, _OLD_TIME, _TIME})
"""For names, shapes and types."""
_HARMLESS = 0b101
"""Flags of a message that stands where it is: it is constant, it is not to be shared."""
_CONTIGUOUS = bytes([3, 1])
"""Version and class of a layout."""
_WHOLE, _FIXED_TEXT, _HEAP_TEXT = 0x10, 0x13, 0x19
"""First bytes of types: class and version 1."""

# The bytes of a type in the file, by its NumPy name.
_FLOATS = {
    "float16": "11200f00 02000000 0000 1000 0a 05 00 0a 0f000000",
    "float32": "11201f00 04000000 0000 2000 17 08 00 17 7f000000",
    "float64": "11203f00 08000000 0000 4000 34 0b 00 34 ff030000",
}
_WHOLES = {
    f"{'' if signed else 'u'}int{8 * size}": bytes([0x10, 8 * signed, 0, 0, size, 0, 0, 0, 0, 0])
    + bytes([8 * size, 0])
    for size in (1, 2, 4, 8)
    for signed in (0, 1)
}
_TYPES: dict[bytes, tuple[str, int]] = {
    **{bytes.fromhex(code): (name, int(name[5:]) // 8) for name, code in _FLOATS.items()},
    **{code: (name, code[4]) for name, code in _WHOLES.items()},
}
_NO_TEXT = object()
"""Stands for the value of an attribute that is no text, which nobody asks for."""
_ONE_TEXT = frozenset({"model_config", "training_config", "keras_version", "name", "dtype"})
"""Attributes that are one text, never a list of them."""


class NotPlainError(Exception):
    """The file is not of the plain form: the HDF5 library has to read it."""


class PlainObject:
    """A group or a dataset; its attributes that are texts, by name, and who holds it."""

    __slots__ = ("attrs", "parent")

    def __init__(self, attrs: dict[str, Any], parent: PlainGroup | None) -> None:
        self.attrs, self.parent = attrs, parent

    def is_text(self, name: str) -> bool:
        """Return whether the attribute of that name is a text, or a list of texts."""
        return self.attrs[name] is not _NO_TEXT


class PlainDataset(PlainObject):
    """An array, of which only the form is read."""

    __slots__ = ("dtype", "shape")

    def __init__(
        self, attrs: dict[str, Any], parent: PlainGroup, shape: tuple[int, ...], dtype: str
    ) -> None:
        super().__init__(attrs, parent)
        self.shape, self.dtype = shape, dtype


class PlainGroup(PlainObject):
    """A group, with what is in it by name, in the order of the file."""

    __slots__ = ("members",)

    def __init__(self, attrs: dict[str, Any], parent: PlainGroup | None) -> None:
        super().__init__(attrs, parent)
        self.members: dict[str, PlainObject] = {}

    def keys(self) -> list[str]:
        """Return the names of what is in it."""
        return list(self.members)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __contains__(self, path: str) -> bool:
        return self.at(path) is not None

    def at(self, path: str) -> PlainObject | None:
        """Return what stands at a path below; None where nothing does."""
        item: PlainObject | None = self
        for part in path.split("/"):
            if part:
                item = item.members.get(part) if isinstance(item, PlainGroup) else None
        return item


def read_plain(source: IO[bytes]) -> PlainGroup:
    """Return the root group of an HDF5 file, with all that is in it.

    Raises:
        NotPlainError: the file is not of the plain form, or is damaged.
    """
    try:
        return _Reader(source).root()
    except (IndexError, ValueError, OverflowError, malformed) as error:
        raise NotPlainError from error


class _Reader:
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._size = source.seek(0, 2)
        self._pages: dict[int, bytes] = {}
        self._seen: set[int] = set()
        self._heaps: dict[int, dict[int, bytes]] = {}

    def root(self) -> PlainGroup:
        """Read the file from its first byte."""
        magic, *versions, offsets, lengths, _, base, free, end, driver = _SUPERBLOCK.unpack(
            self._at(0, _SUPERBLOCK.size)
        )
        _need(magic == b"\x89HDF\r\n\x1a\n" and versions == [0, 0, 0, 0])
        _need((offsets, lengths, base) == (8, 8, 0) and free == driver == _UNDEFINED)
        _need(end <= self._size)  # else it is cut short
        self._size = end
        top = self._object(self._at(_SUPERBLOCK.size, _ENTRY.size), 0, None, 0)
        if not isinstance(top, PlainGroup):
            raise NotPlainError
        return top

    def _object(self, entry: bytes, at: int, parent: PlainGroup | None, depth: int) -> PlainObject:
        """Return the object of a symbol table entry."""
        _, header, cached, cached_tree, cached_names = _ENTRY.unpack_from(entry, at)
        _need(header not in self._seen and len(self._seen) < _MOST_OBJECTS and depth < _MOST_DEPTH)
        self._seen.add(header)
        texts: dict[str, Any] = {}
        parts: dict[int, bytes] = {}
        for kind, body in self._messages(header):
            if kind == _ATTRIBUTE:
                name, value = self._attribute(body)
                _need(name not in texts)
                texts[name] = value
            elif kind in _ONCE:
                _need(kind not in parts)
                parts[kind] = body
            else:
                _need(kind in _WITHOUT_MEANING)
        if parts.keys() == {_TABLE}:
            tree, names = _TWO.unpack_from(parts[_TABLE])
            # The library may go by what the entry repeats.
            _need(cached == 0 or (cached == 1 and (cached_tree, cached_names) == (tree, names)))
            group = PlainGroup(texts, parent)
            self._fill(group, tree, names, depth)
            return group
        _need(parts.keys() == {_SPACE, _TYPE, _LAYOUT} and cached == 0 and parent is not None)
        return self._dataset(texts, parent, parts)  # type: ignore[arg-type]  # it has a parent

    def _messages(self, header: int) -> Iterator[tuple[int, bytes]]:
        version, count, references, size = _HEADER.unpack(self._at(header, _HEADER.size))
        _need(version == 1 and references == 1)
        blocks = [(header + _HEADER.size, size)]
        for address, length in blocks:
            block, at = self._at(address, length), 0
            while at < length:
                kind, size, flags = _MESSAGE.unpack_from(block, at)
                at += _MESSAGE.size + size
                count -= 1
                _need(at <= length and count >= 0 and not flags & ~_HARMLESS)
                body = block[at - size : at]
                if kind == _CONTINUES:
                    blocks.append(_TWO.unpack_from(body))
                else:
                    yield kind, body
        _need(count == 0)

    def _fill(self, group: PlainGroup, tree: int, names: int, depth: int) -> None:
        """Read what is in a group."""
        magic, version, size, _, address = _HEAP.unpack(self._at(names, _HEAP.size))
        _need(magic == b"HEAP" and version == 0)
        heap, last = self._at(address, size), b""
        for leaf in self._leaves(tree):
            magic, version, count = _LEAF.unpack(self._at(leaf, _LEAF.size))
            _need(magic == b"SNOD" and version == 1)
            entries = self._at(leaf + _LEAF.size, count * _ENTRY.size)
            for at in range(0, len(entries), _ENTRY.size):
                start: int = _ENTRY.unpack_from(entries, at)[0]
                name = heap[start : heap.index(b"\0", start)]
                # In order, each once: the library finds no other one by a name than is read here.
                _need(last < name != b"." and b"/" not in name)
                last = name
                group.members[name.decode()] = self._object(entries, at, group, depth + 1)

    def _leaves(self, tree: int) -> list[int]:
        """Return where the leaves of a B-tree are, which has to be whole."""
        nodes, expected = [tree], None
        while True:
            below: list[int] = []
            for number, node in enumerate(nodes):
                magic, kind, level, used, left, right = _TREE.unpack(self._at(node, _TREE.size))
                _need(magic == b"TREE" and kind == 0 and expected in (None, level))
                expected = level
                _need(left == (nodes[number - 1] if number else _UNDEFINED))
                _need(right == (nodes[number + 1] if number + 1 < len(nodes) else _UNDEFINED))
                # A key before each child, and one at the end.
                inside = self._at(node + _TREE.size, 8 + 16 * used)
                below += [child for _, child in _TWO.iter_unpack(inside[:-8])]
                _need(len(below) < _MOST_OBJECTS)
            if not expected:
                return below
            nodes, expected = below, expected - 1

    def _dataset(
        self, texts: dict[str, Any], parent: PlainGroup, parts: dict[int, bytes]
    ) -> PlainDataset:
        shape, layout = _shape(parts[_SPACE]), parts[_LAYOUT]
        type_ = parts[_TYPE]
        length = 12 if type_[0] == _WHOLE else 20
        dtype, size = _TYPES.get(type_[:length], ("", 0))
        address, stored = _TWO.unpack_from(layout, 2)
        _need(bool(dtype) and layout[:2] == _CONTIGUOUS and stored == size * math.prod(shape))
        is_unwritten = address == _UNDEFINED and stored <= _MOST_UNWRITTEN
        _need(is_unwritten or address + stored <= self._size)
        return PlainDataset(texts, parent, shape, dtype)

    def _attribute(self, body: bytes) -> tuple[str, Any]:
        version, flags = body[0], body[1]
        _need(version in (1, 3) and flags == 0)
        sizes = _SIZES.unpack_from(body, 2)
        at, parts = 8 if version == 1 else 9, []
        for size in sizes:
            parts.append(body[at : at + size])
            _need(len(parts[-1]) == size)
            at += size + (-size % 8 if version == 1 else 0)
        name, type_, space = parts
        _need(name.endswith(b"\0") and name.count(b"\0") == 1)
        return self._named(name[:-1].decode(), type_, _shape(space), body[at:])

    def _named(
        self, name: str, type_: bytes, shape: tuple[int, ...], data: bytes
    ) -> tuple[str, Any]:
        size = int.from_bytes(type_[4:8], "little")
        if type_[0] == _HEAP_TEXT:
            _need(type_[1] & 0xF == 1 and size == _TEXT.size)
            texts: list[Any] = [
                self._heap_text(*_TEXT.unpack_from(data, at * size))
                for at in range(_count(shape, size, data))
            ]
        elif type_[0] == _FIXED_TEXT:
            _need(type_[1] & 0xF in (0, 1) and size > 0)
            texts = [
                data[at * size : (at + 1) * size].rstrip(b"\0")
                for at in range(_count(shape, size, data))
            ]
            _need(not any(b"\0" in text for text in texts))
        else:
            _need(type_[0] & 0xF in (0, 1))  # a whole number or a float
            return name, _NO_TEXT
        _need(len(shape) <= (0 if name in _ONE_TEXT else 1))
        return name, texts if shape else texts[0]

    def _heap_text(self, length: int, address: int, index: int) -> str:
        if not length:
            return ""
        if address not in self._heaps:
            self._heaps[address] = dict(self._heap(address))
        text = self._heaps[address].get(index, b"")[:length]
        _need(len(text) == length and b"\0" not in text)
        return text.decode()

    def _heap(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Yield the objects of a global heap by their numbers."""
        magic, version, size = _COLLECTION.unpack(self._at(address, _COLLECTION.size))
        _need(magic == b"GCOL" and version == 1)
        whole, at, numbers = self._at(address, size), _COLLECTION.size, set()
        while at + _HEAP_OBJECT.size <= size:
            number, _, length = _HEAP_OBJECT.unpack_from(whole, at)
            if number == 0:  # what is free
                return
            at += _HEAP_OBJECT.size
            _need(at + length <= size and number not in numbers)
            numbers.add(number)
            yield number, whole[at : at + length]
            at += length + -length % 8

    def _at(self, address: int, size: int) -> bytes:
        """Return bytes of the file, all of them."""
        _need(size <= _MOST_BYTES and address + size <= self._size)
        number, start = divmod(address, _PAGE)
        if start + size <= _PAGE:
            data = self._page(number)[start : start + size]
        else:
            self._source.seek(address)
            data = self._source.read(size)
        _need(len(data) == size)
        return data

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            if len(self._pages) == _MOST_PAGES:
                self._pages.clear()
            self._source.seek(number * _PAGE)
            self._pages[number] = self._source.read(_PAGE)
        return self._pages[number]


def _shape(space: bytes) -> tuple[int, ...]:
    version, rank, has_most = space[0], space[1], space[2]
    _need(version in (1, 2) and rank <= _MOST_RANK and has_most in (0, 1))
    _need(version == 1 or space[3] == (1 if rank else 0))  # not the null space
    at = 8 if version == 1 else 4
    sizes = Struct(f"<{rank}Q")
    shape = sizes.unpack_from(space, at)
    _need(not has_most or sizes.unpack_from(space, at + sizes.size) == shape)
    return shape


def _count(shape: tuple[int, ...], size: int, data: bytes) -> int:
    count = math.prod(shape)
    _need(count * size <= len(data))
    return count


def _need(is_so: bool) -> None:
    if not is_so:
        raise NotPlainError
