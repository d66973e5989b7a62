"""Write the table of the classes and functions of Keras that a file may name.

Usage: ``python -m gradflow.tables.keras_safety``, with keras and tf_keras installed. Rows of names
that only other versions have are kept as they are.

A file names a class by its module and its name, and its modules were others from version to
version: what counts is the name. What is not in the table is refused, so that what a new Keras
brings is looked at before it is let in.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType, MappingProxyType
from typing import Any

import keras
import tf_keras

from gradflow.scan.keras.allowed_names import PATH, KerasName, Kind, parse, write

DENIED = MappingProxyType(
    {
        "TFSMLayer": "loads any SavedModel of this machine, and runs what it finds there",
        "ReloadedLayer": "loads any SavedModel of this machine, and runs what it finds there",
        "FlaxLayer": "runs Python code of another framework",
        "JaxLayer": "runs Python code of another framework",
        "TorchModuleWrapper": "unpickles what it is given, which runs any Python code",
        "FeatureSpace": "is no layer, and loads others by itself",
        **dict.fromkeys(
            "AssociativeScan Cond ForiLoop Map Scan Switch VectorizedMap WhileLoop".split(),
            "runs Python code of a file",
        ),
    }
)
"""Classes of Keras that do more than to compute, by name; Lambda is judged by the function that it
holds."""
_BASES = (
    "Layer layers.Layer Model Operation optimizers.Optimizer optimizers.legacy.Optimizer "
    "losses.Loss metrics.Metric "
    "optimizers.schedules.LearningRateSchedule initializers.Initializer "
    "regularizers.Regularizer Quantizer DTypePolicy "
    "constraints.Constraint mixed_precision.Policy random.SeedGenerator "
    "quantizers.QuantizationConfig "
    "dtype_policies.DTypePolicyMap"
)
_FUNCTIONS = (
    "activations",
    "losses",
    "metrics",
    "ops",
    "initializers",
    "regularizers",
    "constraints",
)
_ACTING = frozenset(
    "get deserialize serialize convert_to_numpy associative_scan cond custom_gradient "
    "fori_loop jvp map scan switch "
    "vectorize vectorized_map while_loop".split()
)
"""Functions of these modules that are no part of a model, or call a function that they are
given."""


def names() -> dict[tuple[Kind, str], KerasName]:
    """Return what the installed versions have, by kind and name."""
    rules: dict[tuple[Kind, str], KerasName] = {}
    for library in (keras, tf_keras):
        for kind, name in (*_classes(library), *_functions(library)):
            reason = DENIED.get(name) if kind is Kind.CLASS else None
            rules[kind, name] = KerasName(kind, name, reason is None, reason or "computes")
    return rules


def _classes(library: Any) -> Iterator[tuple[Kind, str]]:
    waiting = [base for path in _BASES.split() if (base := _at(library, path)) is not None]
    reached = set(waiting)
    while waiting:
        base = waiting.pop()
        if base.__module__.partition(".")[0] != library.__name__:
            continue  # somebody else's
        yield Kind.CLASS, base.__name__
        for subclass in base.__subclasses__():
            if subclass not in reached:
                reached.add(subclass)
                waiting.append(subclass)
    for module in (
        library.layers,
        library.optimizers,
        library.losses,
        library.metrics,
        library.initializers,
    ):
        for name, value in vars(module).items():
            if inspect.isclass(value):
                yield Kind.CLASS, name  # also under the names of earlier versions


def _functions(library: Any) -> Iterator[tuple[Kind, str]]:
    for path in _FUNCTIONS:
        for name, value in vars(_at(library, path) or object).items():
            if isinstance(value, FunctionType) and not name.startswith("_") and name not in _ACTING:
                yield Kind.FUNCTION, name


def _at(library: Any, path: str) -> Any:
    for part in path.split("."):
        library = getattr(library, part, None)
    return library


def main() -> None:
    """Write the table in its place."""
    older = parse(PATH.read_text(encoding="utf-8"))
    versions = f"Keras {keras.__version__}, tf_keras {tf_keras.__version__}"
    PATH.write_text(write({**older, **names()}.values(), versions), encoding="utf-8")


if __name__ == "__main__":
    main()
