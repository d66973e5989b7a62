"""The codes of the report as data: what each one means, why it happens, what to do about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gradflow.errors import UsageError


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One code of the catalogue, in the words that ``gradflow explain`` shows."""

    code: str
    kind: str
    """The word that stands for the code in a cause, for example ``stop_gradient``."""
    title: str
    """One line, lower-case: what is the case."""
    why: str
    """How a model comes to be so, and what it means for training."""
    fix: str
    """The usual remedy."""
    right_when: str
    """When the finding is no fault at all."""
    example: str
    """Python that brings it about, with keras, tf and np imported: it builds ``model``, or saves it
    as ``saved``.

    Lines of the configuration where the code is about an expectation; empty where nothing that one
    writes brings it about.
    """


def entry(code: str) -> CodeEntry:
    """Return the entry of a code, in either case.

    Raises:
        KeyError: the catalogue has no such code.
    """
    return CATALOGUE[code.upper()]


def look_up(word: str) -> CodeEntry:
    """Return the entry of a code or a kind, in any case and with any of ``_- `` between the kind's
    words.

    Raises:
        UsageError: there is none; the hint tells the nearest one.
    """
    wanted = _plain(word)
    names = {_plain(name): item for item in CATALOGUE.values() for name in (item.code, item.kind)}
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    found = f"did you mean {names[near[0]].code} {names[near[0]].kind}? " if near else ""
    raise UsageError(f"no code {word!r}", f"{found}gradflow rules lists them all")


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).lower()


