"""What Keras says of a file or a call that it refuses: the reason is told, not what stands around
it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow

INSIDE = (
    "Input 'y' of 'AddV2' Op has type float32 that does not match type bfloat16 of argument 'x'"
)
CALLED = "Exception encountered when calling Block.call().\n\n\x1b[1m"
ARGUMENTS = "\x1b[0m\n\nArguments received by Block.call():\n  • args=('<KerasTensor>',)"


@pytest.mark.parametrize(
    "message",
    [
        f"{CALLED}{INSIDE}.{ARGUMENTS}",
        f"config={{}}.\n\nException encountered: {CALLED}{INSIDE}.{ARGUMENTS}",
        f"config={{}}.\n\nException encountered: {CALLED}Could not infer the shape of 'b' (of type "
        f"Block). "
        f"Error encountered:\n\n{INSIDE}.{ARGUMENTS}",
        f"config={{}}.\n\nException encountered: {INSIDE}.",
    ],
)
def test_the_reason_of_a_layer_is_told(message: str) -> None:
    from gradflow.tape.load.error_messages import first_line

    assert first_line(ValueError(message)) == INSIDE


@pytest.mark.parametrize(
    "message",
    [
        "Could not interpret activation function identifier: <lambda>",
        "Unknown activation function: '<lambda>'. Please ensure you are using a "
        "`keras.utils.custom_object_scope`",
        "Could not interpret activation function identifier: {'value': ['4wEAAAAAAAAA', None, "
        "None]}",
        "Improper config format for {'value': ['4wEAAAAAAAAA', None, None]}. Expecting python dict",
    ],
)
def test_no_module_is_asked_for_a_function_without_a_name(message: str) -> None:
    from gradflow.tape.load.error_messages import keras_refusal

    reason, hint = keras_refusal(ValueError(message), "keras 2.10.0")
    assert reason == "it uses an anonymous function (<lambda>), which Keras does not restore"
    assert "--import" not in hint


def test_what_tensorflow_writes_around_its_words_is_left_out() -> None:
    from gradflow.tape.load.error_messages import first_line

    around = (
        "{{function_node __wrapped__GatherV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
    )
    message = (
        f"{CALLED}{around}indices[0,0] = 869 is not in [0, 11) [Op:GatherV2] name: {ARGUMENTS}"
    )
    assert first_line(ValueError(message)) == "indices[0,0] = 869 is not in [0, 11)"
