"""`micropie new` and `micropie standalone`."""

import errno
import json
import os
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from micropie.cli import standalone
from micropie.cli.errors import CommandError
from tests.batteries.commands import free_port, serving, text_at

ROOT = Path(__file__).parents[2]
AXE = Path(sys.prefix) / "node" / "node_modules" / "axe-core" / "axe.min.js"


def in_folder(folder, *module):
    """Run a module of Python's in a folder, with what the user would have: no setting of ours."""
    return subprocess.run(
        [sys.executable, "-m", *module], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_new(project):
    """The files are told one by one, then what to do next."""
    assert project.run("new", "pie-shop") == (
        0,
        (
            "  pie-shop/.dockerignore\n"
            "  pie-shop/.gitignore\n"
            "  pie-shop/Dockerfile\n"
            "  pie-shop/README.md\n"
            "  pie-shop/app.py\n"
            "  pie-shop/notes.py\n"
            "  pie-shop/pyproject.toml\n"
            "  pie-shop/static/icon.svg\n"
            "  pie-shop/static/style.css\n"
            "  pie-shop/templates/index.html\n"
            "  pie-shop/templates/layout.html\n"
            "  pie-shop/tests/test_app.py\n"
            "Now: cd pie-shop, and micropie run --dev\n"
        ),
        "",
    )
    texts = "".join(path.read_text(encoding="utf-8") for path in project.folder.rglob("*") if path.is_file())
    assert "PROJECT" not in texts
    assert 'name = "pie-shop"' in texts


def test_new_project_is_sound(project):
    """Its tests pass, `micropie check` finds nothing in it, mypy and ruff neither."""
    assert project.call("new", "shop").status == 0
    folder = project.folder / "shop"
    tests = in_folder(folder, "pytest", "-q", "-W", "error")
    assert "12 passed" in tests.stdout
    checked = in_folder(folder, "micropie", "check", "--workers", "2", "--public")
    assert (checked.stdout, checked.stderr) == ("", "nothing found\n")
    mypy = in_folder(folder, "mypy", "--cache-dir", os.devnull, "app.py", "notes.py", "tests")
    assert mypy.stdout == "Success: no issues found in 3 source files\n"
    assert in_folder(folder, "ruff", "check", "--no-cache", ".").stdout == "All checks passed!\n"
    assert in_folder(folder, "ruff", "format", "--no-cache", "--check", ".").returncode == 0


@pytest.mark.parametrize("command", [("-m", "micropie", "run"), ("app.py",)])
def test_new_project_serves(project, command):
    """It is served by `micropie run`, and by itself."""
    assert project.call("new", "shop").status == 0
    project.folder /= "shop"
    app, port = project.folder / "app.py", free_port()
    app.write_text(app.read_text(encoding="utf-8").replace("run(app)", f"run(app, port={port})"), encoding="utf-8")
    options = ("--port", str(port)) if command[0] == "-m" else ()
    url = f"http://127.0.0.1:{port}"
    with serving(project, *command, *options, ready=lambda: text_at(url) is not None):
        assert "<h1>shop</h1>" in str(text_at(url))


def test_new_project_in_a_container(project):
    """What its Dockerfile copies is served as it says, and healthy by its check; hadolint has nothing to say."""
    assert project.call("new", "shop").status == 0
    sources = project.folder / "shop"
    linter = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run([linter, sources / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")
    let_in = [line[1:] for line in (sources / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in set(let_in) - {"wheels"}:
        (sources / name).rename(project.folder / name)
    port = str(free_port())
    lines = (sources / "Dockerfile").read_text(encoding="utf-8").replace("8000", port).splitlines()
    command, check = (
        json.loads(line[line.index("[") :].replace("0.0.0.0", "127.0.0.1"))
        for start in ("CMD", "HEALTHCHECK")
        for line in lines
        if line.startswith(start)
    )
    environment = {"DATA": str(sources)}
    url = f"http://127.0.0.1:{port}"
    with serving(project, "-m", *command, ready=lambda: text_at(url) is not None, environment=environment):
        assert subprocess.run([sys.executable, *check[1:]], check=True, timeout=60).returncode == 0
    assert (sources / "notes.db").is_file()


def test_new_project_in_a_browser(project, browser):
    """Its page adds, ticks and removes notes, loads nothing that is not there, and is for everybody, light and dark."""
    assert AXE.is_file(), "run scripts/test once: it installs the packages that these tests need"
    assert project.call("new", "shop").status == 0
    project.folder /= "shop"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(project, "-m", "micropie", "run", "--port", str(port), ready=lambda: text_at(url) is not None):
        page = browser.new_page(reduced_motion="reduce")
        failed = []
        page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
        page.on("console", lambda message: failed.append(message.text))
        page.goto(url)
        page.get_by_label("A new note").fill("<b>Bake</b>")
        page.get_by_role("button", name="Add").click()
        page.get_by_role("button", name="Tick: <b>Bake</b>").click()
        assert page.locator("li.done span").inner_text() == "<b>Bake</b>"
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("axe.run()")["violations"] == []
        page.get_by_role("button", name="Remove: <b>Bake</b>").click()
        assert page.get_by_text("Nothing to do yet.").is_visible()
        page.get_by_role("link", name="API").click()
        page.wait_for_url(f"{url}/docs")
        page.close()
        assert failed == []


def test_new_project_documents_what_it_answers(project):
    """The document has the status of a new note, and its address is in the reply."""
    assert project.call("new", "shop").status == 0
    project.folder /= "shop"
    os.chdir(project.folder)
    document = json.loads(project.run("openapi").out)
    assert (document["info"]["title"], list(document["paths"])) == ("shop", ["/notes", "/notes/{id}"])
    assert list(document["paths"]["/notes"]["post"]["responses"]) == ["201", "400", "default"]


def test_new_in_an_empty_folder_and_below(project):
    """An empty folder will do, and so will a path."""
    (project.folder / "shop").mkdir()
    assert project.call("new", "shop").status == 0
    assert project.call("new", "a/b").status == 0
    assert (project.folder / "a" / "b" / "app.py").is_file()


@pytest.mark.parametrize("name", ["-x", "a b", "é", "..", "a-"])
def test_new_with_a_bad_name(project, name):
    """A name that no package can have is a wrong option."""
    message = f"micropie: {name!r} can't name a project: letters, digits, '-', '_' and '.' can\n"
    assert project.call("new", "--", name) == (2, "", message)
    assert list(project.folder.iterdir()) == []


def test_new_overwrites_nothing(project):
    """What is there is left alone."""
    project.write(**{"shop/x": ""})
    message = "micropie: shop is there already: choose another name\n"
    assert project.run("new", "shop") == (1, "", message)
    assert project.call("new", "shop/x.py") == (1, "", message.replace("shop", "shop/x.py"))
    message = f"micropie: shop/x.py/y can't be written: {os.strerror(errno.ENOTDIR)}\n"
    assert project.call("new", "shop/x.py/y") == (1, "", message)


def test_new_with_a_name_that_is_too_long(project):
    """A name that no folder can have is one line."""
    message = f"micropie: {'a' * 300} can't be written: {os.strerror(errno.ENAMETOOLONG)}\n"
    assert project.call("new", "a" * 300) == (1, "", message)


def test_standalone(project):
    """The file that is printed is the one that is committed, and it works without the package."""
    committed = (ROOT / "standalone" / "micropie.py").read_text(encoding="utf-8")
    assert project.run("standalone") == (0, committed, "")
    assert project.call("standalone") == (0, committed, "")


def test_the_licence(monkeypatch, tmp_path):
    """The licence is that of the distribution, else the checkout's; without one there is no file."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert standalone.licence("micropie") == text
    assert standalone.licence("nothing-of-ours") == text
    metadata = tmp_path / "other-1.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("other/LICENSE,,\nother.py,,\n")
    (metadata / "METADATA").write_text("Name: other\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "LICENSE").write_text("Theirs.")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Distribution.from_name("other").files
    assert standalone.licence("other") == "Theirs."
    monkeypatch.setattr(standalone, "_PACKAGE", tmp_path / "a" / "b")
    with pytest.raises(CommandError, match="install MicroPie with pip"):
        standalone.licence("nothing-of-ours")
