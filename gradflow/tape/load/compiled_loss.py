"""Call a compiled Keras model for its loss on synthetic targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradflow.errors import GradflowError, InputError, UsageError
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.load.loss_targets import Target, draw, target_of
from gradflow.tape.objective import LOSS

_HINT = "compile it with a loss before it is saved, or use no --objective compiled"
_OWN = (Target.SHARES, Target.IDS)
"""What a loss of the user's own is given, in this order, until it takes one."""


@dataclass(slots=True)
class CompiledLoss:
    """The loss of a model of Keras 2 or 3, with the targets that were drawn for it last."""

    model: Any
    forward: Callable[[Sequence[Any]], Any]
    """Calls the model on a batch; returns the outputs in their structure."""
    structured: Callable[[Sequence[Any]], Any]
    """Returns the batch in the structure that the model is called with."""
    tree: Any
    """Of this Keras: ``flatten`` and ``pack_sequence_as``."""
    training: bool
    seed: int
    _targets: list[Any] = field(default_factory=list)

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
        losses = _by_output(self.model, outputs, len(flat))
        targets = [target_of(loss) for loss in losses]
        refusal: Exception | None = None
        for own in _OWN if None in targets else _OWN[:1]:
            self._targets = [
                draw(target or own, output, loss, self.seed, number)
                for number, (output, loss, target) in enumerate(
                    zip(flat, losses, targets, strict=True)
                )
            ]
            try:
                return self._loss(inputs, outputs, self._targets)
            except GradflowError:
                raise
            except Exception as error:  # a loss of the user's own can raise anything at all
                refusal = refusal or error
        raise InputError(
            f"the model's loss refuses synthetic targets: {first_line(refusal) if refusal else ''}",
            "use no --objective compiled: gradflow then tests the way from the outputs to the "
            "weights, without the loss",
        ) from refusal

    def _loss(self, inputs: Any, outputs: Any, targets: list[Any]) -> Any:
        if not self.model.loss and not self.model.losses and not _is_own(self.model):
            raise UsageError(
                "the model was compiled without a loss and adds none itself (add_loss)", _HINT
            )
        packed = self.tree.pack_sequence_as(outputs, targets)
        mode = (
            {"training": self.training}
            if "training" in _parameters(self.model.compute_loss)
            else {}
        )
        loss = self.model.compute_loss(
            x=inputs, y=packed, y_pred=outputs, sample_weight=None, **mode
        )
        if loss is None:
            raise UsageError("the model's loss is None", _HINT)
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


def require_compiled(model: Any) -> None:
    """Raise UsageError where ``model`` was never compiled."""
    if not (getattr(model, "compiled", False) or getattr(model, "_is_compiled", False)):
        raise UsageError(
            f"--objective compiled: model {model.name!r} was not compiled, so that it has no loss",
            _HINT,
        )


def output_names(model: Any, outputs: Any) -> list[str]:
    """Return the names of a model's ``outputs``, as it returned them; those that it has on record
    where they are no dict."""
    if isinstance(outputs, dict):
        return sorted(outputs)
    return list(getattr(model, "output_names", None) or ())


def _by_output(model: Any, outputs: Any, count: int) -> list[Any]:
    """Return the loss of each flat output, None where it has none or where the model computes its
    own."""
    loss = model.loss
    if isinstance(loss, Mapping):
        losses = [loss.get(name) for name in output_names(model, outputs)]
    elif isinstance(loss, (list, tuple)):
        losses = list(loss) if len(loss) != 1 else list(loss) * count
    else:
        losses = [loss] * count
    return losses if len(losses) == count else [None] * count


def _is_own(model: Any) -> bool:
    """Return whether the model's class computes its loss itself."""
    return str(type(model).compute_loss.__module__).partition(".")[0] not in ("keras", "tf_keras")


def _parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    return inspect.signature(function).parameters
