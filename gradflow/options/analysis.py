"""Declare each option of an analysis: its name, type, bounds, help and default."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradflow.errors import UsageError
from gradflow.lazy_dataclass import dataclass
from gradflow.options.kinds import (
    Choice,
    Draws,
    Flag,
    Inputs,
    Kind,
    Limits,
    Memory,
    Modules,
    Patterns,
    Seconds,
    Text,
    Texts,
    Whole,
)
from gradflow.options.values import DEFAULT_THRESHOLDS, InputSpec, Objective, Thresholds
from gradflow.text import near

ALL_ENTRIES = "all"
"""As ``--entry``: each of them."""
_WEEK = 604_800
DRAWS, MOST_DRAWS = 3, 12
"""Batches to try before a weight is called dead, and where something on its way is random: of what
is dropped half of the time, 10 draws miss less than 1 in 1,000."""


@dataclass(frozen=True, slots=True)
class Declared:
    """How a user writes one option, on the command line, in a configuration and in Python."""

    name: str
    """The field of Options, the key in a configuration and the keyword in Python."""
    default: Any
    kind: Kind
    help: str
    """One sentence without a full stop; true of the command line, a configuration and Python."""
    flag: str | None
    """The option of the command line; None where the command line has none."""
    metavar: str | None
    example: str
    """What the command line adds to the help: values as it takes them."""
    default_help: str
    """What help calls the default, where its value does not say it."""
    in_python: bool
    in_defaults: bool
    """Whether a configuration may set it for all models at once."""
    needs_run: bool
    """Whether it has no effect where a file is only read (``static``)."""
    needs_file: bool
    """Whether it has no effect on an object in memory, which runs in the caller's process."""
    of_report: bool
    """Whether it says only what a report holds: a command that writes none does not take it."""


