"""``gradflow init``: write a commented gradflow.yaml from what models show today."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import click

from gradflow.cli.help import Command
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import (
    MODEL_PATH,
    Analysis,
    FileOutput,
    Messages,
    force_option,
    out_file,
    with_options,
)
from gradflow.cli.out_file import OutFile
from gradflow.cli.output import Stderr, Target
from gradflow.cli.run import Run, engine
from gradflow.files.own_function import is_function
from gradflow.findings import ModelReport, Status
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.process.models import models_at
from gradflow.text import as_json


@dataclass(frozen=True, slots=True)
class ConfigurationOutput(FileOutput):
    """Where the configuration goes."""

    heading: ClassVar[str] = "Configuration"

    out: str = out_file(
        "Write the configuration to FILE.", default="gradflow.yaml", show_default=True
    )
    force: bool = force_option("there")

    def files(self) -> list[OutFile]:
        """Return the file of ``-o``; one that is there was edited by hand."""
        return [OutFile("-o", self.out, "a configuration", None)]


@click.command(
    cls=Command,
    examples=(
        "gradflow init model.keras",
        "gradflow init models/encoder models/decoder.keras -o configs/gradflow.yaml",
    ),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=MODEL_PATH)
@with_options(output=ConfigurationOutput, analysis=Analysis, run=Run, messages=Messages)
@click.pass_context
def init(
    context: click.Context,
    /,
    models: tuple[str, ...],
    output: ConfigurationOutput,
    analysis: Analysis,
    run: Run,
    messages: Messages,
) -> None:
    """Write a configuration that describes each MODEL as it is today, with a comment to each part.

    Each finding of today is written as an ignore: repair it, or write the reason. The schema from
    which editors complete the file is written beside it. Exit code 2, and nothing is written, when
    a model could not be checked.
    """
    out = Path(output.out)
    stderr = Stderr(messages.quiet, messages.verbose)
    options = analysis.over(Options(), messages)
    require_tensorflow("init", models, [options])
    found = models_at(dict.fromkeys(models))
    stderr.remarks(analysis.remark(options), *found.remarks)
    with engine(len(found.paths), run, stderr) as running:
        outcomes = running.inspected(found.paths, options).whole()
    reports = [(path, outcome.model) for path, outcome in zip(found.paths, outcomes, strict=True)]
    failed = [model for _, model in reports if model.status is Status.FAILED]
    for model in failed:
        stderr.failure(model)
    if failed:
        context.exit(2)
    # Imported where it is needed: help and a failure do without.
    from gradflow.config.template import accepted_words, template

    Target(output.out, no_color=True).write(
        template(_as_seen_from(out, path, model) for path, model in reports)
    )
    schema = _write_schema(out)
    for words in accepted_words(model for _, model in reports):
        stderr.remark(words)
    written = f"{out} and {schema} are written" if schema else f"{out} is written"
    stderr.remark(f"{written}; gradflow check compares the models with it")


def _write_schema(out: Path) -> Path | None:
    """Write the schema that the configuration names beside it; None where the configuration is no
    file, or something else has that name."""
    from gradflow.config.schema import TITLE, config_schema
    from gradflow.config.template import SCHEMA_FILE

    path = out.parent / SCHEMA_FILE
    schema = OutFile.of_schema(str(path), TITLE)
    is_ours = not path.exists() or (path.is_file() and schema.holds_its_kind())
    if not out.is_file() or not is_ours:
        return None
    Target(str(path), no_color=True).write(as_json(config_schema()) + "\n")
    return path


def _as_seen_from(out: Path, path: str, model: ModelReport) -> tuple[str, ModelReport]:
    """Paths in a configuration are relative to its folder."""
    if "://" in path or Path(path).is_absolute() or is_function(path):
        return path, model
    return Path(os.path.relpath(path, out.parent)).as_posix(), model
