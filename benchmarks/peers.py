"""The frameworks that are compared, each in a virtual environment of its own.

Two packages are called `micropie`, so the peers can't share one. An environment is made on first use under
`.venv-bench/<peer>` with the newest releases, and made anew when its list of packages here changes; delete the
folder to take newer releases.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv-bench"


@dataclass(frozen=True)
class Peer:
    """A framework to measure: its name in the tables, its module in `apps/` and what pip installs for it."""

    name: str
    app: str
    packages: tuple[str, ...]
    reported: tuple[str, ...]
    """The packages whose versions stand in the report."""

    @property
    def home(self) -> Path:
        return ENVIRONMENTS / self.name

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"


SERVERS = ("uvicorn", "uvloop", "httptools", "granian")


def _micropie(name: str, *source: str) -> Peer:
    return Peer(name, "micropie", (*source, "orjson", "jinja2", "multipart"), ("micropie", "orjson", "multipart"))


def _peer(name: str, *packages: str, reported: tuple[str, ...] = ()) -> Peer:
    return Peer(name, name, packages, reported or (name, "orjson"))


PEERS = {
    peer.name: peer
    for peer in (
        _peer("raw", "orjson", "jinja2", *SERVERS, reported=("orjson", "jinja2")),
        _micropie("micropie", "-e", str(ROOT), *SERVERS),
        _micropie("micropie-0.32", "micropie==0.32"),
        _micropie("micropie-0.29", "micropie==0.29"),
        _peer("starlette", "starlette", "orjson", "jinja2", "python-multipart", "itsdangerous", *SERVERS),
        _peer(
            "fastapi",
            *("fastapi", "jinja2", "python-multipart", "itsdangerous", *SERVERS),
            reported=("fastapi", "pydantic"),
        ),
        _peer("quart", "quart", "orjson"),
        _peer("blacksheep", "blacksheep", "orjson", "jinja2", *SERVERS),
        _peer("litestar", "litestar", "jinja2", *SERVERS, reported=("litestar", "msgspec")),
        _peer("falcon", "falcon", "orjson", "jinja2", *SERVERS),
        _peer("muffin", "muffin", "muffin-session", "muffin-jinja2", "orjson", *SERVERS),
        _peer("sanic", "sanic", "orjson", "jinja2"),
        _peer("emmett55", "emmett55[crypto,orjson]", *SERVERS, reported=("emmett55", "emmett-core", "orjson")),
        _peer("django", "django", "jinja2", *SERVERS, reported=("django",)),
    )
}

# They have no ASGI, or are slower by it: for the comparison of servers alone.
OWN = {
    peer.name: peer
    for peer in (
        _peer("robyn", "robyn", "orjson"),
        _peer("socketify", "socketify", "orjson"),
    )
}

# What a user of each installs: for the start, and for the size on disk.
FRESH = {
    peer.name: peer
    for peer in (
        _peer("fresh-micropie", str(ROOT), "orjson", "jinja2", "multipart", reported=("micropie",)),
        _peer("fresh-micropie-0.29", "micropie==0.29", "orjson", "jinja2", "multipart", reported=("micropie",)),
        _peer("fresh-micropie-alone", str(ROOT), reported=("micropie",)),
        _peer("fresh-micropie-0.29-alone", "micropie==0.29", reported=("micropie",)),
        _peer("fresh-starlette", "starlette", "orjson", "jinja2", reported=("starlette",)),
        _peer("fresh-fastapi", "fastapi", "orjson", "jinja2", reported=("fastapi",)),
    )
}


def _sources() -> str:
    """Return a digest of our own sources: where they are copied, a change needs another copy."""
    files = sorted((ROOT / "src").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def prepare(peer: Peer) -> None:
    """Make the peer's environment, unless it is there with these packages already."""
    stamp = peer.home / "installed.json"
    copied = [_sources()] if peer.packages[0] == str(ROOT) else []
    wanted = json.dumps([sys.version, *peer.packages, *copied])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {peer.name} ...", file=sys.stderr)
    shutil.rmtree(peer.home, ignore_errors=True)
    venv.create(peer.home, with_pip=True)
    pip = [peer.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *peer.packages], check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    everybody = {**PEERS, **OWN, **FRESH}
    for wanted_peer in everybody if sys.argv[1:] == ["all"] else sys.argv[1:]:
        prepare(everybody[wanted_peer])
