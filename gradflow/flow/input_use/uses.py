"""Describe what a graph does with its inputs: which numbers, words or records they can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from gradflow.lazy_dataclass import dataclass

Source = tuple[str, ...]
"""An input's name, or an input's name and the key of a feature that is parsed out of it."""


class Text(str, Enum):
    """What the strings of an input have to hold."""

    NUMBERS = "numbers"
    IMAGES = "images"
    AUDIO = "audio"
    EXAMPLES = "examples"


class Parts(str, Enum):
    """How a feature lies in a ``tf.Example``."""

    DENSE = "dense"
    SPARSE = "sparse"
    RAGGED = "ragged"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of the ``tf.Example`` records that an input takes."""

    key: str
    parts: Parts
    dtype: str
    shape: tuple[int | None, ...]
    """Of one record; a dense feature without a size (None) may have any number of entries."""
    use: Use


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table."""

    handle: int | str
    """The argument of the outermost function, or the name of the node, that stands for it."""
    keys: str
    """Their data type."""
    values: str


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of the entries of one input."""

    is_index: bool = False
    """Some op takes them as row numbers or classes."""
    low: int = 0
    high: int | None = None
    """Row numbers are below this; None where the number of rows is not known."""
    is_mask: bool = False
    is_length: bool = False
    """Of a sequence."""
    is_size: bool = False
    """Part of a shape, or a count."""
    is_sorted: bool = False
    """Segment numbers, which must not fall."""
    positive: bool = False
    """A logarithm or a root is taken of them."""
    is_share: bool = False
    """Between 0 and 1."""
    text: Text | None = None
    is_base64: bool = False
    is_split: bool = False
    """The strings are split into words."""
    table: Table | None = None
    """The lookup table that takes them as its keys."""
    features: tuple[Feature, ...] = ()
    rank: int | None = None
    last: int | None = None
    """Size of the last dimension, where a layer insists on it."""


@dataclass(frozen=True, slots=True)
class SparseParts:
    """Three inputs that are one sparse tensor."""

    indices: str
    values: str
    dense_shape: str
    shape: tuple[int | None, ...] | None = None
    """Of the whole, where it is declared."""
    name: str | None = None
    """Under which the model takes it as one; None where its parts are inputs of their own."""


@dataclass(frozen=True, slots=True)
class RaggedParts:
    """Inputs that are one ragged tensor: its values and, from the outermost, its row splits."""

    values: str
    splits: tuple[str, ...]
    name: str | None = None
    """As for ``SparseParts``."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What a graph does with its inputs."""

    by_input: Mapping[str, Use] = field(default_factory=dict)
    sparse: tuple[SparseParts, ...] = ()
    ragged: tuple[RaggedParts, ...] = ()


NOTHING_KNOWN = Uses()
