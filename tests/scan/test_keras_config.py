"""A class, a function or a path that could do harm is found wherever it stands in the JSON of a
Keras model."""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.files.saved_model.schema import message
from gradflow.scan.keras.allowed_names import Kind, named, parse
from gradflow.scan.keras.config import strange_objects
from tests.cli.command import ROOT
from tests.examples import examples
from tests.scan.keras_files import FILES, REAL, config_of, dense

TABLE = parse(
    (ROOT / "gradflow" / "scan" / "keras" / "keras_classes.tsv").read_text(encoding="utf-8")
)
DENIED = [
    name for (kind, name), found in TABLE.items() if kind is Kind.CLASS and not found.is_allowed
]
ALLOWED = [name for (kind, name), found in TABLE.items() if kind is Kind.CLASS and found.is_allowed]
STANDARD = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))


def found(config: object, *imports: str) -> list[str]:
    return [threat.sentence for threat in strange_objects(config, "config.json", imports)]


def a_class(name: str, module: str | None = None, /, **config: object) -> dict[str, Any]:
    return {"class_name": name, "module": module, "config": config, "registered_name": None}


def a_function(name: str, module: str | None = None) -> dict[str, Any]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_usual_model_holds_nothing_of_the_sort(path: Any) -> None:
    assert found(config_of(path)) == []


def test_there_are_usual_models() -> None:
    assert len(FILES) > (25 if REAL.is_dir() else 3)


def forbidden(draw: random.Random) -> tuple[Any, str]:
    """Something that could do harm, and words that name it."""
    denied, standard = draw.choice(DENIED), draw.choice(STANDARD)
    return draw.choice(
        [
            (a_class(denied, "keras.layers"), f"class {denied} of keras.layers ("),
            (a_class("TFSMLayer", filepath="/elsewhere/x"), "class TFSMLayer ("),
            (
                a_class(f"custom>{denied}", "keras.layers"),
                f"class custom>{denied} of keras.layers (",
            ),
            (a_class("BrandNewLayer", "keras.layers"), "class BrandNewLayer of keras.layers ("),
            (a_class("Popen", standard), f"class Popen of {standard} ("),
            (a_function("system", standard), f"function system of {standard} ("),
            (a_function("eval", "builtins"), "function eval of builtins ("),
            (a_function("os.system"), "function os.system ("),
            (
                a_function("print_v2", "tensorflow.python.ops.logging_ops"),
                "function print_v2 of tensorflow.python.",
            ),
            (a_function("save", "numpy"), "function save of numpy ("),
            (a_function(denied, "keras.layers"), f"function {denied} of keras.layers ("),
            (a_function("get_file", "keras.utils"), "function get_file of keras.utils ("),
            (
                a_function("load_data", "keras.datasets.mnist"),
                "function load_data of keras.datasets.mnist (",
            ),
            (
                {"class_name": "__lambda__", "config": {"code": "4wAAAA=="}},
                "a lambda as byte code (",
            ),
            (
                a_class("StringLookup", "keras.layers", vocabulary="/etc/passwd"),
                "vocabulary '/etc/passwd' (",
            ),
        ]
    )


def containers(value: object) -> Iterator[dict[str, Any] | list[Any]]:
    if isinstance(value, (dict, list)):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


@pytest.mark.parametrize("seed", range(examples(60)))
def test_what_is_planted_at_any_depth_is_found_and_named(seed: int) -> None:
    draw = random.Random(seed)
    config = copy.deepcopy(config_of(draw.choice(FILES)))
    planted, words = forbidden(draw)
    place = draw.choice(list(containers(config)))
    if isinstance(place, dict):
        place["planted"] = planted
    else:
        place.insert(draw.randrange(len(place) + 1), planted)
    threats = found(config)

    assert len(threats) == 1
    assert threats[0].startswith(words)
    assert "config.json" in threats[0]


