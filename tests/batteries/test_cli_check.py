"""`micropie check`: what each rule finds, and that it finds nothing in what is right; `micropie openapi`."""

import gc
import json
import re
import sys
import warnings
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

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


@pytest.fixture
def unclosed():
    """In the end, the databases that applications keep open for life are closed, which Python 3.13 warns of."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("unclosed")  # first, thus left after `project`, which forgets the modules
@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_in_the_examples(project, monkeypatch, name):
    """No example gives cause for complaint, even with several workers, but for the one that says so itself."""
    monkeypatch.chdir(ROOT / "examples" / name)
    assert project.call("check") == (0, "", "nothing found\n")


PAGES = ("README.md", "docs/guide.md", "docs/production.md")
SNIPPETS = re.findall(
    r"```python\n(.*?)^```$",
    "".join((ROOT / page).read_text("utf-8") for page in PAGES),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.usefixtures("unclosed")
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
            "    middlewares = [1]\n",
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
            "    async def index(self):\n        return await self.home() if 1 else await self.other()\n"
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
    project.write(app=site("    middlewares = [1]\n") + spoil)
    assert project.call("check") == (0, "", "nothing found\n")


def test_decorated_class(project):
    """A decorator of a class does not hide it."""
    project.write(app=site("    middlewares = [1]\n").replace("class Site", "@(lambda cls: cls)\nclass Site"))
    assert project.call("check").out.startswith("app.py:6: Site.middlewares has no effect")


def test_as_a_process(project):
    """It is a step of CI: findings on stdout, the status 1, and no log beside them."""
    project.write(app=site("    x = Controller\n"))
    message = "Site.x is a class, which answers nothing: write x = Controller()"
    assert project.run("check", "app:app") == (1, f"app.py:5: {message}\n", "1 finding\n")
    project.write(app=SITE)
    assert project.run("check") == (0, "", "nothing found\n")


# -- what handlers return -------------------------------------------------------------------------------

FORGOTTEN = "makes a reply here and does not return it: write return before it"
A_SET = "returns a set, which has no order and is no JSON: return a list"


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        # nothing
        ("    async def index(self):\n        await self._render_template('page.html')\n", 6, FORGOTTEN),
        (
            "    async def index(self, x: int):\n        if x:\n            self._redirect('/x')\n        return x\n",
            7,
            FORGOTTEN,
        ),
        ("    def index(self, name: str):\n        f'Hello, {name}'\n", 6, FORGOTTEN),
        ("    def index(self):\n        'A page.'\n        {'a': 1}\n", 7, FORGOTTEN),
        ("    def index(self):\n        page = '<p>' + str(self)\n", 6, FORGOTTEN),
        ("    async def index(self):\n        page = await self._render_template('page.html')\n", 6, FORGOTTEN),
        (
            "    def index(self) -> list[int]:\n        numbers = list(range(3))\n        numbers.append(3)\n",
            5,
            "says that it returns list[int], and returns nothing: write a return",
        ),
        (
            "    async def index(self) -> 'int | str':\n        print(self)\n",
            5,
            "says that it returns int | str, and returns nothing: write a return",
        ),
        (
            "    async def index(self) -> 'dict[str, int] | list[Mount]':\n        print(self)\n",
            5,
            "says that it returns dict[str, int] | list[Mount], and returns nothing: write a return",
        ),
        # a coroutine
        (
            "    async def index(self):\n        return self._render_template('page.html')\n",
            6,
            "returns a coroutine: write await self._render_template(…)",
        ),
        (
            "    async def index(self):\n        return 200, self._made()\n    async def _made(self): ...\n",
            6,
            "returns a coroutine: write await self._made(…)",
        ),
        (
            "    def index(self):\n        return 200, self._render_template('page.html')\n",
            6,
            "returns a coroutine: write await self._render_template(…), in an async def",
        ),
        (
            "    async def index(self, x: int):\n        return 'x' if x else self._render_template('page.html')\n",
            6,
            "returns a coroutine: write await self._render_template(…)",
        ),
        # a set
        ("    def index(self):\n        return {1, 2}\n", 6, A_SET),
        ("    def index(self):\n        return 200, {x for x in 'ab'}\n", 6, A_SET),
        # a body before its status
        (
            "    def index(self):\n        return 'created', 201\n",
            6,
            "returns the body before the status: write return 201, 'created'",
        ),
        (
            "    def index(self, x: int):\n        return {'x': x}, 404, {'X-Y': 'z'}\n",
            6,
            "returns the body before the status: write return 404, {'x': x}, {'X-Y': 'z'}",
        ),
        (
            "    def index(self, x: int):\n        if x:\n            return x\n        return f'no {x}', 404\n",
            8,
            "returns the body before the status: write return 404, f'no {x}'",
        ),
    ],
)
def test_wrong_results(project, body, line, message):
    """What a handler returns, or forgets to return, is told at its line."""
    project.write(app=site(body))
    (project.folder / "templates").mkdir()
    (project.folder / "templates" / "page.html").write_text("", encoding="utf-8")
    assert project.call("check") == (1, f"app.py:{line}: Site.index {message}\n", "1 finding\n")


@pytest.mark.parametrize(
    "body",
    [
        "    def index(self):\n        'A page.'\n",
        "    def index(self) -> str: ...\n",
        "    def index(self) -> str:\n        'A page.'\n        raise NotImplementedError\n",
        "    def index(self) -> str:\n        pass\n",
        "    def index(self) -> None:\n        print(self)\n",
        "    def index(self):\n        print(self)\n",
        "    def index(self):\n        global page\n        page = 'x'\n",
        "    def index(self):\n        self.page = 'x'\n        self.pages, _ = 'x', 'y'\n",
        "    def index(self):\n        _ = 'x'\n",
        "    def index(self):\n        yield 'x'\n        last = 'y'\n",
        "    async def index(self) -> 'AsyncIterator[str]':\n        yield 'x'\n",
        "    def index(self, x: int):\n        if x:\n            return 'x'\n        x = 'y'\n",
        "    def index(self):\n        def page():\n            return {1}\n        return page\n",
        "    def index(self):\n        return self._redirect('/x')\n",
        "    def index(self):\n        return self._made()\n    def _made(self): ...\n",
        "    def index(self) -> set[int]:\n        return {1, 2}\n",
        "    def index(self):\n        return 201, 'created'\n",
        "    def index(self):\n        return 200, 404\n",
        "    def index(self):\n        return 'pies', 3\n",
        "    def index(self):\n        return 'pies', True\n",
        "    def index(self):\n        return 'pies',\n",
        "    def index(self):\n        return\n",
        "    async def ws_index(self, ws):\n        'x'\n        await ws.accept()\n        x = {1}\n",
        "    async def index(self):\n        return len('x'), str.upper('x'), self.x.y()\n",
        "    index = staticmethod(len)\n",
    ],
)
def test_right_results(project, body):
    """What looks like one of these, and is none, is left alone."""
    project.write(app=site(body, "from collections.abc import AsyncIterator\n"))
    assert project.call("check") == (0, "", "nothing found\n")


# -- what handlers take ---------------------------------------------------------------------------------


def overridable(name):
    """The finding of a parameter that is meant from the session."""
    return (
        f"Site.orders takes {name!r} from whoever sends it, and from the session, where Site keeps it, only if nobody "
        "does: write Annotated[…, FromSession()], or give it another name"
    )


LOGIN = "    async def login(self, name):\n        self.request.session[{key!r}] = name\n"


@pytest.mark.parametrize(
    ("key", "parameter"),
    [("user", "user"), ("user_id", "user_id: int"), ("is_admin", "is_admin=False"), ("role", "*, role: str")],
)
def test_what_a_client_may_say_of_itself(project, key, parameter):
    """A parameter that the session is to fill is filled by whoever sends it."""
    project.write(app=site(LOGIN.format(key=key) + f"    async def orders(self, {parameter}): ...\n"))
    assert project.call("check") == (1, f"app.py:7: {overridable(key)}\n", "1 finding\n")


def test_the_session_as_a_parameter(project):
    """A session may be a parameter, and the handler a WebSocket."""
    login = "    async def login(self, session: Session):\n        session['user'], x = 'Ann', 1\n"
    project.write(app=site(login + "    async def ws_orders(self, ws, user): ...\n", "from micropie import Session\n"))
    finding = overridable("user").replace("Site.orders", "Site.ws_orders")
    assert project.call("check") == (1, f"app.py:8: {finding}\n", "1 finding\n")


@pytest.mark.parametrize(
    ("key", "handler"),
    [
        ("user", "user: Annotated[str, FromSession()]): ..."),
        ("user", "user: Annotated[str, FromQuery]): ..."),
        ("user", "user: 'Annotated[str, FromQuery()]'): ..."),
        ("user", "user: Annotated[str, FromPath()]): ..."),
        ("user", "user):\n        self.request.session['user'] = user"),
        ("user", "name): ..."),
        ("name", "name): ..."),
        ("theme", "theme): ..."),
    ],
)
def test_what_a_client_may_say(project, key, handler):
    """Whoever names the source, or looks at the session, knows; and a theme is nobody's identity."""
    head = "from typing import Annotated; from micropie import FromPath, FromQuery\n"
    project.write(app=site(LOGIN.format(key=key) + f"    async def orders(self, {handler}\n", head))
    assert project.call("check") == (0, "", "nothing found\n")


