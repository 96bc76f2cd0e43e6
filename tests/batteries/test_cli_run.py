"""`micropie run` and `run(app)`: which server serves, with what options, and what is told when none can."""

import asyncio
import errno
import importlib
import inspect
import os
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import micropie
from micropie import RSGI, App, run
from micropie.core import run as core_run
from tests.batteries.commands import SITE, free_port, serving, text_at, wait_until

SCRIPT = SITE.replace("import App", "import App, run") + "\nif __name__ == '__main__':\n    run(app{})\n"
FAILING = SITE + "\ndef fail():\n    1 / 0\n\napp.startup_handlers.append(fail)\n"
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


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_unix_socket(project, server):
    """`--uds` listens at a path, where a dead server's socket is no obstacle and a living one's is."""
    project.write(app=SITE)
    path = project.folder / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    command = ("-m", "micropie", "run", "--uds", "s", "--server", server)
    with serving(project, *command, ready=lambda: text_at("http://localhost", path) is not None):
        assert text_at("http://localhost", path) == "Hello"
        assert project.run("run", "--uds", "s") == (1, "", "micropie: s can't be listened at: it is in use\n")


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


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_startup_that_fails(project, server):
    """An application that can't be started ends the server with a status that says so."""
    project.write(app=FAILING)
    status, _, err = project.run("run", "--server", server, "--port", str(free_port()))
    assert status == 1
    assert "ZeroDivisionError" in err


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


@pytest.mark.parametrize("text", ["0", "x"])
def test_web_concurrency_that_is_no_number(project, monkeypatch, text):
    """$WEB_CONCURRENCY is the number of workers, or a line that says why not."""
    project.write(app=SITE)
    monkeypatch.setenv("WEB_CONCURRENCY", text)
    message = f"micropie: WEB_CONCURRENCY={text!r} is no number of processes: 1 or more are wanted\n"
    assert project.call("run") == (2, "", message)


# -- which server, and its command ----------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch):
    """What would have been started."""
    commands: list[list[str]] = []

    def note(program, command, environment):
        assert program == sys.executable
        command += ["(in development mode)"] if environment.get("MICROPIE_DEV") else []
        commands.append(command)

    monkeypatch.setattr(os, "execve", note)
    return commands


