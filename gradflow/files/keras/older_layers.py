"""Read a layer that Keras 1 or an early Keras 2 described as the layer table has it: class and
keys of Keras 3.

Source: keras/legacy/interfaces.py of Keras 2.0 to 2.3, which loads what Keras 1 wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

_CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "ConvLSTM2DCell": "ConvLSTMCell",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "GRUCellV2": "GRUCell",
    "GRUV2": "GRU",
    "LSTMCellV2": "LSTMCell",
    "LSTMV2": "LSTM",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "TimeDistributedDense": "Dense",
    "UnifiedGRU": "GRU",
    "UnifiedLSTM": "LSTM",
}
_KEYS = {
    "inner_activation": "recurrent_activation",
    "p": "rate",
    "sigma": "stddev",
    "bias": "use_bias",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
"""Keys that had another name, of those on which the way of gradient can depend."""
_WITHOUT_EFFECT = {
    "Embedding": ("dropout",),
    "BatchNormalization": ("mode", "fused", "virtual_batch_size"),
}
"""Keys of Keras 1 and early Keras 2 on which the way of gradient does not depend: an Embedding
drops some words, and a BatchNormalization takes its mean from the batch in every mode of
training."""
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "dot": "Dot",
    "cos": "Dot",
}
_NAMES_A_FUNCTION = ("lambda", "function")


def modern_class(class_name: str, options: Mapping[str, object]) -> str:
    """Return the class by which the layer table knows a layer."""
    if class_name != "Merge":
        return _CLASSES.get(class_name, class_name)
    mode = options.get("mode")
    if options.get("mode_type") in _NAMES_A_FUNCTION or not isinstance(mode, str):
        return class_name
    return _MERGES.get(mode, class_name)


def modern_options(class_name: str, options: Mapping[str, object]) -> Mapping[str, object]:
    """Return the configuration of a layer with the keys of Keras 3."""
    if class_name == "Merge":
        return {}
    dropped = _WITHOUT_EFFECT.get(class_name, ())
    if not any(key in options for key in (*_KEYS, *dropped)):
        return options
    return {_KEYS.get(key, key): value for key, value in options.items() if key not in dropped}
