"""Run the commands: no other folder prints or exits."""

from gradflow.cli.main import main

__all__ = ["main"]
