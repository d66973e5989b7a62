"""The ladder of sizes for unknown dimensions."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.errors import InputError
from gradflow.files.saved_model import TensorInfo
from gradflow.options import Options

pytestmark = pytest.mark.tensorflow


def test_a_size_that_is_too_large_to_try_does_not_end_the_ladder() -> None:
    from gradflow.tape.inputs import with_batch

    tried: list[int] = []

    def only_four(batch: Any) -> None:
        tried.append(batch.tensors[0].shape[1])
        if tried[-1] != 4:
            raise ValueError("four or nothing")

    batch, _ = with_batch([TensorInfo("x", "float32", (None,) * 5)], Options(), None, only_four)
    assert batch.described[0].shape == (4, 4, 4, 4, 4)
    assert tried == [16, 32, 64, 8, 4]


def test_the_message_shows_what_was_tried_first_and_how_many_more() -> None:
    from gradflow.tape.inputs import with_batch

    def never(batch: Any) -> None:
        raise ValueError("no")

    with pytest.raises(InputError) as caught:
        with_batch([TensorInfo("x", "float32", (None, None))], Options(), None, never)
    assert "x=float32[4,16] (and 8 others, sizes 1, 4, 8, 16, 32, 64, 128, 224, 10240): no" in caught.value.message
    assert caught.value.hint == "give others, such as --input x=float32[4,16]"
