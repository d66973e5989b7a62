"""``gradflow inspect --entry list``: show what each model file holds that can be called."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.cli.output import CommandError, Target
from gradflow.options import Options
from gradflow.process.parent import list_entries
from gradflow.report.formats import ANSWER_FORMATS

LIST = "list"


def show_entries(
    models: Sequence[str], options: Options, targets: Sequence[tuple[str, Target]]
) -> int:
    """Write the entries of ``models`` to each of ``targets``, a format and where it goes.

    Returns:
        The exit code: 2 where a file could not be read.

    Raises:
        CommandError: a list of entries has no such format.
    """
    from gradflow.report.answers.entries import RENDERERS

    unfit = next((format for format, _ in targets if format not in ANSWER_FORMATS), None)
    if unfit is not None:
        raise CommandError(
            f"--entry {LIST}: cannot be written as {unfit}: give {' or '.join(ANSWER_FORMATS)}"
        )
    lists = [list_entries(path, options) for path in models]
    for format, target in targets:
        target.write(RENDERERS[format](lists, target.layout()))
    return 2 if any(entry_list.error is not None for entry_list in lists) else 0
