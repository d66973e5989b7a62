"""Work out the columns about safety of the op table: what each op could do besides computing.

The rule: an op without state computes from its inputs alone and is allowed unless a pattern here
names it; an op with state is denied unless a pattern here names it. An op that is not in the table
is refused, so that one which a new TensorFlow brings is looked at before it is let in.
"""

from __future__ import annotations

import re

from gradflow.scan.saved_model.allowed_ops import OpClass

_WRITES = "writes files"
_READS = "reads any file of this machine"
_NETWORK = "opens network connections"
_BLOCKS = "can wait without end, or keep its inputs in memory without end"
_PIPELINE = (
    "makes elements of tensors in a tf.data pipeline, by functions of the model, each of which is "
    "looked at"
)
_DATASET = (
    "belongs to tf.data, and could read or write files, connect, or run a graph hidden in a string"
)
_COMPILER = "hands a program to a compiler, which runs it outside of what can be looked at"
_COMPILED = (
    "computes from its inputs, some by functions of the model, each of which is looked at, once a "
    "compiler has made code of it"
)
_INTERNAL = (
    "belongs inside of TensorFlow's runtime, which makes it itself and trusts what it is given"
)
_TPU = "drives a TPU, or moves data between devices"

DENIED: tuple[tuple[str, str], ...] = (
    ("ends the process", "Abort"),
    (
        _WRITES,
        "WriteFile|Save|SaveSlices|SaveV2|MergeV2Checkpoints|DumpTensor|CalibrationStatisticsSaver",
    ),
    (
        _WRITES,
        "CustomAggregator|PrintV2|.*Summary.*Writer|SummaryWriter|Write.*Summary|ImportEvent",
    ),
    (
        _READS,
        "ReadFile|MatchingFiles|Restore|RestoreSlice|RestoreV2|DTensorRestoreV2|ImmutableConst|"
        "RecordInput",
    ),
    (_READS, "InitializeTableFromTextFile(V2)?|LoadAndRemapMatrix|GenerateVocabRemapping|Skipgram"),
    (_READS, "FixedUnigramCandidateSampler|DecodeProtoV2|EncodeProto|LMDBReader"),
    (_READS, "(FixedLengthRecord|Identity|TFRecord|TextLine|WholeFile)?Reader(V2)?"),
    (
        _READS,
        "Reader(NumRecordsProduced|NumWorkUnitsCompleted|Read|ReadUpTo|Reset|RestoreState|"
        "SerializeState)(V2)?",
    ),
    ("changes how TensorFlow reaches file systems", "FileSystemSetConfiguration"),
    (
        "sends what passes through it to files or over the network",
        "DebugIdentity(V\\d)?|DebugNanCount|DebugNumericSummary|Copy|CopyHost",
    ),
    ("calls Python functions of the process that loads it", "PyFunc|PyFuncStateless|EagerPyFunc"),
    (_NETWORK, "Rpc.*|DeleteRpcFutureResource|RemoteCall|Send|Recv"),
    (_NETWORK, "Collective.*|Nccl.*|AllToAll|CrossReplicaSum"),
    (_DATASET, ".*Dataset(V\\d+)?|Dataset.*|.*Dataset(Reader|Cardinality|Fingerprint)|WindowOp"),
    (_DATASET, ".*Iterator(?!GetNext(Sync|AsOptional)?$).*"),
    (
        _DATASET,
        "DataService.*|CompressElement|UncompressElement|ComputeBatchSize|GetElementAtIndex|"
        "GetOptions",
    ),
    (
        _DATASET,
        "RegisterDataset.*|StatsAggregator.*|ExperimentalStatsAggregator.*|"
        ".*(Random)?SeedGenerator",
    ),
    (
        _DATASET,
        "DeleteMemoryCache|ThreadPoolHandle|ExperimentalThreadPoolHandle|.*MemoryCache|"
        "WrapDatasetVariant",
    ),
    (_DATASET, "UnwrapDatasetVariant|SnapshotChunk.*|DistributedSave"),
    (
        _BLOCKS,
        ".*Queue(V2)?|Queue.*|.*Barrier.*|.*Accumulator.*|Mutex.*|ConsumeMutexLock|Batch|"
        "BatchFunction",
    ),
    (
        _BLOCKS,
        "Unbatch|UnbatchGrad|(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Stage|Unstage|"
        "UnstageNoKey)",
    ),
    (_BLOCKS, "Stage|StageClear|StagePeek|StageSize|Unstage|Sleep.*"),
    (_COMPILER, "Xla.*|_Xla.*|MlirPassthroughOp|.*TRT.*|TfLite.*|GetCalibrationDataOp"),
    (
        _TPU,
        ".*TPU.*|.*Tpu.*|Infeed.*|Outfeed.*|Prelinearize.*|DTensor.*|CopyToMesh.*|Relayout.*|"
        ".*SparseCore.*",
    ),
    (
        _TPU,
        "WorkerHeartbeat|AssignVariableXlaConcatND|ReadVariableXlaSplitND|ConvertToCooTensor|"
        ".*DedupData.*",
    ),
    (_TPU, "GetMinibatch.*|StoreMinibatch.*|UpdateTaskIdAndGlobalCoreArray"),
    (
        _INTERNAL,
        "_.*|GetDeadline|GraphDefVersion|.*ResourceHandleRefCounting|MakeWeakResourceHandle|"
        "SyncDevice",
    ),
    ("reaches tensors of another session", "(Get|Delete)Session(Tensor|Handle(V2)?)"),
    ("reads memory that nothing was written to", "Empty"),
    (
        "is made for TensorFlow's own tests",
        "CheckPinned|ConstructionFails|DeepCopy|DevicePlacementOp|Fact|Old|Stub.*",
    ),
    (
        "is made for TensorFlow's own tests",
        "RequiresOlderGraphVersion|Resource(Create|Initialized|Using)Op|NegTrain",
    ),
)
"""What an op could do, and the names that it stands for, as regular expressions."""

