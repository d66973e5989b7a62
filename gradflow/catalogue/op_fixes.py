"""Say what to do about a cut, op by op, where more can be said than its code does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class OpFix:
    """What to do where an op of these types cuts a gradient."""

    op_types: tuple[str, ...]
    fix: str
    code: str = ""
    """Lines to paste, with tensorflow imported as tf; empty where there is no general form.

    They are short, so that a text of 80 columns does not fold them."""


def fix_of(code: str, op_type: str | None) -> OpFix | None:
    """Return what to do about a cut with that code at an op of that type; None where the code says
    it all."""
    return _BY_OP_TYPE.get(op_type or "") if code in _CODES else None


_CODES = ("GF202", "GF203", "GF301")

_STEP = "a comparison is a step without slope: use a sigmoid of the difference, or this"
_SAME = "two values are equal or not, without slope: use how near they are, or this"
_ROUNDED = (
    "a rounded value has no slope: pass the gradient straight through, or leave the rounding to "
    "inference"
)
_INDEX = "an index has no slope: weight all entries with a softmax, or multiply by this choice"
_ASSIGNED = (
    "what is written to a variable carries no gradient: go on with the value itself, and write a "
    "copy"
)
_NOISE = (
    "random numbers carry no gradient to what they are drawn with: draw plain noise, scale it and "
    "shift it"
)


def _step(name: str, sign: str, difference: str) -> str:
    return (
        f"def {name}(a, b, width=1.0):  # the value of a {sign} b, the slope of sigmoid\n"
        f"    soft = tf.sigmoid(({difference}) / width)\n"
        f"    return soft + tf.stop_gradient(tf.cast(a {sign} b, soft.dtype) - soft)"
    )


def _straight_through(name: str, call: str) -> str:
    return (
        f"def {name}(x):  # the value of tf.{call}, the slope of x itself\n"
        f"    hard = tf.{call}(x)\n"
        f"    return x + tf.stop_gradient(hard - x)"
    )


def _choice(call: str, sign: str) -> str:
    return (
        f"def choice(scores):  # the one-hot of the {call}, the slope of a softmax\n"
        f"    soft = tf.nn.softmax({sign}scores)\n"
        f"    hard = tf.one_hot(tf.{call}(scores, -1), scores.shape[-1])\n"
        f"    return soft + tf.stop_gradient(hard - soft)"
    )


def _noise(draw: str) -> str:
    return (
        "def drawn(mean, scale):\n"
        f"    noise = tf.random.{draw}(tf.shape(mean))\n"
        "    return mean + scale * noise"
    )


def _assigned(value: str) -> str:
    return (
        f"value = {value}\n"
        "state.assign(tf.stop_gradient(value))\n"
        "output = value  # and not state, which carries no gradient"
    )


OP_FIXES = (
    OpFix(("Less", "LessEqual"), _STEP, _step("less", "<", "b - a")),
    OpFix(("Greater", "GreaterEqual"), _STEP, _step("greater", ">", "a - b")),
    OpFix(
        ("Equal", "ApproximateEqual"),
        _SAME,
        "def equal(a, b, width=1.0):  # the value of a == b, the slope of a bell\n"
        "    soft = tf.exp(-tf.square((a - b) / width))\n"
        "    return soft + tf.stop_gradient(tf.cast(a == b, soft.dtype) - soft)",
    ),
    OpFix(
        ("NotEqual",),
        _SAME,
        "def unequal(a, b, width=1.0):  # the value of a != b, the slope of a bell\n"
        "    soft = 1 - tf.exp(-tf.square((a - b) / width))\n"
        "    return soft + tf.stop_gradient(tf.cast(a != b, soft.dtype) - soft)",
    ),
    OpFix(("Round", "Rint"), _ROUNDED, _straight_through("rounded", "round")),
    OpFix(("Floor",), _ROUNDED, _straight_through("floored", "floor")),
    OpFix(("Ceil",), _ROUNDED, _straight_through("raised", "math.ceil")),
    OpFix(
        ("FloorDiv",),
        "a whole quotient has no slope: divide as floats, or pass the gradient of the division",
        "def quotient(x, y):  # the value of x // y, the slope of x / y\n"
        "    exact = x / y\n"
        "    return exact + tf.stop_gradient(x // y - exact)",
    ),
    OpFix(
        ("Cast",),
        "an integer or a boolean has no slope: stay in floating point, or cast like this",
        "def whole(x):  # the value of a cast to integers, the slope of x itself\n"
        "    hard = tf.cast(tf.cast(x, tf.int32), x.dtype)\n"
        "    return x + tf.stop_gradient(hard - x)",
    ),
    OpFix(
        ("Sign",),
        "the gradient of sign is always zero: use tanh, or the sign with the slope of tanh",
        "def sign(x, width=1.0):  # the value of tf.sign, the slope of tanh\n"
        "    soft = tf.tanh(x / width)\n"
        "    return soft + tf.stop_gradient(tf.sign(x) - soft)",
    ),
    OpFix(
        ("ReluGrad", "Relu6Grad", "LeakyReluGrad"),
        "the slope of relu is constant on each side: where a derivative is the output, use a "
        "smooth activation (softplus, tanh, gelu)",
    ),
    OpFix(("ArgMax",), _INDEX, _choice("argmax", "")),
    OpFix(("ArgMin",), _INDEX, _choice("argmin", "-")),
    OpFix(
        ("Multinomial", "StatelessMultinomial"),
        "a drawn class has no slope: use the softmax itself, or a soft draw (Gumbel-softmax)",
        "def soft_draw(logits, temperature=0.5):  # nearer to one-hot as it falls\n"
        "    uniform = tf.random.uniform(tf.shape(logits), 1e-6, 1.0)\n"
        "    noise = -tf.math.log(-tf.math.log(uniform))\n"
        "    return tf.nn.softmax((logits + noise) / temperature)",
    ),
    OpFix(
        ("RandomPoisson", "RandomPoissonV2", "StatelessRandomPoisson"),
        "a drawn number has no slope in its rate: draw from the normal distribution of the same "
        "mean and variance, or train the rate by the log probability of what was drawn",
        "def drawn(rate):  # about Poisson, with a slope in the rate\n"
        "    noise = tf.random.normal(tf.shape(rate))\n"
        "    return rate + tf.sqrt(rate) * noise",
    ),
    OpFix(
        ("StatelessRandomBinomial", "StatefulRandomBinomial"),
        "a drawn number has no slope in its probability: draw from the normal distribution of the "
        "same mean and variance, or train it by the log probability of what was drawn",
        "def drawn(counts, probs):  # about binomial, with a slope in probs\n"
        "    mean, noise = counts * probs, tf.random.normal(tf.shape(probs))\n"
        "    return mean + tf.sqrt(mean * (1 - probs)) * noise",
    ),
    OpFix(
        (
            "ParameterizedTruncatedNormal",
            "StatelessParameterizedTruncatedNormal",
            "TruncatedNormal",
            "StatelessTruncatedNormal",
            "StatelessTruncatedNormalV2",
        ),
        _NOISE,
        _noise("truncated_normal"),
    ),
    OpFix(
        ("RandomStandardNormal", "StatelessRandomNormal", "StatelessRandomNormalV2"),
        _NOISE,
        _noise("normal"),
    ),
    OpFix(
        (
            "RandomUniform",
            "RandomUniformInt",
            "StatelessRandomUniform",
            "StatelessRandomUniformV2",
            "StatelessRandomUniformInt",
            "StatelessRandomUniformIntV2",
        ),
        _NOISE,
        _noise("uniform"),
    ),
    OpFix(
        ("RandomShuffle",),
        "TensorFlow gives no gradient through tf.random.shuffle: shuffle the indices, and look up "
        "the values",
        "def shuffled(x):\n"
        "    order = tf.random.shuffle(tf.range(tf.shape(x)[0]))\n"
        "    return tf.gather(x, order)",
    ),
    OpFix(
        ("LowerBound", "UpperBound", "Bucketize"),
        "the number of a bin has no slope: count the edges below with a sigmoid for each",
        "def position(x, edges, width=1.0):  # a soft tf.searchsorted\n"
        "    steps = tf.sigmoid((x[..., None] - edges) / width)\n"
        "    return tf.reduce_sum(steps, -1)",
    ),
    OpFix(
        ("HistogramFixedWidth", "Bincount", "DenseBincount"),
        "a count has no slope: let each value count in part for the bins near it",
        "def histogram(x, centers, width=1.0):\n"
        "    near = tf.nn.softmax(-tf.square((x[:, None] - centers) / width))\n"
        "    return tf.reduce_sum(near, 0)",
    ),
    OpFix(
        ("AssignVariableOp", "Assign", "ResourceScatterUpdate", "ScatterUpdate"),
        _ASSIGNED,
        _assigned("x"),
    ),
    OpFix(
        ("AssignAddVariableOp", "AssignAdd", "ResourceScatterAdd", "ScatterAdd"),
        _ASSIGNED,
        _assigned("state + x"),
    ),
    OpFix(
        ("AssignSubVariableOp", "AssignSub", "ResourceScatterSub", "ScatterSub"),
        _ASSIGNED,
        _assigned("state - x"),
    ),
    OpFix(
        ("IsNan", "IsInf", "IsFinite"),
        "a test for NaN or Inf has no slope: replace the values that fail, and keep the others",
        "def cleaned(x):\n"
        "    is_fine = tf.math.is_finite(x)\n"
        "    return tf.where(is_fine, x, tf.zeros_like(x))",
    ),
    OpFix(
        ("Where",),
        "the positions that tf.where finds have no slope: multiply by a soft mask in their place",
        "def masked(x, score, width=1.0):  # in place of the x where score > 0\n"
        "    mask = tf.sigmoid(score / width)\n"
        "    return x * mask",
    ),
    OpFix(
        tuple(f"NonMaxSuppression{version}" for version in ("", "V2", "V3", "V4", "V5")),
        "which boxes are kept has no slope: go on with their scores and boxes, looked up by the "
        "indices (tf.gather), which carry the gradient",
    ),
    OpFix(
        ("TopKV2",),
        "the positions of the largest have no slope: go on with their values, which tf.math.top_k "
        "returns too and which carry the gradient, or weight all entries with a softmax",
    ),
    OpFix(
        ("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2"),
        "which values are equal has no slope: find that out on integers, and look the values up by "
        "the indices (tf.gather), which carries the gradient",
    ),
    OpFix(
        ("Bitcast",),
        "bits have no slope: stay in floating point; tf.cast between floats keeps the slope",
    ),
    OpFix(
        ("QuantizeV2",),
        "a quantized value has no slope: train with fake quantization, whose gradient passes "
        "straight through, and quantize for inference",
        "def quantized(x, low=-1.0, high=1.0):\n"
        "    fake = tf.quantization.fake_quant_with_min_max_vars\n"
        "    return fake(x, low, high)",
    ),
    OpFix(
        ("CTCGreedyDecoder", "CTCBeamSearchDecoder"),
        "a decoded sequence has no slope: train the logits with tf.nn.ctc_loss, and decode for "
        "inference",
    ),
    OpFix(
        ("EditDistance", "InTopK", "InTopKV2"),
        "a count of errors has no slope: train with a cross entropy or tf.nn.ctc_loss, and keep "
        "the count as a metric",
    ),
    OpFix(
        ("ResizeArea",),
        "TensorFlow has no gradient for resizing by areas: use tf.image.resize with antialias=True",
    ),
    OpFix(
        ("AdjustContrastv2", "AdjustHue", "AdjustSaturation", "HSVToRGB"),
        "TensorFlow has no gradient for this op on colours: apply it to the data before the model, "
        "or write it with sums and products",
    ),
    OpFix(
        ("AsString", "StringFormat"),
        "text has no slope: go on with the number itself, and write the text beside it",
    ),
    OpFix(
        ("LookupTableFind", "LookupTableFindV2"),
        "a table of keys has no slope: use an Embedding of the index, or a Dense layer",
    ),
    OpFix(
        (
            "DatasetToSingleElement",
            "IteratorGetNext",
            "MapDataset",
            "ParallelMapDatasetV2",
            "ReduceDataset",
            "ScanDataset",
            "TensorDataset",
            "TensorSliceDataset",
        ),
        "a tf.data pipeline passes no gradient: compute what is trained behind it, and loop with "
        "tf.map_fn, tf.scan or tf.while_loop",
    ),
    OpFix(
        ("ZerosLike", "OnesLike"),
        "only the shape of the value is used here: use the value itself, or leave the layer out",
    ),
)
"""What is known of single ops."""
_BY_OP_TYPE: Mapping[str, OpFix] = MappingProxyType(
    {op_type: item for item in OP_FIXES for op_type in item.op_types}
)
