"""The frameworks that are compared, each in a virtual environment of its own.

Two packages are called `micropie`, so the peers can't share one. An environment is made on first use under
`.venv-bench/<peer>` with the newest releases, and made anew when its list of packages here changes; delete the
folder to take newer releases.
"""

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


def _micropie(name: str, *source: str) -> Peer:
    return Peer(name, "micropie", (*source, "orjson", "jinja2", "multipart"), ("micropie", "orjson", "multipart"))


def _peer(name: str, *packages: str, reported: tuple[str, ...] = ()) -> Peer:
    return Peer(name, name, packages, reported or (name, "orjson"))


PEERS = {
    peer.name: peer
    for peer in (
        _peer("raw", "orjson", "jinja2", reported=("orjson", "jinja2")),
        _micropie("micropie", "-e", str(ROOT)),
        _micropie("micropie-0.32", "micropie==0.32"),
        _micropie("micropie-0.29", "micropie==0.29"),
        _peer("starlette", "starlette", "orjson", "jinja2", "python-multipart", "itsdangerous"),
        _peer("fastapi", "fastapi", "jinja2", "python-multipart", "itsdangerous", reported=("fastapi", "pydantic")),
        _peer("quart", "quart", "orjson"),
        _peer("blacksheep", "blacksheep", "orjson", "jinja2"),
        _peer("litestar", "litestar", "jinja2", reported=("litestar", "msgspec")),
        _peer("falcon", "falcon", "orjson", "jinja2"),
        _peer("muffin", "muffin", "muffin-session", "muffin-jinja2", "orjson"),
    )
}


def prepare(peer: Peer) -> None:
    """Make the peer's environment, unless it is there with these packages already."""
    stamp = peer.home / "installed.json"
    wanted = json.dumps([sys.version, *peer.packages])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {peer.name} ...", file=sys.stderr)
    shutil.rmtree(peer.home, ignore_errors=True)
    venv.create(peer.home, with_pip=True)
    pip = [peer.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *peer.packages], check=True)
    stamp.write_text(wanted)
