"""Call a compiled Keras model for its loss on synthetic targets."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradflow.errors import GradflowError, InputError, UsageError
from gradflow.files.keras.losses import ADDED, describe
from gradflow.findings import Output
from gradflow.options import InputSpec
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.load.given_targets import given_sample_weights, given_targets
from gradflow.tape.load.keras_layers import is_of_keras
from gradflow.tape.load.loss_targets import Target, draw, target_of
from gradflow.tape.objective import LOSS, described

PREFIX = "--objective compiled: "
"""Before what is wrong with a loss."""
WITHOUT_LOSS = (
    "use no --objective compiled: gradflow then tests the way from the outputs to the weights, "
    "without the loss"
)
"""What else can be done where a loss that was asked for cannot be used."""
_REMEDY = "compile it with a loss before it is saved"
_OWN = (Target.SHARES, Target.IDS)
"""What a loss of the user's own is given, in this order, until it takes one."""


class NoLossError(UsageError):
    """A model that minimises no loss of its own."""


@dataclass(frozen=True, slots=True)
class LossChoice:
    """Whether a model's own loss is differentiated, and why not where it has one."""

    seed: int | None = None
    """Of the targets; None where the outputs are differentiated."""
    targets: tuple[InputSpec, ...] = ()
    """Those that the user gives."""
    sample_weights: tuple[InputSpec, ...] = ()
    """Those that the user gives."""
    unused: str = ""
    """Why the compiled loss is not used; empty where it is, or where there is none."""


OUTPUTS = LossChoice()


@dataclass(frozen=True, slots=True)
class OutputLoss:
    """What a compiled loss does with one output."""

    output: str
    losses: tuple[Any, ...]
    """As given to ``compile``; empty where none covers the output."""
    weight: float

    @property
    def target(self) -> Target | None:
        """What the first of the losses compares the output with; None for one of the user's own,
        and where there is none."""
        return target_of(self.losses[0]) if self.losses else None


