"""Passages out of floating point and back, and inputs that only index, size or switch."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, UNUSED, Truth, case, cut

BOXES = [[0.0, 0.0, 1.0, 1.0], [0.0, 2.0, 1.0, 3.0], [0.0, 4.0, 1.0, 5.0]]


@case(a=FLOWS, b=cut("GF202", "Cast", back="Cast"))
def cast_to_integer_and_back(x, v):
    return x * v["a"] + tf.cast(tf.cast(v["b"] * 10.0, tf.int32) + 1, tf.float32)


@case(a=FLOWS, b=cut("GF202", "ArgMax"))
def argmax_as_an_index(x, v):
    return x * tf.gather(v["a"], tf.argmax(v["b"]))


@case(a=FLOWS, b=cut("GF202", "ArgMax", back="one_hot"))
def argmax_to_one_hot(x, v):
    return x * v["a"] * tf.one_hot(tf.argmax(v["b"]), 3)


@case(a=FLOWS, b=cut("GF202", "ArgMax", back="[Cc]ast"))
def argmax_cast_back(x, v):
    return x * v["a"] + tf.cast(tf.argmax(v["b"]), tf.float32)


@case(a=FLOWS, b=cut("GF202", "Greater"))
def comparison_as_a_condition(x, v):
    return tf.where(v["b"] > 0.0, x * v["a"], x)


@case(a=FLOWS, b=cut("GF202", "GreaterEqual", back="[Cc]ast"))
def comparison_as_a_mask(x, v):
    return x * v["a"] * tf.cast(v["b"] >= 0.0, tf.float32) + x * v["a"]


@case(a=FLOWS, b=Truth("none", frozenset({("GF202", "Less"), ("GF202", "NotEqual")}), 1))
def two_comparisons_joined(x, v):
    return tf.where(tf.logical_and(v["b"] < 0.5, v["b"] != 0.0), x * v["a"], 2.0 * x * v["a"])


@case(a=FLOWS, b=cut("GF202", "NotEqual"))
def number_of_nonzero_entries(x, v):
    return x * v["a"] * tf.math.count_nonzero(v["b"], dtype=tf.float32)


@case(a=FLOWS, b=cut("GF202", "IsNan"))
def replaced_where_not_a_number(x, v):
    return tf.where(tf.math.is_nan(v["b"]), x, x * v["a"])


@case(a=FLOWS, b=cut("GF202", "Bitcast", back="[Cc]ast"))
def bitcast_to_integer(x, v):
    return x * v["a"] + tf.cast(tf.bitcast(v["b"], tf.int32) % 7, tf.float32)


@case(a=FLOWS, b=cut("GF202", "AsString", back="StringToNumber"))
def written_as_text_and_read_again(x, v):
    return x * v["a"] + tf.strings.to_number(tf.strings.as_string(v["b"]))


@case(a=FLOWS, b=cut("GF202", "AsString", back="[Cc]ast"))
def hashed(x, v):
    bucket = tf.strings.to_hash_bucket_fast(tf.strings.as_string(v["b"]), 7)
    return x * v["a"] + tf.cast(bucket, tf.float32)


@case(table=True, a=FLOWS, b=cut("GF202", "Cast", back="LookupTableFind"))
def looked_up_in_a_hash_table(x, v):
    return x * v["a"] + v["table"].lookup(tf.cast(tf.abs(v["b"]), tf.int64))


@case(a=FLOWS, b=cut("GF202", "TopKV2", back="[Cc]ast"))
def top_k_indices(x, v):
    return x * v["a"] + tf.cast(tf.math.top_k(v["b"], 2).indices[0], tf.float32)


@case(a=FLOWS, b=FLOWS)
def top_k_values(x, v):
    return x * v["a"] + tf.math.top_k(v["b"], 2).values[0]


@case(a=FLOWS, b=cut("GF202", "TopKV2", back="[Cc]ast"))
def argsorted(x, v):
    return x * v["a"] + tf.cast(tf.argsort(v["b"]), tf.float32)


@case(a=FLOWS, b=FLOWS)
def sorted_values(x, v):
    return x * v["a"] + tf.sort(v["b"])


@case(a=FLOWS, b=cut("GF202", "TopKV2"))
def sorted_by_another(x, v):
    return x * tf.gather(v["a"], tf.argsort(v["b"]))


@case(a=FLOWS, b=cut("GF202", "Multinomial", back="one_hot"))
def sampled(x, v):
    drawn = tf.random.categorical(v["b"][tf.newaxis], 1)[0, 0]
    return x * v["a"] + tf.one_hot(drawn, 3)


@case(a=FLOWS, b=cut("GF202", "StatelessMultinomial", back="[Cc]ast"))
def sampled_with_a_seed(x, v):
    drawn = tf.random.stateless_categorical(v["b"][tf.newaxis], 1, [1, 2])
    return x * v["a"] + tf.cast(drawn[0, 0], tf.float32)


@case(a=FLOWS, b=cut("GF202", "StatelessRandomPoisson"))
def sampled_counts(x, v):
    return x * v["a"] + tf.random.stateless_poisson([3], [1, 2], tf.exp(v["b"]), tf.float32)


@case(a=FLOWS, b=FLOWS)
def sampled_with_a_shift(x, v):
    return x * v["a"] + v["b"] * tf.random.stateless_normal([3], [1, 2])


@case(a=FLOWS, b=cut("GF202", "Bucketize", back="[Cc]ast"))
def bucketized(x, v):
    codes = tf.raw_ops.Bucketize(input=v["b"], boundaries=[-0.5, 0.0, 0.5])
    return x * v["a"] + tf.cast(codes, tf.float32)


@case(a=FLOWS, b=cut("GF202", "LowerBound", back="[Cc]ast"))
def searched_in_a_sorted_list(x, v):
    return x * v["a"] + tf.cast(tf.searchsorted([-0.5, 0.0, 0.5], v["b"]), tf.float32)


@case(a=FLOWS, b=cut("GF202", "UpperBound", back="[Cc]ast"))
def a_sorted_list_that_is_searched(x, v):
    return x * v["a"] + tf.cast(tf.searchsorted(v["b"], [0.1], side="right"), tf.float32)


@case(a=FLOWS, b=cut("GF202", "NonMaxSuppressionV3"))
def chosen_by_non_max_suppression(x, v):
    chosen = tf.image.non_max_suppression(tf.constant(BOXES), v["b"], 1)
    return x * tf.gather(v["a"], chosen)


@case(a=FLOWS, b=cut("GF202", "HistogramFixedWidth", back="[Cc]ast"))
def counted_in_a_histogram(x, v):
    return x * v["a"] + tf.cast(tf.histogram_fixed_width(v["b"], [-1.0, 1.0], 3), tf.float32)


@case(a=FLOWS, b=cut("GF202", "Greater"))
def chosen_by_a_mask(x, v):
    return x * v["a"] + tf.reduce_sum(tf.boolean_mask(v["a"], v["b"] > 0.0))


@case(a=FLOWS, b=cut("GF202", "Cast"))
def size_of_an_output(x, v):
    size = tf.cast(tf.reduce_sum(tf.abs(v["b"])), tf.int32) + 1
    return x * v["a"] + tf.reduce_sum(tf.ones([size]))


@case(a=FLOWS, b=cut("GF202", "Round", cuts=1))
def rounded_before_a_passage(x, v):
    """Rounding stays in floating point: from Round to OneHot there are two cuts, side by side on
    one way."""
    rounded = tf.round(v["b"])
    return x * v["a"] + rounded + tf.cast(tf.cast(rounded, tf.int32), tf.float32) * 0.0 + rounded


@case(a=FLOWS, b=cut("GF202", "Cast", cuts=2, back="[Cc]ast"))
def two_passages_in_a_row(x, v):
    once = tf.cast(tf.cast(v["b"] * 10.0, tf.int32), tf.float32) * 1.5
    return x * v["a"] + tf.cast(tf.cast(once, tf.int64), tf.float32)


PART_OF_A_DERIVATIVE = Truth(
    "none",
    frozenset({("GF204", None)}),
    None,
    at="^(add|AddV2)$",
    says=("only a derivative of the sum",),
    note=True,
)


@case(a=FLOWS, b=PART_OF_A_DERIVATIVE)
def added_to_what_is_differentiated(x, v):
    """Of a known shape: no op asks for it."""
    x = tf.ensure_shape(x[:1], [1, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = tf.reduce_sum(tf.math.softplus(x * v["a"]) + v["b"])
    return tape.gradient(energy, x)


@case(a=FLOWS, b=UNUSED)
def left_over_beside_a_derivative(x, v):
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = tf.reduce_sum(tf.math.softplus(x * v["a"]))
        _ = x * v["b"] + v["a"]
    return tape.gradient(energy, x)


@case(a=FLOWS, b=cut("GF204", "Shape", note=True))
def only_its_shape(x, v):
    size = tf.cast(tf.shape(x * v["b"])[0], tf.float32)
    return x * v["a"] * size


@case(a=FLOWS, b=cut("GF204", "Shape", cuts=2, note=True))
def shape_behind_an_argmax(x, v):
    best = tf.argmax(x * v["b"], -1)
    return x * v["a"] + tf.cast(tf.shape(best)[0], tf.float32)


@case(a=FLOWS, b=cut("GF204", "OnesLike|Shape", note=True))
def derivative_alone(x, v):
    """As the forces of an energy: what is added to it has no derivative."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = tf.sin(x * v["a"]) + v["b"]
    return tape.gradient(energy, x)


