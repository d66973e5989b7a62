"""Make small concrete inputs and attrs with which TensorFlow can build an op of each type.

Ops whose inputs are all floating and of one shape need no recipe of their own: ``recipes`` guesses
a shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import composite_tensor_variant_pb2, struct_pb2

Source = Callable[["Draw"], Any]
"""Makes one input tensor in the default graph."""


class Draw:
    """One set of random values: normal ones where ``number`` is even, else inside (0.1, 0.9)."""

    def __init__(self, number: int) -> None:
        """Seed with ``number``."""
        self._random = np.random.default_rng(number)
        self._normal = number % 2 == 0

    def values(self, shape: Sequence[int]) -> Any:
        """Return float64 values of the given shape."""
        return (
            self._random.normal(scale=2.0, size=shape)
            if self._normal
            else self._random.uniform(0.1, 0.9, shape)
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build one op."""

    inputs: tuple[Source | list[Source], ...]
    """One per input argument, a list for an argument that stands for several tensors."""
    attrs: Mapping[str, Any]
    """Attrs that have no default and that the inputs do not tell; a function is called in the op's
    graph."""
    then: Callable[[Any], Any] | None
    """Turns the op's outputs into a floating tensor, where they are variants."""


def recipes(op_def: Any) -> tuple[Recipe, ...]:
    """Return ways to build an op of this type, to be tried in turn; none where no way is known.

    A way of its own that the op has is the only one; several of its own are variants that all must
    be probed.
    """
    return RECIPES.get(op_def.name) or tuple(_guesses(op_def))


def is_guess(op_def: Any) -> bool:
    """Tell whether ``recipes`` guesses: then the first that works is enough."""
    return op_def.name not in RECIPES


def _guesses(op_def: Any) -> Iterator[Recipe]:
    kinds = {attr.name: list(attr.allowed_values.list.type) for attr in op_def.attr}
    sources: list[Callable[..., Source]] = []
    for arg in op_def.input_arg:
        allowed = [arg.type] if arg.type else kinds.get(arg.type_attr, [])
        source = next(
            (make for number, make in _MAKERS.items() if not allowed or number in allowed), None
        )
        if source is None or arg.is_ref:
            return
        sources.append(source)
    for shape in ((3, 3), (4,), (2, 3, 3), (2, 4, 4, 3)):
        inputs = [source(*shape) for source in sources]
        yield Recipe(
            tuple(
                [tensor, tensor] if arg.number_attr else tensor
                for arg, tensor in zip(op_def.input_arg, inputs, strict=True)
            ),
            {},
            None,
        )


def _way(
    *inputs: Source | list[Source], then: Callable[[Any], Any] | None = None, **attrs: Any
) -> tuple[Recipe, ...]:
    return (Recipe(inputs, attrs, then),)


def _random(dtype: Any) -> Callable[..., Source]:
    return lambda *shape: lambda draw: tf.constant(draw.values(shape), dtype)


def _fixed(dtype: Any) -> Callable[[Any], Source]:
    return lambda values: lambda draw: tf.constant(values, dtype)


def _complex(*shape: int) -> Source:
    return lambda draw: tf.complex(*(tf.constant(draw.values(shape), tf.float32) for _ in range(2)))


def _spread(*shape: int) -> Source:
    """All entries different, so that maxima, minima and their places are clear."""
    return lambda draw: tf.constant(
        np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape), tf.float32
    )


def _positive(*shape: int) -> Source:
    return lambda draw: tf.constant(np.abs(draw.values(shape)) + 0.5, tf.float32)


def _definite(size: int) -> Source:
    """Return a symmetric, positive definite matrix with distinct eigenvalues."""

    def make(draw: Draw) -> Any:
        values = draw.values((size, size))
        return tf.constant(values @ values.T + np.diag(np.arange(1, size + 1)), tf.float32)

    return make


_f, _f64, _const = _random(tf.float32), _random(tf.float64), _fixed(tf.float32)
_i, _l, _b, _s = _fixed(tf.int32), _fixed(tf.int64), _fixed(tf.bool), _fixed(tf.string)
_MAKERS: dict[int, Callable[..., Source]] = {
    tf.float32.as_datatype_enum: _f,
    tf.float64.as_datatype_enum: _f64,
    tf.complex64.as_datatype_enum: _complex,
}


def _variable(*shape: int) -> Source:
    def make(draw: Draw) -> Any:
        handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=shape)
        assign = tf.raw_ops.AssignVariableOp(
            resource=handle, value=tf.constant(draw.values(shape), tf.float32)
        )
        tf.compat.v1.add_to_collection("init", assign)
        return handle

    return make


