"""Say how to call the functions of TensorFlow that a Keras 2 model can hold as layers of its
own."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.tables.layer_recipes import bools, floats, ids, words

_MODULES = (
    "",
    "math",
    "nn",
    "linalg",
    "image",
    "signal",
    "strings",
    "compat.v1",
    "compat.v1.math",
    "compat.v1.nn",
    "compat.v1.image",
    "sets",
)
_OPERATORS = (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul "
    "rmatmul lt le gt ge eq ne and or xor invert neg abs getitem"
).split()
"""The operators of a tensor, as Keras 2 names them: ``__operators__.add``."""
_NO_LAYERS = re.compile(
    "(py_function|numpy_function|py_func|print|Print|while|cond|map_fn|scan|fold|vectorized_map"
    "|case|custom_gradient|function|init_scope|load_|enable|disable|experimental|saved|Assert"
    "|assert"
    "|debug|make_|get_|set_|control|reset|global_|local_|add_(?!n$)|all_|write|read|save|batch"
    "|shuffle|train|initialize|variable|no_|device|executing|import|name_scope|placeholder"
    "|decode|encode|draw|tables|delete|count_|model|min_max|moving|recompute|grad|hess|barrier"
    "|ctc_beam|atrous|is_(?!finite|inf|nan|non_|strictly)|NoGradient|NotDifferentiable"
    "|as_dtype|constant|container|colocate|create_|fused|group$|inside|matching|multinomial"
    "|op_scope|parse|register|report|scatter_(?!nd$)|sparse_placeholder|switch_case|timestamp"
    "|type_spec"
    "|wrap_function|verify|random_|stateless|truncated_normal|nondiff|static_|raw_rnn|dynamic_rnn"
    "|bidirectional).*"
)
"""Functions that no layer calls: of files, of control flow, of the session."""
_RENAMED = {"eq": "__eq__", "ne": "__ne__"}
_SQUARE = (floats(4, 4) + 2 * np.eye(4)).astype("float32")
_KINDS: Mapping[str, Any] = {"float": _SQUARE, "int": ids(4, 4), "bool": bools(4, 4)}
_IMAGE = floats(2, 8, 8, 3)
_DTYPES = ("float32", "float16", "float64", "int32", "int64", "uint8", "bool")

VALUES: Mapping[str, Sequence[Any]] = {
    "axis": [0, -1],
    "axes": [1],
    "perm": [[1, 0]],
    "shape": [[2, 8]],
    "depth": [5],
    "size": [[4, 4]],
    "num_or_size_splits": [2],
    "k": [2],
    "multiples": [[2, 1]],
    "begin": [[0, 1]],
    "paddings": [[[1, 1], [0, 1]]],
    "clip_value_min": [0.2],
    "clip_value_max": [0.7],
    "num_classes": [5],
    "num_segments": [5],
    "repeats": [2],
    "shift": [1],
    "rate": [0.4],
    "ksize": [2],
    "strides": [1, 2],
    "padding": ["SAME", "VALID"],
    "block_size": [2],
    "target_height": [6],
    "target_width": [6],
    "offset_height": [1],
    "offset_width": [1],
    "clip_norm": [1.0],
    "delta": [0.1],
    "contrast_factor": [0.5],
    "saturation_factor": [0.5],
    "central_fraction": [0.5],
    "gamma": [1.0, 2.0],
    "diagonal": [floats(4)],
    "equation": ["ab,bc->ac"],
    "frame_length": [8],
    "frame_step": [4],
    "fft_length": [8],
    "num": [2],
    "reverse": [False, True],
    "exclusive": [False, True],
    "keepdims": [False, True],
    "num_lower": [1],
    "num_upper": [1],
    "type": ["float32"],
    "maxlen": [6],
    "epsilon": [0.1],
    "variance_epsilon": [0.1],
    "bias": [floats(4)],
    "seed": [1],
    "indices_or_sections": [2],
    "bits": [8],
}
"""Arguments that are no tensors, by name."""
TENSORS: Mapping[str, Any] = {
    "indices": ids(3),
    "condition": bools(4, 4),
    "mask": bools(4),
    "segment_ids": np.array([0, 0, 1, 2], "int32"),
    "images": _IMAGE,
    "image": _IMAGE,
    "filters": floats(2, 2, 3, 5),
    "filter": floats(2, 2, 3, 5),
    "params": floats(5, 4),
    "ids": ids(3),
    "lengths": ids(3),
    "mean": floats(4),
    "offset": floats(4),
    "scale": floats(4),
    "variance": floats(4),
    "imag": floats(4, 4),
    "updates": floats(3, 4),
    "sequence_lengths": np.array([2, 3, 1, 4], "int32"),
    "seq_lengths": np.array([2, 3, 1, 4], "int32"),
}
_FIRST: Mapping[str, Any] = {
    "nn.conv2d": _IMAGE, "nn.depthwise_conv2d": _IMAGE, "nn.max_pool": _IMAGE,
    "nn.max_pool2d": _IMAGE, "nn.avg_pool": _IMAGE, "nn.avg_pool2d": _IMAGE,
    "nn.depth_to_space": floats(2, 4, 4, 8), "nn.space_to_depth": floats(2, 4, 4, 8),
    "nn.sparse_softmax_cross_entropy_with_logits": ids(4),
    "compat.v1.depth_to_space": floats(2, 4, 4, 8), "compat.v1.space_to_depth": floats(2, 4, 4, 8),
    "signal.stft": floats(2, 32), "signal.frame": floats(2, 32),
    "sequence_mask": ids(3), "one_hot": ids(3), "gather_nd": floats(4, 4),
}  # fmt: skip
_LISTS = ("values", "inputs", "tensors")


_PAIRS = np.array([[0, 1], [2, 3]], "int32")
CALLS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "broadcast_to": [{"input": value, "shape": [2, 4, 4]} for value in _KINDS.values()],
    "einsum": [{"equation": "ab,bc->ac", "inputs.0": floats(4, 4), "inputs.1": floats(4, 4)}],
    "ensure_shape": [{"x": value, "shape": [4, 4]} for value in _KINDS.values()],
    "eye": [{"num_rows": 3}],
    "fill": [{"dims": [2, 2], "value": floats()}, {"dims": [2, 2], "value": ids()}],
    "gather_nd": [{"params": value, "indices": _PAIRS} for value in _KINDS.values()],
    "range": [{"start": ids(), "limit": ids() + 4}, {"start": floats(), "limit": floats() + 4}],
    "reverse": [{"tensor": value, "axis": [0]} for value in _KINDS.values()],
    "scatter_nd": [
        {"indices": _PAIRS, "updates": floats(2), "shape": [4, 4]},
        {"indices": _PAIRS, "updates": ids(2), "shape": [4, 4]},
    ],
    "tensor_scatter_nd_update": [
        {"tensor": floats(4, 4), "indices": _PAIRS, "updates": floats(2)},
        {"tensor": ids(4, 4), "indices": _PAIRS, "updates": ids(2)},
    ],
    "tensor_scatter_nd_add": [
        {"tensor": floats(4, 4), "indices": _PAIRS, "updates": floats(2)},
        {"tensor": ids(4, 4), "indices": _PAIRS, "updates": ids(2)},
    ],
    "strided_slice": [
        {"input_": value, "begin": [0, 1], "end": [2, 3]} for value in _KINDS.values()
    ],
    "unique": [{"x": floats(4)}, {"x": ids(4)}],
    "zeros": [{"shape": [2, 2]}],
    "ones": [{"shape": [2, 2]}],
    "nn.sigmoid_cross_entropy_with_logits": [{"labels": floats(2, 4), "logits": floats(2, 4)}],
    "nn.softmax_cross_entropy_with_logits": [{"labels": floats(2, 4), "logits": floats(2, 4)}],
    "nn.depthwise_conv2d": [
        {
            "input": _IMAGE,
            "filter": floats(2, 2, 3, 1),
            "strides": [1, 1, 1, 1],
            "padding": padding,
        }
        for padding in ("SAME", "VALID")
    ],
    "nn.conv1d": [
        {"input": floats(2, 8, 3), "filters": floats(2, 3, 4), "stride": 1, "padding": padding}
        for padding in ("SAME", "VALID")
    ],
    "nn.max_pool1d": [
        {"input": floats(2, 8, 3), "ksize": 2, "strides": 2, "padding": padding}
        for padding in ("SAME", "VALID")
    ],
    "nn.avg_pool1d": [
        {"input": floats(2, 8, 3), "ksize": 2, "strides": 2, "padding": padding}
        for padding in ("SAME", "VALID")
    ],
    "math.scalar_mul": [{"scalar": 2.0, "x": floats(4, 4)}],
    "math.polyval": [{"coeffs": [floats(4), floats(4)], "x": floats(4)}],
    "math.in_top_k": [{"targets": ids(3) % 4, "predictions": floats(3, 4), "k": 2}],
    "image.crop_and_resize": [
        {
            "image": _IMAGE,
            "boxes": floats(2, 4),
            "box_indices": np.array([0, 1], "int32"),
            "crop_size": [4, 4],
        }
    ],
    "image.extract_patches": [
        {
            "images": _IMAGE,
            "sizes": [1, 2, 2, 1],
            "strides": [1, 2, 2, 1],
            "rates": [1, 1, 1, 1],
            "padding": padding,
        }
        for padding in ("SAME", "VALID")
    ],
    "image.grayscale_to_rgb": [{"images": floats(2, 8, 8, 1)}],
    "image.pad_to_bounding_box": [
        {
            "image": _IMAGE,
            "offset_height": 1,
            "offset_width": 1,
            "target_height": 12,
            "target_width": 12,
        }
    ],
    "image.psnr": [{"a": _IMAGE, "b": _IMAGE, "max_val": 1.0}],
    "image.ssim": [{"img1": floats(2, 16, 16, 3), "img2": floats(2, 16, 16, 3), "max_val": 1.0}],
    "strings.length": [{"input": words(3)}],
    "strings.lower": [{"input": words(3)}],
    "strings.upper": [{"input": words(3)}],
    "strings.strip": [{"input": words(3)}],
    "strings.split": [{"input": words(3)}],
    "strings.join": [{"inputs": [words(3), words(3)]}],
    "strings.regex_replace": [{"input": words(3), "pattern": "a", "rewrite": "b"}],
    "strings.to_hash_bucket_fast": [{"input": words(3), "num_buckets": 7}],
    "strings.to_hash_bucket": [{"input": words(3), "num_buckets": 7}],
    "strings.substr": [{"input": words(3), "pos": 0, "len": 1}],
}
"""Calls of functions that take what none of their arguments' names tells."""