@dataclass(slots=True)
class CompiledLoss:
    """The loss of a model of Keras 2 or 3, with the targets that were drawn for it last.

    Regularizers of weights are left out of it: what they alone move learns nothing of the data.
    """

    model: Any
    forward: Callable[[Sequence[Any]], Any]
    """Calls the model on a batch; returns the outputs in their structure."""
    structured: Callable[[Sequence[Any]], Any]
    """Returns the batch in the structure that the model is called with."""
    tree: Any
    """Of this Keras: ``flatten`` and ``pack_sequence_as``."""
    training: bool
    seed: int
    given: tuple[InputSpec, ...] = ()
    """The targets that the user gives."""
    given_weights: tuple[InputSpec, ...] = ()
    """The sample weights that the user gives."""
    parts: tuple[OutputLoss, ...] = ()
    """One for each output, in the order of the model, once it was called."""
    has_added: bool = False
    """Whether layers have added losses in the last call."""
    outputs: tuple[Output, ...] = ()
    """The model's outputs, once it was called."""
    _targets: list[Any] = field(default_factory=list)
    _sample_weight: Any = None

    @property
    def description(self) -> str:
        """``compiled: mse on head, weight 1.0``."""
        weighted = "; with the sample_weight given" if self.given_weights else ""
        if _is_own(self.model):
            return f"compiled: compute_loss of {type(self.model).__name__}{weighted}"
        covered = [part for part in self.parts if part.losses]
        described = describe(
            ((map(loss_name, part.losses), part.output, part.weight) for part in covered),
            ADDED if self.has_added else "",
            self.uncovered if covered else (),
        )
        return described + weighted

    @property
    def uncovered(self) -> tuple[str, ...]:
        """The outputs that no loss covers, by their names."""
        if _is_own(self.model):
            return ()
        return tuple(part.output for part in self.parts if not part.losses)

    @property
    def covered_outputs(self) -> tuple[Output, ...]:
        """The outputs through which alone it depends on the weights; none where nobody knows."""
        if _is_own(self.model) or self.has_added:
            return ()
        covered = {part.output for part in self.parts if part.losses}
        return tuple(output for output in self.outputs if output.name in covered)

    @property
    def has_made_up_targets(self) -> bool:
        """Return whether nobody knows which targets it takes: those that are drawn for it may be to
        blame for zeros."""
        if self.given:
            return False
        return _is_own(self.model) or any(
            part.losses and part.weight and part.target is None for part in self.parts
        )

    def __call__(self, tensors: Sequence[Any]) -> list[tuple[str, Any]]:
        """Return the loss as the only output.

        Raises:
            InputError: a loss of the user's own takes none of the targets.
            UsageError: there is no loss.
        """
        outputs = self.forward(tensors)
        inputs = self.structured(tensors)
        if not tf.executing_eagerly():  # while it is traced, after a step: sizes may not be known
            return [(LOSS, self._loss(inputs, outputs, self._targets))]
        before = [(variable, tf.identity(variable)) for variable in self._metrics()]
        try:
            return [(LOSS, self._tried(inputs, outputs))]
        finally:
            self._put_back(before)

    def _tried(self, inputs: Any, outputs: Any) -> Any:
        flat = self.tree.flatten(outputs)
        self.parts = parts_of(self.model, outputs, len(flat))
        self.outputs = tuple(
            described(part.output, tensor)
            for part, tensor in zip(self.parts, flat, strict=True)
            if tf.is_tensor(tensor)
        )
        names = [part.output for part in self.parts]
        if not isinstance(outputs, Mapping):
            _name_all_outputs(self.model, names)
        given = given_targets(self.given, names, flat)
        weights = given_sample_weights(self.given_weights, names, flat)
        self._sample_weight = (
            self.tree.pack_sequence_as(outputs, weights) if isinstance(weights, list) else weights
        )
        is_known = all(
            target is not None or part.target
            for part, target in zip(self.parts, given, strict=True)
        )
        refusal: Exception | None = None
        for own in _OWN[:1] if is_known else _OWN:
            self._targets = [
                draw(part.target or own, output, next(iter(part.losses), None), self.seed, number)
                if target is None
                else target
                for number, (output, part, target) in enumerate(
                    zip(flat, self.parts, given, strict=True)
                )
            ]
            try:
                return self._loss(inputs, outputs, self._targets)
            except GradflowError:
                raise
            except Exception as error:  # a loss of the user's own can raise anything at all
                refusal = refusal or error
        reason = first_line(refusal) if refusal else ""
        specs = {"y": self.given, "sample_weight": self.given_weights}
        words = " and ".join(name for name, some in specs.items() if some)
        if words:
            label = (*self.given, *self.given_weights)[0].label
            hint = f"give {words} as fit() takes it, with as many rows as x"
            raise InputError(
                f"{label} the model's loss refuses {words}: {reason}", hint
            ) from refusal
        raise InputError(
            f"the model's loss refuses synthetic targets: {reason}", otherwise=WITHOUT_LOSS
        ) from refusal

    def _loss(self, inputs: Any, outputs: Any, targets: list[Any]) -> Any:
        with without_regularizers(self.model):
            return self._data_loss(inputs, outputs, targets)

    def _data_loss(self, inputs: Any, outputs: Any, targets: list[Any]) -> Any:
        self.has_added = bool(self.model.losses)
        if not self.model.loss and not self.has_added and not _is_own(self.model):
            raise NoLossError(
                "the model was compiled without a loss and adds none itself (add_loss)",
                _REMEDY,
                WITHOUT_LOSS,
            )
        packed = self.tree.pack_sequence_as(outputs, targets)
        mode = (
            {"training": self.training}
            if "training" in _parameters(self.model.compute_loss)
            else {}
        )
        loss = self.model.compute_loss(
            x=inputs, y=packed, y_pred=outputs, sample_weight=self._sample_weight, **mode
        )
        if loss is None:
            raise UsageError("the model's loss is None", _REMEDY, WITHOUT_LOSS)
        return loss

    def _metrics(self) -> list[Any]:
        """Return the variables of metrics, which Keras updates along with the loss."""
        metrics: Iterable[Any] = getattr(self.model, "metrics", ())
        variables = [variable for metric in metrics for variable in metric.variables]
        return [
            variable if isinstance(variable, tf.Variable) else variable.value
            for variable in variables
        ]

    def _put_back(self, values: Sequence[tuple[Any, Any]]) -> None:
        before = {id(variable): value for variable, value in values}
        for variable in self._metrics():
            variable.assign(before.get(id(variable), tf.zeros_like(variable)))


def is_compiled(model: Any) -> bool:
    """Return whether a model of Keras 2 or 3 was compiled."""
    return bool(getattr(model, "compiled", False) or getattr(model, "_is_compiled", False))


def require_compiled(model: Any) -> None:
    """Raise UsageError where ``model`` was never compiled."""
    if not is_compiled(model):
        raise UsageError(
            f"{PREFIX}model {model.name!r} was not compiled, so that it has no loss",
            _REMEDY,
            WITHOUT_LOSS,
        )


def output_names(model: Any, outputs: Any) -> list[str]:
    """Return the names of a model's ``outputs``, as it returned them; those that it has on record
    where they are no dict."""
    if isinstance(outputs, dict):
        return sorted(outputs)
    return list(getattr(model, "output_names", None) or ())


def parts_of(model: Any, outputs: Any, count: int) -> tuple[OutputLoss, ...]:
    """Return what the compiled loss does with each of the ``count`` flat ``outputs``.

    Where nobody can tell which output a loss covers, all of them cover each.
    """
    names = output_names(model, outputs)
    if len(names) != count:
        names = [f"output_{number}" for number in range(count)]
    container = _container(model)
    losses = _by_output(model.loss, names)
    weights = _by_output(getattr(container, "_user_loss_weights", None), names)
    return tuple(
        OutputLoss(name, _flat(loss), _weight(weight))
        for name, loss, weight in zip(names, losses, weights, strict=True)
    )


