"""The proxies of docs/production.md, each with the configuration that stands there, in front of Uvicorn."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from tests.servers.serving import HERE, PATIENCE, UVICORN, Kind, Server, end, free_port, serving, wait_until_ready

PAGE = HERE.parents[1] / "docs" / "production.md"


def configuration(language: str) -> str:
    """The configuration that the page shows in a language."""
    (text,) = configurations(language)
    return text


def configurations(language: str) -> list[str]:
    """All that the page shows in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def replaced(text: str, changes: dict[str, str]) -> str:
    """The text with each of these parts, which must be there, in favour of another."""
    for old, new in changes.items():
        assert old in text, f"the configuration no longer has {old!r}"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Places:
    """Where things are in a test, other than on a user's machine."""

    folder: Path
    port: int
    #: The two applications: of the whole site, and of the prefix /pies.
    site: int
    pies: int

    @property
    def certificate(self) -> Path:
        """The file with the certificate and its key."""
        return self.folder / "shop.pem"

    def upstreams(self, text: str) -> str:
        """The configuration with the applications' ports."""
        return replaced(text, {"127.0.0.1:8000": f"127.0.0.1:{self.site}", "127.0.0.1:8001": f"127.0.0.1:{self.pies}"})


def nginx(places: Places) -> list[str]:
    """The options of nginx; the site stands in what the page has around it for who tries it without root."""
    site, around = configurations("nginx")
    listens = {"listen 443 ssl;": f"listen 127.0.0.1:{places.port} ssl;", "/etc/ssl/shop.pem": "shop.pem"}
    (places.folder / "site.conf").write_text(replaced(places.upstreams(site), listens))
    (places.folder / "nginx.conf").write_text(f"user root;\n{around}")  # the tests' folders are root's
    return ["-p", str(places.folder), "-c", str(places.folder / "nginx.conf"), "-e", "stderr"]


def caddy(places: Places) -> list[str]:
    """The options of Caddy, which makes its own certificate here."""
    site = {"www.example.com {": f"https://127.0.0.1:{places.port} {{"}
    return caddy_with(places, replaced(places.upstreams(configuration("caddyfile")), site))


def caddy_with(places: Places, sites: str) -> list[str]:
    """The options of Caddy for these sites."""
    options = f"admin off\nlocal_certs\nskip_install_trust\nstorage file_system {places.folder}"
    (places.folder / "Caddyfile").write_text(f"{{\n{options}\nauto_https disable_redirects\n}}\n{sites}")
    return ["run", "--config", str(places.folder / "Caddyfile"), "--adapter", "caddyfile"]


def haproxy(places: Places) -> list[str]:
    """The options of HAProxy."""
    listens = {"bind :443 ssl": f"bind 127.0.0.1:{places.port} ssl", "/etc/ssl/shop.pem": str(places.certificate)}
    (places.folder / "haproxy.cfg").write_text(replaced(places.upstreams(configuration("haproxy")), listens))
    return ["-db", "-f", str(places.folder / "haproxy.cfg")]


PROXIES: tuple[Callable[[Places], list[str]], ...] = (nginx, caddy, haproxy)


@dataclass
class Proxied(Server):
    """The site as its visitors see it: behind the proxy, over TLS."""

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the site for WebSockets."""
        return f"wss://127.0.0.1:{self.port}"

    def client(self, **options: object) -> httpx.Client:
        """An httpx client that trusts the certificate of the test."""
        return super().client(verify=trusting(), **options)


def trusting() -> ssl.SSLContext:
    """A TLS context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def below(prefix: str) -> Kind:
    """Uvicorn, told by an option that its application is served below a prefix."""
    return replace(UVICORN, options=(*UVICORN.options, "--root-path", prefix))


@contextlib.contextmanager
def applications(folder: Path) -> Iterator[tuple[int, int]]:
    """The ports of the two applications, which run as long as the context lasts."""
    with serving(UVICORN, folder) as site, serving(below("/pies"), folder) as pies:
        yield site.port, pies.port


@contextlib.contextmanager
def proxying(make: Callable[[Places], list[str]], folder: Path, upstream: tuple[int, int]) -> Iterator[Proxied]:
    """Run a proxy in front of the applications."""
    program = shutil.which(make.__name__, path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, f"{make.__name__} is not installed: scripts/test installs it"
    places = Places(folder, free_port(), *upstream)
    make_certificate(places.certificate)
    log_file = folder / "log"
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            [program, *make(places)], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        proxy = Proxied(replace(UVICORN, name=make.__name__), places.port, process, log_file)
        try:
            wait_until_ready(proxy)
            wait_for_certificate(proxy.port)
            yield proxy
        finally:
            end(process)


def wait_for_certificate(port: int) -> None:
    """Return when a handshake succeeds: Caddy listens before it has made its certificate."""
    until = time.monotonic() + PATIENCE
    while True:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
            try:
                with trusting().wrap_socket(plain):
                    return
            except ssl.SSLError:
                if time.monotonic() > until:
                    raise
        time.sleep(0.05)


def make_certificate(file: Path) -> None:
    """Write a certificate that nobody has signed, and its key, into one file."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    made = subprocess.run(
        [*command.split(), "-keyout", "-"], capture_output=True, timeout=PATIENCE, check=True, text=True
    )
    file.write_text(made.stdout)
