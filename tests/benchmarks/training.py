"""The cost of a watched step and its report on ResNet50, beside the step alone: ``python -m
tests.benchmarks.training [SIDE]``.

The target: at most 3 times the step plus 1 second. Both are measured in one run, in turns, by
processor time. SIDE is that of an image: 224 by default, for which the network is made. Of a later
call of a ``tf.function`` the price is a trace, whatever the size of the images: with small ones,
such as 64, the first watch of a function misses the target, and the next ones meet it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SIDE, _BATCH = 224, 8
_RUNS = 3
_MOST = 3
"""Times the step that a report may cost, beside a second."""


def main() -> int:
    import keras
    import tensorflow as tf

    import gradflow

    side = int(sys.argv[1]) if len(sys.argv) > 1 else _SIDE
    images = tf.random.normal([_BATCH, side, side, 3])
    labels = tf.one_hot(tf.range(_BATCH), 10)

    def training(wrap: Callable[[Any], Any]) -> Callable[[], None]:
        model = keras.applications.ResNet50(weights=None, input_shape=(side, side, 3), classes=10)
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_weights)

        @wrap
        def step() -> None:
            with tf.GradientTape() as tape:
                error = keras.losses.categorical_crossentropy(labels, model(images, training=True))
            weights = model.trainable_weights
            optimizer.apply(tape.gradient(error, weights), weights)

        return step

    def timed(step: Callable[[], None], *, is_watched: bool) -> float:
        start = time.process_time()
        if is_watched:
            with gradflow.watch() as watched:
                step()
            assert watched.report.models[0].summary.flows
        else:
            step()
        return time.process_time() - start

    def report(name: str, pairs: list[tuple[float, float]]) -> bool:
        alone, watched = (statistics.median(times) for times in zip(*pairs, strict=True))
        bound = _MOST * alone + 1
        is_met = watched - alone <= bound
        print(
            f"{'met   ' if is_met else 'MISSED'} {name:44} {alone:6.2f} s alone, "
            f"{watched - alone:6.2f} s more (at most {bound:.2f} s)",
            flush=True,
        )
        return is_met

    def pairs(step: Callable[[], None]) -> list[tuple[float, float]]:
        return [(timed(step, is_watched=False), timed(step, is_watched=True)) for _ in range(_RUNS)]

    eager, traced, later = training(lambda step: step), training(tf.function), training(tf.function)
    timed(eager, is_watched=False)
    met = [report("a loop that runs eagerly", pairs(eager))]
    first = timed(later, is_watched=False)
    met.append(report("the first call of a tf.function", [(first, timed(traced, is_watched=True))]))
    timed(later, is_watched=False)
    [again] = [(timed(later, is_watched=False), timed(later, is_watched=True))]
    met.append(report("a later call of a tf.function", [again]))
    met.append(report("a later call of one that was watched before", pairs(later)))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