@case(a=FLOWS, b=cut("GF204", "Betainc"), c=cut("GF204", "Betainc"), d=FLOWS)
def parameters_of_an_incomplete_beta(x, v):
    parameters = tf.exp(v["b"]), tf.exp(v["c"])
    return x * v["a"] + tf.math.betainc(*parameters, tf.sigmoid(v["d"]))


@case(a=FLOWS, b=cut("GF204", "Zeta"), c=FLOWS)
def exponent_of_a_zeta(x, v):
    return x * v["a"] + tf.math.zeta(tf.abs(v["b"]) + 1.5, tf.abs(v["c"]) + 1.0)


@case(a=FLOWS, b=cut("GF204", "PadV2"))
def padding_value(x, v):
    padded = tf.raw_ops.PadV2(input=v["a"], paddings=[[0, 1]], constant_values=v["b"][0])
    return x * v["a"] + tf.reduce_sum(padded)


@case(a=FLOWS, b=cut("GF204", "FusedBatchNormV3"), c=FLOWS)
def mean_of_an_inference_batch_norm(x, v):
    image = tf.reshape(x * v["a"], [-1, 1, 1, 3])
    made = tf.raw_ops.FusedBatchNormV3(
        x=image,
        scale=v["c"],
        offset=v["c"],
        mean=v["b"],
        variance=[1.0, 1.0, 1.0],
        is_training=False,
    )
    return made.y
