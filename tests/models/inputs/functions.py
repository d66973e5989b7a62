"""Make a ``tf.Module`` to be saved, by the name of a function with an input signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

Function = Callable[..., Any]
Builder = Callable[["Weights"], tuple[Function, Any]]
"""Weights in, a function and its input signature out."""

BUILDERS: dict[str, Builder] = {}
BARE: set[str] = set()
"""Those whose arguments are no plain tensors: they are saved without a signature too."""


class Weights(tf.Module):
    """Makes variables as they are asked for, and keeps what a function needs."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, tf.Variable] = {}
        self.kept: list[Any] = []

    def __call__(self, name: str, *shape: int) -> tf.Variable:
        if name not in self.made:
            values = tf.random.stateless_normal(shape, [len(self.made), 7])
            self.made[name] = tf.Variable(values, name=name)
        return self.made[name]

    def keep(self, thing: Any) -> Any:
        self.kept.append(thing)
        return thing


def make(name: str) -> Weights:
    """The module of a builder, with its function as ``serve``."""
    module = Weights()
    function, signature = BUILDERS[name](module)
    module.serve = tf.function(function, input_signature=signature, autograph=False)
    module.serve.get_concrete_function()
    return module


def save(name: str, folder: str, with_signature: bool = True) -> None:
    # Without a word TensorFlow makes a signature of the module's only function, in which a tensor
    # has its parts.
    tf.saved_model.save(make(name), folder, None if with_signature else {})


def model(builder: Builder) -> Builder:
    BUILDERS[builder.__name__] = builder
    return builder


def bare(builder: Builder) -> Builder:
    BARE.add(builder.__name__)
    return model(builder)


def spec(name: str, shape: Sequence[int | None] | None, dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name=name)


def named(value: Any) -> Mapping[str, Any]:
    return {"y": value}


@model
def three_tables(v: Weights) -> Any:
    tokens, types, places = v("tokens", 50, 4), v("types", 2, 4), v("places", 20, 4)

    def serve(a: Any, b: Any, c: Any) -> Any:
        return named(tf.gather(tokens, a) + tf.gather(types, b) + tf.gather(places, c))

    return serve, [spec(name, [None, None], tf.int32) for name in "abc"]


@model
def float_ids(v: Weights) -> Any:
    table = v("table", 9, 3)
    return lambda x: named(tf.gather(table, tf.cast(x, tf.int32))), [spec("x", [None, 5])]


@model
def classes(v: Weights) -> Any:
    w = v("w", 3, 4)
    return lambda label: named(tf.matmul(tf.one_hot(label, 3), w)), [
        spec("label", [None], tf.int64)
    ]


@model
def offset_ids(v: Weights) -> Any:
    table = v("table", 30, 2)
    return lambda x: named(tf.gather(table, x + tf.constant([0, 10, 20]))), [
        spec("x", [None, 3], tf.int32)
    ]


@model
def shifted_down_ids(v: Weights) -> Any:
    table = v("table", 6, 2)
    return lambda x: named(tf.gather(table, x - 1)), [spec("x", [None, 3], tf.int32)]


@model
def additive_mask(v: Weights) -> Any:
    w = v("w", 4, 4)

    def serve(x: Any, valid: Any) -> Any:
        scores = tf.matmul(tf.matmul(x, w), x, transpose_b=True)
        scores += (1.0 - tf.cast(valid[:, None, :], tf.float32)) * -1e9
        return named(tf.matmul(tf.nn.softmax(scores), x))

    return serve, [spec("x", [None, None, 4]), spec("valid", [None, None], tf.int32)]


@model
def boolean_mask(v: Weights) -> Any:
    w, b = v("w", 4, 4), v("b", 4)

    def serve(x: Any, chosen: Any) -> Any:
        return named(tf.where(chosen[..., None], tf.matmul(x, w), b))

    return serve, [spec("x", [None, None, 4]), spec("chosen", [None, None], tf.bool)]


@model
def mode_switch(v: Weights) -> Any:
    w = v("w", 4)

    def serve(x: Any, training: Any) -> Any:
        return named(tf.cond(training, lambda: x * w, lambda: x))

    return serve, [spec("x", [None, 4]), spec("training", [], tf.bool)]


@model
def sequence_lengths(v: Weights) -> Any:
    w = v("w", 4, 3)

    def serve(x: Any, count: Any) -> Any:
        mask = tf.sequence_mask(count, tf.shape(x)[1], tf.float32)
        return named(
            tf.reduce_sum(tf.matmul(x, w) * mask[..., None], 1)
            / tf.cast(count[:, None], tf.float32)
        )

    return serve, [spec("x", [None, None, 4]), spec("count", [None], tf.int32)]


