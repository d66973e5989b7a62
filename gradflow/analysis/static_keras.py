"""Tell without TensorFlow what a Keras file says about its gradients."""

from __future__ import annotations

from gradflow.analysis.layers import read_layers
from gradflow.analysis.result import Analysis, analyzed
from gradflow.diagnose import Evidence
from gradflow.files.keras.model_layers import model_layers
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile, with_state
from gradflow.findings import Mode
from gradflow.ops.layer_rows import has_rows
from gradflow.options import Options, refuse_entry


def prepare() -> None:
    """Make what each file takes: the table of layers."""
    has_rows("Dense")


def report_keras(file: ModelFile, path: str, options: Options) -> Analysis:
    """Static verdicts of a Keras file, from its layers.

    Raises:
        GradflowError: it cannot be read, or an option does not fit it.
    """
    refuse_entry(path, options)
    stored = read_keras(file)
    reading = read_layers(file, path, options)
    evidence = Evidence(
        variables=with_state(stored.variables, options.state),
        graph=reading.graph,
        is_of_layers=True,
        attributions=reading.attributions,
        layer_of=reading.layers.__getitem__,
        layers=model_layers(stored.model) if options.map else {},
        selected=options.outputs,
        doubts=stored.doubts,
        is_of_loss=reading.is_of_loss,
        uncovered=reading.uncovered,
        outputs=reading.counting,
    )
    return analyzed(
        path,
        file.format,
        Mode.STATIC,
        evidence,
        producer=stored.producer,
        entry=f"call(training={options.training})",
        inputs=reading.inputs,
        outputs=reading.outputs,
        why=options.why,
        objective=reading.objective,
        unused_loss=reading.unused_loss,
        drawn=evidence if options.map else None,
    )
