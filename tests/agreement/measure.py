"""Measure the agreement on random models in one line: ``agreement: N of N weights, M models``.

Run it from the root of the checkout: ``python -m tests.agreement.measure --models planted --count
200``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.agreement.compare import Score


def main() -> int:
    """Measure, print the complaints and the line, and say by the exit code whether all agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", choices=("planted", "applications", "hub", "real"), default="planted"
    )
    parser.add_argument(
        "--count", type=int, default=200, help="planted models; ignored for the others"
    )
    parser.add_argument("--first", type=int, default=0, help="seed of the first planted model")
    parser.add_argument(
        "--kind",
        default="memory",
        help="all but the real ones: memory, keras, h5, export, module, saved",
    )
    parser.add_argument("--verbose", action="store_true", help="one line a model")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # see conftest.py
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    total = Score()
    for name, score in _scores(arguments):
        total.add(score)
        if arguments.verbose:
            print(f"{name}: {score.agreed} of {score.weights}", flush=True)
        for complaint in score.complaints:
            print(f"{name}: {complaint}", flush=True)
    print(
        f"{arguments.models} ({arguments.kind}): {total.line()}, {total.cut_weights} weights "
        f"behind planted cuts"
    )
    return 1 if total.complaints else 0


def _scores(arguments: argparse.Namespace) -> Iterator[tuple[str, Score]]:
    with tempfile.TemporaryDirectory() as folder:
        if arguments.models == "planted":
            from tests.agreement.planted_run import run_plan
            from tests.models.plan import seeded_plan

            for seed in range(arguments.first, arguments.first + arguments.count):
                place = None if arguments.kind == "memory" else Path(folder, str(seed))
                yield (
                    f"seed {seed}",
                    run_plan(seeded_plan(seed, arguments.kind == "h5"), arguments.kind, place),
                )
        elif arguments.models == "applications":
            from tests.agreement.test_applications import ARCHITECTURES, run_architecture

            for name in ARCHITECTURES:
                yield name, run_architecture(name, arguments.kind, Path(folder, name))
        elif arguments.models == "hub":
            from tests.agreement.test_keras_hub import NAMES, run_hub

            for name in NAMES:
                yield name, run_hub(name, arguments.kind, Path(folder, name))
        else:
            from tests.agreement.test_real_models import real_models, run_real_model

            for path in real_models():
                score = run_real_model(path)
                if isinstance(score, Score):
                    yield path.name, score
                else:
                    print(f"{path.name}: not compared: {score}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