@model
def reversed_sequences(v: Weights) -> Any:
    w = v("w", 4, 3)

    def serve(x: Any, count: Any) -> Any:
        return named(tf.matmul(tf.reverse_sequence(x, count, seq_axis=1), w))

    return serve, [spec("x", [None, None, 4]), spec("count", [None], tf.int32)]


@model
def image_of_any_size(v: Weights) -> Any:
    first, second = v("first", 3, 3, 3, 4), v("second", 3, 3, 4, 2)

    def serve(x: Any) -> Any:
        for kernel in (first, second):
            x = tf.nn.conv2d(x, kernel, 4, "VALID")
        return named(tf.reduce_mean(x, [1, 2]))

    return serve, [spec("x", [None, None, None, 3])]


@model
def image_of_an_untold_size(v: Weights) -> Any:
    kernel, head = v("kernel", 3, 3, 1, 2), v("head", 14 * 14 * 2, 3)

    def serve(x: Any) -> Any:
        x = tf.nn.conv2d(x, kernel, 2, "SAME")
        return named(tf.matmul(tf.reshape(x, [tf.shape(x)[0], -1]), head))

    return serve, [spec("x", [None, None, None, 1])]


@model
def unknown_rank(v: Weights) -> Any:
    w = v("w", 11, 3)
    return lambda x: named(tf.matmul(x, w)), [spec("x", None)]


@model
def image_of_unknown_rank(v: Weights) -> Any:
    kernel = v("kernel", 3, 3, 3, 2)
    return lambda x: named(tf.nn.conv2d(x, kernel, 1, "SAME")), [spec("x", None)]


@model
def untold_columns(v: Weights) -> Any:
    w = v("w", 7, 3)
    return lambda x: named(tf.matmul(tf.reshape(x, [tf.shape(x)[0], -1]), w)), [
        spec("x", [None, None])
    ]


@model
def blocks_of_49(v: Weights) -> Any:
    w = v("w", 49, 2)
    return lambda x: named(tf.matmul(tf.reshape(x, [-1, 49]), w)), [spec("x", [None, None])]


@model
def sequences_of_one_length(v: Weights) -> Any:
    w = v("w", 4)

    def serve(x: Any, z: Any) -> Any:
        return named(
            tf.matmul(x * w, z, transpose_b=True) + tf.reduce_sum(x + z, -1, keepdims=True)
        )

    return serve, [spec("x", [None, None, 4]), spec("z", [None, None, 4])]


@model
def short_position_table(v: Weights) -> Any:
    places, w = v("places", 6, 4), v("w", 4)

    def serve(x: Any) -> Any:
        return named(x * w + tf.gather(places, tf.range(tf.shape(x)[1])))

    return serve, [spec("x", [None, None, 4])]


@model
def hashed_words(v: Weights) -> Any:
    table = v("table", 10, 3)
    return lambda word: named(tf.gather(table, tf.strings.to_hash_bucket_fast(word, 10))), [
        spec("word", [None], tf.string)
    ]


def _table(v: Weights, keys: Any, values: Any, default: Any) -> tf.lookup.StaticHashTable:
    return v.keep(
        tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)
    )


@model
def words_of_a_table(v: Weights) -> Any:
    table = _table(v, ["red", "green", "blue"], tf.constant([0, 1, 2], tf.int64), -1)
    rows = v("rows", 3, 4)
    # An unknown word would have row -1, which TensorFlow refuses.
    return lambda word: named(tf.gather(rows, table.lookup(word))), [
        spec("word", [None, 2], tf.string)
    ]


@model
def numbers_of_a_table(v: Weights) -> Any:
    table = _table(v, tf.constant([1000, 2000], tf.int64), tf.constant([0, 1], tf.int64), -1)
    rows = v("rows", 2, 4)
    return lambda code: named(tf.gather(rows, table.lookup(code))), [
        spec("code", [None, 2], tf.int64)
    ]


@model
def split_text(v: Weights) -> Any:
    table = _table(v, ["a", "b", "c", "d"], tf.constant([0, 1, 2, 3], tf.int64), -1)
    rows = v("rows", 4, 3)

    def serve(text: Any) -> Any:
        words = tf.strings.split(tf.strings.lower(text))
        found = words.with_flat_values(table.lookup(words.flat_values))
        return named(tf.reduce_mean(tf.gather(rows, found), 1))

    return serve, [spec("text", [None], tf.string)]


@model
def digits(v: Weights) -> Any:
    w = v("w", 3, 2)
    return lambda text: named(tf.matmul(tf.strings.to_number(text), w)), [
        spec("text", [None, 3], tf.string)
    ]


