"""Run ``gradflow``, also as ``python -m gradflow``."""

from __future__ import annotations

import sys

from gradflow.process.early_start import started_early
from gradflow.process.lasting_imports import lasting_imports


def main(prog_name: str | None = None) -> None:
    """Run the command line; what opens the model starts beside it."""
    with started_early(sys.argv[1:]):
        with lasting_imports():
            from gradflow.cli import main as command_line

        command_line(prog_name=prog_name)


if __name__ == "__main__":
    main()
