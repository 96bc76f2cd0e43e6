"""examples/showcase: in process, and by scripts/demo in a browser, every panel of it."""

import hashlib
import html
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, ViewportSize, expect

from tests.batteries.browsing import launched
from tests.batteries.commands import PATIENCE, free_port, text_at, wait_until
from tests.examples.conftest import EXAMPLES

ROOT = EXAMPLES.parent
FOLDER = EXAMPLES / "showcase"
DEMO = ROOT / "scripts" / "demo"
AXE = Path(sys.prefix) / "node" / "node_modules" / "axe-core" / "axe.min.js"
PATHS = ["", "live", "typed", "uploads", "sessions", "forms", "guards", "streams", "figures", "nowhere"]
HTML = {"Accept": "text/html"}
WIDEST = 84  # characters of a line of code that a column of 1280 pixels has room for
MADE = 64 * 1024 * 1024  # bytes of the file that the page makes


# In process: what a browser does not show.


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, freshly read, with data of its own and without a Redis."""
    before = set(sys.modules)
    monkeypatch.setenv("SHOWCASE_DATA", str(tmp_path))
    for name in ("REDIS_URL", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("example_showcase", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where the source is looked for
    spec.loader.exec_module(module)
    yield module.app
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(FOLDER):
            del sys.modules[name]


@pytest.mark.parametrize("path", PATHS[:-1])
def test_the_source_beside_a_page_is_that_of_the_files(client, path):
    """Each piece of code on a page stands so in the file that is named, in lines that fit into the column."""
    page = client.get(f"/{path}").text
    windows = re.findall(r"<figcaption>(.*?)</figcaption>(.*?)</figure>", page, re.DOTALL)
    assert windows
    for file, window in windows:
        lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
        for number, code in re.findall(r'data-line="(\d+)"><code>(.*?)</code>', window, re.DOTALL):
            shown = html.unescape(re.sub("<[^>]+>", "", code)).splitlines()
            begin = int(number) - 1
            stored = lines[begin : begin + len(shown)]
            indent = len(stored[0]) - len(stored[0].lstrip())
            assert shown == [line[indent:] for line in stored]
            assert max(map(len, shown)) <= WIDEST


def test_the_policy_of_a_page_names_its_nonce(client):
    """Scripts and styles run by a nonce that is another one for each page, and nothing else does."""
    first, second = client.get("/live"), client.get("/live")
    policies = [page.headers["content-security-policy"] for page in (first, second)]
    nonces = re.findall(r"script-src 'nonce-([\w-]+)'", " ".join(policies))
    assert len(nonces) == 2
    assert nonces[0] != nonces[1]
    scripts = re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", first.text)
    assert len(scripts) == 4
    assert all(f'nonce="{nonces[0]}"' in script for script in scripts)
    assert " style=" not in first.text


def test_another_site_can_change_nothing(client):
    """A form of another site is refused, whatever it asks for."""
    for path in ("/live/choose", "/theme", "/guards/unlock", "/sessions/forget", "/api/pies"):
        assert client.post(path, data={"flavour": "plum"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_one_worker_says_so_and_is_not_killed(client):
    """Without Redis the pages say that there is one worker; it can't be killed by a button."""
    assert "There is no Redis here" in client.get("/live").text
    assert "end_worker" not in client.get("/sessions").text.partition('<section class="sources"')[0]
    assert client.post("/sessions/end_worker").status_code == 403


def test_the_password_can_be_guessed_thirty_times_a_minute(client):
    """Tries at the door are counted, other requests are not."""
    statuses = [client.post("/guards/unlock", data={"password": "x"}).status_code for _ in range(31)]
    assert statuses == [422] * 30 + [429]
    assert client.get("/guards").status_code == 200


def test_the_api_keeps_pies(client):
    """A pie can be baked, read, listed and eaten; what does not fit is named."""
    made = client.post("/api/pies", json={"name": "Plum", "price": "21.50", "contains": ["nuts"]})
    pie = {"name": "Plum", "slices": 8, "price": "21.50", "contains": ["nuts"], "id": 2}
    assert (made.status_code, made.headers["location"], made.json()) == (201, "/api/pies/2", pie)
    assert client.get("/api/pies/2").json() == pie
    assert [one["id"] for one in client.get("/api/pies").json()] == [2, 1]
    assert client.delete("/api/pies/2").status_code == 204
    assert client.delete("/api/pies/2").status_code == client.get("/api/pies/2").status_code == 404
    wrong = client.post("/api/pies", json={"name": "", "slices": 99}, headers={"Accept": "application/json"})
    assert [fault["name"] for fault in wrong.json()["errors"]] == ["name", "slices"]


