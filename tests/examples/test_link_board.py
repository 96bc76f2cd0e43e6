"""examples/link_board: its own tests, and the site as it is deployed: its unit's command, two workers, nginx, Redis."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.batteries.redis_server import running_redis
from tests.batteries.worker_processes import wait_until_ready
from tests.examples.served import visiting
from tests.examples.trials import assert_looks_good, copy_of, passed_in
from tests.integrations.serving import environment
from tests.servers.proxies import Places, proxying, replaced
from tests.servers.serving import Server, end, free_port

pytestmark = [pytest.mark.needs("jinja2"), pytest.mark.needs("multipart")]

PASSWORD = "four words are enough"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)


def test_its_own_tests_pass(tmp_path):
    """As the README says that they are run."""
    assert passed_in(copy_of("link_board", tmp_path)) >= 47


@contextmanager
def unit_started(folder: Path, **variables: str) -> Iterator[int]:
    """Run the command of the systemd unit, in a copy of the folder and with its own variables; give its port."""
    unit = (folder / "deploy" / "link-board.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=/srv/link_board/.venv/bin/micropie (.*)$", unit, re.MULTILINE)
    assert "--workers 2" in command
    settings = dict(
        pair.split("=", 1) for pair in shlex.split(" ".join(re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)))
    )
    assert set(variables) <= set(settings), "the unit does not set them"
    port, log = free_port(), folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "micropie", *command.split(), "--port", str(port)],
            cwd=folder,
            env={**environment(), **settings, **variables},
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_until_ready(port, process, log)
            yield port
        finally:
            end(process)
    assert re.findall("ERROR|Traceback|Several workers", log.read_text()) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, as its visitors see it."""
    folder = copy_of("link_board", tmp_path_factory.mktemp("site"))
    scratch = tmp_path_factory.mktemp("nginx")

    def nginx(places: Places) -> list[str]:
        """The options of nginx; the example's part stands in what Debian's nginx.conf has around it."""
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{places.site}",
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{places.port} ssl http2;",
            "/etc/ssl/links.example.pem": str(places.certificate),
        }
        text = replaced((folder / "deploy" / "nginx.conf").read_text(encoding="utf-8"), changes)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {places.folder / kind};" for kind in kinds)
        (places.folder / "nginx.conf").write_text(
            f"user root; daemon off; pid {places.folder / 'pid'}; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {paths}\n{text} }}"
        )
        return ["-c", str(places.folder / "nginx.conf"), "-e", "stderr"]

    with (
        running_redis(scratch) as redis,
        unit_started(folder, REDIS_URL=redis.url, DATA=str(folder / "data")) as port,
        proxying(nginx, scratch, (port, port)) as proxy,
    ):
        yield proxy


def visitor(site: Server) -> httpx.Client:
    """Somebody who trusts the certificate of the test."""
    return httpx.Client(base_url=site.url, verify=False, trust_env=False, timeout=20)


@contextmanager
def member(site: Server, name: str) -> Iterator[httpx.Client]:
    """Somebody who has joined."""
    with visitor(site) as client:
        assert client.post("/join", data={"name": name, "password": PASSWORD}).status_code == 303
        yield client


def test_no_race_votes_twice(site):
    """Of twenty votes at the same time, on two workers, one counts."""
    with member(site, "racer") as client, member(site, "owner") as owner:
        path = owner.post("/links", data={"title": "Race", "url": "https://example.com"}).headers["location"]
        with ThreadPoolExecutor(10) as threads:
            replies = list(threads.map(lambda _: client.post(f"{path}/votes", data={"up": "yes"}), range(20)))
        assert {reply.status_code for reply in replies} == {303}
        assert client.get(f"/api{path}").json()["score"] == 2


def test_what_nginx_tells(site):
    """The cookie is for https alone, the limits are each visitor's own, and health is nobody's business."""
    with visitor(site) as client:
        reply = client.post("/join", data={"name": "secure", "password": PASSWORD})
        assert "Secure" in reply.headers["set-cookie"]
        assert client.get("/health/ready").status_code == 404
        assert client.post("/login", data={}, headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.get("/", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200
        # Over nginx's own limit: behind an early 413 of Granian's the connection is reset, and nginx may see only that.
        assert client.post("/account", files={"picture": ("me.png", PNG + bytes(1_100_000))}).status_code == 413


def test_in_two_browsers(site):
    """Two join, one adds a link and shows a picture, the other votes and answers; all pages look good."""
    with (
        launched() as browser,
        visiting(browser, site, ignore_https_errors=True) as ann,
        visiting(browser, site, ignore_https_errors=True) as bob,
    ):
        for page, name in ((ann, "ann"), (bob, "bob")):
            page.goto("/join")
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("main").get_by_role("button", name="Join").click()
            expect(page.get_by_role("status")).to_have_text(f"Welcome, {name}!")
        assert_looks_good(ann)
        ann.get_by_role("link", name="ann").click()
        ann.get_by_label("Your picture").set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": PNG})
        ann.get_by_role("button", name="Show me like this").click()
        expect(ann.get_by_role("status")).to_have_text("That is how others see you now.")
        assert_looks_good(ann)
        ann.get_by_role("link", name="Add a link").click()
        assert_looks_good(ann)
        ann.get_by_label("Address").fill("https://example.com/pies")
        ann.get_by_label("Title").fill("<b>Pies</b> that hold their filling")
        ann.get_by_role("button", name="Add").click()
        expect(ann.get_by_role("heading", level=1)).to_have_text("<b>Pies</b> that hold their filling")
        link = ann.url
        bob.goto("/")
        bob.get_by_role("button", name="Vote for <b>Pies</b>").click()
        expect(ann.locator(".score")).to_have_text("2")
        bob.goto(link)
        bob.get_by_label("Your comment").fill("Good read")
        bob.get_by_role("button", name="Comment").click()
        expect(ann.locator(".count")).to_have_text("1")
        ann.reload()
        ann.get_by_text("Answer").first.click()
        ann.get_by_label("Your answer").fill("It is, isn't it?")
        ann.get_by_role("button", name="Answer").click()
        expect(ann.locator(".depth-1 .text")).to_have_text("It is, isn't it?")
        assert_looks_good(ann)
        bob.goto("/login")
        assert_looks_good(bob)
