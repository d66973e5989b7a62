"""Define the options that commands share, in groups: a type and a heading of the help for each."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from gradflow.cli.help import OTHER, Option
from gradflow.cli.out_file import OutFile
from gradflow.cli.output import CommandError, Target, command_errors
from gradflow.lazy_dataclass import dataclass
from gradflow.options import DECLARED, Declared, Options, names_without_effect, read
from gradflow.options.kinds import Choice, Flag, Seconds, Whole
from gradflow.report.formats import ANSWER_FORMATS, FORMATS, HasMap
from gradflow.text import closest

_OF_A_LIST = ("static", "entry", "training", "timeout", "memory_limit")
"""The options of an analysis that count where entries are listed."""
_NO_MAP = "without a report in JSON: add --format json or --report json=FILE"
MODEL_PATH = click.Path(readable=False)
"""A file, a folder or an address; shells complete it as a path."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def option(*flags: str, **attributes: Any) -> Any:
    """Make a field of a group that is an option; the arguments are those of ``click.option``."""
    return dataclasses.field(metadata={"flags": flags, "attributes": attributes})


@dataclass(frozen=True, slots=True)
class Group:
    """Options that stand together: a field for each, and its value."""

    heading: ClassVar[str] = OTHER

    @classmethod
    def options(cls) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
        """Return the name, the flags and the attributes of each option."""
        return [
            (field.name, field.metadata["flags"], field.metadata["attributes"])
            for field in dataclasses.fields(cls)
        ]

    @classmethod
    def made(cls, values: dict[str, Any]) -> Any:
        """Make the group from the value of each option.

        Raises:
            CommandError: one of the values cannot be used.
        """
        return cls(**values)


def with_options(**groups: type[Group]) -> Decorator:
    """Give a command the options of ``groups``, in that order; each group is one argument of it."""
    options = [
        (name, flags, {**attributes, "heading": group.heading})
        for group in groups.values()
        for name, flags, attributes in group.options()
    ]

    def decorate(run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)
        def command(*arguments: Any, **values: Any) -> Any:
            for parameter, group in groups.items():
                names = [name for name, _, _ in group.options()]
                values[parameter] = group.made({name: values.pop(name) for name in names})
            return run(*arguments, **values)

        for name, flags, attributes in reversed(options):
            command = click.option(*flags, name, cls=Option, **attributes)(command)
        return command

    return decorate


def out_file(help: str, **attributes: Any) -> Any:
    """Make the field of ``-o``; its group looks at the file before anything is done."""
    return option("-o", "--out", metavar="FILE", type=click.Path(), help=help, **attributes)


def force_option(kind: str) -> Any:
    """Make the field of ``--force``; ``kind`` is what the file is expected to be."""
    return option("--force", is_flag=True, help=f"Replace a file that is {kind}.")


def no_color_option() -> Any:
    """Make the field of ``--no-color``."""
    return option(
        "--no-color", is_flag=True, help="No colors; NO_COLOR and FORCE_COLOR are obeyed too."
    )


def show_all_option() -> Any:
    """Make the field of ``--all``."""
    return option("--all", is_flag=True, help="Text: show everything.")


@dataclass(frozen=True, slots=True)
class Messages(Group):
    """What is said beside the report."""

    quiet: bool = option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
    verbose: bool = option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Show what TensorFlow says, and the ops of drawn paths.",
    )