CALLBACK = """\
    async def login(self):
        self.request.session['state'] = 'x'
    async def callback(self, {}
"""


@pytest.mark.parametrize(
    "handler",
    [
        "code, state):\n        return self.request.session['state'] == state",
        "code, state=''):\n        if state != self.request.session.pop('state', None): return 400, 'no'",
        "state: str, session: Session):\n        return compare_digest(state, session.get('state'))",
        "state):\n        return hmac.compare_digest(state.encode(), self.request.session['state'].encode())",
        "*, state):\n        kept = self.request.session.pop('state')\n        return kept == state",
        "state):\n        session = self.request.session\n        return (kept := session['state']) and state == kept",
    ],
)
def test_a_value_that_is_compared_with_itself(project, handler):
    """A parameter that the session fills where nobody sends it is no proof of what the session has."""
    project.write(app=site(CALLBACK.format(handler), "from micropie import Session\n"))
    message = (
        "Site.callback compares 'state' with the session's, by which it is filled if no client sends it: "
        "write Annotated[str, FromQuery()], or give it another name"
    )
    assert project.call("check") == (1, f"app.py:8: {message}\n", "1 finding\n")


@pytest.mark.parametrize(
    "handler",
    [
        "state: Annotated[str, FromQuery()]):\n        return state == self.request.session['state']",
        "sent):\n        return sent == self.request.session['state']",
        "state):\n        if state != self.request.session['state']: self.request.session['state'] = state",
        "state):\n        return state == 'x' or self.request.session['other'] == state",
        "state):\n        return state in {'a', 'b'} and 'state' in self.request.session",
        "state=None):\n        return state or self.request.session.get('state')",
        "state):\n        return self.request.session.get('other', state) == self.request.session.get(*[state])",
        "state):\n        return self.request.session[state] == self.request.session.items(state) == len(state)",
    ],
)
def test_values_that_are_compared_with_others(project, handler):
    """Whoever says where it comes from is right, and so is who asks for a change, or for something else."""
    head = "from typing import Annotated; from micropie import FromQuery\n"
    project.write(app=site(CALLBACK.format(handler), head))
    assert project.call("check") == (0, "", "nothing found\n")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("tag=None", "tag"),
        ("page: int = 1", "page"),
        ("tags: list[str] = []", "tags"),
        ("request: Request, q=None", "q"),
    ],
)
def test_an_index_that_answers_every_path(project, parameters, name):
    """An optional parameter of the first page takes whatever path is not known, which would be a 404."""
    project.write(app=site(f"    async def index(self, {parameters}): ...\n", "from micropie import Request\n"))
    message = (
        f"Site.index answers every path that nothing else does, as /x with {name}='x': write *, {name}, "
        "or Annotated[…, FromQuery()], if it is to come from the query"
    )
    assert project.call("check") == (1, f"app.py:6: {message}\n", "1 finding\n")


