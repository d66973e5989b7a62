"""Analyse a model for a Python caller: a path, or an object in memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
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
from gradflow.options import DECLARED, Options, from_python, names_without_effect
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
    objective: str = "auto",
    probes: int | None = None,
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
        entry: SavedModel and ``tf.Module``: the function to differentiate; of a SavedModel "all"
            analyses each.
        outputs: names of the outputs that count; all by default.
        inputs: how to make an input, by its name: ``{"ids": "int32[2,16]<30522"}``.
        batch_size: rows of the batch, where the model does not fix their number.
        seed: of the random inputs and of the random objective.
        training: call the model in training mode.
        objective: ``"outputs"``, or ``"compiled"``: the loss of a compiled Keras model, on
            synthetic targets; ``"auto"``: that loss where it can be had, unless outputs are named.
        probes: batches that are tried before a weight is called dead; by default 3, and up to 12
            where units are dropped at random.
        imports: modules to import before a file is loaded, which define its own layers or ops; for
            a path only.
        timeout: seconds; for a path only, where the model runs in a process of its own.
        memory_limit: ``"8GB"`` or bytes that this process may take; by default what the size of the
            model needs.
        trust: run what the safety scan refuses, for a file whose source you trust; the report has a
            note (GF902) for each thing that was allowed.

    A model that cannot be checked gives a report with status ``failed``; nothing is raised for it.
    Where TensorFlow is not installed, a file is read as with ``static``, and a warning says so. A
    warning also names a version of TensorFlow that gradflow is not tested with, and options that
    have no effect.

    Raises:
        UsageError: a value is not one that its option takes, ``static`` is asked of an object, or
            an object is given and TensorFlow is not installed.
    """
    arguments = locals()  # each of them but the model is a declared option
    values = {name: value for name, value in arguments.items() if name in DECLARED}
    options = from_python(values)
    changed = [name for name in values if getattr(options, name) != DECLARED[name].default]
    is_path = isinstance(model, str | Path) or hasattr(model, "__fspath__")
    if not is_path and not static and not has_tensorflow():
        raise UsageError(
            f"the model is an object in memory, and {NOT_INSTALLED}", install_command("tf")
        )
    for notice in (_notice_of_tensorflow(options), _notice_of_effect(changed, options, is_path)):
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


def _notice_of_tensorflow(options: Options) -> str:
    if options.static:
        return ""
    return unsupported_version() if has_tensorflow() else FILES_ARE_READ


def _notice_of_effect(changed: Sequence[str], options: Options, is_path: bool) -> str:
    """Name those of the ``changed`` options that have no effect; empty where all have one."""
    if is_path:
        ignored = names_without_effect(changed, options)
        return f"{', '.join(ignored)}: no effect with static=True" if ignored else ""
    ignored = [name for name in changed if DECLARED[name].needs_file]
    return f"{', '.join(ignored)}: no effect on an object in memory" if ignored else ""
