"""Read from a Keras file which loss it was compiled with, as far as that is one of Keras's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gradflow.files.keras.config import snake_case
from gradflow.files.keras.opened import training_json
from gradflow.files.model_file import ModelFile
from gradflow.lazy_dataclass import dataclass

_OWN = frozenset(
    "binary_crossentropy bce binary_focal_crossentropy categorical_crossentropy crossentropy ce "
    "categorical_focal_crossentropy categorical_generalized_cross_entropy categorical_hinge circle "
    "cosine_similarity ctc dice hinge huber huber_loss kl_divergence kld "
    "kullback_leibler_divergence log_cosh logcosh mean_absolute_error mae "
    "mean_absolute_percentage_error mape mean_squared_error mse mean_squared_logarithmic_error "
    "msle poisson sparse_categorical_crossentropy squared_hinge tversky".split()
)
"""Losses of Keras, in snake case; each passes gradient to what it is given (Keras 3.15, tf_keras
2.21: losses/losses.py)."""
ADDED = "losses that layers add (add_loss)"
"""What a description says of them."""
MAY_ADD = "losses that layers may add (add_loss)"
_PACKAGES = ("keras", "tf_keras", "builtins")


@dataclass(frozen=True, slots=True)
class OutputLoss:
    """What the compiled loss does with one output."""

    output: str
    losses: tuple[str, ...]
    """Their names; empty where none covers the output."""
    weight: float


@dataclass(frozen=True, slots=True)
class SavedLoss:
    """The loss that a file records."""

    parts: tuple[OutputLoss, ...]
    """One for each output, in the order of the model."""
    foreign: str = ""
    """The first loss that is not Keras's own; empty where all are."""

    def description(self, added: str = "") -> str:
        """``compiled: mse on head, weight 1.0``; ``added`` says what layers add to it."""
        covered = [part for part in self.parts if part.losses]
        return describe(
            ((part.losses, part.output, part.weight) for part in covered), added, self.uncovered
        )

    @property
    def uncovered(self) -> tuple[str, ...]:
        """The outputs that no loss covers."""
        return tuple(part.output for part in self.parts if not part.losses)


def describe(
    covered: Iterable[tuple[Iterable[str], str, float]], added: str, uncovered: Iterable[str]
) -> str:
    """Return what a report calls a compiled loss: ``compiled: mse on head, weight 1.0``.

    Args:
        covered: the names of the losses on an output, its name and the weight.
        added: what layers add to it; empty for nothing.
        uncovered: the outputs that no loss covers.
    """
    words = [
        f"{' and '.join(names)} on {output}, weight {weight!r}" for names, output, weight in covered
    ]
    left_out = (f"none on {name}" for name in uncovered)
    return f"compiled: {'; '.join([*words, *filter(None, [added]), *left_out])}"


def saved_loss(file: ModelFile, outputs: Sequence[str]) -> SavedLoss | None:
    """Return the loss of a model with the outputs called ``outputs``; None where the file records
    none.

    Raises:
        UnreadableError: the file is damaged.
    """
    training = training_json(file)
    if not isinstance(training, Mapping):
        return None
    recorded, weights = training.get("loss"), training.get("loss_weights")
    by_output = _by_output(recorded, outputs)
    named = [tuple(_flat(loss)) for loss in by_output]
    if not any(named):
        return None
    scales = [_weight(weight) for weight in _by_output(weights, outputs)]
    parts = tuple(
        OutputLoss(name, tuple(_name(loss) for loss in losses), scale)
        for name, losses, scale in zip(outputs, named, scales, strict=True)
    )
    foreign = next((_name(loss) for losses in named for loss in losses if not _is_own(loss)), "")
    return SavedLoss(parts, foreign)


def _by_output(values: object, names: Sequence[str]) -> Sequence[object]:
    """Return losses or their weights, one for each output of ``names``."""
    if isinstance(values, Mapping) and not _is_object(values):
        known = [values.get(name) for name in names]
        return known if set(values) <= set(names) else [list(values.values())] * len(names)
    if isinstance(values, list) and len(names) > 1 and len(values) > 1:
        return values if len(values) == len(names) else [values] * len(names)
    return [values] * len(names)


def _flat(loss: object) -> Iterator[object]:
    """Yield the losses in a structure of them."""
    waiting = [loss]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, Mapping) and not _is_object(item):
            waiting += reversed(list(item.values()))
        elif item is not None:
            yield item


def _is_object(value: Mapping[object, object]) -> bool:
    return isinstance(value.get("class_name"), str) and "config" in value


def _name(loss: object) -> str:
    """Return what a loss is called, as the loaded one would be."""
    if not isinstance(loss, Mapping):
        return str(loss)
    config = loss.get("config")
    if isinstance(config, Mapping) and isinstance(config.get("name"), str):
        return str(config["name"])
    return config if isinstance(config, str) else snake_case(str(loss.get("class_name")))


def _is_own(loss: object) -> bool:
    if isinstance(loss, str):
        return loss in _OWN or loss.lower() in _OWN or snake_case(loss) in _OWN
    if not isinstance(loss, Mapping):
        return False
    module, registered = loss.get("module"), loss.get("registered_name")
    if isinstance(module, str) and module.partition(".")[0] not in _PACKAGES:
        return False
    class_name, config = str(loss.get("class_name")), loss.get("config")
    if class_name == "function":
        return isinstance(config, str) and config in _OWN
    is_named = ">" in class_name or (isinstance(registered, str) and ">" in registered)
    return not is_named and snake_case(class_name) in _OWN


def _weight(weight: object) -> float:
    """Return the weight of an output's losses; the first that is not 0 where there are several."""
    if isinstance(weight, list):
        return next(
            (float(item) for item in weight if isinstance(item, (int, float)) and item), 0.0
        )
    return float(weight) if isinstance(weight, (int, float)) else 1.0