@pytest.mark.parametrize(
    "parameters",
    [
        "*, tag=None",
        "tag: Annotated[str | None, FromQuery()] = None",
        "slug, page=1",
        "*path",
        "name='Guest'",
        "note: Note | None = None",
        "agent: Annotated[str, Header('user-agent')] = '-'",
    ],
)
def test_an_index_that_means_it(project, parameters):
    """What can't take a segment, or is written to, is left alone; so is a controller's index, and a WebSocket's."""
    head = (
        "from dataclasses import dataclass\nfrom typing import Annotated\nfrom micropie import FromQuery, Header\n\n"
        "@dataclass\nclass Note:\n    text: str\n\n"
        "class Blog(Controller):\n    async def index(self, tag=None): ...\n"
    )
    body = (
        f"    blog = Blog()\n    async def index(self, {parameters}): ...\n    async def ws_index(self, ws, x=1): ...\n"
    )
    project.write(app=site(body, head))
    assert project.call("check") == (0, "", "nothing found\n")


# -- what a constructor does ----------------------------------------------------------------------------

PARTS = "class Users(Controller):\n    def __init__(self, parts=None):\n        self.parts = parts\n"


@pytest.mark.parametrize(
    ("made", "remedy"),
    [("Users()", "users = Users(…)"), ("Mount(print)", "users = Mount(…)"), ("Notes()", "users = Notes(…)")],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_branch_in_the_constructor(project, made, remedy, is_first):
    """What is set on an instance answers nothing, whether it is a controller, a resource or a mount."""
    lines = [f"self.users = {made}", "super().__init__()"][:: 1 if is_first else -1]
    body = "    def __init__(self):\n" + "".join(f"        {line}\n" for line in lines)
    project.write(app=site(body, f"{PARTS}class Notes(Resource): ...\n"))
    message = f"Site.users is set on the instance, where it answers nothing: write {remedy} in the class body"
    assert project.call("check") == (1, f"app.py:{10 if is_first else 11}: {message}\n", "1 finding\n")


def test_a_branch_in_the_constructor_of_a_branch(project):
    """So it is in a controller, at any depth, be it one without a route of its own."""
    head = f"{PARTS}class Area(Controller):\n    def __init__(self):\n        self.users: Users = Users()\n"
    project.write(app=site("    area = Area()\n", head))
    message = "Area.users is set on the instance, where it answers nothing: write users = Users(…) in the class body"
    assert project.call("check") == (1, f"app.py:7: {message}\n", "1 finding\n")


def test_a_nested_branch_in_the_constructor(project):
    """Behind an identity too; what is nested is looked into as any branch is."""
    head = f"from micropie import Nested\n{PARTS}class Area(Controller):\n    def __init__(self):\n"
    head += "        self.users = Nested('user_id', Users())\n"
    project.write(app=site("    area = Nested('user_id', Area())\n", head))
    message = "Area.users is set on the instance, where it answers nothing: write users = Nested(…) in the class body"
    assert project.call("check") == (1, f"app.py:8: {message}\n", "1 finding\n")


def test_an_identity_in_the_path_is_not_meant_from_the_session(project):
    """A `Nested` says where it is, for handlers that take it, and for applications that are only below it."""
    head = (
        "from micropie import Nested\nclass Posts(Controller):\n"
        "    async def index(self, user_id: int):\n        return user_id\n"
        "class Inner(App):\n    async def page(self, user=None):\n        return user\n"
        "    async def login(self):\n        self.request.session['user_id'] = 7\n        return 'in'\n"
    )
    body = "    posts = Nested('user_id', Posts())\n    inner = Nested('user_id', Inner())\n"
    body += "    async def login(self):\n        self.request.session['user_id'] = 7\n        return 'in'\n"
    project.write(app=site(body, head))
    assert project.call("check") == (0, "", "nothing found\n")


def test_an_index_behind_an_identity_that_answers_every_path(project):
    """The identity above an application is none of the segments that its `index` takes."""
    head = "from micropie import Nested\nclass Inner(App):\n    async def index(self, page=1):\n        return page\n"
    project.write(app=site("    inner = Nested('user_id', Inner())\n", head))
    message = "Inner.index answers every path that nothing else does, as /x with page='x': "
    message += "write *, page, or Annotated[…, FromQuery()], if it is to come from the query"
    assert project.call("check") == (1, f"app.py:4: {message}\n", "1 finding\n")


def test_parts_that_know_each_other(project):
    """A controller that is handed to another one answers where it stands; private names are nobody's routes."""
    body = "    users = Users()\n    others = Users(users)\n    def __init__(self):\n        super().__init__()\n"
    body += "        self._mount = Mount(print)\n        vars(self)['x'] = Users()\n"
    project.write(app=site(body, PARTS))
    assert project.call("check") == (0, "", "nothing found\n")


@pytest.mark.parametrize("command", ["check", "routes", "openapi", "run"])
def test_a_constructor_that_is_not_passed_on(project, command):
    """Without `super().__init__()` nothing works, which every command says with the place."""
    project.write(app=site("    def __init__(self):\n        self.x = 1\n"))
    message = "micropie: app.py:5: Site.__init__ does not call super().__init__(): call it first\n"
    assert project.call(command) == (1, "", message)


def test_a_method_without_self(project):
    """The message names the method with its own line."""
    project.write(app=site("    async def index():\n        return 'x'\n"))
    status, out, err = project.call("check")
    assert (status, out) == (1, "")
    place = f"{project.folder}/app.py, line 5"
    message = f"Site.index takes no self ({place}): write def index(self), or make it a @staticmethod"
    assert err == f"micropie: app.py:10: TypeError: {message}\n"


# -- workers --------------------------------------------------------------------------------------------

MEMORY = (
    "the session is kept in memory, where each worker has its own: give App a session backend that they share, "
    'such as "sqlite:///sessions.db", or run one worker\n'
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


def test_rate_limits_in_memory(project):
    """Several workers would each let as many pass; one worker does not, nor do those that count on a server."""
    lines = "from micropie import App\nfrom micropie.middleware import RateLimitMiddleware\nclass Site(App): ...\n"
    app = "app = Site()\napp.middlewares += [object(), RateLimitMiddleware('5/minute'{})]\n"
    project.write(web=lines + app.format(""), shop=lines + app.format(", store='redis://localhost'"))
    assert project.call("check", "web:app").status == 0
    said = project.call("check", "web:app", "--workers", "2")
    assert said.status == 1
    assert said.out.startswith("web.py:3: requests are counted in memory, where each worker counts its own: ")
    assert project.call("check", "shop:app", "--workers", "2").status == 0


@pytest.mark.parametrize("declared", ["channels = Channels()", 'channels: Channels = Channels("memory:", history=5)'])
def test_channels_in_memory(project, declared):
    """Several workers and channels in memory do not go together; one worker and those on a server do."""
    lines = "from micropie import App\nfrom micropie.channels import Channels\nclass Site(App):\n"
    project.write(app=f"{lines}    {declared}\n    async def index(self): ...\napp = Site()\n")
    said = project.call("check", "--workers", "2")
    assert said.status == 1
    assert said.out.startswith("app.py:4: channels in memory are of one worker each: ")
    assert project.call("check").status == 0
    project.write(web=f"{lines}    channels = Channels('redis://localhost')\napp = Site()\n")
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
            "app.py:6: request.files needs multipart 2: pip install 'multipart>=2'\n"
            "app.py:7: Site.up takes a file in 'f', which needs multipart 2: pip install 'multipart>=2'\n"
            "app.py:9: _render_template needs Jinja2: pip install jinja2\n"
            "app.py:10: Site.ws_x: Uvicorn alone knows no WebSockets: pip install websockets\n"
        ),
        "4 findings\n",
    )


