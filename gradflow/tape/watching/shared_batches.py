"""Read each batch of an iterator once, and give it to a second run too.

What a function reads that is no argument of its own cannot be read twice: a second run would take
the user's next batch.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import tensorflow as tf

from gradflow.tape.op_origins import reached
from gradflow.tape.watching.training_graphs import Handles

_TAKING = ("IteratorGetNext", "MultiDeviceIteratorGetNext", "QueueDequeue", "Unstage", "MapUnstage")
"""How the types of ops begin that take something out of a resource."""
_DRAWN = (b"Shuffle", b"Random", b"Sample")
"""What stands in the graph of a dataset that draws numbers: further ones in each pass over it."""


@dataclass(frozen=True, slots=True)
class Untapped:
    """An iterator whose batches cannot be kept."""

    iterator: Any


class _Tap:
    """Keeps what is read from an iterator."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._pulled: list[Any] = []

    def reading(self) -> Any:
        """Return an iterator over the rest of the user's, of which each batch is kept."""

        def pull() -> Iterator[Any]:
            for batch in self._iterator:
                self._pulled.append(batch)
                yield batch

        return self._over(pull)

    def again(self) -> Any:
        """Return an iterator over what was read."""
        return self._over(lambda: iter(list(self._pulled)))

    def _over(self, batches: Callable[[], Iterator[Any]]) -> Any:
        spec = self._iterator.element_spec
        dataset = tf.data.Dataset.from_generator(batches, output_signature=spec)
        options = tf.data.Options()
        # Nothing may be read ahead: the user's next step is to get that batch.
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        options.experimental_optimization.inject_prefetch = False
        return iter(dataset.with_options(options))


_pulled: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
"""What was read from each Python generator: Keras 3.3 gives the batch of ``train_on_batch`` as
one."""


def tapped(item: Any) -> Any:
    """Return ``item``, where it is an iterator one that gives the same and keeps what it gave."""
    if isinstance(item, GeneratorType):
        return _tapped_generator(item)
    if isinstance(item, tf.distribute.DistributedIterator) or not isinstance(
        item, tf.data.Iterator
    ):
        return item
    tap = _Tap(item)
    try:
        reading = tap.reading()
    except (TypeError, ValueError):  # batches of a kind that a generator cannot give
        return item
    reading._gradflow_tap = tap
    return reading


def _tapped_generator(generator: Any) -> Any:
    pulled: list[Any] = []

    def reading() -> Iterator[Any]:
        for part in generator:
            pulled.append(part)
            yield part

    tapped = reading()
    _pulled[tapped] = pulled
    return tapped


def replayed(item: Any) -> Any:
    """Return an iterator over what one that ``tapped`` returned has given; else ``item``."""
    if isinstance(item, GeneratorType):
        return (part for part in list(_pulled[item]))
    if isinstance(item, tf.data.Iterator | tf.distribute.DistributedIterator):
        tap = getattr(item, "_gradflow_tap", None)
        return Untapped(item) if tap is None else tap.again()
    return item


def once_only(concrete: Any, data: Any) -> str:
    """Return why a trace, which was called with ``data``, cannot be run twice with the same data;
    empty where it can."""
    handles = Handles()
    for graph in reached(concrete.graph).values():
        for op in graph.get_operations():
            if op.type.startswith(_TAKING) and op.inputs and handles.of(op.inputs[0]) is not None:
                return (
                    "a batch of an iterator that is no argument of the step can be read once only"
                )
    flat = tf.nest.flatten(data, expand_composites=True)
    if any(isinstance(item, Untapped) for item in flat):
        return "the batch of a distributed iterator can be read once only"
    captured = (outer for outer, _ in concrete.graph.captures)
    if any(_draws(tensor) for tensor in (*flat, *captured)):
        return "the dataset that the step goes through is in another order each time"
    return ""


def _draws(tensor: Any) -> bool:
    """Return whether a tensor holds a dataset that draws numbers."""
    if getattr(tensor, "dtype", None) != tf.variant or not hasattr(tensor, "numpy"):
        return False
    try:
        graph = tf.raw_ops.DatasetToGraphV2(input_dataset=tensor, external_state_policy=1)
    except tf.errors.OpError:  # what it holds is no dataset, or one that cannot be written
        return True
    return any(word in graph.numpy() for word in _DRAWN)


def plain(item: Any) -> Any:
    """Return ``item``, or the iterator whose batches could not be kept."""
    return item.iterator if isinstance(item, Untapped) else item