@model
def encoded_images(v: Weights) -> Any:
    kernel = v("kernel", 3, 3, 3, 2)

    def one(data: Any) -> Any:
        image = tf.io.decode_jpeg(data, channels=3)
        return tf.image.resize(tf.cast(image, tf.float32) / 255.0, [16, 16])

    def serve(data: Any) -> Any:
        return named(
            tf.nn.conv2d(tf.map_fn(one, data, fn_output_signature=tf.float32), kernel, 1, "SAME")
        )

    return serve, [spec("data", [None], tf.string)]


@model
def images_in_base64(v: Weights) -> Any:
    kernel = v("kernel", 3, 3, 3, 2)

    def one(data: Any) -> Any:
        image = tf.io.decode_image(tf.io.decode_base64(data), channels=3, expand_animations=False)
        return tf.image.resize(tf.cast(image, tf.float32) / 255.0, [16, 16])

    def serve(data: Any) -> Any:
        return named(
            tf.nn.conv2d(tf.map_fn(one, data, fn_output_signature=tf.float32), kernel, 1, "SAME")
        )

    return serve, [spec("data", [None], tf.string)]


@model
def sounds(v: Weights) -> Any:
    w = v("w", 100, 2)

    def serve(data: Any) -> Any:
        sound, _ = tf.audio.decode_wav(data, desired_samples=8000)
        return named(tf.matmul(tf.reshape(sound, [-1, 100]), w))

    return serve, [spec("data", [], tf.string)]


@model
def examples(v: Weights) -> Any:
    dense, words, ids = v("dense", 2, 3), v("words", 3, 3), v("ids", 5, 3)
    table = _table(v, ["x", "y", "z"], tf.constant([0, 1, 2], tf.int64), -1)
    features = {
        "size": tf.io.FixedLenFeature([2], tf.float32),
        "word": tf.io.FixedLenFeature([], tf.string),
        "ids": tf.io.VarLenFeature(tf.int64),
        "more": tf.io.RaggedFeature(tf.int64),
        "late": tf.io.FixedLenFeature([], tf.float32, default_value=0.5),
    }

    def serve(records: Any) -> Any:
        parsed = tf.io.parse_example(records, features)
        y = tf.matmul(parsed["size"], dense) * parsed["late"][:, None]
        y += tf.gather(words, table.lookup(parsed["word"]))
        y += tf.nn.embedding_lookup_sparse(ids, parsed["ids"], None, combiner="mean")
        return named(y + tf.reduce_sum(tf.gather(ids, parsed["more"]), 1))

    return serve, [spec("records", [None], tf.string)]


@model
def one_example(v: Weights) -> Any:
    w = v("w", 3)

    def serve(record: Any) -> Any:
        parsed = tf.io.parse_single_example(record, {"x": tf.io.FixedLenFeature([3], tf.float32)})
        return named(parsed["x"] * w)

    return serve, [spec("record", [], tf.string)]


@model
def sparse_in_three_parts(v: Weights) -> Any:
    w = v("w", 12, 3)

    def serve(where: Any, what: Any, shape: Any) -> Any:
        return named(tf.sparse.sparse_dense_matmul(tf.SparseTensor(where, what, shape), w))

    return serve, [
        spec("where", [None, 2], tf.int64),
        spec("what", [None]),
        spec("shape", [2], tf.int64),
    ]


@bare
def sparse_argument(v: Weights) -> Any:
    w = v("w", 6, 3)
    return lambda x: named(tf.sparse.sparse_dense_matmul(x, w)), [
        tf.SparseTensorSpec([None, 6], tf.float32)
    ]


@bare
def ragged_argument(v: Weights) -> Any:
    table = v("table", 6, 3)
    return lambda x: named(tf.reduce_mean(tf.gather(table, x), 1)), [
        tf.RaggedTensorSpec([None, None], tf.int32)
    ]


@bare
def nested_arguments(v: Weights) -> Any:
    w = v("w", 4)

    def serve(pair: Any, named_inputs: Any, training: Any = None) -> Any:
        return named((pair[0] + pair[1] + named_inputs["z"]) * w)

    part = [None, 4]
    return serve, [(spec("a", part), spec("b", part)), {"z": spec("z", part)}]


@model
def logarithm(v: Weights) -> Any:
    w = v("w", 4, 3)
    return lambda x: named(tf.matmul(tf.math.log(x + 1e-6), w)), [spec("x", [None, 4])]


@model
def root_of_a_scaled_input(v: Weights) -> Any:
    w = v("w", 4, 3)
    return lambda x: named(tf.matmul(tf.sqrt(x / 255.0), w)), [spec("x", [None, 4])]


@model
def power_of_an_input(v: Weights) -> Any:
    w = v("w", 4, 3)
    return lambda x: named(tf.matmul(tf.pow(x, 0.3), w)), [spec("x", [None, 4])]


@model
def angles(v: Weights) -> Any:
    w = v("w", 4, 3)
    return lambda x: named(tf.matmul(tf.acos(x), w)), [spec("x", [None, 4])]