_FROZEN = (
    CodeEntry(
        "GF101",
        "frozen",
        "weight under trainable=False",
        "A layer above the weight has trainable=False, or the file's list of trainable variables "
        "leaves the weight "
        "out. Training will not update it, although a gradient may well reach it.",
        "set layer.trainable = True on the layer that is named, before compile(), and save again",
        "the weight belongs to a pretrained part that is meant to stay as it is; write it into "
        "expect.frozen",
        "inputs = keras.Input([4])\n"
        "backbone = keras.layers.Dense(8, trainable=False)\n"
        "model = keras.Model(inputs, keras.layers.Dense(1)(backbone(inputs)))",
    ),
    CodeEntry(
        "GF102",
        "freeze_not_recorded",
        "the file cannot say what was frozen, or says two different things",
        "tf.saved_model.save of a Keras 3 model drops the freeze flags. model.export() lists what "
        "is frozen, but the "
        "variables' own records say trainable=True, and TFSMLayer goes by those. Keras forgets the "
        "flag of a layer "
        "that makes its inner layers in code (MultiHeadAttention), and a layer can train inside a "
        "frozen one.",
        "fine-tune from a file of model.save('model.keras'), or set trainable = False again after "
        "loading and look at "
        "model.trainable_variables",
        "nothing was frozen, the file is for inference only, or the inner layer is meant to train",
        "backbone = keras.layers.Dense(8, trainable=False)\n"
        "head = keras.layers.Dense(1)\n"
        "model = keras.Sequential([keras.Input([4]), backbone, head])\n"
        'tf.saved_model.save(model, "saved")  # the flag of backbone is lost here',
    ),
    CodeEntry(
        "GF103",
        "untracked",
        "weight that no layer tracks",
        "The graph computes with this variable, which calls itself trainable, but no layer tracks "
        "it: a raw "
        "tf.Variable as an attribute of a Keras 3 layer, or a variable or layer that a Lambda or a "
        "closure captured. "
        "It is missing from trainable_variables, so an optimizer never updates it, gradient or "
        "not.",
        "create it with self.add_weight() in the layer that uses it; a layer must be an attribute "
        "of the model or of "
        "another layer",
        "the variable is updated by hand, for example a moving average; then say so: "
        "tf.Variable(..., trainable=False)",
        "scale = tf.Variable(1.0)\n"
        "layer = keras.layers.Lambda(lambda x: x * scale)\n"
        "model = keras.Sequential([keras.Input([4]), layer])",
    ),
)
_CUT = (
    CodeEntry(
        "GF201",
        "stop_gradient",
        "gradient is cut by StopGradient",
        "tf.stop_gradient or keras.ops.stop_gradient lets the data through and holds the gradient "
        "back. Every weight "
        "whose only way to the outputs leads through it stays at its initial value.",
        "remove the stop_gradient, or move it to the branch that should not be trained",
        "the branch is a target network, a teacher, a momentum encoder or a straight-through "
        "estimator",
        "inputs = keras.Input([4])\n"
        'hidden = keras.layers.Dense(8, name="encoder")(inputs)\n'
        "score = keras.layers.Dense(1)(keras.ops.stop_gradient(hidden))\n"
        "model = keras.Model(inputs, score)  # the encoder gets no gradient",
    ),
    CodeEntry(
        "GF202",
        "non_differentiable",
        "gradient is cut by an op without a gradient",
        "The data passes an op that is registered as not differentiable, or leaves floating point: "
        "argmax, round, a "
        "cast to int, a comparison. A step function has no useful slope, so TensorFlow gives none.",
        "use a soft form (softmax for argmax, sigmoid for a threshold) or a straight-through "
        "estimator: "
        "x + tf.stop_gradient(tf.round(x) - x)",
        "the choice is not meant to be learned, such as bucketing of input features",
        "inputs = keras.Input([4])\n"
        'gate = keras.layers.Dense(3, name="gate")(inputs)\n'
        "route = keras.ops.one_hot(keras.ops.argmax(gate, -1), 3)\n"
        "experts = keras.layers.Dense(3)(inputs)\n"
        "model = keras.Model(inputs, route * experts)  # the gate gets no gradient",
    ),
    CodeEntry(
        "GF203",
        "no_gradient_registered",
        "op for which TensorFlow raises LookupError",
        "No gradient function is registered for this op type. A real training step would not skip "
        "it: tape.gradient "
        "fails as a whole, for every weight. gradflow steps around the op so that the others can "
        "be judged.",
        "replace the op by differentiable ones, wrap it in tf.custom_gradient, or put "
        "tf.stop_gradient before it",
        "the model is only ever used for inference",
        "inputs = keras.Input([4])\n"
        "hidden = keras.layers.Dense(8)(inputs)\n"
        "distinct = keras.layers.Lambda(lambda h: tf.unique(tf.reshape(h, [-1]))[0])\n"
        "model = keras.Model(inputs, distinct(hidden))",
    ),
    CodeEntry(
        "GF204",
        "non_differentiable_input",
        "value is used only as an index, a shape or a condition",
        "The op passes gradient to its other inputs, but not to this one: what selects, sizes or "
        "switches has no "
        "slope.",
        "let the value also take part in the computation, for example multiply the selected rows "
        "by its probability",
        "the value only steers and another loss trains it",
        "image = keras.Input([8, 8, 1])\n"
        'aim = keras.layers.Dense(8, name="aim")(keras.layers.Flatten()(image))\n'
        "warped = keras.ops.image.affine_transform(image, aim)\n"
        "score = keras.layers.Dense(1)(keras.layers.Flatten()(warped))\n"
        "model = keras.Model(image, score)  # aim gets no gradient",
    ),
    CodeEntry(
        "GF205",
        "custom_gradient",
        "custom gradient returns None here",
        "A function under tf.custom_gradient returns None for this input or variable, so nothing "
        "goes further up.",
        "return a gradient for every input and variable that should be trained",
        "the function stops the gradient on purpose",
        "@tf.custom_gradient\n"
        "def quantize(x):\n"
        "    return tf.round(x), lambda upstream: None\n\n"
        "inputs = keras.Input([4])\n"
        "hidden = keras.layers.Dense(8)(inputs)\n"
        "model = keras.Model(inputs, keras.layers.Lambda(quantize)(hidden))",
    ),
    CodeEntry(
        "GF206",
        "unused",
        "weight has no path to any selected output",
        "The weight is in the file, but no selected output depends on it: a head that nobody "
        "calls, a layer that "
        "call() builds and skips, or an output that --output leaves out.",
        "connect the layer, select its output, or remove it",
        "the weight belongs to another task's head or to another signature of the file",
        "inputs = keras.Input([4])\n"
        'used = keras.layers.Dense(1, name="used")(inputs)\n'
        'spare = keras.layers.Dense(1, name="spare")(inputs)\n'
        "heads = keras.Model(inputs, [used, spare])\n"
        "model = keras.Model(inputs, heads(inputs)[0])  # nothing reads spare",
    ),
    CodeEntry(
        "GF207",
        "gradient_disabled",
        "gradient is forbidden by PreventGradient",
        "PreventGradient passes the data on and raises LookupError as soon as a gradient is asked "
        "for. Libraries put "
        "it where a gradient would be wrong. A loop of TensorFlow 1 that was made with "
        "back_prop=False lets no "
        "gradient in either.",
        "take the differentiable function that the op's message names, or use tf.stop_gradient if "
        "no gradient is "
        "wanted; make the loop with back_prop=True",
        "the model is only ever used for inference",
        "inputs = keras.Input([4])\n"
        "hidden = keras.layers.Dense(8)(inputs)\n\n"
        "@tf.function\n"
        "def guard(h):\n"
        '    return tf.raw_ops.PreventGradient(input=h, message="has no slope")\n\n'
        "model = keras.Model(inputs, keras.layers.Lambda(guard)(hidden))",
    ),
    CodeEntry(
        "GF208",
        "opaque",
        "computation leaves TensorFlow",
        "The op runs Python or other foreign code, and TensorFlow sees neither what it computes "
        "nor its slope.",
        "write the computation with TensorFlow ops, or give it a gradient with tf.custom_gradient; "
        "tf.py_function "
        "passes gradient where tf.numpy_function does not",
        "the code only logs, or prepares data in front of the first weight",
        "inputs = keras.Input([4])\n"
        "hidden = keras.layers.Dense(8)(inputs)\n"
        "tanh = lambda h: tf.numpy_function(np.tanh, [h], tf.float32)\n"
        "model = keras.Model(inputs, keras.layers.Lambda(tanh, (8,))(hidden))",
    ),
    CodeEntry(
        "GF209",
        "unexplained",
        "the tape and the graph disagree",
        "The measured gradient is not what the graph says it should be. This is a fault of "
        "gradflow, not of the model; "
        "the verdict shown is the tape's.",
        "please report it, with the op types on the path",
        "never",
        "",
    ),
    CodeEntry(
        "GF210",
        "custom_gradient_lost",
        "file was saved without its custom gradients",
        "The graph names a custom gradient whose function is not in the file. After loading, "
        "asking for a gradient "
        "through it raises LookupError, for every weight.",
        "save again with tf.saved_model.SaveOptions(experimental_custom_gradients=True), the "
        "default of newer versions",
        "the model is only ever used for inference",
        "@tf.custom_gradient\n"
        "def straight_through(x):\n"
        "    return tf.round(x), lambda upstream: upstream\n\n"
        "layer = keras.layers.Lambda(straight_through)\n"
        "model = keras.Sequential([keras.Input([4]), keras.layers.Dense(8), layer])\n"
        "options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)\n"
        'tf.saved_model.save(model, "saved", options=options)',
    ),
)
_ZERO = (
    CodeEntry(
        "GF301",
        "zero_gradient_op",
        "gradient is zero by definition of an op",
        "The gradient that TensorFlow registers for the op (Sign, for example) is zero everywhere. "
        "The weight gets a "
        "gradient, and it never moves.",
        "use a smooth form (tanh for sign) or a straight-through estimator",
        "another path trains the weight, or the sign is not meant to be learned",
        "inputs = keras.Input([4])\n"
        'hidden = keras.layers.Dense(8, name="encoder")(inputs)\n'
        "score = keras.layers.Dense(1)(keras.ops.sign(hidden))\n"
        "model = keras.Model(inputs, score)  # the encoder gets zeros",
    ),
    CodeEntry(
        "GF302",
        "control_flow_zero",
        "zeros filled in by control flow",
        "A cond, case or while_loop fills in zeros for a branch that was not taken, or for a cut "
        "inside the branch "
        "or body. Outside of control flow the same cut would give no gradient at all.",
        "remove the cut inside the loop or branch; if the branch was not taken, give inputs "
        "(--input) that take it",
        "the other branch is for inference, or the inputs shown to gradflow do not reach it",
        "inputs = keras.Input([4])\n"
        'first = keras.layers.Dense(2, name="first")(inputs)\n'
        'second = keras.layers.Dense(2, name="second")(inputs)\n\n'
        "@tf.function\n"
        "def either(pair):\n"
        "    return tf.cond(tf.size(pair) > 0, lambda: pair[0], lambda: pair[1])\n\n"
        "score = keras.layers.Lambda(either)([first, second])\n"
        "model = keras.Model(inputs, score)  # second gets zeros",
    ),
    CodeEntry(
        "GF303",
        "dead",
        "a path exists and the measured gradient is zero",
        "The graph passes gradient, but every entry is exactly 0 on this batch: dead ReLUs, a "
        "saturated activation, "
        "a product with zero, a normalization over an axis of size 1, a softmax over one class.",
        "try real data with --input and another --seed; then look for dead units, saturation, zero "
        "factors",
        "the weight is multiplied by a zero-initialized gate (LoRA, zero-init residual) and comes "
        "alive in training",
        "inputs = keras.Input([4])\n"
        "feature = keras.layers.Dense(1)(inputs)\n"
        "normal = keras.layers.LayerNormalization()(feature)  # one feature: 0\n"
        "model = keras.Model(inputs, keras.layers.Dense(1)(normal))",
    ),
    CodeEntry(
        "GF304",
        "nonfinite",
        "gradient is NaN or infinite",
        "A forward or backward value leaves the range of floating point: log(0), 0/0, sqrt at 0, "
        "exp of a large "
        "number. One update makes the weights NaN as well.",
        "guard divisions, log and sqrt (tf.math.divide_no_nan, tf.maximum(x, eps)), or scale the "
        "inputs",
        "the inputs made by gradflow are outside what the model accepts; give real ones with "
        "--input",
        "inputs = keras.Input([4])\n"
        'hidden = keras.layers.Dense(8, activation="relu")(inputs)\n'
        "model = keras.Model(inputs, keras.ops.sqrt(hidden))  # slope at 0: infinite",
    ),
    CodeEntry(
        "GF305",
        "vanishing",
        "gradient is tiny beside the model's median",
        "The gradient is not zero, but so small beside the others that it is rounding noise or "
        "will not move the "
        "weight.",
        "add normalization or residual connections, change saturating activations, or raise "
        "thresholds.vanishing",
        "it is a bias before a BatchNormalization or an attention key bias: mathematically zero "
        "and harmless",
        "inputs = keras.Input([4])\n"
        "hidden = keras.layers.Dense(8)(inputs)\n"
        "normal = keras.layers.BatchNormalization()(hidden)  # undoes the bias\n"
        "model = keras.Model(inputs, keras.layers.Dense(1)(normal))",
    ),
    CodeEntry(
        "GF306",
        "exploding",
        "gradient is huge beside the model's median",
        "The gradient outweighs the model's others by far, so one step moves this weight too much.",
        "scale the initialization or the inputs, add normalization, clip gradients, or raise "
        "thresholds.exploding",
        "the inputs made by gradflow are larger than real ones; give real ones with --input",
        "inputs = keras.Input([4])\n"
        'hidden = keras.layers.Dense(8, name="large")(inputs)\n'
        "others = [keras.layers.Dense(1)(inputs) for _ in range(3)]\n"
        "model = keras.Model(inputs, [1e8 * hidden, *others])",
    ),
)
_EXPECTED = (
    CodeEntry(
        "GF401",
        "unexpected_frozen",
        "weight is frozen against the expectation",
        "The weight is frozen and no pattern of expect.frozen covers it (without expect.frozen, "
        "none does), or "
        "expect.trainable asks for it.",
        "unfreeze the layer that is named and save again, or add the pattern to expect.frozen",
        "the expectation is out of date",
        "expect:\n  frozen: ['backbone/**']  # and adapter has trainable=False as well",
    ),
    CodeEntry(
        "GF402",
        "unexpected_trainable",
        "weight is trainable against the expectation",
        "A pattern of expect.frozen covers the weight and it is trainable: fine-tuning would "
        "change what should stay.",
        "set layer.trainable = False before saving, or narrow the pattern",
        "the expectation is out of date",
        "expect:\n  frozen: ['backbone/**']  # and backbone was unfrozen",
    ),
    CodeEntry(
        "GF403",
        "unmatched",
        "expectation or ignore that matches nothing",
        "The pattern matches no weight of the model, so it checks nothing: a typing error, or a "
        "layer that was "
        "renamed.",
        "correct the pattern; gradflow inspect MODEL --all lists the names",
        "one configuration serves models of which some lack the layer",
        "expect:\n  frozen: ['backbnoe/**']",
    ),
    CodeEntry(
        "GF404",
        "changed",
        "differs from the baseline",
        "The verdict or the freeze flag of the weight is not what the accepted baseline says.",
        "repair the model, or accept the change with gradflow baseline",
        "the change is meant",
        "",
    ),
)
_UNCHECKED = (
    CodeEntry(
        "GF901",
        "unreadable",
        "model could not be read or run",
        "The path holds no model that can be read, a layer or op library is missing, or no inputs "
        "could be made for "
        "it. As a warning: the model could not be run, and the verdicts are those of the file "
        "alone.",
        "follow the hint: often --import MODULE for custom layers, or --input NAME=SPEC",
        "as a warning, where the file alone tells enough; never as an error: nothing was checked",
        "",
    ),
    CodeEntry(
        "GF902",
        "unsafe",
        "model could do harm when loaded",
        "A model file is a program. This one holds something that is on none of the lists of what "
        "is known to be "
        "harmless: an op that writes or reads files, connects or runs Python, a Lambda with byte "
        "code, a class or "
        "function that does more than to compute, a path or link that leads out of the file, or a "
        "variable that no "
        "memory holds. It was not loaded; as a note: --trust let it in.",
        "read it with --static, which runs nothing, or pass --trust if you know where the file "
        "comes from",
        "you made the file yourself",
        "layer = keras.layers.Lambda(lambda x: x + 1)\n"
        "model = keras.Sequential([keras.Input([4]), layer])\n"
        'model.save("model.keras")  # with the byte code of the lambda',
    ),
    CodeEntry(
        "GF903",
        "crashed",
        "process that ran the model died",
        "The model's process crashed, hung or ran out of memory. Other models of the run are not "
        "affected.",
        "raise --timeout or --memory-limit, lower --batch-size, or read it with --static",
        "never: nothing was checked",
        "",
    ),
)

CATALOGUE: Mapping[str, CodeEntry] = MappingProxyType(
    {item.code: item for item in (*_FROZEN, *_CUT, *_ZERO, *_EXPECTED, *_UNCHECKED)}
)
"""Every code, in order."""

RESERVED: frozenset[str] = frozenset()
"""The codes that this version never reports: kept for a later one, with their meaning."""
