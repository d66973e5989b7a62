"""The cost of a watched step and its report on ResNet50, beside the step alone: ``python -m
tests.benchmarks.training``.

The target: at most 3 times the step plus 1 second; of a later call of a ``tf.function``, which is
traced once more, at most 1.5 times its first call. All are measured in one run, in turns.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SIDE, _BATCH = 64, 8
_RUNS = 3


def main() -> int:
    import keras
    import tensorflow as tf

    import gradflow

    images = tf.random.normal([_BATCH, _SIDE, _SIDE, 3])
    labels = tf.one_hot(tf.range(_BATCH), 10)

    def training(wrap: Callable[[Any], Any]) -> Callable[[], None]:
        model = keras.applications.ResNet50(weights=None, input_shape=(_SIDE, _SIDE, 3), classes=10)
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
        start = time.perf_counter()
        if is_watched:
            with gradflow.watch() as watched:
                step()
            assert watched.report.models[0].summary.flows
        else:
            step()
        return time.perf_counter() - start

    def report(name: str, alone: float, both: float, bound: float) -> bool:
        is_met = both - alone <= bound
        print(
            f"{'met   ' if is_met else 'MISSED'} {name:38} {alone:6.2f} s alone, "
            f"{both - alone:6.2f} s more (at most {bound:.2f} s)",
            flush=True,
        )
        return is_met

    def medians(step: Callable[[], None]) -> tuple[float, float]:
        times = [
            (timed(step, is_watched=False), timed(step, is_watched=True)) for _ in range(_RUNS)
        ]
        return tuple(map(statistics.median, zip(*times, strict=True)))

    eager = training(lambda step: step)
    timed(eager, is_watched=False)
    alone, both = medians(eager)
    met = [report("a loop that runs eagerly", alone, both, 3 * alone + 1)]

    traced = training(tf.function)
    first = timed(traced, is_watched=False)
    first_watched = timed(training(tf.function), is_watched=True)
    met.append(report("the first call of a tf.function", first, first_watched, 3 * first + 1))
    # The trace is the cost of a later call: it cannot be had for less than that of the first.
    alone, both = medians(traced)
    met.append(report("a later call of a tf.function", alone, both, 1.5 * first + 1))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
