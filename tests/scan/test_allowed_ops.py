"""Every op of the installed TensorFlow has been looked at, and the table says what the rules
say."""

from __future__ import annotations

import re

import pytest

from gradflow.scan.saved_model.allowed_ops import class_of, is_op
from tests.cli.command import ROOT

COMMAND = (
    "python -m gradflow.tables.op_safety > gradflow/scan/saved_model/op_classes.tsv "
    "(CONTRIBUTING.md says how)"
)


@pytest.mark.tensorflow
def test_the_table_has_every_op() -> None:
    """A new TensorFlow brings new ops: they are refused until the table knows them."""
    from gradflow.tables.op_safety import classes

    found = classes()

    assert [name for name in found if not is_op(name)] == [], (
        f"look at these ops, then run {COMMAND}"
    )
    assert [name for name, one in found.items() if class_of(name) != one] == [], f"run {COMMAND}"


@pytest.mark.tensorflow
def test_each_pattern_stands_for_an_op() -> None:
    """Else one is misspelled, and what it was meant for is allowed."""
    from gradflow.scan.saved_model.allowed_ops import parse
    from gradflow.tables.op_safety import ALLOWED, DENIED

    names = list(
        parse(
            (ROOT / "gradflow" / "scan" / "saved_model" / "op_classes.tsv").read_text(
                encoding="utf-8"
            )
        )
    )
    parts = [part for _, pattern in (*DENIED, *ALLOWED) for part in alternatives(pattern)]

    assert [part for part in parts if not any(re.fullmatch(part, name) for name in names)] == []


def alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between the bars that stand in no brackets."""
    depth, found = 0, [""]
    for letter in pattern:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            found.append("")
        else:
            found[-1] += letter
    return found


def test_what_is_known_to_do_harm_is_denied() -> None:
    harmful = (
        "WriteFile ReadFile SaveV2 RestoreV2 PrintV2 PyFunc EagerPyFunc PyFuncStateless "
        "ImmutableConst Abort Recv "
        "MatchingFiles DatasetFromGraph TensorSliceDataset DebugIdentityV2 DebugNumericSummary "
        "RpcCall LMDBReader "
        "RpcServerStart CreateSummaryFileWriter WriteScalarSummary DumpTensor LoadAndRemapMatrix "
        "RemoteCall _Recv "
        "GenerateVocabRemapping TFRecordReaderV2 InitializeTableFromTextFileV2 XlaCallModule "
        "XlaLaunch TPUExecute "
        "MlirPassthroughOp CollectiveReduceV2 FileSystemSetConfiguration QueueDequeueV2 "
        "FIFOQueueV2 _Send "
        "TfLiteSubgraphExecute TRTEngineOp"
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
        "SparseTensorDenseMatMul"
    )
    assert [op for op in harmless.split() if not class_of(op).is_allowed] == []


def test_an_unknown_op_is_denied() -> None:
    assert not class_of("NoSuchOp").is_allowed
