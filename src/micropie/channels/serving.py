"""How many workers of a server run this application, as its command line and environment tell."""

import os
import re
import sys
from collections.abc import Mapping, Sequence

SERVERS = re.compile(r"\b(uvicorn|granian|gunicorn|hypercorn)\b")
OPTION = re.compile(r"(?:--workers|-w)(?:=?(\d+))?")
MICROPIE_WORKERS = "MICROPIE_WORKERS"  # set by `run`, whose workers have no command line of a server
VARIABLES = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS")


def workers_here() -> int:
    """The number of workers that this process is one of; 1 if nobody says."""
    return workers_in(sys.argv, os.environ)


def workers_in(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The number of workers by `run`, a server's command line, which its workers see too, or by variables."""
    if environment.get(MICROPIE_WORKERS, "").isdecimal():
        return int(environment[MICROPIE_WORKERS])
    if not SERVERS.search(command[0] if command else ""):
        return 1
    for place, word in enumerate(command):
        if (option := OPTION.fullmatch(word)) is not None:
            number = option[1] or "".join(command[place + 1 : place + 2])
            return int(number) if number.isdecimal() else 1
    found = (environment.get(name, "") for name in VARIABLES)
    return next((int(number) for number in found if number.isdecimal()), 1)
