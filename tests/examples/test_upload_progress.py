"""examples/upload_progress, by curl and in a page."""

import json
import subprocess
from hashlib import sha256

from playwright.sync_api import FilePayload, expect

from tests.batteries.browsing import launched
from tests.client import run
from tests.examples.served import served, visiting
from tests.servers.serving import PATIENCE
from tests.wire import awire

ID = "6a1ff3a0-0b7c-4a0e-8f57-b1d7a3c0a001"
FILE = bytes(range(256)) * 8192  # 2 MiB


def test_curl_shows_progress_while_it_sends(tmp_path):
    """Lines come before the file has been sent; a second client sees the end."""
    (tmp_path / "pie.bin").write_bytes(FILE)
    with served("upload_progress", tmp_path) as server:
        url = f"{server.url}/upload/{ID}"
        command = ["curl", "-sSN", "--limit-rate", "4M", "-F", f"file=@{tmp_path / 'pie.bin'}", url]
        ended = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE, text=True)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert [line["bytes"] for line in lines] == sorted({line["bytes"] for line in lines})
        assert len(lines) >= 4
        assert lines[-1] == {"bytes": len(FILE), "total": lines[0]["total"], "sha256": sha256(FILE).hexdigest()}
        with server.client() as client:
            watched = client.get(f"/progress/{ID}", headers={"Accept": "application/x-ndjson"})
            assert json.loads(watched.text)["data"] == lines[-1]


def test_a_page_shows_what_has_arrived(tmp_path):
    """A bar for each file, and the checksum in the end."""
    with served("upload_progress", tmp_path) as server, launched() as browser, visiting(browser, server) as page:
        files = [
            FilePayload(name=name, mimeType="application/octet-stream", buffer=FILE) for name in ("a.bin", "b.bin")
        ]
        page.locator("input").set_input_files(files)
        expect(page.get_by_role("listitem")).to_have_count(2)
        for said in page.locator("small").all():
            expect(said).to_have_text(f"2.1 MB have arrived, SHA-256 {sha256(FILE).hexdigest()[:16]}…")
        assert page.locator("progress").first.evaluate("bar => bar.value / bar.max") == 1


def test_who_watches_an_upload_that_breaks_off_is_told(app, upload):
    """The watcher's stream ends, too."""
    sent = upload(FILE)
    sent["body"] = sent["body"][:2]

    async def main():
        await awire(app, "POST", f"/upload/{ID}", **sent, disconnect=True)
        return await awire(app, "GET", f"/progress/{ID}", headers=[("Accept", "application/x-ndjson")])

    assert run(main()).json()["data"]["broken"] is True


def test_an_id_is_a_uuid(client):
    """Nobody can write to a channel of another name."""
    assert client.post("/upload/x", files={"file": b"x"}).status_code == 400
    assert client.get("/progress/x").status_code == 400
