"""Call and trace a Keras model, of Keras 2 or 3: what the two have in common."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.files.model_file import StoredVariable
from gradflow.files.model_layer import ModelLayer
from gradflow.findings import Output, Role, Verdict
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.load.compiled_loss import (
    CompiledLoss,
    LossChoice,
    output_names,
    require_compiled,
)
from gradflow.tape.load.keras_layers import is_of_keras
from gradflow.tape.load.own_losses import movers
from gradflow.tape.load.shifted_layers import shifted_before_normalization
from gradflow.tape.load.untracked import describe_untracked, holding_layer
from gradflow.tape.loaded_model import (
    HALVES,
    OUTPUTS,
    SINGLE,
    Explanation,
    NamedTensors,
    Step,
    dense_parts,
)
from gradflow.tape.op_origins import noted_layers, noted_model_layers
from gradflow.tape.taped_model import TapedModel
from gradflow.tape.trace import Trace, trace


class KerasModel(TapedModel):
    """A model of Keras, called in one mode for its outputs or for its loss."""

    finds_untracked = True

    def __init__(
        self,
        model: Any,
        tree: Any,
        noted: Sequence[Any],
        *,
        training: bool,
        loss: LossChoice,
    ) -> None:
        """Keep ``model``.

        Args:
            model: the model.
            tree: of its Keras: ``flatten`` and ``pack_sequence_as``.
            noted: the classes whose calls are noted while it is traced, that of the layers last.
            training: the mode that it is called in.
            loss: whether the model's own loss is to be differentiated, or its outputs.

        Raises:
            UsageError: its loss is asked for, and it was not compiled.
        """
        self.model = model
        self.is_training = training
        self.entry = f"call(training={training})"
        self.unused_loss = loss.unused
        self.has_own_code = any(_is_own_code(layer) for layer in model._flatten_layers())
        self.epsilon = max(
            HALVES.get(layer.compute_dtype or "", SINGLE) for layer in model._flatten_layers()
        )
        self._tree = tree
        self._noted = noted
        self._loss: CompiledLoss | None = None
        if loss.seed is not None:
            require_compiled(model)
            self._loss = CompiledLoss(
                model,
                self.forward,
                self.structured,
                tree,
                training=training,
                seed=loss.seed,
                given=loss.targets,
                given_weights=loss.sample_weights,
            )

    @property
    def objective(self) -> str:
        """``outputs``, or the loss that was differentiated."""
        return OUTPUTS if self._loss is None else self._loss.description

    @property
    def is_of_loss(self) -> bool:
        """Return whether the loss is differentiated."""
        return self._loss is not None

    @property
    def uncovered(self) -> Sequence[str]:
        """The outputs that the loss does not cover, once it was called."""
        return () if self._loss is None else self._loss.uncovered

    @property
    def has_made_up_targets(self) -> bool:
        """Return whether nobody knows which targets the loss takes, as it is the user's own."""
        return self._loss is not None and self._loss.has_made_up_targets

    @property
    def own_outputs(self) -> Sequence[Output]:
        """The outputs of the model whose loss was stepped; see ``LoadedModel``."""
        return () if self._loss is None else self._loss.outputs

    @property
    def covered_outputs(self) -> Sequence[Output]:
        """Those of them that the loss depends on alone; see ``LoadedModel``."""
        return () if self._loss is None else self._loss.covered_outputs

    def on_outputs(self, reason: str) -> KerasModel:
        """Return the same model with its outputs to differentiate; ``reason``: why not its loss."""
        model = copy.copy(self)
        model._loss, model.unused_loss = None, reason
        return model

    @abstractmethod
    def forward(self, tensors: Sequence[Any]) -> Any:
        """Call the model; return its outputs in their structure."""

    @abstractmethod
    def inner_layers(self, layer: Any) -> Iterable[Any]:
        """Return the layers right inside a layer."""

    @abstractmethod
    def plain(self, variable: Any) -> Any:
        """Return the ``tf.Variable`` behind a variable of Keras: the tape knows no other."""

    @abstractmethod
    def structured(self, tensors: Sequence[Any]) -> Any:
        """Return the tensors in the structure that the model is called with."""

    def call(self, tensors: Sequence[Any]) -> NamedTensors:
        """Call the model on ``tensors``, in the order of ``inputs``; return its outputs, or its
        loss alone."""
        return self._outputs(tensors) if self._loss is None else self._loss(tensors)

    def explain(self, step: Step, options: Options, progress: Progress) -> Explanation:
        """Also find the weights that only a loss inside the model moves; see ``LoadedModel``."""
        explanation = super().explain(step, options, progress)
        missing = {
            item.stored.name: item.variable
            for item in step.watched
            if item.variable is not None
            and item.stored.role is Role.WEIGHT
            and item.stored.trainable
            and explanation.measured[item.stored.name].verdict in (Verdict.NONE, Verdict.ZERO)
        }
        if not missing:
            return explanation
        tensors = step.batch.tensors
        return replace(
            explanation, movers=movers(self.model, lambda: self.forward(tensors), missing)
        )

    def trace(self, batch: Sequence[Any]) -> Trace:
        """Trace the call, and note the layer of each op."""
        with noted_layers(self.model, self._noted) as notes:
            return trace(self.call, batch, notes)

    def trace_outputs(self, batch: Sequence[Any]) -> Trace:
        """As ``trace``, of the outputs alone where a loss is stepped."""
        with noted_layers(self.model, self._noted) as notes:
            return trace(self._outputs, batch, notes)

    def describe(self, variables: Sequence[Any]) -> Sequence[StoredVariable | None]:
        """Records of variables that the call reads and no layer tracks."""
        return describe_untracked(variables, lambda variable: holding_layer(self.model, variable))

    def model_layers(self) -> Mapping[str, ModelLayer]:
        """Return the class of each layer, and what it stands in."""
        weights = [item for item in self.watched if item.stored.role is Role.WEIGHT]
        owners = {id(item.variable): item.stored.layer for item in weights}

        def owner_name(layer: Any) -> str | None:
            inner = {id(item) for part in self.inner_layers(layer) for item in part.variables}
            own = (item for item in layer.variables if id(item) not in inner)
            return next(filter(None, (owners.get(id(self.plain(item))) for item in own)), None)

        return noted_model_layers(self.model, self.inner_layers, owner_name)

    def shifted_before_normalization(self) -> Mapping[str, str]:
        """Return the biases whose shift is subtracted again, as it is in training."""
        if not self.is_training:
            return {}
        names = {id(item.variable): item.stored.name for item in self.watched}
        layers = self.model._flatten_layers(include_self=False)
        shifted = (
            (names.get(id(self.plain(bias))), remover)
            for bias, remover in shifted_before_normalization(layers)
        )
        return {name: remover for name, remover in shifted if name is not None}

    def _outputs(self, tensors: Sequence[Any]) -> NamedTensors:
        outputs = self.forward(tensors)
        flat = [tensor for tensor in self._tree.flatten(outputs) if tensor is not None]
        names = output_names(self.model, outputs)
        if len(names) != len(flat):
            names = [f"output_{position}" for position in range(len(flat))]
        named = zip(_unique(names), flat, strict=True)
        return [part for name, value in named for part in dense_parts(name, value)]


def _is_own_code(layer: Any) -> bool:
    """Whether a layer's call is not Keras's own: the user's, or what a Lambda holds."""
    return not is_of_keras(layer) or type(layer).__name__ == "Lambda"


def _unique(names: Sequence[str]) -> list[str]:
    """Number the names that repeat: ``a``, ``a_1``, ``a_2``."""
    counts: Counter[str] = Counter()
    numbered = []
    for name in names:
        counts[name] += 1
        numbered.append(name if counts[name] == 1 else f"{name}_{counts[name] - 1}")
    return numbered
