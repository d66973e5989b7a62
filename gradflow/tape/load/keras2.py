"""A Keras file that Keras 2 wrote, or a Keras 2 model in memory, in; a Subject out. Keras 2 lives
on as tf_keras."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from gradflow.errors import InputError, UnreadableError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.keras.code import LAMBDA, foreign_code
from gradflow.files.keras.keras2_archive import relaid
from gradflow.files.keras.opened import read_json
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Format, Role
from gradflow.installed import install_command
from gradflow.tape.load.compiled_loss import CompiledLoss, require_compiled
from gradflow.tape.load.error_messages import LAMBDA_HINT, is_old, keras_refusal, refuse_other_than
from gradflow.tape.load.keras3 import unique
from gradflow.tape.load.keras_inputs import learner
from gradflow.tape.load.untracked import describer, holding_layer
from gradflow.tape.loaded_model import HALVES, SINGLE, Subject, Watched
from gradflow.tape.op_origins import noted_layers
from gradflow.tape.trace import Trace, trace

_SUFFIX = {Format.KERAS: ".keras", Format.H5: ".h5"}
_Chain = tuple[Any, ...]


def is_installed() -> bool:
    """Whether tf_keras can be imported."""
    return importlib.util.find_spec("tf_keras") is not None


def is_keras2(model: Any) -> bool:
    """Whether ``model`` is a model of tf_keras, told without importing it."""
    module = sys.modules.get("tf_keras")
    return module is not None and isinstance(model, module.Model)


def load_keras2(
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any] = MappingProxyType({}),
    *,
    trust: bool = False,
) -> Any:
    """Load a Keras file with tf_keras, without compiling it. Its configuration must hold no foreign
    code.

    Args:
        file: the model.
        producer: what wrote it.
        custom: classes and functions of the user's, by the names that the file may have for them.
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
            reason, hint = keras_refusal(error, producer)
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
        message = f"{file.path}: it uses {code}, which is not imported"
        raise UnreadableError(message, "--import MODULE, the module that defines it")
    if not is_installed():
        own = f"; {refusal.hint}, if it is your own" if refusal.hint.startswith("--import") else ""
        raise UnreadableError(
            refusal.message, f"{install_command('keras2')} for the Keras 2 that wrote it{own}"
        )
    try:
        return load_keras2(file, producer, custom, trust=trust)
    except UnreadableError as second:
        if refusal.message.endswith(second.message.partition(": ")[2]):
            raise refusal from second
        raise UnreadableError(f"{refusal.message}; {second.message}", second.hint) from second


def known_names(custom: Mapping[str, Any]) -> set[str]:
    """The names of the user's classes and functions: ``custom``, and what is registered with
    tf_keras."""
    module = sys.modules.get("tf_keras")
    return {*custom, *(module.saving.get_custom_objects() if module is not None else ())}


def keras2_subject(
    model: Any,
    producer: str | None,
    training: bool,
    is_file: bool = True,
    loss_seed: int | None = None,
) -> Subject:
    """Describe a model of tf_keras.

    ``loss_seed``: of the targets, where the model's own loss is to be differentiated; None for its
    outputs.

    Raises:
        InputError: it has no symbolic inputs, so that no batch can be guessed.
        UsageError: its loss is asked for, and it was not compiled.
    """
    import tf_keras

    if not model.inputs:
        raise InputError(
            f"model {model.name!r}: its inputs are not recorded, so that no batch can be made",
            "save it as a SavedModel, whose signature records them",
        )
    inputs = tuple(
        TensorInfo(tensor.name, tensor.dtype.name, tuple(tensor.shape))
        for tensor in tf.nest.flatten(model.inputs)
    )
    structure = getattr(model, "_nested_inputs", None)

    def structured(tensors: Sequence[Any]) -> Any:
        flat = list(tensors)
        if structure is not None:
            return tf.nest.pack_sequence_as(structure, flat)
        return flat[0] if len(flat) == 1 else flat

    def forward(tensors: Sequence[Any]) -> Any:
        return model(structured(tensors), training=training)

    def named(tensors: Sequence[Any]) -> list[tuple[str, Any]]:
        return _named_outputs(model, forward(tensors))

    call: Callable[[Sequence[Any]], list[tuple[str, Any]]] = named
    if loss_seed is not None:
        require_compiled(model)
        call = CompiledLoss(model, forward, structured, tf.nest, training, loss_seed)

    def tracing(
        batch: Sequence[Any], function: Callable[[Sequence[Any]], list[tuple[str, Any]]] = call
    ) -> Trace:
        with noted_layers(model, (tf_keras.layers.Layer,)) as notes:
            return trace(function, batch, notes)

    layers = list(model._flatten_layers())
    embeddings = [
        layer.input_dim for layer in layers if isinstance(layer, tf_keras.layers.Embedding)
    ]
    loader = f", loaded by tf_keras {tf_keras.__version__}" if is_file else ""
    return Subject(
        producer=producer or f"tf_keras {tf_keras.__version__}",
        entry=f"call(training={training}){'' if loss_seed is None else ', compiled loss'}{loader}",
        inputs=inputs,
        id_limit=min(embeddings, default=None),
        call=call,
        watched=tuple(_watched(model)),
        trace=tracing,
        layers={layer.name: layer.name for layer in layers[1:]},
        epsilon=max(HALVES.get(layer.compute_dtype or "", SINGLE) for layer in layers),
        is_training=training,
        describe=_describe_weights(model),
        learn=learner(lambda batch: tracing(batch, named), inputs),
        knows_graph=bool(embeddings),
    )


