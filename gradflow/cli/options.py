"""The options that commands share, and what they stand for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gradflow.cli.output import CommandError, Target, command_errors
from gradflow.errors import UsageError
from gradflow.options import Objective, Options, parse_imports, parse_inputs, parse_memory
from gradflow.report.formats import ANSWER_FORMATS, FORMATS

_OUT = click.option(
    "-o", "--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write the report to FILE."
)
FORMAT = (
    click.option(
        "--format",
        "format",
        metavar="FORMAT",
        type=click.Choice([*FORMATS]),
        default="text",
        help=f"{', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]}.  [default: text]",
    ),
    _OUT,
    click.option(
        "--report",
        "reports",
        metavar="FORMAT=FILE",
        multiple=True,
        help="Write it to FILE in FORMAT as well; repeatable.",
    ),
)
"""What a report is written as, and where."""
ANSWER_FORMAT = (
    click.option(
        "--format",
        "format",
        type=click.Choice(ANSWER_FORMATS),
        default="text",
        show_default=True,
        help="Report format.",
    ),
    _OUT,
)
"""The same, where no report is written."""
LIMITS = (
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(0, 604800, min_open=True),
        default=600.0,
        show_default=True,
        help="Give a model up after this long.",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        callback=lambda _context, _option, value: _memory(value),
        help="Give a model up that takes more memory than this: 8GB.  [default: by the size of the "
        "model]",
    ),
)
"""What a model may use."""
ANALYSIS = (
    click.option(
        "--static", is_flag=True, help="Read the file only: TensorFlow is never imported."
    ),
    click.option(
        "--entry",
        metavar="NAME",
        help="SavedModel: the signature or function to differentiate; inspect --entry list shows "
        "them.",
    ),
    click.option(
        "--output",
        "outputs",
        metavar="NAME",
        multiple=True,
        help="Only this output counts; repeatable.",
    ),
    click.option(
        "--input",
        "inputs",
        metavar="NAME=SPEC",
        multiple=True,
        help="How to make an input: ids=int32[2,16]<30522, x=float32[2,8], x=@batch.npz:x; "
        "repeatable.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        default=4,
        show_default=True,
        help="Where the model leaves it open.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        help="Of the inputs and the objective.",
    ),
    click.option(
        "--probes",
        type=click.IntRange(1, 100),
        default=3,
        show_default=True,
        help="Batches to draw before a weight is called dead.",
    ),
    click.option(
        "--training/--inference",
        default=True,
        show_default=True,
        help="Mode that a model is called in, where it has a choice.",
    ),
    click.option(
        "--objective",
        metavar="WHAT",
        type=click.Choice([one.value for one in Objective]),
        default=Objective.OUTPUTS.value,
        show_default=True,
        help="Differentiate the outputs, or the compiled loss of a Keras model: outputs or "
        "compiled.",
    ),
    click.option(
        "--import",
        "imports",
        metavar="MODULE",
        multiple=True,
        help="Import MODULE first, for layers and ops of your own; repeatable.",
    ),
    *LIMITS,
    click.option(
        "--trust",
        is_flag=True,
        help="Run what the safety scan refuses: only for files of which you know where they come "
        "from.",
    ),
    click.option(
        "--all", "show_all", is_flag=True, help="Text: leave nothing out and list every variable."
    ),
)
"""The options of every command that analyses a model."""
COLOR = (
    click.option(
        "--no-color", is_flag=True, help="No colors (NO_COLOR and FORCE_COLOR are heeded too)."
    ),
)
TALK = (
    click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors."),
    click.option("-v", "--verbose", is_flag=True, help="Show what TensorFlow says."),
)
"""What is said beside the report."""

Option = Callable[[Callable[..., None]], Callable[..., None]]


def with_options(*groups: Sequence[Option]) -> Option:
    """Give a command the options of ``groups``, shown in that order."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def analysis_options(given: dict[str, Any]) -> Options:
    """The Options that the options in ``ANALYSIS`` and ``TALK`` stand for.

    Raises:
        CommandError: one of them, or ``-o``, cannot be kept.
    """
    refuse_out(given["out"])
    with command_errors():
        inputs, imports = parse_inputs(given["inputs"]), parse_imports(given["imports"])
    return Options(
        static=given["static"],
        entry=given["entry"],
        outputs=given["outputs"],
        inputs=inputs,
        batch_size=given["batch_size"],
        seed=given["seed"],
        training=given["training"],
        objective=Objective(given["objective"]),
        probes=given["probes"],
        imports=imports,
        timeout=given["timeout"],
        memory_limit=given["memory_limit"],
        trust=given["trust"],
        verbose=given["verbose"],
    )


def scan_options(given: dict[str, Any]) -> Options:
    """The Options that ``--import`` and the options in ``LIMITS`` and ``TALK`` stand for.

    Raises:
        CommandError: one of them, or ``-o``, cannot be kept.
    """
    refuse_out(given["out"])
    with command_errors():
        imports = parse_imports(given["imports"])
    limit, verbose = given["memory_limit"], given["verbose"]
    return Options(imports=imports, timeout=given["timeout"], memory_limit=limit, verbose=verbose)


def report_targets(given: dict[str, Any]) -> list[tuple[str, Target]]:
    """The formats and places that the options in ``FORMAT`` and ``COLOR`` ask for: stdout or ``-o``
    first.

    Raises:
        CommandError: one of them cannot be kept, or two name the same file.
    """
    named = [_report(text) for text in given["reports"]]
    files = [("-o", given["out"])] if given["out"] is not None else []
    files += [(f"--report {format}", file) for format, file in named]
    taken: dict[Path, str] = {}
    for option, file in files:
        refuse_out(file, option)
        other = taken.setdefault(Path(file).resolve(), option)
        if other is not option:
            raise CommandError(
                f"{option} and {other} write to the same file, {file}: give each a file of its own"
            )
    no_color = given["no_color"]
    first = (given["format"], Target(given["out"], no_color))
    return [first, *((format, Target(file, no_color)) for format, file in named)]


def refuse_out(out: str | None, option: str = "-o") -> None:
    """Raise CommandError where the file of ``option`` cannot be written, before anything is done
    for it."""
    if out is None:
        return
    if not Path(out).absolute().parent.is_dir():
        raise CommandError(f"{option} {out}: its folder does not exist: create it first")
    if Path(out).is_dir():
        raise CommandError(f"{option} {out}: is a folder: name a file")


def _memory(text: str | None) -> int | None:
    try:
        return None if text is None else parse_memory(text)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


def _report(text: str) -> tuple[str, str]:
    format, equals, file = text.partition("=")
    if not equals or not file or format not in FORMATS:
        near = difflib.get_close_matches(format, FORMATS, n=1)
        meant = f"did you mean {near[0]}? " if near and near[0] != format else ""
        raise CommandError(
            f"--report {text!r}: no FORMAT=FILE: {meant}FORMAT is {', '.join(FORMATS)}"
        )
    return format, file
