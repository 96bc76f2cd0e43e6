"""`micropie run` and `run(app)`: which server serves, with what options, and what is told when none can."""

import asyncio
import errno
import importlib
import inspect
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import micropie
from micropie import RSGI, App, run
from micropie.core.basics.optional import lazy_import
from micropie.core.run import import_path, listening, servers
from micropie.core.run.options import ServeOptions
from micropie.core.run.served import served
from micropie.core.run.stop_bound import BoundedRSGI
from micropie.debug import Unimportable
from micropie.testing import TestClient
from tests.batteries.commands import PATIENCE, SITE, free_port, serving, text_at, wait_until

SCRIPT = SITE.replace("import App", "import App, run") + "\nif __name__ == '__main__':\n    run(app{})\n"
FAILING = SITE + "\ndef fail():\n    1 / 0\n\napp.startup_handlers.append(fail)\n"
TALKING = "import App\nfrom micropie.channels import Channels"
COUNTING = SITE.replace('return "Hello"', "return str(os.getpid())").replace("from", "import os\nfrom", 1)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Files of a certificate for localhost, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem = serialization.Encoding.PEM
    files[0].write_bytes(certificate.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


# -- serving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [(), ("--server", "granian"), ("--server", "uvicorn")])
@pytest.mark.parametrize("target", ["sub/app.py", "sub/app.py:app"])
def test_serves(project, server, target):
    """Both servers serve the file that is named, not the one of the same name that is here; Ctrl-C ends it with 0."""
    project.write(**{"sub/app": SITE, "app": "1 / 0"})
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", target, "--port", str(port), *server)
    with serving(project, *command, ready=lambda: text_at(url) is not None) as process:
        assert text_at(url) == "Hello"
    assert process.returncode == 0


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_workers(project, server):
    """`--workers` makes that many processes."""
    project.write(app=COUNTING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--workers", "2", "--server", server, "--port", str(port))
    found = set()

    def both_answer():
        found.add(text_at(url))
        return len(found - {None}) == 2

    with serving(project, *command, ready=both_answer) as process:
        assert str(process.pid) not in found


@pytest.mark.needs("micropie.channels")
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_workers_that_do_not_hear_each_other_say_so(project, server):
    """Each of them warns of channels in memory, whose messages stay where they are published."""
    project.write(app=COUNTING.replace("App):", "App):\n    channels = Channels()\n").replace("import App", TALKING, 1))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--workers", "2", "--server", server, "--port", str(port))
    found = set()

    def both_answer():
        found.add(text_at(url))
        return len(found - {None}) == 2

    with serving(project, *command, ready=both_answer) as process:
        pass
    said = process.communicate()[0]
    assert said.count("Several workers serve this, and channels in memory are of one worker each") == 2


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_a_worker_that_is_killed_is_replaced(project, server):
    """The others go on, and a new one comes."""
    project.write(app=COUNTING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--workers", "2", "--server", server, "--port", str(port))
    found = set()

    def answered_by(number):
        found.add(text_at(url))
        return len(found - {None}) == number

    with serving(project, *command, ready=lambda: answered_by(2)) as process:
        killed = [worker for worker in found if worker is not None]
        for worker in killed:
            os.kill(int(worker), signal.SIGKILL)
            found.clear()
            wait_until(lambda: answered_by(2))
        assert found.isdisjoint(killed)
        assert process.poll() is None


def test_reload(project):
    """`--reload` takes up what is changed."""
    project.write(app=SITE)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "app:app", "--reload", "--port", str(port))
    with serving(project, *command, ready=lambda: text_at(url) == "Hello"):
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=SITE.replace("Hello", "Goodbye"))
        wait_until(lambda: text_at(url) == "Goodbye")


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_dev(project, server):
    """`--dev` shows who is on this machine what failed, and takes up what is changed."""
    project.write(app=SITE.replace('return "Hello"', "raise LookupError('no such page')"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "app:app", "--dev", "--port", str(port), "--server", server)
    with serving(project, *command, ready=lambda: text_at(url) is not None):
        assert httpx.get(url).text.startswith(
            f"GET {url}/\n\nLookupError: no such page\nTraceback (most recent call last):\n"
        )
        proxied = httpx.get(url, headers={"X-Forwarded-For": "127.0.0.1"})
        assert (proxied.status_code, proxied.text) == (500, "500 Internal Server Error")
        assert httpx.get(url, headers={"Host": "example.com"}).text == "500 Internal Server Error"
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=SITE)
        wait_until(lambda: text_at(url) == "Hello")


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)])
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_unix_socket(project, server, options):
    """`--uds` listens at a path, where a dead server's socket is no obstacle, a living one's is; SIGTERM removes it."""
    project.write(app=SITE)
    path = project.folder / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    command = ("-m", "micropie", "run", "--uds", "s", "--server", server, *options)
    ready = lambda: text_at("http://localhost", path) is not None  # noqa: E731
    with serving(project, *command, ready=ready, stop=signal.SIGTERM) as process:
        assert text_at("http://localhost", path) == "Hello"
        assert project.run("run", "--uds", "s") == (1, "", "micropie: s can't be listened at: it is in use\n")
    assert process.returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)])