@pytest.mark.parametrize(
    "other", ["import warnings\nwarnings.warn('another one')\n", "class PushMultipartParser:\n    pass\n"]
)
def test_another_multipart(other, project, monkeypatch):
    """python-multipart has a module of that name too, which is not the one that is needed; nor is an older one."""
    project.write(app=site("    async def up(self, f: UploadedFile): ...\n"), multipart=other)
    monkeypatch.delitem(sys.modules, "multipart", raising=False)
    message = "Site.up takes a file in 'f', which needs multipart 2: pip install 'multipart>=2'"
    assert project.call("check") == (1, f"app.py:5: {message}\n", "1 finding\n")


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


# -- micropie check --public ----------------------------------------------------------------------------

HOSTS = (
    "app.py:4: hint: any Host is believed, in links that url_for makes with external=True for one: "
    'TrustedHostMiddleware(["example.com"])'
)
SECURITY = (
    "app.py:4: hint: browsers are not told to stay on https, to guess no types, nor to refuse frames: "
    "SecurityHeadersMiddleware()"
)
SURPLUS = "app.py:4: hint: a link that is too long is told as a failure of the site: App(surplus_path_status=404)"
LOST = (
    "app.py:6: hint: sessions are kept in memory, where a restart ends them: "
    'App(session_backend="sqlite:///sessions.db")'
)
FORGERY = "app.py:6: hint: another site's page can send forms here with the visitor's session: CSRFMiddleware()"
PASSWORD = (
    "app.py:5: hint: 'password' can be guessed without end: "
    'RateLimitMiddleware("10/minute", key=lambda request: client_address(request) '
    'if request.scope["endpoint"] == app.log_in else None)'
)
READABLE = (
    "app.py:5: hint: 'password' may stand in a URL, which logs keep, of a GET, which CSRFMiddleware lets pass: "
    '@methods("POST")'
)
LOG_IN = "    async def log_in(self, user, password):\n        self.request.session['user'] = user\n"


