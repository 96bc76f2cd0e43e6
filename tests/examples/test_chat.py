"""examples/chat, by itself and on two workers with Redis, where two browser pages talk to each other."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.batteries.browsing import DESK, PHONE, READABLE, contrast, launched
from tests.batteries.redis_server import running_redis
from tests.batteries.worker_processes import workers_of
from tests.examples.conftest import EXAMPLES


def test_who_comes_later_reads_what_was_said(client):
    """Each message has its place, behind which a client that comes back goes on."""
    with client.websocket("/room?name=Ann") as ann:
        for text in ("one", "two"):
            ann.send_text(text)
        first, second = ann.receive_json(), ann.receive_json()
        assert [(said["name"], said["text"]) for said in (first, second)] == [("Ann", "one"), ("Ann", "two")]
        with client.websocket("/room?name=Bob") as bob:
            assert bob.receive_json() == first
            assert client.get("/people").json() == ["Ann", "Bob"]
        with client.websocket(f"/room?name=Bob&since={first['position']}") as bob:
            assert bob.receive_json() == second


@pytest.mark.parametrize(("name", "text"), [(" ", "hi"), ("x" * 31, "hi"), ("Ann", " "), ("Ann", "x" * 501)])
def test_what_is_too_long_or_empty_is_refused(client, name, text):
    """Names and texts."""
    assert client.post("/say", data={"name": name, "text": text}).status_code == 400


def test_a_page_without_a_websocket(client):
    """It writes by requests, and reads what was said as events."""
    assert client.post("/say", data={"name": "Ann", "text": "hello"}).status_code == 204
    with client.stream("GET", "/events?name=Bob", headers=[("Accept", "text/event-stream")]) as events:
        assert any('data: {"name":"Ann","text":"hello"}' in text for text in events.iter_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The example on two workers, with Redis."""
    folder = tmp_path_factory.mktemp("chat")
    with (
        running_redis(folder) as redis,
        workers_of(
            "uvicorn", "app:app", folder / "log", count=2, folder=EXAMPLES / "chat", REDIS_URL=redis.url
        ) as workers,
    ):
        yield workers


@pytest.fixture(scope="module")
def browser():
    """A browser."""
    with launched() as running:
        yield running


@pytest.fixture
def visit(browser, server):
    """Opens pages of visitors; what the browser complains of is a failure."""
    contexts, complaints = [], []

    def open_page(query, **options):
        contexts.append(browser.new_context(base_url=server.url, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"/?{query}")
        expect(page.get_by_role("status")).to_have_text(re.compile("^connected"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("second", ["name=Bob", "name=Bob&sse"])
def test_two_pages_talk(visit, second):
    """They see each other, what is said and who types, on whatever worker they are, by WebSockets or by events."""
    ann, bob = visit("name=Ann"), visit(second)
    for page in (ann, bob):
        expect(page.get_by_role("list", name="People").get_by_role("listitem")).to_have_text(["Ann", "Bob"])
    bob.get_by_label("Message", exact=True).press_sequentially("<b>Hi")
    expect(ann.locator("#typing")).to_have_text("Bob is typing …")
    bob.keyboard.press("Enter")
    expect(ann.locator("ol li").last).to_have_text("Bob<b>Hi")
    ann.get_by_label("Message", exact=True).fill(f"Hello, {second}")
    ann.keyboard.press("Enter")
    for page in (ann, bob):
        expect(page.locator("ol li").last).to_have_text(f"AnnHello, {second}")


def test_a_late_answer_does_not_bring_back_who_has_left(visit):
    """Of two questions who is here, the answer to the second one counts, whichever comes last."""
    page = visit("name=Ann")
    people = page.get_by_role("list", name="People").get_by_role("listitem")
    expect(people).to_have_text(["Ann"])
    held: list[Route] = []
    page.route("**/people", lambda route: held.append(route) if not held else route.continue_())
    page.evaluate("() => { window.late = people(); }")
    page.evaluate("people()")
    held[0].fulfill(json=["Nobody"])
    page.evaluate("window.late")
    assert people.all_text_contents() == ["Ann"]


def test_a_page_that_comes_back_misses_nothing(visit, browser):
    """Nor does it show anything twice."""
    ann, bob = visit("name=Ann"), visit("name=Bob")
    field = ann.get_by_label("Message", exact=True)
    field.fill("before")
    ann.keyboard.press("Enter")
    expect(bob.locator("ol li").last).to_have_text("Annbefore")
    shown = bob.locator("ol li").count()
    bob.evaluate("socket.close()")
    expect(bob.get_by_role("status")).to_have_text("connecting again")
    for number in range(3):
        field.fill(f"meanwhile {number}")
        ann.keyboard.press("Enter")
    expect(bob.locator("ol li").last).to_have_text("Annmeanwhile 2")
    assert bob.locator("ol li").count() == shown + 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read(visit, scheme):
    """In both palettes, on a phone and on a desk."""
    for size in (PHONE, DESK):
        page = visit("name=Ann", color_scheme=scheme, viewport=size)
        page.get_by_label("Message", exact=True).fill("mine")
        page.keyboard.press("Enter")
        for place in ("h1", "h2", "ol li.own", "button", "[role=status]"):
            assert contrast(page.locator(place).last) >= READABLE, place
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