def test_inherited_socket(project, options):
    """`--fd` listens at a socket that the process was given, as systemd does; Granian can't."""
    project.write(app=SITE)
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        given.listen()
        fd, url = str(given.fileno()), f"http://127.0.0.1:{given.getsockname()[1]}"
        command = ("-m", "micropie", "run", "--fd", fd, *options)
        with serving(project, *command, ready=lambda: text_at(url) == "Hello", fds=[given.fileno()]) as process:
            assert text_at(url) == "Hello"
        assert process.returncode == 0
        message = "micropie: Granian can't listen at a file descriptor: pip install uvicorn\n"
        assert project.call("run", "--fd", fd, "--server", "granian") == (1, "", message)


PROXIED = """\
from micropie import App


class Site(App):
    async def index(self):
        return {name: self.request.scope[name] for name in ("client", "scheme", "root_path", "path")}


app = Site()
"""
TOLD = {"X-Forwarded-For": "9.9.9.9, 10.1.2.3:55", "X-Forwarded-Proto": "https"}


def asked_by_proxy(project, server, *options, environment):
    """The scope of a request with a proxy's headers."""
    project.write(app=PROXIED)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--server", server, "--port", str(port), *options)
    with serving(project, *command, ready=lambda: text_at(url) is not None, environment=environment):
        return httpx.get(url, headers=TOLD).json()


@pytest.mark.parametrize(
    ("options", "environment", "client", "scheme"),
    [
        ((), {}, "10.1.2.3", "https"),
        (("--forwarded-allow-ips", "127.0.0.1, 10.0.0.0/8"), {}, "9.9.9.9", "https"),
        (("--forwarded-allow-ips", ""), {"FORWARDED_ALLOW_IPS": "*"}, "127.0.0.1", "http"),
        ((), {"FORWARDED_ALLOW_IPS": "10.1.2.3"}, "127.0.0.1", "http"),
    ],
)
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_trusted_proxies(project, server, options, environment, client, scheme):
    """On both servers trusted proxies alone are believed who the client is, by default those on this machine."""
    scope = asked_by_proxy(project, server, *options, environment=environment)
    assert (scope["client"][0], scope["scheme"]) == (client, scheme)


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_root_path(project, server):
    """`--root-path` is the prefix that a proxy has taken off, on both servers."""
    scope = asked_by_proxy(project, server, "--root-path", "/api/", environment={})
    assert (scope["root_path"], scope["path"]) == ("/api", "/api/")


