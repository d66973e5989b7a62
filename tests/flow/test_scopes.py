"""Which layer an op belongs to, with and without Keras 3's numbered scopes."""

from __future__ import annotations

import pytest

from gradflow.flow.layer_scopes import layer_finder, variable_layers

NUMBERED = [
    "m_1/dense_1/MatMul",
    "m_1/dense_1_2/MatMul",
    "m_1/cut7_1/StopGradient",
    "m_1/sub_1/inner_1/MatMul",
]
PLAIN = ["m/dense/MatMul", "m/dense_1/MatMul", "m/cut7/StopGradient", "m/sub/inner/MatMul"]
LAYERS = {
    "dense": "dense",
    "dense_1": "dense_1",
    "cut7": "cut7",
    "sub": "sub",
    "inner": "sub/inner",
}


@pytest.mark.parametrize("ops", [NUMBERED, PLAIN])
def test_every_op_of_a_keras_model_finds_its_own_layer(ops: list[str]) -> None:
    layer_of = layer_finder([*ops, "m_1/StopGradient"], LAYERS, complete=True)
    assert [layer_of(op) for op in ops] == ["dense", "dense_1", "cut7", "sub/inner"]
    assert layer_of("m_1/StopGradient") is None


@pytest.mark.parametrize("ops", [NUMBERED, PLAIN])
def test_an_exported_op_finds_its_layer_also_where_the_layer_owns_no_variable(
    ops: list[str],
) -> None:
    layer_of = layer_finder(
        ops, variable_layers(["dense", "dense_1", "inner", None]), complete=False
    )
    assert [layer_of(op) for op in ops] == ["dense", "dense_1", "cut7", "sub/inner"]


def test_an_op_inside_a_loop_belongs_to_the_layer_inside() -> None:
    op = "m_1/lstm_1/while/body/m_1/lstm_1/while/lstm_cell_1/MatMul"
    assert (
        layer_finder([op], {"lstm": "lstm", "lstm_cell": "lstm/lstm_cell"}, complete=True)(op)
        == "lstm/lstm_cell"
    )


def test_a_module_without_a_model_scope_keeps_its_first_scope() -> None:
    op = "encoder/dense/MatMul"
    assert (
        layer_finder([op], variable_layers(["encoder/dense"]), complete=False)(op)
        == "encoder/dense"
    )
    assert layer_finder(["MatMul"], {}, complete=False)("MatMul") is None


def test_a_scope_around_a_list_of_a_loop_is_no_layer_and_one_in_a_body_is_told_whole() -> None:
    inside, around = (
        "while/body/while/cell/AssignVariableOp",
        "m/TensorArrayV2Read/TensorListGetItem",
    )
    layer_of = layer_finder([inside, around], variable_layers(["rnn/cell"]), complete=False)

    assert layer_of(inside) == "rnn/cell"
    assert layer_of(around) is None