def test_the_document_has_the_api_and_nothing_else(client):
    """Pages are not in the OpenAPI document."""
    assert list(client.get("/openapi.json").json()["paths"]) == ["/api/pies", "/api/pies/{id}"]


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 30])
def test_no_number_is_too_large_for_the_api(client, number):
    """A pie's number that the database can't hold is the client's mistake."""
    assert client.get(f"/api/pies/{number}").status_code == 400
    assert client.delete(f"/api/pies/{number}").status_code == 400


@pytest.mark.parametrize("number", [4, 100_000])
def test_a_pie_has_each_allergen_once_at_most(client, number):
    """A list that is longer is refused: two hundred of them would be a large reply."""
    answer = client.post("/api/pies", json={"name": "Nuts", "contains": ["nuts"] * number})
    assert answer.status_code == 400
    assert client.get("/api/pies").status_code == 200


def test_what_visitors_leave_is_bounded(client, monkeypatch):
    """The newest entries are kept, and no more."""
    store = sys.modules["store"]
    assert store.KEPT == 200
    monkeypatch.setattr(store, "KEPT", 3)
    entry = {"baker": "Ada", "flavour": "plum", "slices": "4"}
    assert client.post("/forms", data=entry).status_code == 422  # has entered already
    for baker in ("Bo", "Cy", "Di"):
        assert client.post("/forms", data={**entry, "baker": baker}).status_code == 303
    assert client.post("/forms", data=entry).status_code == 303


def test_the_theme_leads_back_to_the_page_and_nowhere_else(client):
    """A form without JavaScript comes back to where it was; never to another site."""
    assert client.post("/theme", data={"theme": "dark", "back": "/live"}).headers["location"] == "/live"
    assert client.post("/theme", data={"theme": "dark", "back": "//evil.example"}).headers["location"] == "/"
    assert client.post("/theme", data={"theme": "pink"}).status_code == 400


def test_programs_get_problems_and_browsers_pages(client):
    """What is not there is a page for a browser, problem details for a program."""
    page = client.get("/nowhere", headers=HTML)
    assert (page.status_code, "No pie on this shelf" in page.text) == (404, True)
    assert client.get("/nowhere", headers={"Accept": "application/json"}).json()["status"] == 404


def test_a_careful_reader_finds_nothing():
    """`micropie check` has no complaint, for the two workers that it runs on."""
    command = [sys.executable, "-m", "micropie", "check", "app.py", "--workers", "2"]
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing found\n")