def test_a_public_site_is_told_what_it_lacks(project):
    """Hints, which are no failure."""
    project.write(app=site(LOG_IN))
    outcome = project.call("check", "--public")
    assert outcome.out.splitlines() == sorted([SECURITY, HOSTS, SURPLUS, PASSWORD, READABLE, FORGERY, LOST])
    assert (outcome.status, outcome.err) == (0, "nothing found, 7 hints\n")


def test_hints_are_asked_for(project):
    """Whoever does not ask is told of mistakes only."""
    project.write(app=site(LOG_IN))
    assert project.call("check") == (0, "", "nothing found\n")


def test_hints_stand_behind_the_findings(project):
    """The exit status is that of the findings."""
    project.write(app=site("    async def index(self, x: 'Nope'): ...\n"))
    outcome = project.call("check", "--public")
    assert (outcome.status, outcome.err) == (1, "1 finding, 3 hints\n")
    assert [("hint" in line) for line in outcome.out.splitlines()] == [False, True, True, True]


GUARDS = """
class TrustedHostMiddleware(HttpMiddleware): ...
class SecurityHeadersMiddleware(HttpMiddleware): ...
class CSRFMiddleware(HttpMiddleware): ...
class OurLimits(RateLimitMiddleware): ...
"""


def test_a_site_with_everything_gets_no_hint(project):
    """A subclass of a middleware will do; so will sessions in a file."""
    head = f"from micropie.middleware import RateLimitMiddleware\n{GUARDS}"
    text = site(f'    @methods("POST")\n{LOG_IN}', head).replace(
        "app = Site()", "app = Site('sqlite:///sessions.db', surplus_path_status=404)"
    )
    guards = "TrustedHostMiddleware(), SecurityHeadersMiddleware(), CSRFMiddleware(), OurLimits('5/minute')"
    project.write(app=f"{text}app.middlewares += [{guards}]\n")
    assert project.call("check", "--public") == (0, "", "nothing found\n")


