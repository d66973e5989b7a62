"""Analyse a model for a Python caller: a path, or an object in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, wraps
from html import escape
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from gradflow.analysis.result import report_of
from gradflow.audit.run import Here, each_done
from gradflow.errors import GradflowError, UsageError
from gradflow.findings import FlowMap, ModelReport
from gradflow.findings import Report as PlainReport
from gradflow.findings.wire_names import INTERNAL, LOCAL
from gradflow.installed import (
    FILES_ARE_READ,
    NOT_INSTALLED,
    has_tensorflow,
    install_command,
    unsupported_version,
)
from gradflow.options import (
    DECLARED,
    InputSpec,
    Objective,
    Options,
    from_python,
    in_python,
    names_without_effect,
)
from gradflow.process.models import models_at
from gradflow.report.formats import FORMATS, HasMap, written
from gradflow.report.headline import standing, summary_line
from gradflow.report.layout import PLAIN, Layout
from gradflow.scratch import scratch_folder
from gradflow.text import near
from gradflow.whole_file import write_whole

if TYPE_CHECKING:
    import os

P = ParamSpec("P")
R = TypeVar("R")
_FINE = ("fine", "with accepted findings")


def _naming_the_nearest(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` say which keyword may be meant where it has none of that name."""
    known = signature(function).parameters

    @wraps(function)
    def checked(*arguments: P.args, **keywords: P.kwargs) -> R:
        unknown = next((name for name in keywords if name not in known), None)
        if unknown is not None:
            hint = near(unknown, known) or f"they are {', '.join(known)}"
            text = f"{function.__name__}() has no keyword argument {unknown!r}: {hint.strip()}"
            raise TypeError(text)
        return function(*arguments, **keywords)

    return checked


@_naming_the_nearest
def inspect(
    model: str | os.PathLike[str] | Any,
    *,
    static: bool = False,
    entry: str | None = None,
    outputs: str | tuple[str, ...] | list[str] = (),
    inputs: Any = None,
    batch_size: int = 4,
    seed: int = 0,
    training: bool = True,
    objective: str = "auto",
    probes: int | None = None,
    imports: str | tuple[str, ...] | list[str] = (),
    timeout: float = 600.0,
    memory_limit: str | int | None = None,
    trust: bool = False,
    map: bool = False,
) -> Report:
    """Analyse a model and return the report that ``gradflow inspect`` prints.

    Args:
        model: path of a SavedModel folder, ``.keras`` or ``.h5`` file, or of a folder of them, of
            which each is analysed; or a Keras model or ``tf.Module`` in memory, which is left as it
            was found.
        static: read the file only; TensorFlow is never imported.
        entry: SavedModel and ``tf.Module``: the function to differentiate; of a SavedModel "all"
            analyses each.
        outputs: the name of the output that counts, or the names of several; all by default.
        inputs: how to make an input, by its name: ``{"ids": "int32[2,16]<30522"}``, a shape or an
            array. Without names: an array or a shape for a model with one input, a list of them,
            ``(x, y)`` or ``(x, y, sample_weight)``, of which the compiled loss takes the targets
            and weights, or a ``tf.data.Dataset``, of which the first batch is taken.
        batch_size: rows of the batch, where the model does not fix their number.
        seed: of the random inputs and of the random objective.
        training: call the model in training mode.
        objective: ``"outputs"``, or ``"compiled"``: the loss of a compiled Keras model, on
            synthetic targets unless ``inputs`` has some; ``"auto"``: that loss where it can be had,
            unless outputs are named.
        probes: batches that are tried before a weight is called dead; by default 3, and up to 12
            where units are dropped at random.
        imports: modules to import before a file is loaded, which define its own layers or ops; for
            a path only.
        timeout: seconds; for a path only, where the model runs in a process of its own.
        memory_limit: ``"8GB"`` or bytes that this process may take; by default what the size of the
            model needs.
        trust: run what the safety scan refuses, for a file whose source you trust; the report has a
            note (GF902) for each thing that was allowed.
        map: draw the map of gradient flow, which ``to_json`` then holds, layer by layer.

    A model that cannot be checked gives a report with status ``failed``; nothing is raised for it.
    Where TensorFlow is not installed, a file is read as with ``static``, and a warning says so. A
    warning also names a version of TensorFlow that gradflow is not tested with, and options that
    have no effect.

    Raises:
        UsageError: a value is not one that its option takes, ``static`` is asked of an object, or
            an object is given and TensorFlow is not installed.
        TypeError: there is no keyword argument of that name.
    """
    arguments = locals()  # each of them but the model is a declared option
    values = {name: value for name, value in arguments.items() if name in DECLARED}
    of_loss: dict[str, tuple[InputSpec, ...]] = {}
    try:
        with ExitStack() as stack:
            if inputs is not None and not _is_plain(inputs):
                # Imports NumPy, which a caller with arrays has already.
                from gradflow.tape.inputs.callers_arrays import as_specs

                folder = Path(stack.enter_context(scratch_folder()))
                arrays = as_specs(inputs, folder, _input_count(model))
                values["inputs"] = arrays.inputs
                of_loss = {
                    "targets": arrays.targets,
                    "sample_weights": arrays.sample_weights,
                }
            return _inspected(model, values, of_loss)
    except GradflowError as error:
        error.message, error.hint = in_python(error.message), in_python(error.hint)
        raise