def _reference(*shape: int) -> Source:
    """Return a variable of TensorFlow 1, whose reference ops take nothing else."""

    def make(draw: Draw) -> Any:
        variable = tf.raw_ops.VariableV2(shape=shape, dtype=tf.float32)
        assign = tf.raw_ops.Assign(ref=variable, value=tf.constant(draw.values(shape), tf.float32))
        tf.compat.v1.add_to_collection("init", assign)
        return variable

    return make


def _merged(outputs: Any) -> Any:
    return tf.raw_ops.RefMerge(inputs=list(outputs))[0]


def _python_function() -> bytes:
    """Return the token under which TensorFlow knows a Python function of this process."""
    token: bytes = tf.py_function(tf.tanh, [tf.zeros([2, 3])], tf.float32).op.get_attr("token")
    return token


def _sparse_metadata() -> bytes:
    """Return what a sparse tensor of floats is called inside a variant."""
    metadata = composite_tensor_variant_pb2.CompositeTensorVariantMetadata()
    metadata.type_spec_proto.type_spec_class = struct_pb2.TypeSpecProto.SPARSE_TENSOR_SPEC
    metadata.type_spec_proto.type_spec_class_name = "SparseTensorSpec"
    state = metadata.type_spec_proto.type_state.tuple_value.values
    state.add().tensor_shape_value.CopyFrom(tf.TensorShape([3, 3]).as_proto())
    state.add().tensor_dtype_value = tf.float32.as_datatype_enum
    written: bytes = metadata.SerializeToString()
    return written


def _sparse_variant(draw: Draw) -> Any:
    return tf.raw_ops.CompositeTensorVariantFromComponents(
        components=[_CELLS(draw), tf.constant(draw.values((2,)), tf.float32), _SQUARE(draw)],
        metadata=_sparse_metadata(),
    )


def _sparse_values(outputs: Any) -> Any:
    return tf.raw_ops.CompositeTensorVariantToComponents(
        encoded=outputs[0],
        metadata=_sparse_metadata(),
        Tcomponents=[tf.int64, tf.float32, tf.int64],
    )[1]


def _tensor_list(*shape: int) -> Source:
    return lambda draw: tf.raw_ops.TensorListFromTensor(
        tensor=tf.constant(draw.values(shape), tf.float32), element_shape=list(shape[1:])
    )


def _stack(*element: int) -> Callable[[Any], Any]:
    return lambda outputs: tf.raw_ops.TensorListStack(
        input_handle=outputs[0], element_shape=list(element), element_dtype=tf.float32
    )


def _csr(draw: Draw) -> Any:
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=_CELLS(draw),
        values=tf.constant(draw.values((2,)), tf.float32),
        dense_shape=_SQUARE(draw),
    )


def _dense(outputs: Any) -> Any:
    return tf.raw_ops.CSRSparseMatrixToDense(sparse_input=outputs[0], type=tf.float32)


def _optional(draw: Draw) -> Any:
    return tf.raw_ops.OptionalFromValue(components=[tf.constant(draw.values((3, 3)), tf.float32)])


def _value(outputs: Any) -> Any:
    return tf.raw_ops.OptionalGetValue(
        optional=outputs[0], output_types=[tf.float32], output_shapes=[[3, 3]]
    )[0]


def _ragged(draw: Draw) -> Any:
    return tf.raw_ops.RaggedTensorToVariant(
        rt_nested_splits=[tf.constant([0, 2, 4], tf.int64)],
        rt_dense_values=tf.constant(draw.values((4,)), tf.float32),
        batched_input=False,
    )


def _ragged_values(outputs: Any) -> Any:
    return tf.raw_ops.RaggedTensorFromVariant(
        encoded_ragged=outputs[0], input_ragged_rank=1, output_ragged_rank=1, Tvalues=tf.float32
    )[1]


def _array(part: str, written: bool = True) -> Source:
    """Return the handle or the flow of one TensorArray of two rows, the same for both inputs of an
    op."""

    def make(draw: Draw) -> Any:
        handles = tf.compat.v1.get_collection_ref("array")
        if not handles:
            handle, flow = tf.raw_ops.TensorArrayV3(
                size=2, dtype=tf.float32, clear_after_read=False
            )
            value = tf.constant(draw.values((2, 3)), tf.float32)
            if written:
                flow = tf.raw_ops.TensorArrayScatterV3(
                    handle=handle, indices=[0, 1], value=value, flow_in=flow
                )
            handles.append({"handle": handle, "flow": flow})
        return handles[0][part]

    return make


