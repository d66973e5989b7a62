"""The ladder of sizes for unknown dimensions."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.errors import InputError
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.options import Options, parse_inputs

pytestmark = pytest.mark.tensorflow


def test_a_size_that_is_too_large_to_try_does_not_end_the_ladder() -> None:
    from gradflow.tape.inputs.search import with_batch

    tried: list[int] = []

    def only_four(batch: Any) -> None:
        tried.append(batch.tensors[0].shape[1])
        if tried[-1] != 4:
            raise ValueError("four or nothing")

    batch, _ = with_batch([TensorInfo("x", "float32", (None,) * 5)], Options(), None, only_four)
    assert batch.described[0].shape == (4, 4, 4, 4, 4)
    assert tried == [16, 32, 64, 8, 4]


def test_the_message_shows_what_was_tried_first_and_how_many_more() -> None:
    from gradflow.tape.inputs.search import with_batch

    def never(batch: Any) -> None:
        raise ValueError("no")

    with pytest.raises(InputError) as caught:
        with_batch([TensorInfo("x", "float32", (None, None))], Options(), None, never)
    assert (
        "x=float32[4,16] (and 8 others, sizes 1, 4, 8, 16, 32, 64, 128, 224, 10240): no"
        in caught.value.message
    )
    # What was refused is no example of what to give.
    assert caught.value.hint == "give real ones, from a file of NumPy: --input x=@batch.npz:x"


def test_a_learned_size_is_tried_and_told() -> None:
    from gradflow.tape.inputs.search import with_batch

    def flattened(batch: Any) -> None:
        if batch.tensors[0].shape[1] != 784:
            raise ValueError(
                f"Matrix size-incompatible: In[0]: {list(batch.tensors[0].shape)}, In[1]: [784, 10]"
            )
        raise ValueError("some other complaint about shapes")

    with pytest.raises(InputError) as caught:
        with_batch([TensorInfo("x", "float32", (None, None))], Options(), None, flattened)
    assert "refuses the inputs x=float32[4,784]" in caught.value.message
    assert "some other complaint" in caught.value.message


def test_many_inputs_are_not_all_listed() -> None:
    from gradflow.tape.inputs.search import with_batch

    def never(batch: Any) -> None:
        raise ValueError("no")

    infos = [TensorInfo(f"feature_{number}", "float32", (4, 1)) for number in range(75)]
    with pytest.raises(InputError) as caught:
        with_batch(infos, Options(), None, never)
    for text in (caught.value.message, caught.value.hint):
        assert "feature_5" in text
        assert "feature_6" not in text
        assert "and 69 more" in text
    assert len(caught.value.message) + len(caught.value.hint) < 800


def test_only_the_inputs_that_could_be_given_otherwise_are_named() -> None:
    from gradflow.tape.inputs.search import with_batch

    def never(batch: Any) -> None:
        raise ValueError("pos 5 out of range for string")

    infos = [TensorInfo(f"feature_{number}", "float32", (4, 1)) for number in range(75)]
    infos.append(TensorInfo("city", "string", (4, 1)))
    with pytest.raises(InputError) as caught:
        with_batch(infos, Options(), None, never)
    assert caught.value.hint == "give others, such as --input city=@batch.npz:city"


def test_a_number_in_place_of_a_batch_is_shown_one() -> None:
    from gradflow.tape.inputs.search import with_batch

    def never(batch: Any) -> None:
        raise ValueError("Cannot feed value of shape ()")

    options = Options(inputs=parse_inputs(["age=float32[]"]), batch_size=3)
    with pytest.raises(InputError) as caught:
        with_batch([TensorInfo("age", "float32", (None, 1))], options, None, never)
    assert caught.value.hint == "give others, such as --input age=float32[3,1]"


@pytest.mark.parametrize("known", [None, 7])
@pytest.mark.parametrize(("sign", "limit"), [("<", 3), ("<=", 2)])
def test_labels_stay_below_the_number_that_the_error_tells(
    sign: str, limit: int, known: int | None
) -> None:
    """Though the graph knows of a higher one: that of the logits."""
    from gradflow.flow.input_use.uses import Use, Uses
    from gradflow.tape.inputs.graph_hints import Knowledge
    from gradflow.tape.inputs.search import with_batch

    def estimator(batch: Any) -> None:
        labels = batch.tensors[0].numpy()
        if labels.max() >= 3:
            raise ValueError(
                f"assertion failed: [Labels must be <= n_classes - 1] [Condition x {sign} y did "
                f"not hold element-wise:] [x (head/Cast:0) = ] [{labels}] [y (head/y:0) = ] "
                f"[{limit}]"
            )

    info = TensorInfo("label", "int64", (64, 1))
    knowledge = Knowledge(Uses({"label": Use(high=known)}))
    batch, _ = with_batch([info], Options(), None, estimator, lambda: knowledge)
    assert batch.tensors[0].numpy().max() == 2


def test_attempts_are_bounded() -> None:
    from gradflow.tape.inputs.search import with_batch

    tried: list[Any] = []

    def never(batch: Any) -> None:
        tried.append(batch.tensors[0].shape)
        raise ValueError(
            f"dimension {len(tried) + 100} must be equal to {len(tried) + 200} and "
            f"{len(tried) + 300}"
        )

    with pytest.raises(InputError):
        with_batch([TensorInfo("x", "float32", (None, None, None))], Options(), None, never)
    assert len(tried) <= 20
    assert len(set(tried)) == len(tried)


def test_a_graph_is_asked_once_and_only_where_it_helps() -> None:
    from gradflow.flow.input_use.uses import Use, Uses
    from gradflow.tape.inputs.graph_hints import Knowledge
    from gradflow.tape.inputs.search import with_batch

    asked: list[int] = []

    def learn() -> Knowledge:
        asked.append(1)
        return Knowledge(Uses({"x": Use(is_index=True, high=3)}))

    floating, whole = TensorInfo("x", "float32", (None, 50)), TensorInfo("x", "int32", (None, 50))
    with_batch([floating], Options(), None, lambda batch: None, learn)
    assert asked == []

    def needs_ids(batch: Any) -> None:
        values = batch.tensors[0].numpy()
        if (values < 0).any() or (values != values.round()).any():
            raise ValueError("indices are not what I take")

    with_batch([floating], Options(), None, needs_ids, learn)
    assert asked == [1]
    batch, _ = with_batch([whole], Options(), None, lambda batch: None, learn)
    assert set(batch.tensors[0].numpy().flat) == {0, 1, 2}


def test_a_graph_that_cannot_be_read_leaves_the_step_to_tell() -> None:
    from gradflow.tape.inputs.search import with_batch

    def damaged() -> Any:
        raise KeyError("no such node")

    batch, _ = with_batch(
        [TensorInfo("x", "int32", (None, 5))], Options(), None, lambda batch: None, damaged
    )
    assert batch.described[0].shape == (4, 5)


@pytest.mark.parametrize(
    ("name", "is_mask"),
    [
        ("padding_mask", True),
        ("mask:0", True),
        ("input_mask_1", True),
        ("attentionMask", True),
        ("Mask", True),
        ("masked_image", False),
        ("imageMasked", False),
        ("unmasked", False),
    ],
)
def test_a_mask_is_told_by_its_name_where_the_graph_does_not_say(name: str, is_mask: bool) -> None:
    from gradflow.tape.inputs.search import with_batch

    batch, _ = with_batch(
        [TensorInfo(name, "float32", (None, 9))], Options(), None, lambda batch: None
    )
    assert set(batch.tensors[0].numpy().flat).issubset({0.0, 1.0}) is is_mask
