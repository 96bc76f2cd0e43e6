"""The command `micropie`, also `python -m micropie`."""

from micropie.cli.command import main

__all__ = ["main"]
