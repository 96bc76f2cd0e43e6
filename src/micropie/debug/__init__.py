"""Development mode: what is wrong is shown to who writes the application, and to nobody else."""

from micropie.debug.debugger import Debugger

__all__ = ["Debugger"]
