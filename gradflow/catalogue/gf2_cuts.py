"""Describe what keeps a gradient from arriving at all."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.op_rules import Rule

CUTS = (
    CodeEntry(
        code="GF201",
        kind="stop_gradient",
        severity=Severity.ERROR,
        title="gradient is cut by StopGradient",
        message="gradient is stopped by {op}",
        rules=(Rule.STOP,),
        cuts_every_input=True,
        why=(
            "tf.stop_gradient or keras.ops.stop_gradient lets the data through and holds the "
            "gradient back. Every weight whose only way to the outputs leads through it stays at "
            "its initial value."
        ),
        fix="remove the stop_gradient, or move it to the branch that should not be trained",
        right_when=(
            "the branch is a target network, a teacher, a momentum encoder or a straight-through "
            "estimator"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            'hidden = keras.layers.Dense(8, name="encoder")(inputs)\n'
            "score = keras.layers.Dense(1)(keras.ops.stop_gradient(hidden))\n"
            "model = keras.Model(inputs, score)  # the encoder gets no gradient"
        ),
    ),
    CodeEntry(
        code="GF202",
        kind="non_differentiable",
        severity=Severity.ERROR,
        title="gradient is cut by an op without a gradient",
        message="gradient is cut by {op} (not differentiable)",
        rules=(Rule.NONDIFF,),
        edges=(Edge.DISCRETE,),
        cuts_every_input=True,
        why=(
            "The data passes an op that is registered as not differentiable, or turns into "
            "integers, booleans or strings: argmax, round, a cast to int, a comparison. A step "
            "function has no useful slope, so TensorFlow gives none."
        ),
        fix=(
            "use a soft form (softmax for argmax, sigmoid for a threshold) or a straight-through "
            "estimator: x + tf.stop_gradient(tf.round(x) - x)"
        ),
        right_when="the choice is not meant to be learned, such as bucketing of input features",
        example=(
            "inputs = keras.Input([4])\n"
            'gate = keras.layers.Dense(3, name="gate")(inputs)\n'
            "route = keras.ops.one_hot(keras.ops.argmax(gate, -1), 3)\n"
            "experts = keras.layers.Dense(3)(inputs)\n"
            "model = keras.Model(inputs, route * experts)  # the gate gets no gradient"
        ),
    ),
    CodeEntry(
        code="GF203",
        kind="no_gradient_registered",
        severity=Severity.ERROR,
        title="op for which TensorFlow raises LookupError",
        message="gradient is cut by {op} (TensorFlow has no gradient for this op type)",
        rules=(Rule.UNREGISTERED, Rule.UNKNOWN),
        raises=True,
        cuts_every_input=True,
        why=(
            "No gradient function is registered for this op type. A real training step would not "
            "skip it: tape.gradient fails as a whole, for every weight. gradflow steps around the"
            " op so that the others can be judged."
        ),
        fix=(
            "replace the op by differentiable ones, wrap it in tf.custom_gradient, or put "
            "tf.stop_gradient before it"
        ),
        right_when="the model is only ever used for inference",
        example=(
            "inputs = keras.Input([4])\n"
            "hidden = keras.layers.Dense(8)(inputs)\n"
            "distinct = keras.layers.Lambda(lambda h: tf.unique(tf.reshape(h, [-1]))[0])\n"
            "model = keras.Model(inputs, distinct(hidden))"
        ),
    ),
    CodeEntry(
        code="GF204",
        kind="non_differentiable_input",
        severity=Severity.ERROR,
        title="value is used only as an index, a shape or a condition",
        message="only the shape or a non-differentiable input of {op} depends on it",
        rules=(Rule.FLOW,),
        why=(
            "The op passes gradient to its other inputs, but not to this one: an index, a shape"
            " or a condition has no slope. Where it is used for its shape alone, that is a note: a "
            "derivative of the value may be all that counts, and what is added to it has none."
        ),
        fix=(
            "let the value also take part in the computation, for example multiply the selected "
            "rows by its probability"
        ),
        right_when="the value only chooses what is computed, and another loss trains it",
        example=(
            "image = keras.Input([8, 8, 1])\n"
            'aim = keras.layers.Dense(8, name="aim")(keras.layers.Flatten()(image))\n'
            "warped = keras.ops.image.affine_transform(image, aim)\n"
            "score = keras.layers.Dense(1)(keras.layers.Flatten()(warped))\n"
            "model = keras.Model(image, score)  # aim gets no gradient"
        ),
    ),
    CodeEntry(
        code="GF205",
        kind="custom_gradient",
        severity=Severity.ERROR,
        title="custom gradient returns None here",
        message="the custom gradient at {op} returns None",
        marks=(Mark.CUSTOM,),
        why=(
            "A function under tf.custom_gradient returns None for this input or variable, so "
            "nothing goes further up."
        ),
        fix="return a gradient for every input and variable that should be trained",
        right_when="the function stops the gradient on purpose",
        example=(
            "@tf.custom_gradient\n"
            "def quantize(x):\n"
            "    return tf.round(x), lambda upstream: None\n"
            "\n"
            "inputs = keras.Input([4])\n"
            "hidden = keras.layers.Dense(8)(inputs)\n"
            "model = keras.Model(inputs, keras.layers.Lambda(quantize)(hidden))"
        ),
    ),
    CodeEntry(
        code="GF206",
        kind="unused",
        severity=Severity.WARNING,
        title="weight has no path to any selected output",
        message="no path to any {selected}output",
        why=(
            "The weight is in the file, but no selected output depends on it: a head that nobody "
            "calls, a layer that call() builds and skips, or an output that --output leaves out. "
            "Or no op reads it, since __init__ or build computed a value from it: that value was "
            "computed once and is a constant; or since only its shape is used, as in "
            "tf.zeros(v.shape), which Python knows without reading it. A weight that another entry "
            "of the SavedModel trains is a note that names this entry."
        ),
        fix="connect the layer, select its output, or remove it",
        step_fix=(
            "let it take part in the loss, by ops of TensorFlow and not of NumPy, or take it out "
            "of what is trained"
        ),
        right_when="the weight belongs to another task's head or to another signature of the file",
        example=(
            "inputs = keras.Input([4])\n"
            'used = keras.layers.Dense(1, name="used")(inputs)\n'
            'spare = keras.layers.Dense(1, name="spare")(inputs)\n'
            "heads = keras.Model(inputs, [used, spare])\n"
            "model = keras.Model(inputs, heads(inputs)[0])  # nothing reads spare"
        ),
    ),
    CodeEntry(
        code="GF207",
        kind="gradient_disabled",
        severity=Severity.ERROR,
        title="gradient is forbidden by PreventGradient",
        message="gradient is disabled by {op}",
        rules=(Rule.DISABLED,),
        raises=True,
        cuts_every_input=True,
        why=(
            "PreventGradient passes the data on and raises LookupError as soon as a gradient is "
            "asked for. Libraries put it where a gradient would be wrong. A loop of TensorFlow 1 "
            "that was made with back_prop=False lets no gradient in either."
        ),
        fix=(
            "use a differentiable function in its place (TensorFlow's error in training may name "
            "one), or tf.stop_gradient if no gradient is wanted; make the loop with back_prop=True"
        ),
        right_when="the model is only ever used for inference",
        example=(
            "inputs = keras.Input([4])\n"
            "hidden = keras.layers.Dense(8)(inputs)\n"
            "\n"
            "@tf.function\n"
            "def guard(h):\n"
            '    return tf.raw_ops.PreventGradient(input=h, message="has no slope")\n'
            "\n"
            "model = keras.Model(inputs, keras.layers.Lambda(guard)(hidden))"
        ),
    ),
    CodeEntry(
        code="GF208",
        kind="opaque",
        severity=Severity.ERROR,
        title="computation leaves TensorFlow",
        message="{op} leaves TensorFlow: Python code without a gradient",
        rules=(Rule.OPAQUE,),
        cuts_every_input=True,
        why=(
            "The op runs Python or other foreign code, and TensorFlow sees neither what it "
            "computes nor its slope."
        ),
        fix=(
            "write the computation with TensorFlow ops, or give it a gradient with "
            "tf.custom_gradient; tf.py_function passes gradient where tf.numpy_function does not"
        ),
        right_when="the code only logs, or prepares data in front of the first weight",
        example=(
            "inputs = keras.Input([4])\n"
            "hidden = keras.layers.Dense(8)(inputs)\n"
            "tanh = lambda h: tf.numpy_function(np.tanh, [h], tf.float32)\n"
            "model = keras.Model(inputs, keras.layers.Lambda(tanh, (8,))(hidden))"
        ),
    ),
    CodeEntry(
        code="GF209",
        kind="unexplained",
        severity=Severity.ERROR,
        title="the tape and the graph disagree",
        message="the tape and the graph disagree: this is a fault of gradflow, please report it",
        why=(
            "The measured gradient is not what the graph says it should be. This is a fault of "
            "gradflow, not of the model; the verdict shown is the tape's."
        ),
        fix="please report it, with the op types on the path",
        right_when="never",
        example="",
    ),
    CodeEntry(
        code="GF210",
        kind="custom_gradient_lost",
        severity=Severity.ERROR,
        title="file was saved without its custom gradients",
        message="the custom gradient of {op} was not saved",
        marks=(Mark.LOST,),
        why=(
            "The graph names a custom gradient whose function is not in the file. After loading, "
            "asking for a gradient through it raises LookupError, for every weight."
        ),
        fix=(
            "save again with tf.saved_model.SaveOptions(experimental_custom_gradients=True), the "
            "default of newer versions"
        ),
        right_when="the model is only ever used for inference",
        example=(
            "@tf.custom_gradient\n"
            "def straight_through(x):\n"
            "    return tf.round(x), lambda upstream: upstream\n"
            "\n"
            "layer = keras.layers.Lambda(straight_through)\n"
            "model = keras.Sequential([keras.Input([4]), keras.layers.Dense(8), layer])\n"
            "options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)\n"
            'tf.saved_model.save(model, "saved", options=options)'
        ),
    ),
    CodeEntry(
        code="GF211",
        kind="overwritten",
        severity=Severity.ERROR,
        title="value is assigned to a variable in the call",
        message="gradient is cut by {op}: what is assigned to a variable passes no gradient back",
        marks=(Mark.WRITES,),
        why=(
            "The call itself writes to a variable. What is written there carries no gradient back "
            "to what it was computed from, so that stays at its initial value. And a weight that "
            "every call overwrites keeps nothing of what an optimizer changes, although it gets a "
            "gradient."
        ),
        fix=(
            "use the computed value itself in the call, without assigning it; where the variable "
            "is memory and not to be trained, make it with trainable=False"
        ),
        right_when=(
            "the variable is state that only follows the model, such as a moving average, or the "
            "assigned value comes from the variable itself and only scales it"
        ),
        example=(
            "class Doubled(keras.layers.Layer):\n"
            "    def build(self, shape):\n"
            '        self.base = self.add_weight(shape=(shape[-1], 4), name="base")\n'
            '        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")\n'
            "\n"
            "    def call(self, inputs):\n"
            "        # base gets no gradient, and kernel is overwritten\n"
            "        self.kernel.assign(2.0 * self.base)\n"
            "        return keras.ops.matmul(inputs, self.kernel)\n"
            "\n"
            "model = keras.Sequential([keras.Input([4]), Doubled()])"
        ),
    ),
)
