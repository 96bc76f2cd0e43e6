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
import base64
import contextlib
import gzip
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, urlencode

from asking import Answer, ask, handshake
from peers import ROOT, prepare
from sessions import ENVIRONMENT
from sites.content import (
    CHANGED_AT,
    CHUNKS,
    FRIEND,
    HOST,
    HOUR,
    MEMBER,
    OUTSIDE,
    PAGE,
    PASSWORD,
    SHEET,
    STRANGER,
)

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


# -- passwords --------------------------------------------------------------------------------------

WORD = "a quiet pie of 1784"
PIES = b"0123456789abcdef"  # a salt


async def hash_of(app, password: str = WORD) -> str:
    return (await ask(app, f"/hash?{urlencode({'password': password})}")).body.decode()


async def verified(app, password: str, stored: str | None) -> Answer:
    fields = {"password": password} | ({"stored": stored} if stored else {})
    return await ask(app, f"/verify?{urlencode(fields)}")


def is_right(answer: Answer) -> bool:
    return answer.status == HTTPStatus.OK and json.loads(answer.body)["right"]


def phc(name: str, settings: str, digest: bytes) -> str:
    """Return a hash in the PHC string format."""
    salt, code = (base64.b64encode(one).decode().rstrip("=") for one in (PIES, digest))
    return f"${name}${settings}${salt}${code}"


def argon2id(password: str, memory: int, passes: int) -> str:
    from argon2.low_level import Type, hash_secret

    return hash_secret(password.encode(), PIES, passes, memory, 1, 32, Type.ID).decode()


@row("passwords", "is stored as, where argon2-cffi is installed")
async def stored_as(site: Site) -> str:
    made = await hash_of(site.made("passwords"))
    if made.startswith("$argon2id$"):
        return f"Argon2id, {made.split('$')[3]}"
    name, effort, *_ = made.split("$")
    return f"{name}, {int(effort):,} rounds"


@row("passwords", "`password1` for a new account")
async def common(site: Site) -> str:
    made = await ask(site.made("passwords"), "/hash?password=password1")
    return yes(made.status == HTTPStatus.OK, "is taken", f"{made.status}, too common")


@row("passwords", "100,000 letters for a new account")
async def long(site: Site) -> str:
    made = await ask(site.made("passwords"), f"/hash?password={'pie ' * 25_000}")
    return yes(made.status == HTTPStatus.OK, "are taken", f"{made.status}")


@row("passwords", "é of one character, typed as two")
async def composed(site: Site) -> str:
    app = site.made("passwords")
    return yes(
        is_right(await verified(app, "cafe\u0301 de 1784", await hash_of(app, "café de 1784"))), "right", "wrong"
    )


def of_less_effort(made: str) -> str:
    """Return a hash of the same kind and password that is made faster."""
    if made.startswith("$argon2id$"):
        return argon2id(WORD, 8192, 1)
    name, _, salt, _ = made.split("$")
    code = hashlib.pbkdf2_hmac("sha256", WORD.encode(), salt.encode(), 1000)
    return f"{name}$1000${salt}${base64.b64encode(code).decode()}"


@row("passwords", "other requests, while one is verified")
async def meanwhile(site: Site) -> str:
    app = site.made("passwords")
    made = await hash_of(app)
    began = time.perf_counter()
    slow = asyncio.create_task(verified(app, WORD, made))
    answered = [began]
    while not slow.done():
        await asyncio.sleep(0)  # the in-process request alone doesn't give way to others
        await ask(app, "/")
        answered.append(time.perf_counter())
    pauses = [after - before for before, after in pairwise(answered)]
    return yes(max(pauses) < (answered[-1] - began) / 2, "are answered", "wait")


@row("passwords", "100 log-ins at once")
async def flood(site: Site) -> str:
    app = site.made("passwords")
    less = of_less_effort(await hash_of(app))
    answers = await asyncio.gather(*(verified(app, WORD, less) for _ in range(100)))
    refused = [answer for answer in answers if answer.status != HTTPStatus.OK]
    if not refused:
        return "all are verified"
    retry = yes(bool(refused[0].get("retry-after")), ", `Retry-After`")
    return f"those that would wait for long: {refused[0].status}{retry}"


@row("passwords", "an unknown user takes as long as a known one")
async def stranger(site: Site) -> str:
    app, times = site.made("passwords"), []
    for stored in (await hash_of(app), None):
        best = 60.0
        for _ in range(3):
            began = time.process_time()
            await verified(app, "another one", stored)
            best = min(best, time.process_time() - began)
        times.append(best)
    return yes(times[1] > times[0] / 2)


