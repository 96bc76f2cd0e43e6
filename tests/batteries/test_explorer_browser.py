"""The explorer in a real browser: Chromium, headless, as the system's packages have it.

The application is `explored.py`, served by Uvicorn.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect

from tests.batteries.browsing import PHONE, READABLE, contrast, watched
from tests.integrations.serving import Server, serving

MOST_BYTES = 60_000
"""The page with everything that it loads, but for the document."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application, at the root of a site."""
    with serving("tests.batteries.explored:app", tmp_path_factory.mktemp("explored") / "log") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The explorer, opened and ready; whatever it complains of is a failure, but for replies that are errors."""
    yield from opened(browser, f"{server.url}/docs")


def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open a page in a fresh context, and close it."""
    with watched(browser) as (page, complaints):
        page.goto(url)
        expect(page.locator("#state")).to_have_text("15 handlers")
        yield page
    assert [text for text in complaints if "the server responded with a status of 400" not in text] == []


def handler(page: Page, name: str) -> Locator:
    """The entry of a handler, opened."""
    entry = page.locator(f'[id="/{name}"]')
    entry.locator("> summary").click()
    return entry


def try_it(entry: Locator, status: str = "200 OK") -> Locator:
    """Call the handler; its reply, when that has the status and is complete."""
    entry.get_by_role("button", name="Try it").click()
    reply = entry.get_by_role("region", name="Reply")
    expect(reply.get_by_role("status")).to_contain_text(status)
    expect(reply.get_by_role("status")).to_contain_text("bytes")
    return reply


def body_of(reply: Locator) -> Locator:
    """What the reply said."""
    return reply.get_by_role("region", name="Body")


def command(reply: Locator) -> list[str]:
    """The words of the curl command, as a shell reads them."""
    return shlex.split(reply.get_by_role("region", name="The same with curl").inner_text().replace("\\\n", ""))


# -- calls --------------------------------------------------------------------------------------------


def test_a_form_calls_a_typed_handler(page):
    """A choice for an Enum, a number for an int, lines for a list; the reply with status, headers and body."""
    entry = handler(page, "price")
    assert entry.get_by_label("count").get_attribute("type") == "number"
    entry.get_by_label("kind").select_option("plum")
    entry.get_by_label("count").fill("3")
    entry.get_by_label("note").fill("hot & fast\nit's")
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text(
        '{\n  "kind": "plum",\n  "count": 3,\n  "note": [\n    "hot & fast",\n    "it\'s"\n  ]\n}'
    )
    expect(reply.get_by_role("status")).to_contain_text(re.compile(r"\d+ ms"))
    reply.get_by_text("Headers (").click()
    expect(reply.locator("dl")).to_contain_text("application/json")


def test_what_is_left_blank_is_not_sent(page):
    """The default stands."""
    entry = handler(page, "price")
    entry.get_by_label("kind").select_option("apple")
    expect(body_of(try_it(entry))).to_contain_text('"count": 1')


def test_the_same_call_for_a_shell(page, server):
    """Whatever is written is one word of the shell's."""
    entry = handler(page, "order")
    entry.get_by_label("name").fill("it's $(pie) -H 'x' \\ \"")
    words = command(try_it(entry))
    assert words[:5] == ["curl", "-i", "-X", "POST", f"{server.url}/order"]
    assert words[-2:] == ["--data-raw", "name=it%27s+%24%28pie%29+-H+%27x%27+%5C+%22"]
    assert "content-type: application/x-www-form-urlencoded" in words


def test_json_is_sent_as_it_is_written(page):
    """The example is there to be changed; a parameter beside it goes into the query."""
    entry = handler(page, "bake")
    entry.get_by_label("oven").fill("a/b?")
    text = entry.get_by_label("JSON")
    expect(text).to_have_value('{\n  "name": "apple",\n  "slices": 8\n}')
    text.fill('{"name": "it\'s"}')
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text('{\n  "name": "it\'s",\n  "slices": 8\n}')
    words = command(reply)
    assert words[4].endswith("/bake?oven=a%2Fb%3F")
    assert words[-2:] == ["--data-raw", '{"name": "it\'s"}']


