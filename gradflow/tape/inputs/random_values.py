"""Draw random entries for an input that suit what the graph uses it for."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.input_use.uses import Table, Text, Use
from gradflow.tape.inputs.tf_examples import serialized_examples

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

SMALL = 8
"""Row numbers are drawn below this where nothing says how many rows there are."""
_MOST_FLOAT_IDS = 16
"""An input of floating numbers can hold row numbers in one column and measurements in the
others."""
QUANTIZED = {
    "qint8": "int8",
    "quint8": "uint8",
    "qint16": "int16",
    "quint16": "uint16",
    "qint32": "int32",
}
"""The plain type of the same width: NumPy has no other."""
_MASK = re.compile(r"(?i:(?<![a-z])masks?(?![a-z]))|(?<=[a-z])Masks?(?![a-z])")
"""A word of an input's name: ``padding_mask`` and ``paddingMask``, not ``masked_image``."""
_WORDS = (b"a", b"the", b"of", b"some", b"words")
_SENTENCE = 5
"""Words of a text that the model splits."""
_IMAGE = 32
"""Height and width of an encoded image; a model that wants another size resizes it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How the entries of one batch are drawn."""

    seed: int
    training: bool
    high: int
    """Row numbers are below this where the graph does not say."""
    float_ids: bool
    length: int
    """No sequence is longer."""
    count: int
    """The batch size: what a model asks for as a number."""
    words: Callable[[Table], Sequence[Any]]
    """Some keys of a lookup table."""

    def generator(self, name: str) -> np.random.Generator:
        """Return a generator of its own for each input, so that one more input changes none of the
        others."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def entries(name: str, dtype: str, shape: Shape, use: Use, draw: Draw) -> tuple[Array, str]:
    """Entries of an input and the source to report; strings are an array of ``bytes`` objects."""
    random = draw.generator(name)
    if use.table is not None and (keys := list(draw.words(use.table))):
        if use.is_split:
            return _sentences(keys, shape, random), f"words of a vocabulary(seed={draw.seed})"
        return _keys(keys, dtype, shape, random), f"keys of a lookup table(seed={draw.seed})"
    if dtype == "string":
        return _strings(shape, use, draw, random)
    if dtype == "bool":
        return _booleans(shape, draw, random)
    if "int" in dtype:
        return _whole(name, QUANTIZED.get(dtype, dtype), shape, use, draw=draw, random=random)
    if use.is_mask or (_is_named_mask(name) and not use.is_index):
        return _prefixes(shape, random).astype(
            _plain(dtype)
        ), f"mask of ones and zeros(seed={draw.seed})"
    if use.is_length or use.is_size:
        values, source = _whole(name, "int64", shape, use, draw=draw, random=random)
        return values.astype(_plain(dtype)), source
    if use.is_index or draw.float_ids:
        high = min(use.high or draw.high, _MOST_FLOAT_IDS) + use.low
        return _between(use.low, high, shape, random, _plain(dtype)), _integers(use.low, high, draw)
    return _floating(dtype, shape, use, draw, random)


def between(
    name: str, dtype: str, shape: Shape, low: int, high: int | None, draw: Draw
) -> tuple[Array, str]:
    """Entries as the user asks for them: whole numbers below ``high``, else as for an input of no
    known use."""
    if high is None and ("int" not in dtype or low == 0):
        return entries(name, dtype, shape, Use(), draw)
    limit = high if high is not None else low + draw.high
    limit = min(limit, _largest(dtype) + 1)
    return _between(low, limit, shape, draw.generator(name), dtype), _integers(low, limit, draw)


def _keys(keys: list[Any], dtype: str, shape: Shape, random: np.random.Generator) -> Array:
    order = random.permutation(len(keys))  # as many different rows as there is room for
    chosen = [keys[order[number % len(keys)]] for number in range(int(np.prod(shape)))]
    array = np.empty(len(chosen), dtype=object if dtype == "string" else _plain(dtype))
    array[:] = chosen
    return array.reshape(shape)


def _sentences(words: Sequence[bytes], shape: Shape, random: np.random.Generator) -> Array:
    chosen = random.integers(0, len(words), (int(np.prod(shape)), _SENTENCE))
    return _filled([b" ".join(words[number] for number in row) for row in chosen], shape)


def _filled(entries: Sequence[bytes], shape: Shape) -> Array:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array.reshape(shape)


def _strings(shape: Shape, use: Use, draw: Draw, random: np.random.Generator) -> tuple[Array, str]:
    count = int(np.prod(shape))
    if use.text is Text.EXAMPLES:
        strings = serialized_examples(
            use.features,
            count,
            lambda key, dtype, size, feature_use: entries(key, dtype, size, feature_use, draw),
        )
        many = f"{len(use.features)} feature{'s' if len(use.features) != 1 else ''}"
        source = f"tf.Example of {many}(seed={draw.seed})"
    elif use.text is Text.NUMBERS:
        strings, source = (
            [b"%d" % entry for entry in random.integers(0, draw.high, count)],
            f"digits(seed={draw.seed})",
        )
    elif use.text is Text.IMAGES:
        strings = [_image(random) for _ in range(count)]
        source = f"encoded images {_IMAGE}x{_IMAGE}(seed={draw.seed})"
    elif use.text is Text.AUDIO:
        sound = random.uniform(-0.5, 0.5, (16_000, 1)).astype(np.float32)
        strings, source = (
            [tf.audio.encode_wav(sound, 16_000).numpy()] * count,
            f"one second of noise(seed={draw.seed})",
        )
    elif use.is_split:
        strings, source = list(_sentences(_WORDS, (count,), random)), f"text(seed={draw.seed})"
    else:
        strings = [_WORDS[number] for number in random.integers(0, len(_WORDS), count)]
        source = f"words(seed={draw.seed})"
    if use.is_base64:
        strings = [tf.io.encode_base64(entry).numpy() for entry in strings]
        source += ", base64"
    return _filled(strings, shape), source


def _image(random: np.random.Generator) -> bytes:
    pixels = random.integers(0, 256, (_IMAGE, _IMAGE, 3)).astype(np.uint8)
    return bytes(tf.io.encode_png(pixels).numpy())


def _booleans(shape: Shape, draw: Draw, random: np.random.Generator) -> tuple[Array, str]:
    if not shape:
        return np.array(draw.training), "the mode of the call"
    if all(size == 1 for size in shape[1:]):
        values = random.integers(0, 2, shape).astype(bool)
        values[:1], values[1:2] = True, False  # both sides of a choice are taken
        return values, f"booleans(seed={draw.seed})"
    return _prefixes(shape, random), f"mask of valid prefixes(seed={draw.seed})"


def _prefixes(shape: Shape, random: np.random.Generator) -> Array:
    """Return a mask in which every sequence begins with at least half its length of ones, and the
    first has nothing else.

    It runs along the last axis that has more than one place: what masks an image has an axis of
    channels behind that.
    """
    axis = next((axis for axis in range(len(shape) - 1, 0, -1) if shape[axis] > 1), None)
    if axis is None:
        return np.ones(shape, dtype=bool)
    size = shape[axis]
    lengths = random.integers((size + 1) // 2, size + 1, shape[:axis])
    lengths[0] = size
    mask = np.arange(size) < lengths[..., None]
    return mask.reshape(shape)


def _whole(
    name: str, dtype: str, shape: Shape, use: Use, draw: Draw, random: np.random.Generator
) -> tuple[Array, str]:
    top = _largest(dtype)
    if use.is_mask or (_is_named_mask(name) and not use.is_index):
        return _prefixes(shape, random).astype(dtype), f"mask of ones and zeros(seed={draw.seed})"
    if use.is_length:
        low, high = max(1, draw.length // 2), draw.length + 1
        values = _between(low, min(high, top + 1), shape, random, dtype)
        values.reshape(-1)[:1] = min(draw.length, top)
        return values, f"lengths({low}..{high - 1}, seed={draw.seed})"
    if use.is_size:
        return np.full(shape, min(draw.count, top), dtype), "the batch size"
    if dtype == "uint8" and len(shape) > 2 and not use.is_index:
        return _between(0, 256, shape, random, dtype), _integers(0, 256, draw)
    unlimited = draw.high if use.is_index else min(draw.high, SMALL)
    high = min(use.high if use.high is not None else unlimited + use.low, top + 1)
    values = _between(use.low, high, shape, random, dtype)
    if use.is_sorted:
        values = np.sort(values.reshape(-1)).reshape(shape)
        return values, f"rising {_integers(use.low, high, draw)}"
    return values, _integers(use.low, high, draw)


def _floating(
    dtype: str, shape: Shape, use: Use, draw: Draw, random: np.random.Generator
) -> tuple[Array, str]:
    if not shape:
        return random.uniform(0.5, 1.0, shape).astype(
            _plain(dtype)
        ), f"uniform(0.5..1, seed={draw.seed})"
    if use.is_share:
        return random.uniform(0.1, 0.9, shape).astype(
            _plain(dtype)
        ), f"uniform(0.1..0.9, seed={draw.seed})"
    if use.positive:
        return random.uniform(0.1, 2.0, shape).astype(
            _plain(dtype)
        ), f"uniform(0.1..2, seed={draw.seed})"
    values = random.standard_normal(shape)
    if dtype.startswith("complex"):
        values = values + 1j * random.standard_normal(shape)
    return np.asarray(values).astype(_plain(dtype)), f"normal(seed={draw.seed})"


def _between(low: int, high: int, shape: Shape, random: np.random.Generator, dtype: str) -> Array:
    return random.integers(low, max(high, low + 1), shape).astype(dtype)


def _integers(low: int, high: int, draw: Draw) -> str:
    return f"integers({low}..{max(high - 1, low)}, seed={draw.seed})"


def _is_named_mask(name: str) -> bool:
    return _MASK.search(name) is not None


def _largest(dtype: str) -> int:
    kind = tf.as_dtype(dtype)
    return int(kind.max) if kind.is_integer else 2**31 - 1


def _plain(dtype: str) -> str:
    """Return a type that NumPy has, for one that only TensorFlow has."""
    return (
        dtype
        if dtype in ("float16", "float32", "float64", "complex64", "complex128")
        else "float32"
    )
