"""Templates await what has to be awaited, call nothing twice, are read again when they change, and keep their lines.

Whether each page is what Jinja2 makes of it stands in `test_templates_differential`.
"""

import asyncio
import datetime
import gc
import os
import sys
import threading
import traceback
from collections import Counter, OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest

from micropie import App, configuration
from tests.client import run

pytestmark = pytest.mark.needs("jinja2")


class Later:
    """An awaitable that may be left alone."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return "Later"

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self.value


class Application:
    """What templates are given: functions that count their calls, awaitables, iterators."""

    title = "T"
    numbers = (1, 2, 3)
    words = ("a", "b")
    text = "x,y"
    day = datetime.date(2026, 1, 2)

    def __init__(self):
        self.calls: Counter[str] = Counter()
        self.mapping = OrderedDict(one=1, two=2)
        self.lines = iter(["a", "b"])
        self.once = iter([1, 2, 3])
        self.agen = self.arange(3)
        self.attributes = [SimpleNamespace(later=Later("p")), SimpleNamespace(later="q")]
        self.lookup = {"coro": Later("looked up"), "plain": "plain"}
        self.coros = [Later("first")]
        self.coro = Later("bare")
        self.stack = [1]
        self.tree = [{"n": 1, "children": [{"n": 2, "children": []}]}]

    def plain(self, value="plain"):
        """A function that is no coroutine function."""
        self.calls["plain"] += 1
        return value

    def push(self, value):
        """A function with a side effect that a template sees."""
        self.calls["push"] += 1
        self.stack.append(value)
        return ""

    async def fetch(self, value="fetched"):
        """A coroutine function that suspends."""
        await asyncio.sleep(0)
        self.calls["fetch"] += 1
        return value

    async def arange(self, stop):
        """An async generator."""
        for number in range(stop):
            await asyncio.sleep(0)
            yield number

    async def branch(self):
        """The children of a tree, asynchronously."""
        yield {"n": 3, "children": []}

    def values(self):
        """Everything that has a public name."""
        names = [name for name in dir(self) if not name.startswith("_") and name != "values"]
        return {name: getattr(self, name) for name in names}


@pytest.fixture
def folder(tmp_path):
    """A folder of templates with a base, a part and a library of macros."""
    write(tmp_path, "base.html", "<{% block body %}base {{ fetch('b') }}{% endblock %}>")
    write(tmp_path, "plain_base.html", "<{% block body %}base{% endblock %}>")
    write(tmp_path, "part.html", "part {{ fetch(title) }}")
    write(
        tmp_path,
        "macros.html",
        "{% macro show(f, x) %}[{{ f(x) }}]{% endmacro %}{% macro b(x) %}*{{ x }}*{% endmacro %}",
    )
    return tmp_path


def write(folder, name, text):
    """Make a template."""
    (folder / name).write_text(text, encoding="utf-8")


def render(app, name, values):
    """Render outside of a request."""
    return run(app._render_template(name, **values))


def rendered_twice(folder, text):
    """Give the text that a template makes twice, with the calls that either time made."""
    write(folder, "page.html", text)
    app = App(templates=folder)
    results = []
    for _ in range(2):
        application = Application()
        results.append((render(app, "page.html", application.values()), dict(application.calls)))
    assert results[0] == results[1]
    return results[0]


AWAITING = [
    ("{{ fetch() }}", "fetched", {"fetch": 1}),
    ("{{ plain() }} {{ fetch() }} {{ plain() }}", "plain fetched plain", {"plain": 2, "fetch": 1}),
    ("{{ fetch()|upper }}", "FETCHED", {"fetch": 1}),
    ("{% if fetch() == 'fetched' %}yes{% endif %}", "yes", {"fetch": 1}),
    ("{{ title|default(fetch()) }}", "T", {"fetch": 1}),
    ("{% set x = fetch() %}{{ x }}", "fetched", {"fetch": 1}),
    (
        "{% macro m(f) %}({{ f() }}){% endmacro %}{{ m(plain) }}{{ m(fetch) }}",
        "(plain)(fetched)",
        {"plain": 1, "fetch": 1},
    ),
    (
        "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}{{ fetch() }}{% endcall %}",
        "(fetched)",
        {"fetch": 1},
    ),
    ("{% extends 'base.html' %}{% block body %}{{ super() }}!{% endblock %}", "<base b!>", {"fetch": 1}),
    ("{% block b %}{{ fetch() }}{% endblock %}{{ self.b() }}", "fetchedfetched", {"fetch": 2}),
    ("{% for t in tree recursive %}{{ fetch(t.n) }}{{ loop(t.children) }}{% endfor %}", "12", {"fetch": 2}),
    (
        "{% for t in tree recursive %}{{ t.n }}{% if loop.depth == 1 %}{{ loop(branch()) }}{% endif %}{% endfor %}",
        "13",
        {},
    ),
    ("{% include 'part.html' %}", "part T", {"fetch": 1}),
    ("{% include ['none.html', 'part.html'] %}", "part T", {"fetch": 1}),
    (
        "{% from 'macros.html' import show %}{{ show(plain, 1) }}{{ show(fetch, 2) }}",
        "[1][2]",
        {"plain": 1, "fetch": 1},
    ),
    ("{% import 'macros.html' as m %}{{ m.show(fetch, 2) }}", "[2]", {"fetch": 1}),
    ("{% for n in agen %}{{ n }}{% endfor %}", "012", {}),
    ("{% for n in arange(3) %}{{ loop.index }}{{ n }}{% endfor %}", "102132", {}),
    ("{% for n in [arange(2)] %}{% for m in n %}{{ m }}{% endfor %}{% endfor %}", "01", {}),
    ("{{ agen|join('-') }}", "0-1-2", {}),
    ("{{ agen|map('string')|join('-') }}", "0-1-2", {}),
    ("{{ agen|select('odd')|list }}", "[1]", {}),
    ("{{ agen|default([])|sum }}", "3", {}),
    ("{{ coros|last }}", "first", {}),
    ("{{ coro|default('x') }}", "bare", {}),
    ("{{ attributes|map(attribute='later')|join(' ') }}", "p q", {}),
    ("{{ lookup.get('plain') }} {{ lookup.get('coro') }}", "plain looked up", {}),
    ("{% filter upper %}{{ fetch() }}{% endfilter %}", "FETCHED", {"fetch": 1}),
    ("{% set x | upper %}{{ fetch() }}{% endset %}{{ x }}", "FETCHED", {"fetch": 1}),
    ("{{ fetch(*once) if false }}{{ fetch(*words[:1]) }}", "a", {"fetch": 1}),
]


@pytest.mark.parametrize(("text", "expected", "calls"), AWAITING)
def test_what_async_mode_awaits_is_awaited(folder, text, expected, calls):
    """Wherever a template meets an awaitable or an async iterable, and without calling anything twice."""
    assert rendered_twice(folder, text) == (expected, calls)


BEFORE_AN_AWAIT = [
    ("{% for n in once %}{{ n }}{% endfor %}", "123"),
    ("{{ once|join }}", "123"),
    ("{{ once|map('string')|list|length }}", "3"),
    ("{{ 2 in once }} {{ once|list }}", "True [3]"),
    ("{{ 2 is in(once) }} {{ once|list }}", "True [3]"),
    ("{% set a, b, c = once %}{{ a }}{{ b }}{{ c }}", "123"),
    ("{% with (a, b, c) = once %}{{ a }}{{ b }}{{ c }}{% endwith %}", "123"),
    ("{% macro m() %}{{ varargs|sum }}{% endmacro %}{{ m(*once) }}", "6"),
    ("{{ '-'.join(lines) }}", "a-b"),
    ("{% set l = [] %}{% for n in numbers %}{% set _ = l.append(n) %}{% endfor %}{{ l }}", "[1, 2, 3]"),
    ("{% set ns = namespace(n=0) %}{% for n in numbers %}{% set ns.n = ns.n + n %}{% endfor %}{{ ns.n }}", "6"),
    ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}", "abb"),
    ("{% set sep = joiner('|') %}{% for n in numbers %}{{ sep() }}{{ n }}{% endfor %}", "1|2|3"),
    ("{% for n in [1, 1, 2] %}{% if loop.changed(n) %}{{ n }}{% endif %}{% endfor %}", "12"),
    ("{% set d = dict(a=1) %}{% set _ = d.update(b=2) %}{{ d|length }}", "2"),
    ("{{ stack }}{{ push(2) }}{{ stack }}", "[1][1, 2]"),
    ("{{ stack.pop() }}{{ stack }}", "1[]"),
    ("{{ mapping.popitem()[0] }}{{ mapping|length }}", "two1"),
]


@pytest.mark.parametrize(("text", "expected"), BEFORE_AN_AWAIT)
def test_nothing_happens_twice_before_an_await(folder, text, expected):
    """One-shot iterators, and what templates change, are as they were when the first awaitable turns up."""
    assert rendered_twice(folder, text + " {{ fetch() }}")[0] == expected + " fetched"


SYNCHRONOUS = [
    ("{% extends 'plain_base.html' %}{% block body %}{{ super() }} {{ title }}{% endblock %}", "<base T>"),
    ("{% import 'macros.html' as m %}{{ m.b(title) }}", "*T*"),
    ("{% for k, v in mapping.items() %}{{ k }}{{ v }}{{ loop.cycle(';', '.') }}{% endfor %}", "one1;two2."),
    ("{% for n in numbers|select('odd') %}{{ loop.length }}{{ n }}{% endfor %}", "2123"),
    ("{{ numbers|batch(2)|map('join')|join(' ') }}", "12 3"),
    ("{{ words|map('upper')|join(',') }} {{ words|first }} {{ numbers|sum }}", "A,B a 6"),
    ("{{ text.split(',')|last }} {{ '%02d'.__mod__(day.day) }} {{ day.isoformat() }}", "y 02 2026-01-02"),
    ("{% for t in tree recursive %}{{ t.n }}{{ loop(t.children) }}{% endfor %}", "12"),
    ("{% for n in range(2) %}{{ n }}{% endfor %}{{ missing|default('d') }}{% for n in missing %}{% endfor %}", "01d"),
    ("{% set x = title %}{% if 'T' in x and x is in(['T']) %}{{ x|lower }}{% endif %}", "t"),
    ("{% filter upper %}{{ words|join }}{% endfilter %}", "AB"),
    ("{% if numbers|reject('odd')|list == [2] %}two{% endif %}", "two"),
    ("{{ title.upper() }}{{ plain() }}", "Tplain"),
]


@pytest.mark.parametrize(("text", "expected"), SYNCHRONOUS)
def test_templates_that_need_not_wait(folder, text, expected):
    """Jinja2's own calls, filters and loops give what they give."""
    assert rendered_twice(folder, text)[0] == expected


