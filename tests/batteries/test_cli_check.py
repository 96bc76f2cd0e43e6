"""`micropie check`: what each rule finds, and that it finds nothing in what is right; `micropie openapi`."""

import json
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from micropie.openapi import openapi
from micropie.testing import TestClient
from tests.batteries.commands import SITE

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/app.py"))
HEAD = "from micropie import App, Controller, FromSession, HttpMiddleware, Mount, Resource, UploadedFile, methods\n"
GUARDED = "from micropie import Controller\n\n\nclass Admin(Controller):\n    async def _before(self): ...\n"


def site(body, head=""):
    """The source of an application, its first method in line 5 where `head` is empty."""
    return f"{HEAD}{head}\n\nclass Site(App):\n{body}\n\n\napp = Site()\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_in_the_examples(project, monkeypatch, name):
    """No example gives cause for complaint, even with several workers, but for the one that says so itself."""
    monkeypatch.chdir(ROOT / "examples" / name)
    assert project.call("check") == (0, "", "nothing found\n")


SNIPPETS = re.findall(
    r"```python\n(.*?)^```$",
    "".join((ROOT / page).read_text("utf-8") for page in ("README.md", "docs/tutorial.md", "docs/production.md")),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize("snippet", [text for text in SNIPPETS if re.search(r"^app = ", text, re.MULTILINE)])
def test_nothing_in_the_pages(project, snippet):
    """Nor does any application in the pages."""
    project.write(app=snippet)
    for name in re.findall(r'_render_template\("(.*?)"', snippet):
        (project.folder / "templates").mkdir(exist_ok=True)
        (project.folder / "templates" / name).write_text("", encoding="utf-8")
    assert project.call("check") == (0, "", "nothing found\n")


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        (
            "    x = Controller\n",
            5,
            "Site.x is a class, which answers nothing: write x = Controller()",
        ),
        (
            "    from below import Admin\n    admin = Admin()\n    files = Mount(print, path='/admin/files')\n",
            7,
            (
                "Site.files is mounted at /admin/files, where Admin._before does not guard it: make it an attribute of "
                "Admin, or give it another path"
            ),
        ),
        (
            "    async def index(self, x: 'Nope'): ...\n",
            5,
            (
                "Site.index: the annotation of parameter 'x', 'Nope', counts as none, since it cannot be resolved "
                "(name 'Nope' is not defined): make its names known where the program runs, not only for the "
                "type checker, or leave it out"
            ),
        ),
        (
            "    async def find(self, id): ...\n    async def index(self):\n        x = await self.find(1)\n",
            5,
            (
                "anyone can call Site.find at /find/{id}, and Site.index calls it: begin its name with _, "
                "or give it a docstring if it is a page"
            ),
        ),
        (
            "    def load_users(self): ...\n",
            5,
            (
                "anyone can call Site.load_users at /load_users, and its name is that of a helper: "
                "begin its name with _, or give it a docstring if it is a page"
            ),
        ),
        (
            (
                "    def __init__(self):\n        super().__init__()\n"
                "        self.startup_handlers.append(self.connect)\n"
                "    async def connect(self): ...\n"
            ),
            8,
            "anyone can call Site.connect at /connect, a startup or shutdown handler: begin its name with _",
        ),
        (
            "    async def request(self): ...\n",
            5,
            "Site.request answers nothing, since self.request is the request: give it another name",
        ),
        (
            "    middlewares = []\n",
            5,
            (
                "Site.middlewares has no effect, since App.__init__ sets self.middlewares: append to that after "
                "super().__init__()"
            ),
        ),
        (
            "    async def _before(self): ...\n",
            5,
            "Site._before is never called, since an App has no guards: put it on a Controller, or use middleware",
        ),
        (
            "    async def index(self):\n        return await self._render_template('no.html')\n",
            6,
            "there is no template 'no.html' in templates",
        ),
    ],
)
def test_a_rule_finds(project, body, line, message):
    """Each finding is a line with its place and the remedy, and the status is 1."""
    project.write(app=site(body), below=GUARDED)
    assert project.call("check") == (1, f"app.py:{line}: {message}\n", "1 finding\n")


