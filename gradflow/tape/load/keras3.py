"""Load a Keras file with Keras 3, and describe a model of Keras 3."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras

from gradflow.errors import InputError, NoWeightsError, UnreadableError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.freezing import FreezeDoubt
from gradflow.files.keras.code import LAMBDA, foreign_object, holds_marshalled_code
from gradflow.files.keras.opened import read_json
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.findings import Format, Role
from gradflow.tape.load.compiled_loss import (
    OUTPUTS,
    LossChoice,
    has_own_step,
    trains_its_parts,
)
from gradflow.tape.load.error_messages import (
    LAMBDA_HINT,
    attempted,
    keras_refusal,
    refuse_other_than,
)
from gradflow.tape.load.keras_inputs import asks_for_values, id_limit, keras_inputs
from gradflow.tape.load.keras_layers import (
    chains,
    inner_layers,
    layer_path,
    live_doubts,
    loaded_doubts,
    never_has_weights,
    reloaded_doubts,
)
from gradflow.tape.load.keras_model import KerasModel
from gradflow.tape.loaded_model import Watched

_SUFFIXES = {Format.KERAS: (".keras",), Format.H5: (".h5", ".hdf5")}


def load_keras(
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any] = MappingProxyType({}),
    imported: Sequence[str] = (),
    *,
    trust: bool = False,
) -> Any:
    """Load a Keras file, written by ``producer``, without compiling it.

    Args:
        file: the model.
        producer: what wrote it.
        custom: classes and functions of the user's, by the names that the file may have for them.
        imported: the modules that the user has imported for it.
        trust: whether code that the file holds is run; else Keras loads it with its ``safe_mode``
            on.

    Raises:
        UnreadableError: Keras refuses it; the message gives Keras's reason.
    """
    if not trust:
        _refuse_code(file, imported, {*custom, *keras.saving.get_custom_objects()})
    with tempfile.TemporaryDirectory() as folder:
        path = file.path.absolute()
        if path.suffix.lower() not in _SUFFIXES[file.format]:
            # Keras goes by the name's ending; the content decides here.
            link = Path(folder, path.stem).with_suffix(_SUFFIXES[file.format][0])
            link.symlink_to(path)
            path = link
        try:
            model = keras.models.load_model(
                path, custom_objects=dict(custom), compile=False, safe_mode=not trust
            )
        except Exception as error:  # Keras raises some twenty types for a file that it cannot read
            reason, hint = keras_refusal(error, attempted(file, producer, custom, imported))
            writer = f" (written by {producer})" if producer else ""
            raise UnreadableError(
                f"{file.path}: Keras {keras.__version__} cannot load it{writer}: {reason}", hint
            ) from error
    refuse_other_than(keras.layers.Layer, model, file.path)
    return model


def _refuse_code(file: ModelFile, imported: Sequence[str], custom: Collection[str]) -> None:
    try:
        config = read_json(file).model
    except UnreadableError:
        return  # Keras says better what is wrong with it
    if holds_marshalled_code(config):
        raise UnreadableError(f"{file.path}: it holds {LAMBDA}", LAMBDA_HINT)
    foreign = (
        foreign_object(config, imported, custom) if _imports_anything(keras.__version__) else None
    )
    if foreign is not None:
        hint = "--import MODULE, the module that defines it"
        raise UnreadableError(f"{file.path}: it uses {foreign}, which is not imported", hint)


def _imports_anything(version: str) -> bool:
    """Return whether this Keras imports each module that a file names, as those before 3.9 do."""
    return tuple(map(int, version.split(".")[:2])) < (3, 9)


class Keras3Model(KerasModel):
    """A built model of Keras 3."""

    def __init__(
        self,
        model: Any,
        producer: str | None = None,
        *,
        training: bool,
        input_names: Sequence[str] = (),
        freezers: Mapping[str, str] = MappingProxyType({}),
        doubts: tuple[FreezeDoubt, ...] | None = None,
        loss: LossChoice = OUTPUTS,
    ) -> None:
        """Describe ``model``.

        Args:
            model: the model.
            producer: what wrote its file; this Keras by default.
            training: the mode it is called in.
            input_names: stand in where the model itself has no symbolic inputs.
            freezers: the layer that froze each weight as its file records it, where the loaded
                layers do not know.
            doubts: what is doubtful about the flags in its file; None where there is no file to
                ask.
            loss: whether the model's own loss is to be differentiated, or its outputs.

        Raises:
            NoWeightsError: the model is not built, and none of its layers ever has a weight.
            InputError: the model is not built, or has no symbolic inputs, so that no batch can be
                guessed.
            UsageError: its loss is asked for, and it was not compiled.
        """
        if not model.built and never_has_weights(model, keras.Sequential):
            raise NoWeightsError(f"model {model.name!r}: no weights")
        if not model.built:
            if has_own_step(model):
                raise trains_its_parts(model, keras.Model)
            raise InputError(
                f"model {model.name!r}: is not built, so it has no weights yet",
                f"call it on a batch once{', and save it again' if producer else ''}",
            )
        self._keras_inputs = keras_inputs(model, input_names)
        super().__init__(
            model,
            keras.tree,
            (keras.Operation, keras.layers.Layer),
            training=training,
            loss=loss,
        )
        self.producer = producer or f"keras {keras.__version__}"
        self.inputs = self._keras_inputs.infos
        self.composites = self._keras_inputs.composites
        self.id_limit = id_limit(model)
        self.knows_graph = asks_for_values(model)
        self.layers = {
            layer.name: layer_path(layer) for layer in model._flatten_layers(include_self=False)
        }
        self.watched = tuple(_with_freezer(item, freezers) for item in watched_in(model))
        self.doubts = (
            *(
                live_doubts(model, self.watched)
                if doubts is None
                else loaded_doubts(model, self.watched, doubts)
            ),
            *reloaded_doubts(model, self.watched),
        )

    def forward(self, tensors: Sequence[Any]) -> Any:
        """Call the model; return its outputs in their structure."""
        arguments, keywords = self._keras_inputs.pack(tensors)
        return self.model(*arguments, **keywords, training=self.is_training)

    def inner_layers(self, layer: Any) -> Iterable[Any]:
        """Return the layers right inside a layer."""
        return inner_layers(layer)

    def plain(self, variable: Any) -> Any:
        """Return the ``tf.Variable`` behind a variable of Keras."""
        return variable.value

    def structured(self, tensors: Sequence[Any]) -> Any:
        """Return the tensors in the structure that the model is called with."""
        arguments, keywords = self._keras_inputs.pack(tensors)
        return arguments[0] if arguments else keywords


def watched_in(model: Any) -> Iterator[Watched]:
    """Yield every variable once, in the model's order, with the outermost frozen layer above it."""
    owners: dict[int, tuple[Any, ...]] = {}
    # A wrapper that is built frozen keeps the kernel of the layer inside among what it calls
    # non-trainable (SpectralNormalization, Keras 3.15): it is a weight if any layer says so.
    weights: set[int] = set()
    for chain in chains(model):
        layer = chain[-1]
        weights.update(map(id, layer._trainable_variables))
        for variable in [
            *layer._trainable_variables,
            *layer._non_trainable_variables,
            *_seeds(layer),
        ]:
            owner = owners.get(id(variable))
            if owner is None or (_frozen_by(owner) is None and _frozen_by(chain) is not None):
                owners[id(variable)] = chain
    metrics = {id(variable) for variable in getattr(model, "metrics_variables", ())}
    owned = [
        (
            variable,
            owners.get(id(variable), (model,)),
            id(variable) in weights if id(variable) in owners else bool(variable.trainable),
        )
        for variable in model.variables
        if id(variable) not in metrics
    ]
    repeated = Counter(variable.path for variable, _, _ in owned)
    names = {path for path, count in repeated.items() if count == 1}
    for variable, chain, is_weight in owned:
        stored = _stored(variable, chain, is_weight)
        if repeated[variable.path] > 1:
            around = ".".join(layer.name for layer in chain[1:])
            stored = replace(stored, name=unused(f"{stored.name}@{around}".rstrip("@"), names))
        names.add(stored.name)
        yield Watched(stored, variable.value)