def test_a_bare_awaitable_is_printed(folder):
    """As in Jinja2's async mode, which awaits what calls and filters return, not variables."""
    assert rendered_twice(folder, "{{ coro }} {{ coros|first }}")[0] == "Later Later"


def test_an_endless_iterator_before_an_await(folder):
    """Nothing reads ahead."""
    write(
        folder, "page.html", "{% for n in numbers if n < 3 %}{{ n }}{% if n == 2 %}{{ stop() }}{% endif %}{% endfor %}"
    )

    def numbers():
        yield from (1, 2)
        while True:
            if stopped:
                return
            yield 3

    stopped = []

    async def stop():
        stopped.append(True)
        return "!"

    assert render(App(templates=folder), "page.html", {"numbers": numbers(), "stop": stop}) == "12!"


def test_a_template_that_awaited_need_not_the_next_time(folder):
    """The values decide, each time."""
    write(folder, "page.html", "{% for n in rows %}{{ n }}{% endfor %}")
    app, application = App(templates=folder), Application()
    assert render(app, "page.html", {"rows": [1, 2]}) == "12"
    assert render(app, "page.html", {"rows": application.arange(2)}) == "01"
    assert render(app, "page.html", {"rows": [1, 2]}) == "12"


def test_a_template_may_render_another(folder):
    """A coroutine function that a template calls may render, too."""
    write(folder, "page.html", "<{{ widget('w') }}>")
    write(folder, "widget.html", "{{ fetch(name) }}|{{ plain() }}")
    app, application = App(templates=folder), Application()

    async def widget(name):
        return await app._render_template("widget.html", **{**application.values(), "name": name})

    assert render(app, "page.html", {"widget": widget}) == "<w|plain>"
    assert application.calls == {"fetch": 1, "plain": 1}


