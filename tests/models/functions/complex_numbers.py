"""Complex outputs and complex weights: the real and the imaginary part count apart."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import ANY, FLOWS, case, cut, valued

WAVES = tf.constant([1 + 2j, -0.5j, 3 - 1j], tf.complex64)


@case(a=FLOWS, b=FLOWS)
def parts_that_move_against_each_other(x, v):
    return {"y": tf.complex(x * v["a"], -x * v["a"]), "z": x * v["b"]}


@case(a=FLOWS)
def nothing_but_a_complex_output(x, v):
    return tf.complex(x * v["a"], -x * v["a"])


@case(a=FLOWS, b=FLOWS)
def turned_by_an_eighth_against_the_parts(x, v):
    return tf.cast(x * v["a"], tf.complex64) * (1 - 1j), x * v["b"]


@case(a=FLOWS, b=FLOWS)
def wide_complex_output(x, v):
    y = tf.cast(x * v["a"], tf.float64)
    return {"y": tf.complex(y, -y), "z": x * v["b"]}


@case(a=FLOWS, b=FLOWS)
def spectrum_of_a_signal(x, v):
    return {"y": tf.signal.rfft(x * v["a"]), "z": x * v["b"]}


@case({"a": WAVES}, a=FLOWS, b=FLOWS)
def complex_weight(x, v):
    return {"y": tf.cast(x, tf.complex64) * v["a"] * (1 - 1j), "z": x * v["b"]}


@case({"a": WAVES}, a=FLOWS, b=FLOWS)
def complex_weight_behind_a_real_output(x, v):
    return tf.abs(tf.cast(x, tf.complex64) * v["a"]) + x * v["b"]


@case({"a": WAVES}, a=FLOWS, b=FLOWS)
def only_the_imaginary_part_of_a_weight(x, v):
    return x * tf.math.imag(v["a"]) + x * v["b"]


@case({"a": WAVES}, a=cut("GF201", "StopGradient"), b=FLOWS)
def stopped_complex_weight(x, v):
    return {"y": tf.cast(x, tf.complex64) * tf.stop_gradient(v["a"]), "z": x * v["b"]}


@case(a=valued("GF303", "Relu"), b=FLOWS)
def dead_unit_before_a_complex_output(x, v):
    dead = tf.nn.relu(-tf.abs(x * v["a"]) - 1.0)
    return {"y": tf.complex(dead, -dead), "z": x * v["b"]}


@case({"b": tf.zeros([3])}, a=valued("GF303", ANY, note=True), b=FLOWS)
def complex_output_multiplied_by_a_weight_of_zeros(x, v):
    return tf.complex(x * v["a"] * v["b"], -x * v["a"] * v["b"])
