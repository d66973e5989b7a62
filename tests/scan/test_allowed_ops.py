"""What could do harm is denied, and what networks are made of is allowed."""

from __future__ import annotations

from gradflow.scan.saved_model.allowed_ops import class_of


def test_what_is_known_to_do_harm_is_denied() -> None:
    harmful = (
        "WriteFile ReadFile SaveV2 RestoreV2 PrintV2 PyFunc EagerPyFunc PyFuncStateless "
        "ImmutableConst Abort Recv "
        "MatchingFiles DatasetFromGraph DebugIdentityV2 DebugNumericSummary "
        "RpcCall LMDBReader "
        "RpcServerStart CreateSummaryFileWriter WriteScalarSummary DumpTensor LoadAndRemapMatrix "
        "RemoteCall _Recv "
        "GenerateVocabRemapping TFRecordReaderV2 InitializeTableFromTextFileV2 XlaCallModule "
        "XlaLaunch TPUExecute "
        "MlirPassthroughOp CollectiveReduceV2 FileSystemSetConfiguration QueueDequeueV2 "
        "FIFOQueueV2 _Send "
        "TfLiteSubgraphExecute TRTEngineOp CacheDatasetV2 CSVDatasetV2 TFRecordDatasetV2 "
        "TextLineDataset FixedLengthRecordDatasetV2 SqlDataset LMDBDataset SnapshotDatasetV2 "
        "LoadDataset SaveDatasetV2 DatasetToTFRecord DataServiceDatasetV4 RegisterDatasetV2 "
        "MatchingFilesDataset DatasetToGraphV2 ThreadPoolDataset ExperimentalSqlDataset"
    )
    assert [op for op in harmful.split() if class_of(op).is_allowed] == []


def test_what_networks_are_made_of_is_allowed() -> None:
    harmless = (
        "MatMul Conv2D FusedBatchNormV3 VarHandleOp ReadVariableOp AssignVariableOp ResourceGather "
        "While If Merge "
        "StatelessIf StatefulPartitionedCall TensorListStack TensorArrayV3 RandomUniform "
        "StatelessRandomUniformV2 "
        "HashTableV2 Einsum LookupTableFindV2 DecodeJpeg ParseExampleV2 RaggedTensorToTensor "
        "StringSplitV2 Assert "
        "CudnnRNNV3 Switch Enter NextIteration VariableV2 Assign StringFormat AudioSpectrogram "
        "MutableHashTableV2 "
        "SparseTensorDenseMatMul TensorSliceDataset MapDataset ParallelMapDatasetV2 BatchDatasetV2 "
        "ShuffleDatasetV3 PrefetchDataset RangeDataset ReduceDataset OneShotIterator MakeIterator "
        "AnonymousIteratorV3 IteratorGetNext DummySeedGenerator DatasetToSingleElement"
    )
    assert [op for op in harmless.split() if not class_of(op).is_allowed] == []


def test_an_unknown_op_is_denied() -> None:
    assert not class_of("NoSuchOp").is_allowed