@row("passwords", "a hash of less effort is noticed at log-in")
async def renewed(site: Site) -> str:
    app = site.made("passwords")
    less = of_less_effort(await hash_of(app))
    return yes(json.loads((await verified(app, WORD, less)).body) == {"right": True, "renew": True})


@row("passwords", "hashes of another kind that it verifies")
async def kinds(site: Site) -> str:
    app = site.made("passwords")
    salt = PIES.decode()
    scrypt = hashlib.scrypt(WORD.encode(), salt=PIES, n=16384, r=8, p=1, maxmem=1 << 26, dklen=64)
    pbkdf2 = hashlib.pbkdf2_hmac("sha256", WORD.encode(), PIES, 1000)
    argon = argon2id(WORD, 8192, 2)
    forms = {
        "Argon2id": (argon, f"argon2{argon}"),
        "scrypt": (
            phc("scrypt", "ln=14,r=8,p=1", scrypt),
            f"scrypt$16384${salt}$8$1${base64.b64encode(scrypt).decode()}",
        ),
        "PBKDF2": (
            phc("pbkdf2-sha256", "i=1000", pbkdf2),
            f"pbkdf2_sha256$1000${salt}${base64.b64encode(pbkdf2).decode()}",
        ),
    }
    found = [name for name, texts in forms.items() if any([is_right(await verified(app, WORD, one)) for one in texts])]
    return ", ".join(found)


# -- signed values ----------------------------------------------------------------------------------


async def signed(site: Site, variant: str = "signing") -> str:
    answer = await ask(site.made(variant), "/sign?value=ann")
    return answer.body.decode()


async def unsigned(site: Site, token: str, variant: str = "signing") -> str:
    answer = await ask(site.made(variant), f"/unsign?token={quote(token)}")
    if answer.status != HTTPStatus.OK:
        return f"{answer.status}"
    return yes(answer.body == b"ann", "is accepted", "WRONG")


@row("signing", "who reads the value")
async def readable(site: Site) -> str:
    token = await signed(site)
    parts = [part + "=" * (-len(part) % 4) for part in re.split(r"[.:]", token)]
    texts = b"".join(
        urlsafe_b64decode(part) for part in parts if re.fullmatch(r"[\w-]+=*", part) and len(part) % 4 == 0
    )
    return yes(b"ann" in texts, "everybody", "the server")


@row("signing", "a letter of the token is changed; nobody catches the error")
async def changed(site: Site) -> str:
    token = await signed(site)
    return await unsigned(site, yes(token[0] == "A", "B", "A") + token[1:])


@row("signing", "a token that was made for something else, with one secret")
async def misused(site: Site) -> str:
    return await unsigned(site, await signed(site, "signing, other purpose"))


@row("signing", "no purpose is named")
async def purposeless(site: Site) -> str:
    try:
        token = await signed(site, "signing, no purpose")
    except TypeError:
        return "TypeError when it is made"
    return yes(bool(token), "all tokens are of one kind", "WRONG")


@row("signing", "good for an hour, an hour and a second later")
async def expired(site: Site) -> str:
    import time_machine

    token, began = await signed(site), datetime.now(UTC)
    with time_machine.travel(began, tick=True) as travel:
        travel.move_to(began + timedelta(seconds=HOUR + 1))
        return await unsigned(site, token)


@row("signing", "no age is named: it is good")
async def ageless(site: Site) -> str:
    import time_machine

    app, began = site.made("signing"), datetime.now(UTC)
    answer = await ask(app, "/sign_for_ever?value=ann")
    if answer.status != HTTPStatus.OK:
        return "never: a TypeError"
    with time_machine.travel(began, tick=True) as travel:
        travel.move_to(began + timedelta(days=10 * 365))
        later = await ask(app, f"/unsign_for_ever?token={quote(answer.body.decode())}")
    return yes(later.status == HTTPStatus.OK, "for more than 10 years", "WRONG")


@row("signing", "signed before the secret was changed, the old one is kept")
async def kept_secret(site: Site) -> str:
    return await unsigned(site, await signed(site, "signing, old secret"), "signing, rotated")


@row("signing", "a secret of three letters")
async def short(site: Site) -> str:
    try:
        await signed(site, "signing, short secret")
    except ValueError as error:
        return f"{type(error).__name__} when it is made"
    return "is used"


@row("signing", "a token of `ann` has")
async def token_length(site: Site) -> str:
    return f"{len(await signed(site))} letters"


