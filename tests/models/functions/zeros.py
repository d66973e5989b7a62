"""Gradients that are exactly zero: by definition, of dead units, of saturation, of factors that are
zero."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import ANY, FLOWS, Truth, case, cut, valued

NOUGHT = [0.0, 0.0, 0.0]
LOW, HIGH = [-5.0, -6.0, -7.0], [5.0, 6.0, 7.0]


@case(a=FLOWS, b=cut("GF301", "Sign", verdict="zero"))
def sign(x, v):
    return x * v["a"] + tf.sign(v["b"])


@case(a=FLOWS, b=cut("GF301", "Sign", verdict="zero"))
def sign_before_other_ops(x, v):
    return x * v["a"] + tf.tanh(2.0 * tf.sign(3.0 * v["b"]))


@case({"b": LOW}, a=FLOWS, b=valued("GF303", "Relu"))
def dead_relu(x, v):
    return x * v["a"] + tf.nn.relu(v["b"])


@case({"b": LOW}, a=FLOWS, b=valued("GF303", "Relu", at="^second$"))
def second_relu_dead(x, v):
    alive = tf.nn.relu(-v["b"], name="first")
    return x * v["a"] + tf.nn.relu(-alive, name="second") * 3.0


@case({"b": LOW}, a=FLOWS, b=valued("GF303", "Relu"), c=valued("GF303", "Relu"))
def weights_on_both_sides_of_a_dead_relu(x, v):
    """The kernel before it gets nothing through it; the factor behind it is multiplied by zero."""
    return x * v["a"] + tf.nn.relu(v["b"]) * v["c"]


@case({"b": LOW}, a=FLOWS, b=valued("GF303", "Maximum"), c=valued("GF303", "Maximum"))
def weights_on_both_sides_of_a_maximum_with_zero(x, v):
    """The constant 0 is the bound of the unit, and no reason why it is off."""
    return x * v["a"] + tf.maximum(v["b"], tf.zeros([3])) * v["c"]


@case({"b": LOW}, a=FLOWS, b=FLOWS)
def leaky_relu(x, v):
    return x * v["a"] + tf.nn.leaky_relu(v["b"])


@case({"b": [7.0, 8.0, 9.0]}, a=FLOWS, b=valued("GF303", "Relu6"))
def saturated_relu6(x, v):
    return x * v["a"] + tf.nn.relu6(v["b"])


@case({"b": HIGH}, a=FLOWS, b=valued("GF303", "Minimum|ClipByValue"))
def saturated_clip(x, v):
    return x * v["a"] + tf.clip_by_value(v["b"], -1.0, 1.0)


@case({"b": HIGH}, a=FLOWS, b=valued("GF303", "Maximum|Minimum|ClipByValue", says=("NaN",)))
def clip_with_a_bound_that_is_not_a_number(x, v):
    return x * v["a"] + tf.clip_by_value(v["b"], -1.0, float("nan"))


@case({"b": LOW}, a=FLOWS, b=valued("GF303", "Maximum"))
def below_a_maximum(x, v):
    return x * v["a"] + tf.maximum(v["b"], 1.0)


@case({"b": [200.0, 300.0, 400.0]}, a=FLOWS, b=valued("GF303", "Sigmoid"))
def saturated_sigmoid(x, v):
    return x * v["a"] + tf.sigmoid(v["b"])


@case({"b": [50.0, -60.0, 70.0]}, a=FLOWS, b=valued("GF303", "Tanh"))
def saturated_tanh(x, v):
    return x * v["a"] + tf.tanh(v["b"])


@case({"b": [-200.0, -300.0, -400.0]}, a=FLOWS, b=valued("GF303", "Exp"))
def underflowing_exponential(x, v):
    return x * v["a"] + tf.exp(v["b"])


@case(a=FLOWS, b=valued("GF303", "Mul"))
def multiplied_by_zero(x, v):
    return x * v["a"] + v["b"] * (0.0 * x)


@case(a=FLOWS, b=valued("GF303", "MatMul"))
def matrix_product_with_zeros(x, v):
    return x * v["a"] + tf.reduce_sum(
        tf.matmul(tf.linalg.diag(v["b"]), 0.0 * x, transpose_b=True), 1
    )


@case(a=FLOWS, b=valued("GF303", "MatMul|Mul", says=("2 more ops alike",)))
def parts_of_a_kernel_times_a_state_of_zeros(x, v):
    """A recurrent layer of one time step, its gates one after the other."""
    state, parts = 0.0 * x, tf.split(tf.linalg.diag(v["b"]), 3)
    gates = [tf.matmul(state, tf.transpose(part)) for part in parts]
    return x * v["a"] + tf.concat(gates, 1)


@case(a=FLOWS, b=valued("GF303", "Select(V2)?"))
def selected_nowhere(x, v):
    return x * v["a"] + tf.where(x > 1e9, v["b"], x)


@case(a=FLOWS, b=valued("GF303", "Softmax"))
def softmax_over_one_class(x, v):
    return x * v["a"] + tf.nn.softmax(tf.reshape(v["b"], [3, 1]), -1)[:, 0]


@case(a=FLOWS, b=valued("GF303", ANY))
def centred_over_an_axis_of_size_one(x, v):
    column = tf.reshape(v["b"], [3, 1])
    return x * v["a"] + (column - tf.reduce_mean(column, -1, keepdims=True))[:, 0]


@case(a=FLOWS, b=valued("GF303", "Sub"))
def taken_away_from_itself(x, v):
    return x * v["a"] + (v["b"] - v["b"])


@case({"c": NOUGHT}, a=FLOWS, b=valued("GF303", ANY, note=True), c=FLOWS)
def zero_initialised_head(x, v):
    return x * v["a"] + tf.tanh(x * v["b"]) * v["c"]


@case({"c": NOUGHT}, a=FLOWS, b=valued("GF303", ANY, note=True), c=FLOWS)
def low_rank_adapter(x, v):
    down, up = tf.reshape(v["b"], [3, 1]), tf.reshape(v["c"], [1, 3])
    return x * v["a"] + tf.matmul(tf.matmul(x, down), up)


@case(
    {"b": NOUGHT, "c": NOUGHT},
    a=FLOWS,
    b=valued("GF303", ANY, says=("no update changes that", "both stay zero")),
    c=valued("GF303", ANY, says=("no update changes that", "both stay zero")),
)
def two_zero_initialised_factors(x, v):
    """Each is multiplied by the other: no update ever moves one of them."""
    return x * v["a"] + x * v["b"] * v["c"]


@case(
    {"b": NOUGHT, "c": NOUGHT, "d": NOUGHT},
    a=FLOWS,
    b=valued("GF303", ANY, says=("no update changes that", "one of them is not enough")),
    c=valued("GF303", ANY, says=("no update changes that", "one of them is not enough")),
    d=valued("GF303", ANY, says=("no update changes that", "one of them is not enough")),
)
def three_zero_initialised_factors(x, v):
    """Random values for one of them would leave each of the others multiplied by a zero."""
    return x * v["a"] + x * v["b"] * v["c"] * v["d"]


@case(
    {"b": NOUGHT, "c": NOUGHT, "d": NOUGHT},
    a=valued("GF303", ANY, note=True, says=("of other weights",)),
    b=valued("GF303", ANY, says=("no update changes that", "both stay zero")),
    c=valued("GF303", ANY, says=("no update changes that", "both stay zero")),
    d=FLOWS,
)
def two_zero_initialised_factors_beside_a_bias(x, v):
    """The bias moves, and with it what ``a`` is multiplied by; the factors never do."""
    return (x * v["b"] * v["c"] + v["d"]) * v["a"]


@case(
    {"c": NOUGHT, "d": NOUGHT},
    a=FLOWS,
    b=valued("GF303", ANY, note=True),
    c=valued("GF303", ANY, note=True),
    d=FLOWS,
)
def factors_of_zeros_that_start_one_after_the_other(x, v):
    """The first update moves ``d``, the second one ``c``, and only then ``b`` gets a gradient."""
    return x * v["a"] + (tf.tanh(x * v["b"]) * v["c"] + x) * v["d"]


@case({"c": [0.0, 0.0, 1.0]}, a=FLOWS, b=valued("GF303", ANY, note=True), c=FLOWS)
def multiplied_by_the_part_of_a_weight_that_is_zero(x, v):
    """The weight as a whole is not zero: what an update does to it tells, not what it holds."""
    gate = v["c"][:2] * tf.tanh(x[:, :2] * v["b"][:2] + v["b"][2])
    return x * v["a"] + tf.pad(gate, [[0, 0], [0, 1]]) + x * v["c"][2]


@case({"c": [0.0, 0.0, 0.0]}, a=FLOWS, b=valued("GF303", ANY, says=("make 'c' trainable",)))
def multiplied_by_a_frozen_weight_of_zeros(x, v):
    """No update moves it: it is no weight that is trained."""
    return x * v["a"] + x * v["b"] * v["c"]


@case({"b": LOW, "c": NOUGHT}, a=FLOWS, b=valued("GF303", "Relu"), c=valued("GF303", "Relu"))
def dead_behind_a_zero_initialised_head(x, v):
    """A large negative offset that is a constant: no other draw of the weights brings it to
    life."""
    return x * v["a"] + tf.nn.relu(tf.tanh(v["b"]) - 1e3) * v["c"]


@case(
    {"b": tf.constant([0.5, 1.0, 2.0], tf.float16)},
    a=FLOWS,
    b=valued("GF303", "Mul", says=("float16",)),
)
def float16_underflow(x, v):
    tiny = v["b"] * tf.constant(1e-5, tf.float16) * tf.constant(1e-5, tf.float16)
    return x * v["a"] + tf.cast(tiny, tf.float32)


@case(
    a=Truth("zero", frozenset({("GF303", "Relu"), ("GF201", "StopGradient")}), 1, "flows"),
    b=FLOWS,
)
def dead_unit_beside_a_cut(x, v):
    """Either one would let the gradient through."""
    z = x * v["a"]
    return tf.nn.relu(-tf.abs(z) - 1.0) + tf.stop_gradient(z) + v["b"]