TEMPLATE_OBJECTS = [
    ("{% include other %}", "other fetched"),
    ("{% include [other] %}", "other fetched"),
    ("{% extends other %}", "other fetched"),
    ("{% import library as o %}{{ o.m() }}", "m"),
    ("{% from library import m %}{{ m() }}", "m"),
    ("{{ macro() }}", "m"),
]


@pytest.mark.parametrize(("text", "expected"), TEMPLATE_OBJECTS)
def test_templates_of_another_environment(folder, text, expected):
    """A variable may hold a template, or a macro, that was made for async mode."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", text)
    environment = jinja2.Environment(enable_async=True)
    library = environment.from_string("{% macro m() %}m{% endmacro %}")
    values = {
        **Application().values(),
        "library": library,
        "other": environment.from_string("other {{ fetch() }}"),
    }

    async def main():
        macro = (await library.make_module_async()).m
        return await App(templates=folder)._render_template("page.html", **values, macro=macro)

    assert run(main()) == expected


def test_errors_keep_the_templates_lines(folder):
    """A traceback names the template's file and line, in either mode, and nothing of how it came there."""
    write(
        folder, "page.html", "line 1\n{% for n in [1] %}\n{{ fail and plain() }}\n{{ 1 // n // (n - 1) }}{% endfor %}"
    )
    app, application = App(templates=folder), Application()
    for fail in (False, True):
        with pytest.raises(ZeroDivisionError) as caught:
            render(app, "page.html", {"fail": fail, "plain": application.plain})
        last = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert (Path(last.filename).name, last.lineno) == ("page.html", 4)
        assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["{{ title }}", "{% include 'part.html' %}", "{{ plain() }}{% include 'part.html' %}"])
