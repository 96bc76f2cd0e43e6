"""`micropie routes`, and how every command finds its application."""

import importlib
import json
import os
import pty
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from micropie.cli import main
from micropie.cli.colours import Colours
from tests.batteries.commands import SITE

TREE = '''\
from datetime import date
from typing import Annotated, Any

from micropie import App, Header, Mount, Resource, methods


async def other(scope, receive, send):
    """Another application."""


class Notes(Resource):
    async def get(self, id: int):
        """One note."""

    async def post(self, *, text: str, day: date | None = None) -> list[int]:
        return []


class Site(App):
    notes = Notes()
    files = Mount(other, path="/v1/files")

    async def index(self, *rest):
        return "Hello"

    @methods("GET", "POST")
    async def search(self, q: Any, *, agent: Annotated[str, Header("user-agent")] = "-"):
        return q

    async def ws_chat(self, ws):
        await ws.accept()


app = Site()
'''


def test_the_table(project):
    """Verbs, paths with types, handlers and places, in columns."""
    project.write(app=TREE)
    assert project.run("routes", "app:app") == project.call("routes", "app:app")
    assert project.call("routes", "app:app") == (
        0,
        """\
GET       /notes/{id:int}  Notes.get     app.py:12
POST      /notes           Notes.post    app.py:15
MOUNT     /v1/files        other
*         /{rest*}         Site.index    app.py:23
GET,POST  /search/{q}      Site.search   app.py:26
WS        /chat            Site.ws_chat  app.py:30
""",
        "",
    )


def test_json(project):
    """`--json` has all of that, and the parameters, for programs."""
    project.write(app=TREE)
    status, out, _ = project.run("routes", "--json")
    assert project.call("routes", "--json").out == out
    found = {route["name"]: route for route in json.loads(out)}
    assert status == 0
    assert found["notes.post"] == {
        "kind": "http",
        "path": "/notes",
        "verbs": ["POST"],
        "name": "notes.post",
        "handler": "Notes.post",
        "parameters": [
            {"name": "text", "in": "query", "type": "str", "required": True},
            {"name": "day", "in": "query", "type": "date | None", "required": False},
        ],
        "returns": "list[int]",
        "file": str(project.folder / "app.py"),
        "line": 15,
        "doc": "",
    }
    assert found["notes.get"]["doc"] == "One note."
    assert found["index"]["parameters"] == [{"name": "rest", "in": "path", "type": None, "required": False}]
    assert found["files"]["handler"] == "other"
    assert found["files"]["line"] is None


def test_an_application_without_routes(project):
    """There is nothing to print."""
    project.write(app="from micropie import App\napp = App()\n")
    assert project.call("routes") == (0, "", "")


def test_a_mounted_object_is_called_by_its_class(project):
    """Many applications are objects, which have no name."""
    project.write(
        app=SITE.replace("    async", "    v1 = Mount(RSGI)\n    other = Mount(Other())\n    async", 1).replace(
            "import App", "import App, Mount, RSGI\nclass Other:\n    def __call__(self): ..."
        )
    )
    assert [line.split()[2] for line in project.call("routes").out.splitlines()] == ["RSGI", "Other", "Site.index"]


# -- what is meant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [None, ".", "app", "app:", "app:app", "app.py", "./app.py:app", "app:Holder.app", "../{folder}/app.py"]
)
def test_ways_to_name_it(project, target):
    """A module, a file, a folder, or nothing; with an attribute or without."""
    project.write(app=SITE + "class Holder:\n    app = app\n", other="import nothing_of_ours\n")
    arguments = [] if target is None else [target.format(folder=project.folder.name)]
    assert project.call("routes", *arguments) == (0, "*  /  Site.index  app.py:5\n", "")


def test_a_file_in_a_package(project):
    """A file is the module that it is in its packages, so that its relative imports work."""
    base, web = "from micropie import App\n", "from .base import App\nsite = App()\n"
    project.write(**{"src/shop/__init__": "", "src/shop/base": base, "src/shop/web": web})
    assert project.call("routes", "src/shop/web.py").status == 0
    assert project.call("routes", "src/shop/web.py:site").status == 0


def test_a_folder(project):
    """The only file that makes an application is found, tests and broken files are left alone."""
    tool, other = "import micropie\nx: int\nprint('no')\n", "import os\ny = dict()\n"
    project.write(**{"sub/web": SITE, "sub/test_web": SITE, "sub/broken": "def", "sub/tool": tool, "sub/other": other})
    assert project.call("routes", "sub") == (0, "*  /  Site.index  sub/web.py:5\n", "")


def test_app_py_comes_first(project):
    """In a folder with several, app.py is meant."""
    project.write(app=SITE, blog=SITE.replace("Site", "Blog"))
    assert project.call("routes").out == "*  /  Site.index  app.py:5\n"


def test_the_only_app_of_a_module(project):
    """The application may have any name, or several of them, if it is the only one."""
    project.write(app=SITE.replace("app =", "site = application ="))
    assert project.call("routes").out == "*  /  Site.index  app.py:5\n"