def _describe_weights(model: Any) -> Callable[[Sequence[Any]], list[StoredVariable | None]]:
    """Describe untracked variables; the states of a stateful RNN are none, though they are made as
    trainable ones."""
    describe = describer(lambda variable: holding_layer(model, variable))
    layers = model._flatten_layers()
    states = {
        id(_plain(one))
        for layer in layers
        for one in tf.nest.flatten(getattr(layer, "states", None))
    }

    def describe_weights(variables: Sequence[Any]) -> list[StoredVariable | None]:
        return [
            None if id(one) in states else described
            for one, described in zip(variables, describe(variables), strict=True)
        ]

    return describe_weights


def _named_outputs(model: Any, outputs: Any) -> list[tuple[str, Any]]:
    flat = [value for value in tf.nest.flatten(outputs) if value is not None]
    names = (
        sorted(outputs)
        if isinstance(outputs, dict)
        else list(getattr(model, "output_names", None) or ())
    )
    if len(names) != len(flat):
        names = [f"output_{place}" for place in range(len(flat))]
    return list(zip(unique(names), flat, strict=True))


def _watched(model: Any) -> Iterator[Watched]:
    """Every variable once, in the order of the layers; one that any way to it leaves trainable is
    trained."""
    ways: dict[int, list[_Chain]] = {}
    owned: dict[int, tuple[Any, bool]] = {}
    for chain in _chains(model):
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
    names = Counter(variable.name for variable, _ in owned.values())
    taken: set[str] = set()
    for key, (variable, is_weight) in owned.items():
        chains = ways.get(key, [(model,)])
        name = str(variable.name).removesuffix(":0")
        if names[variable.name] > 1:
            name = f"{name}@{'.'.join(layer.name for layer in chains[0][1:])}"
        while name in taken:
            name += "'"
        taken.add(name)
        yield Watched(_stored(variable, name, chains, is_weight), variable)


def _stored(variable: Any, name: str, chains: Sequence[_Chain], is_weight: bool) -> StoredVariable:
    dtype = variable.dtype.name
    role = Role.WEIGHT if is_weight and dtype in FLOATING_NAMES else Role.STATE
    frozen = [
        next((layer.name for layer in chain if not layer.trainable), None) for chain in chains
    ]
    is_frozen = role is Role.WEIGHT and None not in frozen
    return StoredVariable(
        name=name,
        layer=name.rpartition("/")[0] or str(chains[0][-1].name),
        shape=tuple(variable.shape),
        dtype=dtype,
        role=role,
        trainable=role is Role.WEIGHT and not is_frozen,
        frozen_by=frozen[0] if is_frozen else None,
        layer_path="/".join([*(layer.name for layer in chains[0][1:]), name.rpartition("/")[2]]),
    )


def _chains(model: Any) -> Iterator[_Chain]:
    """Every layer with the layers around it, outermost first; a shared layer comes once for each
    place."""
    stack: list[_Chain] = [(model,)]
    while stack:
        chain = stack.pop()
        yield chain
        inner = [
            one
            for one in chain[-1]._flatten_layers(recursive=False, include_self=False)
            if one not in chain
        ]
        stack.extend((*chain, layer) for layer in reversed(inner))


def _tensors(variables: Sequence[Any]) -> list[Any]:
    """The variables without the vocabularies of lookup layers, which tf_keras 2.21 lists among
    them."""
    return [one for one in map(_plain, variables) if isinstance(one, tf.Variable)]


def _plain(variable: Any) -> Any:
    """The variable that mixed precision wraps: the tape knows no other."""
    return getattr(variable, "_variable", variable)