def test_a_changed_file_is_seen(folder, text):
    """Templates are read again when their files change, included ones too."""
    write(folder, "page.html", text)
    write(folder, "part.html", "{{ title }}")
    app = App(templates=folder)
    values = {"title": "T", "plain": lambda: ""}
    assert render(app, "page.html", values) == "T"
    changed = folder / ("part.html" if "part" in text else "page.html")
    changed.write_text("new {{ fetch() }}")
    os.utime(changed, (1, 1))

    async def fetch():
        return "text"

    async def soon():
        async with asyncio.timeout(5):
            while True:
                if (answer := await app._render_template("page.html", **values, fetch=fetch)) != "T":
                    return answer
                await asyncio.sleep(0.01)

    assert run(soon()) == "new text"


def test_a_broken_change_stays_broken(folder):
    """An error in a changed file is raised each time, at once, not only when the change is noticed."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "old")
    app = App(templates=folder)
    assert render(app, "page.html", {}) == "old"
    write(folder, "page.html", "{{")
    os.utime(folder / "page.html", (1, 1))

    async def soon():
        async with asyncio.timeout(5):
            while True:
                await app._render_template("page.html")
                await asyncio.sleep(0.01)

    with pytest.raises(jinja2.TemplateSyntaxError):
        run(soon())
    for _ in range(3):
        with pytest.raises(jinja2.TemplateSyntaxError):
            render(app, "page.html", {})


def jinja2s_coroutines(app, values):
    """Give the text of `page.html`, and how many of Jinja2's own coroutines it took to await what a page looks at."""
    async_utils, counted = pytest.importorskip("jinja2.async_utils"), Counter[str]()

    def count(frame, event, _):
        if event == "call" and frame.f_code.co_filename == async_utils.__file__:
            counted[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        text = render(app, "page.html", values)
    finally:
        sys.setprofile(None)
    return text, counted["auto_await"] + counted["__anext__"]


VALUES_IN_A_LOOP = "{% for n in numbers %}{{ mapping.one }}{{ plain(n) }}{{ text.split(',')[0] }};{% endfor %}"


def test_plain_values_take_no_coroutine(folder):
    """Neither what is looked up nor what is looped over is awaited if it can't be."""
    write(folder, "page.html", VALUES_IN_A_LOOP)
    assert jinja2s_coroutines(App(templates=folder), Application().values()) == ("11x;12x;13x;", 0)


def test_an_environment_of_ones_own_keeps_its_code(folder):
    """How templates are compiled in it is the business of who made it."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", VALUES_IN_A_LOOP)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), enable_async=True)
    text, count = jinja2s_coroutines(App(templates=environment), Application().values())
    assert (text, count > 9) == ("11x;12x;13x;", True)


@pytest.mark.parametrize("version", ["3.2.0", None])
def test_the_code_of_another_jinja2_is_left_as_it_is(folder, monkeypatch, version):
    """Pages are the same with a release whose code has not been looked at, or that doesn't say which it is."""
    jinja2 = pytest.importorskip("jinja2")
    monkeypatch.delattr(jinja2, "__version__")
    if version:
        monkeypatch.setattr(jinja2, "__version__", version, raising=False)
    write(folder, "page.html", VALUES_IN_A_LOOP)
    text, count = jinja2s_coroutines(App(templates=folder), Application().values())
    assert (text, count > 9) == ("11x;12x;13x;", True)


NESTED = {
    "loops": ("{% for n in [1] %}" * 20 + "{{ title }}" + "{% endfor %}" * 20, "T"),
    "branches": ("{% if 0 %}" + "{% elif title == 'x' %}" * 1000 + "{% else %}{{ title }}{% endif %}", "T"),
    "lookups": ("{{ deep" + ".x" * 60 + " }}", "T"),
}


@pytest.mark.parametrize("sort", NESTED)
def test_templates_nested_as_deep_as_jinja2_allows(folder, sort):
    """Python has limits to what is inside of each other, in what is compiled and in who compiles."""
    text, expected = NESTED[sort]
    write(folder, "page.html", text)
    deep: object = "T"
    for _ in range(60):
        deep = {"x": deep}
    assert render(App(templates=folder), "page.html", {"title": "T", "deep": deep}) == expected


def test_the_environment_streams_piece_by_piece(folder):
    """`generate_async` gives what has been rendered before it asks an async iterable for more."""
    write(folder, "page.html", "{% for n in lines() %}{{ n }};{% endfor %}")
    app, asked = App(templates=folder), []

    async def lines():
        for number in range(3):
            asked.append(number)
            yield number

    async def main():
        assert await app._render_template("page.html", lines=lines) == "0;1;2;"
        asked.clear()
        stream = configuration(app).templates.get_template("page.html").generate_async(lines=lines)
        first = await anext(stream)
        await stream.aclose()
        return first, asked

    assert run(main()) == ("0", [0])


def test_a_generator_that_a_loop_leaves_is_closed_there(folder):
    """What it holds, such as a connection, is free for the rest of the page."""
    write(folder, "page.html", "{% for n in lines() %}{{ n }}{% break %}{% endfor %}{{ closed[0] }}")
    app, closed = App(templates=folder), []
    configuration(app).templates.add_extension("jinja2.ext.loopcontrols")

    def lines():
        try:
            yield from (1, 2)
        finally:
            closed.append("closed")

    assert render(app, "page.html", {"lines": lines, "closed": closed}) == "1closed"


def test_many_names_for_a_template_take_no_more_memory(folder):
    """A client that chooses the name can't fill the memory with `/page.html`, `//page.html` and so on."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "page")
    app = App(templates=folder)
    for number in range(1000):
        assert render(app, "/" * number + "page.html", {}) == "page"
    gc.collect()
    assert sum(isinstance(found, jinja2.Template) for found in gc.get_objects()) < 900


def test_threads_render_at_once(folder):
    """Loops in other threads may render the same templates."""
    write(folder, "page.html", "{% for n in range(200) %}{{ n is odd }}{% endfor %}{{ plain() }}{{ fetch(title) }}")
    app, answers = App(templates=folder), set()

    def work():
        application = Application()
        answers.add(render(app, "page.html", application.values()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {"FalseTrue" * 100 + "plainT"}


@pytest.mark.parametrize("enable_async", [False, True])
def test_an_environment_of_ones_own_is_used_as_it_stands(enable_async):
    """Its loader, its filters, its undefined; what it renders for others goes on as it did."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"page.html": "{{ title|loud }}{{ plain() }}{{ coro.value }}{{ lookup.coro }}"}),
        undefined=jinja2.StrictUndefined,
        enable_async=enable_async,
    )
    environment.filters["loud"] = lambda text: f"{text}!"
    application, app = Application(), App(templates=environment)
    assert render(app, "page.html", application.values()) == "T!plainbarelooked up"
    assert application.calls == {"plain": 1}
    with pytest.raises(jinja2.UndefinedError):
        render(app, "page.html", {})
    assert environment.is_async == enable_async
    assert environment.from_string("{{ title|loud }}").render(title="own") == "own!"