@model
def every_type(v: Weights) -> Any:
    w = v("w", 2)
    types = [
        tf.uint8,
        tf.int8,
        tf.int16,
        tf.uint16,
        tf.uint32,
        tf.float16,
        tf.bfloat16,
        tf.float64,
        tf.complex64,
    ]

    def serve(*values: Any) -> Any:
        return named(tf.add_n([tf.cast(value, tf.float32) for value in values]) * w)

    return serve, [spec(f"x{place}", [None, 2], kind) for place, kind in enumerate(types)]


@model
def quantized(v: Weights) -> Any:
    w = v("w", 2)
    return lambda x: named(tf.quantization.dequantize(x, -1.0, 1.0) * w), [
        spec("x", [None, 2], tf.qint8)
    ]


@model
def share_to_keep(v: Weights) -> Any:
    w = v("w", 4)

    def serve(x: Any, keep: Any) -> Any:
        return named(x * w * tf.floor(keep + 0.5) / keep)

    return serve, [spec("x", [None, 4]), spec("keep", [])]


@model
def batch_size_as_an_input(v: Weights) -> Any:
    w = v("w", 4)
    return lambda x, size: named(tf.reshape(x, tf.stack([size, 4])) * w), [
        spec("x", [None, 4]),
        spec("size", [], tf.int32),
    ]


@model
def segments(v: Weights) -> Any:
    w, rows = v("w", 2), v("rows", 3, 2)

    def serve(x: Any, rising: Any, group: Any) -> Any:
        y = (
            tf.reduce_sum(tf.math.segment_sum(x * w, rising))
            + tf.math.unsorted_segment_sum(x, group, 3) * rows
        )
        return named(y)

    return serve, [
        spec("x", [None, 2]),
        spec("rising", [None], tf.int32),
        spec("group", [None], tf.int32),
    ]


@model
def ids_in_a_loop(v: Weights) -> Any:
    table = v("table", 4, 3)

    def serve(x: Any) -> Any:
        return named(
            tf.map_fn(lambda row: tf.gather(table, row), x, fn_output_signature=tf.float32)
        )

    return serve, [spec("x", [None, 5], tf.int32)]


@model
def ids_behind_calls(v: Weights) -> Any:
    table = v("table", 4, 3)
    inner = tf.function(lambda rows: tf.gather(table, rows))
    outer = tf.function(lambda x: inner(tf.transpose(tf.cast(x, tf.int64))))

    def serve(x: Any) -> Any:
        return named(
            tf.cond(
                tf.size(x) > 0, lambda: outer(x), lambda: tf.transpose(outer(x) * 2.0, [1, 0, 2])
            )
        )

    return serve, [spec("x", [None, None], tf.int32)]


@model
def counted(v: Weights) -> Any:
    w = v("w", 5, 2)

    def serve(x: Any) -> Any:
        counts = tf.math.bincount(x, minlength=5, maxlength=5, axis=-1, dtype=tf.float32)
        return named(tf.matmul(counts, w))

    return serve, [spec("x", [None, 6], tf.int32)]


@model
def tuples_of_places(v: Weights) -> Any:
    grid = v("grid", 3, 4)
    return lambda x: named(tf.gather_nd(grid, x)), [spec("x", [None, 2], tf.int32)]


@model
def record_of_unknown_rank(v: Weights) -> Any:
    w = v("w", 3)

    def serve(record: Any) -> Any:
        parsed = tf.io.parse_example(record, {"x": tf.io.FixedLenFeature([3], tf.float32)})
        return named(parsed["x"] * w)

    return serve, [spec("record", None, tf.string)]


@model
def painted_over(v: Weights) -> Any:
    """All ones would paint over the whole image."""
    kernel = v("kernel", 3, 3, 3, 3)

    def serve(image: Any, mask: Any) -> Any:
        return named(
            image * mask + tf.nn.conv2d(image * (1.0 - mask), kernel, 1, "SAME") * (1.0 - mask)
        )

    return serve, [spec("image", [None, None, None, 3]), spec("mask", [None, None, None, 1])]


@model
def one_flag_a_row(v: Weights) -> Any:
    yes, no = v("yes", 4), v("no", 4)
    return lambda x, flag: named(tf.where(flag, x * yes, x * no)), [
        spec("x", [None, 4]),
        spec("flag", [None, 1], tf.bool),
    ]


@model
def names_in_another_order(v: Weights) -> Any:
    """The arguments of the wrapper that a signature gets are in the order of the names, these are
    not."""
    few, many = v("few", 2, 3), v("many", 90, 3)
    return lambda z, a: named(tf.gather(few, z) + tf.gather(many, a)), [
        spec("Z-few", [None], tf.int32),
        spec("a/many", [None], tf.int32),
    ]
