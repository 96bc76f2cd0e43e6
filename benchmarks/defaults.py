"""What the batteries do by their defaults: MicroPie's, Starlette's, Litestar's and Django's, asked and not quoted.

    python benchmarks/defaults.py             # prints the tables
    python benchmarks/defaults.py --save      # writes them to docs/comparison.md, between its marks
    python benchmarks/defaults.py --check     # says where that page is wrong about MicroPie; in the tests' environment

Each site of `sites/` switches one battery on, and is given what has no default: an origin, a host, a secret, a limit.
It is asked in process, over https unless a row says http. A cell is what came back; `-` where the framework has no such
thing. Days pass by time-machine. The environment is that of sessions.py, made on first use.
"""

import argparse
import asyncio
import contextlib
import gzip
import logging
import re
import subprocess
import sys
import tempfile
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from asking import Answer, ask, handshake
from peers import ROOT, prepare
from sessions import ENVIRONMENT
from sites.content import CHUNKS, FRIEND, HOST, PAGE, STRANGER

PAGE_OF_DOCS = ROOT / "docs" / "comparison.md"
MARKED = re.compile(r"(<!-- cells -->\n).*?(<!-- end -->)", re.DOTALL)
FRAMEWORKS = {"micropie": "MicroPie", "starlette": "Starlette", "litestar": "Litestar", "django": "Django"}
NONE = "-"
OWN = f"https://{HOST}"
WRITERS = 20
DAYS = 40  # that a session is followed
EARLY = 0.045  # seconds: before the second chunk of a stream


class Site:
    """One framework's site with one battery, made anew for each row."""

    def __init__(self, framework: str, folder: Path) -> None:
        self.framework = framework
        self.module = import_module(f"sites.{framework}_site")
        self.folder = folder
        self.count = 0

    def has(self, battery: str) -> bool:
        return battery in self.module.BATTERIES

    def made(self, battery: str):
        self.count += 1
        self.place = self.folder / f"{self.framework}{self.count}"
        return self.module.made(battery, str(self.place))


Probe = Callable[[Site], Awaitable[str]]
ROWS: dict[str, list[tuple[str, Probe]]] = {}


def row(battery: str, title: str) -> Callable[[Probe], Probe]:
    """Note a row of the table of a battery."""

    def noted(probe: Probe) -> Probe:
        ROWS.setdefault(battery, []).append((title, probe))
        return probe

    return noted


def yes(answer: bool, word: str = "yes", other: str = "no") -> str:
    return word if answer else other


# -- sessions ---------------------------------------------------------------------------------------


def attributes(answer: Answer) -> list[str]:
    return [part.strip() for value in answer.all("set-cookie")[:1] for part in value.split(";")[1:]]


def flags(answer: Answer) -> str:
    """Return the attributes of the first cookie, those that matter, in one spelling."""
    found = {part.partition("=")[0].lower(): part.partition("=")[2] for part in attributes(answer)}
    said = [name for name, key in (("HttpOnly", "httponly"), ("Secure", "secure")) if key in found]
    said += [f"SameSite={found['samesite'].capitalize()}"] if "samesite" in found else []
    return ", ".join(said) or "none"


@row("sessions", "cookie over https")
async def cookie_https(site: Site) -> str:
    return flags(await ask(site.made("sessions"), "/visits"))


@row("sessions", "cookie over http, on localhost")
async def cookie_http(site: Site) -> str:
    return flags(await ask(site.made("sessions"), "/visits", scheme="http", host="localhost", client="127.0.0.1"))


@row("sessions", "the cookie outlives the browser")
async def outlives(site: Site) -> str:
    said = " ".join(attributes(await ask(site.made("sessions"), "/visits"))).lower()
    return yes("max-age" in said or "expires" in said)


@row("sessions", "who reads the data")
async def where(site: Site) -> str:
    value = next(iter((await ask(site.made("sessions"), "/write/apple")).cookies.values()))
    with contextlib.suppress(ValueError):
        if b"apple" in urlsafe_b64decode(value.partition(".")[0] + "=="):
            return "the visitor: it is in the cookie, signed"
    return "the server: the cookie has an id"