@given(
    st.from_regex(r"[A-Za-z_]\w{0,20}", fullmatch=True),
    st.sampled_from(["keras.layers", "keras.src.x", "tf_keras"]),
)
def test_a_name_of_keras_that_nobody_has_looked_at_is_refused(name: str, module: str) -> None:
    is_known = named(Kind.CLASS, name) is not None
    assert bool(found(a_class(name, module))) == (not is_known or name in DENIED)
    assert bool(found(a_function(name, module))) == (named(Kind.FUNCTION, name) is None)


@pytest.mark.parametrize(
    "module",
    [
        *(
            "keras.layers",
            "keras.src.layers.core.dense",
            "keras.layers.core",
            "keras.engine.training",
            None,
        ),
        *(
            "tensorflow.keras.layers",
            "tensorflow.python.keras.layers",
            "tf_keras.layers",
            "tf_keras.src.layers",
        ),
    ],
)
def test_a_known_class_is_let_in_however_its_module_is_spelled(module: str | None) -> None:
    assert [
        name for name in ALLOWED if name not in _BY_CONTENT and found(a_class(name, module))
    ] == []


_BY_CONTENT = {
    "TensorFlowOpLayer",
    "TFOpLambda",
    "SlicingOpLambda",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
}


@pytest.mark.parametrize("imports", [(), ("mine",)])
@pytest.mark.parametrize(
    "custom",
    [
        a_class("pkg>Mine"),
        a_class("Mine", "mine.layers"),
        a_class("Mine", "__main__"),
        a_class("Mine"),
        a_class("Switch"),  # keras.ops has one too, which only its module leads to
        a_class("BertBackbone", "keras_hub.src.models.bert.bert_backbone"),
        a_function("mine"),
        a_function("mine", "builtins"),
        a_function("relu", "builtins"),
        a_function("relu", "keras.activations"),
        a_function("relu", "tensorflow.python.ops.gen_nn_ops"),
        a_function("square", "tensorflow"),
        {**a_function("mine", "builtins"), "registered_name": "function"},
        {"class_name": "TensorShape", "items": [None, 3]},
        {"class_name": "__tuple__", "items": [1, 2]},
        {
            **a_class("__typespec__", "tensorflow.python.framework.tensor"),
            "spec_name": "TensorSpec",
        },
    ],
)
def test_what_is_not_run_is_no_threat(custom: dict[str, Any], imports: tuple[str, ...]) -> None:
    assert found(dense(planted=custom), *imports) == []


def test_a_module_that_the_user_imports_is_let_in() -> None:
    mine = a_class("Mine", "code.layers")

    assert found(mine) != []
    assert found(mine, "code.layers") == []
    assert found(a_function("mine", "code"), "code") == []
    assert found(a_function("eval", "builtins"), "builtins") != []
    for name in ("keras", "keras.utils", "tf_keras", "tensorflow.keras.layers"):
        assert found(a_function("get_file", "keras.utils"), name) != []
    assert found(a_function("get_file", "tensorflow.keras.utils"), "tensorflow") != []


INSTALLED = ("six", "six.moves", "yaml", "cloudpickle", "click", "_yaml", "pytest", "gradflow")


@pytest.mark.parametrize("module", [*INSTALLED, "numpy", "google.protobuf", "not_installed.here"])
def test_a_function_of_a_module_by_name_is_refused_whatever_the_module(module: str) -> None:
    """Keras 2 imports any module and takes any name of it."""
    by_lambda = {"function": "load", "function_type": "function", "module": module}
    for planted in (
        a_function("load", module),
        a_function("relu", module),
        {**a_function("relu", module), "registered_name": "load"},
        a_class("Lambda", "keras.layers", name="dense", function=a_function("load", module)),
        a_class("Lambda", "keras.layers", name="dense", **by_lambda),
    ):
        hits = found(dense(planted=planted))
        assert hits
        assert all(
            f" of {module} (layer 'dense' of config.json): is imported" in hit for hit in hits
        )
        assert found(dense(planted=planted), module) == []


