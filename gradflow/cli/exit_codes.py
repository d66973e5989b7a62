"""Choose the exit code, and define the options that change it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from gradflow.cli.options import option
from gradflow.findings import ModelReport, Status


def fail_on_option(help: str) -> Any:
    """Make the field of ``--fail-on``."""
    return option("--fail-on", type=click.Choice(["error", "warning"]), help=help)


def exit_zero_option(help: str) -> Any:
    """Make the field of ``--exit-zero``."""
    return option("--exit-zero", is_flag=True, help=help)


def exit_code(models: Iterable[tuple[ModelReport, bool]], *, exit_zero: bool) -> int:
    """Return the exit code for reports and whether each is broken.

    2: a model could not be checked; 1: one is broken; 0: neither. 2 outranks 1.
    """
    judged = list(models)
    if any(model.status is Status.FAILED for model, _ in judged):
        return 2
    return 1 if any(is_broken for _, is_broken in judged) and not exit_zero else 0
