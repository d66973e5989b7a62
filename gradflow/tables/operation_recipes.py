"""Say how to build and call each operation of ``keras.ops``, as ``layer_recipes`` does for
layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradflow.tables.layer_recipes import Recipe, bools, floats, ids

_SQUARE = (floats(4, 4) + 4 * np.eye(4)).astype("float32")
_SPD = (_SQUARE @ _SQUARE.T).astype("float32")
_KINDS: Mapping[str, Any] = {"float": _SQUARE, "int": ids(4, 4), "bool": bools(4, 4)}
_IMAGE = floats(2, 8, 8, 3)
_COMPLEX = (floats(2, 4, 4) + 1j * floats(2, 4, 4)).astype("complex64")

BASE: Mapping[str, Any] = {
    "output_size": 2,
    "pool_size": 2,
    "kth": 1,
    "indices_or_sections": 2,
    "axis": 0,
    "shape": [4, 4],
    "dtype": "float32",
    "x_min": 0.2,
    "x_max": 0.8,
    "block_size": 2,
    "size": [2, 2],
    "sequence_length": 4,
    "sequence_stride": 2,
    "fft_length": 4,
    "k": 2,
    "axes": [0],
    "source": 0,
    "destination": 1,
    "num_classes": 5,
    "max_val": 1.0,
    "pad_width": 1,
    "repeats": 2,
    "newshape": [2, 8],
    "shift": 1,
    "axis1": 0,
    "axis2": 1,
    "threshold": 0.3,
    "default_value": 0.1,
    "kernel_size": 2,
    "order": 1,
    "num_segments": 5,
}
_DTYPES = [None, "float32", "int32", "float16", "bool"]
VARY: Mapping[str, Sequence[Any]] = {
    "axis": [None, 0, 1, -1],
    "keepdims": [False, True],
    "dtype": _DTYPES,
    "k": [1, 2],
    "axes": [[0], [1], [0, 1], 1],
    "offset": [0, 1],
    "axis1": [0],
    "axis2": [1],
    "sorted": [True, False],
    "method": ["linear", "lower", "higher", "nearest", "midpoint"],
    "mode": [],
    "side": ["left", "right"],
    "decimals": [0, 1],
    "num": [5, 7],
    "endpoint": [True, False],
    "retstep": [False],
    "nan": [0.0, 1.0],
    "posinf": [None, 1.0],
    "neginf": [None, 1.0],
    "indexing": ["xy", "ij"],
    "n": [1, 2],
    "repeats": [2, 3],
    "shift": [1, 2],
    "order": [None],
    "sparse": [False],
    "from_logits": [False, True],
    "approximate": [True, False],
    "alpha": [0.5, 1.0],
    "negative_slope": [0.1, 0.3],
    "threshold": [0.2, 0.5],
    "b": [2, 4],
    "padding": ["valid", "same"],
    "strides": [None, 1, 2],
    "data_format": ["channels_last", None],
    "dilation_rate": [1],
    "interpolation": ["bilinear", "nearest"],
    "fill_mode": ["constant", "reflect", "wrap", "nearest"],
    "antialias": [False, True],
    "upper": [False, True],
    "lower": [False, True],
    "decimals_": [],
    "epsilon": [0.001, 0.1],
    "minlength": [0, 7],
    "reduction": [None, "add", "max", "min", "mul"],
    "increasing": [False, True],
    "bins": [5, 10],
    "invert": [False, True],
    "equal_nan": [False, True],
    "initial": [None, 0.0, 1.0],
    "x_min": [0.1, 0.3],
    "x_max": [0.7, 0.9],
    "reverse": [False, True],
    "num_classes": [6],
    "kth": [2],
    "correction": [0, 1],
    "dx": [1.0, 2.0],
    "base": [10, 2],
    "max_val": [2.0],
    "default_value": [0.5],
    "rms_scaling": [False, True],
    "fill_value": [0.0, 1.0],
    "crop_to_aspect_ratio": [False, True],
    "pad_to_aspect_ratio": [False, True],
    "newshape": [[4, 4], [16]],
    "pad_width": [2, [[1, 1], [0, 2]]],
    "window": ["hann", "hamming", None],
    "center": [True, False],
    "mask_index": [0],
    "strategy": ["greedy"],
    "is_causal": [False, True],
    "flash_attention": [None, False],
    "full_matrices": [True, False],
    "compute_uv": [True, False],
    "edge_order": [1],
    "rtol": [1e-5, 1e-3],
    "atol": [1e-8, 1e-3],
    "num_segments": [5, 6],
    "rcond": [None],
    "tol": [None, 0.1],
    "merge_repeated": [True, False],
    "top_paths": [1],
    "beam_width": [100, 5],
    "ord": [None, 1, 2, "fro"],
    "synchronized": [False],
    "unbiased": [True, False],
    "unroll": [1],
    "assume_unique": [False, True],
    "return_index": [False],
    "return_inverse": [False],
    "return_counts": [False],
    "filter_size": [3, 5],
    "filter_sigma": [1.0, 1.5],
    "k1": [0.01, 0.02],
    "k2": [0.03, 0.04],
    "narrow_range": [False, True],
    "num_bits": [8, 4],
}


def _kinds(*names: str, only: Sequence[str] = ("float", "int", "bool")) -> list[Mapping[str, Any]]:
    return [
        {name: _KINDS[kind] for name, kind in zip(names, kinds, strict=True)}
        for kinds in itertools.product(only, repeat=len(names))
    ]


def _images(*shapes: tuple[str, tuple[int, ...]], **arguments: Any) -> Recipe:
    return Recipe([{name: floats(*shape) for name, shape in shapes}], arguments)


_BITS = [{"x": ids(4), "y": ids(4)}, {"x": bools(4), "y": bools(4)}]
_CONV: Recipe = Recipe(
    [{"inputs": floats(2, 8, 8, 3), "kernel": floats(2, 2, 3, 4)}], {}, {"strides": [1, 2]}
)
_SEGMENTS = Recipe(
    [
        {"data": floats(6), "segment_ids": np.array([0, 0, 1, 2, 2, 3], "int32")},
        {"data": ids(6), "segment_ids": np.array([0, 0, 1, 2, 2, 3], "int32")},
    ]
)
_SPLIT = Recipe(
    [{"x": floats(4, 4, 4)}, {"x": ids(4, 4, 4)}],
    {},
    {"indices_or_sections": [2, 4, [1, 3]], "axis": [0, 1, -1]},
)
_QUANTILE = Recipe(
    [
        {"x": floats(4, 4), "q": 0.4},
        {"x": floats(4, 4), "q": np.float32(0.3) * np.ones(2, "float32")},
        {"x": ids(4, 4), "q": 0.4},
    ]
)
_PERCENTILE = Recipe(
    [
        {"x": floats(4, 4), "q": 40.0},
        {"x": floats(4, 4), "q": np.float32(30.0) * np.ones(2, "float32")},
        {"x": ids(4, 4), "q": 40.0},
    ]
)
_LISTS = Recipe(
    [
        {"xs": [floats(4, 4, 4), floats(4, 4, 4)]},
        {"xs": [floats(4, 4, 4), ids(4, 4, 4)]},
        {"xs": [ids(4, 4, 4), ids(4, 4, 4)]},
        {"xs": [floats(4, 4, 4)] * 3},
    ]
)
_RANGE = Recipe(
    [
        {"start": np.float32(1.0) * np.ones((), "float32"), "stop": np.ones((), "float32") * 3},
        {"start": ids(3), "stop": ids(3)},
    ]
)
RECIPES: Mapping[str, Recipe] = {
    "Add": Recipe(_kinds("x1", "x2")),
    "AffineTransform": Recipe([{"images": _IMAGE, "transform": floats(2, 8)}]),
    "Append": Recipe(_kinds("x1", "x2")),
    "Arange": Recipe(
        [
            {"start": np.array(1, "int32"), "stop": np.array(4, "int32")},
            {"start": np.array(1.0, "float32"), "stop": np.array(4.0, "float32")},
        ]
    ),
    "ArraySplit": _SPLIT,
    "Split": _SPLIT,
    "Dsplit": _SPLIT,
    "Hsplit": _SPLIT,
    "Vsplit": _SPLIT,
    "Average": Recipe(
        [{"x": floats(4, 4)}, {"x": floats(4, 4), "weights": floats(4, 4)}, {"x": ids(4, 4)}]
    ),
    "BatchNorm": Recipe(
        [
            {"x": floats(2, 4), "mean": floats(4), "variance": floats(4)},
            {
                "x": floats(2, 4),
                "mean": floats(4),
                "variance": floats(4),
                "offset": floats(4),
                "scale": floats(4),
            },
        ],
        {"axis": -1},
        {"axis": [-1, 1]},
    ),
    "BinaryCrossentropy": Recipe([{"target": floats(2, 4), "output": floats(2, 4)}]),
    "CategoricalCrossentropy": Recipe(
        [{"target": floats(2, 4), "output": floats(2, 4)}], vary={"axis": [-1, 1]}
    ),
    "SparseCategoricalCrossentropy": Recipe(
        [{"target": np.array([0, 2], "int32"), "output": floats(2, 4)}], vary={"axis": [-1, 1]}
    ),
    "Bincount": Recipe([{"x": ids(4)}, {"x": ids(2, 4)}]),
    **dict.fromkeys("BitwiseAnd BitwiseOr BitwiseXor".split(), Recipe(_BITS)),
    **dict.fromkeys(
        "BitwiseLeftShift BitwiseRightShift LeftShift RightShift".split(), Recipe(_BITS[:1])
    ),
    "BitwiseInvert": Recipe([{"x": ids(4)}]),
    "BitwiseNot": Recipe([{"x": ids(4)}]),
    "BroadcastTo": Recipe(
        [{"x": floats(4, 4)}, {"x": ids(4, 4)}], {"shape": [2, 4, 4]}, {"shape": [[3, 4, 4]]}
    ),
    "CDist": Recipe([{"x": floats(3, 4), "y": floats(2, 4)}]),
    "CTCDecode": Recipe(
        [{"inputs": floats(2, 6, 4), "sequence_lengths": np.array([6, 5], "int32")}],
        vary={"strategy": ["greedy", "beam_search"]},
    ),
    "CTCLoss": Recipe(
        [
            {
                "target": np.array([[1, 2], [2, 1]], "int32"),
                "output": floats(2, 6, 4),
                "target_length": np.array([2, 2], "int32"),
                "output_length": np.array([6, 6], "int32"),
            }
        ]
    ),
    "Cast": Recipe(
        _kinds("x"),
        {"dtype": "float32"},
        {
            "dtype": [
                "float16",
                "float64",
                "bfloat16",
                "int32",
                "int64",
                "uint8",
                "int8",
                "bool",
                "complex64",
            ]
        },
    ),
    "SaturateCast": Recipe(
        _kinds("x"),
        {"dtype": "float32"},
        {"dtype": ["float16", "float64", "bfloat16", "int32", "int64", "uint8", "int8", "bool"]},
    ),
    "ConvertToTensor": Recipe(_kinds("x")),
    "Cholesky": Recipe([{"x": _SPD}]),
    "CholeskyInverse": Recipe([{"x": np.linalg.cholesky(_SPD)}]),
    "Concatenate": _LISTS,
    "Dstack": _LISTS,
    "Hstack": _LISTS,
    "Vstack": _LISTS,
    "Stack": Recipe([{"x": call["xs"]} for call in _LISTS.calls]),
    "Conv": _CONV,
    "ConvTranspose": Recipe(
        [{"inputs": floats(2, 8, 8, 3), "kernel": floats(2, 2, 4, 3)}], {}, {"strides": [1, 2]}
    ),
    "DepthwiseConv": Recipe(
        [{"inputs": floats(2, 8, 8, 3), "kernel": floats(2, 2, 3, 1)}], {}, {"strides": [1, 2]}
    ),
    "SeparableConv": Recipe(
        [
            {
                "inputs": floats(2, 8, 8, 3),
                "depthwise_kernel": floats(2, 2, 3, 1),
                "pointwise_kernel": floats(1, 1, 3, 4),
            }
        ],
        {},
        {"strides": [1, 2]},
    ),
    "CountNonzero": Recipe(_kinds("x")),
    "CropImages": _images(
        ("images", (2, 8, 8, 3)), top_cropping=1, left_cropping=1, target_height=4, target_width=4
    ),
    "PadImages": _images(
        ("images", (2, 8, 8, 3)), top_padding=1, left_padding=1, target_height=12, target_width=12
    ),
    "Corrcoef": Recipe([{"x": floats(4, 4)}, {"x": ids(4, 4)}]),
    "Correlate": Recipe(
        [{"x1": floats(6), "x2": floats(3)}, {"x1": ids(6), "x2": ids(3)}],
        {},
        {"mode": ["valid", "same", "full"]},
    ),
    "Cross": Recipe(
        [{"x1": floats(4, 3), "x2": floats(4, 3)}, {"x1": ids(4, 3), "x2": ids(4, 3)}],
        {},
        {"axis": [None, -1, 1]},
    ),
    "DepthToSpace": Recipe([{"x": floats(2, 4, 4, 8)}], {}, {"data_format": ["channels_last"]}),
    "SpaceToDepth": Recipe([{"x": floats(2, 4, 4, 8)}], {}, {"data_format": ["channels_last"]}),
    "Diff": Recipe([{"a": floats(4, 4)}, {"a": ids(4, 4)}], {}, {"axis": [-1, 0]}),
    "Digitize": Recipe(
        [
            {"x": floats(4), "bins": [0.2, 0.5]},
            {"x": ids(4), "bins": [1, 3]},
            {"x": floats(4), "bins": np.array([0.2, 0.5], "float32")},
            {"x": ids(4), "bins": np.array([1, 3], "int32")},
        ]
    ),
    "DotProductAttention": Recipe(
        [
            {"query": floats(2, 4, 2, 3), "key": floats(2, 4, 2, 3), "value": floats(2, 4, 2, 3)},
            {
                "query": floats(2, 4, 2, 3),
                "key": floats(2, 4, 2, 3),
                "value": floats(2, 4, 2, 3),
                "mask": bools(2, 2, 4, 4),
            },
            {
                "query": floats(2, 4, 2, 3),
                "key": floats(2, 4, 2, 3),
                "value": floats(2, 4, 2, 3),
                "bias": floats(2, 2, 4, 4),
            },
        ],
        vary={"attn_logits_soft_cap": [None]},
    ),
    "Einsum": Recipe(
        [{"operands.0": floats(4, 4), "operands.1": floats(4, 4)}], {"subscripts": "ab,bc->ac"}
    ),
    "Meshgrid": Recipe([{"x.0": floats(3), "x.1": floats(4)}, {"x.0": ids(3), "x.1": ids(4)}]),
    "ElasticTransform": Recipe(
        [{"images": _IMAGE}], {}, {"alpha": [10.0, 20.0], "sigma": [4.0, 5.0]}
    ),
    "ExpandDims": Recipe(_kinds("x"), {"axis": 0}, {"axis": [1, -1]}),
    "ExtractPatches": Recipe([{"images": _IMAGE}], {"size": [2, 2]}, {"size": [[3, 3], 2]}),
    "ExtractSequences": Recipe([{"x": floats(2, 16)}, {"x": ids(2, 16)}]),
    "FFT": Recipe([{"x": (floats(2, 4, 4), floats(2, 4, 4))}]),
    "FFT2": Recipe([{"x": (floats(2, 4, 4), floats(2, 4, 4))}]),
    "IFFT2": Recipe([{"x": (floats(2, 4, 4), floats(2, 4, 4))}]),
    "IRFFT": Recipe([{"x": (floats(2, 4), floats(2, 4))}], {}, {"fft_length": [None, 8]}),
    "RFFT": Recipe([{"x": floats(2, 8)}], {}, {"fft_length": [None, 8]}),
    "STFT": Recipe(
        [{"x": floats(2, 32)}], {"sequence_length": 8, "sequence_stride": 4, "fft_length": 8}
    ),
    "ISTFT": Recipe(
        [{"x": (floats(2, 6, 5), floats(2, 6, 5))}],
        {"sequence_length": 8, "sequence_stride": 4, "fft_length": 8},
        {"length": [None]},
    ),
    "Fold": Recipe([{"x": floats(2, 12, 9)}], {"output_size": [4, 4], "kernel_size": [2, 2]}),
    "Unfold": Recipe([{"x": floats(2, 3, 4, 4)}], {"kernel_size": [2, 2]}),
    "Full": Recipe(
        [{"fill_value": np.array(0.5, "float32")}, {"fill_value": np.array(2, "int32")}]
    ),
    "FullLike": Recipe(
        [
            {"x": floats(4, 4), "fill_value": 0.5},
            {"x": floats(4, 4), "fill_value": np.array(0.5, "float32")},
            {"x": ids(4, 4), "fill_value": 2},
            {"x": ids(4, 4), "fill_value": np.array(2, "int32")},
        ]
    ),
    "GaussianBlur": Recipe(
        [{"images": _IMAGE}],
        {},
        {"kernel_size": [[3, 3], [5, 5]], "sigma": [[1.0, 1.0], [2.0, 2.0]]},
    ),
    "Gcd": Recipe([{"x1": ids(4), "x2": ids(4) + 1}]),
    "Lcm": Recipe([{"x1": ids(4) + 1, "x2": ids(4) + 1}]),
    "Geomspace": _RANGE,
    "Linspace": _RANGE,
    "Logspace": _RANGE,
    "GetItem": Recipe(
        [
            {"x": floats(4, 4), "key": slice(0, 2)},
            {"x": ids(4, 4), "key": slice(0, 2)},
            {"x": bools(4, 4), "key": slice(0, 2)},
            {"x": floats(4, 4), "key": 1},
            {"x": floats(4, 4), "key": np.array(1, "int32")},
            {"x": floats(4, 4), "key": bools(4)},
        ]
    ),
    "HSVToRGB": Recipe([{"images": _IMAGE}]),
    "RGBToHSV": Recipe([{"images": _IMAGE}]),
    "RGBToGrayscale": Recipe([{"images": _IMAGE}]),
    "SobelEdges": Recipe([{"images": _IMAGE}]),
    "Histogram": Recipe([{"x": floats(8)}], {}, {"range": [None]}),
    "InTopK": Recipe([{"targets": np.array([0, 2], "int32"), "predictions": floats(2, 4)}]),
    "Isclose": Recipe([{"x1": floats(4), "x2": floats(4)}]),
    "AllClose": Recipe([{"x1": floats(4), "x2": floats(4)}]),
    "IsIn": Recipe([{"x1": floats(4), "x2": floats(4)}, {"x1": ids(4), "x2": ids(4)}]),
    "Kron": Recipe([{"x1": floats(2, 2), "x2": floats(2, 2)}, {"x1": ids(2, 2), "x2": ids(2, 2)}]),
    "LayerNorm": Recipe(
        [{"x": floats(2, 4)}, {"x": floats(2, 4), "gamma": floats(4), "beta": floats(4)}],
        {},
        {"axis": [-1, 1]},
    ),
    "RMSNorm": Recipe(
        [{"x": floats(2, 4)}, {"x": floats(2, 4), "scale": floats(4)}], {}, {"axis": [-1, 1]}
    ),
    "Ldexp": Recipe([{"x1": floats(4), "x2": ids(4)}]),
    "Lstsq": Recipe([{"a": _SQUARE, "b": floats(4, 2)}]),
    "Solve": Recipe([{"a": _SQUARE, "b": floats(4, 2)}]),
    "SolveTriangular": Recipe([{"a": _SQUARE, "b": floats(4, 2)}]),
    "Eigh": Recipe([{"x": _SPD}]),
    "Eig": Recipe([{"x": _SPD}]),
    "Logdet": Recipe([{"x": _SPD}]),
    "Slogdet": Recipe([{"x": _SPD}]),
    "MapCoordinates": Recipe(
        [{"inputs": floats(5, 5), "coordinates": floats(2, 3) * 3}],
        {"order": 1},
        {"order": [0, 1], "fill_mode": ["constant", "nearest", "wrap", "mirror", "reflect"]},
        [["order", "fill_mode"]],
    ),
    "MaxPool": Recipe([{"inputs": _IMAGE}]),
    "AveragePool": Recipe([{"inputs": _IMAGE}]),
    "AdaptiveAveragePool": Recipe([{"inputs": _IMAGE}], {}, {"output_size": [[2, 2], [4, 4]]}),
    "AdaptiveMaxPool": Recipe([{"inputs": _IMAGE}], {}, {"output_size": [[2, 2], [4, 4]]}),
    "MultiHot": Recipe(
        [{"inputs": ids(2, 4)}],
        {"num_classes": 5},
        {"axis": [-1], "dtype": [None, "float32", "int32"]},
    ),
    "OneHot": Recipe(
        [{"x": ids(2, 4)}, {"x": floats(2, 4)}],
        {"num_classes": 5},
        {"axis": [-1, 0], "dtype": [None, "float32", "int32"]},
    ),
    "Nanpercentile": _PERCENTILE,
    "Percentile": _PERCENTILE,
    "Nanquantile": _QUANTILE,
    "Quantile": _QUANTILE,
    "Normalize": Recipe([{"x": floats(4, 4)}], {}, {"order": [1, 2, 3], "axis": [-1, 0]}),
    "Norm": Recipe(
        [{"x": _SQUARE}],
        {},
        {"ord": [None, 1, 2, "fro", "nuc", 3], "axis": [None, 0, 1, [0, 1]]},
        [["ord", "axis"]],
    ),
    "PSNR": Recipe([{"x1": floats(4, 4), "x2": floats(4, 4)}]),
    "Pad": Recipe(
        [
            {"x": floats(4, 4)},
            {"x": ids(4, 4)},
            {"x": floats(4, 4), "constant_values": 1.0},
            {"x": floats(4, 4), "constant_values": np.array(1.0, "float32")},
        ],
        {"pad_width": 1},
        {"mode": ["constant", "reflect", "symmetric"], "pad_width": [2, [[1, 1], [0, 2]]]},
    ),
    "PerspectiveTransform": Recipe(
        [{"images": _IMAGE, "start_points": floats(2, 4, 2), "end_points": floats(2, 4, 2)}]
    ),
    "Polar": Recipe([{"abs_": floats(4), "angle": floats(4)}]),
    "Qr": Recipe([{"x": _SQUARE}], {}, {"mode": ["reduced", "complete"]}),
    "Resize": Recipe(
        [{"images": _IMAGE}, {"images": ids(2, 8, 8, 3)}],
        {"size": [4, 4]},
        {
            "interpolation": ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"],
            "fill_mode": ["constant"],
            "size": [[5, 6], [4, 8]],
        },
        [["interpolation", "antialias"]],
    ),
    "Rearrange": Recipe([{"tensor": floats(4, 4), "pattern": "a b -> b a"}]),
    "Repeat": Recipe([{"x": floats(4, 4)}, {"x": ids(4, 4)}], {"repeats": 2}),
    "Reshape": Recipe(_kinds("x")),
    "Roll": Recipe(_kinds("x")),
    "Tile": Recipe(_kinds("x")),
    "Rot90": Recipe(
        [{"array": floats(4, 4)}, {"array": ids(4, 4)}], {}, {"k": [1, 2, 0], "axes": [[0, 1]]}
    ),
    "SSIM": Recipe([{"image1": floats(2, 16, 16, 3), "image2": floats(2, 16, 16, 3)}]),
    "ScaleAndTranslate": Recipe(
        [
            {
                "images": _IMAGE,
                "output_shape": [2, 8, 8, 3],
                "scale": floats(2),
                "translation": floats(2),
            }
        ],
        {"spatial_dims": [1, 2], "method": "linear"},
        {"method": ["linear", "cubic", "lanczos3", "lanczos5"]},
    ),
    "Scatter": Recipe(
        [
            {"indices": np.array([[0], [2]], "int32"), "values": floats(2)},
            {"indices": np.array([[0], [2]], "int32"), "values": ids(2)},
        ],
        {"shape": [4]},
        {"shape": [[5]]},
    ),
    "ScatterUpdate": Recipe(
        [
            {"inputs": floats(4), "indices": np.array([[0], [2]], "int32"), "updates": floats(2)},
            {"inputs": ids(4), "indices": np.array([[0], [2]], "int32"), "updates": ids(2)},
        ]
    ),
    "SearchSorted": Recipe(
        [
            {"sorted_sequence": np.array([0.1, 0.5], "float32"), "values": floats(4)},
            {"sorted_sequence": np.array([1, 3], "int32"), "values": ids(4)},
        ]
    ),
    "SegmentMax": _SEGMENTS,
    "SegmentMin": _SEGMENTS,
    "SegmentProd": _SEGMENTS,
    "SegmentSum": _SEGMENTS,
    "Select": Recipe(
        [
            {"condlist": [bools(4), bools(4)], "choicelist": [floats(4), floats(4)]},
            {"condlist": [bools(4), bools(4)], "choicelist": [ids(4), ids(4)]},
            {
                "condlist": [bools(4), bools(4)],
                "choicelist": [floats(4), floats(4)],
                "default": floats(4),
            },
        ]
    ),
    "Slice": Recipe(
        [
            {"inputs": floats(4, 4), "start_indices": [0, 1]},
            {"inputs": ids(4, 4), "start_indices": [0, 1]},
            {"inputs": floats(4, 4), "start_indices": np.array([0, 1], "int32")},
        ],
        {"shape": [2, 2]},
        {"shape": [[1, 2]]},
    ),
    "SliceUpdate": Recipe(
        [
            {"inputs": floats(4, 4), "start_indices": [0, 1], "updates": floats(2, 2)},
            {"inputs": ids(4, 4), "start_indices": [0, 1], "updates": ids(2, 2)},
            {
                "inputs": floats(4, 4),
                "start_indices": np.array([0, 1], "int32"),
                "updates": floats(2, 2),
            },
        ]
    ),
    "StopGradient": Recipe([{"variable": floats(4)}, {"variable": ids(4)}]),
    "Swapaxes": Recipe(_kinds("x")),
    "Moveaxis": Recipe(_kinds("x")),
    "Take": Recipe(
        [
            {"x": values, "indices": indices}
            for values in _KINDS.values()
            for indices in (ids(3), [0, 1], floats(3))
        ],
        {},
        {"axis": [None, 0, 1]},
    ),
    "TakeAlongAxis": Recipe(
        [{"x": values, "indices": ids(4, 4) % 4} for values in _KINDS.values()],
        {},
        {"axis": [None, 0, 1]},
    ),
    "TopK": Recipe([{"x": floats(2, 4)}, {"x": ids(2, 4)}]),
    "Trapezoid": Recipe([{"y": floats(4, 4)}], {}, {"axis": [-1, 0]}),
    "UnravelIndex": Recipe([{"indices": ids(3)}], {"shape": [4, 4]}, {"shape": [[5, 5]]}),
    "Unstack": Recipe(
        [{"x": floats(4, 4)}, {"x": ids(4, 4)}], {}, {"axis": [0, 1], "num": [None, 4]}
    ),
    "Vander": Recipe([{"x": floats(4)}, {"x": ids(4)}], {}, {"N": [None, 3, 5]}),
    "Vdot": Recipe(
        [
            {"x1": floats(4), "x2": floats(4)},
            {"x1": ids(4), "x2": ids(4)},
            {"x1": floats(4), "x2": ids(4)},
        ]
    ),
    "View": Recipe(
        [{"x": floats(4, 4)}, {"x": ids(4, 4)}], {}, {"dtype": [None, "float32", "int32"]}
    ),
    "ViewAsComplex": Recipe([{"x": floats(4, 2)}]),
    "ViewAsReal": Recipe([{"x": _COMPLEX}]),
    "Angle": Recipe([{"x": _COMPLEX}, {"x": floats(4)}]),
    "Real": Recipe([{"x": _COMPLEX}, {"x": floats(4)}]),
    "Imag": Recipe([{"x": _COMPLEX}, {"x": floats(4)}]),
    "Conj": Recipe([{"x": _COMPLEX}, {"x": floats(4)}]),
    "Conjugate": Recipe([{"x": _COMPLEX}, {"x": floats(4)}]),
    "Where": Recipe(
        [{"condition": bools(4, 4), **call} for call in _kinds("x1", "x2")]
        + [
            {"condition": bools(4, 4)},
            {"condition": floats(4, 4), "x1": floats(4, 4), "x2": floats(4, 4)},
            {"condition": bools(4, 4), "x1": floats(4, 4), "x2": 0.0},
            {"condition": bools(4, 4), "x1": 0.0, "x2": floats(4, 4)},
        ]
    ),
    "Glu": Recipe([{"x": floats(4, 4)}], {}, {"axis": [-1, 0, 1]}),
    "Erfinv": Recipe([{"x": floats(4)}]),
    "FakeQuantWithMinMaxVars": Recipe(
        [
            {
                "inputs": floats(4, 4),
                "min_vals": np.array(0.1, "float32"),
                "max_vals": np.array(0.9, "float32"),
            }
        ],
        {},
        {"axis": [None]},
    ),
    "Transpose": Recipe(_kinds("x"), {}, {"axes": [None, [1, 0], [0, 1]]}),
    "Tensordot": Recipe(
        [
            {"x1": floats(4, 4), "x2": floats(4, 4)},
            {"x1": ids(4, 4), "x2": ids(4, 4)},
            {"x1": floats(4, 4), "x2": ids(4, 4)},
        ],
        {},
        {"axes": [1, 2, [[0], [1]]]},
    ),
    "Squeeze": Recipe([{"x": floats(4, 1)}, {"x": ids(4, 1)}], {}, {"axis": [None, 1]}),
    "Argpartition": Recipe(_kinds("x"), {}, {"axis": [-1, 0]}),
    "Diagonal": Recipe(_kinds("x")),
    "Trace": Recipe(_kinds("x")),
    "Softmax": Recipe([{"x": floats(4, 4)}], {}, {"axis": [-1, 0, [0, 1]]}),
    "LogSoftmax": Recipe([{"x": floats(4, 4)}], {}, {"axis": [-1, 0]}),
    "Sparsemax": Recipe([{"x": floats(4, 4)}], {}, {"axis": [-1]}),
}
"""The operations that the general recipe does not fit."""


def general_calls(arguments: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield what an operation without a recipe is called with."""
    if len(arguments) in (1, 2):
        yield from _kinds(*arguments)