_SOURCES = "Range|Random|Tensor|(Sparse)?TensorSlice|List|Generator"
_STEPS = (
    "AssertCardinality|(DenseToSparse|MapAnd|Padded|Parallel)?Batch|Concatenate|DirectedInterleave|"
    "FilterByLastComponent|(Parallel)?Filter|Finalize|GroupBy(Reducer|Window)|IgnoreErrors|"
    "(Legacy)?(Parallel)?Interleave|(Flat|IndexFlat|Parallel|WeightedFlat)?Map|"
    "MaxIntraOpParallelism|Model|Optimize|Options|ParseExample|Prefetch|Rebatch|Repeat|Rewrite|"
    "Sampling|Scan|Shard|(Global)?Shuffle|ShuffleAndRepeat|Skip|SlidingWindow|Take|TakeWhile|"
    "Unbatch|Unique|Window|Zip"
)
PIPELINE = (
    f"(Experimental)?({_SOURCES}|{_STEPS})Dataset(V\\d)?|(Experimental)?DatasetCardinality|"
    "DatasetToSingleElement|GetElementAtIndex|GetOptions|InitializeTableFromDataset|ReduceDataset|"
    "WindowOp|(Anonymous|Delete|Make|OneShot)?Iterator(V\\d)?|Iterator(To|From)StringHandle(V2)?|"
    "(Anonymous|Delete|Dummy)((Random)?SeedGenerator|MemoryCache)"
)
"""The ops of tf.data, as one regular expression, that make elements of tensors alone: of their
inputs, and by functions of the model. What reads or writes a file, connects to another process or
takes a graph as a string is not among them."""

COMPILED = (
    "BroadcastHelper|Conv(V2)?|Dequantize|Dot(V2)?|Dynamic(Update)?Slice|Einsum|Gather|If|"
    "KeyValueSort|(Variadic)?Reduce(V2)?|Pad|ReducePrecision|ReduceWindow|RngBitGenerator|Scatter|"
    "SelectAndScatter|SelfAdjointEig|Set(Bound|DynamicDimensionSize)|RemoveDynamicDimensionSize|"
    "Sharding|(Variadic)?Sort|SpmdFullToShardShape|SpmdShardToFullShape|Svd|While"
)
"""The ops, after ``Xla``, in which jax2tf wrote each operation of a program: they compute, some by
functions of the model, and only a compiler has kernels for them."""

ALLOWED: tuple[tuple[str, str], ...] = (
    (
        "makes, reads or writes a variable of the model",
        "Variable(V2|Shape)?|VarHandleOp|VarIsInitializedOp|.*VariableOp",
    ),
    (
        "makes, reads or writes a variable of the model",
        "TemporaryVariable|DisableCopyOnRead|DestroyResourceOp",
    ),
    (
        "makes, reads or writes a variable of the model",
        "Resource(Sparse)?Apply.*|ResourceCountUpTo|ResourceGather(Nd)?",
    ),
    (
        "makes, reads or writes a variable of the model",
        "ResourceScatter.*|ResourceStridedSliceAssign",
    ),
    (
        "draws random numbers",
        "Multinomial|NonDeterministicInts|ParameterizedTruncatedNormal|Random.*|Rng.*|Stateful.*",
    ),
    (
        "draws random numbers",
        "StatelessRandomGetAlg|TruncatedNormal|SampleDistortedBoundingBox(V2)?",
    ),
    (
        "draws random numbers",
        "(All|Learned|LogUniform|ThreadUnsafe|Uniform).*CandidateSampler|AllCandidateSampler",
    ),
    ("keeps tensors in memory while the model runs", "TensorArray.*|Stack.*|.*SparseToTensorsMap"),
    ("keeps tensors in memory while the model runs", "TakeManySparseFromTensorsMap"),
    (
        "looks up in a table in memory",
        "(Anonymous|Mutable)*(Dense)?HashTable.*|InitializeTableV2|LookupTable.*V2",
    ),
    (
        "runs functions of the model, each of which is looked at",
        "If|While|Case|StatefulPartitionedCall",
    ),
    (
        "checks a value",
        "Assert|CheckNumerics(V2)?|GuaranteeConst|DeviceIndex|IsTensorFloat32Enabled",
    ),
    ("tells the time", "Timestamp"),
    ("takes from a tf.data iterator", "IteratorGetNext(Sync|AsOptional)?"),
    ("prints to stderr, which is not shown", "Print"),
    ("has no kernel for processors, and is not run on anything else", "Cudnn.*|.*BoostedTrees.*"),
)
"""Why an op with state is allowed all the same; where a pattern above names it too, that counts."""


def classify(name: str, stateful: bool) -> OpClass:
    """Return the class of an op, by its name and whether TensorFlow says that it has state."""
    if re.fullmatch(PIPELINE, name):
        return OpClass(name, True, _PIPELINE)
    if re.fullmatch(f"Xla({COMPILED})", name):
        return OpClass(name, True, _COMPILED)
    denied = next((reason for reason, names in DENIED if re.fullmatch(names, name)), None)
    if denied is not None:
        return OpClass(name, False, denied)
    allowed = next((reason for reason, names in ALLOWED if re.fullmatch(names, name)), None)
    if allowed is not None:
        return OpClass(name, True, allowed)
    if stateful:
        return OpClass(name, False, "has effects besides its outputs, which nobody has reviewed")
    return OpClass(name, True, "computes from its inputs alone")