def declared(
    default: Any,
    kind: Kind,
    help: str,
    *,
    flag: str | None = "",
    metavar: str | None = None,
    example: str = "",
    default_help: str = "",
    in_python: bool = True,
    in_defaults: bool = True,
    needs_run: bool = False,
    needs_file: bool = False,
    of_report: bool = False,
) -> Any:
    """Make a field of Options that a user can set; the parameters are described in Declared.

    Without ``flag`` the option of the command line has the name of the field.
    """
    written = {
        "kind": kind,
        "help": help,
        "flag": flag,
        "metavar": metavar,
        "example": example,
        "default_help": default_help,
        "in_python": in_python,
        "in_defaults": in_defaults,
        "needs_run": needs_run,
        "needs_file": needs_file,
        "of_report": of_report,
    }
    return dataclasses.field(default=default, metadata={"declared": written})


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one analysis; a user can set those that are declared."""

    static: bool = declared(
        default=False,
        kind=Flag(),
        help="Read the file only; TensorFlow is never imported",
    )
    entry: str | None = declared(
        default=None,
        kind=Text(),
        help="SavedModel: the signature or function to differentiate",
        metavar="NAME",
        example="; list shows them, all analyses each",
    )
    outputs: tuple[str, ...] = declared(
        default=(),
        kind=Texts(),
        help="Only these outputs count",
        flag="--output",
        metavar="NAME",
        default_help="all",
    )
    inputs: tuple[InputSpec, ...] = declared(
        default=(),
        kind=Inputs(),
        help="How to make an input, by its name",
        flag="--input",
        metavar="NAME=SPEC",
        example=": ids=int32[2,16]<30522, x=float32[2,8], x=@batch.npz:x",
        needs_run=True,
    )
    batch_size: int = declared(
        default=4,
        kind=Whole(1),
        help="Rows of the batch, where the model does not fix their number",
        metavar="N",
        needs_run=True,
    )
    seed: int = declared(
        default=0,
        kind=Whole(0, 2**32 - 1),
        help="Seed of the random inputs and of the random objective",
        metavar="N",
        needs_run=True,
    )
    probes: int | None = declared(
        default=None,
        kind=Draws(1, 100),
        help="Batches to try before a weight is called dead",
        metavar="N",
        default_help=f"{DRAWS}, and up to {MOST_DRAWS} where units are dropped at random",
        needs_run=True,
    )
    training: bool = declared(
        default=True,
        kind=Flag(off="--inference"),
        help="Call the model in training mode, where it has a choice",
    )
    objective: Objective = declared(
        default=Objective.AUTO,
        kind=Choice(Objective),
        help="What to differentiate: the outputs, or the compiled loss of a Keras model; auto: the "
        "loss where there is one, unless outputs are chosen",
    )
    imports: tuple[str, ...] = declared(
        default=(),
        kind=Modules(),
        help="Python modules to import first, which define layers and ops of your own",
        flag="--import",
        metavar="MODULE",
        needs_run=True,
        needs_file=True,
    )
    timeout: float = declared(
        default=600.0,
        kind=Seconds(_WEEK),
        help="Stop the analysis of a model after this many seconds",
        metavar="SECONDS",
        needs_file=True,
    )
    memory_limit: int | None = declared(
        default=None,
        kind=Memory(),
        help="Stop the analysis of a model that takes more memory than this; the 2 GiB that "
        "TensorFlow itself maps are not counted",
        metavar="SIZE",
        example=": 8GB",
        default_help="by the size of the model",
        needs_file=True,
    )
    trust: bool = declared(
        default=False,
        kind=Flag(),
        help="Run what the safety scan refuses: only for files whose source you trust",
        in_defaults=False,
        needs_run=True,
        needs_file=True,
    )
    state: tuple[str, ...] = declared(
        default=(),
        kind=Patterns(),
        help="Weights to treat as state: they are listed, and are never a finding",
        flag=None,
        in_python=False,
    )
    thresholds: Thresholds = declared(
        default=DEFAULT_THRESHOLDS,
        kind=Limits(),
        help="Limits of GF305 and GF306, as multiples of the model's median gradient",
        flag=None,
        in_python=False,
        needs_run=True,
    )
    map: bool = declared(
        default=False,
        kind=Flag(),
        help="Draw the map of gradient flow, layer by layer, for the JSON report",
        of_report=True,
    )
    targets: tuple[InputSpec, ...] = ()
    """What a compiled loss compares the outputs with, by the name or the number of the output; what
    is missing is drawn."""
    sample_weights: tuple[InputSpec, ...] = ()
    """How much each row counts in the loss of an output, by the same names or numbers; a single one
    without a name is for all outputs."""
    verbose: bool = False
    why: str | None = None
    """The variable whose way to the output is asked for: its name, or an end of it that no other
    name has."""
    follow: bool = False
    """Whether weights are followed that may be asked for next, as far as that takes little time."""

    @property
    def files(self) -> Sequence[str]:
        """The files of arrays that are given, each for the arrays of it."""
        specs = (*self.inputs, *self.targets, *self.sample_weights)
        return [spec.file for spec in specs if spec.file]

    def with_absolute_files(self) -> Options:
        """Return the options with the files of arrays for another working directory."""
        inputs, targets, sample_weights = (
            tuple(
                dataclasses.replace(spec, file=spec.file and str(Path(spec.file).absolute()))
                for spec in specs
            )
            for specs in (self.inputs, self.targets, self.sample_weights)
        )
        return dataclasses.replace(
            self, inputs=inputs, targets=targets, sample_weights=sample_weights
        )

    @property
    def draws(self) -> int:
        """How many batches are tried before a weight is called dead."""
        return DRAWS if self.probes is None else self.probes

    @property
    def most_draws(self) -> int:
        """How many are tried at most where a unit was dropped at random in each of them."""
        return MOST_DRAWS if self.probes is None else self.probes

    @property
    def loss_seed(self) -> int | None:
        """The seed of the targets where a compiled loss is to be stepped if there is one, else
        None."""
        is_asked = self.objective is Objective.COMPILED or (
            self.objective is Objective.AUTO and not self.outputs
        )
        return self.seed if is_asked else None


def _declarations() -> dict[str, Declared]:
    result = {}
    for field in dataclasses.fields(Options):
        written = field.metadata.get("declared")
        if written is not None:
            flag = f"--{field.name.replace('_', '-')}" if written["flag"] == "" else written["flag"]
            result[field.name] = Declared(
                **{**written, "name": field.name, "default": field.default, "flag": flag}
            )
    return result


DECLARED: Mapping[str, Declared] = _declarations()
"""Every option that a user can set, by its name, in the order of help and schema."""


def from_python(values: Mapping[str, Any]) -> Options:
    """Make Options from keyword arguments.

    Raises:
        UsageError: a value is not one that its option takes; the message begins with the name.
    """
    return Options(**{name: read(name, value, f"{name}: ") for name, value in values.items()})


def read(name: str, value: Any, label: str) -> Any:
    """Read ``value`` of the option ``name`` as the command line or a Python caller gives it.

    Raises:
        UsageError: it is not one that the option takes; the message begins with ``label``.
    """
    try:
        return DECLARED[name].kind.read(value)
    except UsageError as error:
        raise UsageError(f"{label}{error.message}", error.hint) from error


def names_without_effect(names: Iterable[str], options: Options) -> list[str]:
    """Return those of the options ``names`` that have no effect because ``options`` are static."""
    return [name for name in names if options.static and DECLARED[name].needs_run]


def refuse_objective(name: str, options: Options) -> None:
    """Raise UsageError where the compiled loss is asked of a model that has none.

    Only a Keras model has one.
    """
    if options.objective is not Objective.COMPILED:
        return
    hint = "give the Keras file of the same model, or use no --objective compiled"
    raise UsageError(f"{name}: --objective compiled: only Keras models have a compiled loss", hint)


def refuse_outputs(asked: Iterable[str], known: Sequence[str], place: str = "") -> None:
    """Raise UsageError where one of the outputs that are ``asked`` for is not ``known``.

    ``place`` begins the message: the path of the model, and a colon.
    """
    for name in asked:
        if name not in known:
            raise UsageError(
                f"{place}--output {name!r}: the model has no such output",
                f"{near(name, known)}its outputs are: {', '.join(known)}",
            )


def refuse_entry(name: str, options: Options) -> None:
    """Raise UsageError where ``--entry`` is given for a Keras model, which has one alone."""
    if options.entry not in (None, ALL_ENTRIES):
        raise UsageError(
            f"{name}: --entry {options.entry!r}: a Keras model has one entry only",
            "leave --entry out",
        )
