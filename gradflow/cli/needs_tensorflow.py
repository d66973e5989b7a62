"""Refuse a command whose answer rests on measured gradients where TensorFlow is not installed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from gradflow.cli.output import CommandError
from gradflow.installed import NOT_INSTALLED, has_tensorflow, install_command
from gradflow.options import Options

_LISTED = 3
"""Models that the message repeats."""


def require_tensorflow(command: str, models: Sequence[str], analyses: Iterable[Options]) -> None:
    """Refuse ``command`` where one of its ``analyses`` is to measure, and there is no TensorFlow.

    Where a file is only read, dead weights and what code of the user's own does stay unknown. A
    build, a baseline or a configuration must not come to rest on that unless the user asks for it.

    Raises:
        CommandError: with the line to write instead.
    """
    if has_tensorflow() or all(options.static for options in analyses):
        return
    named = shlex.join(models) if len(models) <= _LISTED else "MODEL..."
    raise CommandError(
        f"{NOT_INSTALLED}, and {command} measures gradients: {install_command('tf')}; or read the "
        f"files only: gradflow {command} --static {named}".rstrip()
    )
