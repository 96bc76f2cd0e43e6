"""Templates: BEHAVIOUR.md, point 40, and `_render_template` of the README."""

import asyncio
import logging
import sys

import pytest

from micropie import App, Controller, MissingDependency
from tests.client import http, run
from tests.wire import websocket

needs_jinja2 = pytest.mark.needs("jinja2")


class Pages(App):
    async def index(self, template="page.html"):
        return await self._render_template(template, title="T&C", items=["<a>", "b"])

    async def name(self):
        return await self._render_template("name.txt", name="a name", self_="x")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a folder `templates`."""
    monkeypatch.chdir(tmp_path)
    templates = tmp_path / "templates"
    templates.mkdir()
    return templates


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@needs_jinja2
def test_40_the_readmes_example(folder):
    """A template of the folder `templates` beside the working directory."""
    write(folder, "index.html", "<title>{{ title }}</title><h1>{{ message }}</h1>")

    class MyApp(App):
        async def index(self):
            return await self._render_template("index.html", title="Welcome", message="Hello from MicroPie!")

    answer = http(MyApp())
    assert answer.text == "<title>Welcome</title><h1>Hello from MicroPie!</h1>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@needs_jinja2
@pytest.mark.parametrize(
    "name", ["page.html", "page.xml", "page.htm", "deep/er/page.html", "PAGE.HTML", "page.html.J2", "page.XML.Jinja"]
)
def test_40_html_and_xml_are_escaped(folder, name):
    """Values are escaped in markup, whatever the case of its name."""
    write(folder, name, "{{ title }}{% for item in items %}|{{ item }}{% endfor %}")
    assert http(Pages(), query=f"template={name}").text == "T&amp;C|&lt;a&gt;|b"


@needs_jinja2
def test_40_other_files_are_not_escaped(folder):
    """Plain text is plain."""
    write(folder, "page.txt", "{{ title }}")
    assert http(Pages(), query="template=page.txt").text == "T&C"


@needs_jinja2
def test_40_text_is_utf_8(folder):
    """Templates are UTF-8."""
    write(folder, "page.html", "é\U0001f967")
    assert http(Pages()).text == "é\U0001f967"


@needs_jinja2
def test_40_templates_may_extend_and_include(folder):
    """Jinja2's own features work."""
    write(folder, "base.html", "<b>{% block body %}{% endblock %}</b>{% include 'foot.html' %}")
    write(folder, "foot.html", "foot")
    write(folder, "page.html", "{% extends 'base.html' %}{% block body %}{{ title }}{% endblock %}")
    assert http(Pages()).text == "<b>T&amp;C</b>foot"


@needs_jinja2
def test_40_templates_may_await(folder):
    """Rendering is async: a template may call a coroutine function."""
    write(folder, "page.html", "{{ slow() }}")

    class Slow(App):
        async def index(self):
            async def slow():
                await asyncio.sleep(0)
                return "<awaited>"

            return await self._render_template("page.html", slow=slow)

    assert http(Slow()).text == "&lt;awaited&gt;"


class Team:
    """A record whose attributes are awaitable."""

    @property
    def title(self):
        return self.load()

    def __getitem__(self, name):
        return self.load()

    async def load(self):
        await asyncio.sleep(0)
        return "<A>"


@needs_jinja2
@pytest.mark.parametrize(
    "text", ["{{ team.title }}", "{{ team['other'] }}", "{{ [team]|map(attribute='title')|first }}"]
)
def test_40_awaitable_attributes_and_items_are_awaited(folder, text):
    """As by Jinja2's `render_async`, so that `{{ user.awaitable_attrs.team }}` works."""
    write(folder, "page.html", text)
    assert run(App()._render_template("page.html", team=Team())) == "&lt;A&gt;"


@needs_jinja2
def test_40_name_may_be_a_variable(folder):
    """A template's variable may be called `name`."""
    write(folder, "name.txt", "{{ name }}")
    assert http(Pages(), path="/name").text == "a name"


