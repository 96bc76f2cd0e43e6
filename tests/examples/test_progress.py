"""examples/progress."""

import json

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import DESK, READABLE, contrast, launched
from tests.batteries.redis_server import running_redis
from tests.batteries.worker_processes import workers_of
from tests.examples.conftest import EXAMPLES


def test_lines_for_the_command_line(client, example, monkeypatch):
    """The whole progress, its beginning too, as lines of JSON, which end with the job."""
    monkeypatch.setattr(example, "SECONDS", 0.2)
    started = client.post("/start")
    assert started.status_code == 202
    lines = client.get(f"/jobs/{started.json()['id']}", headers=[("Accept", "application/x-ndjson")]).text
    found = [json.loads(line)["data"] for line in lines.splitlines()]
    assert (found[0], found[-1]) == ({"percent": 0, "doing": "kneading"}, {"percent": 100, "doing": "done"})
    assert len(found) == 31


def test_a_full_oven(client, example, monkeypatch):
    """More jobs than there is room for are refused."""
    monkeypatch.setattr(example, "MOST_JOBS", 1)
    assert client.post("/start").status_code == 202
    assert client.post("/start").status_code == 503


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_moves(tmp_path, scheme):
    """In a page, over two workers; one that is loaded again goes on, and the palettes can be read."""
    with (
        running_redis(tmp_path) as redis,
        workers_of(
            *("uvicorn", "app:app", tmp_path / "log"),
            count=2,
            folder=EXAMPLES / "progress",
            REDIS_URL=redis.url,
            JOB_SECONDS="3",
        ) as workers,
        launched() as browser,
    ):
        page = browser.new_context(base_url=workers.url, color_scheme=scheme, viewport=DESK).new_page()
        page.goto("/")
        page.get_by_role("button").click()
        expect(page.get_by_role("status")).to_have_text("resting")
        page.reload()
        expect(page.get_by_role("status")).to_have_text("done")
        assert page.locator("progress").get_attribute("max") == "100"
        assert page.locator("progress").evaluate("bar => bar.value") == 100
        expect(page.get_by_role("button")).to_be_enabled()
        for place in ("h1", "button", "[role=status]"):
            assert contrast(page.locator(place)) >= READABLE