@pytest.mark.parametrize(
    "body",
    [
        (
            "    async def index(self):\n        return await self.home() if 1 else self.other()\n"
            "    async def home(self): ...\n    async def other(self):\n        return 200, await self.home()\n"
        ),
        "    def load_users(self):\n        'A page.'\n",
        "    @methods('POST')\n    def load_users(self): ...\n",
        "    async def load_users(self): ...\n",
        "    def load_users(self, page: int = 1): ...\n",
        "    async def tree(self, depth=0):\n        x = await self.tree(depth - 1)\n        return x\n",
        "    async def ws_chat(self, ws): ...\n    async def index(self):\n        self.ws_chat(1)\n",
        "    @property\n    def request(self):\n        return super().request\n",
        "    async def index(self, name):\n        return await self._render_template(name)\n",
        "    async def index(self):\n        return await self._render_template()\n",
        (
            "    async def index(self):\n        return await self._render_template('x')\n"
            "    async def _render_template(self, name, /, **context):\n        return name\n"
        ),
        "    x = 1\n    y: int\n    x, y = 1, 2\n    class Inner: ...\n",
    ],
)
def test_no_false_alarms(project, body):
    """What looks similar, and is right, is left alone."""
    project.write(app=site(body))
    assert project.call("check") == (0, "", "nothing found\n")


def test_below_too(project):
    """Controllers and applications below are checked, each by its own file; each finding is told once."""
    blog = "class Blog(Controller):\n    def load_it(self): ...\n"
    shop = "class Shop(App):\n    def save_it(self): ...\n    x = Controller\n"
    above = site("    blog = Blog()\n    other = Blog()\n    shop = Shop()\n", "from below import *\n")
    project.write(app=above, below=HEAD + blog + shop)
    status, out, err = project.call("check")
    assert (status, err) == (1, "4 findings\n")
    assert [line.partition(", ")[0] for line in out.splitlines()] == [
        "below.py:3: anyone can call Blog.load_it at /blog/load_it",
        "below.py:3: anyone can call Blog.load_it at /other/load_it",
        "below.py:5: anyone can call Shop.save_it at /shop/save_it",
        "below.py:6: Shop.x is a class",
    ]


def test_what_has_no_source(project):
    """Classes that a program makes, and those of packages, have no source to read."""
    made = "Made = type('Made', (App,), {'index': lambda self: 'x', 'x': Controller})\napp = Made()\n"
    project.write(app=HEAD + made)
    assert project.call("check") == (0, "", "nothing found\n")
    source = "exec('class Made(Controller):\\n def index(self): ...\\n')\n@str\nclass X: ...\n"
    project.write(web=site("    x = Made()\n", source))
    assert project.call("check", "web.py") == (0, "", "nothing found\n")


def test_source_that_has_changed(project):
    """A file that was made unreadable after it was imported has no source to read."""
    spoil = "import pathlib\npathlib.Path(__file__).write_bytes(b'\\0' + pathlib.Path(__file__).read_bytes())\n"
    project.write(app=site("    middlewares = []\n") + spoil)
    assert project.call("check") == (0, "", "nothing found\n")


def test_decorated_class(project):
    """A decorator of a class does not hide it."""
    project.write(app=site("    middlewares = []\n").replace("class Site", "@(lambda cls: cls)\nclass Site"))
    assert project.call("check").out.startswith("app.py:6: Site.middlewares has no effect")


def test_as_a_process(project):
    """It is a step of CI: findings on stdout, the status 1, and no log beside them."""
    project.write(app=site("    x = Controller\n"))
    message = "Site.x is a class, which answers nothing: write x = Controller()"
    assert project.run("check", "app:app") == (1, f"app.py:5: {message}\n", "1 finding\n")
    project.write(app=SITE)
    assert project.run("check") == (0, "", "nothing found\n")


# -- workers --------------------------------------------------------------------------------------------

MEMORY = (
    "the session is kept in memory, where each worker has its own: give App a session backend that they share, "
    "or run one worker\n"
)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("    async def index(self):\n        return self.request.session\n", 6),
        ("    async def index(self, user: Annotated[str, FromSession()]): ...\n", 5),
    ],
)
def test_sessions_in_memory(project, monkeypatch, body, line):
    """Several workers and sessions in memory do not go together."""
    project.write(app=site(body).replace("\n", "; from typing import Annotated\n", 1))
    outcome = (1, f"app.py:{line}: {MEMORY}", "1 finding\n")
    assert project.run("check", "--workers", "2") == outcome
    assert project.call("check", "--workers", "2") == outcome
    assert project.call("check").status == 0
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert project.call("check") == outcome
    assert project.call("check", "--workers", "1").status == 0


def test_sessions_that_are_shared_or_not_used(project):
    """A backend of one's own is fine, and so is no session at all."""
    project.write(app=SITE)
    assert project.call("check", "--workers", "2").status == 0
    backend = "import micropie\nclass Kept(micropie.SessionBackend):\n    async def load(self, session_id): ...\n"
    backend += "    async def save(self, session_id, data, timeout): ...\n"
    used = site("    async def index(self, request):\n        return request.session\n", backend)
    project.write(web=used.replace("Site()", "Site(Kept())"))
    assert project.call("check", "web.py", "--workers", "2").status == 0


