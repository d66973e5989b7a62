"""Name the variables that a Keras layer stores, and tell weights from state.

Source: the ``build`` and ``save_own_variables`` methods of keras/src/layers (3.15); Keras stores a
layer's variables by number, those which the layer declares trainable first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gradflow.files.keras.config import LayerConfig, snake_case
from gradflow.findings import Role

_KERNEL = ("kernel", "bias")
_SEPARABLE = ("depthwise_kernel", "pointwise_kernel", "bias")
_RECURRENT = ("kernel", "recurrent_kernel", "bias")
_CONVOLUTIONS = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3DTranspose",
)

RECURRENT = frozenset(
    {
        "RNN",
        "LSTM",
        "GRU",
        "SimpleRNN",
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
        "CuDNNLSTM",
        "CuDNNGRU",
    }
)
"""Layers that keep their weights in a cell, to which they hand their own flag; what they own
themselves is state."""

_NAMES: dict[str, tuple[str, ...]] = {
    "Dense": _KERNEL,
    "EinsumDense": _KERNEL,
    **dict.fromkeys(_CONVOLUTIONS, _KERNEL),
    "DepthwiseConv1D": _KERNEL,
    "DepthwiseConv2D": _KERNEL,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "Embedding": ("embeddings",),
    "ReversibleEmbedding": ("embeddings", "reverse_embeddings"),
    "BatchNormalization": (
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "moving_stddev",
        "renorm_mean",
        "renorm_stddev",
    ),
    "LayerNormalization": ("gamma", "beta"),
    "GroupNormalization": ("gamma", "beta"),
    "RMSNormalization": ("scale",),
    "SpectralNormalization": ("", "vector_u"),  # it stores the kernel of the layer inside once more
    "Normalization": ("mean", "variance", "count"),
    "PReLU": ("alpha",),
    "Attention": ("scale", "concat_score_weight"),
    "AdditiveAttention": ("scale",),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell", "ConvLSTMCell"), _RECURRENT),
    **dict.fromkeys(RECURRENT, ()),
    "MultiHeadAttention": (),
    "GroupQueryAttention": (),
    "GroupedQueryAttention": (),
    "STFTSpectrogram": ("real_kernel", "imag_kernel"),
    "SeedGenerator": ("seed_generator_state",),
}

# Integer quantization: save_own_variables of core/dense.py, core/einsum_dense.py and
# core/embedding.py, Keras 3.15.
_SCALES = {
    "Dense": ("kernel_scale", "kernel_zero", "g_idx"),
    "EinsumDense": ("kernel_scale", "kernel_zero", "g_idx"),
    "Embedding": ("embeddings_scale", "embeddings_zero", "g_idx"),
}

_STATE = frozenset(
    (
        *("moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"),
        # Keras 2 and 1.
        *("renorm_mean_weight", "renorm_stddev_weight", "running_mean", "running_std"),
        *("vector_u", "sn_u", "seed_generator_state"),
        *("kernel_scale", "kernel_zero", "embeddings_scale", "embeddings_zero", "g_idx"),
    )
)

_WEIGHTS = (
    frozenset(
        name
        for class_name, names in _NAMES.items()
        if class_name not in ("Normalization", "SpectralNormalization", "SeedGenerator")
        for name in names
    )
    - _STATE
)

_PACKAGES = frozenset({"keras", "tf_keras", "tensorflow", "keras_core", "builtins"})
_OTHERS = frozenset(
    "Model Functional Sequential Graph Wrapper TimeDistributed Bidirectional StackedRNNCells "
    "LocallyConnected1D LocallyConnected2D SyncBatchNormalization BatchNormalizationV1 "
    "BatchNormalizationV2 ConvRNN2D ParametricSoftplus Convolution1D Convolution2D Convolution3D "
    "AtrousConvolution2D Deconvolution2D SeparableConvolution2D MaxoutDense Highway "
    "TimeDistributedDense SReLU DenseFeatures SequenceFeatures StringLookup IntegerLookup "
    "TextVectorization Merge Discretization Hashing CategoryEncoding RandomFourierFeatures".split()
)
"""Classes of Keras that hold layers, or whose variables have no names here."""

_MADE_IN_CODE = {
    "query_dense": ("query", "EinsumDense"),
    "key_dense": ("key", "EinsumDense"),
    "value_dense": ("value", "EinsumDense"),
    "gate_dense": ("gate", "EinsumDense"),
    "output_dense": ("attention_output", "EinsumDense"),
}
_CELLS = {"ConvLSTM1D": "ConvLSTMCell", "ConvLSTM2D": "ConvLSTMCell", "ConvLSTM3D": "ConvLSTMCell"}
_BY_GROUP = {snake_case(name): name for name in _NAMES}
_FLOATS = re.compile(r"b?float\d+\w*|complex\d+")
_COUNTER = re.compile(r"_\d+$")


_OLD_NAMES = {"W": "kernel", "U": "recurrent_kernel", "b": "bias", "alphas": "alpha"}
"""What Keras 1 calls the weights, with the layer's name before it: ``dense_1_W``, ``lstm_1_U_i``
for one gate."""
_IN_CELL = ("kernel", "recurrent_kernel", "bias")


def modern_path(layer: LayerConfig, path: str) -> str:
    """Return the path of a variable below ``layer`` as Keras 3 has it: ``cell/kernel`` for what is
    stored as ``kernel`` of a recurrent layer, or as ``lstm_1_W_i``."""
    name = name_of_keras1(layer, path) or path
    if name != path:
        name = _OLD_NAMES.get(name.partition("_")[0], name)
        if name == "kernel" and layer.class_name == "Embedding":
            name = "embeddings"
    if layer.class_name in RECURRENT and name in _IN_CELL:
        return f"cell/{name}"
    return name


def name_of_keras1(layer: LayerConfig, path: str) -> str | None:
    """Return what Keras 1 adds to the name of a layer in the name of its variable: ``W_i`` for
    ``lstm_1_W_i`` and ``forward_lstm_1_W_i``; None where the variable is not named so."""
    if "/" in path:
        return None
    ways = ("", "forward_", "backward_")
    starts = (f"{way}{layer.name}_" for way in ways)
    return next((path[len(start) :] for start in starts if path.startswith(start)), None)


def is_state_name(variable: str) -> bool:
    """Whether a layer of Keras calls by that name what is not trained."""
    return variable in _STATE or variable in _NAMES["Normalization"]


def is_weight_name(variable: str) -> bool:
    """Whether layers call weights, and nothing else, by that name."""
    name = _COUNTER.sub("", variable)
    return name in _WEIGHTS or name.endswith(("_kernel", "_bias", "_embeddings"))


def is_kerass_own(layer: LayerConfig) -> bool:
    """Whether Keras defines the class of a layer, so that its configuration tells what is frozen.

    A file that names no module is believed where the class is one of those that have weights.
    """
    if layer.module is not None:
        return layer.module in _PACKAGES
    name = layer.class_name.rpartition(".")[2]
    return not name or name in _NAMES or name in _OTHERS


def is_known(class_name: str) -> bool:
    """Return whether the table above knows the class."""
    return class_name in _NAMES


def variable_names(layer: LayerConfig, shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Names of the variables that a layer stores, in its order.

    A number where the class is unknown, an empty name for what another layer stores too.
    """
    options = layer.options
    if (
        not layer.class_name
        and len(shapes) == 2
        and len(shapes[0]) > 1
        and shapes[1] == shapes[0][-1:]
    ):
        # A layer that another one makes in code: of what class, the file does not say.
        return list(_KERNEL)
    absent = [
        ("gamma", options.get("scale") is False and options.get("rms_scaling") is not True),
        ("beta", options.get("center") is False or options.get("rms_scaling") is True),
        ("bias", options.get("use_bias") is False),
        ("scale", layer.class_name == "Attention" and options.get("use_scale") is not True),
    ]
    names = [name for name in _NAMES.get(layer.class_name, ()) if (name, True) not in absent]
    if _is_quantized(options):
        names += _SCALES.get(layer.class_name, ())
    return [names[index] if index < len(names) else str(index) for index in range(len(shapes))]


