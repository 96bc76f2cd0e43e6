"""What frameworks can do, and what they answer to odd questions: each is asked on a real server, and not quoted.

    python benchmarks/answers.py                    # prints the tables
    python benchmarks/answers.py --save             # writes them to docs/features.md, between its marks
    python benchmarks/answers.py --only flask       # one of them
    python benchmarks/answers.py --check            # says where that page is wrong about us; in the tests' environment

`answering/` has the same small site in the idiom of each framework, in its pinned release, with no default changed. The
environments are made on first use. A cell is what came back; `-` where the framework has no such thing.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from peers import ROOT, Peer, prepare
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

SITES = Path(__file__).resolve().parent / "answering"
PAGE = ROOT / "docs" / "features.md"
MARKS = "<!-- cells -->", "<!-- end of cells -->"
UVICORN, WAITRESS = ("uvicorn==0.54.0", "websockets==15.0.1"), ("waitress==3.0.2",)
PATIENCE = 20.0  # seconds: for a server to start, and for an answer
AT_ONCE = 0.7  # seconds: for two that take 0.4 each


@dataclass(frozen=True)
class Framework:
    """One that is asked: what a user installs for it, and how its site is served."""

    name: str
    title: str
    packages: tuple[str, ...]
    server: tuple[str, ...] = UVICORN
    command: tuple[str, ...] = ("-m", "uvicorn", "{name}_site:app", "--port", "{port}", "--log-level", "warning")
    document: str = "/openapi.json"

    @property
    def peer(self) -> Peer:
        return Peer(f"answers-{self.name}", "", (*self.packages, *self.server), ())

    @property
    def alone(self) -> Peer:
        """An environment without a server, to be counted."""
        return Peer(f"alone-{self.name}", "", self.packages, ())


OWN = ("{name}_site.py", "{port}")
THREADS = ("-m", "waitress", "--host", "127.0.0.1", "--port", "{port}", "{name}_site:app")
FRAMEWORKS = (
    Framework("micropie", "MicroPie", (str(ROOT),)),
    Framework("flask", "Flask", ("flask==3.1.3",), WAITRESS, THREADS),
    Framework("bottle", "Bottle", ("bottle==0.13.4",), WAITRESS, THREADS),
    Framework("cherrypy", "CherryPy", ("cherrypy==18.10.0",), (), OWN),
    Framework("django", "Django", ("django==5.2.19",)),
    Framework("fastapi", "FastAPI", ("fastapi==0.165.0",)),
    Framework("starlette", "Starlette", ("starlette==1.10.0", "itsdangerous==2.2.0")),
    Framework("quart", "Quart", ("quart==0.22.0",)),
    Framework("blacksheep", "BlackSheep", ("blacksheep==2.6.4", "itsdangerous==2.2.0")),
    Framework("litestar", "Litestar", ("litestar==2.25.0",), document="/schema/openapi.json"),
    Framework("falcon", "Falcon", ("falcon==4.4.0",)),
    Framework("robyn", "Robyn", ("robyn==0.88.0",), (), OWN),
    Framework(
        "emmett55",
        "Emmett55",
        ("emmett55[crypto]==1.3.0",),
        (),
        ("-c", "from emmett55.cli import main; main()", "-a", "emmett55_site.py", "serve", "--port", "{port}"),
    ),
)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def __str__(self) -> str:
        return f"{self.status}"


class Site:
    """A framework's site, as it runs."""

    def __init__(self, framework: Framework, port: int) -> None:
        self.framework = framework
        self.port = port
        self.printed = ""

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Ask on a connection of its own; status 0 if it is closed without a reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        began = time.perf_counter()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            kept = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, kept, response.read(), time.perf_counter() - began)
        except (http.client.HTTPException, ConnectionError):
            return Answer(0, {}, b"", time.perf_counter() - began)
        finally:
            connection.close()

    def is_up(self) -> bool:
        """True once the server answers."""
        try:
            return self.ask("/text").status == HTTPStatus.OK
        except OSError:
            return False

    def together(self, *paths: str) -> list[Answer]:
        """Ask for all at once."""
        found: dict[int, Answer] = {}

        def ask(number: int, path: str) -> None:
            found[number] = self.ask(path)

        threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(paths)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [found[number] for number in range(len(paths))]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def served(framework: Framework, python: str | Path) -> Iterator[Site]:
    """Run the site until all is asked, then stop it as Ctrl-C does; what it printed is there afterwards."""
    site = Site(framework, free_port())
    values = {"name": framework.name, "port": str(site.port)}
    command = [str(python), *(part.format(**values) for part in framework.command)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=SITES, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + PATIENCE
            while not site.is_up() and time.monotonic() < until:
                time.sleep(0.1)
            if process.poll() is not None or not site.is_up():
                log.seek(0)
                raise SystemExit(f"{framework.title} did not start: {log.read()}")
            yield site
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.seek(0)
            site.printed = log.read()


OF_THE_INSTALL = ("packages that an install brings; MB", "compiled code among them")
Probe = Callable[[Site], str]
TABLES: dict[str, dict[str, Probe]] = {"What there is": {}, "Odd questions": {}}


def row(table: str, title: str) -> Callable[[Probe], Probe]:
    """Register a probe under the title of its row."""

    def register(probe: Probe) -> Probe:
        TABLES[table][title] = probe
        return probe

    return register


THERE_IS = "What there is"
ODD = "Odd questions"


def yes(condition: bool, good: str = "yes", bad: str = "no") -> str:
    return good if condition else bad


# -- what there is ----------------------------------------------------------------------------------


@row(THERE_IS, "lines of this site")
def lines(site: Site) -> str:
    code = (SITES / f"{site.framework.name}_site.py").read_text("utf-8")
    return str(sum(1 for line in code.splitlines() if line.strip() and not line.strip().startswith("#")))


@row(THERE_IS, OF_THE_INSTALL[0])
def installed(site: Site) -> str:
    listed = json.loads(count(site.framework.alone.python))
    return f"{listed['packages']}; {listed['bytes'] / 1e6:.1f}"


@row(THERE_IS, OF_THE_INSTALL[1])
def compiled(site: Site) -> str:
    return yes(json.loads(count(site.framework.alone.python))["compiled"] > 0)


def count(python: Path) -> str:
    """Count what is installed beside pip, in an environment without a server."""
    code = """
import importlib.metadata as m, json
all = [d for d in m.distributions() if d.metadata["Name"].lower() not in ("pip", "setuptools", "wheel")]
files = [f for d in all for f in d.files or () if "__pycache__" not in str(f)]
print(json.dumps({"packages": len(all), "compiled": sum(str(f).endswith(".so") for f in files),
    "bytes": sum(f.locate().stat().st_size for f in files if f.locate().exists())}))
"""
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout


@row(THERE_IS, "two handlers that wait 0.4 s, on one worker")
def waiting(site: Site) -> str:
    answers = site.together("/sleep", "/sleep")
    return yes(max(answer.seconds for answer in answers) < AT_ONCE, "side by side", "one after the other")


@row(THERE_IS, "a plain function that blocks")
def blocking(site: Site) -> str:
    blocked, text = site.together("/block", "/text")
    if blocked.status != HTTPStatus.OK:
        return "-"
    began = time.perf_counter()
    site.together("/block", "/block", "/text")
    return yes(time.perf_counter() - began < AT_ONCE and text.seconds < AT_ONCE, "holds up nobody", "holds up others")


@row(THERE_IS, "a stream arrives as it is made")
def streaming(site: Site) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    connection.request("GET", "/stream")
    response = connection.getresponse()
    began = time.perf_counter()
    first = response.read1(10)
    response.read()
    rest = time.perf_counter() - began
    connection.close()
    return yes(response.status == HTTPStatus.OK and first.startswith(b"0") and rest > AT_ONCE / 3)


@row(THERE_IS, "WebSockets")
def websockets(site: Site) -> str:
    try:
        with connect(f"ws://127.0.0.1:{site.port}/ws", open_timeout=PATIENCE, close_timeout=2) as socket_:
            socket_.send("hello")
            return yes(socket_.recv(PATIENCE) == "hello")
    except (WebSocketException, OSError, EOFError):
        return "-"


@row(THERE_IS, "sessions, with no other package")
def sessions(site: Site) -> str:
    first = site.ask("/visits")
    if first.status != HTTPStatus.OK or "set-cookie" not in first.headers:
        return "-"
    cookie = first.headers["set-cookie"].partition(";")[0]
    again = site.ask("/visits", headers={"Cookie": cookie})
    extra = [package for package in site.framework.packages[1:] if package.startswith("itsdangerous")]
    return yes(again.body.strip() == b"2", "with itsdangerous" if extra else "yes", "WRONG")


@row(THERE_IS, "an OpenAPI document")
def document(site: Site) -> str:
    answer = site.ask(site.framework.document, headers={"Accept": "application/json"})
    with contextlib.suppress(ValueError):
        return str(json.loads(answer.body)["openapi"]) if answer.status == HTTPStatus.OK else "-"
    return "-"


@row(THERE_IS, "start and stop are told")
def lifespan(site: Site) -> str:
    return "PRINTED"  # asked when the server has stopped


# -- odd questions ----------------------------------------------------------------------------------


def shown(answer: Answer) -> str:
    """A reply in a cell."""
    if answer.status == 0:
        return "no reply"
    body = re.sub(r"\s+", " ", answer.body.decode("utf-8", "replace")).strip()
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        return f"{answer.status}"
    return f"{answer.status} `{body[:24]}`" if body else f"{answer.status}, empty"


def asks(title: str, path: str, **options: object) -> None:
    """A row that is one request."""
    row(ODD, title)(lambda site: shown(site.ask(path, **options)))  # type: ignore[arg-type]


asks("a handler returns `None`", "/returns_none")
asks("… `7`", "/returns_int")
asks("… `[1, 2]`", "/returns_list")
asks("… `{1}`, a set", "/returns_set")
asks('… `{"n": 1}`', "/returns_dict")
asks("`/text/`, where there is `/text`", "/text/")


@row(ODD, "HEAD of a handler for GET")
def head(site: Site) -> str:
    return shown(site.ask("/only", "HEAD"))


@row(ODD, "OPTIONS of it")
def options_(site: Site) -> str:
    answer = site.ask("/only", "OPTIONS")
    allowed = answer.headers.get("allow")
    return f"{answer.status}, {f'`{allowed}`' if allowed else 'no Allow'}"


@row(ODD, "POST to it")
def wrong_method(site: Site) -> str:
    answer = site.ask("/only", "POST", b"")
    allowed = answer.headers.get("allow")
    return f"{answer.status}, {f'`{allowed}`' if allowed else 'no Allow'}"


asks("a field of the query is missing", "/field")
asks("`/number/x`, where a number is wanted", "/number/x")

JSON = {"Content-Type": "application/json"}
asks("JSON that is cut off", "/post", method="POST", body=b'{"count": 1', headers=JSON)
asks('`{"count": "x"}`, where a number is wanted', "/post", method="POST", body=b'{"count": "x"}', headers=JSON)
asks("JSON of 20 MB", "/post", method="POST", body=b'{"count": 1, "x": "' + b"x" * 20_000_000 + b'"}', headers=JSON)


@row(ODD, "a handler fails")
def fails(site: Site) -> str:
    answer = site.ask("/fail")
    return f"{answer}, {yes(b'secret' in answer.body, 'its words are shown', 'nothing of it is shown')}"


@row(ODD, "`/nowhere`, to a program that accepts JSON")
def nowhere(site: Site) -> str:
    answer = site.ask("/nowhere", headers={"Accept": "application/json"})
    return f"{answer}, {answer.headers.get('content-type', 'no type').partition(';')[0]}"


# -- the page ---------------------------------------------------------------------------------------


def column(framework: Framework, python: Path | str, without: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """All cells of a framework, without those of some rows."""
    wanted = {table: {title: rows[title] for title in rows if title not in without} for table, rows in TABLES.items()}
    with served(framework, python) as site:
        cells = {table: {title: probe(site) for title, probe in rows.items()} for table, rows in wanted.items()}
    told = [word for word in ("STARTED", "STOPPED") if word in site.printed]
    cells[THERE_IS]["start and stop are told"] = {0: "-", 1: "only one", 2: "yes"}[len(told)]
    return cells


def tables(columns: dict[str, dict[str, dict[str, str]]]) -> str:
    """The tables in Markdown."""
    titles = [framework.title for framework in FRAMEWORKS if framework.title in columns]
    text = ""
    for table, rows in TABLES.items():
        text += f"## {table}\n\n| | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}\n"
        for title in rows:
            cells = [columns[name][table][title].replace("|", "\\|") for name in titles]
            text += f"| {title} | {' | '.join(cells)} |\n"
        text += "\n"
    return text


def versions() -> str:
    """What was asked, and when."""
    pinned = [" with ".join(p.replace("==", " ").replace("[crypto]", "") for p in f.packages) for f in FRAMEWORKS[1:]]
    date, python = f"{datetime.datetime.now(datetime.UTC):%d %B %Y}", sys.version.split()[0]
    return f"Asked on {date}: {', '.join(pinned)}; Python {python}.\n"


def save(text: str) -> None:
    """Put the tables between the marks of the page."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n{versions()}\n{text}{MARKS[1]}{after}", "utf-8")


def stale(python: Path | str) -> list[str]:
    """The cells of MicroPie's column that the page has otherwise; for what an install brings, one is wanted."""
    found = column(FRAMEWORKS[0], python, without=OF_THE_INSTALL)
    page = PAGE.read_text("utf-8")
    wanted = [f"| {title} | {cell} |" for rows in found.values() for title, cell in rows.items()]
    return [line for line in wanted if line not in page]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, with commas between")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        wrong = stale(sys.executable)
        print("\n".join(wrong) or "nothing")
        return bool(wrong)
    wanted = arguments.only.split(",") if arguments.only else [framework.name for framework in FRAMEWORKS]
    columns = {}
    for framework in FRAMEWORKS:
        if framework.name in wanted:
            print(framework.title, file=sys.stderr)
            prepare(framework.alone)
            prepare(framework.peer)
            columns[framework.title] = column(framework, framework.peer.python)
    text = tables(columns)
    print(text)
    if arguments.save:
        save(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