@needs_jinja2
def test_40_the_keyword_changes_the_folder(tmp_path, monkeypatch):
    """`App(templates=…)`, as text or path, relative or absolute."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "views", "page.html", "view")
    for place in ("views", tmp_path / "views", str(tmp_path / "views")):
        assert http(Pages(templates=place)).text == "view"


@needs_jinja2
def test_40_rendering_outside_of_a_request(folder):
    """`await app._render_template(…)` needs no request."""
    write(folder, "page.html", "{{ a }}")
    assert run(App()._render_template("page.html", a=1)) == "1"


@needs_jinja2
@pytest.mark.parametrize("text", ["{{ title", "{{ nothing.deeper }}", "{{ 1 / 0 }}"])
def test_40_a_broken_template_is_500(folder, text, caplog):
    """No internals reach the client; the log has them once."""
    write(folder, "page.html", text)
    answer = http(Pages())
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


@needs_jinja2
@pytest.mark.parametrize("name", ["missing.html", "../secret.txt", "../templates_evil/x.html", ""])
def test_40_no_template_outside_of_the_folder(folder, name):
    """A missing template is a 500, and no name leads out of the folder."""
    (folder.parent / "secret.txt").write_text("secret")
    answer = http(Pages(), query=f"template={name}")
    assert answer.status_code == 500
    assert "secret" not in answer.text


@needs_jinja2
def test_40_a_folder_that_is_missing_is_500(tmp_path, monkeypatch):
    """Only when a template is asked for."""
    monkeypatch.chdir(tmp_path)

    class Both(Pages):
        async def plain(self):
            return "plain"

    app = Both()
    assert (http(app).status_code, http(app, path="/plain").text) == (500, "plain")


class Section(Controller):
    """A branch whose pages show what they were given."""

    async def index(self, **given):
        return await self._render_template("page.html", **given)

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text(await self._render_template("page.html"))


class Inner(Section):
    async def _template_context(self):
        await asyncio.sleep(0)
        return {"c": "inner"}


class Outer(Section):
    inner = Inner()
    plain = Section()

    def _template_context(self):
        return {"b": "outer", "c": "outer", "path": self.request.scope["path"]}


class Shop(App):
    outer = Outer()
    plain = Section()

    async def index(self, **given):
        return await self._render_template("page.html", **given)

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text(await self._render_template("page.html"))

    async def _template_context(self):
        await asyncio.sleep(0)
        return {"a": "shop", "b": "shop", "c": "shop", "path": "shop"}


PLACES = [
    ("/", "shop shop shop shop"),
    ("/plain", "shop shop shop shop"),
    ("/outer", "shop outer outer /outer"),
    ("/outer/plain", "shop outer outer /outer/plain"),
    ("/outer/inner", "shop outer inner /outer/inner"),
]


@needs_jinja2
@pytest.mark.parametrize(("path", "expected"), PLACES)
def test_40_what_every_page_gets(folder, path, expected):
    """`_template_context` of the application, with that of each controller on the way on top, plain or `async def`."""
    write(folder, "page.html", "{{ a }} {{ b }} {{ c }} {{ path }}")
    assert http(Shop(), path=path).text == expected
    assert websocket(Shop(), path).sent == [expected]


@needs_jinja2
@pytest.mark.parametrize("path", ["/", "/outer", "/outer/inner"])
def test_40_keywords_win_over_what_every_page_gets(folder, path):
    """A page may say otherwise than `_template_context`."""
    write(folder, "page.html", "{{ a }} {{ b }} {{ c }}")
    assert http(Shop(), path=path, query="a=1&b=2&c=3").text == "1 2 3"


@needs_jinja2
def test_40_what_every_page_gets_is_there_in_all_of_its_templates(folder):
    """In what a page extends and includes too; it is asked for once for a page."""
    write(folder, "base.html", "{{ shop }}{% block body %}{% endblock %}{% include 'part.html' %}")
    write(folder, "part.html", "|{{ shop }}")
    write(folder, "page.html", "{% extends 'base.html' %}{% block body %}|{{ shop }}{% endblock %}")
    calls = []

    class Site(App):
        def _template_context(self):
            calls.append(1)
            return {"shop": "<P>"}

    assert run(Site()._render_template("page.html")) == "&lt;P&gt;|&lt;P&gt;|&lt;P&gt;"
    assert calls == [1]


@needs_jinja2
def test_40_a_subclass_may_add_to_what_every_page_gets(folder):
    """`App` and `Controller` have a `_template_context` of their own, an empty dict."""
    write(folder, "page.html", "{{ a }}{{ b }}")

    class Base(Section):
        def _template_context(self):
            return {**super()._template_context(), "a": "base"}

    class Part(Base):
        def _template_context(self):
            return {**super()._template_context(), "b": "part"}

    site = type("Site", (App,), {"part": Part()})
    assert http(site(), path="/part").text == "basepart"
    assert App()._template_context() == {}


@needs_jinja2
def test_40_an_application_below_another_has_pages_of_its_own(folder):
    """An `App` that is a branch renders its own templates, with its own `_template_context` alone."""
    write(folder, "page.html", "{{ a }}|{{ b }}")

    class Below(App):
        part = Section()

        def _template_context(self):
            return {"b": "below"}

    class Above(App):
        below = Below()

        def _template_context(self):
            return {"a": "above"}

    assert http(Above(), path="/below/part").text == "|below"


@needs_jinja2
def test_40_a_controller_of_no_branch_may_render(folder):
    """Its own `_template_context` is on top of the application's."""
    write(folder, "page.html", "{{ a }}{{ c }}")
    part = Inner()

    class Front(Controller):
        async def index(self):
            return await part._render_template("page.html")

    site = type("Site", (Shop,), {"front": Front()})
    assert http(site(), path="/front").text == "shopinner"


@needs_jinja2
@pytest.mark.parametrize("given", [None, "text", ["a"]])
def test_40_what_every_page_gets_is_a_dict(folder, given, caplog):
    """A forgotten `return`, or anything else, is a 500 whose log line says what to return."""
    write(folder, "page.html", "")

    class Site(App):
        async def index(self):
            return await self._render_template("page.html")

        def _template_context(self):
            return given

    assert http(Site()).status_code == 500
    assert f"Site._template_context() returned {given!r}: return a dict" in caplog.text


def test_40_without_jinja2_it_is_500(monkeypatch, caplog):
    """The log says what to install, without a traceback."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    answer = http(Pages())
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [(record.exc_info, "pip install" in record.getMessage()) for record in errors] == [(None, True)]
    assert "jinja2" in errors[0].getMessage().lower()


def test_40_without_jinja2_the_error_teaches(monkeypatch):
    """`MissingDependency`, whose message names package and command."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependency, match=r"(?i)jinja2.*pip install"):
        run(App()._render_template("page.html"))