def absent(monkeypatch, *packages):
    """Hide packages, as if they were not installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def test_granian_command(project, started):
    """Granian gets the file's path, unless the module is here."""
    project.write(**{"app": SITE, "sub/__init__": "", "sub/web": SITE, "lib/web": SITE})
    port = str(free_port())
    base = ["--interface", "asgi", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    for target in ("app", "sub.web", "lib/web.py"):
        assert project.call("run", target, "--port", port, "--server", "granian").status == 0
    assert started == [
        [sys.executable, "-m", "granian", target, *base]
        for target in ("app:app", "sub.web:app", f"{project.folder}/lib/web:app")
    ]


def test_reload_needs_watchfiles_with_granian(project, started, monkeypatch):
    """Granian reloads where its package for that is installed; else Uvicorn does, or a line says what to install."""
    project.write(app=SITE)
    port = str(free_port())
    monkeypatch.setitem(sys.modules, "watchfiles", micropie)
    assert project.call("run", "--port", port, "--reload").status == 0
    assert started[0][-3:] == ["--reload", "--reload-paths", str(project.folder)]
    absent(monkeypatch, "watchfiles")
    assert project.call("run", "--port", port, "--reload").status == 0
    assert started[1][2:] == [
        "uvicorn", "app:app", "--app-dir", str(project.folder), "--host", "127.0.0.1", "--port", port,
        "--workers", "1", "--reload", "--reload-dir", str(project.folder),
    ]  # fmt: skip
    message = "micropie: Granian needs the package watchfiles to reload: pip install watchfiles\n"
    assert project.call("run", "--port", port, "--reload", "--server", "granian") == (1, "", message)


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_dev_is_reload_in_development_mode(project, started, server, monkeypatch):
    """The server's processes are told by the environment; ours is left as it was."""
    project.write(app=SITE)
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setitem(sys.modules, "watchfiles", micropie)
    port = str(free_port())
    for option in ("--reload", "--dev"):
        assert project.call("run", "--server", server, option, "--port", port).status == 0
    reloading, developing = started
    assert developing == [*reloading, "(in development mode)"]
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


def test_workers_of_the_environment(project, started, monkeypatch, pair):
    """$WEB_CONCURRENCY counts, but for `--workers` and `--reload`; what else is asked for is handed on."""
    project.write(app=SITE)
    port = str(free_port())
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    tls = ("--tls-cert", "cert.pem", "--tls-key", "key.pem", "--uds", "s", "--server", "uvicorn")
    assert project.call("run", "--port", port).status == 0
    assert project.call("run", "--workers", "2", *tls).status == 0
    assert started[0][-2:] == ["--workers", "3"]
    assert started[1][-8:] == [
        "--uds", "s", "--workers", "2", "--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem"
    ]  # fmt: skip
    assert project.call("run", "--port", port, "--reload").status == 0
    assert started[2][started[2].index("--workers") + 1] == "1"


def test_an_application_without_a_name(started, monkeypatch):
    """Where the server's process must import it, a line says that it needs a name."""

    class Made(App):
        pass

    with pytest.raises(SystemExit, match="Granian imports the application here, so it needs a name"):
        run(Made(), server="granian")
    with pytest.raises(SystemExit, match=r"Granian .*; Uvicorn imports the application here, so it needs a name"):
        run(Made(), workers=2)
    assert started == []


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
        os.kill(os.getpid(), 2)
        return "Bye"


def ask_later(url, uds):
    """Ask once the server listens, in a thread."""
    thread = threading.Thread(target=wait_until, args=[lambda: text_at(url, uds) == "Bye"])
    thread.start()
    return thread


@pytest.mark.parametrize("uds", [None, "s"])
def test_uvicorn_here(project, uds):
    """One process of Uvicorn is this one; Ctrl-C ends it, and its socket is gone."""
    port = free_port()
    thread = ask_later(f"http://127.0.0.1:{port}", None if uds is None else project.folder / uds)
    run(Stopping(), port=port, uds=uds, server="uvicorn")
    thread.join()
    assert list(project.folder.iterdir()) == []


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
        os.kill(os.getpid(), 2)
        await asyncio.sleep(60)


def test_uvicorn_here_is_interrupted():
    """Ctrl-C while the application starts does not wait for it."""
    with pytest.raises(KeyboardInterrupt):
        run(Slow(), port=free_port(), server="uvicorn")


def test_ctrl_c_during_startup(project):
    """The command is ended by that with 130."""
    source = (
        "import asyncio\nimport os\n\nfrom micropie import App\n\n\n" + inspect.getsource(Slow) + "\n\napp = Slow()\n"
    )
    project.write(app=source)
    status, _, err = project.run("run", "--server", "uvicorn", "--port", str(free_port()))
    assert (status, err.splitlines()[-1]) == (130, "micropie: interrupted")


# -- private parts --------------------------------------------------------------------------------------


def test_where_processes_cannot_be_replaced():
    """There the command is waited for, and its status is ours."""
    code = "import os; raise SystemExit(int(os.environ['STATUS']))"
    with pytest.raises(SystemExit) as caught:
        core_run.wait_for(sys.executable, [sys.executable, "-c", code], {**os.environ, "STATUS": "7"})
    assert caught.value.code == 7


def test_port_elsewhere(monkeypatch):
    """Where SO_REUSEADDR would allow what is in use, it is not set."""
    monkeypatch.setattr(os, "name", "nt")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=str(errno.EADDRINUSE)):
            core_run.refuse_taken_port(socket, *taken.getsockname())


def test_rsgi_command():
    """Granian serves `RSGI(app)` over its own protocol."""
    job = core_run.ServeOptions(RSGI(App()), core_run.ImportPath("a", "b", "/c"), "h", 1, None, 1, False, False, None)
    assert core_run.command_of("granian", job)[2:6] == ["granian", "/c/a:b", "--interface", "rsgi"]


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
    assert core_run.name_of(made) == named


def test_the_name_in_a_package(project):
    """A package is imported from the folder that it is in."""
    project.write(**{"shop/__init__": SITE})
    package = importlib.import_module("shop")
    assert core_run.name_of(package.app) == ("shop", "app", str(project.folder))


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
            core_run.refuse_taken_port(TwoAddresses(), "name", port)
    core_run.refuse_taken_port(TwoAddresses(), "name", free_port())