# -- guards -----------------------------------------------------------------------------------------


def basic(name: str, password: str) -> tuple[str, str]:
    return "authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def let_in(site: Site, battery: str, *headers: tuple[str, str], path: str = "/members") -> str:
    answer = await ask(site.made(battery), path, [*headers])
    challenge = answer.get("www-authenticate")
    return f"{answer.status}" + yes(bool(challenge), f", `{challenge}`", "")


async def plainly(site: Site, battery: str, *headers: tuple[str, str]) -> str:
    return (await let_in(site, battery, *headers)).partition(",")[0]


def guard_rows(battery: str, right: Callable[[Site], tuple[str, str]], wrong: tuple[str, str]) -> None:
    """Note the rows that are the same for names and for tokens."""

    async def nobody(site: Site) -> str:
        return await let_in(site, battery)

    async def stranger(site: Site) -> str:
        return await let_in(site, battery, wrong)

    async def member(site: Site) -> str:
        return await plainly(site, battery, right(site))

    async def twice(site: Site) -> str:
        return await plainly(site, battery, wrong, right(site))

    async def missing(site: Site) -> str:
        return (await let_in(site, battery, path="/members/missing")).partition(",")[0]

    async def socket(site: Site) -> str:
        first = await handshake(site.made(battery), "/members/socket", [])
        return yes(first == "websocket.accept", "is accepted", "is refused")

    async def documented(site: Site) -> str:
        if not hasattr(site.module, "DOCUMENT"):
            return "no document"
        document = json.loads((await ask(site.made(battery), site.module.DOCUMENT)).body)
        operations = [one["get"] for path, one in document["paths"].items() if path.strip("/") == "members"]
        return yes(bool(operations[0].get("security") or document.get("security")))

    row(battery, "nobody")(nobody)
    row(battery, "wrong credentials")(stranger)
    row(battery, "the right ones" + yes(battery == "basic", ", with a letter that is not ASCII", ""))(member)
    row(battery, "two `Authorization` fields, the second one right")(twice)
    row(battery, "nobody, at a path below it that leads nowhere")(missing)
    row(battery, "nobody, by WebSocket")(socket)
    row(battery, "is in the OpenAPI document")(documented)


guard_rows("basic", lambda _site: basic(MEMBER, PASSWORD), basic(MEMBER, "pears"))
guard_rows(
    "bearer", lambda site: ("authorization", f"Bearer {site.module.token()}"), ("authorization", "Bearer of-nobody")
)


@row("bearer", "a token is")
async def token_kind(site: Site) -> str:
    return yes(site.module.token().count(".") == 2, "a JWT", "what you look up")  # noqa: PLR2004


# -- static files -----------------------------------------------------------------------------------


OTHER_TAG = '"0"'


