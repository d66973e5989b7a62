"""What messages of TensorFlow 2.21 and Keras 3.15 tell about sizes: the right guess is among the
first to be tried."""

from __future__ import annotations

import pytest

from gradflow.files.saved_model.contents import TensorInfo

COLUMNS = TensorInfo("x", "float32", (None, None))
IMAGE = TensorInfo("x", "float32", (None, None, None, 1))
SEQUENCE = TensorInfo("x", "float32", (None, None, 4))


@pytest.mark.parametrize(
    ("message", "info", "shape"),
    [
        ("Matrix size-incompatible: In[0]: [4,16], In[1]: [784,10] [Op:MatMul]", COLUMNS, (4, 784)),
        (
            "Input to reshape is a tensor with 64 values, but the requested shape requires a "
            "multiple of 49",
            COLUMNS,
            (4, 49),
        ),
        (
            "Input to reshape is a tensor with 4096 values, but the requested shape has 3136 "
            "[Op:Reshape]",
            IMAGE,
            (4, 28, 28, 1),
        ),
        ("Matrix size-incompatible: In[0]: [4,512], In[1]: [392,3]", IMAGE, (4, 28, 28, 1)),
        (
            "expected axis -1 of input shape to have value 30, but received input with shape (4, "
            "16)",
            COLUMNS,
            (4, 30),
        ),
        (
            'Input 0 of layer "m" is incompatible with the layer: expected shape=(None, 9, 4), '
            "found shape=(4, 16, 4)",
            SEQUENCE,
            (4, 9, 4),
        ),
        (
            "Dimensions must be equal, but are 16 and 12 for '{{node add}} = AddV2'",
            SEQUENCE,
            (4, 12, 4),
        ),
        (
            "required broadcastable shapes [Op:AddV2] [4,16,4] vs. [10,4]; 10 rows",
            SEQUENCE,
            (4, 10, 4),
        ),
        ("indices[6] = 6 is not in [0, 6) [Op:GatherV2]", SEQUENCE, (4, 6, 4)),
        (
            "Cannot multiply A and B because inner dimension does not match: 16 vs. 12.",
            COLUMNS,
            (4, 12),
        ),
    ],
)
def test_a_size_is_read_out_of_a_message(
    message: str, info: TensorInfo, shape: tuple[int, ...]
) -> None:
    from gradflow.tape.inputs.attempts import Attempt, shape_of
    from gradflow.tape.inputs.error_hints import lessons

    guesses = list(lessons(message, Attempt(), [info], highest=5))
    assert shape in [shape_of(info, guess) for guess in guesses[:5]]


def test_a_rank_is_read_out_of_a_message() -> None:
    from gradflow.tape.inputs.attempts import Attempt, shape_of
    from gradflow.tape.inputs.error_hints import lessons

    untold = TensorInfo("x", "float32", None)
    (first, *_) = lessons(
        "expected min_ndim=4, found ndim=2. Full shape: (4, 16)", Attempt(), [untold], 8
    )
    assert shape_of(untold, first) == (4, 32, 32, 3)


def test_a_batch_that_is_fixed_inside_the_graph_is_found() -> None:
    from gradflow.tape.inputs.attempts import Attempt
    from gradflow.tape.inputs.error_hints import lessons

    rows = TensorInfo("x", "float32", (None, 8))
    message = "Input to reshape is a tensor with 32 values, but the requested shape has 16"
    assert 2 in [guess.batch for guess in lessons(message, Attempt(), [rows], 8)]


def test_row_numbers_are_limited_before_anything_else_is_tried() -> None:
    from gradflow.tape.inputs.attempts import Attempt
    from gradflow.tape.inputs.error_hints import lessons

    ids, floats = TensorInfo("ids", "int32", (None, 3)), TensorInfo("x", "float32", (None, 3))
    guesses = list(lessons("indices[0] = 5 is not in [0, 4)", Attempt(), [ids, floats], 8))
    assert [(guess.high, guess.float_ids) for guess in guesses[:2]] == [(4, False), (4, True)]
