"""Tell what harm a function or an op of TensorFlow could do that a layer of Keras 2 stands for."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.files.saved_model.schema import DecodeError, parse
from gradflow.scan.saved_model.allowed_ops import class_of
from gradflow.text import quoted, shown

_MODULES = frozenset(
    "__operators__ math nn linalg signal strings image sparse ragged random audio bitwise "
    "dtypes quantization sets "
    "experimental.numpy".split()
)
"""Of TensorFlow's public names, those whose functions compute."""
_TOP = frozenset(
    "Assert abs accumulate_n acos acosh add add_n angle approx_top_k arg_max arg_min argmax "
    "argmin argsort as_dtype "
    "as_string asin asinh assert_equal assert_greater assert_greater_equal assert_integer "
    "assert_less "
    "assert_less_equal assert_near assert_negative assert_non_negative assert_non_positive "
    "assert_none_equal "
    "assert_positive assert_proper_iterable assert_rank assert_rank_at_least assert_rank_in "
    "assert_same_float_dtype "
    "assert_scalar assert_type atan atan2 atanh batch_gather batch_to_space batch_to_space_nd "
    "betainc bincount bitcast "
    "boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast ceil "
    "check_numerics cholesky "
    "cholesky_solve clip_by_average_norm clip_by_global_norm clip_by_norm clip_by_value "
    "complex concat "
    "confusion_matrix conj constant conv convert_to_tensor cos cosh count_nonzero cross "
    "cumprod cumsum decode_base64 "
    "decode_compressed decode_csv decode_raw depth_to_space dequantize diag diag_part digamma "
    "div div_no_nan divide "
    "dynamic_partition dynamic_stitch edit_distance eig eigvals einsum encode_base64 "
    "ensure_shape equal erf erfc exp "
    "expand_dims expm1 extract_image_patches extract_volume_patches eye "
    "fake_quant_with_min_max_args "
    "fake_quant_with_min_max_vars fake_quant_with_min_max_vars_per_channel fft fft2d fft3d "
    "fftnd fill fingerprint "
    "floor floor_div floordiv floormod gather gather_nd get_static_value global_norm greater "
    "greater_equal group "
    "guarantee_const histogram_fixed_width histogram_fixed_width_bins identity identity_n ifft "
    "ifft2d ifft3d ifftnd "
    "igamma igammac imag invert_permutation irfftnd is_finite is_inf is_nan is_non_decreasing "
    "is_strictly_increasing "
    "is_symbolic_tensor is_tensor lbeta less less_equal lgamma lin_space linspace log log1p "
    "log_sigmoid logical_and "
    "logical_not logical_or logical_xor matmul matrix_band_part matrix_determinant matrix_diag "
    "matrix_diag_part "
    "matrix_inverse matrix_set_diag matrix_solve matrix_solve_ls matrix_square_root "
    "matrix_transpose "
    "matrix_triangular_solve maximum meshgrid minimum mod multinomial multiply negative no_op "
    "norm not_equal one_hot "
    "ones ones_like pad parallel_stack polygamma pow qr quantize quantize_v2 quantized_concat "
    "ragged_fill_empty_rows "
    "random_crop random_gamma random_index_shuffle random_normal random_poisson random_shuffle "
    "random_uniform range "
    "rank real realdiv reciprocal reduce_all reduce_any reduce_join reduce_logsumexp "
    "reduce_max reduce_mean reduce_min "
    "reduce_prod reduce_sum regex_replace repeat required_space_to_batch_paddings reshape "
    "reverse reverse_sequence "
    "reverse_v2 rfftnd rint roll round rsqrt saturate_cast scalar_mul scatter_nd searchsorted "
    "segment_max "
    "segment_mean segment_min segment_prod segment_sum self_adjoint_eig self_adjoint_eigvals "
    "sequence_mask setdiff1d "
    "shape shape_n sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd "
    "space_to_depth sparse_add "
    "sparse_concat sparse_fill_empty_rows sparse_mask sparse_matmul sparse_maximum "
    "sparse_minimum sparse_reduce_max "
    "sparse_reduce_sum sparse_reorder sparse_reset_shape sparse_reshape sparse_retain "
    "sparse_segment_mean "
    "sparse_segment_sqrt_n sparse_segment_sum sparse_slice sparse_softmax sparse_split "
    "sparse_tensor_dense_matmul "
    "sparse_tensor_to_dense sparse_to_dense sparse_to_indicator sparse_transpose split sqrt "
    "square squared_difference "
    "squeeze stack stop_gradient strided_slice string_join string_split string_strip "
    "string_to_hash_bucket "
    "string_to_hash_bucket_fast string_to_hash_bucket_strong string_to_number substr subtract "
    "svd tan tanh "
    "tensor_scatter_add tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min "
    "tensor_scatter_nd_sub "
    "tensor_scatter_nd_update tensor_scatter_sub tensor_scatter_update tensordot tile "
    "to_bfloat16 to_complex128 "
    "to_complex64 to_double to_float to_int32 to_int64 trace transpose truediv "
    "truncated_normal truncatediv "
    "truncatemod tuple unique unique_with_counts unravel_index unsorted_segment_max "
    "unsorted_segment_mean "
    "unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum "
    "unstack "
    "verify_tensor_all_finite where where_v2 zeros zeros_like zeta".split()
)
"""Functions at the top of TensorFlow (2.21, with compat.v1) that compute: beside them stand
write_file and py_func."""
_ACTING = frozenset(
    "fixed_unigram_candidate_sampler map_values map_flat_values set_seed set_random_seed "
    "set_global_generator "
    "get_global_generator create_rng_state experimental_enable_numpy_behavior raw_rnn".split()
)
"""Of those modules, what reads a file, calls a function that it is given, or changes the
process."""
_CLASSES = frozenset({"RaggedTensor", "SparseTensor"})
"""Classes of TensorFlow whose methods compute."""
_MEMBERS = frozenset(
    "values flat_values row_splits nested_row_splits value_rowids nested_value_rowids nrows "
    "row_starts row_limits "
    "row_lengths nested_row_lengths bounding_shape with_values with_flat_values "
    "with_row_splits_dtype merge_dims "
    "to_tensor to_sparse indices dense_shape from_value_rowids from_row_splits "
    "from_row_lengths from_row_starts "
    "from_row_limits from_uniform_row_length from_nested_value_rowids from_nested_row_splits "
    "from_nested_row_lengths "
    "from_tensor from_sparse".split()
)
"""Their members for which tf_keras/src/layers/core/tf_op_layer.py (2.21) makes layers."""
_UNKNOWN = "does more than compute, as far as is known"