@pytest.mark.parametrize("module", ["yaml", "six.moves", "tensorflow.io.gfile", "numpy.lib"])
def test_a_class_of_an_installed_package_is_refused(module: str) -> None:
    """It can be a function in the place of a class: Keras 2 takes that as well."""
    for name in ("load", "Loader", "Loader.load"):
        (hit,) = found(dense(planted=a_class(name, module)))
        assert hit.startswith(f"class {name} of {module} (layer 'dense' of config.json): ")
    for name in ("keras_hub.utils", "keras_hub"):
        assert found(a_class("Backbone", name)) == []
        assert found(a_function("gelu_approximate", name)) == []
        assert found(a_function("load_json", name)) != []


def test_the_option_that_lets_a_module_in_is_named() -> None:
    def remedy(module: str) -> str:
        (threat,) = strange_objects(a_function("act", module), "config.json", ())
        return threat.remedy

    assert remedy("lab.layers") == "--import lab.layers"
    assert remedy("lab --trust") == remedy("os") == "--trust"


LAMBDAS = [
    (
        {"function": ["4wEAAA==", None, None], "function_type": "lambda"},
        "a Lambda layer with a function as byte code",
    ),
    ({"function": ["4wEAAA==", None, None]}, "a Lambda layer with a function as byte code"),
    (
        {"function": "relu", "output_shape": "4w==", "output_shape_type": "lambda"},
        "with a output_shape as byte code",
    ),
    ({"function": "relu", "mask": ["4w=="], "mask_type": "lambda"}, "with a mask as byte code"),
    ({"function": "system", "function_type": "function", "module": "os"}, "function system of os"),
    ({"function": a_function("TFSMLayer", "keras.layers")}, "function TFSMLayer of keras.layers"),
    ({"function": a_function("Dense", "keras.layers")}, "function Dense of keras.layers"),
    ({"function": a_function("set_floatx", "keras.config")}, "function set_floatx of keras.config"),
    ({"function": a_function("utils.get_file", "keras")}, "function utils.get_file of keras"),
    (
        {"function": a_function("KerasFileEditor", "keras.saving")},
        "function KerasFileEditor of keras.saving",
    ),
]


@pytest.mark.parametrize(("config", "words"), LAMBDAS)
def test_a_lambda_is_judged_by_what_it_holds(config: dict[str, Any], words: str) -> None:
    hits = found(dense(planted=a_class("Lambda", "keras.layers", name="act", **config)))

    assert len(hits) == 1
    assert words in hits[0]
    assert "(layer 'act' of config.json): " in hits[0]


@pytest.mark.parametrize(
    "function",
    [
        a_function("relu", "keras.activations"),
        a_function("softmax", "keras.ops"),
        a_function("relu", "builtins"),
    ],
)
def test_a_lambda_of_a_function_that_computes_is_let_in(function: dict[str, Any]) -> None:
    assert found(a_class("Lambda", "keras.layers", function=function)) == []
    assert (
        found(
            a_class("Lambda", function="relu", function_type="function", module="keras.activations")
        )
        == []
    )


@pytest.mark.parametrize("layer", ["TFOpLambda", "SlicingOpLambda"])
@pytest.mark.parametrize(
    ("symbol", "is_let_in"),
    [
        *(
            (name, True)
            for name in "math.add nn.relu concat expand_dims __operators__.getitem "
            "compat.v1.to_float".split()
        ),
        *(
            (name, True)
            for name in "raw_ops.AddV2 image.resize linalg.matmul strings.split "
            "experimental.numpy.add".split()
        ),
        *(
            (name, False)
            for name in "io.write_file compat.v1.write_file py_function raw_ops.WriteFile "
            "load_library".split()
        ),
        *(
            (name, False)
            for name in "saved_model.load nn.fixed_unigram_candidate_sampler random.set_seed "
            "Graph".split()
        ),
        (None, False),
    ],
)
def test_a_function_of_tensorflow_in_a_layer(
    layer: str, symbol: str | None, is_let_in: bool
) -> None:
    hits = found(a_class(layer, name="op", function=symbol))

    assert (hits == []) == is_let_in
    assert all(hit.startswith(f"the function tf.{symbol} (layer 'op'") for hit in hits)


