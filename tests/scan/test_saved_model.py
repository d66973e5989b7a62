"""An op that could do harm is found wherever it stands; a model of the usual kind holds nothing of
the sort."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gradflow.errors import UnreadableError
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.reader import read_message
from gradflow.files.saved_model.schema import message
from gradflow.findings import Format
from gradflow.ops.table import op_types
from gradflow.scan.saved_model.allowed_ops import class_of
from gradflow.scan.saved_model.checkpoint_entries import touches_files
from gradflow.scan.saved_model.scan import scan_message, scan_saved_model
from gradflow.scan.saved_model.sorted_table import masked_crc32c
from gradflow.scan.threat import Scanned
from tests.cli.command import ROOT, SAMPLES, environment
from tests.examples import examples

REAL = ROOT.parent / "shared" / "models"
FOLDERS = sorted(
    path.parent for path in [*SAMPLES.rglob("saved_model.pb"), *REAL.rglob("saved_model.pb")]
)
DENIED = sorted(op for op in op_types() if not class_of(op).is_allowed)
OF_A_SAVER = {
    "Save",
    "SaveSlices",
    "SaveV2",
    "MergeV2Checkpoints",
    "Restore",
    "RestoreSlice",
    "RestoreV2",
}
MODEL = SAMPLES / "two_towers_saved_model"


def loaded(folder: Path = MODEL) -> Any:
    saved = message("SavedModel")()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    return saved


def scanned(folder: Path) -> Scanned:
    return scan_saved_model(ModelFile(folder, Format.SAVED_MODEL))


def found(saved: Any) -> list[str]:
    return [threat.sentence for threat in scan_message(saved).threats]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_real_model_is_let_in(folder: Path) -> None:
    file = ModelFile(folder, Format.SAVED_MODEL)
    unread = read_message(file).SerializeToString(deterministic=True)

    assert scan_saved_model(file).threats == ()
    # The static reading goes on from what the scan has looked at.
    assert read_message(file).SerializeToString(deterministic=True) == unread


@pytest.mark.skipif(not REAL.is_dir(), reason="the real models are not beside this checkout")
def test_there_are_real_models() -> None:
    assert len(FOLDERS) > 20


def test_it_takes_no_tensorflow() -> None:
    code = (
        "import sys; from gradflow.files.recognise import recognise\n"
        "from gradflow.scan.saved_model.scan import scan_saved_model\n"
        f"scan_saved_model(recognise({str(MODEL)!r}))\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'h5py'} & set(sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=environment(), check=False, timeout=60
        ).returncode
        == 0
    )


def in_the_graph(graph: Any, draw: random.Random) -> Any:
    return graph.graph_def.node.add()


def in_a_function(graph: Any, draw: random.Random) -> Any:
    return draw.choice(graph.graph_def.library.function).node_def.add()


def in_a_function_that_nobody_calls(graph: Any, draw: random.Random) -> Any:
    function = graph.graph_def.library.function.add()
    function.signature.name = "nobody"
    return function.node_def.add()


def in_a_function_two_calls_deep(graph: Any, draw: random.Random) -> Any:
    caller = draw.choice(graph.graph_def.library.function)
    inner, outer = graph.graph_def.library.function.add(), graph.graph_def.library.function.add()
    inner.signature.name, outer.signature.name = "inner", "outer"
    call = outer.node_def.add(name="call", op="If")
    call.attr["then_branch"].func.name = "inner"
    call = caller.node_def.add(name="call", op="Case")
    call.attr["branches"].list.func.add(name="outer")
    return inner.node_def.add()


def in_a_gradient(graph: Any, draw: random.Random) -> Any:
    graph.graph_def.library.registered_gradients.add(
        gradient_func="backwards", registered_op_type="CustomGradient-1"
    )
    function = graph.graph_def.library.function.add()
    function.signature.name = "backwards"
    return function.node_def.add()


def in_a_second_graph(graph: Any, draw: random.Random) -> Any:
    return graph.graph_def.node.add()


PLACES: list[Callable[[Any, random.Random], Any]] = [
    in_the_graph,
    in_a_function,
    in_a_function_that_nobody_calls,
    in_a_function_two_calls_deep,
    in_a_gradient,
    in_a_second_graph,
]


@pytest.mark.parametrize("plant", PLACES)
@pytest.mark.parametrize("seed", range(examples(15)))
def test_a_denied_op_is_found_and_named(
    plant: Callable[[Any, random.Random], Any], seed: int
) -> None:
    draw = random.Random(f"{plant.__name__} {seed}")
    saved = loaded(draw.choice([one for one in FOLDERS if SAMPLES in one.parents]))
    graph = saved.meta_graphs.add() if plant is in_a_second_graph else saved.meta_graphs[0]
    op = draw.choice([one for one in DENIED if one not in OF_A_SAVER])
    node = plant(graph, draw)
    node.name, node.op = "planted/here", op
    if op in ("EncodeProto", "DecodeProtoV2"):
        node.attr["descriptor_source"].s = b"/etc/descriptors"
    if op == "PrintV2":
        node.attr["output_stream"].s = b"file:///elsewhere/mark"
    if op == "FixedUnigramCandidateSampler":
        node.attr["vocab_file"].s = b"/etc/words"
    hits = found(saved)

    assert len(hits) == 1
    assert hits[0].startswith(f"op {op} (node 'planted/here'")
    assert hits[0].endswith(class_of(op).reason)


def test_an_op_that_nobody_knows_is_denied() -> None:
    saved = loaded()
    saved.meta_graphs[0].graph_def.node.add(name="new", op="BrandNewOp")

    assert "op BrandNewOp (node 'new' of the graph): is not known" in found(saved)[0]


def test_a_cache_of_a_pipeline_is_let_in_without_a_file() -> None:
    good, bad = loaded(), loaded()
    for saved, path in ((good, b""), (bad, b"/elsewhere/mark")):
        name = node(saved, "Const", "path").attr["value"].tensor
        name.string_val.append(path)
        node(saved, "CacheDatasetV2", "cache").input.extend(["data", "path:0", "memory"])

    assert found(good) == []
    assert found(bad)[0].startswith("op CacheDatasetV2 (node 'cache'")


def node(saved: Any, op: str, name: str = "node", **attributes: bytes) -> Any:
    made = saved.meta_graphs[0].graph_def.node.add(name=name, op=op)
    for key, value in attributes.items():
        made.attr[key].s = value
    return made


@pytest.mark.parametrize(
    ("op", "attribute", "harmless", "harmful"),
    [
        ("PrintV2", "output_stream", b"stderr", b"file:///elsewhere/x"),
        ("PrintV2", "output_stream", b"log(info)", b"stderr2"),
        ("DecodeProtoV2", "descriptor_source", b"", b"/etc/x"),
        ("EncodeProto", "descriptor_source", b"local://", b"x"),
        ("FixedUnigramCandidateSampler", "vocab_file", b"", b"/etc/passwd"),
    ],
)
def test_where_an_attribute_decides(
    op: str, attribute: str, harmless: bytes, harmful: bytes
) -> None:
    good, bad = loaded(), loaded()
    node(good, op, **{attribute: harmless})
    node(bad, op, **{attribute: harmful})

    assert found(good) == []
    assert [one.startswith(f"op {op} ") for one in found(bad)] == [True]


@pytest.mark.parametrize(
    "op", ["PrintV2", "DecodeProtoV2", "EncodeProto", "FixedUnigramCandidateSampler"]
)
def test_what_the_caller_decides_is_not_known(op: str) -> None:
    """The place of the value is filled where the function is called."""
    saved = loaded()
    made = node(saved, op)
    for attribute in ("output_stream", "descriptor_source", "vocab_file"):
        made.attr[attribute].s = b""
        made.attr[attribute].placeholder = "given"

    assert [one.startswith(f"op {op} ") for one in found(saved)] == [True]


def test_of_two_values_of_an_attribute_the_last_counts() -> None:
    """So it is for TensorFlow: what is looked at is what runs."""
    saved = loaded()
    value = message("AttrValue")
    first, last = value(), value()
    first.tensor.tensor_shape.dim.add(size=0)
    last.tensor.tensor_shape.dim.add(size=1 << 40)
    between = value(s=b"x")
    data = first.SerializeToString() + between.SerializeToString() + last.SerializeToString()
    node(saved, "Const").attr["value"].ParseFromString(data)

    assert "takes all memory" in found(saved)[0]


class TestSaver:
    """What writes and reads checkpoints belongs to the saver, and nobody else may come to it."""

    def test_a_signature_may_not_write(self) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        assert found(saved) == []  # nothing runs it
        saved.meta_graphs[0].signature_def["save"].outputs["done"].name = "write:0"

        assert found(saved)[0].startswith("op SaveV2 (node 'write' of the graph): writes files")

    @pytest.mark.parametrize("part", ["values", "indices", "dense_shape"])
    def test_nor_may_an_output_that_is_sparse(self, part: str) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        node(saved, "Identity", "later").input.append("^write")
        output = saved.meta_graphs[0].signature_def["save"].outputs["done"]
        setattr(output.coo_sparse, f"{part}_tensor_name", "later:0")

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    def test_nor_may_an_op_that_is_looked_at_wherever_it_stands(self) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        node(saved, "Merge", "later").input.append("^write")

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    @pytest.mark.parametrize("way", ["signature", "start", "restoring", "restorer", "sparse"])
    def test_nor_may_any_of_them_come_to_the_function_that_saves(self, way: str) -> None:
        saved = loaded()
        graph = saved.meta_graphs[0]
        end = graph.saver_def.save_tensor_name
        if way == "signature":
            graph.signature_def["save"].outputs["done"].name = end
        elif way == "sparse":
            graph.signature_def["save"].outputs["done"].coo_sparse.values_tensor_name = end
        elif way == "start":
            node(saved, "NoOp", "start").input.append("^" + end.partition(":")[0])
            graph.collection_def["saved_model_main_op"].node_list.value.append("start")
        elif way == "restoring":
            restore = next(
                one for one in graph.graph_def.node if one.name == graph.saver_def.restore_op_name
            )
            restore.input.append("^" + end.partition(":")[0])
        else:
            graph.saver_def.restore_op_name = end.partition(":")[0]

        assert {one.split()[1] for one in found(saved)} >= {"SaveV2", "MergeV2Checkpoints"}

    def test_nor_may_it_restore_from_elsewhere(self) -> None:
        saved = loaded()
        graph = saved.meta_graphs[0]
        node(saved, "Const", "elsewhere")
        restore = next(
            one for one in graph.graph_def.node if one.name == graph.saver_def.restore_op_name
        )
        restore.input[0] = "elsewhere:0"

        assert {one.split()[1] for one in found(saved)} == {"RestoreV2"}

    def test_what_reads_nothing_is_refused(self) -> None:
        saved = loaded()
        for function in saved.meta_graphs[0].graph_def.library.function:
            for one in function.node_def:
                if one.op == "RestoreV2":
                    del one.input[:]

        assert {one.split()[1] for one in found(saved)} == {"RestoreV2"}

    def test_nor_may_what_is_run_at_the_start(self) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        node(saved, "NoOp", "start").input.append("^write")
        saved.meta_graphs[0].collection_def["saved_model_main_op"].node_list.value.append("start")

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    def test_nor_may_the_restoring(self) -> None:
        saved = loaded()
        restore = saved.meta_graphs[0].saver_def.restore_op_name.partition(":")[0]
        node(saved, "SaveV2", "write")
        next(
            one for one in saved.meta_graphs[0].graph_def.node if one.name == restore
        ).input.append("^write")

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    def test_another_function_may_not_call_the_savers(self) -> None:
        saved = loaded()
        graph = saved.meta_graphs[0]
        saver = next(
            one for one in graph.graph_def.library.function if "traced_save" in one.signature.name
        )
        entry = next(
            one for one in graph.graph_def.library.function if "traced_" not in one.signature.name
        )
        entry.node_def.add(name="call", op="StatefulPartitionedCall").attr[
            "f"
        ].func.name = saver.signature.name

        assert {one.split()[1] for one in found(saved)} == {"SaveV2", "MergeV2Checkpoints"}

    @pytest.mark.parametrize(
        "op", ["VariableV2", "Merge", "VarHandleOp", "MatMul", "PartitionedCall"]
    )
    def test_nor_may_what_computes_wait_for_it(self, op: str) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        node(saved, "Identity", "between").input.append("^write")
        node(saved, op, "after").input.append("between")

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    @pytest.mark.parametrize("field", ["initializer_name", "snapshot_name", "initial_value_name"])
    def test_nor_may_a_variable_of_a_collection(self, field: str) -> None:
        saved = loaded()
        node(saved, "SaveV2", "write")
        variable = message("VariableDef")(**{field: "write"})
        saved.meta_graphs[0].collection_def["local_variables"].bytes_list.value.append(
            variable.SerializeToString()
        )

        assert found(saved)[0].startswith("op SaveV2 (node 'write'")

    def test_restoring_reads_the_models_own_variables(self) -> None:
        saved = loaded()
        for function in saved.meta_graphs[0].graph_def.library.function:
            for one in function.node_def:
                if one.op == "RestoreV2":
                    one.input[0] = "elsewhere:output:0"

        assert {one.split()[1] for one in found(saved)} == {"RestoreV2"}


def saving(saved: Any, name: str = "keep") -> Any:
    """Add a function that writes a checkpoint to the path that it takes, and an object that holds
    it; return the function."""
    graph = saved.meta_graphs[0]
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="path", type=7)
    write = function.node_def.add(name="write", op="SaveV2")
    write.input.append("path")
    objects = graph.object_graph_def
    objects.nodes[0].children.add(node_id=len(objects.nodes), local_name=name)
    objects.nodes.add().function.concrete_functions.append(name)
    objects.concrete_functions[name].canonicalized_input_signature.SetInParent()
    return function


class TestChosen:
    """What the caller of an entry asks for is let in, and nobody else may come to it."""

    def test_a_function_with_the_path_as_its_input(self) -> None:
        saved = loaded()
        saving(saved)
        assert found(saved) == []

    def test_a_signature_beside_objects_that_are_no_functions(self) -> None:
        """As those of an optimizer: ``_variables``, ``_iterations``."""
        saved = loaded()
        saving(saved)
        objects = saved.meta_graphs[0].object_graph_def
        objects.nodes.add().user_object.identifier = "_generic_user_object"
        objects.nodes[1].children.add(node_id=len(objects.nodes) - 1, local_name="_variables")
        node(saved, "Placeholder", "path")
        call = node(saved, "StatefulPartitionedCall", "call")
        call.attr["f"].func.name = "keep"
        call.input.append("path")
        assert found(saved) == []

    def test_a_saver_that_nothing_calls(self) -> None:
        saved = loaded()
        library = saved.meta_graphs[0].graph_def.library
        for number, op in enumerate(("SaveV2", "MergeV2Checkpoints", "RestoreV2")):
            function = library.function.add()
            function.signature.name = f"__inference__traced_left_{number}_of_an_inner_model"
            inner = function.node_def.add(name="left", op=op)
            inner.input.append("anywhere:output:0")
        assert found(saved) == []
        # Any place that names one of them could call it.
        call = node(saved, "NoOp", "later")
        call.attr["note"].s = b"see __inference__traced_left_0_of_an_inner_model"
        assert [one.split()[1] for one in found(saved)] == ["SaveV2"]

    def test_not_a_path_of_the_file(self) -> None:
        saved = loaded()
        function = saving(saved)
        function.node_def.add(name="fixed", op="Const")
        function.node_def[0].input[0] = "fixed:output:0"
        assert found(saved)[0].startswith("op SaveV2 (node 'write' of function 'keep'")

    def test_not_a_path_that_is_bound(self) -> None:
        saved = loaded()
        saving(saved)
        saved.meta_graphs[0].object_graph_def.concrete_functions["keep"].bound_inputs.append(1)
        assert found(saved)[0].startswith("op SaveV2")

    def test_not_an_op_that_runs_while_the_library_is_built(self) -> None:
        saved = loaded()
        saving(saved).node_def[0].op = "ReadFile"
        assert found(saved)[0].startswith("op ReadFile")

    @pytest.mark.parametrize("path", ["path", "fixed"])
    def test_not_what_another_function_calls_with_its_own(self, path: str) -> None:
        saved = loaded()
        saving(saved)
        caller = saving(saved, "caller")
        caller.node_def[0].op = "StatefulPartitionedCall"
        caller.node_def[0].attr["f"].func.name = "keep"
        caller.node_def.add(name="fixed", op="Const")
        caller.node_def[0].input[0] = path
        assert (found(saved) == []) is (path == "path")

    @pytest.mark.parametrize(
        "way", ["_initialize", "_destroy_resource", "saveable", "gradient", "start", "branch"]
    )
    def test_not_what_runs_unasked(self, way: str) -> None:
        saved = loaded()
        saving(saved)
        graph = saved.meta_graphs[0]
        objects, library = graph.object_graph_def, graph.graph_def.library
        number = len(objects.nodes) - 1
        if way.startswith("_"):
            objects.nodes[1].children.add(node_id=number, local_name=way)
        elif way == "saveable":
            objects.nodes[1].saveable_objects["x"].restore_function = number
        elif way == "gradient":
            library.registered_gradients.add(gradient_func="keep", registered_op_type="C-1")
        elif way == "start":
            call = node(saved, "StatefulPartitionedCall", "start")
            call.attr["f"].func.name = "keep"
            node(saved, "Placeholder", "given")
            call.input.append("given")
            graph.collection_def["saved_model_main_op"].node_list.value.append("start")
        else:
            call = library.function[0].node_def.add(name="call", op="If")
            call.attr["then_branch"].func.name = "keep"
        assert found(saved)[0].startswith("op SaveV2 (node 'write' of function 'keep'")

    def test_not_where_the_graph_is_loaded_as_one(self) -> None:
        saved = loaded()
        saving(saved)
        saved.meta_graphs.add()
        assert found(saved)[0].startswith("op SaveV2")

    def test_an_entry_that_comes_to_it_is_told(self) -> None:
        graph = (saved := loaded()).meta_graphs[0]
        saving(saved)
        entry = graph.graph_def.library.function.add()
        entry.signature.name = "entry"
        assert not touches_files(graph, "entry")
        entry.node_def.add(name="call", op="keep")
        assert touches_files(graph, "entry")


class TestTables:
    """A table of words is filled from an asset of the model, and from no other file."""

    @staticmethod
    def filled() -> tuple[Any, Any]:
        saved = loaded()
        graph = saved.meta_graphs[0]
        graph.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
        place = graph.object_graph_def.nodes.add()
        place.asset.asset_file_def_index = 0
        function = graph.graph_def.library.function.add()
        function.signature.name = "fill"
        function.signature.input_arg.add(name="path", type=7)
        function.node_def.add(name="same", op="Identity", input=["path"])
        function.node_def.add(
            name="fill", op="InitializeTableFromTextFileV2", input=["table", "same:output:0"]
        )
        bound = graph.object_graph_def.concrete_functions["fill"].bound_inputs
        bound.append(len(graph.object_graph_def.nodes) - 1)
        return saved, function

    def test_from_an_asset(self) -> None:
        assert found(self.filled()[0]) == []

    def test_from_a_constant(self) -> None:
        saved, function = self.filled()
        function.node_def[0].op = "Const"
        del function.node_def[0].input[:]

        assert found(saved) == [
            "op InitializeTableFromTextFileV2 (node 'fill' of function 'fill'): reads any file of "
            "this machine"
        ]

    def test_from_what_nobody_binds(self) -> None:
        """Where variables are restored, the function is given what stands in their files."""
        saved, _ = self.filled()
        del saved.meta_graphs[0].object_graph_def.concrete_functions["fill"].bound_inputs[:]

        assert len(found(saved)) == 1

    def test_from_an_object_that_says_it_is_two_things(self) -> None:
        """The last of them is what TensorFlow takes it for."""
        saved, _ = self.filled()
        place = saved.meta_graphs[0].object_graph_def.nodes[-1]
        place.ParseFromString(place.SerializeToString() + b"\x4a\x00")  # and a SavedConstant
        assert not place.HasField("asset")

        assert len(found(saved)) == 1

    @staticmethod
    def filled_by_the_graph() -> Any:
        """TensorFlow 1: the asset is a constant, which TensorFlow replaces when it runs what comes
        first."""
        saved = loaded()
        graph = saved.meta_graphs[0]
        graph.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
        node(saved, "Const", "path")
        node(saved, "VarHandleOp", "held", shared_name=b"held")
        node(saved, "AssignVariableOp", "assign").input.extend(["held", "path"])
        node(saved, "ReadVariableOp", "read").input.append("held")
        node(saved, "InitializeTableFromTextFileV2", "fill").input.extend(["table", "read"])
        node(saved, "NoOp", "start").input.extend(["^fill", "^assign"])
        graph.collection_def["saved_model_main_op"].node_list.value.append("start")
        return saved

    def test_from_an_asset_that_a_variable_holds(self) -> None:
        assert found(self.filled_by_the_graph()) == []

    def test_from_an_asset_of_tensorflow_1(self) -> None:
        saved = self.filled_by_the_graph()
        graph = saved.meta_graphs[0]
        asset = graph.asset_file_def.pop()
        assert len(found(saved)) == 1
        listed = graph.collection_def["saved_model_assets"].any_list
        listed.value.add(value=asset.SerializeToString())
        assert found(saved) == []
        asset.filename = "../words.txt"
        listed.value.add(value=asset.SerializeToString())
        assert [one.startswith("asset '../words.txt'") for one in found(saved)] == [True]
        graph.asset_file_def.add(filename="other.txt").tensor_info.name = "other:0"
        assert [one.startswith("op InitializeTableFromTextFileV2") for one in found(saved)] == [
            True
        ]

    @pytest.mark.parametrize("name", ["held", "held:0", "same"])
    def test_from_a_variable_that_is_given_something_else(self, name: str) -> None:
        saved = self.filled_by_the_graph()
        node(saved, "VarHandleOp", "same", shared_name=b"held")
        node(saved, "Const", "elsewhere")
        node(saved, "AssignVariableOp", "again").input.extend([name, "elsewhere"])

        assert len(found(saved)) == 1

    def test_from_a_variable_that_something_else_may_write_to(self) -> None:
        saved = self.filled_by_the_graph()
        node(saved, "StatefulPartitionedCall", "call").input.append("held")

        assert len(found(saved)) == 1

    @pytest.mark.parametrize("name", [{"s": b"held"}, {"placeholder": "given"}])
    def test_from_a_variable_that_a_function_has_too(self, name: dict[str, Any]) -> None:
        saved = self.filled_by_the_graph()
        function = saved.meta_graphs[0].graph_def.library.function.add()
        function.signature.name = "writes"
        function.node_def.add(name="same", op="VarHandleOp").attr["shared_name"].MergeFrom(
            message("AttrValue")(**name)
        )

        assert len(found(saved)) == 1

    @pytest.mark.parametrize("end", ["fill", "assign"])
    def test_from_the_constant_where_nothing_replaces_it(self, end: str) -> None:
        saved = self.filled_by_the_graph()
        saved.meta_graphs[0].signature_def["fill"].outputs["done"].name = end

        assert len(found(saved)) == 1

    def test_from_something_else_that_is_bound(self) -> None:
        saved, _ = self.filled()
        saved.meta_graphs[0].object_graph_def.concrete_functions["fill"].bound_inputs[0] = 0

        assert len(found(saved)) == 1

    def test_from_what_another_caller_gives(self) -> None:
        saved, _ = self.filled()
        call = node(saved, "StatefulPartitionedCall")
        call.attr["f"].func.name = "fill"
        call.input.append("word")
        node(saved, "Const", "word")

        assert len(found(saved)) == 1

    def test_from_what_a_branch_gives(self) -> None:
        saved, _ = self.filled()
        node(saved, "If").attr["then_branch"].func.name = "fill"

        assert len(found(saved)) == 1

    @pytest.mark.parametrize("depth", [3, 5000])
    def test_at_the_end_of_a_long_way(self, depth: int) -> None:
        saved, function = self.filled()
        for number in range(depth):
            function.node_def.add(
                name=f"n{number}", op="Identity", input=[f"n{number - 1}" if number else "path"]
            )
        function.node_def[1].input[1] = f"n{depth - 1}"

        assert len(found(saved)) == (depth > 100)

    @pytest.mark.parametrize(
        "name", ["../words.txt", "/etc/passwd", "a/../../b", "", "C:\\words", "..\\words"]
    )
    def test_an_asset_lies_in_the_folder(self, name: str) -> None:
        saved, _ = self.filled()
        saved.meta_graphs[0].asset_file_def[0].filename = name

        assert [one.startswith("asset ") for one in found(saved)] == [True]


class TestStructure:
    def test_a_function_may_not_hide_an_op(self) -> None:
        saved = loaded()
        saved.meta_graphs[0].graph_def.library.function.add().signature.name = "WriteFile"

        assert found(saved) == [
            "function 'WriteFile' (the function library): has the name of an op, and hides it"
        ]

    def test_a_name_stands_once(self) -> None:
        saved = loaded()
        for _ in range(2):
            saved.meta_graphs[0].graph_def.library.function.add().signature.name = "twice"

        assert "is there twice" in found(saved)[0]

    @pytest.mark.parametrize("depth", [100, 2000, 30000])
    def test_nesting_has_an_end(self, depth: int) -> None:
        saved = loaded()
        for number in range(depth):
            function = saved.meta_graphs[0].graph_def.library.function.add()
            function.signature.name = f"f{number}"
            if number:
                function.node_def.add(name="call", op="PartitionedCall").attr[
                    "f"
                ].func.name = f"f{number - 1}"

        assert [
            f"{depth:,} functions, each of which calls the next" in one for one in found(saved)
        ] == [True] * (depth > 200)

    def test_a_circle_is_found(self) -> None:
        saved = loaded()
        for name, other in (("a", "b"), ("b", "a")):
            function = saved.meta_graphs[0].graph_def.library.function.add()
            function.signature.name = name
            function.node_def.add(name="call", op="PartitionedCall").attr["f"].func.name = other

        assert any("calls itself, without end" in one for one in found(saved))

    def test_a_constant_fits_in_memory(self) -> None:
        saved = loaded()
        tensor = node(saved, "Const").attr["value"].tensor
        for size in (1 << 20, 1 << 20):
            tensor.tensor_shape.dim.add(size=size)
        tensor.float_val.append(1.0)

        assert "takes all memory" in found(saved)[0]

    @pytest.mark.parametrize("dtype", [20, 21])
    def test_a_handle_is_not_made_by_hand(self, dtype: int) -> None:
        saved = loaded()
        node(saved, "PartitionedCall").attr["x"].list.func.add(name="f").attr[
            "y"
        ].tensor.dtype = dtype

        assert "points into the memory" in found(saved)[0]


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for path in MODEL.rglob("*"):
            if path.is_file():
                place = tmp_path / path.relative_to(MODEL)
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(path.read_bytes())
        return tmp_path

    @pytest.mark.skipif(os.name != "posix", reason="links and pipes")
    @pytest.mark.parametrize("kind", ["link", "pipe"])
    def test_only_files_and_folders(self, kind: str, folder: Path) -> None:
        (folder / "assets").mkdir(exist_ok=True)
        place = folder / "assets" / "words.txt"
        place.symlink_to("/etc/passwd") if kind == "link" else os.mkfifo(place)

        assert [threat.name for threat in scanned(folder).threats] == [f"{kind} 'assets/words.txt'"]

    def test_the_index_of_the_variables_cut_short(self, folder: Path) -> None:
        index = folder / "variables" / "variables.index"
        whole = index.read_bytes()
        for size in range(0, len(whole), 17):
            index.write_bytes(whole[:size])
            with pytest.raises(UnreadableError, match=r"variables\.index is damaged"):
                scanned(folder)

    @pytest.mark.parametrize("dim", [-1, -(1 << 62), 1 << 62])
    def test_a_variable_that_nothing_holds(self, dim: int, folder: Path) -> None:
        self.altered(folder, shape=[dim, 8])

        assert "can end TensorFlow's process" in scanned(folder).threats[0].sentence

    @pytest.mark.parametrize(
        ("dtype", "shape", "size", "what"),
        [
            (1, [2, 2], 16, ""),
            (1, [2, 2], 8, "has the shape [2, 2], and 8 bytes for it"),
            (7, [3], 20, ""),
            (7, [(1 << 31) - 1], 20, "has the shape [2147483647], and 20 bytes for it"),
            (20, [2, 2], 16, "has the data type 20"),
            (21, [], 1, "has the data type 21"),
            (99, [], 1, "has the data type 99"),
            (1, [1] * 255, 4, "has the shape [1, 1, 1, 1, 1, 1, 1, 1], which no variable has"),
        ],
    )
    def test_the_bytes_of_a_variable_are_those_of_its_shape(
        self, dtype: int, shape: list[int], size: int, what: str, folder: Path
    ) -> None:
        self.altered(folder, dtype=dtype, shape=shape, size=size)
        hits = [one.sentence for one in scanned(folder).threats]

        assert [
            f"variable 'dense/kernel' (variables/variables.index): {what}" in one for one in hits
        ] == [True] * bool(what)

    @pytest.mark.parametrize(
        ("parts", "is_whole"),
        [
            ([[(0, 1), (0, None)], [(1, 1), (0, None)]], True),
            ([[(0, None), (0, None)]], True),
            ([[], []], False),
            ([[(0, 2), (0, 2)], [(0, 2), (0, 2)]], False),
            ([[(7, None), (0, 255)]], False),
            ([[(0, 1), (0, None)]], False),
            ([[(-1, 1), (0, 2)], [(1, 1), (0, 2)]], False),
            ([[(0, 1)], [(1, 1)]], False),
        ],
    )
    def test_the_parts_of_a_variable_are_all_of_it(
        self, parts: list[list[tuple[int, int | None]]], is_whole: bool, folder: Path
    ) -> None:
        entry = message("BundleEntry")(dtype=1)
        for size in (2, 2):
            entry.shape.dim.add(size=size)
        for part in parts:
            made = entry.slices.add()
            for start, length in part:
                made.extent.add(start=start, **({} if length is None else {"length": length}))
        write_index(folder, [(b"", header()), (b"dense/kernel", entry.SerializeToString())])

        assert (scanned(folder).threats == ()) == is_whole

    @pytest.mark.parametrize("shards", [0, -1, 1 << 30])
    def test_the_files_of_values_can_be_counted(self, shards: int, folder: Path) -> None:
        write_index(folder, [(b"", header(shards))])

        assert "files of values" in scanned(folder).threats[0].harm

    def test_a_variable_is_in_one_of_the_files(self, folder: Path) -> None:
        self.altered(folder, shard_id=1)

        assert "lies in no file of values" in scanned(folder).threats[0].harm

    def test_a_file_of_values_cut_short(self, folder: Path) -> None:
        self.altered(folder, offset=1 << 30)
        with pytest.raises(UnreadableError, match=r"variables\.data-00000-of-00001 is cut short"):
            scanned(folder)

    def test_the_variables_are_in_order(self, folder: Path) -> None:
        """With a name that is there twice, TensorFlow 2.21 ends its process."""
        write_index(folder, [(b"", header()), (b"a", b""), (b"a", b"")])
        with pytest.raises(UnreadableError, match=r"variables\.index is damaged"):
            scanned(folder)

    def test_each_byte_of_the_index_counts(self, folder: Path) -> None:
        index = folder / "variables" / "variables.index"
        whole = index.read_bytes()
        for place in range(0, len(whole) - 48, 31):
            index.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(UnreadableError, match=r"variables\.index is damaged"):
                scanned(folder)

    def test_variables_of_the_oldest_form(self, folder: Path) -> None:
        (folder / "variables" / "variables.index").rename(folder / "variables" / "variables")

        assert [threat.name for threat in scanned(folder).threats] == ["file 'variables/variables'"]

    @staticmethod
    def altered(folder: Path, *, shape: Sequence[int] = (), **fields: int) -> None:
        """Write an index of one variable."""
        entry = message("BundleEntry")(**{"dtype": 1, "size": 4, **fields})
        for size in shape:
            entry.shape.dim.add(size=size)
        write_index(folder, [(b"", header()), (b"dense/kernel", entry.SerializeToString())])


def header(shards: int = 1) -> bytes:
    return bytes(message("BundleHeader")(num_shards=shards).SerializeToString())


def write_index(folder: Path, entries: list[tuple[bytes, bytes]]) -> None:
    """A table of one block, and a block that says where it is."""
    values, nothing = block(entries), block([])
    index = block([(b"e", number(0) + number(len(values) - 5))])
    places = (
        number(len(values))
        + number(len(nothing) - 5)
        + number(len(values) + len(nothing))
        + number(len(index) - 5)
    )
    footer = places.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")
    (folder / "variables" / "variables.index").write_bytes(values + nothing + index + footer)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        number(0) + number(len(key)) + number(len(value)) + key + value for key, value in entries
    )
    body += (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"\0"
    return body + masked_crc32c(body).to_bytes(4, "little")


def number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@pytest.mark.parametrize("kind", [20, 21, 120, 121])
def test_an_op_that_makes_handles_of_bytes_is_refused(kind: int) -> None:
    """TensorFlow follows such a handle into its own memory: SIGSEGV, or worse."""
    for op, is_list in (("ParseTensor", False), ("DecodeProtoV2", True)):
        saved = loaded()
        node = saved.meta_graphs[0].graph_def.node.add(name="made", op=op)
        assert not [threat for threat in found(saved) if "handles" in threat]
        if is_list:
            node.attr["output_types"].list.type.append(kind)
        else:
            node.attr["out_type"].type = kind

        assert any(
            threat.startswith("attribute 'out") and "makes handles of bytes" in threat
            for threat in found(saved)
        )