def stored(site: Site, app) -> bytes | None:
    """Return all that the server has stored; None if there is nothing of that kind."""
    if site.framework == "litestar":
        return repr(app.stores.get("sessions")._store).encode()  # noqa: SLF001 - as a debugger would
    files = list(site.folder.glob("django.db*" if site.framework == "django" else f"{site.place.name}*"))
    return b"".join(file.read_bytes() for file in files) if files else None


@row("sessions", "a stolen store opens sessions")
async def hashed(site: Site) -> str:
    app = site.made("sessions")
    value = next(iter((await ask(app, "/visits")).cookies.values()))
    kept = stored(site, app)
    return (
        NONE if kept is None else yes(value.encode() in kept, "yes: ids are stored as they are", "no: ids are hashed")
    )


@row("sessions", "an id that the visitor made up")
async def adopted(site: Site) -> str:
    app = site.made("sessions")
    name, value = next(iter((await ask(app, "/visits")).cookies.items()))
    if re.fullmatch(r"[A-Za-z0-9]+", value) is None and site.framework == "starlette":
        return NONE
    made_up = re.sub("[0-9a-f]", "a", value)
    new = (await ask(app, "/visits", cookies={name: made_up})).cookies.get(name)
    return yes(new in (made_up, None), "is adopted (fixation)", "is replaced")


@row("sessions", "at log-in, by the framework's own means")
async def rotated(site: Site) -> str:
    app = site.made("sessions")
    before = (await ask(app, "/visits")).cookies
    name = next(iter(before))
    after = (await ask(app, "/login", cookies=before)).cookies.get(name)
    old_works = b"user" in (await ask(app, "/read", cookies=before)).body
    if site.framework == "starlette":
        return "no id to change"
    return yes(after not in (None, before[name]), "a new id", "the id stays") + yes(
        old_works, ", the old one works too", ""
    )


@row("sessions", f"{WRITERS} writers of one session at once")
async def writers(site: Site) -> str:
    app = site.made("sessions")
    cookies = (await ask(app, "/visits")).cookies
    answers = await asyncio.gather(*(ask(app, f"/write/n{n}", cookies=cookies) for n in range(WRITERS)))
    for answer in answers:  # as the browser takes them, one after another
        cookies |= answer.cookies
    left = (await ask(app, "/read", cookies=cookies)).body.count(b'"n')
    return yes(left == WRITERS, "none is lost", f"{WRITERS - left} are lost")


@row("sessions", "a copy of the cookie after log-out")
async def replayed(site: Site) -> str:
    app = site.made("sessions")
    cookies = (await ask(app, "/login")).cookies
    await ask(app, "/logout", cookies=cookies)
    return yes(b"user" in (await ask(app, "/read", cookies=cookies)).body, "is still logged in", "is worth nothing")


@row("sessions", "log out everywhere")
async def everywhere(site: Site) -> str:
    app = site.made("sessions")
    if not hasattr(site.module, "end_all"):
        return "by your own code"
    devices = [(await ask(app, "/login")).cookies for _ in range(2)]
    ended = await site.module.end_all(app, "ada")
    left = sum([b"user" in (await ask(app, "/read", cookies=cookies)).body for cookies in devices])
    return f"`end_sessions`: {ended} ended, {left} left"


async def life(site: Site, step: timedelta, path: str) -> timedelta | None:
    """Return after which time a session, asked for at each step, was not there any more."""
    import time_machine

    app, began = site.made("sessions"), datetime.now(UTC)
    with time_machine.travel(began, tick=True) as travel:
        cookies = (await ask(app, "/login")).cookies
        at = timedelta()
        while at < timedelta(days=DAYS):
            at += step
            travel.move_to(began + at)
            if b"user" not in (await ask(app, "/read", cookies=cookies)).body:
                return at
            cookies |= (await ask(app, path, cookies=cookies)).cookies
    return None


