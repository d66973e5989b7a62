"""Where a cut can hide: behind state, in another output, in compiled or vectorized code, in a
second derivative."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, case, cut


@case({"state": [0.0, 0.0, 0.0]}, a=FLOWS, b=FLOWS)
def assigned_to_state_that_nobody_reads(x, v):
    y = x * v["a"] + v["b"]
    v["state"].assign(0.9 * v["state"] + 0.1 * y[0])
    return y


@case(a=FLOWS, b=cut("GF202", "ArgMax"))
def in_an_integer_output_alone(x, v):
    return {"scores": x * v["a"], "choice": tf.argmax(v["b"])}


@case(a=FLOWS, b=FLOWS)
def in_an_integer_output_too(x, v):
    scores = x * v["a"] + v["b"]
    return {"scores": scores, "choice": tf.argmax(scores, 1)}


@case(a=cut("GF202", "ArgMax"))
def no_floating_output(x, v):
    return tf.argmax(x * v["a"], 1)


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_in_a_compiled_function(x, v):
    @tf.function(jit_compile=True)
    def compiled(y):
        return y * v["a"] + tf.stop_gradient(v["b"])

    return compiled(x)


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_in_vectorized_map(x, v):
    return tf.vectorized_map(lambda row: row * v["a"] + tf.stop_gradient(v["b"]), x)


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/.*StopGradient"))
def stop_gradient_in_a_loop_over_a_tensor_array(x, v):
    rows = tf.TensorArray(tf.float32, size=4)

    def body(step, array):
        return step + 1, array.write(step, x[step] * v["a"] + tf.stop_gradient(v["b"]))

    return tf.while_loop(lambda step, _: step < 4, body, (0, rows))[1].stack()


@case(a=FLOWS, b=FLOWS, c=cut("GF301", "ReluGrad", verdict="zero"))
def slope_of_a_relu_network(x, v):
    """Forces of an energy: the offset of a ReLU has no influence on its slope."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = tf.reduce_sum(tf.nn.relu(x * v["b"] + v["c"]) * v["a"])
    return tape.gradient(energy, x)


@case(a=FLOWS, b=FLOWS, c=FLOWS)
def slope_of_a_smooth_network(x, v):
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = tf.reduce_sum(tf.tanh(x * v["b"] + v["c"]) * v["a"])
    return tape.gradient(energy, x)


@case(a=FLOWS, b=FLOWS)
def values_of_a_sparse_tensor(x, v):
    sparse = tf.SparseTensor([[0, 0], [1, 2], [2, 1]], v["b"], [3, 3])
    return x * v["a"] + tf.transpose(tf.sparse.sparse_dense_matmul(sparse, tf.transpose(x)))


@case(a=FLOWS, b=FLOWS)
def values_of_a_ragged_tensor(x, v):
    ragged = tf.RaggedTensor.from_row_splits(v["b"], [0, 2, 2, 3])
    return x * v["a"] + tf.reduce_sum(ragged, axis=1)


@case(a=FLOWS, b=cut("GF203", "(Dense)?Bincount"))
def weights_of_a_count(x, v):
    return x * v["a"] + tf.math.bincount([0, 1, 1], weights=v["b"], minlength=3, maxlength=3)


@case(a=FLOWS, b=cut("GF202", "HSVToRGB"))
def converted_to_colours(x, v):
    return x * v["a"] + tf.image.hsv_to_rgb(tf.reshape(tf.sigmoid(v["b"]), [1, 1, 3]))[0, 0]


@case(a=FLOWS, b=cut("GF203", "MatrixLogarithm"))
def logarithm_of_a_matrix(x, v):
    matrix = tf.cast(tf.linalg.diag(tf.exp(v["b"])), tf.complex64)
    return x * v["a"] + tf.math.real(tf.linalg.diag_part(tf.linalg.logm(matrix)))


@case(a=FLOWS, b=cut("GF202", "MaxPoolWithArgmax", back="[Cc]ast"))
def places_of_the_maxima(x, v):
    image = tf.reshape(v["b"], [1, 1, 3, 1])
    places = tf.nn.max_pool_with_argmax(image, [1, 1, 2, 1], 1, "SAME").argmax
    return x * v["a"] + tf.reshape(tf.cast(places, tf.float32), [3])


@case(a=FLOWS, b=FLOWS)
def quantized_with_learned_limits(x, v):
    limits = tf.exp(v["b"])
    return x * v["a"] + tf.quantization.fake_quant_with_min_max_vars(5.0 * x, -limits[0], limits[1])


@case(a=FLOWS, b=FLOWS)
def variable_inside_a_recomputation(x, v):
    again = tf.recompute_grad(lambda y: tf.tanh(y * v["b"]))
    return x * v["a"] + again(x)


@case(a=FLOWS, b=FLOWS)
def passed_through(x, v):
    return x * v["a"] + tf.grad_pass_through(tf.round)(v["b"])
