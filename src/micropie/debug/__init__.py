"""Development mode: failures are shown to the developer of the application, and to nobody else."""

from micropie.debug.development import Debugger
from micropie.debug.unimportable import Unimportable, page_of_unimportable

__all__ = ["Debugger", "Unimportable", "page_of_unimportable"]