STREAMING = """\
import asyncio
import time

from micropie import App


class Site(App):
    async def index(self):
        return "Hello"

    async def stream(self):
        while True:
            yield "x"
            await asyncio.sleep(0.05)

    def blocking(self):
        while True:
            yield "x"
            time.sleep(0.05)


app = Site()
"""


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("stream", ("--graceful-timeout", "1")),
        ("stream", ("--graceful-timeout", "1", "--workers", "2")),
        ("blocking", ("--dev",)),
    ],
)
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_streams_end_in_time(project, server, path, options):
    """A stream that is open does not keep the server from stopping."""
    project.write(app=STREAMING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--server", server, "--port", str(port), *options)
    with (
        serving(project, *command, ready=lambda: text_at(url) is not None) as process,
        httpx.stream("GET", f"{url}/{path}", timeout=PATIENCE) as stream,
    ):
        assert next(stream.iter_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE / 2) == 0


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_streams_do_not_keep_it_from_reloading(project, server):
    """In development mode an open stream does not keep it from taking up what is changed."""
    project.write(app=STREAMING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--server", server, "--port", str(port), "--dev")
    with (
        serving(project, *command, ready=lambda: text_at(url) is not None),
        httpx.stream("GET", f"{url}/stream", timeout=PATIENCE) as stream,
    ):
        assert next(stream.iter_text())
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=STREAMING.replace("Hello", "Goodbye"))
        wait_until(lambda: text_at(url) == "Goodbye")


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_what_is_no_source_does_not_reload(project, server):
    """What the application writes is no reason to start again; a template is, and what `--reload-include` names."""
    project.write(app=COUNTING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("run", "--server", server, "--port", str(port), "--reload", "--reload-include", "*.toml")
    with serving(project, "-m", "micropie", *command, ready=lambda: text_at(url) is not None):
        first = text_at(url)
        (project.folder / "sessions.db").write_text("x")
        (project.folder / "log").write_text("x")
        time.sleep(1.5)
        assert text_at(url) == first
        (project.folder / "page.html").write_text("x")
        wait_until(lambda: text_at(url) not in {first, None})
        second = text_at(url)
        (project.folder / "settings.toml").write_text("x")
        wait_until(lambda: text_at(url) not in {second, None})


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("def broken(:", "SyntaxError: invalid syntax (app.py, line 10)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("exit()", "RuntimeError: The module ends the program when it is imported: SystemExit(None)"),
        ("del app", "AttributeError: module 'app' has no attribute 'app'"),
    ],
)
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_dev_survives_mistakes(project, server, broken, told):
    """What can't be imported is told at every path, to who is on this machine, until it is mended."""
    project.write(app=SITE)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--dev", "--port", str(port), "--server", server)
    with serving(project, *command, ready=lambda: text_at(url) is not None):
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=f"{SITE}{broken}\n")
        wait_until(lambda: text_at(url) not in {"Hello", None})
        page = httpx.get(f"{url}/any/page", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
        text = httpx.post(url).text
        assert text.startswith(f"POST {url}/\n\n{told}\nTraceback (most recent call last):\n")
        assert "_bootstrap" not in text
        assert httpx.get(url, headers={"Host": "example.com"}).text == "500 Internal Server Error"
        time.sleep(1.1)
        project.write(app=SITE)
        wait_until(lambda: text_at(url) == "Hello")


def test_dev_over_rsgi_survives_mistakes(project):
    """So it does where RSGI is served."""
    site = SITE.replace("import App", "import RSGI, App").replace("= Site()", "= RSGI(Site())")
    project.write(app=site)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(
        project, "-m", "micropie", "run", "--dev", "--port", str(port), ready=lambda: text_at(url) is not None
    ):
        project.write(app=f"{site}1 / 0\n")
        wait_until(lambda: text_at(url) not in {"Hello", None})
        assert str(text_at(url)).startswith(f"GET {url}/\n\nZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_reload_survives_mistakes(project, server):
    """`--reload` waits for the next change where a worker could not start."""
    project.write(app=SITE)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", "--reload", "--port", str(port), "--server", server)
    with serving(project, *command, ready=lambda: text_at(url) is not None) as process:
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=f"{SITE}1 / 0\n")
        time.sleep(1.5)
        assert process.poll() is None
        project.write(app=SITE.replace("Hello", "Goodbye"))
        wait_until(lambda: text_at(url) == "Goodbye")


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_tls(project, server, pair):
    """`--tls-cert` and `--tls-key` make it https."""
    project.write(app=SITE)
    port = free_port()
    url = f"https://localhost:{port}"
    command = ("-m", "micropie", "run", "--port", str(port), "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    with serving(project, *command, "--server", server, ready=lambda: text_at(url) is not None):
        assert text_at(url) == "Hello"


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_script(project, server):
    """A script that calls `run(app)` serves when it is started."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    project.write(app=SCRIPT.format(f", port={port}, server={server!r}"))
    with serving(project, "app.py", ready=lambda: text_at(url) is not None) as process:
        assert text_at(url) == "Hello"
    assert process.returncode == 0


def test_module_of_a_package_as_script(project):
    """So does `python -m package.app`, whose workers import it by that name."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    script = SCRIPT.format(f", port={port}, workers=2, server='uvicorn'").replace("'Hello'", "greeting")
    project.write(**{"shop/__init__": "", "shop/words": "x = 1\n", "shop/app": f"from .words import x\n{script}"})
    with serving(project, "-m", "shop.app", ready=lambda: text_at(url) is not None):
        assert text_at(url) == "Hello"


def test_standalone_file(project):
    """It is in the standalone file too."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    project.write(app=SCRIPT.format(f", port={port}"))
    single = Path(__file__).parents[2] / "standalone" / "micropie.py"
    project.write(micropie=single.read_text(encoding="utf-8"))
    with serving(project, "app.py", ready=lambda: text_at(url) is not None):
        assert text_at(url) == "Hello"


def test_rsgi(project):
    """An RSGI application is served over RSGI."""
    project.write(app=SITE.replace("import App", "import RSGI, App").replace("= Site()", "= RSGI(Site())"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(project, "-m", "micropie", "run", "--port", str(port), ready=lambda: text_at(url) is not None):
        assert text_at(url) == "Hello"
    message = "micropie: Uvicorn does not know RSGI: pip install granian, or serve the application itself\n"
    assert project.run("run", "--server", "uvicorn") == (1, "", message)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_startup_that_fails(project, server, workers):
    """An application that can't be started ends the server with a status that says so."""
    project.write(app=FAILING)
    status, _, err = project.run("run", "--server", server, "--port", str(free_port()), "--workers", workers)
    assert status == 1
    assert "ZeroDivisionError" in err


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_import_that_fails_in_a_worker(project, server):
    """So does one that workers can't import; they are not started again and again."""
    project.write(app=SITE + "\n\nimport multiprocessing\n\nassert multiprocessing.parent_process() is None\n")
    status, _, err = project.run("run", "--server", server, "--port", str(free_port()), "--workers", "2")
    assert status == 1
    assert "The application can't be imported\nTraceback" in err


# -- what is wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "65536"), "argument --port: '65536' is no port: a number from 0 to 65535 is wanted"),
        (("--port", "-1"), "argument --port: '-1' is no port: a number from 0 to 65535 is wanted"),
        (("--port", "x"), "argument --port: 'x' is no port: a number from 0 to 65535 is wanted"),
        (("--workers", "0"), "argument --workers: '0' is no number of processes: 1 or more are wanted"),
        (("--workers", "2", "--reload"), "argument --reload: not allowed with argument --workers"),
        (("--workers", "2", "--dev"), "argument --dev: not allowed with argument --workers"),
        (("--server", "nginx"), "argument --server: invalid choice: 'nginx'"),
        (("--fd", "3", "--uds", "s"), "argument --uds: not allowed with argument --fd"),
        (("--fd", "x"), "argument --fd: 'x' is no file descriptor: a number is wanted"),
        (
            ("--reload-include", "a/*.css"),
            "argument --reload-include: 'a/*.css' is no pattern for names: one without / is wanted, such as *.toml",
        ),
        (
            ("--graceful-timeout", "0"),
            "argument --graceful-timeout: '0' is no such time: 1 to 1800 seconds are wanted",
        ),
    ],
)
def test_wrong_options(project, arguments, message):
    """A wrong option is a line on what is wanted, and status 2."""
    project.write(app=SITE)
    status, out, err = project.run("run", *arguments)
    assert (status, out) == (2, "")
    assert f"micropie run: error: {message}" in err
    assert project.call("run", *arguments).status == 2