async def file(site: Site, name: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    return await ask(site.made("static"), f"/static/{name}", [*headers], method=method)


async def status(site: Site, *names: str) -> str:
    """Return the status of each; a file that lies outside of the folder must be in no answer."""
    answers = []
    for name in names:
        try:
            answer = await file(site, name)
        except Exception as error:
            answers.append(type(error).__name__)
        else:
            is_out = OUTSIDE.encode() in answer.body
            answers.append(yes(is_out, "is served", f"{answer.status}"))
    return "; ".join(answers)


@row("static", "`../outside.txt`, as it is; with `%2F`; with `%5C`")
async def traversal(site: Site) -> str:
    return await status(site, "../outside.txt", "..%2Foutside.txt", "..%5Coutside.txt")


@row("static", "an absolute path; a NUL in the name; a name of 5,000 letters")
async def strange_names(site: Site) -> str:
    return await status(site, quote(str(site.folder / "outside.txt"), safe=""), "a%00.txt", "a" * 5000)


def is_served(answer: Answer) -> str:
    return yes(answer.status == HTTPStatus.OK, "is served", f"{answer.status}")


@row("static", "a link that leads out; one that stays in")
async def links(site: Site) -> str:
    return f"{await status(site, 'out.txt')}; {is_served(await file(site, 'in.txt'))}"


@row("static", "`.env`")
async def dotfile(site: Site) -> str:
    return is_served(await file(site, ".env"))


@row("static", "`äpfel.txt`, which is not ASCII")
async def not_ascii(site: Site) -> str:
    return is_served(await file(site, quote("äpfel.txt")))


@row("static", "a folder with `index.html`; without its slash")
async def index(site: Site) -> str:
    answers = [await file(site, "pies/"), await file(site, "pies")]
    return "; ".join(is_served(answer) for answer in answers)


@row("static", "a folder without one")
async def listing(site: Site) -> str:
    answer = await file(site, "empty/")
    return yes(b"file.txt" in answer.body, "is listed", f"{answer.status}")


@row("static", "POST; HEAD, the length that it is told")
async def verbs(site: Site) -> str:
    post, head = [await file(site, "site.css", method=method) for method in ("POST", "HEAD")]
    return f"{post.status}; {head.status}: {head.get('content-length') or 'none'}"


@row("static", "the type of `app.js`; of `notes.txt`")
async def types(site: Site) -> str:
    answers = [await file(site, name) for name in ("app.js", "notes.txt")]
    return "; ".join(f"`{answer.get('content-type')}`" for answer in answers)


@row("static", "`Cache-Control`; `X-Content-Type-Options`")
async def headers(site: Site) -> str:
    answer = await file(site, "site.css")
    return "; ".join(
        yes(bool(value), f"`{value}`", "none")
        for value in (answer.get("cache-control"), answer.get("x-content-type-options"))
    )


@row("static", "ETag; `Last-Modified`")
async def validators(site: Site) -> str:
    answer = await file(site, "site.css")
    tagged = answer.get("etag")
    kind = yes(bool(tagged), yes(tagged.startswith("W/"), "weak", "strong"), "none")
    return f"{kind}; {yes(bool(answer.get('last-modified')))}"


@row("static", "asked again: with the ETag; in a list, weak; `*`; with the date")
async def asked_again(site: Site) -> str:
    first = await file(site, "site.css")
    tagged, date = first.get("etag") or '"none"', first.get("last-modified")
    strong = tagged.removeprefix("W/")
    asked = [("if-none-match", value) for value in (tagged, f'"0", W/{strong}', "*")] + [("if-modified-since", date)]
    return "; ".join([f"{(await file(site, 'site.css', one)).status}" for one in asked])


@row("static", "changed within the second, with the same length")
async def changed_within_second(site: Site) -> str:
    app = site.made("static")
    changing = site.place / "notes.txt"
    os.utime(changing, (CHANGED_AT, CHANGED_AT + 0.25))
    first = await ask(app, "/static/notes.txt")
    changing.write_text("Äpfli")
    os.utime(changing, (CHANGED_AT, CHANGED_AT + 0.75))
    asked = {"if-none-match": first.get("etag"), "if-modified-since": first.get("last-modified")}
    again = await ask(app, "/static/notes.txt", [(name, value) for name, value in asked.items() if value])
    return yes(again.body == "Äpfli".encode(), "the new one is sent", f"{again.status}, the old one is kept")


@row("static", "`If-Match` with another ETag")
async def if_match(site: Site) -> str:
    return f"{(await file(site, 'site.css', ('if-match', OTHER_TAG))).status}"


async def ranges(site: Site, value: str, *more: tuple[str, str]) -> str:
    answer = await file(site, "site.css", ("range", f"bytes={value}"), *more)
    return f"{answer.status}, {len(answer.body):,} bytes"


@row("static", "a range of ten bytes; two of ten; none of it is there")
async def some_ranges(site: Site) -> str:
    one, two, beyond = [await ranges(site, value) for value in ("0-9", "0-9,20-29", "100000-")]
    return "; ".join([one, two.partition(",")[0], beyond.partition(",")[0]])


@row("static", "200 ranges of all of it")
async def bomb(site: Site) -> str:
    answer = await file(site, "site.css", ("range", "bytes=" + ",".join(["0-"] * 200)))
    return f"{answer.status}, {round(len(answer.body) / len(SHEET))} x its size"


@row("static", "`If-Range` with another ETag")
async def if_range(site: Site) -> str:
    return await ranges(site, "0-9", ("if-range", OTHER_TAG))


@row("static", "`site.css.gz` lies beside `site.css`: to who accepts gzip")
async def precompressed(site: Site) -> str:
    answer = await file(site, "site.css", ("accept-encoding", "gzip"))
    return yes(answer.get("content-encoding") == "gzip", "is sent", "is not used")


@row("static", "the URL that templates are given has a hash of the content")
async def hashed_url(site: Site) -> str:
    answer = await ask(site.made("static"), "/link")
    return "WRONG" if answer.status != HTTPStatus.OK else yes(not answer.body.endswith(b"/static/site.css"))


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
    "passwords": "Passwords",
    "signing": "Signed values",
    "basic": "Basic authentication",
    "bearer": "Bearer tokens",
    "static": "Static files",
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