@pytest.mark.parametrize(
    ("handler", "is_told"),
    [
        ("async def log_in(self, pin): ...", True),
        ("@methods('GET', 'POST')\n    async def log_in(self, pin): ...", True),
        ("@methods('POST')\n    async def log_in(self, pin): ...", False),
        ("async def log_in(self, *, pin=''): ...", True),
        ("async def callback(self, code): ...", False),
        ("async def log_in(self, pin: Annotated[str, FromBody()]): ...", False),
        ("async def log_in(self, pin: Annotated[str, Header()]): ...", False),
        ("async def ws_log_in(self, ws, pin): ...", False),
    ],
)
def test_a_secret_in_a_url_is_told(project, handler, is_told):
    """Where GET would take it from the path or the query; but for codes that are made to come in a link, once."""
    head = "from typing import Annotated\nfrom micropie import FromBody, Header\n"
    project.write(app=site(f"    {handler}\n", head))
    assert ("may stand in a URL" in project.call("check", "--public").out) is is_told


DOORS = """
class Door(Resource):
    async def get(self): return "a form"
    async def post(self, pin): return "wrong"


class Till(App):
    async def otp(self, otp): return "wrong"
    async def index(self): return "open"

"""
IN_TURN = [
    ("POST", "/front"),
    ("POST", "/back"),
    ("POST", "/till/otp"),
    ("GET", "/front"),
    ("GET", "/till"),
    ("GET", "/"),
]