@dataclass(frozen=True, slots=True)
class FileOutput(Group):
    """What is written to files that the command line names."""

    @classmethod
    def made(cls, values: dict[str, Any]) -> Any:
        """As of any group, with a look at each file before anything is done.

        Raises:
            CommandError: one of them cannot be written, or holds something else.
        """
        output = cls(**values)
        for file in output.files():
            file.refuse_other(force=values["force"])
        return output

    def files(self) -> list[OutFile]:
        """Return the files that are named."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReportOutput(FileOutput):
    """What a report is written as, and where."""

    heading: ClassVar[str] = "Report"

    format: str = option(
        "--format",
        metavar="FORMAT",
        type=click.Choice([*FORMATS]),
        default="text",
        help=f"{', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]}.  [default: text]",
    )
    out: str | None = out_file("Write the report to FILE.")
    reports: tuple[str, ...] = option(
        "--report",
        metavar="FORMAT=FILE",
        multiple=True,
        help="Write it to FILE in FORMAT as well; repeatable.",
    )
    force: bool = force_option("no report of gradflow")
    show_all: bool = show_all_option()
    no_color: bool = no_color_option()

    def files(self) -> list[OutFile]:
        """Return the files of ``-o`` and of each ``--report``."""
        main = [] if self.out is None else [OutFile.of_format("-o", self.out, self.format)]
        return main + [
            OutFile.of_format(f"--report {format}", file, format) for format, file in self._named
        ]

    def targets(self) -> list[tuple[str, Target]]:
        """Return the formats, and where each is written: stdout or ``-o`` first.

        Raises:
            CommandError: two name the same file.
        """
        flags: dict[Path, str] = {}
        for file in self.files():
            first = flags.setdefault(Path(file.path).resolve(), file.flag)
            if first is not file.flag:
                raise CommandError(
                    f"{file.flag} and {first} write to the same file, {file.path}: give each a "
                    "file of its own"
                )
        written = [(self.format, self.out), *self._named]
        return [(format, Target(file, self.no_color)) for format, file in written]

    def over(self, options: Options) -> Options:
        """Return ``options``, with the map where a format shows it."""
        formats = [FORMATS[format] for format, _ in self.targets()]
        needs_map = any(item.has_map is HasMap.ALWAYS for item in formats)
        return replace(options, map=True) if needs_map else options

    @property
    def _named(self) -> list[tuple[str, str]]:
        """The format and the file of each ``--report``."""
        return [_report(text) for text in self.reports]

    @property
    def is_on_screen(self) -> bool:
        """Whether the report is text on stdout."""
        return self.out is None and self.format == "text"

    def remark(self) -> str:
        """Return what to say of ``--all`` where no report is text; else empty."""
        formats = [self.format, *(text.partition("=")[0] for text in self.reports)]
        return _all_without_effect(self.show_all, formats)


@dataclass(frozen=True, slots=True)
class AnswerOutput(FileOutput):
    """What an answer that is no report is written as, and where."""

    heading: ClassVar[str] = "Answer"

    format: str = option(
        "--format",
        type=click.Choice(ANSWER_FORMATS),
        default="text",
        show_default=True,
        help="Format of the answer.",
    )
    out: str | None = out_file("Write the answer to FILE.")
    force: bool = force_option("no answer of gradflow")
    no_color: bool = no_color_option()

    def files(self) -> list[OutFile]:
        """Return the file of ``-o``."""
        return [] if self.out is None else [OutFile.of_format("-o", self.out, self.format)]

    @property
    def target(self) -> Target:
        """Where the answer goes."""
        return Target(self.out, self.no_color)


@dataclass(frozen=True, slots=True)
class LongAnswerOutput(AnswerOutput):
    """The same, of an answer whose text can be long."""

    show_all: bool = show_all_option()

    def remark(self) -> str:
        """Return what to say of ``--all`` where the answer is not text; else empty."""
        return _all_without_effect(self.show_all, [self.format])


@dataclass(frozen=True, slots=True)
class Analysis(Group):
    """How a model is analysed: the declared options, for a command that writes no report."""

    heading: ClassVar[str] = "Analysis"
    names: ClassVar[Sequence[str]] = [
        name for name, item in DECLARED.items() if item.flag is not None and not item.of_report
    ]
    helps: ClassVar[Mapping[str, str]] = {}
    """Help of options that mean something else here, by their names."""

    values: Options
    """Those of the command line, or defaults; without ``-v``, which is no option of this group."""
    written: tuple[str, ...]
    """Names of the options that the command line has."""

    @classmethod
    def options(cls) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
        """Return those that are declared for the command line."""
        return [(name, *_click_option(DECLARED[name], cls.helps.get(name))) for name in cls.names]

    @classmethod
    def made(cls, values: dict[str, Any]) -> Analysis:
        """Read the values.

        Raises:
            CommandError: one of them is not one that its option takes.
        """
        source = click.get_current_context().get_parameter_source
        with command_errors():
            options = Options(
                **{name: read(name, value, f"{flag(name)} ") for name, value in values.items()}
            )
        return cls(
            options,
            tuple(name for name in values if source(name) is ParameterSource.COMMANDLINE),
        )

    def over(self, options: Options, messages: Messages) -> Options:
        """``options``, with what the command line has in their place."""
        changes = {name: getattr(self.values, name) for name in self.written}
        return replace(options, **changes, verbose=messages.verbose)

    def remark_of_list(self) -> str:
        """Name what the command line has and what does not count where entries are listed."""
        ignored = [name for name in self.written if name not in _OF_A_LIST]
        return without_effect(ignored, "with --entry list")

    def remark(self, options: Options, model: str = "") -> str:
        """Name what the command line has and what has no effect beside ``options``; else empty.

        ``model`` is the entry of the configuration that can have made the options static.
        """
        ignored = names_without_effect(self.written, options)
        if "static" in self.written:
            return without_effect(ignored, "with --static, which runs nothing")
        return without_effect(ignored, f"on {model}, which is only read (static: true)")


@dataclass(frozen=True, slots=True)
class ReportAnalysis(Analysis):
    """How a model is analysed, and what is in the report of it."""

    names: ClassVar[Sequence[str]] = [name for name in DECLARED if DECLARED[name].flag is not None]

    def remark_of_map(self, formats: Sequence[str]) -> str:
        """Return what to say of ``--map`` where none of the ``formats`` holds a map; else empty."""
        has_effect = any(FORMATS[format].has_map is not HasMap.NEVER for format in formats)
        return "" if has_effect or "map" not in self.written else without_effect(["map"], _NO_MAP)


@dataclass(frozen=True, slots=True)
class ScanLimits(Analysis):
    """The options of an analysis that a scan has too."""

    heading: ClassVar[str] = "Scan"
    names: ClassVar[Sequence[str]] = ("imports", "timeout", "memory_limit")
    helps: ClassVar[Mapping[str, str]] = {
        "imports": "Allow the layers and ops of your own that MODULE defines, without importing "
        "it; repeatable."
    }


def flag(name: str) -> str:
    """Return how the command line writes the declared option ``name``."""
    return DECLARED[name].flag or name


def without_effect(names: Sequence[str], reason: str) -> str:
    """Name options of the command line that have no effect, and why; empty where there are none."""
    flags = [_flag_of_value(name) for name in names]
    return f"{', '.join(flags)}: no effect {reason}" if names else ""


def _click_option(option: Declared, help: str | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the flags and attributes of a declared option."""
    assert option.flag is not None
    kind = option.kind
    repeatable = "; repeatable" if kind.repeatable else ""
    default = f"  [default: {option.default_help}]" if option.default_help else ""
    attributes: dict[str, Any] = {
        "help": help or f"{option.help}{option.example}{repeatable}.{default}",
        "metavar": option.metavar,
    }
    if isinstance(kind, Flag):
        if not kind.off:
            return (option.flag,), {"help": attributes["help"], "is_flag": True}
        flags = (f"{option.flag}/{kind.off}",)
        return flags, {"help": attributes["help"], "default": option.default, "show_default": True}
    if kind.repeatable:
        return (option.flag,), {**attributes, "multiple": True}
    if isinstance(kind, Whole):
        attributes["type"] = click.IntRange(kind.least, kind.most)
    elif isinstance(kind, Seconds):
        attributes["type"] = click.FloatRange(0, kind.most, min_open=True)
    elif isinstance(kind, Choice):
        attributes["type"] = click.Choice(kind.names)
    if option.default is not None:
        default = option.default.value if isinstance(kind, Choice) else option.default
        attributes.update(default=default, show_default=True)
    return (option.flag,), attributes


def _flag_of_value(name: str) -> str:
    """As ``flag``; of a pair the one that the command line has."""
    kind = DECLARED[name].kind
    if isinstance(kind, Flag) and kind.off and not click.get_current_context().params[name]:
        return kind.off
    return flag(name)


def _all_without_effect(show_all: bool, formats: Sequence[str]) -> str:
    if show_all and "text" not in formats:
        return f"--all: no effect with --format {formats[0]}, which leaves nothing out"
    return ""


def _report(text: str) -> tuple[str, str]:
    format, equals, file = text.partition("=")
    if not equals or not file or format not in FORMATS:
        near = closest(format, FORMATS)
        meant = f"did you mean {near[0]}? " if near and near[0] != format else ""
        raise CommandError(
            f"--report {text!r}: not of the form FORMAT=FILE: {meant}FORMAT is one of "
            f"{', '.join(FORMATS)}"
        )
    return format, file