def test_an_environment_of_ones_own_may_keep_bytecode(folder, tmp_path_factory):
    """What was compiled for its own synchronous templates is not taken for ours, nor the other way round."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "{{ title }}{% include 'plain_base.html' %}")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        bytecode_cache=jinja2.FileSystemBytecodeCache(str(tmp_path_factory.mktemp("bytecode"))),
        cache_size=0,
    )
    app = App(templates=environment)
    for _ in range(2):
        assert environment.get_template("page.html").render(title="T") == "T<base>"
        assert render(app, "page.html", {"title": "T"}) == "T<base>"


def kept_bytecode():
    """A cache of bytecode in memory, and what it was asked to do, in order."""
    jinja2 = pytest.importorskip("jinja2")
    kept: dict[str, bytes] = {}
    steps: list[str] = []

    class Memory(jinja2.BytecodeCache):  # type: ignore[name-defined, misc]  # Jinja2 is known at run time only
        def load_bytecode(self, bucket):
            steps.append("load")
            if bucket.key in kept:
                bucket.bytecode_from_string(kept[bucket.key])

        def dump_bytecode(self, bucket):
            steps.append("dump")
            kept[bucket.key] = bucket.bytecode_to_string()

        def clear(self):
            kept.clear()

    return Memory(), steps


@pytest.mark.parametrize("has_own", [False, True], ids=["of the folder", "synchronous"])
def test_bytecode_that_is_kept_is_used_for_pages(folder, has_own):
    """Another process need not compile the pages again; what others keep under the same name is something else."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "{{ title }}{{ lookup['coro'] }}")
    cache, steps = kept_bytecode()
    plain = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), bytecode_cache=cache)
    assert plain.get_template("page.html").render(title="T", lookup={}) == "T"
    for expected in (["load", "dump"], ["load"]):
        app = App(templates=plain if has_own else folder)
        if not has_own:
            configuration(app).templates.bytecode_cache = cache
        steps.clear()
        assert render(app, "page.html", Application().values()) == "Tlooked up"
        assert steps == expected
    assert plain.overlay().get_template("page.html").render(title="T", lookup={}) == "T"