def test_the_limit_that_is_hinted_at_counts_those_that_take_secrets(project):
    """All of one application together; forms, pages and files are shown as often as somebody likes."""
    body = "    front = Door()\n    back = Door()\n    till = Till()\n    async def index(self): return 'a page'\n"
    project.write(app=site(body, DOORS))
    lines = [line for line in project.call("check", "--public").out.splitlines() if "guessed" in line]
    shown = dict(line.partition(" hint: ")[2].split(" can be guessed without end: ") for line in lines)
    assert len(lines) == 2  # of Door.post, which is in both, and of the till
    names: dict[str, Any] = {}
    exec("from app import app\nfrom micropie.middleware import *", names)
    app = names["app"]
    app.middlewares.append(eval(shown["'pin'"].replace("10/", "2/"), names))
    till, _, limit = shown["'otp'"].partition(", ")
    assert till == "in the middlewares of Till"
    app.till.middlewares.append(eval(limit.replace("10/", "2/"), names))
    with TestClient(app) as client:
        statuses = [[client.request(*one, data={"pin": "1", "otp": "1"}).status_code for one in IN_TURN] for _ in "123"]
    assert statuses == [[200] * 6, [429, 429, 200, 200, 200, 200], [429, 429, 429, 200, 200, 200]]


def test_a_branch_with_a_limit_of_its_own_is_not_told_of_one(project):
    """Its application has one, whatever that of the one above it is."""
    head = f"from micropie.middleware import RateLimitMiddleware\n{DOORS}"
    text = site("    till = Till()\n", head).replace(
        "app = Site()", "app = Site()\nLIMITS = [RateLimitMiddleware('5/minute')]"
    )
    project.write(app=f"{text}app.till.middlewares += LIMITS\n")
    assert "guessed" not in project.call("check", "--public").out


def test_a_site_that_a_program_has_made_gets_hints_too(project):
    """There is no place to name."""
    project.write(app="from micropie import App\napp = type('Site', (App,), {})()\n")
    outcome = project.call("check", "--public")
    assert outcome.out.splitlines() == [one.replace("app.py:4", "?:0") for one in (SURPLUS, HOSTS, SECURITY)]
