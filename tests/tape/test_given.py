"""Arrays of a file as inputs: converted where nothing is lost, refused by name where they do not
fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradflow.errors import InputError, UsageError
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.options import InputSpec, Options, parse_inputs

pytestmark = pytest.mark.tensorflow

X = TensorInfo("x", "float32", (None, 3))
IDS = TensorInfo("ids", "int32", (None, 2))
WORDS = TensorInfo("words", "string", (None,))


def given(folder: Path, array: Any, info: TensorInfo = X, name: str = "x.npy") -> Any:
    from gradflow.tape.inputs.user_arrays import given_array

    np.save(folder / name, array, allow_pickle=True)
    return given_array(info, InputSpec(info.name, file=str(folder / name)))[0]


def test_numbers_are_converted_to_what_the_model_takes(tmp_path: Path) -> None:
    assert given(tmp_path, np.ones((5, 3), np.float64)).dtype == np.float32
    assert given(tmp_path, np.ones((5, 3), np.int64)).dtype == np.float32
    assert given(tmp_path, np.array([[1.0, 2.0]]), IDS).dtype == np.int32
    assert given(tmp_path, np.array(["a", "ä"]), WORDS).tolist() == [b"a", "ä".encode()]


@pytest.mark.parametrize(
    ("array", "info", "words"),
    [
        (np.ones((5, 4)), X, ["float64[5,4]", "float32[?,3]"]),
        (np.ones(3), X, ["float64[3]", "float32[?,3]"]),
        (np.array([[0.5, 1.0]]), IDS, ["float64", "no int32"]),
        (np.array([[2**40, 1]]), IDS, ["int64", "no int32"]),
        (np.array([["a", "b", "c"]]), X, ["holds strings", "takes float32"]),
        (np.ones(2), WORDS, ["holds float64", "takes string"]),
        (np.array([{"a": 1}], dtype=object), X, ["Python objects"]),
        (np.ones((0, 3)), X, ["is empty"]),
        (
            np.array(["a", "b"]),
            TensorInfo("words", "string", (None, 1)),
            ["string[2]", "string[?,1]"],
        ),
    ],
    ids=[
        "columns",
        "rank",
        "fractions",
        "overflow",
        "strings",
        "no strings",
        "objects",
        "no rows",
        "rank of strings",
    ],
)
def test_an_array_that_does_not_fit_is_refused(
    array: Any, info: TensorInfo, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        given(tmp_path, array, info)
    assert f"--input {info.name}" in caught.value.message
    for word in words:
        assert word in caught.value.message


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> Any:
            return (Path(tmp_path, "planted").touch, ())

    with pytest.raises(UsageError, match="Python objects"):
        given(tmp_path, np.array([Planted()], dtype=object))
    assert not (tmp_path / "planted").exists()


def test_a_file_that_is_not_there_or_has_no_such_key(tmp_path: Path) -> None:
    from gradflow.tape.inputs.user_arrays import given_array

    with pytest.raises(UsageError, match="does not exist"):
        given_array(X, InputSpec("x", file=str(tmp_path / "none.npy")))
    np.savez(tmp_path / "two.npz", a=np.ones((1, 3)), b=np.ones((1, 3)))
    for key, message in ((None, "no key given"), ("c", "has no array 'c'")):
        with pytest.raises(UsageError, match=message) as caught:
            given_array(X, InputSpec("x", file=str(tmp_path / "two.npz"), key=key))
        assert "a, b" in caught.value.hint
    for content in (b"", b"hello"):
        (tmp_path / "other.npy").write_bytes(content)
        with pytest.raises(UsageError, match="cannot read"):
            given_array(X, InputSpec("x", file=str(tmp_path / "other.npy")))


def test_a_batch_of_no_rows_is_refused() -> None:
    with pytest.raises(UsageError, match="a batch without rows shows nothing"):
        parse_inputs(["x=float32[0,3]"])


def test_what_was_refused_is_no_example_of_what_to_give() -> None:
    from gradflow.tape.inputs.search import with_batch

    def refuse(batch: Any) -> None:
        raise ValueError("expected shape=(None, 3), found shape=(2, 6)")

    options = Options(inputs=(InputSpec("x", dtype="float64", shape=(2, 6)),))
    with pytest.raises(InputError) as caught:
        with_batch([X], options, None, refuse)
    assert "refuses the inputs x=float64[2,6]" in caught.value.message
    assert caught.value.hint == "give others, such as --input x=float32[2,3]"


def test_what_is_given_for_one_input_sets_the_batch_of_the_others(tmp_path: Path) -> None:
    from gradflow.tape.inputs.search import with_batch

    np.save(tmp_path / "x.npy", np.ones((7, 3)))
    fixed = TensorInfo("fixed", "float32", (2, 2))
    for spec in (
        InputSpec("x", file=str(tmp_path / "x.npy")),
        InputSpec("x", dtype="float32", shape=(7, 3)),
    ):
        batch, _ = with_batch(
            [X, IDS, WORDS, fixed], Options(inputs=(spec,)), None, lambda batch: None
        )
        assert [one.shape for one in batch.described] == [(7, 3), (7, 2), (7,), (2, 2)]


def test_a_range_with_a_low_end() -> None:
    from gradflow.tape.inputs.search import with_batch

    spec = InputSpec("ids", dtype="int32", shape=(50, 2), low=3, high=6)
    batch, _ = with_batch([IDS], Options(inputs=(spec,)), None, lambda batch: None)
    assert set(batch.tensors[0].numpy().flat) == {3, 4, 5}
    assert batch.described[0].source == "integers(3..5, seed=0)"


def test_a_sparse_and_a_ragged_input_are_given_as_one(tmp_path: Path) -> None:
    from gradflow.flow.input_use.uses import RaggedParts, SparseParts
    from gradflow.tape.inputs.search import with_batch

    infos = [
        TensorInfo("s.indices", "int64", (None, 2)),
        TensorInfo("s", "float32", (None,)),
        TensorInfo("s.dense_shape", "int64", (2,)),
        TensorInfo("r", "int32", (None,)),
        TensorInfo("r.row_splits", "int64", (None,)),
    ]
    composites = [
        SparseParts("s.indices", "s", "s.dense_shape", (None, 3), name="s"),
        RaggedParts("r", ("r.row_splits",), name="r"),
    ]
    dense = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 4.0]])
    np.save(tmp_path / "s.npy", dense)
    np.save(tmp_path / "r.npy", np.array([[1, 2], [3, 4]]))
    files = tuple(InputSpec(name, file=str(tmp_path / f"{name}.npy")) for name in "sr")

    def run(specs: tuple[InputSpec, ...]) -> Any:
        batch, _ = with_batch(
            infos, Options(inputs=specs), None, lambda batch: None, composites=composites
        )
        return [tensor.numpy() for tensor in batch.tensors], [
            (one.name, one.shape) for one in batch.described
        ]

    (indices, values, shape, flat, splits), described = run(files)
    rebuilt = np.zeros(shape)
    rebuilt[tuple(indices.T)] = values
    assert rebuilt.tolist() == dense.tolist()
    assert (flat.tolist(), splits.tolist()) == ([1, 2, 3, 4], [0, 2, 4])
    assert described == [("s", (2, 3)), ("r", (2, 2))]

    asked = (
        InputSpec("s", dtype="float32", shape=(5, 3)),
        InputSpec("r", dtype="int32", shape=(5, 3), high=2),
    )
    (indices, values, shape, flat, splits), described = run(asked)
    assert (shape.tolist(), len(indices)) == ([5, 3], len(values))
    assert (len(splits), splits[-1]) == (6, len(flat))
    assert flat.max() < 2
    assert described == [("s", (5, 3)), ("r", (5, 3))]
    # What is given for one sets the batch of the other.
    (_, _, _, _, splits), described = run(asked[:1])
    assert len(splits) == 6


def test_a_check_of_the_models_own_that_fails_in_training_names_the_other_mode() -> None:
    """As the pruning of tensorflow_model_optimization asks for its callback."""
    from gradflow.tape.inputs.search import with_batch
    from gradflow.tape.load.error_messages import BackwardError

    def asserts(_: object) -> None:
        raise BackwardError("assertion failed: [needs its callback] [[{{node Assert}}]]")

    with pytest.raises(InputError, match="a check of the model's own fails in the step") as caught:
        with_batch([X], Options(), None, asserts)
    assert caught.value.hint.startswith("--inference ")
    with pytest.raises(InputError, match="fails to differentiate it: no gradient for it"):
        with_batch([X], Options(), None, _refuses_backward)


def _refuses_backward(_: object) -> None:
    from gradflow.tape.load.error_messages import BackwardError

    raise BackwardError("no gradient for it")
