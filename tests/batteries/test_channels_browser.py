"""A browser's EventSource while Redis is away: it comes again by itself, and goes on where it was."""

import os
import signal

from playwright.sync_api import Browser

from tests.batteries.redis_server import running_redis
from tests.batteries.worker_processes import workers_of

LISTEN = """() => {
    window.told = [];
    window.source = new EventSource("/events");
    source.onopen = () => told.push("open");
    source.onerror = () => told.push(["connecting", "open", "closed"][source.readyState]);
    source.onmessage = (event) => told.push(JSON.parse(event.data).number);
}"""


def test_a_browser_comes_again_until_redis_answers(browser: Browser, tmp_path):
    """A stream that can't begin ends, and leaves the browser what it knows of its place."""
    with (
        running_redis(tmp_path) as redis,
        workers_of(
            "uvicorn", "tests.batteries.channel_site:app", tmp_path / "log", count=2, REDIS_URL=redis.url
        ) as site,
    ):
        site.wait_until_all_are_up(2)
        page = browser.new_page()
        page.goto(site.url)
        page.evaluate(LISTEN)
        page.wait_for_function("told.includes('open')")
        assert page.request.get(f"{site.url}/publish?channel=a&start=0&stop=1").ok
        page.wait_for_function("told.includes(0)")
        redis.freeze()
        for pid in site.pids():
            os.kill(pid, signal.SIGKILL)
        page.wait_for_function("told.at(-1) === 'connecting' && told.filter(one => one === 'open').length === 2")
        redis.thaw()
        assert page.request.get(f"{site.url}/publish?channel=a&start=1&stop=2").ok  # before the browser comes again
        page.wait_for_function("told.at(-1) === 1")
        told = page.evaluate("told")
        page.close()
    assert told == ["open", 0, "connecting", "open", "connecting", "open", 1]
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert log.count("requests are answered 503") == 1
