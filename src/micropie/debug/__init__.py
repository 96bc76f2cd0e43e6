"""Development mode: what is wrong is shown to who writes the application, and to nobody else."""

from micropie.debug.debugger import Debugger
from micropie.debug.unimportable import Unimportable

__all__ = ["Debugger", "Unimportable"]
