"""Sessions of an application that is being written: they survive each reload.

In a SQLite file, as in production, rather than handed on from the memory of one process to that of the next: so they
survive a crash too, and what JSON can't hold is found out before it matters.
"""

import os

from micropie import InMemorySessionBackend, SessionBackend
from micropie.sessions.sqlite import SQLiteSessionBackend

FILE = ".micropie/sessions.db"  # below the working directory


def development_backend() -> SessionBackend:
    """Sessions in a folder of the project that version control ignores; in memory where we can't write one.

    app = MyApp(development_backend())      # what `micropie run --dev` does
    """
    return SQLiteSessionBackend(FILE, own_folder=True) if os.access(".", os.W_OK) else InMemorySessionBackend()
