"""Read MLIR bytecode, in which JAX writes a compiled program, into its operations.

Source: mlir/docs/BytecodeFormat.md and mlir/lib/Bytecode/Reader/BytecodeReader.cpp of LLVM,
versions 0 to 6 of the format; the strings of VHLO by stablehlo/dialect/VhloBytecode.cpp
(StableHLO 1.15).
What is not needed here (types, constants, places in the source) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gradflow.lazy_dataclass import dataclass

MAGIC = b"ML\xefR"
_STRINGS, _DIALECTS, _ATTRIBUTES, _OFFSETS, _OPERATIONS = range(5)
_PROPERTIES = 8
_NEWEST = 6
_DEEPEST = 64
"""Regions in regions. JAX writes some five; more of them would only use up the stack."""
_TEXT_CODES: Mapping[str, int] = MappingProxyType({"builtin": 2, "vhlo": 14})
"""By dialect, the number by which an attribute says that it is a string."""
_DICTIONARY = 1
"""The number of a dictionary among the attributes of the dialect ``builtin``."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a program."""

    name: str
    """With its dialect: ``vhlo.add_v1``."""
    texts: tuple[str, ...] = ()
    """The strings among its own attributes, in no order that counts."""
    named_texts: tuple[tuple[str, str], ...] = ()
    """Those of the attributes that anybody may add, or that older versions write by name."""


class MalformedError(Exception):
    """The bytes are no MLIR bytecode, or of a version that nobody has looked at."""


def operations(data: bytes, with_texts: re.Pattern[str]) -> tuple[Operation, ...]:
    """Return every operation of a program, those in its regions too.

    Args:
        data: The whole program.
        with_texts: Which of them, by their names, are told with the strings of their attributes.

    Raises:
        MalformedError: The bytes are something else, or go on where they should end.
    """
    try:
        return tuple(_Program(data, with_texts).operations())
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise MalformedError(str(error)) from error