def _rows(*rows: int) -> Callable[[Any], Any]:
    return lambda outputs: tf.raw_ops.TensorArrayGatherV3(
        handle=outputs[0].op.inputs[0], indices=list(rows), flow_in=outputs[0], dtype=tf.float32
    )


_FULL = (_array("handle"), _array("flow"))
_EMPTY = (_array("handle", written=False), _array("flow", written=False))
_CELLS = _l([[0, 0], [1, 2]])  # two cells of a 3 by 3 matrix
_SQUARE = _l([3, 3])
_CONV: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
_CONV3D: dict[str, Any] = {"strides": [1, 1, 1, 1, 1], "padding": "SAME"}
_POOL: dict[str, Any] = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
_POOL3D: dict[str, Any] = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "VALID"}
_LSTM = (_l(2), _f(2, 3, 4), _f(3, 5), _f(3, 5), _f(9, 20), _f(5), _f(5), _f(5), _f(20))
_NORM = (_f(2, 4, 4, 3), _f(3), _f(3), _f(3), _positive(3))
_NORM_GRAD = (_f(2, 4, 4, 3), _f(2, 4, 4, 3), _f(3), _f(3), _positive(3))


def _both(*inputs: Source) -> tuple[Recipe, ...]:
    """Training and inference differ in the gradient function's code."""
    return _way(*inputs, is_training=True) + _way(*inputs, is_training=False)


def _peaks(draw: Draw) -> Any:
    """Return the maxima that pooling by 2 finds in ``_spread``."""
    return tf.nn.max_pool(_spread(2, 4, 4, 3)(draw), 2, 2, "VALID")


def _peaks3d(draw: Draw) -> Any:
    return tf.nn.max_pool3d(_spread(2, 4, 4, 4, 3)(draw), 2, 2, "VALID")