# -- packages and templates -----------------------------------------------------------------------------

UPLOADING = site(
    "    async def index(self):\n        return self.request.files\n    async def up(self, f: UploadedFile, x=1): ...\n"
    "    async def page(self):\n        return await self._render_template('no.html')\n"
    "    async def ws_x(self, ws): ...\n"
)


class Without:
    """Finds all packages but these."""

    def __init__(self, *packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        return None if name in self.packages else PathFinder.find_spec(name, path, target)


def hide(monkeypatch, *packages):
    """As if packages were not installed."""
    for package in packages:
        monkeypatch.delitem(sys.modules, package, raising=False)
    finders = [finder for finder in sys.meta_path if finder is not PathFinder]
    monkeypatch.setattr(sys, "meta_path", [*finders, Without(*packages)])


def test_missing_packages(project, monkeypatch):
    """What the application will ask for is named, with what to install."""
    project.write(app=UPLOADING)
    hide(monkeypatch, "multipart", "jinja2", "granian", "websockets", "wsproto")
    assert project.call("check") == (
        1,
        (
            "app.py:6: request.files needs multipart: pip install multipart\n"
            "app.py:7: Site.up takes a file in 'f', which needs multipart: pip install multipart\n"
            "app.py:9: _render_template needs Jinja2: pip install jinja2\n"
            "app.py:10: Site.ws_x: Uvicorn alone knows no WebSockets: pip install websockets\n"
        ),
        "4 findings\n",
    )


def test_templates(project):
    """Those that a template names are looked for too, and what Jinja2 can't read is told; circles end."""
    project.write(app=site("    async def index(self):\n        return await self._render_template('a.html')\n"))
    folder = project.folder / "templates"
    folder.mkdir()
    names = "{% include ['b.html'] %}{% include 'a.html' %}{% include x %}{% extends 'c.html' %}"
    (folder / "a.html").write_text(names, encoding="utf-8")
    (folder / "b.html").write_text("\n{% if %}", encoding="utf-8")
    assert project.call("check").out == (
        "app.py:6: the template 'b.html' can't be read: line 2, Expected an expression, got 'end of statement block'\n"
        "app.py:6: there is no template 'c.html' in templates\n"
    )


def test_environments_of_ones_own(project):
    """An environment's loader is asked; one that has none knows no templates."""
    body = "    async def index(self):\n        return await self._render_template('no.html')\n"
    own = site(body, "import jinja2\n").replace("Site()", "Site(templates=jinja2.Environment(LOADER))")
    project.write(app=own.replace("LOADER", "loader=jinja2.DictLoader({})"), web=own.replace("LOADER", ""))
    assert project.call("check", "app").out == "app.py:7: there is no template 'no.html' in DictLoader\n"
    assert project.call("check", "web").status == 0


# -- the document ---------------------------------------------------------------------------------------


def test_openapi(project):
    """The document goes to stdout; title, version and servers are options."""
    project.write(app=SITE)
    status, out, err = project.run(
        "openapi", "app:app", "--title", "Pies", "--api-version", "2.1", "--server", "https://a.test", "--server", "/b"
    )
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["info"] == {"title": "Pies", "version": "2.1"}
    assert document["servers"] == [{"url": "https://a.test"}, {"url": "/b"}]
    plain = json.loads(project.call("openapi").out)
    assert plain == json.loads(json.dumps(openapi(sys.modules["app"].app)))
    assert plain["info"]["version"] == "1.0.0"


DOCUMENTED = """\
from micropie import App
from micropie.openapi import Docs


class Documented(App):
    docs = Docs(title="Pies", version="2.1", description="All of them", select=lambda route: route.name != "hidden")

    async def index(self): ...

    async def hidden(self): ...


class Other(Documented):
    docs = None


app = Documented()
other = Other()
"""


def test_openapi_is_what_is_served(project):
    """The document is the one that the application's `Docs` serve; options go before theirs."""
    project.write(app=DOCUMENTED)
    printed = json.loads(project.call("openapi").out)
    with TestClient(sys.modules["app"].app) as client:
        assert printed == client.get("/openapi.json").json()
    assert printed["info"] == {"title": "Pies", "version": "2.1", "description": "All of them"}
    assert list(printed["paths"]) == ["/"]
    info = json.loads(project.call("openapi", "--title", "Tarts", "--api-version", "3").out)["info"]
    assert info == {"title": "Tarts", "version": "3", "description": "All of them"}
    assert json.loads(project.call("openapi", "app:other").out)["info"] == {"title": "Other", "version": "1.0.0"}