@pytest.mark.parametrize("arguments", [["--port"], ["--port", "x"], ["--port="], ["--wrong"], ["8000"]])
def test_the_demo_script_refuses_what_it_does_not_know(arguments):
    """It says how it is used, and starts nothing."""
    ran = subprocess.run([DEMO, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (2, "usage: scripts/demo [--port N]\n")


def test_the_demo_script_is_executable():
    """A fresh clone can run it."""
    assert os.access(DEMO, os.X_OK)


# In a browser, as scripts/demo serves it.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the showcase, on two workers and a Redis; nothing of it is left in the end."""
    port = free_port()
    environment = {**os.environ, "MICROPIE_VENV": sys.prefix, "SHOWCASE_DATA": str(tmp_path_factory.mktemp("data"))}
    for name in ("REDIS_URL", "WEB_CONCURRENCY"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [DEMO, "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or text_at(f"{url}/health/ready") is not None)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=PATIENCE)[0]
    assert printed.startswith(f"The showcase, on two workers: {url} (Ctrl-C stops it)\n")
    assert "Traceback" not in printed
    assert process.returncode == 0
    assert text_at(url) is None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    expect.set_options(timeout=PATIENCE * 1000)
    with launched() as browser:
        yield browser
    expect.set_options(timeout=5000)  # what it is without


class Visit:
    """A visitor with cookies of his own, of whom everything is noted that went wrong."""

    def __init__(self, browser: Browser, site: str, **options: Any) -> None:
        self.site = site
        self.context: BrowserContext = browser.new_context(base_url=site, reduced_motion="reduce", **options)
        self.complaints: list[str] = []
        self.refused: list[int] = []
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("response", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # Of replies that were asked for, and handshakes that were to be refused, tests say themselves what they are.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _see(self, response: Response) -> None:
        if not response.url.startswith(self.site):
            self.complaints.append(f"another host: {response.url}")
        if response.status >= 400:
            self.refused.append(response.status)

    def open(self, path: str) -> Page:
        """A window."""
        page = self.context.new_page()
        page.goto(path)
        return page


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    """A visitor with a desk; whatever a browser has complained of is a failure."""
    visit = Visit(browser, site, viewport=ViewportSize(width=1280, height=900))
    yield visit
    visit.context.close()
    assert visit.complaints == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_is_for_everybody(browser, site, scheme, width):
    """axe-core finds nothing on any page, and nothing is wider than the screen."""
    assert AXE.is_file(), "run scripts/test once: it installs the packages that these tests need"
    axe = AXE.read_text(encoding="utf-8")
    visit = Visit(browser, site, color_scheme=scheme, viewport=ViewportSize(width=width, height=900))
    page = visit.context.new_page()
    for path in PATHS:
        page.goto(f"/{path}")
        page.evaluate(axe)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(path, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit.context.close()
    assert (visit.complaints, visit.refused) == ([], [404])


def test_a_page_is_light(visit):
    """A first visit takes less than 100 kB, fonts and scripts included."""
    page = visit.open("/live")
    page.wait_for_function("document.fonts.status === 'loaded'")
    sizes = page.evaluate("performance.getEntries().map((one) => one.encodedBodySize ?? 0)")
    assert len([size for size in sizes if size]) >= 7
    assert sum(sizes) < 100_000


def test_a_pie_is_baked_by_all_windows(visit):
    """What one window chooses, what a form sends and what curl sends is on every window at once."""
    first, second = visit.open("/live"), visit.open("/live")
    for page in (first, second):
        expect(page.locator("#here")).to_contain_text("2 windows open")
    counted = int(second.get_by_role("button", name="cherry").locator("b").inner_text())
    first.get_by_role("button", name="cherry").click()
    expect(second.get_by_role("button", name="cherry").locator("b")).to_have_text(str(counted + 1))
    expect(second.locator("#route li").first).to_contain_text(re.compile(r"cherry: worker \d+ took it"))
    assert httpx.post(f"{visit.site}/live/choose", data={"flavour": "plum"}).status_code == 303
    for page in (first, second):
        expect(page.locator("#route li").first).to_contain_text("plum: worker")
    second.close()
    expect(first.locator("#here")).to_contain_text("1 window open")


def test_the_api_answers_what_it_is_asked(visit):
    """Each prepared request has its answer: a pie, faults by name, problems."""
    page = visit.open("/typed")
    for name, status, words in [
        ("Bake a pie", "201", '"name": "Friday plum"'),
        ("Three faults at once", "400", '"name": "slices"'),
        ("Broken JSON", "400", "Bad JSON"),
        ("No such pie", "404", "No such pie"),
        ("A wrong verb", "405", '"status": 405'),
        ("All pies", "200", "Sunday cherry"),
    ]:
        page.get_by_role("button", name=name).click()
        expect(page.locator("#status b")).to_have_text(status)
        expect(page.locator("#answer")).to_contain_text(words)
    page.get_by_label("Path").fill("/api/pies/1")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("Sunday cherry")
    assert visit.refused == [400, 400, 404, 405]


def test_a_file_is_weighed_while_it_arrives(visit, tmp_path):
    """A file that is chosen, and one that the page makes, come back with their size and checksum."""
    page = visit.open("/uploads")
    (tmp_path / "small.txt").write_bytes(b"apple")
    page.locator("#file").set_input_files(tmp_path / "small.txt")
    page.get_by_role("button", name="Weigh it").click()
    expect(page.locator("#receipt")).to_contain_text(hashlib.sha256(b"apple").hexdigest())
    page.get_by_role("button", name="No file at hand?").click()
    expect(page.locator("#receipt")).to_contain_text(str(MADE), timeout=20_000)
    made = bytes(number * 31 % 256 for number in range(1 << 16)) * 1024
    assert hashlib.sha256(made).hexdigest() in page.locator("#receipt").inner_text()
    assert page.locator("#read").evaluate("bar => bar.value") == 100


def test_a_visitor_outlives_a_worker(visit):
    """The worker that answers is killed: the session is there on the other one, and both are there again."""
    page = visit.open("/sessions")
    page.get_by_label("A note to yourself").fill("<b>Buy plums</b>")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("status")).to_have_text("Noted.")
    page.get_by_role("button", name="kill -9").click()
    expect(page.get_by_role("status")).to_contain_text("is no more")
    gone = re.search(r"Worker (\d+) is no more", page.get_by_role("status").inner_text())
    assert gone is not None
    assert page.locator("#made b").inner_text() != gone[1]
    assert page.get_by_label("A note to yourself").input_value() == "<b>Buy plums</b>"
    assert page.locator(".tally b").inner_text() == "3"
    page.get_by_role("button", name="Forget me").click()
    expect(page.locator(".tally b")).to_have_text("1")
    assert page.get_by_label("A note to yourself").input_value() == ""


def test_a_form_comes_back_as_it_was(visit):
    """What does not fit is said beside its field, what was typed is there; then the entry is on the list."""
    page = visit.open("/forms")
    page.get_by_label("Baker").fill("<i>Bo</i>")
    page.get_by_label("Slices").fill("many")
    page.get_by_role("button", name="Enter it").click()
    assert page.get_by_role("alert").inner_text() == "Not yet: 2 of the answers below do not fit."
    assert page.locator("#slices-wrong").inner_text() == "expected an integer"
    assert page.get_by_label("Slices").get_attribute("aria-describedby") == "slices-wrong"
    assert page.get_by_label("Baker").input_value() == "<i>Bo</i>"
    page.get_by_text("pumpkin").first.click()
    page.get_by_label("Slices").fill("6")
    page.get_by_role("button", name="Enter it").click()
    expect(page.get_by_role("status")).to_have_text("Good luck, <i>Bo</i>!")
    assert page.locator(".entries li").first.inner_text().startswith("<i>Bo</i>, pumpkin, 6 slices")
    assert visit.refused == [422]


def test_a_guard_stands_before_the_whole_branch(visit):
    """A page, a 404 and a WebSocket are shut until the password is right, and after locking again."""
    page = visit.open("/guards")

    def knock() -> list[str]:
        for row in page.locator("#knocks li").all():
            row.get_by_role("button").click()
            expect(row.locator("output")).not_to_have_text("?")
        return [output.inner_text() for output in page.locator("#knocks output").all()]

    assert knock() == ["401", "401", "shut"]
    page.get_by_label("The password is").fill("margarine")
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("#password-wrong")).to_have_text("The password is another one")
    page.get_by_label("The password is").fill("butter")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("heading", name="The door is open")).to_be_visible()
    assert knock() == ["200", "404", "101"]
    page.get_by_role("button", name="Lock it again").click()
    expect(page.get_by_role("heading", name="The lock")).to_be_visible()
    assert knock() == ["401", "401", "shut"]
    assert visit.refused == [401, 401, 422, 404, 401, 401]
    # Chromium tells of a handshake that is refused: twice, as it was meant to be.
    refusals = [one for one in visit.complaints if "WebSocket connection" in one]
    assert len(refusals) == 2
    visit.complaints = [one for one in visit.complaints if one not in refusals]


@pytest.mark.parametrize(
    ("accept", "line"),
    [("text/event-stream", 'data: {"number":1,"text":"Rub"}'), ("application/x-ndjson", '\n{"number":2,"text":"the"}')],
)
def test_a_stream_ends_with_who_listens(visit, accept, line):
    """Words come one by one, as events or lines; who leaves closes the generator."""
    page = visit.open("/streams")
    page.locator("#accept").select_option(accept)
    page.get_by_role("button", name="Tell me").click()
    expect(page.locator("#told")).to_contain_text("Rub the cold butter")
    assert line in page.locator("#wire-text").text_content()
    page.get_by_role("button", name="Leave").click()
    status = page.locator("#stream .status")
    expect(status).to_contain_text(re.compile(r"Worker \d+ closed the generator after \d+ words"))
    words = int(re.findall(r"\d+", status.inner_text())[1])
    assert 4 <= words < 80


def test_the_figures_are_those_of_the_files(visit):
    """The chart has what the benchmarks wrote, and another kind of request is a click away."""
    page = visit.open("/figures")
    page.get_by_role("link", name="a session").click()
    results = json.loads((ROOT / "benchmarks" / "results" / "inprocess.json").read_text(encoding="utf-8"))["results"]
    ours = f"{results['visits']['micropie']['overhead']:.1f}"
    expect(page.get_by_role("link", name="a session")).to_have_attribute("aria-current", "true")
    expect(page.locator("table").first.locator("tr.ours")).to_contain_text(ours)


def test_the_theme_is_remembered(visit):
    """A click changes the colours at once, and they are so on the next page; the keyboard gets there by itself."""
    page = visit.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    with page.expect_response("**/theme"):
        page.get_by_role("button", name="Dark").press("Enter")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("link", name="Take the tour").click()
    page.wait_for_url("**/live")
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark == "rgb(21, 16, 13)"
    expect(page.locator("#made")).to_have_text(re.compile(r"^Answered by worker \d+, one of 2 in [\d.]+ ms$"))


def test_it_works_without_javascript(browser, site):
    """Choosing, the theme and the form are forms."""
    visit = Visit(browser, site, java_script_enabled=False)
    page = visit.open("/live")
    counted = int(page.get_by_role("button", name="plum").locator("b").inner_text())
    page.get_by_role("button", name="plum").click()
    expect(page.get_by_role("button", name="plum").locator("b")).to_have_text(str(counted + 1))
    page.get_by_role("button", name="Light").click()
    expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    assert page.url == f"{site}/live"
    visit.context.close()
    assert (visit.complaints, visit.refused) == ([], [])