# -- what is wrong with it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "target", "message"),
    [
        ({}, None, "no file in {folder} makes an application: name one, such as app:app"),
        ({}, "app.py", "there is no file app.py"),
        ({}, "app:app", "there is no module 'app' in {folder}"),
        ({"pkg/__init__": ""}, "pkg.app:app", "there is no module 'pkg.app' in {folder}"),
        (
            {},
            "no such",
            "'no such' names no application: write module:name, such as app:app, or a file, such as app.py",
        ),
        ({"a": SITE, "b": SITE}, None, "several files make applications: name one of a.py, b.py"),
        ({"app": SITE}, "app:site", "app.py has no 'site': its applications are app"),
        ({"app": "x = 1\n"}, "app:site", "app.py has no 'site'"),
        ({"app": "x = 1\n"}, "app", "app.py makes no application: it needs a line such as app = Site()"),
        ({"app": "x = 1\n"}, "app:x", "app:x is no application, but of the type int"),
        ({"app": SITE}, "app:Site", "app:Site is a class: make an application of it, app = Site()"),
        ({"app": "def app(*all): ...\n"}, "app", "app:app is no micropie.App, but of the type function"),
        ({"app": "def app(): ...\n"}, "app", "app:app is a function: give a name to the application that it makes"),
        (
            {"app": SITE.replace("app =", "one = Site()\ntwo =")},
            None,
            "app.py makes several applications, one, two: name one, app:one",
        ),
        ({"app": "x = 1\n\ndef f(:\n"}, None, "app.py:3: SyntaxError: invalid syntax"),
        (
            {"app": "import nothing_of_ours\n"},
            "app",
            "app.py:1: ModuleNotFoundError: No module named 'nothing_of_ours'",
        ),
        ({"app": "import helper\n", "helper": "1 / 0\n"}, "app", "helper.py:1: ZeroDivisionError: division by zero"),
        ({"app": "\nint('x\\ny')\n"}, "app", "app.py:2: ValueError: invalid literal for int() with base 10: 'x\\ny'"),
        (
            {"app": "import json\njson.loads('')\n"},
            "app",
            "app.py:2: JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        ),
        (
            {"app": "import sys\nsys.exit()\n"},
            "app",
            "app.py:2: the module ends the program when it is imported: do so under if __name__ == '__main__'",
        ),
        (
            {"app": "from micropie import App, run\nrun(App())\n"},
            "app",
            "app.py:2: RuntimeError: run() is called while app is imported: put it under if __name__ == '__main__'",
        ),
        ({"json": SITE}, "json.py", "json.py has the name of another module, json: rename it"),
        ({"app": "x = compile('(', '', 'exec')\n"}, "app", "app.py:1: SyntaxError: '(' was never closed"),
    ],
)
def test_one_line_says_what_is_wrong(project, files, target, message):
    """The line is on stderr, the status is 1, and there is no traceback."""
    project.write(**files)
    arguments = [] if target is None else [target]
    assert project.call("routes", *arguments) == (1, "", f"micropie: {message.format(folder=project.folder)}\n")


def test_as_a_process_too(project):
    """A broken application is one line with its own file and line."""
    project.write(app="def f(:\n")
    assert project.run("routes") == (1, "", "micropie: app.py:1: SyntaxError: invalid syntax\n")


@pytest.mark.parametrize("arguments", [(), ("--no",), ("bake",), ("routes", "--no"), ("routes", "a", "b")])
def test_wrong_options(project, arguments):
    """Status 2, and a line that says what there is."""
    status, out, err = project.call(*arguments)
    assert (status, out) == (2, "")
    assert "micropie: error: " in err or "micropie routes: error: " in err


def test_version_and_help(project):
    """`--version` and `--help` of everything."""
    assert project.run("--version") == (0, "MicroPie 1.0.0a1\n", "")
    assert project.run("routes", "--help").out.startswith("usage: micropie routes [-h] [--json] [target]\n")
    assert "list what an application answers" in project.call("--help").out


def test_ctrl_c_while_it_is_imported(project):
    """Ctrl-C during a slow start is one line, and 130."""
    project.write(app="import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(9)\n")
    assert project.run("routes", "app") == (130, "", "micropie: interrupted\n")
    assert project.call("routes", "app") == (130, "", "micropie: interrupted\n")


def test_a_reader_that_has_enough(project, monkeypatch):
    """`micropie routes | head` ends without a word."""
    project.write(app=SITE)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "micropie", "routes"], stdout=writing, stderr=subprocess.PIPE, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"")
    with open(writing, "w") as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["routes"]) == 1


# -- colour ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals(project, environment, coloured):
    """A terminal gets colours, unless NO_COLOR or TERM says no."""
    project.write(app=SITE)
    leader, terminal = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-m", "micropie", "routes"],
        stdout=terminal,
        env={**plain, "TERM": "xterm", **environment},
        timeout=20,
        check=False,
    )
    shown = os.read(leader, 1000)
    os.close(leader)
    os.close(terminal)
    assert done.returncode == 0
    assert (b"\x1b[1m/\x1b[0m" in shown) is coloured


def test_colours(capsys, monkeypatch):
    """The same, here."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    colours = Colours(sys.stdout)
    assert colours("word", "red") == "word"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    colours = Colours(sys.stdout)
    assert (colours("word", "red"), colours("word", "")) == ("\x1b[31mword\x1b[0m", "word")


def test_python_dash_m(project, monkeypatch):
    """`python -m micropie` is the command, and so is `micropie`."""
    project.write(app=SITE)
    monkeypatch.setattr(sys, "argv", ["micropie", "routes"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("micropie", run_name="__main__")
    assert caught.value.code == 0
    assert importlib.import_module("micropie.__main__").main is main
    command = Path(sys.executable).with_name("micropie")
    done = subprocess.run([command, "routes"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "*  /  Site.index  app.py:5\n")