def role_of(class_name: str, variable: str, dtype: str) -> Role:
    """Weight or state, by what the layer's author declared; a floating variable of an unknown class
    is a weight."""
    if not _FLOATS.fullmatch(dtype) or variable in _STATE:
        return Role.STATE
    return (
        Role.STATE
        if class_name in RECURRENT and variable.isdecimal()
        else _normalization(class_name, variable)
    )


def is_lora_base(options: Mapping[str, object], variable: str) -> bool:
    """Return whether LoRA holds this variable still: with ``lora_rank`` set, loading freezes the
    kernel under the adapter."""
    return isinstance(options.get("lora_rank"), int) and variable in ("kernel", "embeddings")


def inner_layer(owner: LayerConfig, group: str, stored_name: str | None) -> LayerConfig:
    """Return a layer that ``owner`` makes in code, so that no configuration describes it.

    ``group`` is the attribute (or the numbered class name) under which it is stored. Keras hands
    the flag of a recurrent layer on to the cell that it makes, and does so for nothing else: such a
    layer comes back trainable (3.15, rnn/lstm.py against attention/multi_head_attention.py).
    """
    name, class_name = _made_in_code(owner.class_name, group.removeprefix("_"), stored_name)
    trainable = owner.trainable if owner.class_name in RECURRENT else True
    options = owner.options if class_name.endswith("Cell") or class_name == "EinsumDense" else {}
    return LayerConfig(
        name=name,
        class_name=class_name,
        trainable=trainable,
        built=False,
        options=options,
        parent=owner,
    )


def _made_in_code(owner: str, group: str, stored_name: str | None) -> tuple[str, str]:
    if group in _MADE_IN_CODE:
        name, class_name = _MADE_IN_CODE[group]
        return stored_name or name, class_name
    if group == "cell" and owner in RECURRENT:
        class_name = _CELLS.get(owner, f"{owner}Cell")
        return stored_name or snake_case(class_name), class_name
    for label in (group, stored_name or ""):
        class_name = _BY_GROUP.get(label) or _BY_GROUP.get(_COUNTER.sub("", label)) or ""
        if class_name:
            return stored_name or group, class_name
    return stored_name or group, ""


def _normalization(class_name: str, variable: str) -> Role:
    return Role.STATE if class_name == "Normalization" and not variable.isdecimal() else Role.WEIGHT


def _is_quantized(options: Mapping[str, object]) -> bool:
    policy = options.get("dtype")
    return isinstance(policy, dict) and policy.get("class_name") == "QuantizedDTypePolicy"
