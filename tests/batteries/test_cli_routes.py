"""`micropie routes`, and how every command finds its application."""

import importlib
import io
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
            {"name": "text", "in": "body", "type": "str", "required": True},
            {"name": "day", "in": "body", "type": "date | None", "required": False},
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


DEEP = "x = " + "-" * 200_000 + "1\n"
LONG = "a" * 300


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (LONG, f"there is no module '{LONG}' in {{folder}}"),
        (f"{LONG}.py", f"there is no file {LONG}.py"),
        (f"{LONG}/b.py", f"there is no file {LONG}/b.py"),
        (
            f"{LONG}/b",
            f"'{LONG}/b' names no application: write module:name, such as app:app, or a file, such as app.py",
        ),
        ("pipe.py", "there is no file pipe.py"),
        ("dangling.py", "there is no file dangling.py"),
        ("circle.py", "there is no file circle.py"),
        ("folder.py", "no file in {folder}/folder.py makes an application: name one, such as app:app"),
        ("deep.py", "deep: MemoryError: "),
        ("deeper.py", "deeper: RecursionError: "),
        ("unreadable.py", "unreadable: SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_odd_files(project, target, message):
    """What is no file, too long a name or too deep a source is one line, and hangs nothing."""
    os.mkfifo("pipe.py")
    for name, other in (("dangling.py", "nowhere"), ("circle.py", "circle.py"), (".#app.py", "ann@host.1234:1")):
        Path(name).symlink_to(other)
    Path("folder.py").mkdir()
    Path("unreadable.py").write_bytes(b"x = 1\0")
    project.write(deep=DEEP, deeper="x = " + "1+" * 100_000 + "1\n")
    status, out, err = project.call("routes", target)
    assert (status, out) == (1, "")
    assert err.startswith(f"micropie: {message.format(folder=project.folder)}")
    assert len(err.splitlines()) == 1


def test_odd_files_in_the_folder(project):
    """Nor do they stand in the way of the file that makes the application: an editor's lock is such a one."""
    os.mkfifo("pipe.py")
    Path("folder.py").mkdir()
    Path(".#app.py").symlink_to("ann@host.1234:1")
    project.write(deep=DEEP, shop=SITE)
    assert project.call("routes").out == "*  /  Site.index  shop.py:5\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "class Odd(Exception):\n    def __str__(self):\n        raise TypeError\nraise Odd\n",
            "app.py:4: Odd: <Odd>",
        ),
        ("raise BaseException('stop')\n", "app.py:1: BaseException: stop"),
        ("raise ValueError('\\x1b[31m\\x07red\\u202e')\n", "app.py:1: ValueError: \\x1b[31m\\x07red\\u202e"),
        ("raise ValueError('x' * 5000)\n", "app.py:1: ValueError: " + "x" * 1000),
        (
            "import os\nos.symlink('c.py', 'c.py')\nexec(compile('1 / 0', 'c.py', 'exec'))\n",
            "c.py:1: ZeroDivisionError: division by zero",
        ),
        (
            "def __getattr__(name):\n    raise LookupError(name)\n",
            "app:app can't be had: LookupError: app",
        ),
        (
            "class Late:\n    @property\n    def app(self):\n        return 1 / 0\nx = Late()\napp = 1\n",
            "app:app is no application, but of the type int",
        ),
    ],
)
def test_odd_modules(project, source, message):
    """Whatever a module does when it is imported, or asked, is one line that commands no terminal."""
    project.write(app=source)
    assert project.call("routes", "app:app") == (1, "", f"micropie: {message}\n")


def test_a_proxy_among_the_names(project):
    """An object that raises when it is asked for its class is none of the applications."""
    source = "class Proxy:\n    def __call__(self): ...\n    @property\n    def __class__(self):\n        1 / 0\n"
    source += "proxy = Proxy()\n"
    project.write(app=source + SITE)
    assert project.call("routes", "app").out == "*  /  Site.index  app.py:11\n"
    assert project.call("routes", "app:proxy").err == "micropie: app:proxy is no micropie.App, but of the type Proxy\n"


def test_a_folder_that_is_gone(project, tmp_path):
    """A working directory that was removed is one line."""
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert project.call("routes", "app") == (
        1,
        "",
        "micropie: the working directory is not there: No such file or directory\n",
    )


def test_a_module_that_removes_the_folder(project, tmp_path):
    """The place of its failure is told in full."""
    source = "import os\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')\n"
    project.write(app=source + "exec(compile('1 / 0', 'c.py', 'exec'))\n")
    said = f"micropie: {tmp_path / 'app.py'}:5: ZeroDivisionError: division by zero\n"
    assert project.call("routes", "app:app") == (1, "", said)


ODD_NAMES = """\
from typing import Annotated
from micropie import App


class Quiet:
    def __repr__(self):
        raise RuntimeError


class Site(App):
    async def greet(self, name: str) -> list[Annotated[str, Quiet()]]:
        return [name]


Site.__name__ = "Caf\u00e9\\x1b[31m\\n"
app = Site()
"""


def test_names_beyond_ascii(project):
    """A terminal that can't show a name is given its escape, and no name commands a terminal."""
    project.write(app=ODD_NAMES)
    shown = "*  /greet/{name:str}  Caf\u00e9\\x1b[31m\\n.greet  app.py:11\n"
    assert project.run("routes", environment={"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}) == (0, shown, "")
    ascii_shown = shown.replace("\u00e9", "\\xe9")
    assert project.run("routes", environment={"PYTHONIOENCODING": "ascii"}) == (0, ascii_shown, "")
    for encoding in ("ascii", "latin-1", "utf-8"):
        listed = json.loads(project.run("routes", "--json", environment={"PYTHONIOENCODING": encoding}).out)
        assert (listed[0]["handler"], listed[0]["returns"]) == ("Caf\u00e9\x1b[31m\n.greet", "<GenericAlias>")


def test_output_that_is_no_terminal_at_all(project, monkeypatch):
    """A program that calls the command may take its output as text."""
    project.write(app=SITE)
    for command, printed in (("routes", "*  /  Site.index  app.py:5\n"), ("standalone", "# MicroPie ")):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        assert main([command]) == 0
        assert stream.getvalue().startswith(printed)


def test_the_one_file_is_utf8():
    """Whatever the terminal's encoding is."""
    done = subprocess.run(
        [sys.executable, "-m", "micropie", "standalone"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == (Path(__file__).parents[2] / "standalone" / "micropie.py").read_bytes()


def test_wrong_options_command_no_terminal(project):
    """What was typed is shown as it may be shown."""
    assert "unrecognized arguments: --\\x1b[31m" in project.call("routes", "--\x1b[31m").err


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