def test_a_body_is_sent_as_a_form_where_the_handler_says_so(page):
    """Each member has a field; one that is left blank is not sent."""
    entry = handler(page, "stock")
    entry.get_by_label("name").fill("plum")
    entry.get_by_label("slices").fill("4")
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text('{\n  "name": "plum",\n  "slices": 4\n}')
    assert command(reply)[-2:] == ["--data-raw", "name=plum&slices=4"]


def test_headers_cookies_and_the_rest_of_a_path(page):
    """Each has a field; slashes separate segments."""
    entry = handler(page, "seen")
    entry.get_by_label("rest").fill("a/b c")
    entry.get_by_label("Authorization").fill("Bearer pie")
    entry.get_by_label("theme").fill("dark")
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text(
        '{\n  "rest": [\n    "a",\n    "b c"\n  ],\n  "authorization": "Bearer pie",\n  "theme": "dark"\n}'
    )
    words = command(reply)
    assert words[2].endswith("/seen/a/b%20c")
    assert "Authorization: Bearer pie" in words
    assert words[words.index("-b") + 1] == "theme=dark"


def test_a_provider_is_told_who_asks(page):
    """Its security scheme has a field, as a header of the handler's own has."""
    entry = handler(page, "customer")
    entry.get_by_label("Authorization").fill("Bearer pie")
    expect(body_of(try_it(entry))).to_have_text('{\n  "token": "Bearer pie"\n}')


def test_a_body_may_be_a_text(page):
    """As it is written."""
    entry = handler(page, "write")
    entry.get_by_label("Text").fill("a=b & c")
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text('{\n  "text": "a=b & c"\n}')
    assert command(reply)[-3:] == ["content-type: text/plain", "--data-raw", "a=b & c"]


def test_a_body_may_be_a_file(page, tmp_path):
    """Its bytes."""
    data = tmp_path / "pie.bin"
    data.write_bytes(b"x" * 1000)
    entry = handler(page, "store")
    entry.get_by_label("File").set_input_files(data)
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text('{\n  "size": 1000\n}')
    assert command(reply)[-2:] == ["--data-binary", "@pie.bin"]


def test_an_object_that_is_the_whole_query(page):
    """Its members are the fields."""
    entry = handler(page, "find")
    entry.get_by_label("name").fill("plum")
    entry.get_by_label("slices").fill("4")
    expect(body_of(try_it(entry))).to_have_text('{\n  "name": "plum",\n  "slices": 4\n}')


def test_one_of_several_objects_that_is_the_whole_query(page):
    """The members of the first are the fields."""
    entry = handler(page, "choose")
    entry.get_by_label("layers").fill("5")
    expect(body_of(try_it(entry))).to_have_text('{\n  "chosen": 5\n}')


# -- errors -------------------------------------------------------------------------------------------


def described(entry: Locator, label: str) -> str:
    """What a screen reader says of a field."""
    ids = (entry.get_by_label(label).get_attribute("aria-describedby") or "").split()
    return " ".join(entry.page.locator(f"#{one}").inner_text() for one in ids)


def test_an_error_is_shown_beside_its_field(page):
    """All of a reply at once; they go when the next call is fine."""
    entry = handler(page, "order")
    entry.get_by_label("count").fill("0")
    try_it(entry, "400 Bad Request")
    expect(entry.get_by_label("count")).to_have_attribute("aria-invalid", "true")
    expect(entry.get_by_label("name")).to_have_attribute("aria-invalid", "true")
    assert "expected" in described(entry, "count")
    entry.get_by_label("name").fill("Ann")
    entry.get_by_label("count").fill("2")
    try_it(entry)
    expect(entry.get_by_label("count")).not_to_have_attribute("aria-invalid", "true")
    expect(entry.locator(".error:visible")).to_have_count(0)


