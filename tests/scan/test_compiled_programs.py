"""A compiled program is let in where it computes alone, and refused where it calls out of itself or
cannot be read."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradflow.files.mlir_bytecode import MalformedError, operations
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.schema import message
from gradflow.findings import Format
from gradflow.scan.saved_model.compiled_program import OP, harm_of
from gradflow.scan.saved_model.scan import scan_message, scan_saved_model
from tests.models.jax import NAMES, unpacked

ALL = re.compile(".*")


def loaded(name: str, folder: Path) -> Any:
    saved = message("SavedModel")()
    saved.ParseFromString((unpacked(name, folder) / "saved_model.pb").read_bytes())
    return saved


def programs(saved: Any) -> Iterator[Any]:
    """Yield the nodes that hold a compiled program."""
    for function in saved.meta_graphs[0].graph_def.library.function:
        yield from (node for node in function.node_def if node.op == OP)


def changed(node: Any, before: bytes, after: bytes) -> str:
    assert len(before) == len(after)
    assert before in node.attr["module"].s
    node.attr["module"].s = node.attr["module"].s.replace(before, after)
    return harm_of(node)


@pytest.mark.parametrize("name", NAMES)
def test_an_export_of_jax_is_let_in(name: str, tmp_path: Path) -> None:
    folder = unpacked(name, tmp_path)
    assert scan_saved_model(ModelFile(folder, Format.SAVED_MODEL)).threats == ()


def test_a_program_is_read_to_its_last_operation(tmp_path: Path) -> None:
    node = next(programs(loaded("native", tmp_path)))
    names = [operation.name for operation in operations(node.attr["module"].s, ALL)]
    assert names[0] == "builtin.module"
    assert {"vhlo.dot_general_v2", "vhlo.tanh_v2", "vhlo.sort_v1", "vhlo.func_v1"} <= set(names)


def test_an_older_version_is_read_too(tmp_path: Path) -> None:
    """That of bytecode version 0, in which attributes stand in a dictionary."""
    data = (Path(__file__).parent / "data" / "jax_0_4_30.mlirbc").read_bytes()
    calls = [item for item in operations(data, ALL) if item.name == "vhlo.custom_call_v1"]
    assert [dict(item.named_texts)["call_target_name"] for item in calls] == ["lapack_spotrf"]
    node = message("NodeDef")(op=OP)
    node.attr["module"].s = data
    assert harm_of(node) == (
        "runs a compiled program that calls 'lapack_spotrf', which is outside of the program"
    )


def test_a_call_out_of_the_program_is_refused(tmp_path: Path) -> None:
    saved = loaded("native", tmp_path)
    node = next(item for item in programs(saved) if b"shape_assertion" in item.attr["module"].s)
    harm = changed(node, b"shape_assertion", b"python_callback")
    assert harm == (
        "runs a compiled program that calls 'python_callback', which is outside of the program"
    )
    (threat,) = scan_message(saved).threats
    assert (threat.name, threat.remedy, threat.harm) == (f"op {OP}", "--trust", harm)


@pytest.mark.parametrize("name", ["send_v1", "recv_v1", "late_v7"])
def test_an_operation_that_nobody_knows_is_refused(name: str, tmp_path: Path) -> None:
    node = next(programs(loaded("native", tmp_path)))
    harm = changed(node, b"tanh_v2", name.encode())
    assert harm.startswith(f"runs a compiled program with the operation {name[:4]!r}, which")


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    node = next(programs(loaded("native", tmp_path)))
    node.attr["module"].s = b"module { func.func @main() { return } }"
    assert harm_of(node) == "runs a compiled program that is not written in the way of StableHLO"
    node.attr["module"].placeholder = "later"
    assert harm_of(node) == "runs a compiled program that is not written in the way of StableHLO"


def test_a_damaged_program_is_refused_or_read_without_any_other_error(tmp_path: Path) -> None:
    data = next(programs(loaded("native", tmp_path))).attr["module"].s
    choose = random.Random(0)
    for end in range(0, len(data), 7):
        with pytest.raises(MalformedError):
            operations(data[:end], ALL)
    for _ in range(400):
        damaged = bytearray(data)
        damaged[choose.randrange(len(data))] = choose.randrange(256)
        try:
            operations(bytes(damaged), ALL)
        except MalformedError as error:
            assert str(error)