def wrapped(layer: str, config: Mapping[str, object]) -> tuple[str, str] | None:
    """Return what a layer of the class ``layer`` calls, and what that could do; None where it calls
    nothing, or computes."""
    function, member = config.get("function"), config.get("attr_name", config.get("method_name"))
    if layer in ("TFOpLambda", "SlicingOpLambda"):
        harm = harm_of_symbol(function)
        return None if harm is None else (f"the function tf.{shown(str(function))}", harm)
    if layer == "TensorFlowOpLayer":
        harm = harm_of_node(config.get("node_def"))
        return None if harm is None else ("an op of TensorFlow in a layer", harm)
    if layer == "ClassMethod" and config.get("cls_symbol") not in _CLASSES:
        return f"the class tf.{shown(str(config.get('cls_symbol')))}", _UNKNOWN
    if layer in ("ClassMethod", "InstanceMethod", "InstanceProperty") and member not in _MEMBERS:
        return f"the member {quoted(str(member))} of a tensor", "can run any Python code"
    return None


def harm_of_symbol(symbol: object) -> str | None:
    """Return what a public name of TensorFlow, such as ``math.add``, could do; None where it
    computes."""
    if not isinstance(symbol, str):
        return _UNKNOWN
    name = symbol.removeprefix("tf.").removeprefix("compat.v1.").removeprefix("compat.v2.")
    module, _, function = name.rpartition(".")
    if module == "raw_ops":
        op_class = class_of(function)
        return None if op_class.is_allowed else op_class.reason
    if not module:
        return None if function in _TOP else _UNKNOWN
    return (
        None
        if module in _MODULES and function not in _ACTING and function.isidentifier()
        else _UNKNOWN
    )


def harm_of_node(node: object) -> str | None:
    """Return what the op of a NodeDef could do, which a file holds as text or as JSON; None where
    it computes."""
    if isinstance(node, Mapping):
        op = node.get("op")
    elif isinstance(node, str):
        try:
            op = parse("NodeDef", node.encode("utf-8")).op
        except (DecodeError, UnicodeEncodeError):  # JSON can hold half of a surrogate pair
            return _UNKNOWN
    else:
        return _UNKNOWN
    if not isinstance(op, str):
        return _UNKNOWN
    op_class = class_of(op)
    return None if op_class.is_allowed else op_class.reason