def test_half_a_pair(project):
    """A certificate without its key is a wrong option."""
    message = "micropie: --tls-cert and --tls-key belong together: give both\n"
    assert project.run("run", "--tls-cert", "cert.pem") == (2, "", message)
    assert project.call("run", "--tls-key", "key.pem") == (2, "", message)


def test_port_in_use(project):
    """A port in use is one line."""
    project.write(app=SITE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = f"micropie: port {port} of 127.0.0.1 can't be listened at: it is in use\n"
        assert project.run("run", "--port", str(port)) == (1, "", message)
        assert project.call("run", "--port", str(port)) == (1, "", message)


@pytest.mark.parametrize("text", ["x", "10.0.0.1/8", "127.0.0.1 10.0.0.1"])
def test_trusted_proxies_that_are_none(project, monkeypatch, text):
    """What is no address is one line, be it an option or from the environment."""
    project.write(app=SITE)
    start = f"micropie: the trusted proxies {text!r} are neither addresses and networks nor *: "
    status, out, err = project.call("run", "--forwarded-allow-ips", text)
    assert (status, out, err.startswith(start), len(err.splitlines())) == (1, "", True, 1)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", text)
    assert project.call("run").err == err


def test_a_file_descriptor_that_is_no_socket(project):
    """A file descriptor that is none, or no socket, is one line."""
    project.write(app=SITE)
    message = f"micropie: file descriptor 99 can't be listened at: {os.strerror(errno.EBADF)}\n"
    assert project.call("run", "--fd", "99") == (1, "", message)
    with Path(os.devnull).open() as file:
        message = f"micropie: file descriptor {file.fileno()} can't be listened at: {os.strerror(errno.ENOTSOCK)}\n"
        assert project.call("run", "--fd", str(file.fileno())) == (1, "", message)


def test_no_such_host(project):
    """A host that is none is one line, whatever the resolver calls it."""
    project.write(app=SITE)
    status, out, err = project.run("run", "--host", "256.0.0.1", "--port", "8123")
    assert (status, out) == (1, "")
    assert err.startswith("micropie: port 8123 of 256.0.0.1 can't be listened at: ")
    assert len(err.splitlines()) == 1
    message = f"micropie: port 8123 of 192.0.2.1 can't be listened at: {os.strerror(errno.EADDRNOTAVAIL)}\n"
    assert project.call("run", "--host", "192.0.2.1", "--port", "8123") == (1, "", message)


def test_a_file_where_the_socket_should_be(project):
    """No file of the user's is removed for a socket."""
    project.write(app=SITE)
    message = "micropie: app.py can't be listened at: there is a file of that name\n"
    assert project.call("run", "--uds", "app.py") == (1, "", message)
    message = f"micropie: no/s can't be listened at: {os.strerror(errno.ENOENT)}\n"
    assert project.call("run", "--uds", "no/s") == (1, "", message)


def test_living_socket(project):
    """A socket that somebody listens at stays."""
    project.write(app=SITE)
    with socket.socket(socket.AF_UNIX) as living:
        living.bind("s")
        living.listen()
        assert project.call("run", "--uds", "s") == (1, "", "micropie: s can't be listened at: it is in use\n")


def test_certificates(project, pair):
    """A certificate that is missing, or none, or another key's, is one line."""
    project.write(app=SITE)

    def told(certificate, key):
        status, out, err = project.call("run", "--tls-cert", certificate, "--tls-key", key)
        assert (status, out) == (1, "")
        return err

    assert told("no.pem", "key.pem") == f"micropie: no.pem can't be read: {os.strerror(errno.ENOENT)}\n"
    assert told("cert.pem", "no.pem") == f"micropie: no.pem can't be read: {os.strerror(errno.ENOENT)}\n"
    assert told("app.py", "key.pem").startswith("micropie: app.py and key.pem are no certificate with its key: ")
    assert told("cert.pem", "cert.pem").startswith("micropie: cert.pem and cert.pem are no certificate with its key: ")
    command = ("run", "--tls-cert", "no.pem", "--tls-key", "key.pem")
    assert project.run(*command).err == f"micropie: no.pem can't be read: {os.strerror(errno.ENOENT)}\n"


@pytest.mark.parametrize("text", ["0", "x", "-1"])
def test_web_concurrency_that_is_no_number(project, monkeypatch, text):
    """$WEB_CONCURRENCY is the number of workers, or a line that says why not."""
    project.write(app=SITE)
    monkeypatch.setenv("WEB_CONCURRENCY", text)
    message = f"micropie: WEB_CONCURRENCY={text!r} is no number of processes: 1 or more are wanted\n"
    assert project.call("run") == (2, "", message)


def test_numbers_that_are_too_long(project, monkeypatch):
    """So is a number of thousands of digits, wherever it stands."""
    project.write(app=SITE)
    digits = "9" * 5000
    for option in ("--port", "--workers", "--fd", "--graceful-timeout"):
        status, _, err = project.call("run", option, digits)
        assert status == 2
        assert f"argument {option}: '{'9' * 50}' is no " in err
    monkeypatch.setenv("WEB_CONCURRENCY", digits)
    message = f"micropie: WEB_CONCURRENCY={'9' * 50!r} is no number of processes: 1 or more are wanted\n"
    assert project.call("check") == (2, "", message)


# -- which server, and its process ----------------------------------------------------------------------


class Start(NamedTuple):
    """A process that would have been started: which server, with what options."""

    server: str
    options: dict[str, Any]
    environment: dict[str, str]
    code: str


@pytest.fixture
def started(monkeypatch):
    """What would have been started in the place of this process."""
    starts: list[Start] = []

    def note(program, command, environment):
        assert (program, command[:2]) == (sys.executable, [sys.executable, "-c"])
        (server,) = {"granian", "uvicorn"} & set(re.findall(r"\w+", command[2].replace("_", " ")))
        options = dict(zip(ServeOptions._fields, json.loads(environment["MICROPIE_SERVE_OPTIONS"]), strict=True))
        starts.append(Start(server, options, environment, command[2]))

    monkeypatch.setattr(os, "execve", note)
    return starts


def absent(monkeypatch, *packages):
    """Hide packages, as if they were not installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("target", ["app", "sub.web", "lib/web.py"])
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_targets(project, server, target):
    """Modules, modules in packages and files elsewhere are imported by the server's process as they are here."""
    project.write(**{"app": SITE, "sub/__init__": "", "sub/web": SITE, "lib/web": SITE})
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ("-m", "micropie", "run", target, "--port", str(port), "--server", server, "--workers", "2")
    with serving(project, *command, ready=lambda: text_at(url) is not None):
        assert text_at(url) == "Hello"


def test_reload_needs_watchfiles_with_granian(project, started, monkeypatch):
    """Granian reloads where its package for that is installed; else Uvicorn does, or a line says what to install."""
    project.write(app=SITE)
    port = str(free_port())
    monkeypatch.setitem(sys.modules, "watchfiles", micropie)
    assert project.call("run", "--port", port, "--reload").status == 0
    absent(monkeypatch, "watchfiles")
    assert project.call("run", "--port", port, "--reload").status == 0
    assert [start.server for start in started] == ["granian", "uvicorn"]
    message = "micropie: Granian needs the package watchfiles to reload: pip install watchfiles\n"
    assert project.call("run", "--port", port, "--reload", "--server", "granian") == (1, "", message)


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_dev_is_reload_in_development_mode(project, started, server, monkeypatch):
    """The server's processes are told by the environment; ours is left as it was."""
    project.write(app=SITE)
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.delenv("MICROPIE_DEV", raising=False)
    monkeypatch.setitem(sys.modules, "watchfiles", micropie)
    port = str(free_port())
    for option in ("--reload", "--dev"):
        assert project.call("run", "--server", server, option, "--port", port).status == 0
    reloading, developing = started
    assert (reloading.options["reload"], developing.options["reload"]) == (True, True)
    assert (reloading.environment.get("MICROPIE_DEV"), developing.environment["MICROPIE_DEV"]) == (None, "1")
    assert (reloading.options["graceful_timeout"], developing.options["graceful_timeout"]) == (10, 1)
    assert "MICROPIE_DEV" not in os.environ


def test_no_server(project, monkeypatch):
    """Without a server, a line says what to install."""
    project.write(app=SITE)
    absent(monkeypatch, "granian", "uvicorn")
    message = "micropie: no server is installed: pip install granian or uvicorn\n"
    assert project.call("run") == (1, "", message)
    assert project.call("run", "--server", "uvicorn") == (1, "", message.replace("granian or ", ""))


def test_no_server_as_a_process(project):
    """The same in an environment that has none."""
    project.write(app=SITE, hide="import sys\nsys.modules.update(dict.fromkeys(['granian', 'uvicorn']))\n")
    project.write(sitecustomize="import hide\n")
    outcome = project.run("run", "app:app", environment={"PYTHONPATH": str(project.folder)})
    assert outcome == (1, "", "micropie: no server is installed: pip install granian or uvicorn\n")


def test_workers_of_the_environment(project, started, monkeypatch):
    """$WEB_CONCURRENCY counts, but for `--workers` and `--reload`."""
    project.write(app=SITE)
    port = str(free_port())
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    assert project.call("run", "--port", port).status == 0
    assert project.call("run", "--port", port, "--workers", "2").status == 0
    assert project.call("run", "--port", port, "--reload").status == 0
    assert [start.options["workers"] for start in started] == [3, 2, 1]


def test_what_is_asked_for_is_handed_on(project, started, pair):
    """The server's process is told all of it."""
    project.write(app=SITE)
    reload = ("--reload", "--reload-include", "*.toml", "--reload-include", "*.cfg")
    where = ("--uds", "s", "--root-path", "api/", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    rest = ("--graceful-timeout", "3", "--forwarded-allow-ips", "10.0.0.1", "--server", "uvicorn")
    assert project.call("run", *reload, *where, *rest).status == 0
    options = started[0].options
    assert options.pop("import_path") == ["app", "app", str(project.folder)]
    assert options == {
        "app": None,
        "is_rsgi": False,
        "host": "127.0.0.1",
        "port": 8000,
        "uds": "s",
        "fd": None,
        "workers": 1,
        "reload": True,
        "reload_include": ["*.toml", "*.cfg"],
        "dev": False,
        "tls": ["cert.pem", "key.pem"],
        "root_path": "/api",
        "forwarded_allow_ips": "10.0.0.1",
        "graceful_timeout": 3,
    }


def test_an_application_without_a_name(started, monkeypatch):
    """Where the server's process must import it, a line says that it needs a name."""

    class Made(App):
        pass

    with pytest.raises(SystemExit, match="Granian imports the application here, so it needs a name"):
        run(Made(), server="granian")
    with pytest.raises(SystemExit, match=r"Granian .*; Uvicorn imports the application here, so it needs a name"):
        run(Made(), workers=2)
    assert started == []


def test_rsgi_has_no_root_path(project):
    """What a protocol can't do is said before it is served."""
    project.write(app=SITE.replace("import App", "import RSGI, App").replace("= Site()", "= RSGI(Site())"))
    message = "RSGI has no root path: serve the application itself, or let the proxy take the prefix off"
    status, _, err = project.call("run", "--root-path", "/api", "--server", "granian")
    assert (status, err) == (1, f"micropie: {message}\n")


# -- the process that takes the place of this one, here -------------------------------------------------

SIGNALS = ["INT", "TERM", "HUP", "QUIT", "TTIN", "TTOU", "USR1", "USR2", "WINCH"]


@pytest.fixture
def become(started, monkeypatch):
    """Runs here what would have been started, until a program that it is told of has ended it with SIGTERM."""
    # As everywhere but on Linux: a fork of a program with threads may hang.
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda *_, **__: "spawn")
    before = {sig: signal.getsignal(sig) for sig in (getattr(signal, f"SIG{name}") for name in SIGNALS)}

    def run_here(stopper: str) -> None:
        (start,) = started
        for name in ("MICROPIE_SERVE_OPTIONS", "MICROPIE_DEV"):
            if name in start.environment:
                monkeypatch.setenv(name, start.environment[name])
        code = f"import os, signal\n{stopper}\nos.kill({os.getpid()}, signal.SIGTERM)\n"
        with subprocess.Popen([sys.executable, "-c", code]) as program:
            try:
                exec(start.code, {})
            finally:
                program.kill()

    yield run_here
    for sig, handler in before.items():
        signal.signal(sig, handler)


ASK = """\
import sys, time, urllib.request
for _ in range(200):
    try:
        urllib.request.urlopen({url!r}).read()
        break
    except OSError:
        time.sleep(0.1)
"""


@pytest.mark.parametrize("options", [("--workers", "2"), ("--reload",)])
@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_the_process_of_a_server(project, become, server, options):
    """It serves, and ends when it is told to."""
    project.write(app=SITE.replace('"Hello"', 'open("asked", "w").close()'))
    port = free_port()
    assert project.call("run", "--server", server, "--port", str(port), *options).status == 0
    become(ASK.format(url=f"http://127.0.0.1:{port}/"))
    assert (project.folder / "asked").exists()


def test_a_worker_that_cannot_start(project, become):
    """Uvicorn's processes end with the status 1."""
    project.write(app=FAILING)
    assert project.call("run", "--server", "uvicorn", "--port", str(free_port()), "--workers", "2").status == 0
    with pytest.raises(SystemExit) as caught:
        become("import time; time.sleep(20)")
    assert caught.value.code == 1


@pytest.mark.parametrize("is_rsgi", [False, True])
def test_an_application_that_cannot_be_imported(project, started, monkeypatch, is_rsgi):
    """In development mode its process serves the reason; else it ends with a status that says that it can't start."""
    site = SITE.replace("import App", "import RSGI, App").replace("= Site()", "= RSGI(Site())") if is_rsgi else SITE
    project.write(app=site)
    assert project.call("run", "--port", str(free_port()), "--server", "granian").status == 0
    monkeypatch.setenv("MICROPIE_SERVE_OPTIONS", started[0].environment["MICROPIE_SERVE_OPTIONS"])
    monkeypatch.delenv("MICROPIE_DEV", raising=False)
    assert isinstance(served(), BoundedRSGI) is is_rsgi
    del sys.modules["app"]
    lazy_import.cache_clear()
    project.write(app="1 / 0\n")
    with pytest.raises(SystemExit) as caught:
        served()
    assert caught.value.code == 3
    monkeypatch.setenv("MICROPIE_DEV", "1")
    assert isinstance(served(), BoundedRSGI) is is_rsgi


def test_a_module_that_ends_the_program(project):
    """What no handler could raise is told as well."""
    project.write(app="raise SystemExit(2)\n")
    with pytest.raises(SystemExit) as caught:
        importlib.import_module("app")
    with TestClient(Unimportable(caught.value), raise_exceptions=False) as client:
        text = client.get("/any/page").text
    assert "RuntimeError: The module ends the program when it is imported: SystemExit(2)" in text
    assert 'File "app.py", line 1' in text


# -- Uvicorn in this process ----------------------------------------------------------------------------


class Stopping(App):
    """An application that can't start, or ends its server when it has been asked once."""

    def __init__(self, *, fails=False):
        super().__init__()
        if fails:
            self.startup_handlers.append(self._fail)

    async def _fail(self):
        raise RuntimeError("no")

    async def index(self):
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
        return "Bye"


def ask_later(url, uds):
    """Ask once the server listens, in a thread."""
    thread = threading.Thread(target=wait_until, args=[lambda: text_at(url, uds) == "Bye"])
    thread.start()
    return thread


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("uds", [None, "s"])
def test_uvicorn_here(project, monkeypatch, uds, sent):
    """One process of Uvicorn is this one; Ctrl-C and SIGTERM end it, and its socket is gone."""
    monkeypatch.setenv("SIGNAL", str(int(sent)))
    port = free_port()
    thread = ask_later(f"http://127.0.0.1:{port}", None if uds is None else project.folder / uds)
    run(Stopping(), port=port, uds=uds, server="uvicorn")
    thread.join()
    assert list(project.folder.iterdir()) == []


def test_uvicorn_here_at_an_inherited_socket(monkeypatch):
    """A socket that this process was given is one that others may have too."""
    monkeypatch.setenv("SIGNAL", str(int(signal.SIGINT)))
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        given.listen()
        thread = ask_later(f"http://127.0.0.1:{given.getsockname()[1]}", None)
        run(Stopping(), fd=os.dup(given.fileno()), server="uvicorn")
        thread.join()


def test_uvicorn_here_cannot_start():
    """A startup that fails ends the program with 1; Uvicorn has said why."""
    with pytest.raises(SystemExit) as caught:
        run(Stopping(fails=True), port=free_port(), server="uvicorn")
    assert caught.value.code == 1


class Slow(App):
    """An application that takes long to start, and is interrupted meanwhile."""

    def __init__(self):
        super().__init__()
        self.startup_handlers.append(self._start)

    async def _start(self):
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
        await asyncio.sleep(60)


def test_uvicorn_here_is_interrupted(monkeypatch):
    """Ctrl-C while the application starts does not wait for it, nor does SIGTERM."""
    monkeypatch.setenv("SIGNAL", str(int(signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        run(Slow(), port=free_port(), server="uvicorn")
    monkeypatch.setenv("SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(SystemExit) as caught:
        run(Slow(), port=free_port(), server="uvicorn")
    assert caught.value.code == 143


def test_ctrl_c_during_startup(project):
    """The command is ended by that with 130, and by SIGTERM with 143, as shells count."""
    source = (
        "import asyncio\nimport os\n\nfrom micropie import App\n\n\n" + inspect.getsource(Slow) + "\n\napp = Slow()\n"
    )
    project.write(app=source)
    command = ("run", "--server", "uvicorn", "--port", str(free_port()))
    status, _, err = project.run(*command, environment={"SIGNAL": "2"})
    assert (status, err.splitlines()[-1]) == (130, "micropie: interrupted")
    assert project.run(*command, environment={"SIGNAL": "15"}).status == 143


# -- private parts --------------------------------------------------------------------------------------


def test_where_processes_cannot_be_replaced():
    """There the command is waited for, and its status is ours."""
    code = "import os; raise SystemExit(int(os.environ['STATUS']))"
    with pytest.raises(SystemExit) as caught:
        servers.wait_for(sys.executable, [sys.executable, "-c", code], {**os.environ, "STATUS": "7"})
    assert caught.value.code == 7


def test_port_elsewhere(monkeypatch):
    """Where SO_REUSEADDR would allow what is in use, it is not set."""
    monkeypatch.setattr(os, "name", "nt")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=str(errno.EADDRINUSE)):
            listening.refuse_taken_port(socket, *taken.getsockname())


@pytest.mark.parametrize(
    ("spec", "file", "named"),
    [
        (None, "/a/b/site.py", ("site", "app", "/a/b")),
        (ModuleSpec("b.site", None), "/a/b/site.py", ("b.site", "app", "/a")),
        (ModuleSpec("b.__main__", None), "/a/b/__main__.py", ("b.__main__", "app", "/a")),
    ],
)
def test_the_name_of_what_the_program_makes(monkeypatch, spec, file, named):
    """Other processes import the program's own module by its file, or by the name that `-m` was given."""
    program = ModuleType("__main__")
    made = App()
    vars(program).update(__file__=file, __spec__=spec, app=made)
    monkeypatch.setitem(sys.modules, "__main__", program)
    assert import_path.import_path_of(made) == named


def test_the_name_in_a_package(project):
    """A package is imported from the folder that it is in."""
    project.write(**{"shop/__init__": SITE})
    package = importlib.import_module("shop")
    assert import_path.import_path_of(package.app) == ("shop", "app", str(project.folder))


def test_rsgi_is_granians():
    """Uvicorn can't serve `RSGI(app)`."""
    with pytest.raises(SystemExit, match="Uvicorn does not know RSGI"):
        run(RSGI(App()), server="uvicorn")


class TwoAddresses:
    """The module `socket`, where each host has an address that is not there, and then this one."""

    def __getattr__(self, name):
        return getattr(socket, name)

    def getaddrinfo(self, _host, port, **_options):
        absent, here = ("192.0.2.1", port), ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (absent, here)]


def test_an_address_that_is_not_there():
    """Of several addresses those that exist count: `localhost` is one of IPv6 too, where there may be none."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        with pytest.raises(OSError, match=str(errno.EADDRINUSE)):
            listening.refuse_taken_port(TwoAddresses(), "name", port)
    listening.refuse_taken_port(TwoAddresses(), "name", free_port())
