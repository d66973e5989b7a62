"""What the JSON of a Keras file would have Keras run is found before any Keras reads it."""

from __future__ import annotations

import pytest

from gradflow.files.keras.code import LAMBDA, foreign_code, foreign_object, holds_marshalled_code


def layers(*configs: object) -> dict[str, object]:
    """A model's JSON with the layers in a model within the model."""
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": list(configs)}}
    return {"module": "keras", "class_name": "Functional", "config": {"layers": [inner]}}


MARSHALLED = [
    {
        "class_name": "Lambda",
        "config": {"function": ["4wEAAAA=", None, None], "function_type": "lambda"},
    },
    {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}},
    {
        "class_name": "keras>Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
    },
    {
        "class_name": "Dense",
        "config": {"activation": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
    },
]
NAMED = {
    "class_name": "Lambda",
    "config": {"function": "halve", "function_type": "function", "module": "__main__"},
}


@pytest.mark.parametrize("config", MARSHALLED)
def test_python_code_in_the_file_is_for_no_keras(config: object) -> None:
    assert holds_marshalled_code(layers({"class_name": "Dense", "config": {}}, config))
    assert foreign_code(layers(config)) == LAMBDA


def test_a_lambda_of_a_function_by_name_is_for_keras_3_alone() -> None:
    assert not holds_marshalled_code(layers(NAMED))
    assert foreign_code(layers(NAMED)) == LAMBDA


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"module": "subprocess", "class_name": "Popen", "config": {}},
            "'Popen' of the module 'subprocess'",
        ),
        (
            {"module": "net.layers", "class_name": "Gate", "config": {}},
            "'Gate' of the module 'net.layers'",
        ),
        ({"module": "builtins", "class_name": "function", "config": "exec"}, "the function 'exec'"),
        (
            {"module": "keras.utils", "class_name": "function", "config": "io.open"},
            "the function 'io.open'",
        ),
    ],
)
def test_what_is_not_of_keras_is_named(config: object, told: str) -> None:
    assert foreign_code(layers(config)) == told


def test_what_is_of_keras_or_was_imported_is_not_foreign() -> None:
    own = {
        "module": "net.layers",
        "class_name": "Gate",
        "config": {"name": "gate"},
        "registered_name": "net>Gate",
    }
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"activation": "relu"}}
    function = {"module": "builtins", "class_name": "function", "config": "softsquare"}
    assert foreign_code(layers(own, dense, function), ["net.layers"]) is None
    assert foreign_code("not a configuration") is None


def test_what_keras_has_under_its_name_is_not_foreign_wherever_it_was() -> None:
    gate = {"module": "__main__", "class_name": "Gate", "config": {}, "registered_name": "Gate"}
    registered = {
        "module": "lab",
        "class_name": "Gate",
        "config": {},
        "registered_name": "lab>Gate",
    }
    halve = {
        "module": "__main__",
        "class_name": "function",
        "config": "halve",
        "registered_name": "function",
    }
    assert foreign_code(layers(gate, halve), registered={"Gate", "halve"}) is None
    assert foreign_code(layers(gate), registered={"halve"}) == "'Gate' of the module '__main__'"
    assert foreign_code(layers(registered), registered={"Gate"}) == "'Gate' of the module 'lab'"
    assert foreign_code(layers(registered), registered={"lab>Gate"}) is None


def test_what_an_early_keras_3_would_import_is_named() -> None:
    printing = {
        "module": "tensorflow.python.ops.logging_ops",
        "class_name": "function",
        "config": "print_v2",
    }
    held = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": printing}}
    gate = {
        "module": "net.layers",
        "class_name": "Gate",
        "config": {},
        "registered_name": "net>Gate",
    }
    hub = {"module": "keras_hub.layers", "class_name": "RotaryEmbedding", "config": {}}
    assert (
        foreign_object(layers(hub, held))
        == "'function' of the module 'tensorflow.python.ops.logging_ops'"
    )
    assert foreign_object(layers(gate)) == "'Gate' of the module 'net.layers'"
    assert foreign_object(layers(gate), ["net"]) is None
    assert foreign_object(layers(gate), registered={"net>Gate"}) is None
    assert foreign_object(layers(hub)) is None
