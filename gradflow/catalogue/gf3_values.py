"""Describe gradients that arrive and are of no use: zeros, NaN, and sizes out of proportion."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.op_rules import Rule

VALUES = (
    CodeEntry(
        code="GF301",
        kind="zero_gradient_op",
        severity=Severity.WARNING,
        title="gradient is zero by definition of an op",
        message="the gradient of {op} is always zero",
        rules=(Rule.ZERO,),
        edges=(Edge.ZERO,),
        why=(
            "The gradient that TensorFlow registers for the op (Sign, for example) is zero "
            "everywhere. The weight gets a gradient, and it never moves."
        ),
        fix="use a smooth form (tanh for sign) or a straight-through estimator",
        right_when="another path trains the weight, or the sign is not meant to be learned",
        example=(
            "inputs = keras.Input([4])\n"
            'hidden = keras.layers.Dense(8, name="encoder")(inputs)\n'
            "score = keras.layers.Dense(1)(keras.ops.sign(hidden))\n"
            "model = keras.Model(inputs, score)  # the encoder gets zeros"
        ),
    ),
    CodeEntry(
        code="GF302",
        kind="control_flow_zero",
        severity=Severity.WARNING,
        title="zeros filled in by control flow",
        message="TensorFlow fills in zeros at {op} (inside control flow)",
        marks=(Mark.CONTROLLED,),
        measured={
            Edge.UNTAKEN: "{op} {detail}: the path of these weights goes through it",
            Edge.OVERWRITTEN: "{op} {detail}, which does not use it",
        },
        why=(
            "A cond, case or while_loop fills in zeros for a branch that was not taken, or for a "
            "cut inside the branch or body. Outside of control flow the same cut would give no "
            "gradient at all."
        ),
        fix=(
            "remove the cut inside the loop or branch; if the branch was not taken, give inputs "
            "(--input) that take it"
        ),
        step_fix=(
            "remove the cut inside the loop or branch; if the branch was not taken, watch a step "
            "on data that takes it"
        ),
        right_when=(
            "the other branch is for inference, or the inputs shown to gradflow do not reach it"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            'first = keras.layers.Dense(2, name="first")(inputs)\n'
            'second = keras.layers.Dense(2, name="second")(inputs)\n'
            "\n"
            "@tf.function\n"
            "def either(pair):\n"
            "    return tf.cond(tf.size(pair) > 0, lambda: pair[0], lambda: pair[1])\n"
            "\n"
            "score = keras.layers.Lambda(either)([first, second])\n"
            "model = keras.Model(inputs, score)  # second gets zeros"
        ),
    ),
    CodeEntry(
        code="GF303",
        kind="dead",
        severity=Severity.WARNING,
        title="a path exists and the measured gradient is zero",
        message="a path exists, but the measured gradient is exactly zero",
        measured={
            Edge.DEAD: "gradient dies at {op}, which {detail}",
        },
        why=(
            "The graph passes gradient, but every entry is exactly 0 on this batch: dead ReLUs, a"
            " saturated activation, a product with zero, a normalization over an axis of size 1, "
            "a softmax over one class."
        ),
        fix=(
            "try real data with --input and another --seed; then look for dead units, saturation,"
            " zero factors"
        ),
        step_fix=(
            "look for a factor of zero and for dead or saturated units in the step; with other "
            "data there can be a gradient"
        ),
        right_when=(
            "the weight is multiplied by a zero-initialized gate (LoRA, zero-init residual) and "
            "comes alive in training: gradflow takes the first updates, in memory, and says so"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            "feature = keras.layers.Dense(1)(inputs)\n"
            "normal = keras.layers.LayerNormalization()(feature)  # one feature: 0\n"
            "model = keras.Model(inputs, keras.layers.Dense(1)(normal))"
        ),
    ),
    CodeEntry(
        code="GF304",
        kind="nonfinite",
        severity=Severity.ERROR,
        title="gradient is NaN or infinite",
        message="the gradient is NaN or Inf",
        measured={
            Edge.NONFINITE: "NaN or Inf is first made by {op} {detail}",
        },
        why=(
            "A forward or backward value leaves the range of floating point: log(0), 0/0, sqrt at"
            " 0, exp of a large number. One update makes the weights NaN as well."
        ),
        fix=(
            "guard divisions, log and sqrt (tf.math.divide_no_nan, tf.maximum(x, eps)), or scale "
            "the inputs"
        ),
        right_when=(
            "the inputs made by gradflow are outside what the model accepts; give real ones with "
            "--input"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            'hidden = keras.layers.Dense(8, activation="relu")(inputs)\n'
            "model = keras.Model(inputs, keras.ops.sqrt(hidden))  # slope at 0: infinite"
        ),
    ),
    CodeEntry(
        code="GF305",
        kind="vanishing",
        severity=Severity.WARNING,
        title="gradient is tiny beside the model's median",
        message="gradient is {ratio} times the model's median",
        why=(
            "The gradient is not zero, but so small beside the others that it is rounding noise "
            "or will not move the weight."
        ),
        fix=(
            "add normalization or residual connections, change saturating activations, or raise "
            "thresholds.vanishing"
        ),
        step_fix=(
            "harmless for a bias before a normalization, or of the keys of attention: its gradient "
            "is rounding noise alone; gradflow inspect tells"
        ),
        right_when=(
            "it is a bias before a BatchNormalization or an attention key bias: mathematically "
            "zero and harmless"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            "hidden = keras.layers.Dense(8)(inputs)\n"
            "normal = keras.layers.BatchNormalization()(hidden)  # undoes the bias\n"
            "model = keras.Model(inputs, keras.layers.Dense(1)(normal))"
        ),
    ),
    CodeEntry(
        code="GF306",
        kind="exploding",
        severity=Severity.WARNING,
        title="gradient is huge beside the model's median",
        message="gradient is {ratio} times the model's median",
        why=(
            "The gradient outweighs the model's others by far, so one step moves this weight too "
            "much."
        ),
        fix=(
            "scale the initialization or the inputs, add normalization, clip gradients, or raise "
            "thresholds.exploding"
        ),
        step_fix="scale the initialization or the inputs, add normalization, or clip gradients",
        right_when=(
            "the inputs made by gradflow are larger than real ones; give real ones with --input"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            'hidden = keras.layers.Dense(8, name="large")(inputs)\n'
            "others = [keras.layers.Dense(1)(inputs) for _ in range(3)]\n"
            "model = keras.Model(inputs, [1e8 * hidden, *others])"
        ),
    ),
)