def test_bytecode_of_pages_can_be_cleared(folder):
    """The overlay's cache of bytecode is the environment's, in all but the names."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "{{ title }}")
    cache, steps = kept_bytecode()
    for _ in range(2):
        app = App(templates=jinja2.Environment(loader=jinja2.FileSystemLoader(folder), bytecode_cache=cache))
        render(app, "page.html", {"title": "T"})
        configuration(app).templates.bytecode_cache.clear()
    assert steps == ["load", "dump"] * 2


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("{{ nothing }}", {"undefined": "ChainableUndefined"}, ""),
        ("{{ nothing.at.all }}|", {"undefined": "ChainableUndefined"}, "|"),
        ("{{ title }}", {"finalize": str.lower}, "t&amp;c"),
        ("{{ title }}", {"autoescape": False}, "T&C"),
        ("{% if true %}\n{{ title }}{% endif %}", {"trim_blocks": True}, "T&amp;C"),
    ],
)
def test_settings_that_are_replaced_count_from_the_next_page_on(folder, text, settings, expected):
    """Not only those from before the first page."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "first.html", "{{ title }}")
    write(folder, "page.html", text)
    app = App(templates=folder)
    assert render(app, "first.html", {"title": "T&C"}) == "T&amp;C"
    for name, value in settings.items():
        setattr(configuration(app).templates, name, getattr(jinja2, value) if isinstance(value, str) else value)
    assert render(app, "page.html", {"title": "T&C"}) == expected