def test_an_error_of_a_member_is_shown_beside_the_json(page):
    """With the member's name."""
    entry = handler(page, "bake")
    entry.get_by_label("oven").fill("1")
    entry.get_by_label("JSON").fill('{"name": "x", "slices": "many"}')
    try_it(entry, "400 Bad Request")
    assert re.search(r"slices: expected an? ", described(entry, "JSON"))


# -- uploads and streams ------------------------------------------------------------------------------


def test_a_file_is_sent(page, tmp_path):
    """With the fields beside it; curl names the file."""
    picture = tmp_path / 'my "pie";.bin'
    picture.write_bytes(b"x" * 1000)
    entry = handler(page, "upload")
    entry.get_by_label("title").fill("@Pie")
    entry.get_by_label("picture").set_input_files(picture)
    reply = try_it(entry)
    expect(body_of(reply)).to_contain_text('"title": "@Pie"')
    expect(body_of(reply)).to_contain_text('"size": 1000')
    words = command(reply)
    assert words[words.index("--form-string") + 1] == "title=@Pie"
    assert words[words.index("-F") + 1] == 'picture=@"my \\"pie\\";.bin"'


def test_a_stream_is_shown_as_it_arrives_and_can_be_stopped(page):
    """The handler would go on for a minute."""
    entry = handler(page, "count")
    entry.get_by_role("button", name="Try it").click()
    reply = entry.get_by_role("region", name="Reply")
    expect(body_of(reply)).to_have_text("zero\none\n")
    expect(reply.get_by_role("status")).to_contain_text("arriving")
    entry.get_by_role("button", name="Stop").click()
    expect(reply.get_by_role("status")).to_have_text("Stopped")
    expect(entry.get_by_role("button", name="Stop")).to_be_hidden()
    expect(body_of(reply)).to_have_text("zero\none\n")


def test_what_is_no_text_can_be_saved(page):
    """The bytes are those of the reply."""
    entry = handler(page, "picture")
    reply = try_it(entry)
    expect(body_of(reply)).to_have_text("image/png, no text")
    with page.expect_download() as download:
        reply.get_by_role("link", name="Save the body").click()
    assert Path(download.value.path()).read_bytes() == b"\x89PNG\x00"


# -- WebSockets ---------------------------------------------------------------------------------------


def test_a_console_talks_to_a_websocket(page):
    """Path and query are filled in, messages are listed, the close code is shown."""
    entry = handler(page, "ws_echo")
    entry.get_by_label("room").fill("a b")
    entry.get_by_label("name").fill("Ann")
    message = entry.get_by_label("Message")
    expect(message).to_be_disabled()
    entry.get_by_role("button", name="Connect").click()
    expect(entry.get_by_role("status")).to_have_text("Connected")
    message.fill("hi")
    message.press("Enter")
    lines = entry.get_by_role("log").get_by_role("listitem")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text(re.compile(r"\d\d:\d\d:\d\d.*hi"))
    expect(lines.nth(1)).to_contain_text("a b, Ann: hi")
    message.fill("bye")
    entry.get_by_role("button", name="Send").click()
    expect(entry.get_by_role("status")).to_have_text("Closed with 4001: Good bye")
    expect(message).to_be_disabled()


def test_a_console_disconnects(page):
    """And connects again."""
    entry = handler(page, "ws_echo")
    entry.get_by_label("room").fill("1")
    for _ in range(2):
        entry.get_by_role("button", name="Connect").click()
        expect(entry.get_by_role("status")).to_have_text("Connected")
        entry.get_by_role("button", name="Disconnect").click()
        expect(entry.get_by_role("status")).to_contain_text("Closed with 1000")


# -- the page -----------------------------------------------------------------------------------------