def said(time: timedelta | None) -> str:
    if time is None:
        return f"more than {DAYS} days"
    hours = round(time.total_seconds() / 3600)
    return f"{hours // 24} days" if hours > 2 * 24 else f"{hours} hours"


@row("sessions", "unused, it ends after")
async def idle(site: Site) -> str:
    alive, ended = 0, DAYS * 24
    while ended - alive > 1:
        hours = (alive + ended) // 2
        if await has_ended(site, timedelta(hours=hours, minutes=1)):
            ended = hours
        else:
            alive = hours
    return said(timedelta(hours=ended))


async def has_ended(site: Site, time: timedelta) -> bool:
    import time_machine

    app, began = site.made("sessions"), datetime.now(UTC)
    with time_machine.travel(began, tick=True) as travel:
        cookies = (await ask(app, "/login")).cookies
        travel.move_to(began + time)
        return b"user" not in (await ask(app, "/read", cookies=cookies)).body


@row("sessions", "read every six hours, it ends after")
async def reading(site: Site) -> str:
    return said(await life(site, timedelta(hours=6), "/read"))


@row("sessions", "changed every six hours, it ends after")
async def changing(site: Site) -> str:
    return said(await life(site, timedelta(hours=6), "/visits"))


# -- CORS -------------------------------------------------------------------------------------------

FROM_FRIEND, FROM_STRANGER = [("origin", FRIEND)], [("origin", STRANGER)]
PREFLIGHT = [("access-control-request-method", "PUT"), ("access-control-request-headers", "content-type")]


def allowed(answer: Answer) -> str:
    return answer.get("access-control-allow-origin") or "no header"


@row("cors", "preflight of a stranger")
async def stranger_preflight(site: Site) -> str:
    answer = await ask(site.made("cors"), "/post", [*FROM_STRANGER, *PREFLIGHT], method="OPTIONS")
    return f"{answer.status}, {yes(allowed(answer) in ('*', STRANGER), 'allowed', 'not allowed')}"


@row("cors", "preflight of a friend for PUT with a JSON body")
async def friend_preflight(site: Site) -> str:
    answer = await ask(site.made("cors"), "/post", [*FROM_FRIEND, *PREFLIGHT], method="OPTIONS")
    methods, headers = (answer.get(f"access-control-allow-{what}").lower() for what in ("methods", "headers"))
    named = ("put" in methods or "*" in methods) and ("content-type" in headers or "*" in headers)
    works = named and answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
    return f"{answer.status}, {yes(works, 'allowed', 'not allowed')}"


@row("cors", "GET of a stranger")
async def stranger_get(site: Site) -> str:
    answer = await ask(site.made("cors"), "/", FROM_STRANGER)
    return f"{answer.status}, {allowed(answer)}"


@row("cors", "`*` with credentials")
async def everybody(site: Site) -> str:
    try:
        app = site.made("cors *")
        answer = await ask(app, "/", [*FROM_STRANGER, ("cookie", "session=x")])
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__} when it is made"
    credentials = yes(
        answer.get("access-control-allow-credentials") == "true", "with credentials", "without credentials"
    )
    return f"{yes(allowed(answer) == STRANGER, 'any origin is named', f'`{allowed(answer)}`')}, {credentials}"


@row("cors", "`Vary: Origin` for a friend; for who sends no origin")
async def varies(site: Site) -> str:
    app = site.made("cors")
    answers = [await ask(app, "/", headers) for headers in (FROM_FRIEND, [])]
    return "; ".join(yes("origin" in answer.get("vary").lower()) for answer in answers)


@row("cors", "a friend can read a 404; a 500")
async def errors(site: Site) -> str:
    app = site.made("cors")
    answers = [await ask(app, path, FROM_FRIEND) for path in ("/missing", "/fail")]
    return "; ".join(yes(allowed(answer) == FRIEND) for answer in answers)