def _inspected(
    model: Any, values: dict[str, Any], of_loss: dict[str, tuple[InputSpec, ...]]
) -> Report:
    asked = from_python(values)
    options = replace(asked, **of_loss)  # type: ignore[arg-type]
    changed = [name for name in values if getattr(asked, name) != DECLARED[name].default]
    is_path = isinstance(model, str | Path) or hasattr(model, "__fspath__")
    if not is_path and not options.static and not has_tensorflow():
        raise UsageError(
            f"the model is an object in memory, and {NOT_INSTALLED}", install_command("tf")
        )
    for notice in (_notice_of_tensorflow(options), _notice_of_effect(changed, options, is_path)):
        if notice:
            warnings.warn(notice, stacklevel=4)
    if is_path:
        options = replace(options, map=True)  # for the page
        return replace(_of_files(models_at([str(model)]).paths, options), with_map=asked.map)
    if options.static:
        raise UsageError(
            "static=True reads a file, and this is an object in memory",
            "give a path, or leave it out",
        )
    # Imports TensorFlow, which the caller has already.
    from gradflow.analysis.in_memory import inspect_object

    tool, analysis = inspect_object(model, options)
    notice = _notice_of_targets(analysis.report, options)
    if notice:
        warnings.warn(notice, stacklevel=4)
    # To trace a model for its map takes a part of the time of a step.
    return Report(tool, (_in_python(analysis.report),), asked.map, cache(analysis.draw))


def _of_files(paths: Sequence[str], options: Options) -> Report:
    """Analyse files, several at a time, as the commands do."""
    with Here(len(paths)) as runner:
        done = dict(
            each_done(
                paths,
                min(runner.jobs, len(paths)),
                lambda path, progress: runner.inspect(path, options, progress),
                lambda *_: None,
                runner.stop,
            )
        )
    outcomes = [done[index] for index in range(len(paths))]
    joined = report_of([(outcome.tool, outcome.model) for outcome in outcomes])
    return Report(joined.tool, tuple(map(_in_python, joined.models)))


