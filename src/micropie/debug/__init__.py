"""Development mode: failures are shown to the developer of the application, and to nobody else."""

from micropie.debug.development import Debugger
from micropie.debug.unimportable import Unimportable

__all__ = ["Debugger", "Unimportable"]