def test_an_extension_that_is_added_counts_from_the_next_page_on(folder):
    """Its tags are known, also in a template that was refused before."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", "{% do stack.append(2) %}{{ stack }}")
    app = App(templates=folder)
    with pytest.raises(jinja2.TemplateSyntaxError):
        render(app, "page.html", {"stack": [1]})
    configuration(app).templates.add_extension("jinja2.ext.do")
    assert render(app, "page.html", {"stack": [1]}) == "[1, 2]"


def test_an_overlay_of_the_environment_leaves_pages_alone(folder):
    """Who makes one has its settings to himself, and pages are not compiled again for it."""
    pytest.importorskip("jinja2")
    write(folder, "page.html", "{{ title }}")
    app = App(templates=folder)
    cache, steps = kept_bytecode()
    configuration(app).templates.bytecode_cache = cache
    for _ in range(2):
        assert render(app, "page.html", {"title": "T"}) == "T"
        overlay = configuration(app).templates.overlay(finalize=str.lower)
        overlay.add_extension("jinja2.ext.do")
    assert steps == ["load", "dump"]


@pytest.mark.parametrize(
    "own", [None, {}, {"enable_async": True}], ids=["of the folder", "synchronous", "asynchronous"]
)
@pytest.mark.parametrize(
    "text", ["{{ shop|loud }}", "{{ fetch(shop)|loud }}", "{{ plain() }}{{ shop|loud if shop is short }}"]
)
def test_globals_filters_and_tests_count_everywhere(folder, own, text):
    """Those of `configuration(app).templates`, whatever else a template does, and whenever they are set."""
    jinja2 = pytest.importorskip("jinja2")
    write(folder, "page.html", text)
    source = folder if own is None else jinja2.Environment(loader=jinja2.FileSystemLoader(folder), **own)
    app, values = App(templates=source), {"plain": lambda: "", "fetch": Application().fetch}
    environment = configuration(app).templates
    environment.filters["loud"] = lambda text: f"{text}!"
    environment.tests["short"] = lambda text: len(text) < 9
    environment.globals["shop"] = "Pies"
    assert render(app, "page.html", values) == "Pies!"
    environment.globals["shop"] = "Tarts"
    environment.filters["loud"] = str.upper
    assert render(app, "page.html", values) == "TARTS"


def test_the_environment_gives_templates_with_globals_of_their_own(folder):
    """`configuration(app).templates` is a `jinja2.Environment` like any other, and so are its templates."""
    write(folder, "page.html", "{{ title }}{{ shop }}")
    template = configuration(App(templates=folder)).templates.get_template("page.html", globals={"shop": "Pies"})
    assert run(template.render_async(title="T")) == "TPies"


def test_a_template_without_a_name_is_markup(folder):
    """A template from a string escapes."""
    write(folder, "page.html", "{% include inner %}")
    app = App(templates=folder)
    assert render(app, "page.html", {"inner": configuration(app).templates.from_string("{{ '<' }}")}) == "&lt;"
