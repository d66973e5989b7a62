"""Say how to build each layer of Keras, in the configurations that may matter, and how to call it.

A key of ``NEVER_MATTER`` never matters. The values of the others are tried, one after the other and
some together: where they are numbers, all numbers are taken to be like them; of words, only those
count that were tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradflow.tables.layer_probe import activation, recurrent_activation

OUTSIDE = {
    "Lambda": "runs Python code of the file",
    "FlaxLayer": "runs another framework",
    "JaxLayer": "runs another framework",
    "TorchModuleWrapper": "runs another framework",
    "TFSMLayer": "runs a SavedModel",
    "ReloadedLayer": "runs a SavedModel",
    "Distiller": "is a training loop",
    "FeatureSpace": "is no layer of a model",
    "TFDConcat": "is no layer of a model",
    "TFDIdentity": "is no layer of a model",
    **dict.fromkeys(
        "AssociativeScan Cond ForiLoop Map Scan Switch VectorizedMap WhileLoop JVP".split(),
        "runs Python code of the file",
    ),
}
"""Classes without rows: nobody can say what they do without running them."""
COMPOSED = frozenset(
    "Functional Sequential Model Function TimeDistributed Bidirectional RNN StackedRNNCells "
    "SpectralNormalization Pipeline InputLayer Wrapper".split()
)
"""Classes that hold others: the graph of layers is put together from what is in them."""
ABSTRACT = frozenset(
    "Layer Operation BaseConv BaseConvTranspose BaseDepthwiseConv BaseSeparableConv Merge "
    "BaseAdaptivePooling BaseAdaptiveAveragePooling BaseAdaptiveMaxPooling BaseGlobalPooling "
    "BasePooling BaseImagePreprocessingLayer BaseSpatialDropout IndexLookup DataLayer ConvLSTM "
    "SegmentReduction".split()
)
"""Classes that others derive from, and no file names."""


def floats(*shape: int) -> Any:
    """Return random floats between 0 and 1."""
    return np.random.default_rng(0).uniform(0.05, 0.95, shape).astype("float32")


def ids(*shape: int) -> Any:
    """Return random small integers."""
    return np.random.default_rng(0).integers(0, 5, shape).astype("int32")


def bools(*shape: int) -> Any:
    """Return random booleans, both of them."""
    return np.arange(int(np.prod(shape))).reshape(shape) % 3 > 0


def words(*shape: int) -> Any:
    """Return strings."""
    return np.resize(np.array(["a b", "b c", "c"], dtype=object), shape)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build and call one class."""

    calls: Sequence[Mapping[str, Any]]
    """Arguments, by name: an array or a list of arrays is a tensor, all else a value."""
    base: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Values to try for the keys, beside the base."""
    together: Sequence[Sequence[str]] = ()
    """Keys whose values are tried in every combination."""


BASE: Mapping[str, Any] = {
    "units": 3,
    "filters": 4,
    "kernel_size": 2,
    "pool_size": 2,
    "output_size": 2,
    "rate": 0.5,
    "stddev": 0.3,
    "factor": 0.3,
    "height": 4,
    "width": 4,
    "height_factor": 0.2,
    "width_factor": 0.2,
    "activation": activation,
    "recurrent_activation": recurrent_activation,
    "num_bins": 7,
    "scale": 0.5,
    "max_number": 3,
    "projection_dim": 8,
    "init_values": 0.1,
    "drop_path_rate": 0.3,
}
VARY: Mapping[str, Sequence[Any]] = {
    "units": [1],
    "filters": [2],
    "kernel_size": [1, 3],
    "strides": [1, 2],
    "padding": ["valid", "same", "causal"],
    "data_format": ["channels_last", "channels_first"],
    "dilation_rate": [1, 2],
    "groups": [1, 2],
    "depth_multiplier": [1, 2],
    "use_bias": [True, False],
    "bias_axes": [None],
    "lora_alpha": [1.0],
    "axis": [-1, 1],
    "momentum": [0.5, 0.9],
    "epsilon": [0.01, 0.1],
    "center": [True, False],
    "scale": [True, False],
    "rms_scaling": [True, False],
    "synchronized": [False],
    "renorm": [False, True],
    "alpha": [0.1, 0.5],
    "negative_slope": [0.0, 0.2],
    "max_value": [None, 3.0, 6.0],
    "threshold": [0.0, 0.3],
    "theta": [0.5, 1.0],
    "rate": [0.0, 0.2, 0.9],
    "noise_shape": [None],
    "stddev": [0.0, 0.1],
    "dropout": [0.0, 0.4],
    "recurrent_dropout": [0.0, 0.4],
    "return_sequences": [True, False],
    "return_state": [True, False],
    "go_backwards": [True, False],
    "stateful": [False, True],
    "unroll": [False, True],
    "zero_output_for_mask": [False, True],
    "unit_forget_bias": [True, False],
    "reset_after": [True, False],
    "use_cudnn": ["auto", False],
    "keepdims": [False, True],
    "l1": [0.0, 0.1],
    "l2": [0.0, 0.1],
    "seed": [1],
    "mask_zero": [False, True],
    "use_scale": [True, False],
    "score_mode": ["dot", "concat"],
    "interpolation": ["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"],
    "fill_mode": ["constant", "reflect", "wrap", "nearest"],
    "fill_value": [0.0, 0.5],
    "value_range": [[0, 255], [0, 1]],
    "output_mode": ["int", "one_hot", "multi_hot", "count", "tf_idf"],
    "invert": [False, True],
    "sparse": [False, True],
    "antialias": [False, True],
    "crop_to_aspect_ratio": [False, True],
    "pad_to_aspect_ratio": [False, True],
    "factor": [0.0, 0.5, 1.0],
    "normalize": [False, True],
    "mode": [],
    "expand_dims": [False, True],
    "periodic": [False, True],
    "window": ["hann", "hamming", None],
    "scaling": ["density", "spectrum", None],
    "offset": [0.0, 1.0],
    "size": [1, 2],
    "cropping": [1, 2],
    "n": [2, 3],
    "head_dim": [2, 4],
    "num_heads": [1, 2],
    "key_dim": [3, 4],
    "value_dim": [None, 3, 5],
    "num_query_heads": [2, 4],
    "num_key_value_heads": [1, 2],
    "sliding_window": [None],
    "use_gate": [False, True],
    "flash_attention": [None, False],
    "output_padding": [None],
    "tie_weights": [True, False],
    "logit_soft_cap": [None, 3.0, 5.0],
    "reverse_dtype": [None, "float32", "float16", "bfloat16"],
    "epsilon_": [],
    "height": [3, 5],
    "width": [3, 5],
    "mask_value": [0.0, 1.0],
    "output_sequence_length": [None, 3, 5],
    "ngrams": [None, 2, 3],
    "standardize": ["lower_and_strip_punctuation", "lower", "strip_punctuation", None],
    "split": ["whitespace", "character", None],
    "ragged": [False, True],
    "pad_to_max_tokens": [False],
    "max_tokens": [None],
    "num_oov_indices": [1, 2],
    "power_to_db": [True, False],
    "mag_exp": [1.0, 2.0],
    "min_power": [1e-10, 1e-5],
    "ref_power": [1.0, 2.0],
    "top_db": [80.0, 40.0],
    "num_mel_bins": [4, 8],
    "pool_size": [1, 2],
    "output_size": [2, 4],
    "x_factor": [0.1, 0.3],
    "y_factor": [0.1, 0.3],
    "num_ops": [1, 2],
    "all_ops": [True, False],
    "num_chains": [1, 2],
    "chain_depth": [1, 2],
    "bounding_box_format": [None],
    "addition_factor": [0.0, 0.3],
    "threshold_factor": [0.0, 0.3],
    "brightness_factor": [None, 0.2, 0.4],
    "contrast_factor": [None, 0.2, 0.4],
    "saturation_factor": [None, 0.2, 0.4],
    "hue_factor": [None, 0.2, 0.4],
    "sigma": [0.5, 1.0],
    "bins": [16, 32],
    "clip_limit": [2.0, 4.0],
    "tile_grid_size": [[2, 2], [1, 1]],
    "max_number": [2, 4],
    "height_factor": [0.0, 0.4],
    "width_factor": [0.0, 0.4],
    "num_bins": [4, 9],
    "target_shape": [],
    "optional": [False],
    "time_major": [False],
    "fused": [None, True, False],
    "causal": [False, True],
    "renorm_momentum": [0.9],
    "renorm_clipping": [None, {"rmax": 3.0, "rmin": 0.3, "dmax": 2.0}],
    "virtual_batch_size": [None],
    "min_value": [-1.0, 0.0],
}
"""Values to try for a key, in every class that has it."""
_IMAGE = floats(2, 8, 8, 3)
_SEQUENCE = floats(2, 5, 4)
_MASK = bools(2, 5)
_RNN: Sequence[Mapping[str, Any]] = [
    {"sequences": _SEQUENCE},
    {"sequences": _SEQUENCE, "mask": _MASK},
]
_RNN_KEYS = [["return_sequences", "return_state"]]


def _states(count: int, *shape: int) -> list[Mapping[str, Any]]:
    states = [floats(*shape) for _ in range(count)]
    return [
        {"sequences": _SEQUENCE, "initial_state": states},
        {"sequences": _SEQUENCE, "initial_state": states, "mask": _MASK},
    ]


def _conv_lstm(rank: int) -> Recipe:
    image = floats(2, 3, *[5] * rank, 2)
    return Recipe(
        [{"sequences": image}, {"sequences": image, "mask": bools(2, 3)}],
        together=[["return_sequences", "return_state"]],
        vary={"data_format": ["channels_last"], "dilation_rate": [1], "strides": [1]},
    )


_ATTENTION = {"query": _SEQUENCE, "value": floats(2, 6, 4)}
_SCORES = [False, True]
_ATTENTION_CALLS: Sequence[Mapping[str, Any]] = [
    {**_ATTENTION, **more, "return_attention_scores": scores, "use_causal_mask": causal}
    for more in (
        {},
        {"key": floats(2, 6, 4)},
        {"attention_mask": bools(2, 5, 6)},
        {"query_mask": _MASK},
        {
            "query_mask": _MASK,
            "value_mask": bools(2, 6),
            "key_mask": bools(2, 6),
            "key": floats(2, 6, 4),
        },
    )
    for scores in _SCORES
    for causal in (False, True)
]
_DOT_CALLS: Sequence[Mapping[str, Any]] = [
    {**more, "return_attention_scores": scores, "use_causal_mask": causal}
    for more in (
        {"inputs": [_SEQUENCE, floats(2, 6, 4)]},
        {"inputs": [_SEQUENCE, floats(2, 6, 4), floats(2, 6, 4)]},
        {"inputs": [_SEQUENCE, floats(2, 6, 4)], "mask": [bools(2, 5), bools(2, 6)]},
    )
    for scores in _SCORES
    for causal in (False, True)
]
_TWO = [{"inputs": [floats(2, 4), floats(2, 4)]}]
_MORE = [
    *_TWO,
    {"inputs": [floats(2, 4), floats(2, 4), floats(2, 4)]},
    {"inputs": [floats(2, 4), ids(2, 4)]},
    {"inputs": [ids(2, 4), ids(2, 4)]},
]
_VOCABULARY = ["a", "b", "c", "d"]
_INDEX_KEYS: Mapping[str, Sequence[Any]] = {
    "max_tokens": [None],
    "output_mode": ["int", "one_hot", "multi_hot", "count"],
    "mask_token": [None],
}

RECIPES: Mapping[str, Recipe] = {
    "Embedding": Recipe(
        [{"inputs": ids(2, 5)}, {"inputs": floats(2, 5)}],
        {"input_dim": 9, "output_dim": 4},
        {"input_dim": [12], "output_dim": [1]},
    ),
    "ReversibleEmbedding": Recipe(
        [
            {"inputs": ids(2, 5)},
            {"inputs": floats(2, 5)},
            {"inputs": floats(2, 5, 4), "reverse": True},
        ],
        {"input_dim": 9, "output_dim": 4},
        {"input_dim": [12], "output_dim": [4]},
        [["tie_weights", "logit_soft_cap"]],
    ),
    "EinsumDense": Recipe(
        [{"inputs": floats(2, 5, 4)}],
        {"equation": "abc,cd->abd", "output_shape": [None, 3], "bias_axes": "d"},
        {"output_shape": [[5, 3]], "bias_axes": [None]},
    ),
    "Activation": Recipe([{"inputs": floats(2, 4)}]),
    "PReLU": Recipe([{"inputs": floats(2, 4)}]),
    "Softmax": Recipe(
        [
            {"inputs": floats(2, 4)},
            {"inputs": floats(2, 4), "mask": bools(2, 4)},
            {"inputs": floats(2, 1)},
        ],
        vary={"axis": [-1, 1, [1]]},
    ),
    "AdditiveAttention": Recipe(_DOT_CALLS, together=[["use_scale", "dropout"]]),
    "Attention": Recipe(
        _DOT_CALLS, together=[["use_scale", "score_mode"], ["use_scale", "dropout"]]
    ),
    "MultiHeadAttention": Recipe(
        _ATTENTION_CALLS,
        {"num_heads": 2, "key_dim": 3},
        {"output_shape": [None, 3, 5], "sliding_window": [None], "attention_axes": [None, [1]]},
        [["use_gate"]],
    ),
    "GroupedQueryAttention": Recipe(
        _ATTENTION_CALLS,
        {"head_dim": 4, "num_query_heads": 2, "num_key_value_heads": 1},
        together=[["use_gate"]],
    ),
    "Masking": Recipe([{"inputs": _SEQUENCE}, {"inputs": ids(2, 5, 4)}]),
    "Identity": Recipe([{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}]),
    "BatchNormalization": Recipe(
        [{"inputs": floats(4, 5, 6)}, {"inputs": floats(4, 5, 6), "mask": bools(4, 5)}],
        together=[["center", "scale", "renorm"]],
        vary={"axis": [-1, 2]},
    ),
    "GroupNormalization": Recipe(
        [{"inputs": floats(2, 4, 4)}],
        {"groups": 2},
        {"groups": [1, 4, -1], "axis": [-1, 1, 2]},
        [["center", "scale"]],
    ),
    "LayerNormalization": Recipe(
        [{"inputs": floats(2, 5, 4)}, {"inputs": floats(2, 4, 1)}],
        vary={"axis": [-1, 1, [1, 2]]},
        together=[["center", "scale"]],
    ),
    "RMSNormalization": Recipe([{"inputs": floats(2, 4, 4)}]),
    "UnitNormalization": Recipe([{"inputs": floats(2, 5, 4)}], vary={"axis": [-1, 1, [1, 2]]}),
    "Normalization": Recipe(
        [{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}],
        {"mean": 0.5, "variance": 2.0},
        {"axis": [-1, None], "mean": [1.0], "variance": [3.0]},
        [["invert", "axis"]],
    ),
    "Dot": Recipe(
        [{"inputs": [floats(2, 4, 3), floats(2, 4, 3)]}], {"axes": 1}, {"axes": [2, [1, 1]]}
    ),
    **dict.fromkeys("Add Average Concatenate Maximum Minimum Multiply".split(), Recipe(_MORE)),
    "Subtract": Recipe([_MORE[0], _MORE[2], _MORE[3]]),
    "CategoryEncoding": Recipe(
        [
            {"inputs": ids(2, 4)},
            {"inputs": floats(2, 4)},
            {"inputs": ids(2, 4), "count_weights": floats(2, 4)},
        ],
        {"num_tokens": 6, "output_mode": "multi_hot"},
        {"num_tokens": [7], "output_mode": ["multi_hot", "count", "one_hot"]},
        [["output_mode", "sparse"]],
    ),
    "Discretization": Recipe(
        [{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}],
        {"bin_boundaries": [0.2, 0.6]},
        {
            "bin_boundaries": [[0.1, 0.3, 0.5]],
            "num_bins": [None],
            "output_mode": ["int", "one_hot", "multi_hot", "count"],
        },
        [["output_mode", "sparse"]],
    ),
    "HashedCrossing": Recipe(
        [{"inputs": [words(4), words(4)]}, {"inputs": [ids(4), ids(4)]}],
        vary={"output_mode": ["int", "one_hot"]},
        together=[["output_mode", "sparse"]],
    ),
    "Hashing": Recipe(
        [{"inputs": words(2, 3)}, {"inputs": ids(2, 3)}],
        vary={"mask_value": [None], "output_mode": ["int", "one_hot", "multi_hot", "count"]},
        together=[["output_mode", "sparse"]],
    ),
    "StringLookup": Recipe(
        [{"inputs": words(2, 3)}, {"inputs": ids(2, 3)}],
        {"vocabulary": _VOCABULARY},
        {**_INDEX_KEYS, "oov_token": ["[UNK]"]},
        [["output_mode", "invert"], ["output_mode", "sparse"]],
    ),
    "IntegerLookup": Recipe(
        [{"inputs": ids(2, 3)}, {"inputs": floats(2, 3)}],
        {"vocabulary": [1, 2, 3]},
        {**_INDEX_KEYS, "vocabulary_dtype": ["int64"], "oov_method": ["floormod"]},
        [["output_mode", "invert"], ["output_mode", "sparse"]],
    ),
    "TextVectorization": Recipe(
        [{"inputs": words(3)}],
        {"vocabulary": _VOCABULARY},
        {"output_mode": ["int", "multi_hot", "count"]},
        [["output_mode", "sparse"], ["output_mode", "ragged"]],
    ),
    "MelSpectrogram": Recipe(
        [{"inputs": floats(2, 400)}],
        {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8},
        {
            "fft_length": [32],
            "sequence_stride": [8],
            "sequence_length": [None, 32, 48],
            "sampling_rate": [16000, 8000],
            "min_freq": [20.0, 40.0],
            "max_freq": [None, 4000.0, 3000.0],
        },
    ),
    "STFTSpectrogram": Recipe(
        [{"inputs": floats(2, 200, 1)}],
        {"frame_length": 32, "window": None},
        {
            "frame_length": [16],
            "frame_step": [None, 8, 16],
            "fft_length": [None, 32, 64],
            "mode": "log magnitude psd real imag angle stft".split(),
            "data_format": ["channels_last"],
        },
        [["mode", "scaling"]],
    ),
    "Rescaling": Recipe(
        [{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}],
        {"scale": 0.5},
        {
            "scale": [2.0, [1.0, 2.0, 3.0, 4.0]],
            "offset": [0.0, 0.5, [1.0, 2.0, 3.0, 4.0]],
            "dtype": ["int32"],
        },
    ),
    "Resizing": Recipe(
        [{"data": _IMAGE}, {"data": ids(2, 8, 8, 3)}],
        vary={"fill_mode": ["constant"], "data_format": ["channels_last"]},
        together=[["interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"]],
    ),
    "Reshape": Recipe([{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}], {"target_shape": [2, 2]}),
    "Permute": Recipe([{"inputs": floats(2, 4, 3)}, {"inputs": ids(2, 4, 3)}], {"dims": [2, 1]}),
    "RepeatVector": Recipe([{"inputs": floats(2, 4)}, {"inputs": ids(2, 4)}], {"n": 2}),
    "Flatten": Recipe([{"inputs": floats(2, 4, 3)}, {"inputs": ids(2, 4, 3)}]),
    "UpSampling2D": Recipe(
        [{"inputs": _IMAGE}],
        vary={"data_format": ["channels_last", "channels_first"]},
        together=[["interpolation"]],
    ),
    "LSTM": Recipe([*_RNN, *_states(2, 2, 3)], together=_RNN_KEYS),
    "GRU": Recipe([*_RNN, *_states(1, 2, 3)], together=[*_RNN_KEYS, ["reset_after", "use_bias"]]),
    "SimpleRNN": Recipe([*_RNN, *_states(1, 2, 3)], together=_RNN_KEYS),
    "LSTMCell": Recipe([{"inputs": floats(2, 4), "states": [floats(2, 3), floats(2, 3)]}]),
    "GRUCell": Recipe(
        [{"inputs": floats(2, 4), "states": [floats(2, 3)]}], together=[["reset_after", "use_bias"]]
    ),
    "SimpleRNNCell": Recipe([{"inputs": floats(2, 4), "states": [floats(2, 3)]}]),
    "ConvLSTM1D": _conv_lstm(1),
    "ConvLSTM2D": _conv_lstm(2),
    "ConvLSTM3D": _conv_lstm(3),
    "ConvLSTMCell": Recipe(
        [{"inputs": floats(2, 5, 5, 2), "states": [floats(2, 5, 5, 4), floats(2, 5, 5, 4)]}],
        {"rank": 2, "padding": "same"},
        {
            "data_format": ["channels_last"],
            "padding": ["same"],
            "dilation_rate": [1],
            "strides": [1],
        },
    ),
    "MaxNumBoundingBoxes": Recipe(
        [
            {
                "data": {
                    "images": _IMAGE,
                    "bounding_boxes": {"boxes": floats(2, 5, 4), "labels": ids(2, 5)},
                }
            }
        ],
        {"bounding_box_format": "xyxy"},
    ),
    "RandomRotation": Recipe([{"data": _IMAGE}], vary={"interpolation": ["bilinear", "nearest"]}),
    "RandomColorJitter": Recipe([{"data": _IMAGE}], together=[["saturation_factor", "hue_factor"]]),
    "RandomFlip": Recipe(
        [{"data": _IMAGE}, {"data": ids(2, 8, 8, 3)}],
        vary={"mode": ["horizontal", "vertical", "horizontal_and_vertical"]},
    ),
    "RandomPerspective": Recipe(
        [{"data": _IMAGE}], vary={"interpolation": ["bilinear", "nearest"], "scale": [0.5, 1.0]}
    ),
    "RandomElasticTransform": Recipe(
        [{"data": _IMAGE}],
        vary={
            "interpolation": ["bilinear", "nearest"],
            "scale": [0.5, 1.0],
            "fill_mode": ["reflect", "constant", "wrap", "nearest"],
        },
    ),
    "RandomErasing": Recipe(
        [{"data": _IMAGE}],
        vary={"scale": [[0.02, 0.33], [0.1, 0.2]], "fill_value": [None, 0.0, 0.5]},
    ),
    **dict.fromkeys(
        "RandomShear RandomTranslation RandomZoom AugMix RandAugment".split(),
        Recipe([{"data": _IMAGE}], vary={"interpolation": ["bilinear", "nearest"]}),
    ),
    "RandomHeight": Recipe([{"inputs": _IMAGE}], vary={"interpolation": ["bilinear", "nearest"]}),
    "RandomWidth": Recipe([{"inputs": _IMAGE}], vary={"interpolation": ["bilinear", "nearest"]}),
    "RandomGaussianBlur": Recipe([{"data": _IMAGE}], {"kernel_size": 3}, {"kernel_size": [3, 5]}),
    "LayerScale": Recipe([{"inputs": floats(2, 8)}]),
    "CustomScaleLayer": Recipe(
        [{"inputs": [floats(2, 4), floats(2, 4)]}], {"scale": 0.3}, {"scale": [0.5]}
    ),
    "StochasticDepth": Recipe([{"x": floats(2, 4)}]),
    "Cropping2D": Recipe(
        [{"inputs": _IMAGE}, {"inputs": ids(2, 8, 8, 3)}],
        {"cropping": [[1, 1], [1, 1]]},
        {"cropping": [1, [[1, 0], [0, 2]]]},
    ),
    "AlphaDropout": Recipe([{"inputs": floats(2, 4)}]),
    "Dropout": Recipe(
        [{"inputs": floats(2, 4)}],
        vary={"rate": [0.0, 0.2, 1.0], "noise_shape": [None, [None, 1], [2, 4]]},
    ),
}
"""The classes that the general recipe does not fit."""


def general_call(name: str, argument: str) -> Sequence[Mapping[str, Any]]:
    """Return what a class without a recipe is called with, by its name."""
    for rank, shape in ((1, (2, 8, 4)), (2, (2, 8, 8, 4)), (3, (2, 6, 6, 6, 4))):
        if name.endswith((f"{rank}D", f"{rank}DTranspose")):
            return [{argument: floats(*shape)}, {argument: ids(*shape)}]
    if argument in ("data", "images"):
        return [{argument: _IMAGE}, {argument: ids(2, 8, 8, 3)}]
    return [{argument: floats(2, 4)}, {argument: ids(2, 4)}]
