"""Model files of other people's repositories: gradflow says what the tape says, wherever a bare
script can ask it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gradflow.findings import Failure, Mode, ModelReport
from tests.agreement.batches import recorded
from tests.agreement.compare import Score, compare_with_tape
from tests.agreement.subject import report_on_file

if TYPE_CHECKING:
    from tests.models.oracle import InputSpec  # imports TensorFlow

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

FOLDER = Path(__file__).parents[3] / "shared" / "models"
"""Not part of the repository: the files belong to their authors."""
SHARE = 0.95
"""Of the models that TensorFlow can load, so many are to be stepped with no option given."""
INTEGERS = re.compile(r"integers\(0\.\.(\d+)")


def real_models() -> list[Path]:
    """The models of the folder, as its index lists them."""
    index = FOLDER / "INDEX.tsv"
    if not index.exists():
        return []
    rows = index.read_text(encoding="utf-8").splitlines()[1:]
    return [FOLDER / row.split("\t")[1] for row in rows if row.strip()]


def run_real_model(path: Path) -> Score | str:
    """Hold the report against the tape; a string says why a bare script could not ask the tape.

    gradflow must manage what the script manages; the reverse is welcome.
    """
    from tests.models.oracle import measure_file

    with recorded() as batches:
        report = report_on_file(path)
    batch = batches[0] if batches else None
    if batch is not None and all(tensor.dtype.is_floating for tensor in batch.values()):
        batch = None  # the oracle can draw such a batch itself, and another for each seed
    try:
        specs = specs_of_report(report) if isinstance(report, ModelReport) else None
        entry = (isinstance(report, ModelReport) and report.entry) or "serving_default"
        measure_file(path, specs, entry, given=batch)
    except Exception as error:  # whatever TensorFlow raises for a file that it cannot load or feed
        return (
            f"{type(error).__name__}: "
            f"{str(error).strip().splitlines()[0][:100] if str(error).strip() else ''}"
        )
    if isinstance(report, Failure):
        return Score(models=1, complaints=[f"the bare tape works, gradflow says: {report.message}"])
    return compare_with_tape(report, lambda seed: measure_file(path, specs, entry, seed, batch))


def specs_of_report(report: ModelReport) -> list[InputSpec]:
    from tests.models.oracle import InputSpec

    specs = []
    for entry in report.inputs:
        drawn = INTEGERS.search(entry.source)
        specs.append(
            InputSpec(entry.name, entry.shape, entry.dtype, int(drawn[1]) + 1 if drawn else 2)
        )
    return specs


@pytest.mark.skipif(
    not FOLDER.exists(), reason=f"no real models beside the checkout ({FOLDER.name})"
)
@pytest.mark.parametrize(
    "path", real_models(), ids=lambda path: path.parent.name if path.is_file() else path.name
)
def test_report_agrees_with_the_tape(path: Path) -> None:
    score = run_real_model(path)
    if isinstance(score, str):
        pytest.skip(f"a bare script cannot ask the tape: {score}")
    print(score.line())
    assert score.complaints == []
    assert score.agreed == score.weights


@pytest.mark.skipif(
    not FOLDER.exists(), reason=f"no real models beside the checkout ({FOLDER.name})"
)
def test_nearly_all_that_tensorflow_can_step_is_analysed_with_no_option() -> None:
    reports = {path: report_on_file(path) for path in real_models()}
    stepped = [path for path, report in reports.items() if _is_stepped(report)]
    others = [
        path for path, report in reports.items() if path not in stepped and _has_weights(report)
    ]
    missed = [path.name for path in others if _loads(path)]
    print(
        f"analysed: {len(stepped)} of {len(stepped) + len(missed)} models with weights that "
        f"TensorFlow can load"
    )
    assert len(stepped) >= SHARE * (len(stepped) + len(missed)) > 0, missed


def _is_stepped(report: ModelReport | Failure) -> bool:
    return isinstance(report, ModelReport) and report.mode is Mode.TAPE and _has_weights(report)


def _has_weights(report: ModelReport | Failure) -> bool:
    """Whether there is something to differentiate: a graph of constants can be run, and that is
    all."""
    return isinstance(report, Failure) or report.summary.weights > 0


def _loads(path: Path) -> bool:
    """Whether a bare script can load the file; then somebody can write inputs for it by hand."""
    import keras
    import tensorflow as tf

    try:
        if path.is_file():
            return bool(keras.models.load_model(path, compile=False).variables)
        return bool(tf.saved_model.load(str(path)).signatures)
    except Exception:  # whatever TensorFlow raises for a file that it cannot load
        return False