class _Bytes:
    """A part of the whole, read from its start to its end."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.at = start
        self.end = end

    def byte(self) -> int:
        self.at += 1
        if self.at > self.end:
            raise IndexError("ends too early")
        return self.data[self.at - 1]

    def part(self, size: int) -> _Bytes:
        self.at += size
        if self.at > self.end:
            raise IndexError("ends too early")
        return _Bytes(self.data, self.at - size, self.at)

    def number(self) -> int:
        """Read a number whose first byte tells, by its zeros, how many bytes follow."""
        first = self.byte()
        if not first:
            return int.from_bytes(self.part(8).rest(), "little")
        more = (first & -first).bit_length() - 1
        return int.from_bytes(bytes([first]) + self.part(more).rest(), "little") >> (more + 1)

    def flagged(self) -> tuple[int, bool]:
        value = self.number()
        return value >> 1, bool(value & 1)

    def numbers(self) -> list[int]:
        return [self.number() for _ in range(self.number())]

    def rest(self) -> bytes:
        return self.data[self.at : self.end]

    def section(self) -> tuple[int, _Bytes]:
        kind, size = self.byte(), self.number()
        if kind & 0x80:
            alignment = self.number()
            if not alignment or alignment & (alignment - 1):
                raise ValueError("aligned to what is no power of two")
            while self.at % alignment:
                if self.byte() != 0xCB:
                    raise ValueError("padded with something")
        return kind & 0x7F, self.part(size)

    @property
    def is_done(self) -> bool:
        return self.at >= self.end

    def must_end(self) -> None:
        if not self.is_done:
            raise ValueError("goes on after its end")


class _Program:
    def __init__(self, data: bytes, with_texts: re.Pattern[str]) -> None:
        self.with_texts = with_texts
        whole = _Bytes(data, 0, len(data))
        if whole.part(len(MAGIC)).rest() != MAGIC:
            raise ValueError("is not MLIR bytecode")
        self.version = whole.number()
        if self.version > _NEWEST:
            raise ValueError(f"is of version {self.version}")
        whole.part(data.index(0, whole.at) + 1 - whole.at)  # who wrote it
        self.sections: dict[int, _Bytes] = {}
        while not whole.is_done:
            kind, part = whole.section()
            if kind in self.sections or kind > _PROPERTIES:
                raise ValueError(f"has section {kind} twice, or nobody knows it")
            self.sections[kind] = part
        self.strings = self._read_strings()
        self.dialects, self.names = self._read_names()
        self.attributes = self._read_attributes()
        self.properties = self._read_properties()

    def _section(self, kind: int) -> _Bytes:
        if kind not in self.sections:
            raise ValueError(f"lacks section {kind}")
        return self.sections[kind]

    def _read_strings(self) -> list[str]:
        part = self._section(_STRINGS)
        sizes = part.numbers()[::-1]
        strings = [part.part(size).rest()[:-1].decode("utf-8", "replace") for size in sizes]
        part.must_end()
        return strings

    def _read_names(self) -> tuple[list[str], list[str]]:
        """Read the dialects, and the names of the operations that the program has."""
        part = self._section(_DIALECTS)
        dialects: list[str] = []
        for _ in range(part.number()):
            name, is_versioned = part.flagged() if self.version >= 1 else (part.number(), False)
            dialects.append(self.strings[name])
            if is_versioned:
                part.section()
        if self.version >= 4:
            part.number()  # how many names there are
        names: list[str] = []
        while not part.is_done:
            dialect = dialects[part.number()]
            for _ in range(part.number()):
                name = part.flagged()[0] if self.version >= 5 else part.number()
                names.append(f"{dialect}.{self.strings[name]}")
        return dialects, names

    def _read_attributes(self) -> list[tuple[str, bool, _Bytes]]:
        """Read the dialect of each attribute, whether it is encoded and not spelled out, and its
        bytes."""
        sizes, part = self._section(_OFFSETS), self._section(_ATTRIBUTES)
        count = sizes.number()
        sizes.number()  # the types come after the attributes
        attributes: list[tuple[str, bool, _Bytes]] = []
        while not sizes.is_done:
            dialect = self.dialects[sizes.number()]
            for _ in range(sizes.number()):
                size, is_encoded = sizes.flagged()
                attributes.append((dialect, is_encoded, part.part(size)))
        return attributes[:count]

    def _read_properties(self) -> list[_Bytes]:
        if _PROPERTIES not in self.sections:
            return []
        part = self._section(_PROPERTIES)
        properties = [part.part(part.number()) for _ in range(part.number())]
        part.must_end()
        return properties

    def operations(self) -> Iterator[Operation]:
        part = self._section(_OPERATIONS)
        yield from self._block(part, 0)
        part.must_end()

    def _block(self, part: _Bytes, depth: int) -> Iterator[Operation]:
        count, has_arguments = part.flagged()
        if has_arguments:
            arguments = part.number()
            for _ in range(arguments):
                _, has_location = part.flagged()  # its type
                if has_location or self.version < 4:
                    part.number()
            if self.version >= 3 and part.byte():
                _pass_use_orders(part, arguments)
        for _ in range(count):
            yield from self._operation(part, depth)

    def _operation(self, part: _Bytes, depth: int) -> Iterator[Operation]:
        name, mask = self.names[part.number()], part.byte()
        part.number()  # where it stands in the source
        added = part.number() if mask & 1 else None
        own = self.properties[part.number()] if mask & 64 else None
        results = len(part.numbers()) if mask & 2 else 0
        for bit in (4, 8):  # operands, successors
            if mask & bit:
                part.numbers()
        if mask & 32 and self.version >= 3:
            _pass_use_orders(part, results)
        if self.with_texts.fullmatch(name):
            yield Operation(
                name,
                () if own is None else tuple(self._texts(own)),
                () if added is None else tuple(self._named_texts(added)),
            )
        else:
            yield Operation(name)
        if mask & 16:
            yield from self._regions(part, depth + 1)

    def _regions(self, part: _Bytes, depth: int) -> Iterator[Operation]:
        if depth > _DEEPEST:
            raise ValueError(f"nests regions more than {_DEEPEST} deep")
        count, is_isolated = part.flagged()
        inner = part
        if count and is_isolated and self.version >= 2:
            kind, inner = part.section()
            if kind != _OPERATIONS:
                raise ValueError("has no operations where they should be")
        for _ in range(count):
            blocks = inner.number()
            if blocks:
                inner.number()  # how many values it defines
            for _ in range(blocks):
                yield from self._block(inner, depth)
        if inner is not part:
            inner.must_end()

    def _texts(self, properties: _Bytes) -> Iterator[str]:
        part = _Bytes(properties.data, properties.at, properties.end)
        while not part.is_done:
            number = part.number()
            yield from self._text(number)

    def _text(self, number: int) -> Iterator[str]:
        dialect, is_encoded, attribute = self.attributes[number]
        if not is_encoded:
            yield attribute.rest().decode("utf-8", "replace")
            return
        part = _Bytes(attribute.data, attribute.at, attribute.end)
        if part.number() == _TEXT_CODES.get(dialect):
            yield self.strings[part.number()]

    def _named_texts(self, number: int) -> Iterator[tuple[str, str]]:
        dialect, is_encoded, attribute = self.attributes[number]
        part = _Bytes(attribute.data, attribute.at, attribute.end)
        if not is_encoded or dialect != "builtin" or part.number() != _DICTIONARY:
            raise ValueError("has attributes that are no dictionary")
        for _ in range(part.number()):
            name, value = part.number(), part.number()
            for key in self._text(name):
                yield from ((key, text) for text in self._text(value))


def _pass_use_orders(part: _Bytes, values: int) -> None:
    for _ in range(part.number() if values > 1 else 1):
        if values > 1:
            part.number()
        count, _ = part.flagged()
        for _ in range(count):
            part.number()