def unused(name: str, names: Collection[str]) -> str:
    """Return ``name``, numbered where ``names`` has it: one layer can give one name twice."""
    numbers = itertools.chain([""], (f"#{number}" for number in itertools.count(2)))
    return next(f"{name}{number}" for number in numbers if f"{name}{number}" not in names)


def _with_freezer(item: Watched, freezers: Mapping[str, str]) -> Watched:
    stored = item.stored
    if stored.role is Role.STATE or stored.trainable or stored.name not in freezers:
        return item
    return replace(item, stored=replace(stored, frozen_by=freezers[stored.name]))


def _stored(variable: Any, chain: tuple[Any, ...], is_weight: bool) -> StoredVariable:
    dtype = keras.backend.standardize_dtype(variable.dtype)
    role = Role.WEIGHT if is_weight and dtype in FLOATING_NAMES else Role.STATE
    # A frozen model trains nothing, whatever the layers inside say; a frozen layer inside says
    # nothing about its own.
    trainable = role is Role.WEIGHT and bool(variable.trainable) and bool(chain[0].trainable)
    frozen_by = None if trainable or role is Role.STATE else _frozen_by(chain)
    return StoredVariable(
        name=variable.path,
        layer=variable.path.rpartition("/")[0] or None,
        shape=tuple(variable.shape),
        dtype=dtype,
        role=role,
        trainable=trainable,
        frozen_by=frozen_by,
        declared_trainable=is_weight and bool(variable.trainable) and dtype not in FLOATING_NAMES,
        layer_path="/".join([*(layer.name for layer in chain[1:]), variable.name]),
    )


def _frozen_by(chain: Sequence[Any]) -> str | None:
    return next((layer_path(layer) for layer in chain if not layer.trainable), None)


def _seeds(layer: Any) -> list[Any]:
    return [generator.state for generator in getattr(layer, "_seed_generators", ())]
