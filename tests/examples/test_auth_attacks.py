"""examples/auth under attack: by other sites in a real browser, by forged requests, by floods."""

import asyncio
import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from micropie.testing import TestClient
from tests.batteries.browsing import DESK, PHONE, READABLE, contrast, launched
from tests.examples.conftest import EXAMPLES
from tests.integrations.serving import Server, serving

pytestmark = pytest.mark.needs("jinja2")

PASSWORD, OTHER = "correct horse battery", "another horse battery"
ANN = {"name": "ann", "email": "ann@example.com", "password": PASSWORD}
MALLORY = {"name": "mallory", "email": "mallory@evil.example", "password": OTHER}


def visitor(app: Any, **options: Any) -> TestClient:
    options = {"client": ("127.0.0.1", 4711), "base_url": "http://localhost", **options}
    return TestClient(app, raise_exceptions=False, **options)


@pytest.fixture
def app(request, monkeypatch, tmp_path) -> Any:
    """A freshly loaded copy of the example."""
    folder = tmp_path / "auth"
    shutil.copytree(EXAMPLES / "auth", folder, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    monkeypatch.setenv("EXAMPLE", str(folder))
    monkeypatch.setattr(logging, "disable", lambda _: None)
    names: dict[str, Any] = {}
    exec((Path(__file__).with_name("served_auth.py")).read_text(encoding="utf-8"), names)
    return names["app"]


def is_member(client: Any, **options: Any) -> bool:
    return bool(client.get("/account", **options).status_code == 200)


# -- sessions


def test_a_session_that_somebody_has_planted_stays_a_strangers(app):
    """Fixation: neither an id of the attacker's own session nor a made-up one becomes the victim's."""
    with visitor(app) as attacker, visitor(app) as victim:
        victim.post("/sign_up", data=ANN)
        attacker.post("/forgot", data={"name": "nobody"})  # leaves a message, and so begins a session
        planted = attacker.cookies["session_id"]
        for one in (planted, "made-up", "0" * 64, planted[:-1]):
            victim.cookies.clear()
            answer = victim.post("/login", data=ANN, cookies={"session_id": one})
            assert (answer.status_code, answer.cookies["session_id"] != one) == (303, True)
            assert not is_member(attacker, cookies={"session_id": one})


@pytest.mark.parametrize("end", ["/logout", "/account/end_all", "/account/password"])
def test_a_copied_cookie_is_worth_nothing_after_a_log_out(app, end):
    """Replay: of the same browser's cookie, too, after a new password."""
    with visitor(app) as client:
        client.post("/sign_up", data=ANN)
        copied = {"session_id": client.cookies["session_id"]}
        assert is_member(client, cookies=copied)
        assert client.post(end, data={"current": PASSWORD, "new": OTHER}).status_code == 303
        client.cookies.clear()
        assert not is_member(client, cookies=copied)
        for _ in range(2):  # and asking does not bring it back
            client.post("/forgot", data={"name": "x"}, cookies=copied)
            assert not is_member(client, cookies=copied)


def test_a_request_that_is_under_way_does_not_bring_a_session_back(app):
    """It was loaded before the log-out, and is saved behind it."""

    async def main() -> bool:
        async with visitor(app) as client:
            await client.post("/sign_up", data=ANN)
            copied = {"session_id": client.cookies["session_id"]}
            change = client.post("/account/password", data={"current": OTHER, "new": OTHER}, cookies=copied)
            under_way = asyncio.create_task(change)
            await asyncio.sleep(0.01)
            await client.post("/account/end_all", cookies=copied)
            await under_way
            return (await client.get("/account", cookies=copied)).status_code == 200

    assert not asyncio.run(main())


# -- forged requests


@pytest.mark.parametrize(
    "target", ["/%0d%0aSet-Cookie:%20x=y", "/\r\nSet-Cookie: x=y", "/é\r\n\r\n<script>", "/\0", "\ud800"]
)
def test_no_header_is_injected(app, target):
    """By where to go after the log-in: the location is one line, and nothing else is sent."""
    query = target if "%" in target else urlencode({"next": target}, errors="surrogatepass").removeprefix("next=")
    with visitor(app) as client:
        client.post("/sign_up", data=ANN)
        answer = client.post(f"/login?next={query}", data=ANN)
    assert answer.status_code == 303
    assert re.fullmatch(r"/[!-~]*", answer.headers["location"])
    assert [name for name, value in answer.headers.multi_items() if "x=y" in value and name != "location"] == []


def test_no_line_of_the_log_is_forged(app, caplog):
    """By a name that was tried, a path, a browser's name: each record is one line, and has no password."""
    with visitor(app, headers={"User-Agent": "x\ty"}) as client:
        client.post("/login", data={"name": "ann\r\n2026-11-28 INFO admin logged in\x1b[2J", "password": OTHER})
        client.post("/%0d%0aERROR%20forged", headers={"Sec-Fetch-Site": "cross-site", "Origin": "x"})
    messages = [record.getMessage() for record in caplog.records if record.name in ("accounts", "micropie")]
    assert len(messages) == 2
    assert [message for message in messages if not message.isprintable()] == []
    assert OTHER not in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "localhost@evil.example"},
        {"Host": "localhost:80:evil.example"},
        {"Host": ""},
    ],
)
def test_a_link_leads_to_no_other_host(app, headers, capsys):
    """A mail that is asked for in another host's name is not sent."""
    with visitor(app) as client:
        client.post("/sign_up", data=ANN)
        assert client.post("/forgot", data=ANN, headers=headers).status_code == 400
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Forwarded-Proto"])
def test_a_link_heeds_no_forwarding_header(app, header, capsys):
    """Anybody can send one."""
    value = "host=evil.example;proto=https" if header == "Forwarded" else "evil.example"
    with visitor(app) as client:
        client.post("/sign_up", data=ANN)
        client.post("/forgot", data=ANN, headers={header: value})
    assert re.search(r"https?://\S+", capsys.readouterr().out)[0].startswith("http://localhost/reset/")  # type: ignore[index]