def functions() -> dict[str, Callable[..., Any]]:
    """Return the functions by the names that a file has for them."""
    named: dict[str, Callable[..., Any]] = {}
    for module in _MODULES:
        namespace: Any = tf
        for part in module.split(".") if module else ():
            namespace = getattr(namespace, part)
        for name, member in vars(namespace).items():
            is_public = inspect.isfunction(member) and not name.startswith("_")
            if is_public and not _NO_LAYERS.fullmatch(name):
                named[f"{module}.{name}" if module else name] = member
    for name in _OPERATORS:
        method = getattr(tf.Tensor, _RENAMED.get(name, f"__{name}__"), None)
        if method is not None:
            named[f"__operators__.{name}"] = method
    return named


def calls(name: str, function: Callable[..., Any]) -> Iterator[Mapping[str, Any]]:
    """Yield arguments that a function may take; it takes only some of them."""
    if name in CALLS:
        yield from CALLS[name]
        return
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return
    needed = [
        parameter
        for parameter in parameters
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    required = [parameter.name for parameter in needed if parameter.default is parameter.empty]
    if not needed:
        return
    required = required or [needed[0].name]
    optional = {parameter.name for parameter in needed} - set(required)
    choices = itertools.product(
        *(_choices(name, item, index) for index, item in enumerate(required))
    )
    for number, choice in enumerate(choices):
        arguments = dict(zip(required, choice, strict=True))
        yield arguments
        if number == 0:
            for key in sorted(optional & VALUES.keys() - {"name", "seed"}):
                for value in VALUES[key]:
                    yield {**arguments, key: value}
            if "keepdims" in optional and "axis" in optional:
                yield {**arguments, "axis": -1, "keepdims": True}


def _choices(name: str, argument: str, index: int) -> Sequence[Any]:
    if argument == "dtype":
        return _DTYPES
    if index == 0 and name in _FIRST:
        return [_FIRST[name]]
    if name == "__operators__.getitem" and index == 1:
        return [slice(0, 2), 1]
    if argument in _LISTS:
        return [[floats(4, 4), floats(4, 4)], [ids(4, 4), ids(4, 4)]]
    if argument in VALUES and index:
        return VALUES[argument]
    if argument in TENSORS:
        return [TENSORS[argument]]
    if name.startswith("image."):
        return [_IMAGE, ids(2, 8, 8, 3)]
    return list(_KINDS.values()) if index < 2 else [_SQUARE]
