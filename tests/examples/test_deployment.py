"""examples/deployment: its files as tools read them, and the commands in them, behind three proxies."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.batteries.redis_server import running_redis
from tests.examples.conftest import EXAMPLES
from tests.servers.proxies import PROXIES, Places, caddy_with, proxying, replaced
from tests.servers.serving import PATIENCE, UVICORN, Server, started, wait_until_ready

FOLDER = EXAMPLES / "deployment"
NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
UNIT = (FOLDER / "shop.service").read_text("utf-8")


def said(*command: str | Path) -> tuple[int, str]:
    """The exit status of a command, and what it says."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE, check=False)
    return ended.returncode, ended.stdout + ended.stderr


# -- the files ----------------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say_of_the_dockerfile():
    """No error, warning or hint."""
    assert said(Path(sys.executable).with_name("hadolint"), FOLDER / "Dockerfile") == (0, "")


def test_the_image_is_made_of_files_that_there_are():
    """All that is copied is in the context, and the command's application is one of them."""
    context = FOLDER / COMPOSE["services"]["web"]["build"]["context"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert [name for names in copied for name in names.split() if not (context / name).exists()] == []
    assert (context / COMPOSE["services"]["web"]["build"]["dockerfile"]).samefile(FOLDER / "Dockerfile")
    assert "examples/deployment/app.py" in copied


def test_dclint_finds_no_error_in_the_compose_file():
    """But that the proxy's ports are open to the world, which is what they are for."""
    assert NODE_MODULES.is_dir(), "run scripts/test once: it installs the packages that these tests need"
    _, told = said(NODE_MODULES / ".bin" / "dclint", "--quiet", "--formatter", "json", FOLDER / "compose.yaml")
    (file,) = json.loads(told)
    assert {(error["rule"], error["data"]["serviceName"]) for error in file["messages"]} == {
        ("no-unbound-port-interfaces", "proxy")
    }


def test_systemd_takes_the_unit(tmp_path):
    """Every line is one that it knows, and little of the machine is left to the process."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    unit = tmp_path / "shop.service"
    unit.write_text(UNIT.replace("/srv/shop", str(tmp_path)), "utf-8")
    assert said("systemd-analyze", "verify", unit) == (0, "")
    status, told = said("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert status == 0, told


# -- the commands -------------------------------------------------------------------------------------


@contextmanager
def commanded(command: list[str], folder: Path, **environment: str) -> Iterator[Server]:
    """Run a `micropie` command of one of the files, at a port of the test's, in a copy of the folder."""
    assert command[0].split("/")[-1] == "micropie"
    options = ["127.0.0.1" if word == "0.0.0.0" else "{port}" if word == "8000" else word for word in command[1:]]
    copy = shutil.copytree(FOLDER, folder / "deployment", ignore=shutil.ignore_patterns("__pycache__"))
    kind = replace(UVICORN, name="micropie", options=tuple(options))
    with started(kind, folder, at=copy, **environment) as server:
        wait_until_ready(server)
        yield server


def test_the_command_of_the_image(tmp_path):
    """With the environment of the compose file two workers share visits; the health check passes; a stop is gentle."""
    command = json.loads(re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[0])
    environment = {**COMPOSE["services"]["web"]["environment"], "HOSTS": "localhost 127.0.0.1"}
    with running_redis(tmp_path) as redis:
        environment |= dict.fromkeys(("REDIS_URL", "SESSIONS"), redis.url)
        with commanded(command, tmp_path, **environment) as server:
            status, told = said(*health_check(server.port))
            assert status == 0, told
            with server.client() as client:
                found = [client.get("/", headers={"Connection": "close"}).json() for _ in range(20)]
            assert [one["visits"] for one in found] == [*range(1, 21)]
            assert len({one["worker"] for one in found}) == 2
            with server.client() as client, client.stream("GET", "/visits") as stream:
                lines = stream.iter_lines()
                assert next(lines) == '{"event":"hello","data":"hello"}'
                server.get("/")
                assert '"visit":1' in next(lines)
                server.terminate()
                assert list(lines) == []  # a reply that is cut off raises
            assert server.process.wait(2 * PATIENCE) == 0


def health_check(port: int) -> list[str]:
    """The health check of the image, for a port."""
    command: list[str] = json.loads(re.findall(r"^    CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[0])
    assert command[0] == "python"
    return [sys.executable, *(word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in command[1:])]


def test_the_command_of_the_unit(tmp_path):
    """With its environment sessions survive a restart, on two workers without Redis."""
    (command,) = re.findall("^ExecStart=(.+)$", UNIT, re.MULTILINE)
    environment = dict(line.split("=", 1) for line in re.findall("^Environment=(.+)$", UNIT, re.MULTILINE))
    assert environment.pop("SESSIONS") == "sqlite:////var/lib/shop/sessions.db"
    environment |= {"HOSTS": "127.0.0.1", "SESSIONS": f"sqlite:///{tmp_path}/sessions.db"}
    cookies: dict[str, str] = {}
    for visit in (1, 2):
        folder = tmp_path / str(visit)
        folder.mkdir()
        with commanded(shlex.split(command), folder, **environment) as server, server.client(cookies=cookies) as client:
            assert client.get("/").json()["visits"] == visit
            cookies = dict(client.cookies)


# -- the proxies --------------------------------------------------------------------------------------


def caddy(places: Places) -> list[str]:
    """The Caddyfile of this folder, with a certificate that it makes itself."""
    here = {
        "{$SITE:localhost} {": f"https://127.0.0.1:{places.port} {{",
        "web:8000": f"127.0.0.1:{places.site}",
    }
    return caddy_with(places, replaced((FOLDER / "Caddyfile").read_text("utf-8"), here))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The application without anything around it, and a Redis for its workers."""
    folder = tmp_path_factory.mktemp("site")
    with running_redis(folder) as redis:
        environment = dict.fromkeys(("REDIS_URL", "SESSIONS"), redis.url)
        with commanded(["micropie", "run", "app:app", "--port", "8000"], folder, **environment) as server:
            yield server


@pytest.mark.parametrize("make", [*PROXIES, caddy], ids=["nginx", "caddy", "haproxy", "compose's caddy"])
def test_behind_a_proxy(make, site, tmp_path):
    """Those of the guide to production, and the compose file's: the visitor is known, and events come at once."""
    with proxying(make, tmp_path, (site.port, site.port)) as proxy, proxy.client() as client:
        seen = client.get("/", headers={"X-Forwarded-For": "192.0.2.7"}).json()
        assert (seen["visits"], seen["client"], seen["scheme"]) == (1, "127.0.0.1", "https")
        assert client.get("/").json()["visits"] == 2
        with client.stream("GET", "/visits", headers={"Accept": "text/event-stream"}) as stream:
            lines = (line for line in stream.iter_lines() if line)
            assert (next(lines), next(lines)) == ("event: hello", "data: hello")
            proxy.get("/")
            assert next(line for line in lines if line.startswith("data:")) == 'data: {"visit":1}'
