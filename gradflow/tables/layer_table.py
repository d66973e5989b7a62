"""Write the layer table of gradflow/ops/: how gradient passes through the layers of Keras.

Usage: ``python -m gradflow.tables.layer_table [KEY...]``, with keras and tf_keras installed: of all
classes, in some twenty minutes, or of those that are named, the other rows being kept. Rows of
classes that only other versions have are kept as well.

Each class is built in the configurations of ``layer_recipes``, ``operation_recipes`` and
``function_recipes``, and called. Of a configuration on which walk and tape disagree, no row
speaks.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
import tf_keras
from keras.src.ops.operation import Operation

from gradflow.ops import layer_rows
from gradflow.tables.function_recipes import functions
from gradflow.tables.layer_groups import Row, rows_of
from gradflow.tables.layer_recipes import ABSTRACT, COMPOSED, OUTSIDE
from gradflow.tables.layer_trials import (
    Failure,
    Trial,
    activation_trials,
    function_trials,
    key_of,
    trials,
)

_WITHOUT_RECIPE = frozenset({"DenseFeatures", "AbstractRNNCell", "InputSpec"})


def layer_classes() -> dict[str, Any]:
    """Return the classes of layers of the installed Keras that are to have rows, by name."""
    return {
        found.__name__: found
        for found in _below(keras.Layer)
        if found.__name__ not in ABSTRACT | COMPOSED | OUTSIDE.keys()
    }


def older_classes() -> dict[str, Any]:
    """Return the classes of layers of tf_keras that are to have rows, by name."""
    skipped = ABSTRACT | COMPOSED | OUTSIDE.keys() | _WITHOUT_RECIPE
    return {
        name: member
        for name, member in vars(tf_keras.layers).items()
        if inspect.isclass(member)
        and issubclass(member, tf_keras.layers.Layer)
        and member.__name__ == name
        and name not in skipped
    }


def operation_classes() -> dict[str, Any]:
    """Return the classes of operations that are to have rows, as the table writes them."""
    return {
        key_of(found): found
        for found in _below(Operation)
        if not issubclass(found, keras.Layer)
        and key_of(found) not in layer_classes()
        and found.__name__ not in ABSTRACT | COMPOSED | OUTSIDE.keys()
    }


def _below(base: Any) -> Iterator[Any]:
    waiting, reached = [base], {base}
    while waiting:
        found = waiting.pop()
        for derived in found.__subclasses__():
            if derived not in reached and derived.__module__.startswith("keras."):
                reached.add(derived)
                waiting.append(derived)
                yield derived


def all_trials(keys: Collection[str] = ()) -> Iterator[tuple[str, list[Trial]]]:
    """Yield each class with its measured calls.

    Args:
        keys: the classes, as the table writes them; all where none is named.
    """
    older, named = older_classes(), layer_classes()
    for name in sorted({*older, *named}):
        if not keys or name in keys:
            classes = [family[name] for family in (named, older) if name in family]
            yield name, _measured(trial for found in classes for trial in trials(found))
    for key, found in sorted(operation_classes().items()):
        if not keys or key in keys:
            yield key, _measured(trials(found))
    if not keys or any(key.startswith("activations.") for key in keys):
        by_key: dict[str, list[Trial]] = {}
        for trial in _measured(activation_trials()):
            by_key.setdefault(trial.key, []).append(trial)
        yield from by_key.items()
    for name, function in sorted(functions().items()):
        if not keys or f"tf.{name}" in keys:
            yield f"tf.{name}", _measured(function_trials(name, function))


def _measured(outcomes: Iterable[Trial | Failure]) -> list[Trial]:
    """Return the calls that could be made."""
    return [outcome for outcome in outcomes if isinstance(outcome, Trial)]


def main(keys: Sequence[str] = ()) -> None:
    """Write the table in its place."""
    rows: list[Row] = []
    for key, measured in all_trials(keys):
        if measured:
            rows += rows_of(key, measured)
    written = {row["class"] for row in rows}
    kept = [row for row in layer_rows.all_rows() if row["class"] not in written]
    notes = [
        "# Written by python -m gradflow.tables.layer_table; gradflow/ops/layer_rows.py reads it.",
        f"# Keras {keras.__version__}, tf_keras {tf_keras.__version__}, "
        f"TensorFlow {tf.__version__}.",
    ]
    layer_rows.PATH.write_text(layer_rows.render([*rows, *kept], notes), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
