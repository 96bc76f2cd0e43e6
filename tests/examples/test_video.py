"""examples/video."""

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.conftest import EXAMPLES
from tests.examples.served import served, visiting

FILM = (EXAMPLES / "video" / "films" / "pattern.webm").read_bytes()


def test_a_player_winds_forward(tmp_path):
    """It loads what it needs, not the whole; a plain stream plays, too."""
    with served("video", tmp_path) as server, launched() as browser, visiting(browser, server) as page:
        video = page.locator("video")
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        assert 19 < video.evaluate("video => video.duration") < 21
        video.evaluate("video => { video.currentTime = 15; return new Promise((done) => { video.onseeked = done; }); }")
        assert video.evaluate("video => video.currentTime") == 15
        assert '"GET /film/pattern HTTP/1.1" 206' in server.log()
        page.get_by_role("link").click()
        expect(page.locator("video")).to_be_visible()
        page.goto("/")
        video.evaluate("video => { video.src = '/stream/pattern'; return video.play(); }")
        page.wait_for_function("document.querySelector('video').currentTime > 0")


@pytest.mark.parametrize(("range_", "part"), [("bytes=0-99", FILM[:100]), ("bytes=-50", FILM[-50:])])
def test_a_part_of_a_film(client, range_, part):
    """By its place, and by a link."""
    shared = client.get("/share/pattern").headers["location"]
    for path in ("/film/pattern", shared):
        answer = client.get(path, headers={"Range": range_})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, part, "video/webm")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/film/none", 404),
        ("/film/..%2Fapp", 404),
        ("/stream/none", 404),
        ("/stream/..%2Fapp", 404),
        ("/shared/made-up", 400),
    ],
)
def test_what_is_no_film(client, path, status):
    """It is not found, and a link that nobody has signed leads nowhere."""
    assert client.get(path).status_code == status


def test_a_stream_has_no_ranges(client):
    """It says so, and is whole."""
    answer = client.get("/stream/pattern", headers={"Range": "bytes=0-99"})
    assert (answer.status_code, answer.headers["accept-ranges"], answer.content) == (200, "none", FILM)