# -- CSRF -------------------------------------------------------------------------------------------

FORM = [("content-type", "application/x-www-form-urlencoded")]
CROSS = [("origin", STRANGER), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
SAME = [("origin", OWN), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")]


async def posted(site: Site, *headers: tuple[str, str], body: bytes = b"a=1") -> str:
    app = site.made("csrf")
    cookies = (await ask(app, "/")).cookies
    answer = await ask(app, "/post", [*headers], method="POST", body=body, cookies=cookies)
    return f"{answer.status}"


@row("csrf", "a form of another site, without a token")
async def cross_form(site: Site) -> str:
    return await posted(site, *FORM, *CROSS)


@row("csrf", "the site's own form, without a token")
async def own_form(site: Site) -> str:
    return await posted(site, *FORM, *SAME)


@row("csrf", "the site's own script with JSON, without a token")
async def own_json(site: Site) -> str:
    return await posted(site, ("content-type", "application/json"), *SAME, body=b"{}")


@row("csrf", "a program, which sends no `Origin`")
async def program(site: Site) -> str:
    return await posted(site, *FORM)


@row("csrf", "the cookie that it sets")
async def csrf_cookie(site: Site) -> str:
    answer = await ask(site.made("csrf"), "/")
    return yes(bool(answer.cookies), f"`{next(iter(answer.cookies), '')}`: {flags(answer)}", "none")


@row("csrf", "another site's WebSocket")
async def socket(site: Site) -> str:
    if site.framework == "django":
        return "no WebSockets"
    first = await handshake(site.made("csrf"), "/socket", [("origin", STRANGER), ("sec-fetch-site", "cross-site")])
    return yes(first == "websocket.accept", "is accepted", "is refused")


# -- hosts ------------------------------------------------------------------------------------------


@row("hosts", "an unknown host, nothing set")
async def unset(site: Site) -> str:
    app = site.made("hosts, unset")
    return f"{(await ask(app, '/', host='evil.example')).status}"


def host_row(title: str, host: str | None, *more: tuple[str, str]) -> None:
    async def probe(site: Site) -> str:
        return f"{(await ask(site.made('hosts'), '/', [*more], host=host)).status}"

    row("hosts", title)(probe)


host_row("`shop.example` set: another one", "evil.example")
host_row("`SHOP.example:8443`", "SHOP.example:8443")
host_row("`shop.example.`, with a dot", "shop.example.")
host_row("no host", None)
host_row("two hosts, the right one first", HOST, ("host", "evil.example"))


# -- security headers -------------------------------------------------------------------------------

SECURITY = (
    "strict-transport-security", "x-content-type-options", "x-frame-options", "content-security-policy",
    "referrer-policy", "permissions-policy", "cross-origin-opener-policy",
)  # fmt: skip


def security_row(name: str) -> None:
    async def probe(site: Site) -> str:
        value = (await ask(site.made("headers"), "/")).get(name)
        return f"`{value}`" if value else "not sent"

    row("headers", f"`{'-'.join(map(str.capitalize, name.split('-')))}`")(probe)


for header in SECURITY:
    security_row(header)


@row("headers", "headers on a 404; on a 500")
async def security_of_errors(site: Site) -> str:
    app = site.made("headers")
    answers = [await ask(app, path) for path in ("/missing", "/fail")]
    return "; ".join(f"{sum(bool(answer.get(name)) for name in SECURITY)}" for answer in answers)


# -- compression ------------------------------------------------------------------------------------

GZIP = [("accept-encoding", "gzip")]


async def coding(site: Site, accepted: str, path: str = "/page") -> str:
    answer = await ask(site.made("compression"), path, [("accept-encoding", accepted)])
    return answer.get("content-encoding") or "none"


@row("compression", "to a browser, `gzip, deflate, br, zstd`")
async def to_browser(site: Site) -> str:
    return await coding(site, "gzip, deflate, br, zstd")


@row("compression", "`gzip;q=0`")
async def refused(site: Site) -> str:
    return await coding(site, "gzip;q=0")


@row("compression", "`gzip;q=0.1, identity`")
async def preferred(site: Site) -> str:
    return await coding(site, "gzip;q=0.1, identity")


@row("compression", "17 kB become, by gzip")
async def size(site: Site) -> str:
    answer = await ask(site.made("compression"), "/page", GZIP)
    if gzip.decompress(answer.body).decode() != PAGE:
        return "WRONG"
    return f"{len(answer.body):,} bytes"


@row("compression", "`Vary` for those who accept nothing")
async def vary_of_plain(site: Site) -> str:
    return yes("accept-encoding" in (await ask(site.made("compression"), "/page")).get("vary").lower())


@row("compression", 'the ETag `"v1"` becomes')
async def weakened(site: Site) -> str:
    return f"`{(await ask(site.made('compression'), '/tagged', GZIP)).get('etag')}`"


async def flushed(site: Site, path: str) -> str:
    """Say whether a stream's first chunk can be read before the second is there."""
    answer = await ask(site.made("compression"), path, GZIP)
    if "gzip" not in answer.get("content-encoding"):
        return "not compressed, as it flows" if answer.times[0] < EARLY else "held back"
    reader = zlib.decompressobj(wbits=31)
    early = b"".join(chunk for chunk, at in zip(answer.chunks, answer.times, strict=True) if at < EARLY)
    return yes(
        CHUNKS[0].strip().encode() in reader.decompress(early), "compressed, as it flows", "compressed, held back"
    )


@row("compression", "a stream of text")
async def stream(site: Site) -> str:
    return await flushed(site, "/stream")


@row("compression", "server-sent events")
async def events(site: Site) -> str:
    return await flushed(site, "/events")


@row("compression", "length hidden from BREACH")
async def breach(site: Site) -> str:
    app = site.made("compression")
    sizes = {len((await ask(app, "/page", GZIP)).body) for _ in range(20)}
    return yes(len(sizes) > 1, "yes: it is random", "no")


# -- rate limit -------------------------------------------------------------------------------------


@row("rate", "30 at once, 10 a minute allowed")
async def burst(site: Site) -> str:
    app = site.made("rate")
    answers = await asyncio.gather(*(ask(app, "/") for _ in range(30)))
    return f"{sum(answer.status == HTTPStatus.OK for answer in answers)} pass"


@row("rate", "who is refused is told")
async def told(site: Site) -> str:
    app = site.made("rate")
    answers = [await ask(app, "/") for _ in range(11)]
    names = [name.lower() for name, _ in answers[-1].headers]
    told_by = [f"`{name}`" for name in names if "rate" in name or name == "retry-after"]
    return f"{answers[-1].status}, {', '.join(told_by) or 'nothing'}"


@row("rate", "paths that lead nowhere count")
async def nowhere(site: Site) -> str:
    app = site.made("rate")
    answers = [await ask(app, f"/missing{number}") for number in range(11)]
    return yes(answers[-1].status == HTTPStatus.TOO_MANY_REQUESTS)


# -- ETags ------------------------------------------------------------------------------------------


@row("etag", "a handler's page has")
async def tag(site: Site) -> str:
    tagged = (await ask(site.made("etag"), "/page")).get("etag")
    return yes(bool(tagged), yes(tagged.startswith("W/"), "a weak ETag", "a strong ETag"), "none")


@row("etag", "asked again with it; with a list and a weak one")
async def again(site: Site) -> str:
    app = site.made("etag")
    tagged = (await ask(app, "/page")).get("etag")
    asked = (tagged, f'"0", W/{tagged}')
    return "; ".join([f"{(await ask(app, '/page', [('if-none-match', value)])).status}" for value in asked])


# -- access log -------------------------------------------------------------------------------------

FORGED = "/a\nGET /forged HTTP/1.1?token=secret"


async def logged(site: Site, path: str) -> list[str]:
    """Return the lines of the logs of a request."""
    records: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    app, handler = site.made("log"), Kept()
    names = [None, "litestar", "micropie.access", "micropie", "django.request", "django"]
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        await ask(app, path, [("user-agent", "x\rforged")], cookies={"session": "sesame"})
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    return list(dict.fromkeys(records))


@row("log", "a request with a line break in its path")
async def forged(site: Site) -> str:
    lines = "\n".join(await logged(site, FORGED))
    return yes(bool(re.search(r"^(GET /)?forged", lines, re.MULTILINE)), "forges a line", "stays on its line")


@row("log", "the query; the cookies")
async def secrets(site: Site) -> str:
    lines = "\n".join(await logged(site, "/?token=secret"))
    return "; ".join(yes(word in lines, "logged", "left out") for word in ("secret", "sesame"))


@row("log", "duration; request id")
async def facts(site: Site) -> str:
    lines = "\n".join(await logged(site, "/"))
    return "; ".join(yes(bool(re.search(word, lines))) for word in (r"\d ?ms", r"\bid="))


# -- the tables -------------------------------------------------------------------------------------

TITLES = {
    "sessions": "Sessions",
    "cors": "CORS",
    "csrf": "CSRF",
    "hosts": "Trusted hosts",
    "headers": "Security headers",
    "compression": "Compression",
    "rate": "Rate limits",
    "etag": "ETags of handlers' replies",
    "log": "Access log",
}


async def cell(site: Site, battery: str, probe: Probe) -> str:
    if not site.has(battery) and probe is not unset:
        return NONE
    return (await probe(site)).replace("|", "\\|")


async def tables(folder: Path) -> str:
    sites = [Site(framework, folder) for framework in FRAMEWORKS]
    parts = []
    for battery, title in TITLES.items():
        parts += [f"## {title}\n", f"| | {' | '.join(FRAMEWORKS.values())} |", "|---" * (len(sites) + 1) + "|"]
        for what, probe in ROWS[battery]:
            cells = [await cell(site, battery, probe) for site in sites]
            parts.append(f"| {what} | {' | '.join(cells)} |")
        parts.append("")
    packages = ("starlette", "litestar", "django", "django-cors-headers")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    date, python = datetime.now(UTC).date().isoformat(), sys.version.split()[0]
    parts.append(f"Asked on {date}: MicroPie {version('micropie')}, {versions}, CPython {python}.")
    return "\n".join(parts) + "\n"


async def outdated(folder: Path, page: str) -> list[str]:
    """Return what a page says of MicroPie that is not so."""
    site, found = Site("micropie", folder), []
    for battery, title in TITLES.items():
        _, _, below = page.partition(f"## {title}\n")
        for what, probe in ROWS[battery]:
            start = f"| {what} | {await cell(site, battery, probe)} |"
            if f"\n{start}" not in below.partition("\n## ")[0]:
                found.append(f"{title}: {start}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--save", action="store_true", help="write docs/comparison.md")
    parser.add_argument("--check", action="store_true", help="say where the page is wrong about MicroPie")
    parser.add_argument("--page", type=Path, default=PAGE_OF_DOCS, help="another page than docs/comparison.md")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        from sites import django_site

        with tempfile.TemporaryDirectory() as folder:
            django_site.configure(folder)
            print(asyncio.run(tables(Path(folder))))
        return
    if options.check:
        with tempfile.TemporaryDirectory() as folder:
            wrong = asyncio.run(outdated(Path(folder), options.page.read_text()))
        print(*wrong, sep="\n", end="")
        sys.exit(bool(wrong))
    prepare(ENVIRONMENT)
    output = subprocess.run([ENVIRONMENT.python, __file__, "--inside"], stdout=subprocess.PIPE, text=True, check=True)
    if options.save:
        page = options.page.read_text()
        options.page.write_text(MARKED.sub(lambda marks: marks[1] + output.stdout.strip() + "\n" + marks[2], page))
    else:
        print(output.stdout)


if __name__ == "__main__":
    main()