# -- floods


async def status_of(app: Any, number: int, path: str = "/login") -> int:
    """The status of the reply to a form from the client of this number."""
    body = urlencode({"name": f"user{number}", "password": "wrong"}).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "query_string": b"",
        "root_path": "",
        "server": ("127.0.0.1", 80),
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "client": (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 4711),
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


def test_a_flood_of_log_ins_leaves_pages_alone(app):
    """From 500 addresses at once: few are hashed, the rest is told to come again, and pages come as ever."""

    async def main() -> tuple[list[int], float]:
        async with visitor(app) as client:
            flood = [asyncio.create_task(status_of(app, number)) for number in range(500)]
            slowest = 0.0
            await asyncio.sleep(0)
            while not all(one.done() for one in flood):
                start = time.perf_counter()
                assert (await client.get("/")).status_code == 200
                slowest = max(slowest, time.perf_counter() - start)
                await asyncio.sleep(0.05)
            return [one.result() for one in flood], slowest

    statuses, slowest = asyncio.run(main())
    assert set(statuses) == {403, 503}
    assert statuses.count(503) > 300
    assert slowest < 5


def test_ten_thousand_clients_have_a_quota_each(app):
    """And one that takes more has no more because of the others: ten at once, then one in six seconds."""

    async def main() -> tuple[list[int], list[int]]:
        async with visitor(app):
            others, greedy = [], []
            for number in range(10_000):
                others.append(await status_of(app, number, "/account/password"))
                if number % 100 == 0:
                    greedy.append(await status_of(app, 10_000, "/account/password"))
            return others, greedy

    start = time.perf_counter()
    others, greedy = asyncio.run(main())
    refilled = (time.perf_counter() - start) / 6
    assert set(others) == {303}
    assert 10 <= greedy.count(303) <= 11 + refilled
    assert set(greedy) == {303, 429}


# -- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The example, and an attacker's site."""
    folder = tmp_path_factory.mktemp("auth")
    shutil.copytree(EXAMPLES / "auth", folder / "auth", ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    variables = {"EXAMPLE": str(folder / "auth")}
    with (
        serving("tests.examples.served_auth:app", folder / "log", variables) as site,
        serving("tests.batteries.guarded:app", folder / "other") as attacker,
    ):
        yield site, attacker


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"main input[name={name}]").fill(value)
    page.locator("main").get_by_role("button").click()


def sign_up(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}/sign_up")
    fill(page, name=name, email=f"{name}@example.com", password=PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {name}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_other_site_acts_for_a_member(page, servers, host):
    """Neither a stranger's form nor that of a neighbour on another port, with which the cookie is sent."""
    site, attacker = servers[0].url, servers[1].url.replace("127.0.0.1", host)
    sign_up(page, site, f"on.{host}")
    for path in ("/logout", "/account/end_all", f"/account/password?current={PASSWORD}&new={OTHER}"):
        page.goto(f"{attacker}/form?{urlencode({'action': site + path, 'enctype': 'multipart/form-data'})}")
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("Cross-site request refused")
        page.goto(f"{site}/account")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, on.{host}")


def test_no_other_site_logs_anybody_in(page, servers):
    """As the attacker, to see what the visitor does there."""
    site, attacker = servers[0].url, servers[1].url.replace("127.0.0.1", "localhost")
    query = urlencode({"name": MALLORY["name"], "password": MALLORY["password"]})
    action = urlencode({"action": f"{site}/login?{query}", "enctype": "application/x-www-form-urlencoded"})
    page.goto(f"{attacker}/form?{action}")
    page.get_by_role("button").click()
    expect(page.locator("body")).to_contain_text("Cross-site request refused")
    assert page.context.cookies() == []


def test_the_pages_can_be_used(page, servers):
    """A whole visit, on a phone: nothing wider than the screen, all of it readable, no complaint in the console."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "403" not in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size(PHONE)
    site = servers[0].url
    sign_up(page, site, "bea")
    expect(page.get_by_role("status")).to_have_text("Welcome! This is your account.")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in ("/", "/account"):
            page.goto(site + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            shown = page.locator(":is(h1, h2, p, a, button, label, .hint):visible").all()
            assert [one.inner_text() for one in shown if contrast(one) < READABLE] == []
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    page.goto(f"{site}/login")
    fill(page, name="bea", password="wrong")
    expect(page.get_by_text("Password does not belong to that name.")).to_be_visible()
    assert complaints == []
