"""Parse the protobuf messages of a SavedModel that gradflow reads, with TensorFlow's field numbers.

Source: tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,op_def,tensor_shape,variable}.proto,
tensorflow/core/framework/graph_debug_info.proto,
tensorflow/core/protobuf/{struct,control_flow,saver,tensor_bundle}.proto, version 2.21, and
saved_metadata.proto of Keras 2.15. Field names equal TensorFlow's, so that the same code reads a
live ``graph.as_graph_def()``. Enums are declared as int32 (same wire format). What is not named
here is skipped by the parser; where only one of several fields can be there, all are named, since
the last one counts. The package name is our own: both schemas can live in one process.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from gradflow.files.native import native_parser

_PACKAGE = "gradflow.savedmodel"
_SCALARS = {
    "bytes": 12,
    "string": 9,
    "int32": 5,
    "int64": 3,
    "uint32": 13,
    "bool": 8,
    "double": 1,
    "float": 2,
    "fixed64": 6,
    "sint64": 18,
}

# message -> "field number type"; "*" repeats, "{K" is a map with keys of type K, "?" is one of a
# kind with the others.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "SavedModel": ("saved_model_schema_version 1 int64", "meta_graphs 2 *MetaGraphDef"),
    "MetaGraphDef": (
        "meta_info_def 1 MetaInfoDef",
        "graph_def 2 GraphDef",
        "saver_def 3 SaverDef",
        "collection_def 4 {string CollectionDef",
        "signature_def 5 {string SignatureDef",
        "asset_file_def 6 *AssetFileDef",
        "object_graph_def 7 SavedObjectGraph",
    ),
    "SaverDef": (
        "filename_tensor_name 1 string",
        "save_tensor_name 2 string",
        "restore_op_name 3 string",
    ),
    "AssetFileDef": ("tensor_info 1 TensorInfo", "filename 2 string"),
    "MetaInfoDef": ("stripped_op_list 2 OpList", "tags 4 *string", "tensorflow_version 5 string"),
    "CollectionDef": ("node_list 1 NodeList", "bytes_list 2 BytesList", "any_list 5 AnyList"),
    "AnyList": ("value 1 *Any",),
    "Any": ("type_url 1 string", "value 2 bytes"),
    "NodeList": ("value 1 *string",),
    "BytesList": ("value 1 *bytes",),
    "VariableDef": (
        "variable_name 1 string",
        "initializer_name 2 string",
        "snapshot_name 3 string",
        "save_slice_info_def 4 SaveSliceInfoDef",
        "initial_value_name 6 string",
    ),
    "SaveSliceInfoDef": ("full_name 1 string",),
    "WhileContextDef": ("back_prop 3 bool", "loop_exit_names 8 *string"),
    "OpList": ("op 1 *OpDef",),
    "SignatureDef": (
        "inputs 1 {string TensorInfo",
        "outputs 2 {string TensorInfo",
        "method_name 3 string",
    ),
    "TensorInfo": (
        "name 1 string",
        "dtype 2 int32",
        "tensor_shape 3 TensorShapeProto",
        "coo_sparse 4 CooSparse",
        "composite_tensor 5 CompositeTensor",
    ),
    "CooSparse": (
        "values_tensor_name 1 string",
        "indices_tensor_name 2 string",
        "dense_shape_tensor_name 3 string",
    ),
    "CompositeTensor": ("components 2 *TensorInfo",),
    "GraphDef": ("node 1 *NodeDef", "library 2 FunctionDefLibrary"),
    "FunctionDefLibrary": (
        "function 1 *FunctionDef",
        "gradient 2 *GradientDef",
        "registered_gradients 3 *RegisteredGradient",
    ),
    "GradientDef": ("function_name 1 string", "gradient_func 2 string"),
    "RegisteredGradient": ("gradient_func 1 string", "registered_op_type 2 string"),
    "FunctionDef": (
        "signature 1 OpDef",
        "node_def 3 *NodeDef",
        "ret 4 {string string",
        "arg_attr 7 {uint32 ArgAttrs",
    ),
    "ArgAttrs": ("attr 1 {string AttrValue",),
    "NodeDef": ("name 1 string", "op 2 string", "input 3 *string", "attr 5 {string AttrValue"),
    "AttrValue": (
        "list 1 ?ListValue",
        "s 2 ?bytes",
        "i 3 ?int64",
        "f 4 ?float",
        "b 5 ?bool",
        "type 6 ?int32",
        "shape 7 ?TensorShapeProto",
        "tensor 8 ?TensorProto",
        "placeholder 9 ?string",
        "func 10 ?NameAttrList",
    ),
    "ListValue": (
        "s 2 *bytes",
        "i 3 *int64",
        "type 6 *int32",
        "shape 7 *TensorShapeProto",
        "tensor 8 *TensorProto",
        "func 9 *NameAttrList",
    ),
    "TensorProto": (
        "dtype 1 int32",
        "tensor_shape 2 TensorShapeProto",
        "tensor_content 4 bytes",
        "float_val 5 *float",
        "double_val 6 *double",
        "int_val 7 *int32",
        "string_val 8 *bytes",
        "int64_val 10 *int64",
        "bool_val 11 *bool",
    ),
    "NameAttrList": ("name 1 string", "attr 2 {string AttrValue"),
    "OpDef": ("name 1 string", "input_arg 2 *ArgDef", "output_arg 3 *ArgDef", "attr 4 *AttrDef"),
    "ArgDef": (
        "name 1 string",
        "type 3 int32",
        "type_attr 4 string",
        "number_attr 5 string",
        "type_list_attr 6 string",
        "is_ref 16 bool",
    ),
    "AttrDef": ("name 1 string", "type 2 string", "default_value 3 AttrValue"),
    "TensorShapeProto": ("dim 2 *Dim", "unknown_rank 3 bool"),
    "Dim": ("size 1 int64",),
    "SavedObjectGraph": (
        "nodes 1 *SavedObject",
        "concrete_functions 2 {string SavedConcreteFunction",
    ),
    "SavedObject": (
        "children 1 *ObjectReference",
        "slot_variables 3 *SlotVariableReference",
        "user_object 4 ?SavedUserObject",
        "asset 5 ?SavedAsset",
        "function 6 ?SavedFunction",
        "variable 7 ?SavedVariable",
        "bare_concrete_function 8 ?SavedBareConcreteFunction",
        "constant 9 ?SavedConstant",
        "resource 10 ?SavedResource",
        "saveable_objects 11 {string SaveableObject",
        "captured_tensor 12 ?CapturedTensor",
    ),
    "SavedConstant": (),
    "SavedResource": (),
    "CapturedTensor": (),
    "SavedAsset": ("asset_file_def_index 1 int32",),
    "SaveableObject": ("save_function 2 int32", "restore_function 3 int32"),
    "ObjectReference": ("node_id 1 int32", "local_name 2 string"),
    "SlotVariableReference": ("original_variable_node_id 1 int32",),
    "SavedUserObject": ("identifier 1 string", "metadata 3 string"),
    "SavedFunction": ("concrete_functions 1 *string", "function_spec 2 FunctionSpec"),
    "FunctionSpec": ("fullargspec 1 StructuredValue", "is_method 2 bool"),
    "SavedBareConcreteFunction": ("concrete_function_name 1 string", "argument_keywords 2 *string"),
    "SavedConcreteFunction": (
        "bound_inputs 2 *int32",
        "canonicalized_input_signature 3 StructuredValue",
        "output_signature 4 StructuredValue",
    ),
    "StructuredValue": (
        "none_value 1 ?NoneValue",
        "float64_value 11 ?double",
        "int64_value 12 ?sint64",
        "string_value 13 ?string",
        "bool_value 14 ?bool",
        "tensor_spec_value 33 ?TensorSpecProto",
        "type_spec_value 34 ?TypeSpecProto",
        "bounded_tensor_spec_value 35 ?TensorSpecProto",
        "list_value 51 ?StructuredList",
        "tuple_value 52 ?StructuredList",
        "dict_value 53 ?StructuredDict",
        "named_tuple_value 54 ?StructuredPairs",
    ),
    "StructuredList": ("values 1 *StructuredValue",),
    "StructuredDict": ("fields 1 {string StructuredValue",),
    "StructuredPairs": ("values 2 *StructuredPair",),
    "StructuredPair": ("key 1 string", "value 2 StructuredValue"),
    "TensorSpecProto": ("name 1 string", "shape 2 TensorShapeProto", "dtype 3 int32"),
    "TypeSpecProto": ("type_spec_class_name 3 string", "num_flat_components 4 int32"),
    "NoneValue": (),
    "SavedMetadata": ("nodes 1 *LayerMetadata",),
    "LayerMetadata": ("node_id 2 int32", "metadata 5 string"),
    "GraphDebugInfo": (
        "files 1 *string",
        "traces 2 {string StackTrace",
        "frames_by_id 4 {fixed64 FileLineCol",
        "name_to_trace_id 5 {string fixed64",
        "traces_by_id 6 {fixed64 StackTrace",
    ),
    "StackTrace": ("file_line_cols 1 *FileLineCol", "frame_id 2 *fixed64"),
    "FileLineCol": ("file_index 1 int32", "line 2 int32"),
    "BundleHeader": ("num_shards 1 int32",),
    "BundleEntry": (
        "dtype 1 int32",
        "shape 2 TensorShapeProto",
        "shard_id 3 int32",
        "offset 4 int64",
        "size 5 int64",
        "slices 7 *TensorSlice",
    ),
    "TensorSlice": ("extent 1 *Extent",),
    "Extent": ("start 1 int64", "length 2 ?int64"),
    "SavedVariable": (
        "dtype 1 int32",
        "shape 2 TensorShapeProto",
        "trainable 3 bool",
        "name 6 string",
    ),
}


class DecodeError(ValueError):
    """Bytes that are not a message of the kind that was expected."""


def parse(name: str, data: bytes) -> Any:
    """Return the message ``name`` that ``data`` holds.

    Raises:
        DecodeError: ``data`` is no such message.
    """
    native_parser()
    from google.protobuf.message import DecodeError as ProtobufError

    parsed = message(name)()
    try:
        parsed.ParseFromString(data)
    # protobuf 4.22 to 7.36: its implementation in C raises the first; the one in Python the others
    # too, for broken text and for messages within messages without end.
    except (ProtobufError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"no {name}: {error}") from error
    return parsed


def attribute(node: Any, name: str) -> Any:
    """Return the attribute of a NodeDef; an empty one where it has none.

    ``node.attr[name]`` would add the empty one to the message, which others read too.
    """
    return node.attr[name] if name in node.attr else message("AttrValue")()


@cache
def message(name: str) -> Any:
    """Return the class of the message ``name``, for example ``SavedModel``."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(
        name="gradflow/savedmodel.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, declarations in _MESSAGES.items():
        kind = file.message_type.add(name=name)
        for declaration in declarations:
            _declare(kind, *declaration.split(" ", 2))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _declare(kind: Any, name: str, number: str, type_name: str) -> None:
    field = kind.field.add(name=name, number=int(number), label=1)
    if type_name.startswith("{"):
        key, value = type_name[1:].split(" ")
        entry = kind.nested_type.add(
            name="".join(part.capitalize() for part in name.split("_")) + "Entry"
        )
        entry.options.map_entry = True
        _declare(entry, "key", "1", key)
        _declare(entry, "value", "2", value)
        field.label, field.type, field.type_name = 3, 11, f".{_PACKAGE}.{kind.name}.{entry.name}"
        return
    if type_name.startswith("*"):
        field.label, type_name = 3, type_name[1:]
    elif type_name.startswith("?"):
        if not kind.oneof_decl:
            kind.oneof_decl.add(name="kind")
        field.oneof_index, type_name = 0, type_name[1:]
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type, field.type_name = 11, f".{_PACKAGE}.{type_name}"
