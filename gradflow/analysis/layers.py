"""Find from the layers of a Keras file what its weights get, without TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradflow.analysis.unknown_ops import attribute_unknown
from gradflow.errors import DamagedError, GradflowError, UnreadableError, UsageError
from gradflow.files.keras.config import is_of_keras2
from gradflow.files.keras.losses import ADDED, MAY_ADD, SavedLoss, saved_loss
from gradflow.files.keras.reader import KerasContents, read_keras
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.findings import Input, Output, Role
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.flow.lower.call_output import Weight
from gradflow.flow.lower.layers import lower_layers
from gradflow.flow.lower.lowered_layers import LoweredLayers
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Objective, Options, refuse_outputs
from gradflow.text import quoted

OUTPUTS = "outputs"
_OWN_LOSS = "its loss {} is not Keras's own, so that the file does not tell what it does"


@dataclass(frozen=True, slots=True)
class LayerReading:
    """A Keras model as its layers tell of it."""

    graph: FlowGraph
    attributions: Mapping[str, Attribution]
    layers: Sequence[str | None]
    """The layer of each node."""
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    """Those that were asked for; all of them for a loss."""
    counting: tuple[Output, ...]
    """Those of them that count: a loss may not cover all."""
    objective: str
    unused_loss: str
    uncovered: Mapping[str, tuple[str, ...]]
    """As in ``Evidence``."""

    @property
    def is_of_loss(self) -> bool:
        """Return whether the output is the compiled loss."""
        return self.objective != OUTPUTS


def read_layers(file: ModelFile, path: str, options: Options) -> LayerReading:
    """Read what the layers of a Keras file tell of its gradients.

    Raises:
        GradflowError: the file is damaged or too large, or an option does not fit it.
    """
    lowered = _lowered(file, path, options.training)
    names = [output.name for output in lowered.outputs]
    refuse_outputs(options.outputs, names, f"{path}: ")
    loss, unused = _loss(file, path, names, options)
    inputs = tuple(
        Input(item.name, item.shape, item.dtype or "float32", "declared") for item in lowered.inputs
    )
    outputs = tuple(
        Output(item.name, item.shape, item.dtype or "float32")
        for item in lowered.outputs
        if not options.outputs or item.name in options.outputs
    )
    covered = dict.fromkeys(names, 1.0)
    if loss is not None:
        covered = {part.output: part.weight for part in loss.parts if part.losses}
    graph = lowered.graph(options.outputs) if loss is None else lowered.graph_of_loss(covered)
    attributions = attribute_unknown(graph)
    return LayerReading(
        graph=graph,
        attributions=attributions,
        layers=lowered.layers,
        inputs=inputs,
        outputs=outputs,
        counting=tuple(output for output in outputs if output.name in covered),
        objective=OUTPUTS if loss is None else loss.description(_added(lowered)),
        unused_loss=unused,
        uncovered={} if loss is None else _uncovered(lowered, loss, attributions),
    )


def second_answer(
    file: ModelFile,
    path: str,
    options: Options,
    loaded: Sequence[StoredVariable],
    *,
    is_of_loss: bool,
) -> Mapping[str, bool]:
    """Return whether the layers of a Keras file lead gradient to each weight of the ``loaded``
    model, by the names of those of which they tell it.

    ``is_of_loss``: whether the compiled loss was differentiated, or the outputs.
    """
    objective = Objective.COMPILED if is_of_loss else Objective.OUTPUTS
    try:
        stored = read_keras(file)
        reading = read_layers(file, path, replace(options, objective=objective))
    except GradflowError:  # what is wrong with the file, the library that loads it says
        return {}
    answers: dict[str, bool] = {}
    for variable in stored.variables:
        way = reading.attributions.get(variable.name)
        if variable.role is not Role.WEIGHT or way is None:
            continue
        if way.is_certain:
            answers[variable.name] = way.cuts_to_restore == 0
    names = {
        (variable.layer_path or variable.name, variable.shape): variable.name
        for variable in stored.variables
    }
    # A loaded model can have other names for the same weights: of an old HDF5 file, say.
    by_loaded = {item.name: names.get((item.layer_path, item.shape), item.name) for item in loaded}
    repeated = Counter(by_loaded.values())
    return {
        name: answers[known]
        for name, known in by_loaded.items()
        if known in answers and repeated[known] == 1
    }


def _lowered(file: ModelFile, path: str, training: bool) -> LoweredLayers:
    contents = read_keras(file)
    try:
        lowered = lower_layers(contents.model, _weights(contents), training=training)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error.message}", error.hint) from error
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error.message}", error.hint) from error
    version = (contents.producer or "").removeprefix("keras ")
    if contents.model.class_name != "Sequential" or is_of_keras2(version):
        return lowered
    # Keras 3 has no names for the outputs of a Sequential (3.15).
    numbered = [
        replace(output, name=f"output_{number}") for number, output in enumerate(lowered.outputs)
    ]
    return replace(lowered, outputs=numbered)


def _added(lowered: LoweredLayers) -> str:
    """Say what layers add to the loss; empty where none does."""
    if any(is_certain for _, is_certain in lowered.adding):
        return ADDED
    return MAY_ADD if lowered.adding else ""


def _weights(contents: KerasContents) -> list[Weight]:
    return [Weight(name, layer, below) for name, (layer, below) in contents.places.items()]


def _loss(
    file: ModelFile, path: str, outputs: Sequence[str], options: Options
) -> tuple[SavedLoss | None, str]:
    """Return the loss to differentiate, None for the outputs; why not the compiled one, where there
    is one.

    Raises:
        UsageError: the loss is asked for by name, and the file has none that it tells enough of.
    """
    if options.loss_seed is None:
        return None, ""
    is_asked = options.objective is Objective.COMPILED
    try:
        loss = saved_loss(file, outputs)
    except GradflowError:
        if is_asked:
            raise
        return None, ""
    if loss is not None and not loss.foreign:
        return loss, ""
    if loss is None:
        reason, hint = "the file was saved without a loss", "compile the model before it is saved"
    else:
        reason, hint = _OWN_LOSS.format(quoted(loss.foreign)), "measure it with TensorFlow"
    if is_asked:
        raise UsageError(f"{path}: --objective compiled: {reason}", hint)
    return None, "" if loss is None else reason


def _uncovered(
    lowered: LoweredLayers, loss: SavedLoss, attributions: Mapping[str, Attribution]
) -> Mapping[str, tuple[str, ...]]:
    """Return the outputs without a loss, for each weight that leads to them and not to the loss."""
    missing = [name for name, way in attributions.items() if way.cuts_to_restore is None]
    outputs: dict[str, list[str]] = {}
    for output in loss.uncovered if missing else ():
        ways = attribute_unknown(lowered.graph([output]))
        for name in missing:
            if ways[name].cuts_to_restore is not None:
                outputs.setdefault(name, []).append(output)
    return {name: tuple(leading) for name, leading in outputs.items()}
