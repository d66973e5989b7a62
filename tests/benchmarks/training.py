"""The cost of a watched step and its report on ResNet50, beside the step alone: ``python -m
tests.benchmarks.training``.

The target: at most 3 times the step plus 1 second. The two are measured in one run, in turns.
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

    missed = 0
    for name, wrap, is_first in (
        ("a loop that runs eagerly", lambda step: step, False),
        ("a tf.function, with its first trace", tf.function, True),
        ("a tf.function that was traced before", tf.function, False),
    ):
        plain, watched = [], []
        step = training(wrap)
        timed(step, is_watched=False)
        for _ in range(1 if is_first else _RUNS):
            plain.append(timed(training(wrap) if is_first else step, is_watched=False))
            watched.append(timed(training(wrap) if is_first else step, is_watched=True))
        alone, both = statistics.median(plain), statistics.median(watched)
        is_met = both - alone <= 3 * alone + 1
        missed += not is_met
        print(
            f"{'met   ' if is_met else 'MISSED'} {name:40} {alone:6.2f} s alone, "
            f"{both - alone:6.2f} s more (at most {3 * alone + 1:.2f} s)",
            flush=True,
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
