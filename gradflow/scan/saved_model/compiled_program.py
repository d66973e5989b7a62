"""Tell whether the compiled program of an ``XlaCallModule``, as JAX exports it, computes alone."""

from __future__ import annotations

import re
from typing import Any

from gradflow.files.mlir_bytecode import MAGIC, MalformedError, Operation, operations
from gradflow.files.saved_model.schema import attribute
from gradflow.text import quoted

OP = "XlaCallModule"
_COMPUTES = frozenset(
    """
    abs add after_all and atan2 batch_norm_grad batch_norm_inference batch_norm_training
    bitcast_convert broadcast broadcast_in_dim call case cbrt ceil cholesky clamp compare complex
    composite concatenate constant convert convolution cosine count_leading_zeros create_token
    divide dot dot_general dynamic_broadcast_in_dim dynamic_conv dynamic_gather dynamic_iota
    dynamic_pad dynamic_reshape dynamic_slice dynamic_update_slice einsum exponential
    exponential_minus_one fft floor func gather get_dimension_size get_tuple_element if imag iota
    is_finite log log_plus_one logistic map maximum minimum multiply negate not
    optimization_barrier or pad partition_id popcnt power real real_dynamic_slice reduce
    reduce_precision reduce_window remainder replica_id reshape return reverse rng
    rng_bit_generator round_nearest_afz round_nearest_even rsqrt scatter select
    select_and_scatter set_dimension_size shift_left shift_right_arithmetic shift_right_logical
    sign sine slice sort sqrt subtract tan tanh torch_index_select transpose triangular_solve
    tuple unary_einsum uniform_dequantize uniform_quantize while xor
    """.split()
)
"""The operations of StableHLO 1.15 that compute from their operands alone. Not among them is what
reaches another device (``send``, ``infeed``, ``all_reduce`` ...)."""
_HARMLESS_CALLS = frozenset(
    {"Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "shape_assertion"}
)
"""Names by which a program calls what the compiler itself replaces: JAX writes these of its own."""
_CALL, _TARGET = "custom_call", "call_target_name"
_NAME = re.compile(r"vhlo\.(\w+)_v\d+")
_CALLS = re.compile(r"\w+\.custom_call(_v\d+)?")


def harm_of(node: Any) -> str:
    """Return what the program of the node could do besides computing; empty where it cannot.

    ``node`` is a NodeDef of the type :data:`OP`. A program that cannot be read could do anything.
    """
    value = attribute(node, "module")
    if value.HasField("placeholder") or not value.s.startswith(MAGIC):
        return "runs a compiled program that is not written in the way of StableHLO"
    try:
        program = operations(value.s, _CALLS)
    except MalformedError as error:
        return f"runs a compiled program that cannot be read: it {error}"
    return next(filter(None, map(_harm_of, program)), "")


def _harm_of(operation: Operation) -> str:
    match = _NAME.fullmatch(operation.name)
    name = match[1] if match else operation.name
    if name in _COMPUTES or name == "builtin.module":
        return ""
    if name != _CALL:
        return (
            f"runs a compiled program with the operation {quoted(name)}, which is not known to "
            "compute from its operands alone"
        )
    targets = {
        *filter(None, operation.texts),
        *(text for key, text in operation.named_texts if key == _TARGET),
    }
    harmful = sorted(targets - _HARMLESS_CALLS)
    if harmful or not targets:
        called = quoted(harmful[0]) if harmful else "a function"
        return f"runs a compiled program that calls {called}, which is outside of the program"
    return ""
