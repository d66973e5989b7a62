"""A path or a model in memory in, a Report out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradflow.errors import UsageError
from gradflow.findings import Report
from gradflow.installed import (
    FILES_ARE_READ,
    NOT_INSTALLED,
    has_tensorflow,
    install_command,
    unsupported_version,
)
from gradflow.options import Options, parse_imports, parse_inputs, parse_memory, parse_objective
from gradflow.process.parent import inspect_path

if TYPE_CHECKING:
    import os


def inspect(
    model: str | os.PathLike[str] | Any,
    *,
    static: bool = False,
    entry: str | None = None,
    outputs: tuple[str, ...] | list[str] = (),
    inputs: Mapping[str, str] | None = None,
    batch_size: int = 4,
    seed: int = 0,
    training: bool = True,
    objective: str = "outputs",
    probes: int = 3,
    imports: tuple[str, ...] | list[str] = (),
    timeout: float = 600.0,
    memory_limit: str | int | None = None,
    trust: bool = False,
) -> Report:
    """Analyse a model and return the report that ``gradflow inspect`` prints.

    Args:
        model: path of a SavedModel folder, ``.keras`` or ``.h5`` file; or a Keras model or
            ``tf.Module`` in memory, which is left as it was found.
        static: read the file only; TensorFlow is never imported.
        entry: SavedModel and ``tf.Module``: the function to differentiate.
        outputs: names of the outputs that count; all by default.
        inputs: how to make an input, by its name: ``{"ids": "int32[2,16]<30522"}``.
        batch_size: used where the model leaves it open.
        seed: of the synthetic batch and the objective.
        training: call the model in training mode.
        objective: ``"outputs"``, or ``"compiled"``: the loss of a compiled Keras model, on
            synthetic targets.
        probes: batches that are drawn before a gradient of zeros counts.
        imports: modules to import before a file is loaded, which define its own layers or ops; for
            a path only.
        timeout: seconds; for a path only, where the model runs in a process of its own.
        memory_limit: ``"8GB"`` or bytes that this process may take; by default what the size of the
            model needs.
        trust: run what the safety scan refuses, for a file of which you know where it comes from;
            the report has a note (GF902) for each thing that was let in.

    A model that cannot be checked gives a report with status ``failed``; nothing is raised for it.
    Where TensorFlow is not installed, a file is read as with ``static``, and a warning says so. A
    warning also names a version of TensorFlow that gradflow is not tested with.

    Raises:
        UsageError: ``inputs``, ``imports``, ``objective`` or ``memory_limit`` is not in the form
            that the options of the command take, ``static`` is asked of an object, or an object is
            given and TensorFlow is not installed.
    """
    options = Options(
        static=static,
        entry=entry,
        outputs=tuple(outputs),
        inputs=parse_inputs(f"{name}={spec}" for name, spec in (inputs or {}).items()),
        batch_size=batch_size,
        seed=seed,
        training=training,
        objective=parse_objective(objective),
        probes=probes,
        imports=parse_imports(imports),
        timeout=timeout,
        memory_limit=None if memory_limit is None else parse_memory(memory_limit),
        trust=trust,
    )
    is_path = isinstance(model, str | Path) or hasattr(model, "__fspath__")
    if not is_path and not static and not has_tensorflow():
        raise UsageError(
            f"the model is an object in memory, and {NOT_INSTALLED}", install_command("tf")
        )
    notice = "" if static else unsupported_version() if has_tensorflow() else FILES_ARE_READ
    if notice:
        warnings.warn(notice, stacklevel=2)
    if is_path:
        outcome = inspect_path(str(model), options)
        return Report(outcome.tool, (outcome.model,))
    if static:
        raise UsageError(
            "static=True reads a file, and this is an object in memory",
            "give a path, or leave it out",
        )
    # Imports TensorFlow, which the caller has already.
    from gradflow.analysis.in_memory import inspect_object

    tool, report = inspect_object(model, options)
    return Report(tool, (report,))