def test_the_page_is_small_and_loads_nothing_from_elsewhere(page, server):
    """HTML, style and scripts together."""
    replies: list[Response] = []
    page.on("response", lambda reply: replies.append(reply))  # noqa: PLW0108 - it takes no builtin
    page.reload(wait_until="networkidle")
    sizes = {reply.url: len(reply.body()) for reply in replies}
    assert len(sizes) == 11
    assert all(url.startswith(server.url) for url in sizes)
    assert sum(size for url, size in sizes.items() if not url.endswith("/openapi.json")) < MOST_BYTES


def test_what_a_server_says_is_only_text(page):
    """In the title, a docstring, a header and a body."""
    entry = handler(page, "hostile")
    expect(entry.locator("summary .what")).to_contain_text("<img src=x")
    reply = try_it(entry)
    expect(body_of(reply)).to_contain_text("<img src=x")
    expect(page.locator("h1")).to_contain_text("<img src=x")
    expect(page.locator("img")).to_have_count(0)
    assert page.title().startswith("Pies <img")


def test_the_filter_leaves_what_has_all_the_words(page):
    """Words of the path, the verb, the summary."""
    page.get_by_label("Filter").fill("post order")
    expect(page.locator(".entry:visible")).to_have_count(1)
    expect(page.locator("#state")).to_have_text("1 handler")
    page.get_by_label("Filter").fill("")
    expect(page.locator("#state")).to_have_text("15 handlers")


def test_an_address_opens_its_handler(page):
    """It is written when a handler is opened, and read when the page is."""
    handler(page, "order")
    expect(page).to_have_url(re.compile(r"/docs#/order$"))
    page.reload()
    expect(page.locator('[id="/order"]').get_by_role("button", name="Try it")).to_be_visible()


def test_the_keyboard_is_enough(page):
    """Tab reaches the entries, Enter opens one, and what has the focus is seen."""
    page.get_by_label("Filter").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_js_property("tagName", "SUMMARY")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Try it")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_js_property("tagName", "SELECT")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(page, scheme):
    """Badges, hints, errors, buttons and links."""
    page.emulate_media(color_scheme=scheme)
    entry = handler(page, "order")
    entry.get_by_label("count").fill("0")
    try_it(entry, "400 Bad Request")
    handler(page, "bake")
    handler(page, "ws_echo")
    expect(page.get_by_role("button", name="Connect")).to_be_visible()
    shown = page.locator(".badge, .hint:visible, .error:visible, button:enabled:visible, a:not(.skip), .status:visible")
    contrasts = [(one.inner_text(), contrast(one)) for one in shown.all()]
    assert len(contrasts) > 20
    assert [(text, ratio) for text, ratio in contrasts if ratio < READABLE] == []


def test_a_phone_needs_no_sideways_scrolling(page):
    """At 360 pixels, with everything open."""
    page.set_viewport_size(PHONE)
    for name in ("price", "order", "bake", "seen", "upload", "hostile", "ws_echo"):
        handler(page, name)
    try_it(page.locator('[id="/hostile"]'))
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_every_control_has_a_name(page):
    """Labels, for those who don't see the page."""
    for name in ("price", "order", "bake", "seen", "upload", "ws_echo"):
        handler(page, name)
    controls = page.locator("input:visible, select:visible, textarea:visible, button:visible")
    unnamed = controls.evaluate_all(
        """all => all.filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent))
                     .map((one) => one.outerHTML)"""
    )
    assert unnamed == []


def test_the_page_works_below_a_mount(browser, tmp_path):
    """Its files, the document, calls and WebSockets are found there."""
    with serving("tests.batteries.explored:host", tmp_path / "log") as server:
        for page in opened(browser, f"{server.url}/site/docs"):
            entry = handler(page, "order")
            entry.get_by_label("name").fill("Ann")
            assert command(try_it(entry))[4] == f"{server.url}/site/order"
            socket = handler(page, "ws_echo")
            socket.get_by_label("room").fill("1")
            socket.get_by_role("button", name="Connect").click()
            expect(socket.get_by_role("status")).to_have_text("Connected")
