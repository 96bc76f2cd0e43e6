"""Messages for a visitor's next page."""

import asyncio

import pytest

from micropie import App, Flash, InMemorySessionBackend, Session, flash, flashes
from tests.client import ahttp, http, run

ID = "0123456789abcdef0123456789abcdef"


class Site(App):
    async def save(self, text="Saved", category="info"):
        flash(self.request, text, category)
        return self._redirect("/", status=303)

    async def index(self):
        return [f"{message.category}: {message}" for message in flashes()]

    async def other(self):
        return [message.text for message in flashes(self.request)]

    async def broken(self):
        flashes()
        raise RuntimeError

    async def page(self):
        return await self._render_template("page.html")


def visited(app, *paths):
    """The last reply to a visitor."""
    cookies: dict[str, str] = {}
    for path in paths:
        answer = http(app, path=path, cookies=cookies)
        cookies = answer.cookies or cookies
    return answer


def test_a_message_is_shown_once():
    """By the next page that shows messages."""
    app = Site()
    assert visited(app, "/save", "/").json() == ["info: Saved"]
    assert visited(app, "/save", "/", "/").json() == []


def test_messages_have_an_order_and_a_category():
    """That in which they were left; `info` if nothing was said."""
    paths = [f"/save/{number}/warning" for number in range(12)]
    assert visited(Site(), *paths, "/save", "/").json() == [f"warning: {number}" for number in range(12)] + [
        "info: Saved"
    ]


def test_the_request_may_be_named():
    """Which is the one that is served."""
    assert visited(Site(), "/save", "/other").json() == ["Saved"]


def test_a_page_that_fails_has_shown_nothing():
    """The next one shows it."""
    assert visited(Site(), "/save", "/broken", "/").json() == ["info: Saved"]


def test_of_parallel_requests_no_message_is_lost():
    """Each is a value of the session of its own."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save(ID, {"user": "ann"}, 60)
        app, cookies = Site(backend), {"session_id": ID}
        await asyncio.gather(*(ahttp(app, path=f"/save/{number}", cookies=cookies) for number in range(10)))
        shown = await ahttp(app, path="/other", cookies=cookies)
        return sorted(shown.json()), await backend.load(ID)

    assert run(main()) == ([str(number) for number in range(10)], {"user": "ann"})


def test_a_client_that_shows_none_keeps_few():
    """The last twenty."""
    paths = [f"/save/{number}" for number in range(25)]
    assert visited(Site(), *paths, "/other").json() == [str(number) for number in range(5, 25)]


def test_what_is_no_message_stays():
    """Other values of the session, of whatever name."""
    request = type("Request", (), {"session": Session({"_flash": 1, "user": "ann"})})()
    flash(request, "Saved")
    assert flashes(request) == [Flash("Saved", "info")]
    assert dict(request.session) == {"_flash": 1, "user": "ann"}


@pytest.mark.needs("jinja2")
def test_templates_have_the_messages(tmp_path, monkeypatch):
    """As a function, whose messages are escaped like any value."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "templates").mkdir()
    page = "{% for message in flashes() %}<p class='{{ message.category }}'>{{ message }}</p>{% endfor %}"
    (tmp_path / "templates" / "page.html").write_text(page)
    assert visited(Site(), "/save/<b>/error", "/page").text == "<p class='error'>&lt;b&gt;</p>"
    assert visited(Site(), "/save/<b>/error", "/page", "/page").text == ""
