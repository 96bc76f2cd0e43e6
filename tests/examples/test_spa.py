"""examples/spa, built as its README says, in a browser."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.conftest import EXAMPLES
from tests.examples.served import APP, visiting
from tests.servers.serving import PATIENCE, started, wait_until_ready

NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the example, with the packages that `npm install` would bring."""
    assert NODE_MODULES.is_dir(), "run scripts/test once: it installs the packages that these tests need"
    copy = tmp_path_factory.mktemp("spa") / "spa"
    built = shutil.ignore_patterns("node_modules", "*.js", "api.d.ts", "openapi.json")
    shutil.copytree(EXAMPLES / "spa", copy, ignore=built)
    (copy / "node_modules").symlink_to(NODE_MODULES)
    return copy


def build(folder):
    """Run the command of the README."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["npm", "run", "build"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=12 * PATIENCE,
        check=False,
    )


def test_the_front_end_in_a_browser(folder, tmp_path):
    """Pies are baked, looked at and eaten; faults are told; a deep link can be loaded."""
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    with started(APP, tmp_path, at=folder) as server, launched() as browser:
        wait_until_ready(server)
        with visiting(browser, server) as page:
            page.get_by_label("Name").fill("<i>Apple")
            page.get_by_role("button", name="Bake").click()
            page.get_by_role("link", name="<i>Apple").click()
            expect(page.get_by_role("heading")).to_have_text("<i>Apple")
            page.reload()
            expect(page.locator("p")).to_have_text("8 slices")
            page.get_by_role("button", name="Eat it").click()
            expect(page.get_by_role("button", name="Bake")).to_be_visible()
            expect(page.get_by_role("listitem")).to_have_count(0)
        page = browser.new_page(base_url=server.url)
        page.goto("/")
        page.get_by_label("Slices").fill("25")
        page.get_by_role("button", name="Bake").click()
        expect(page.get_by_role("alert").first).to_contain_text("name: expected at least 1 character")
        expect(page.get_by_role("alert").last).to_have_text("slices: expected a value of at most 24")
        page.goto("/pies/9")
        expect(page.get_by_role("alert")).to_have_text("Not Found")


def test_a_client_that_does_not_fit_is_not_built(folder):
    """When the API has another name for something, the compiler says where the front end has not."""
    app = folder / "app.py"
    app.write_text(app.read_text("utf-8").replace("slices:", "pieces:"), "utf-8")
    built = build(folder)
    assert built.returncode != 0
    assert "src/main.ts" in built.stdout
    assert "'slices' does not exist" in built.stdout


@pytest.mark.parametrize(
    ("path", "accept", "status", "kind"),
    [
        ("/pies/1", "text/html", 200, "text/html; charset=utf-8"),
        ("/pies/1", "*/*", 404, "application/problem+json"),
        ("/style.css", "*/*", 200, "text/css; charset=utf-8"),
        ("/nowhere.js", "*/*", 404, "application/problem+json"),
        ("/api/nowhere", "text/html", 404, "application/problem+json"),
        ("/api/pies", "text/html", 200, "application/json"),
    ],
)
def test_what_is_a_page_and_what_is_not(client, path, accept, status, kind):
    """A browser's visit is; a file or a part of the API that there is not is a 404."""
    answer = client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
