"""Compile a loaded Keras model with the loss that its file records, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras

from gradflow.errors import UnsafeError, UsageError
from gradflow.files.keras.code import foreign_code, holds_marshalled_code
from gradflow.files.keras.opened import read_json
from gradflow.files.model_file import ModelFile
from gradflow.scan.keras.config import strange_objects
from gradflow.tape.load.compiled_loss import PREFIX, WITHOUT_LOSS, NoLossError
from gradflow.tape.load.error_messages import Attempted, is_old, keras_refusal
from gradflow.tape.load.keras2 import is_keras2, known_names

_NAME_IT = "give it a name in a module and save again"
_BY_SHAPE = ("crossentropy", "ce")
"""Names that Keras 3 resolves when it sees the targets."""


def compile_as_saved(
    model: Any,
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any],
    imported: Sequence[str],
    *,
    trust: bool = False,
) -> None:
    """Compile ``model`` with the loss and the loss weights of its file.

    Args:
        model: the model.
        file: where it comes from.
        producer: what wrote it.
        custom: classes and functions of the user's, by the names that the file may have for them.
        imported: the modules that they come from.
        trust: whether code that the file holds may be run.

    Raises:
        UsageError: the file records no loss, or one that is not to be had.
        UnsafeError: its loss is not known to be harmless.
    """
    training = read_json(file).training
    if not isinstance(training, Mapping) or not training:
        raise NoLossError(
            f"{file.path}: {PREFIX}the file was saved without a loss",
            "compile the model before it is saved",
            WITHOUT_LOSS,
        )
    recorded = training.get("loss")
    if not trust:
        _refuse(recorded, file, imported, known_names(custom) if is_keras2(model) else None)
    library = _keras2() if is_keras2(model) else keras
    try:
        with library.saving.custom_object_scope(dict(custom)):
            loss = _restored(recorded, _reader(library, custom, trust))
            weights = training.get("loss_weights")
            if library is keras and producer is not None and is_old(producer):
                loss, weights = _with_all_outputs(model, loss, weights)
            # The class's own compile may want what no file records.
            library.Model.compile(model, optimizer="sgd", loss=loss, loss_weights=weights)
    except Exception as error:  # Keras raises many types for a loss that it does not know
        reason, hint = keras_refusal(error, Attempted(producer))
        raise UsageError(
            f"{file.path}: {PREFIX}the file's loss cannot be restored: {reason}",
            hint if hint.startswith("--import") else "save it again with this Keras",
            WITHOUT_LOSS,
        ) from error


def _refuse(
    recorded: object, file: ModelFile, imported: Sequence[str], custom: Collection[str] | None
) -> None:
    """Raise where the loss is not known to be harmless; ``custom``: the user's names, where Keras 2
    restores it."""
    if holds_marshalled_code(recorded):
        raise UsageError(
            f"{file.path}: {PREFIX}the file's loss is Python code, which is not run",
            _NAME_IT,
            WITHOUT_LOSS,
        )
    threat = next(strange_objects(recorded, "the loss of the file", imported), None)
    if threat is not None:
        raise UnsafeError(
            f"{file.path}: {PREFIX}not loaded: {threat.sentence}",
            _NAME_IT,
            WITHOUT_LOSS,
        )
    code = None if custom is None else foreign_code(recorded, imported, custom)
    if code is not None:
        raise UsageError(
            f"{file.path}: {PREFIX}the file's loss is {code}, which is not imported",
            "--import MODULE, the module that defines it",
            WITHOUT_LOSS,
        )


def _with_all_outputs(model: Any, loss: Any, weights: Any) -> tuple[Any, Any]:
    """Name every output in a dict of losses: Keras 2 takes those that it lacks as without a loss,
    and Keras 3 refuses it."""
    names = getattr(model, "output_names", None) or ()
    if isinstance(loss, Mapping) and set(loss) < set(names):
        loss = {name: loss.get(name) for name in names}
    if isinstance(weights, Mapping) and set(weights) < set(names):
        weights = {name: weights.get(name, 1.0) for name in names}
    return loss, weights


def _keras2() -> Any:
    import tf_keras

    return tf_keras


def _restored(value: Any, read: Callable[[Any], Any]) -> Any:
    """Losses in the structure in which they are recorded."""
    if isinstance(value, Mapping) and "class_name" not in value:
        return {name: _restored(item, read) for name, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, read) for item in value]
    return None if value is None else read(value)


def _reader(library: Any, custom: Mapping[str, Any], trust: bool) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            if value in _BY_SHAPE and library is keras:
                return value
            return _named(value, library, custom)
        if "module" in value or value.get("class_name") == "__lambda__":
            return library.saving.deserialize_keras_object(
                value, custom_objects=dict(custom), safe_mode=not trust
            )
        config = dict(value["config"])
        if library is keras and config.get("reduction") == "auto":
            config["reduction"] = "sum_over_batch_size"  # what Keras 2 means by it
        more = {} if library is keras else {"use_legacy_format": True}
        return library.losses.deserialize(
            {**value, "config": config}, custom_objects=dict(custom), **more
        )

    return read


def _named(name: str, library: Any, custom: Mapping[str, Any]) -> Any:
    loss = custom.get(name) or library.saving.get_registered_object(name)
    if loss is not None:
        return loss
    try:
        library.losses.get(name)
    except ValueError:
        raise ValueError(f"Unknown loss: {name!r}") from None
    return name
