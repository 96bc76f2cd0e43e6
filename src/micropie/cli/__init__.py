"""The command `micropie`, also `python -m micropie`: a module for each of its commands, named like it."""

from micropie.cli.command import main

__all__ = ["main"]
