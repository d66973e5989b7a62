"""Load a Keras file with the Keras that can, and step it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradflow.analysis.layers import second_answer
from gradflow.analysis.result import Analysis
from gradflow.analysis.static import analyse_unloaded, read_file
from gradflow.analysis.step_model import analyse_model
from gradflow.errors import NoWeightsError, UnreadableError
from gradflow.files.freezing import LATE, FreezeDoubt
from gradflow.files.keras.byte_code import foreign_python, unlike_this
from gradflow.files.keras.opened import read_json
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile
from gradflow.findings import Role
from gradflow.options import Options, refuse_entry
from gradflow.progress import Progress
from gradflow.tape.load.choose_loss import choose_saved_loss
from gradflow.tape.load.keras2 import Keras2Model, load_older
from gradflow.tape.load.keras3 import Keras3Model, load_keras
from gradflow.tape.loaded_model import LoadedModel

_UNBUILT = (
    "Keras loads it without its weights: what the file records of its inputs is not enough "
    "to build it"
)
_UNBUILT_HINT = (
    "define get_build_config and build_from_config in its class and save it again, or give the "
    "model in memory to "
    "gradflow.inspect(model)"
)


def run_keras(
    file: ModelFile, path: str, options: Options, custom: Mapping[str, Any], progress: Progress
) -> Analysis:
    """Load the model and step it; read the file where no Keras can load it.

    ``custom`` are the classes and functions that the user's own modules bring.

    Raises:
        GradflowError: it cannot be fed, or is not the file any more that was scanned.
    """
    refuse_entry(path, options)
    try:
        model = _load_keras(file, options, custom)
    except UnreadableError as refusal:
        return analyse_unloaded(file, path, options, refusal)
    except NoWeightsError:
        return read_file(file, path, options)
    file.refuse_change()
    file.close()

    def second(loaded: LoadedModel) -> Mapping[str, bool]:
        return second_answer(file, path, options, loaded.stored, is_of_loss=loaded.is_of_loss)

    return analyse_model(model, path, file.format, options, progress, second=second)


def _load_keras(file: ModelFile, options: Options, custom: Mapping[str, Any]) -> LoadedModel:
    """Load a Keras file with the Keras that can: Keras 3, else Keras 2 where that wrote it."""
    producer, freezers, doubts, has_weights = _recorded(file)
    training, trust = options.training, options.trust
    if trust:
        _refuse_foreign_code(file)
    try:
        model = load_keras(file, producer, custom, options.imports, trust=trust)
    except UnreadableError as refusal:
        older = load_older(file, producer, custom, options.imports, refusal, trust=trust)
        loss = choose_saved_loss(older, file, producer, custom, options)
        keras2 = Keras2Model(older, producer, training=training, loss=loss)
        keras2.doubts = tuple(doubt for doubt in doubts or () if doubt.kind in LATE)
        return keras2
    if has_weights and not model.variables:
        raise UnreadableError(f"{file.path}: {_UNBUILT}", _UNBUILT_HINT)
    return Keras3Model(
        model,
        producer,
        training=training,
        input_names=tuple(spec.name for spec in options.inputs),
        freezers=freezers,
        doubts=doubts,
        loss=choose_saved_loss(model, file, producer, custom, options),
    )


def _refuse_foreign_code(file: ModelFile) -> None:
    """Raise UnreadableError where another Python wrote the code that the file holds."""
    version = foreign_python(read_json(file).model)
    if version is not None:
        reason, hint = unlike_this(version)
        raise UnreadableError(f"{file.path}: {reason}", hint)


def _recorded(
    file: ModelFile,
) -> tuple[str | None, Mapping[str, str], tuple[FreezeDoubt, ...] | None, bool]:
    """Return who wrote a Keras file, the outermost layer that froze each weight, what is doubtful
    about that, and whether the file has weights.

    A Sequential that is loaded forgets its own flag, though its layers keep theirs (Keras 3.15):
    the file knows.
    """
    try:
        contents = read_keras(file)
    except UnreadableError:
        return None, {}, None, False  # Keras may still be able to load it
    frozen = {
        variable.name: variable.frozen_by
        for variable in contents.variables
        if variable.frozen_by is not None
    }
    has_weights = any(variable.role is Role.WEIGHT for variable in contents.variables)
    return contents.producer, frozen, contents.doubts_in_keras3, has_weights