@dataclass(frozen=True, slots=True, repr=False)
class Report(PlainReport):
    """What ``gradflow.inspect`` has found out: ``models`` holds a report of each model.

    ``print(report)`` shows what the command ``gradflow inspect`` prints, and a notebook the page.
    """

    with_map: bool = field(default=False, metadata=INTERNAL)
    """Whether the map was asked for; the page shows it always."""
    draw: Callable[[], FlowMap | None] = field(default=lambda: None, compare=False, metadata=LOCAL)
    """Draws the map of an object in memory, which is kept for that, when the page is asked for."""

    @property
    def ok(self) -> bool:
        """Whether every model could be checked, and no error and no warning was found."""
        return all(standing(model) in _FINE for model in self.models)

    def to_text(self, *, width: int = 100, show_all: bool = False) -> str:
        """Return the report as text of at most ``width`` columns (40 at least).

        Args:
            width: columns of a line.
            show_all: leave nothing out, and add a table of all variables.
        """
        return in_python(self._written("text", Layout(width, show_all=show_all)))

    def to_json(self) -> str:
        """Return the report as JSON (see ``gradflow schema report``)."""
        return self._written("json")

    def to_html(self) -> str:
        """Return the report as one HTML page that needs nothing else."""
        return self._written("html")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report to a file, in the format that the end of its name says.

        Raises:
            UsageError: it says none.
            OSError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        known = {form.suffix: name for name, form in FORMATS.items() if form.suffix}
        if suffix not in known:
            forms = ", ".join(f"{end} ({name})" for end, name in known.items())
            raise UsageError(f"{path}: no format has the ending {suffix!r}", f"end it with {forms}")
        name = known[suffix]
        text = self.to_text() if name == "text" else self._written(name)
        write_whole(Path(path), text)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a copy is made of: it has the map, and not the model."""
        return Report, (self.tool, self._mapped(), self.with_map)

    def _mapped(self) -> tuple[ModelReport, ...]:
        """Return the reports of the models with their maps."""
        return tuple(
            model if model.map is not None else replace(model, map=self.draw())
            for model in self.models
        )

    def _written(self, format: str, layout: Layout = PLAIN) -> str:
        is_page = FORMATS[format].has_map is HasMap.ALWAYS
        report = replace(self, models=self._mapped()) if is_page else self
        return written(report, format, layout, with_map=self.with_map)

    def _repr_html_(self) -> str:
        """Return the page in a frame, for a notebook: it can reach nothing outside of the frame."""
        # In a frame without the origin of the notebook no script of the page sees the notebook.
        return (
            f'<iframe title="gradflow report" sandbox="allow-scripts" width="100%" height="720" '
            f'frameborder="0" srcdoc="{escape(self.to_html())}"></iframe>'
        )

    def __str__(self) -> str:
        """Return the text."""
        return self.to_text().rstrip("\n")

    def __repr__(self) -> str:
        """Return one line: ``<gradflow.Report model.keras: all 4 weights receive a gradient>``."""
        return f"<gradflow.Report {in_python(summary_line(self))}>"


def _is_plain(inputs: Any) -> bool:
    """Return whether it is a mapping from names to texts, as the command line has it."""
    return isinstance(inputs, Mapping) and all(isinstance(spec, str) for spec in inputs.values())


def _input_count(model: Any) -> int:
    """Return how many inputs a model in memory has; 0 where it does not say."""
    try:
        return len(model.inputs or ())
    except (AttributeError, TypeError, ValueError):
        return 0


def _in_python(model: ModelReport) -> ModelReport:
    """Return the report with hints that name keywords of Python and no options of a command."""
    error = model.error and replace(
        model.error, message=in_python(model.error.message), hint=in_python(model.error.hint)
    )
    findings = tuple(
        replace(finding, message=in_python(finding.message), hint=in_python(finding.hint))
        for finding in model.findings
    )
    unused_loss = in_python(model.unused_loss)
    return replace(model, error=error, findings=findings, unused_loss=unused_loss)


def _notice_of_tensorflow(options: Options) -> str:
    if options.static:
        return ""
    return unsupported_version() if has_tensorflow() else FILES_ARE_READ


def _notice_of_targets(model: ModelReport, options: Options) -> str:
    """Say that the targets of a loss were given to a model that has none; empty where it has."""
    is_used = model.objective != Objective.OUTPUTS or model.unused_loss or model.error is not None
    if is_used or options.objective is not Objective.AUTO or options.outputs:
        return ""
    names = {"y": options.targets, "sample_weight": options.sample_weights}
    unused = " and ".join(name for name, specs in names.items() if specs)
    return f"inputs: no effect of {unused}: the model is not compiled with a loss" if unused else ""


def _notice_of_effect(changed: Sequence[str], options: Options, is_path: bool) -> str:
    """Name those of the ``changed`` options that have no effect; empty where all have one."""
    if is_path:
        ignored = names_without_effect(changed, options)
        return f"{', '.join(ignored)}: no effect with static=True" if ignored else ""
    ignored = [name for name in changed if DECLARED[name].needs_file]
    return f"{', '.join(ignored)}: no effect on an object in memory" if ignored else ""