RECIPES: dict[str, tuple[Recipe, ...]] = {
    # Arrays
    "BatchToSpace": _way(_f(4, 2, 2, 3), _i([[0, 0], [0, 0]]), block_size=2),
    "BatchToSpaceND": _way(_f(4, 2, 2, 3), _i([2, 2]), _i([[0, 0], [0, 0]])),
    "BroadcastTo": _way(_f(3), _i([2, 3])),
    "Concat": _way(_i(0), [_f(2, 3), _f(2, 3)]),
    "ConcatV2": _way([_f(2, 3), _f(2, 3)], _i(0)),
    "ConjugateTranspose": _way(_f(2, 3), _i([1, 0])),
    "DepthToSpace": _way(_f(2, 2, 2, 4), block_size=2),
    "DynamicPartition": _way(_f(4, 2), _i([0, 1, 1, 0]), num_partitions=2),
    "DynamicStitch": _way([_i([0, 1]), _i([2])], [_f(2, 3), _f(1, 3)]),
    "EnsureShape": _way(_f(2, 3), shape=[2, None]),
    "Enter": _way(_f(2, 3), frame_name="frame"),
    "ExpandDims": _way(_f(2, 3), _i(0)),
    "ExtractImagePatches": _way(_f(2, 4, 4, 3), ksizes=[1, 2, 2, 1], rates=[1, 1, 1, 1], **_CONV),
    "ExtractVolumePatches": _way(_f(2, 4, 4, 4, 3), ksizes=[1, 2, 2, 2, 1], **_CONV3D),
    "Fill": _way(_i([2, 3]), _f()),
    "Gather": _way(_f(4, 3), _i([0, 2])),
    "GatherNd": _way(_f(4, 3), _i([[0, 1], [2, 2]])),
    "GatherV2": _way(_f(4, 3), _i([0, 2]), _i(0)) + _way(_f(4, 3), _i([0, 2]), _i(1)),
    "IdentityN": _way([_f(2, 3), _f(3)]),
    "MatrixBandPart": _way(_f(3, 3), _l(1), _l(1)),
    "MatrixDiagPartV2": _way(_f(3, 4), _i([-1, 1]), _f()),
    "MatrixDiagPartV3": _way(_f(3, 4), _i([-1, 1]), _f()),
    "MatrixDiagV2": _way(_f(3), _i(1), _i(-1), _i(-1), _f()),
    "MatrixDiagV3": _way(_f(3), _i(1), _i(-1), _i(-1), _f()),
    "MatrixSetDiag": _way(_f(3, 3), _f(3)),
    "MatrixSetDiagV2": _way(_f(3, 3), _f(3), _i(0)),
    "MatrixSetDiagV3": _way(_f(3, 3), _f(3), _i(0)),
    "MirrorPad": _way(_f(3, 3), _i([[1, 1], [1, 1]]), mode="REFLECT"),
    "MirrorPadGrad": _way(_f(5, 5), _i([[1, 1], [1, 1]]), mode="REFLECT"),
    "Pad": _way(_f(2, 3), _i([[1, 1], [0, 1]])),
    "PadV2": _way(_f(2, 3), _i([[1, 1], [0, 1]]), _f()),
    "ParallelDynamicStitch": _way([_i([0, 1]), _i([2])], [_f(2, 3), _f(1, 3)]),
    "PlaceholderWithDefault": _way(_f(2, 3), shape=[2, 3]),
    "Print": _way(_f(2, 3), [_f(3), _f(2)]),
    "Reshape": _way(_f(2, 3), _i([3, 2])),
    "Reverse": _way(_f(2, 3), _b([True, False])),
    "ReverseSequence": _way(_f(2, 3), _i([1, 3]), seq_dim=1),
    "ReverseV2": _way(_f(2, 3), _i([1])),
    "Roll": _way(_f(2, 3), _i([1]), _i([1])),
    "ScatterNd": _way(_i([[0], [2]]), _f(2, 3), _i([4, 3])),
    "ScatterNdNonAliasingAdd": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "Select": _way(_b([[True, False, True]]), _f(1, 3), _f(1, 3)),
    "SelectV2": _way(_b([True, False, True]), _f(2, 3), _f(3)),
    "Slice": _way(_f(3, 3), _i([0, 1]), _i([2, 2])),
    "SpaceToBatch": _way(_f(2, 4, 4, 3), _i([[0, 0], [0, 0]]), block_size=2),
    "SpaceToBatchND": _way(_f(2, 4, 4, 3), _i([2, 2]), _i([[0, 0], [0, 0]])),
    "SpaceToDepth": _way(_f(2, 4, 4, 3), block_size=2),
    "Split": _way(_i(0), _f(4, 3), num_split=2),
    "SplitV": _way(_f(4, 3), _i([1, 3]), _i(0), num_split=2),
    "Squeeze": _way(_f(2, 1, 3)),
    "StridedSlice": _way(_f(4, 3), _i([0, 1]), _i([4, 3]), _i([2, 1])),
    "StridedSliceGrad": _way(_i([4, 3]), _i([0, 1]), _i([4, 3]), _i([2, 1]), _f(2, 2)),
    "TensorScatterAdd": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "TensorScatterMax": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "TensorScatterMin": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "TensorScatterSub": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "TensorScatterUpdate": _way(_f(4, 3), _i([[0], [2]]), _f(2, 3)),
    "TensorStridedSliceUpdate": _way(_f(4, 3), _i([0, 1]), _i([4, 3]), _i([2, 1]), _f(2, 2)),
    "Switch": _way(
        _f(2, 3), _b(True), then=lambda outputs: tf.raw_ops.Merge(inputs=list(outputs))[0]
    ),
    "Tile": _way(_f(2, 3), _i([2, 1])),
    "Transpose": _way(_f(2, 3), _i([1, 0])),
    "Unpack": _way(_f(2, 3), num=2),
    # Arithmetic, reductions, segments
    "AccumulateNV2": _way([_f(2, 3), _f(2, 3)], shape=[2, 3]),
    "ApproxTopK": _way(_f(2, 8), k=2),
    "BatchMatMulV3": _way(_f(2, 3, 3), _f(2, 3, 3), Tout=tf.float32),
    "Cast": _way(_f(2, 3), DstT=tf.float64) + _way(_f(2, 3), DstT=tf.bfloat16),
    "CheckNumerics": _way(_f(2, 3), message="bad"),
    "CheckNumericsV2": _way(_f(2, 3), message="bad"),
    "ClipByValue": _way(_f(3, 3), _const(-1.0), _const(0.5)),
    "Cumprod": _way(_f(2, 3), _i(1)),
    "Cumsum": _way(_f(2, 3), _i(1)),
    "CumulativeLogsumexp": _way(_f(2, 3), _i(1)),
    "EuclideanNorm": _way(_f(2, 3), _i([1])),
    "Max": _way(_f(2, 3), _i([1])),
    "Mean": _way(_f(2, 3), _i([1])),
    "Min": _way(_f(2, 3), _i([1])),
    "Prod": _way(_f(2, 3), _i([1])),
    "Sum": _way(_f(2, 3), _i([1])) + _way(_f(2, 3), _i([0, 1])),
    "NthElement": _way(_f(2, 4), _i(1)),
    "TopKV2": _way(_f(2, 4), _i(2)),
    "RandomGamma": _way(_i([5]), _positive(3)),
    "StatelessRandomGammaV2": _way(_i([5, 3]), _i([1, 2]), _positive(3)),
    "StatelessRandomGammaV3": _way(
        _i([5, 3]), _fixed(tf.uint64)([1]), _fixed(tf.uint64)([1, 2]), _i(1), _positive(3)
    ),
    "StatelessParameterizedTruncatedNormal": _way(
        _i([20]), _i([1, 2]), _const(0.1), _const(1.2), _const(-1.0), _const(1.0)
    ),
    **{
        f"Segment{kind}": _way(_f(4, 3), _i([0, 0, 1, 1]))
        for kind in ("Max", "Mean", "Min", "Prod", "Sum")
    },
    **{
        f"UnsortedSegment{kind}": _way(_f(4, 3), _i([0, 1, 0, 1]), _i(2))
        for kind in ("Max", "Min", "Prod", "Sum")
    },
    **{
        f"SparseSegment{kind}": _way(_f(4, 3), _i([0, 1, 3]), _i([0, 0, 1]))
        for kind in ("Mean", "SqrtN", "Sum")
    },
    **{
        f"SparseSegment{kind}WithNumSegments": _way(_f(4, 3), _i([0, 1, 3]), _i([0, 0, 1]), _i(2))
        for kind in ("Mean", "SqrtN", "Sum")
    },
    "ArgMax": _way(_f(2, 3), _i(1)),
    "ArgMin": _way(_f(2, 3), _i(1)),
    "TopK": _way(_f(2, 4), k=2),
    # Linear algebra, spectra
    "BandedTriangularSolve": _way(_positive(2, 3), _f(3, 2)),
    "Cholesky": _way(_definite(3)),
    "Cross": _way(_f(2, 3), _f(2, 3)),
    "Eig": _way(_definite(3), Tout=tf.complex64),
    "Einsum": _way([_f(2, 3), _f(3, 4)], equation="ab,bc->ac")
    + _way([_f(2, 3)], equation="ab->ba"),
    "IRFFT": _way(_complex(4), _i([6])),
    "IRFFT2D": _way(_complex(4, 4), _i([4, 6])),
    "RFFT": _way(_f(6), _i([6])),
    "RFFT2D": _way(_f(4, 6), _i([4, 6])),
    "LogMatrixDeterminant": _way(_definite(3)),
    "MatrixDeterminant": _way(_definite(3)),
    "MatrixInverse": _way(_definite(3)),
    "MatrixSolveLs": _way(_f(4, 3), _f(4, 2), _fixed(tf.float64)(0.5))
    + _way(_f(3, 4), _f(3, 2), _fixed(tf.float64)(0.5)),
    "MatrixSquareRoot": _way(_definite(3)),
    "Qr": _way(_f(4, 3)),
    "SelfAdjointEigV2": _way(_definite(3)),
    "Svd": _way(_f(3, 3)),
    "TridiagonalMatMul": _way(_f(1, 3), _f(1, 3), _f(1, 3), _f(3, 2)),
    "TridiagonalSolve": _way(_positive(3, 3), _f(3, 2)),
    "XlaEinsum": _way(_f(2, 3), _f(3, 4), equation="ab,bc->ac"),
    # Networks
    "AvgPool": _way(_f(2, 4, 4, 3), **_POOL),
    "AvgPool3D": _way(_f(2, 4, 4, 4, 3), **_POOL3D),
    "AvgPool3DGrad": _way(_i([2, 4, 4, 4, 3]), _f(2, 2, 2, 2, 3), **_POOL3D),
    "AvgPoolGrad": _way(_i([2, 4, 4, 3]), _f(2, 2, 2, 3), **_POOL),
    "BatchNormWithGlobalNormalization": _way(
        _f(2, 4, 4, 3),
        _f(3),
        _positive(3),
        _f(3),
        _f(3),
        variance_epsilon=1e-3,
        scale_after_normalization=True,
    ),
    "BiasAdd": _way(_f(2, 3), _f(3)),
    "BiasAddV1": _way(_f(2, 3), _f(3)),
    "BlockLSTM": _way(*_LSTM, use_peephole=True),
    "BlockLSTMV2": _way(*_LSTM, use_peephole=True),
    "Conv2D": _way(_f(2, 4, 4, 3), _f(2, 2, 3, 5), **_CONV),
    "Conv2DBackpropFilter": _way(_f(2, 4, 4, 3), _i([2, 2, 3, 5]), _f(2, 4, 4, 5), **_CONV),
    "Conv2DBackpropInput": _way(_i([2, 4, 4, 3]), _f(2, 2, 3, 5), _f(2, 4, 4, 5), **_CONV),
    "Conv3D": _way(_f(2, 4, 4, 4, 3), _f(2, 2, 2, 3, 5), **_CONV3D),
    "Conv3DBackpropFilterV2": _way(
        _f(2, 4, 4, 4, 3), _i([2, 2, 2, 3, 5]), _f(2, 4, 4, 4, 5), **_CONV3D
    ),
    "Conv3DBackpropInputV2": _way(
        _i([2, 4, 4, 4, 3]), _f(2, 2, 2, 3, 5), _f(2, 4, 4, 4, 5), **_CONV3D
    ),
    "CTCLoss": _way(_f(5, 1, 4), _l([[0, 0], [0, 1]]), _i([0, 1]), _i([5])),
    "CTCLossV2": _way(_f(5, 1, 4), _l([[0, 0], [0, 1]]), _i([1, 2]), _i([5])),
    "DepthwiseConv2dNative": _way(_f(2, 4, 4, 3), _f(2, 2, 3, 2), **_CONV),
    "DepthwiseConv2dNativeBackpropFilter": _way(
        _f(2, 4, 4, 3), _i([2, 2, 3, 2]), _f(2, 4, 4, 6), **_CONV
    ),
    "DepthwiseConv2dNativeBackpropInput": _way(
        _i([2, 4, 4, 3]), _f(2, 2, 3, 2), _f(2, 4, 4, 6), **_CONV
    ),
    "Dilation2D": _way(_f(2, 4, 4, 3), _f(2, 2, 3), rates=[1, 1, 1, 1], **_CONV),
    "FakeQuantWithMinMaxVars": _way(_f(3, 3), _const(-1.0), _const(0.5)),
    "FakeQuantWithMinMaxVarsPerChannel": _way(_f(3, 3), _const([-1.0] * 3), _const([0.5] * 3)),
    "FractionalAvgPool": _way(_f(2, 4, 4, 3), pooling_ratio=[1.0, 1.4, 1.4, 1.0]),
    "FractionalMaxPool": _way(_f(2, 4, 4, 3), pooling_ratio=[1.0, 1.4, 1.4, 1.0]),
    "FusedBatchNorm": _both(*_NORM),
    "FusedBatchNormV2": _both(*_NORM),
    "FusedBatchNormV3": _both(*_NORM),
    "FusedBatchNormGrad": _both(*_NORM_GRAD),
    "FusedBatchNormGradV2": _both(*_NORM_GRAD),
    "FusedBatchNormGradV3": _both(*_NORM_GRAD, _f(3)),
    "LRN": _way(_f(2, 4, 4, 3)),
    "MaxPool": _way(_f(2, 4, 4, 3), **_POOL),
    "MaxPool3D": _way(_f(2, 4, 4, 4, 3), **_POOL3D),
    "MaxPool3DGrad": _way(_spread(2, 4, 4, 4, 3), _peaks3d, _f(2, 2, 2, 2, 3), **_POOL3D),
    "MaxPool3DGradGrad": _way(_spread(2, 4, 4, 4, 3), _peaks3d, _f(2, 4, 4, 4, 3), **_POOL3D),
    "MaxPoolGrad": _way(_spread(2, 4, 4, 3), _peaks, _f(2, 2, 2, 3), **_POOL),
    "MaxPoolGradGrad": _way(_spread(2, 4, 4, 3), _peaks, _f(2, 4, 4, 3), **_POOL),
    "MaxPoolGradV2": _way(
        _spread(2, 4, 4, 3),
        _peaks,
        _f(2, 2, 2, 3),
        _i(_POOL["ksize"]),
        _i(_POOL["strides"]),
        padding="VALID",
    ),
    "MaxPoolV2": _way(_f(2, 4, 4, 3), _i(_POOL["ksize"]), _i(_POOL["strides"]), padding="VALID"),
    "MaxPoolWithArgmax": _way(_f(2, 4, 4, 3), **_POOL),
    "QuantizeAndDequantizeV2": _way(_f(3, 3), _const(-1.0), _const(0.5), range_given=True),
    "QuantizeAndDequantizeV3": _way(_f(3, 3), _const(-1.0), _const(0.5), _i(8), range_given=True),
    "QuantizeAndDequantizeV4": _way(_f(3, 3), _const(-1.0), _const(0.5), range_given=True),
    "QuantizeAndDequantizeV4Grad": _way(_f(3, 3), _f(3, 3), _const(-1.0), _const(0.5)),
    "SparseSoftmaxCrossEntropyWithLogits": _way(_f(2, 3), _i([0, 2])),
    # Images
    "CropAndResize": _way(_f(2, 4, 4, 3), _const([[0.1, 0.1, 0.8, 0.9]]), _i([1]), _i([3, 3])),
    "ImageProjectiveTransformV2": _way(
        _f(2, 4, 4, 3), _const([[1, 0, 0.5, 0, 1, 0.5, 0, 0]]), _i([4, 4]), interpolation="BILINEAR"
    ),
    "ImageProjectiveTransformV3": _way(
        _f(2, 4, 4, 3),
        _const([[1, 0, 0.5, 0, 1, 0.5, 0, 0]]),
        _i([4, 4]),
        _f(),
        interpolation="BILINEAR",
    ),
    "ResizeBicubic": _way(_f(2, 4, 4, 3), _i([3, 5])),
    "ResizeBilinear": _way(_f(2, 4, 4, 3), _i([3, 5])),
    "ResizeNearestNeighbor": _way(_f(2, 4, 4, 3), _i([3, 5])),
    "ScaleAndTranslate": _way(_f(2, 4, 4, 3), _i([3, 5]), _const([1.1, 0.9]), _const([0.3, -0.2])),
    # Sparse and ragged
    "SparseAdd": _way(_CELLS, _f(2), _SQUARE, _CELLS, _f(2), _SQUARE, _const(0.0)),
    "SparseDenseCwiseDiv": _way(_CELLS, _f(2), _SQUARE, _f(3, 3)),
    "SparseDenseCwiseMul": _way(_CELLS, _f(2), _SQUARE, _f(3, 3)),
    "SparseFillEmptyRows": _way(_CELLS, _f(2), _SQUARE, _f()),
    "SparseReduceSum": _way(_CELLS, _f(2), _SQUARE, _i([1])),
    "SparseReorder": _way(_CELLS, _f(2), _SQUARE),
    "SparseSlice": _way(_CELLS, _f(2), _SQUARE, _l([0, 0]), _l([2, 3])),
    "SparseSoftmax": _way(_l([[0, 0], [0, 2]]), _f(2), _SQUARE),
    "SparseTensorDenseAdd": _way(_CELLS, _f(2), _SQUARE, _f(3, 3)),
    "SparseTensorDenseMatMul": _way(_CELLS, _f(2), _SQUARE, _f(3, 3)),
    "SparseToDense": _way(_CELLS, _SQUARE, _f(2), _f()),
    "RaggedFillEmptyRows": _way(_l([0, 0, 2]), _f(3), _l(4), _f()),
    "RaggedGather": _way([_l([0, 2, 4])], _f(4), _l([1, 0]), OUTPUT_RAGGED_RANK=1),
    "RaggedTensorFromVariant": _way(
        _ragged, input_ragged_rank=1, output_ragged_rank=1, Tvalues=tf.float32
    ),
    "RaggedTensorToSparse": _way([_l([0, 2, 4])], _f(4)),
    "RaggedTensorToTensor": _way(
        _l([-1, -1]), _f(4), _f(), [_l([0, 1, 4])], row_partition_types=["ROW_SPLITS"]
    ),
    "RaggedTensorToVariant": _way([_l([0, 2, 4])], _f(4), then=_ragged_values, batched_input=False),
    "CSRSparseMatrixToDense": _way(_csr, type=tf.float32),
    "CSRSparseMatrixToSparseTensor": _way(_csr, type=tf.float32),
    "DenseToCSRSparseMatrix": _way(_f(3, 3), _CELLS, then=_dense),
    "SparseMatrixAdd": _way(_csr, _csr, _f(), _f(), then=_dense),
    "SparseMatrixMatMul": _way(_csr, _f(3, 3)),
    "SparseMatrixMul": _way(_csr, _f(), then=_dense),
    "SparseMatrixSoftmax": _way(_csr, then=_dense, type=tf.float32),
    "SparseMatrixSparseMatMul": _way(_csr, _csr, then=_dense, type=tf.float32),
    "SparseMatrixTranspose": _way(_csr, then=_dense, type=tf.float32),
    "SparseTensorToCSRSparseMatrix": _way(_CELLS, _f(2), _SQUARE, then=_dense),
    "CompositeTensorVariantFromComponents": _way(
        [_CELLS, _f(2), _SQUARE], then=_sparse_values, metadata=_sparse_metadata
    ),
    "CompositeTensorVariantToComponents": _way(
        _sparse_variant, metadata=_sparse_metadata, Tcomponents=[tf.int64, tf.float32, tf.int64]
    ),
    # Variables, lists, optionals
    "EagerPyFunc": _way([_f(2, 3)], token=_python_function, Tout=[tf.float32]),
    "RefEnter": _way(_reference(2, 3), frame_name="frame"),
    "RefIdentity": _way(_reference(2, 3)),
    "RefMerge": _way([_reference(2, 3), _reference(2, 3)]),
    "RefNextIteration": _way(_reference(2, 3)),
    "RefSwitch": _way(_reference(2, 3), _b(True), then=_merged),
    "ReadVariableOp": _way(_variable(4, 3), dtype=tf.float32),
    "ResourceGather": _way(_variable(4, 3), _i([0, 2]), dtype=tf.float32),
    "ResourceGatherNd": _way(_variable(4, 3), _i([[0], [2]]), dtype=tf.float32),
    "OptionalFromValue": _way([_f(3, 3)], then=_value),
    "OptionalGetValue": _way(_optional, output_types=[tf.float32], output_shapes=[[3, 3]]),
    "TensorArrayConcatV3": _way(*_FULL, dtype=tf.float32),
    "TensorArrayGatherV3": _way(_FULL[0], _i([1, 0]), _FULL[1], dtype=tf.float32),
    "TensorArrayReadV3": _way(_FULL[0], _i(1), _FULL[1], dtype=tf.float32),
    "TensorArrayScatterV3": _way(_EMPTY[0], _i([0, 1]), _f(2, 3), _EMPTY[1], then=_rows(0, 1)),
    "TensorArraySplitV3": _way(_EMPTY[0], _f(4, 3), _l([2, 2]), _EMPTY[1], then=_rows(0, 1)),
    "TensorArrayWriteV3": _way(_EMPTY[0], _i(1), _f(3), _EMPTY[1], then=_rows(1)),
    "TensorListConcat": _way(_tensor_list(2, 3), element_dtype=tf.float32),
    "TensorListConcatV2": _way(_tensor_list(2, 3), _i([3]), _l([]), element_dtype=tf.float32),
    "TensorListFromTensor": _way(_f(2, 3), _i([3]), then=_stack(3)),
    "TensorListGather": _way(_tensor_list(2, 3), _i([1, 0]), _i([3]), element_dtype=tf.float32),
    "TensorListGetItem": _way(_tensor_list(2, 3), _i(1), _i([3]), element_dtype=tf.float32),
    "TensorListPopBack": _way(_tensor_list(2, 3), _i([3]), element_dtype=tf.float32),
    "TensorListPushBack": _way(_tensor_list(2, 3), _f(3), then=_stack(3)),
    "TensorListResize": _way(_tensor_list(3, 3), _i(2), then=_stack(3)),
    "TensorListScatter": _way(_f(2, 3), _i([0, 1]), _i([3]), then=_stack(3)),
    "TensorListScatterIntoExistingList": _way(
        _tensor_list(2, 3), _f(1, 3), _i([1]), then=_stack(3)
    ),
    "TensorListScatterV2": _way(_f(2, 3), _i([0, 1]), _i([3]), _i(2), then=_stack(3)),
    "TensorListSetItem": _way(_tensor_list(2, 3), _i(1), _f(3), then=_stack(3)),
    "TensorListSplit": _way(_f(4, 3), _i([-1, 3]), _l([2, 2]), then=_stack(2, 3)),
    "TensorListStack": _way(_tensor_list(2, 3), _i([3]), element_dtype=tf.float32),
    # No kernel on a CPU: the gradient graph can be built, not run
    "AllToAll": _way(_f(2, 4), _i([[0, 1]]), concat_dimension=0, split_dimension=1, split_count=2),
    "CollectivePermute": _way(_f(2, 3), _i([[0, 1]])),
    "CrossReplicaSum": _way(_f(2, 3), _i([[0]])),
    "CudnnRNN": _way(_f(2, 3, 4), _f(1, 3, 5), _f(1, 3, 5), _f(300), rnn_mode="lstm"),
    "CudnnRNNV2": _way(_f(2, 3, 4), _f(1, 3, 5), _f(1, 3, 5), _f(300), rnn_mode="lstm"),
    "CudnnRNNV3": _way(
        _f(2, 3, 4), _f(1, 3, 5), _f(1, 3, 5), _f(300), _i([2, 2, 2]), rnn_mode="lstm"
    ),
    "CopyToMesh": _way(_f(2, 3), mesh=""),
    "NcclAllReduce": _way(_f(3), reduction="sum", num_devices=1, shared_name="all"),
    "NcclBroadcast": _way(_f(3), shape=[3]),
    "NcclReduce": _way([_f(3), _f(3)], reduction="sum"),
    "Relayout": _way(_f(2, 3), layout=""),
    "TPUEmbeddingActivations": _way(_f(2, 3), _f(2, 3), table_id=0, lookup_id=0),
    "XlaSpmdFullToShardShape": _way(_f(2, 3), manual_sharding=""),
    "XlaSpmdShardToFullShape": _way(_f(2, 3), manual_sharding="", full_shape=[2, 3]),
}