@pytest.mark.parametrize(
    ("op", "is_let_in"), [("AddV2", True), ("WriteFile", False), ("BrandNewOp", False)]
)
def test_an_op_of_tensorflow_in_a_layer(op: str, is_let_in: bool) -> None:
    text = message("NodeDef")(name="node", op=op).SerializeToString().decode()
    for node in (text, {"name": "node", "op": op}):
        assert (found(a_class("TensorFlowOpLayer", node_def=node)) == []) == is_let_in
    for node in (None, 3, "\xff", {"op": None}):
        assert found(a_class("TensorFlowOpLayer", node_def=node)) != []


@pytest.mark.parametrize(
    ("layer", "config", "is_let_in"),
    [
        ("InstanceMethod", {"attr_name": "to_tensor"}, True),
        ("InstanceProperty", {"attr_name": "flat_values"}, True),
        ("InstanceProperty", {"attr_name": "__class__"}, False),
        ("InstanceMethod", {"attr_name": "graph"}, False),
        ("ClassMethod", {"cls_symbol": "RaggedTensor", "method_name": "from_row_splits"}, True),
        ("ClassMethod", {"cls_symbol": "RaggedTensor", "method_name": "__init__"}, False),
        ("ClassMethod", {"cls_symbol": "io.gfile.GFile", "method_name": "from_tensor"}, False),
    ],
)
def test_a_member_of_a_tensor_in_a_layer(
    layer: str, config: dict[str, Any], is_let_in: bool
) -> None:
    assert (found(a_class(layer, **config)) == []) == is_let_in


@pytest.mark.parametrize(
    "config",
    [
        *(
            {key: "/etc/passwd"}
            for key in ("vocabulary", "merges", "proto", "idf_weights", "vocabulary_file")
        ),
        {"ckpt_to_load_from": "/etc/passwd"},
    ],
)
def test_a_path_is_named(config: dict[str, Any]) -> None:
    (hit,) = found(dense(planted=a_class("IntegerLookup", "keras.layers", name="words", **config)))

    assert (
        hit
        == f"{next(iter(config))} '/etc/passwd' (layer 'words' of config.json): reads any file of "
        f"this machine"
    )


def test_a_vocabulary_in_the_file_itself_is_let_in() -> None:
    assert (
        found(a_class("StringLookup", "keras.layers", vocabulary=["a", "b"], idf_weights=None))
        == []
    )


def test_a_type_of_another_module_is_refused() -> None:
    assert found({**a_class("__typespec__", "os"), "spec_name": "system"}) == [
        "type system of os (config.json): runs Python's own library"
    ]


def test_the_name_that_a_class_is_registered_under_counts_too() -> None:
    for name in ("TFSMLayer", "urlretrieve"):  # Keras 2 takes what its module has under that name
        assert len(found({**a_class("Dense", "keras.layers"), "registered_name": name})) == 1
        assert (
            len(found({**a_function("relu", "tf_keras.src.utils"), "registered_name": name})) == 1
        )
    assert found({**a_class("Dense", "keras.layers"), "registered_name": "mine>Dense"}) == []
    assert found({**a_class("Mine"), "registered_name": "mine>Other"}) == []


def test_a_name_between_underscores_that_nobody_knows_is_refused() -> None:
    assert found(a_class("__pickle__")) != []


def test_depth_ends_the_search() -> None:
    deep: object = a_class("TFSMLayer")
    for _ in range(501):
        deep = [deep]

    assert found(deep) == [
        "a configuration 500 levels deep (config.json): ends the process that builds it"
    ]
    assert found(json.loads("[" * 400 + "]" * 400)) == []


@pytest.mark.parametrize(
    "config", [None, 3, "x", [], [None, {"class_name": 3}], {"class_name": ["Lambda"]}]
)
def test_what_is_no_model_holds_no_threat(config: object) -> None:
    assert found(config) == []
