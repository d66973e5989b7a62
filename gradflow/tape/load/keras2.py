"""Load a Keras file with Keras 2, which lives on as tf_keras, and describe a model of Keras 2."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from gradflow.errors import InputError, NoWeightsError, UnreadableError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.keras.code import LAMBDA, class_names, foreign_code, foreign_modules
from gradflow.files.keras.keras2_archive import relaid
from gradflow.files.keras.opened import read_json
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Format, Role
from gradflow.installed import install_command
from gradflow.tape.load.compiled_loss import (
    OUTPUTS,
    LossChoice,
    has_own_step,
    trains_its_parts,
)
from gradflow.tape.load.error_messages import (
    LAMBDA_HINT,
    attempted,
    is_old,
    keras_refusal,
    refuse_other_than,
)
from gradflow.tape.load.keras_layers import chains, never_has_weights
from gradflow.tape.load.keras_model import KerasModel
from gradflow.tape.load.user_modules import LEGACY
from gradflow.tape.loaded_model import Watched

_SUFFIX = {Format.KERAS: ".keras", Format.H5: ".h5"}
_Chain = tuple[Any, ...]


def is_installed() -> bool:
    """Return whether tf_keras can be imported."""
    return importlib.util.find_spec("tf_keras") is not None


def is_keras2(model: Any) -> bool:
    """Return whether ``model`` is a model of tf_keras, told without importing it."""
    module = sys.modules.get("tf_keras")
    return module is not None and isinstance(model, module.Model)


def is_keras2_layer(layer: Any) -> bool:
    """Return whether ``layer`` is a layer or a model of tf_keras, told without importing it."""
    module = sys.modules.get("tf_keras")
    return module is not None and isinstance(layer, module.layers.Layer)


def load_keras2(
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any] = MappingProxyType({}),
    imported: Sequence[str] = (),
    *,
    trust: bool = False,
) -> Any:
    """Load a Keras file with tf_keras, without compiling it. Its configuration must hold no foreign
    code.

    Args:
        file: the model.
        producer: what wrote it.
        custom: classes and functions of the user's, by the names that the file may have for them.
        imported: the modules that they are from.
        trust: whether code that the file holds may be run.

    Raises:
        UnreadableError: tf_keras refuses it; the message gives its reason.
    """
    import tf_keras

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Keras goes by the name's ending; the content decides here.
        path = (folder / "model").with_suffix(_SUFFIX[file.format])
        path.symlink_to(file.path.absolute())
        try:
            if file.format is Format.KERAS:
                path = relaid(file, folder) or path
            model = tf_keras.models.load_model(
                path, custom_objects=dict(custom), compile=False, safe_mode=not trust
            )
        except UnreadableError:
            raise
        except Exception as error:  # Keras raises some twenty types for a file that it cannot read
            version = tf_keras.__version__
            reason, hint = keras_refusal(
                error, attempted(file, producer, known_names(custom), imported, version)
            )
            raise UnreadableError(
                f"tf_keras {tf_keras.__version__} cannot load it: {reason}", hint
            ) from error
    refuse_other_than(tf_keras.layers.Layer, model, file.path)
    return model


def load_older(
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any],
    imported: Sequence[str],
    refusal: UnreadableError,
    *,
    trust: bool = False,
) -> Any:
    """Load with tf_keras what Keras 3 does not, where a Keras 1 or 2 wrote it.

    ``imported``: the modules that the user has imported for it; ``trust``: whether code that it
    holds may be run.

    Raises:
        UnreadableError: ``refusal``, which is that of Keras 3, or why tf_keras does not load the
            file either.
    """
    if producer is not None and not is_old(producer):
        raise refusal
    try:
        config = read_json(file).model
    except UnreadableError:
        raise refusal from None
    code = None if trust else foreign_code(config, imported, known_names(custom))
    if code == LAMBDA:
        raise UnreadableError(f"{file.path}: it holds {code}", LAMBDA_HINT)
    if code is not None:
        modules = foreign_modules(config, imported, known_names(custom)) or ("MODULE",)
        message = f"{file.path}: it uses {code}, which is not imported"
        raise UnreadableError(message, " ".join(f"--import {module}" for module in modules))
    if not is_installed():
        own = f"; and {refusal.hint}" if refusal.hint.startswith("--import") else ""
        raise UnreadableError(
            f"{file.path}: Keras {keras.__version__} cannot load it; {producer or 'a Keras 2'} "
            "wrote it, and tf_keras, the Keras 2 of today, is not installed",
            f"{install_command('keras2')}{own}",
        ) from refusal
    try:
        return load_keras2(file, producer, custom, imported, trust=trust)
    except UnreadableError as second:
        hint = _of_keras3(config, custom) or second.hint
        reason = second.message.removeprefix(f"{file.path}: ")
        if producer is None:
            raise UnreadableError(f"{refusal.message}; {reason}", hint) from second
        # Keras 3 is not meant to load it: what Keras 2 says is the reason.
        reason = reason.replace("cannot load it:", f"cannot load it (written by {producer}):", 1)
        raise UnreadableError(f"{file.path}: {reason}", hint) from second


def _of_keras3(config: object, custom: Mapping[str, Any]) -> str:
    """Say what helps where the user's classes are made for the Keras that TensorFlow now takes, and
    the file is one of Keras 2; empty where they are not."""
    classes = [custom.get(name) for name in class_names(config)]
    if os.environ.get(LEGACY) or not any(
        isinstance(item, type) and issubclass(item, keras.Layer) for item in classes
    ):
        return ""
    return f"set {LEGACY}=1: its own classes are made of tf.keras, which is Keras 3 without it"


def known_names(custom: Mapping[str, Any]) -> set[str]:
    """Return the names of the user's classes and functions: ``custom``, and what is registered with
    tf_keras."""
    module = sys.modules.get("tf_keras")
    return {*custom, *(module.saving.get_custom_objects() if module is not None else ())}


class Keras2Model(KerasModel):
    """A model of tf_keras."""

    def __init__(
        self,
        model: Any,
        producer: str | None = None,
        *,
        training: bool,
        is_file: bool = True,
        loss: LossChoice = OUTPUTS,
    ) -> None:
        """Describe ``model``.

        Args:
            model: the model.
            producer: what wrote its file; this tf_keras by default.
            training: the mode it is called in.
            is_file: whether it was loaded from a file.
            loss: whether the model's own loss is to be differentiated, or its outputs.

        Raises:
            NoWeightsError: it has no inputs, and none of its layers ever has a weight.
            InputError: it has no symbolic inputs, so that no batch can be guessed.
            UsageError: its loss is asked for, and it was not compiled.
        """
        import tf_keras

        if not model.inputs:
            if never_has_weights(model, tf_keras.Sequential, _inner_layers):
                raise NoWeightsError(f"model {model.name!r}: no weights")
            if not model.built and has_own_step(model):
                raise trains_its_parts(model, tf_keras.Model)
            raise InputError(
                f"model {model.name!r}: its inputs are not recorded, so that no batch can be made",
                "save it as a SavedModel, whose signature records them",
            )
        self._structure = getattr(model, "_nested_inputs", None)
        super().__init__(model, tf.nest, (tf_keras.layers.Layer,), training=training, loss=loss)
        layers = list(model._flatten_layers())
        embeddings = [
            layer.input_dim for layer in layers if isinstance(layer, tf_keras.layers.Embedding)
        ]
        self.producer = producer or f"tf_keras {tf_keras.__version__}"
        if is_file:
            self.entry += f", loaded by tf_keras {tf_keras.__version__}"
        self.inputs = tuple(
            TensorInfo(tensor.name, tensor.dtype.name, tuple(tensor.shape))
            for tensor in tf.nest.flatten(model.inputs)
        )
        self.id_limit = min(embeddings, default=None)
        self.knows_graph = bool(embeddings)
        self.layers = {layer.name: layer.name for layer in layers[1:]}
        self.watched = tuple(watched_in(model))
        self._states = {
            id(_plain(state))
            for layer in layers
            for state in tf.nest.flatten(getattr(layer, "states", None))
        }

    def forward(self, tensors: Sequence[Any]) -> Any:
        """Call the model; return its outputs in their structure."""
        return self.model(self.structured(tensors), training=self.is_training)

    def inner_layers(self, layer: Any) -> Iterable[Any]:
        """Return the layers right inside a layer."""
        return _inner_layers(layer)

    def plain(self, variable: Any) -> Any:
        """Return the ``tf.Variable`` behind one that mixed precision wraps."""
        return _plain(variable)

    def structured(self, tensors: Sequence[Any]) -> Any:
        """Return the tensors in the structure that the model is called with."""
        flat = list(tensors)
        if self._structure is not None:
            return tf.nest.pack_sequence_as(self._structure, flat)
        return flat[0] if len(flat) == 1 else flat

    def describe(self, variables: Sequence[Any]) -> Sequence[StoredVariable | None]:
        """Records of variables that the call reads and no layer tracks.

        The states of a stateful RNN are no weights, though they are made as trainable variables.
        """
        return [
            None if id(variable) in self._states else stored
            for variable, stored in zip(variables, super().describe(variables), strict=True)
        ]


def watched_in(model: Any) -> Iterator[Watched]:
    """Yield every variable once, in the order of the layers; one that any way to it leaves
    trainable is trained."""
    ways: dict[int, list[_Chain]] = {}
    owned: dict[int, tuple[Any, bool]] = {}
    for chain in chains(model, _inner_layers):
        layer = chain[-1]
        for variables, is_weight in (
            (layer._trainable_weights, True),
            (layer._non_trainable_weights, False),
        ):
            for variable in _tensors(variables):
                ways.setdefault(id(variable), []).append(chain)
                owned.setdefault(id(variable), (variable, is_weight))
    for variable in _tensors(model.weights):  # those of a tf.Module inside a layer
        owned.setdefault(id(variable), (variable, bool(variable.trainable)))
    counts = Counter(variable.name for variable, _ in owned.values())
    names: set[str] = set()
    for key, (variable, is_weight) in owned.items():
        paths = ways.get(key, [(model,)])
        name = str(variable.name).removesuffix(":0")
        if counts[variable.name] > 1:
            name = f"{name}@{'.'.join(layer.name for layer in paths[0][1:])}"
        while name in names:
            name += "'"
        names.add(name)
        yield Watched(_stored(variable, name, paths, is_weight), variable)


def _stored(variable: Any, name: str, paths: Sequence[_Chain], is_weight: bool) -> StoredVariable:
    dtype = variable.dtype.name
    role = Role.WEIGHT if is_weight and dtype in FLOATING_NAMES else Role.STATE
    frozen = [next((layer.name for layer in chain if not layer.trainable), None) for chain in paths]
    is_frozen = role is Role.WEIGHT and None not in frozen
    return StoredVariable(
        name=name,
        layer=name.rpartition("/")[0] or str(paths[0][-1].name),
        shape=tuple(variable.shape),
        dtype=dtype,
        role=role,
        trainable=role is Role.WEIGHT and not is_frozen,
        frozen_by=frozen[0] if is_frozen else None,
        declared_trainable=is_weight and dtype not in FLOATING_NAMES and None in frozen,
        layer_path="/".join([*(layer.name for layer in paths[0][1:]), name.rpartition("/")[2]]),
    )


def _inner_layers(layer: Any) -> Iterable[Any]:
    layers: Iterable[Any] = layer._flatten_layers(recursive=False, include_self=False)
    return layers


def _tensors(variables: Sequence[Any]) -> list[Any]:
    """Return the variables without the vocabularies of lookup layers, which tf_keras 2.21 lists
    among them."""
    return [variable for variable in map(_plain, variables) if isinstance(variable, tf.Variable)]


def _plain(variable: Any) -> Any:
    """Return the variable that mixed precision wraps: the tape knows no other."""
    return getattr(variable, "_variable", variable)