def _container(model: Any) -> Any:
    """Return what ``compile`` has made of the losses of a model of Keras 3 or 2; None where it was
    not compiled."""
    return getattr(model, "_compile_loss", None) or getattr(model, "compiled_loss", None)


def _name_all_outputs(model: Any, names: Sequence[str]) -> None:
    """Write None into a dict of losses for each output that it leaves out.

    Keras 2 takes such a dict as it is. Keras 3.15 refuses it where the outputs are a list, and
    takes None.
    """
    container = getattr(model, "_compile_loss", None)
    losses = getattr(container, "_user_loss", None)
    if container is None or not isinstance(losses, Mapping) or not set(losses) < set(names):
        return
    container._user_loss = {name: losses.get(name) for name in names}
    weights = container._user_loss_weights
    if isinstance(weights, Mapping):
        container._user_loss_weights = {name: weights.get(name, 1.0) for name in names}


def _by_output(values: Any, names: Sequence[str]) -> list[Any]:
    """Losses or their weights, one for each output of ``names``."""
    if isinstance(values, Mapping):
        known = [values.get(name) for name in names]
        return known if set(values) <= set(names) else [list(values.values())] * len(names)
    if isinstance(values, (list, tuple)) and len(names) > 1 and len(values) > 1:
        return list(values) if len(values) == len(names) else [list(values)] * len(names)
    return [values] * len(names)


def _flat(loss: Any) -> tuple[Any, ...]:
    if isinstance(loss, (list, tuple)):
        return tuple(inner for item in loss for inner in _flat(item))
    if isinstance(loss, Mapping):
        return _flat(list(loss.values()))
    return () if loss is None else (loss,)


def _weight(weight: Any) -> float:
    """Return the weight of an output's losses; the first that is not 0 where there are several."""
    if isinstance(weight, (list, tuple)):
        return next((float(item) for item in weight if item), 0.0)
    return 1.0 if weight is None else float(weight)


def loss_name(loss: Any) -> str:
    """Return what a loss, as given to ``compile``, is called."""
    if isinstance(loss, str):
        return loss
    name = getattr(loss, "name", None) or getattr(loss, "__name__", None)
    return str(name or type(loss).__name__)


@contextlib.contextmanager
def without_regularizers(model: Any) -> Iterator[None]:
    """Take the regularizers off the weights of a model of Keras 2 or 3 for a while.

    What layers add of their activations stays.
    """
    variables = [
        (variable, variable.regularizer)
        for variable in model.trainable_weights
        if getattr(variable, "regularizer", None) is not None
    ]
    layers = [
        (layer, layer._callable_losses)
        for layer in model._flatten_layers()
        if getattr(layer, "_callable_losses", None)
    ]
    try:
        for variable, _ in variables:
            variable.regularizer = None
        for layer, _ in layers:
            layer._callable_losses = []
        yield
    finally:
        for variable, regularizer in variables:
            variable.regularizer = regularizer
        for layer, losses in layers:
            layer._callable_losses = losses


@contextlib.contextmanager
def loss_unchanged(model: Any) -> Iterator[None]:
    """Leave the loss of a model in memory as it was: Keras builds it for the first targets that it
    is called with."""
    container = _container(model)
    before = dict(vars(container)) if container is not None else {}
    lists = [(value, list(value)) for value in before.values() if isinstance(value, list)]
    try:
        yield
    finally:
        if container is not None:
            vars(container).clear()
            vars(container).update(before)
        for value, items in lists:
            value[:] = items


def has_own_step(model: Any) -> bool:
    """Return whether the model's class says itself what ``fit`` does with a batch."""
    return not is_of_keras(type(model).train_step)


def trains_itself(model: Any) -> bool:
    """Return whether ``model`` is a Keras model of a class with a ``train_step`` of its own."""
    return hasattr(type(model), "train_step") and has_own_step(model)


def trains_its_parts(model: Any, kind: type) -> InputError:
    """Return what to say of a model of the Keras class ``kind`` that has a ``train_step`` of its
    own and was never called."""
    parts = [
        f"gradflow.inspect(model.{name})"
        for name, part in vars(model).items()
        if isinstance(part, kind) and not name.startswith("_")
    ]
    return InputError(
        f"model {model.name!r}: its own train_step trains parts that its call, which gradflow "
        "differentiates, does not reach: it was never called",
        f"inspect each part: {', '.join(parts)}" if parts else "call it on a batch once",
    )


def _is_own(model: Any) -> bool:
    """Return whether the model's class computes its loss itself."""
    return not is_of_keras(type(model).compute_loss)


def _parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    return inspect.signature(function).parameters
