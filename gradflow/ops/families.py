"""Name the families of op types that several parts of gradflow treat alike."""

from __future__ import annotations

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""They hand their inputs to the function in their attr ``f``, and its results are their outputs."""
REMOTE_CALLS = frozenset({"TPUPartitionedCall", "RemoteCall"})
"""They do the same on another device, which one of their inputs names."""
IFS = frozenset({"If", "StatelessIf"})
"""They call one of two functions: ``then_branch`` where the first input is true."""
CASES = frozenset({"Case", "StatelessCase"})
"""They call one of the functions ``branches``, by the number in the first input."""
BRANCHES = IFS | CASES
LOOPS = frozenset({"While", "StatelessWhile"})
"""They call the function ``body`` as long as the function ``cond`` is true."""
CONTROL_FLOW = CALLS | REMOTE_CALLS | BRANCHES | LOOPS

VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
"""They stand for a variable: the first of TensorFlow 2, the others of TensorFlow 1."""
OVERWRITING = frozenset({"Assign", "AssignVariableOp"})
"""They put a value in place of the whole value of a variable."""
_SCATTERED = ("Add", "Div", "Max", "Min", "Mul", "NdAdd", "NdMax", "NdMin", "NdSub", "NdUpdate")
REFERENCE_ASSIGNMENTS = frozenset(
    {
        *("Assign", "AssignAdd", "AssignSub", "StridedSliceAssign"),
        *(f"Scatter{kind}" for kind in (*_SCATTERED, "Sub", "Update")),
    }
)
"""They write to the variable of TensorFlow 1 that is their first input, and give it back."""
ASSIGNMENTS = (
    OVERWRITING
    | REFERENCE_ASSIGNMENTS
    | {
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "ResourceStridedSliceAssign",
        *(f"ResourceScatter{kind}" for kind in (*_SCATTERED, "Sub", "Update")),
    }
)
"""They write to the variable that is their first input."""
PLAIN_READS = frozenset({"Identity", "ReadVariableOp"})
"""They give the value of a variable as it is."""
READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
"""They read a variable of TensorFlow 2, or entries of it."""
RESHAPES = frozenset({"Reshape", "ExpandDims", "Squeeze"})
"""They give the same numbers in another shape."""

ELEMENTWISE = frozenset(
    "Abs Add AddN AddV2 Ceil ClipByValue Cos Div DivNoNan Elu EnsureShape Erf Exp Expm1 Floor "
    "Identity LeakyRelu Log Log1p Maximum Minimum Mul MulNoNan Neg Pow RealDiv Relu Relu6 Rint "
    "Round Rsqrt Selu Sigmoid Sign Sin Snapshot Softplus Softsign Sqrt Square SquaredDifference "
    "StopGradient Sub Tan Tanh Xdivy".split()
)
"""Each entry of what they give comes from the entries at the same place."""

SUMS = frozenset({"Add", "AddV2"})
"""They add their two inputs, either of which can be spread over the other."""
ADDITIONS = SUMS | {"BiasAdd", "BiasAddV1"}
"""They add their two inputs."""
SHIFTS = ADDITIONS | {"Sub"}
"""They add one input to the other, or subtract it: the gradient of the sum is that of each term, up
to its sign."""

FUSED_NORMALIZATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
"""BatchNormalization as one op; its third input is the offset."""

SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank", "VariableShape", "ZerosLike", "OnesLike"})
"""They use nothing of their input but its shape."""

RANDOM = frozenset(
    {
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "StatefulRandomBinomial",
        "StatefulStandardNormal",
        "StatefulStandardNormalV2",
        "StatefulTruncatedNormal",
        "StatefulUniform",
        "StatefulUniformFullInt",
        "StatefulUniformInt",
        "StatelessMultinomial",
        "StatelessParameterizedTruncatedNormal",
        "StatelessRandomBinomial",
        "StatelessRandomGammaV2",
        "StatelessRandomGammaV3",
        "StatelessRandomNormal",
        "StatelessRandomNormalV2",
        "StatelessRandomPoisson",
        "StatelessRandomUniform",
        "StatelessRandomUniformFullInt",
        "StatelessRandomUniformFullIntV2",
        "StatelessRandomUniformInt",
        "StatelessRandomUniformIntV2",
        "StatelessRandomUniformV2",
        "StatelessShuffle",
        "StatelessTruncatedNormal",
        "StatelessTruncatedNormalV2",
        "TruncatedNormal",
    }
)
"""They draw numbers, from a state of their own or from a seed that they are given."""
_FROM_SEED_OR_VARIABLE = ("Stateless", "Stateful")
"""How the types of ops begin that draw from a seed that they are given, or from the state in a
variable: put that back, and they draw the same again."""
_SAMPLED = "All FixedUnigram LearnedUnigram LogUniform ThreadUnsafeUnigram Uniform".split()
DRAWS_ANEW = frozenset(
    {
        *(op_type for op_type in RANDOM if not op_type.startswith(_FROM_SEED_OR_VARIABLE)),
        *(f"{kind}CandidateSampler" for kind in _SAMPLED),
        *("FractionalAvgPool", "FractionalMaxPool", "RandomCrop"),
        *("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"),
    }
)
"""They draw from a state of their own, which nobody can put back: something else each time."""

PYTHON_CALLS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""They call a Python function of the process that loads the model."""

WEIGHTLESS = "LossWeight"
"""It stands in a graph of layers for what gives the loss of an output the weight 0."""
