"""Whatever a template says, `_render_template` does what Jinja2's `render_async` does: the same steps, lines and text.

The templates are generated. What they look at notes each look, each step of an iterator and each wait, so that what is
read ahead, awaited twice or left out shows even where the text is the same.
"""

import asyncio
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micropie import App, configuration

pytestmark = pytest.mark.needs("jinja2")

PARTS = {
    "base.html": "<{% block one %}base {{ fetch('b') }}{% endblock %}|{% block two %}{{ title }}{% endblock %}>",
    "middle.html": "{% extends 'base.html' %}{% block one %}middle {{ super() }}{% endblock %}",
    "part.html": "(part {{ title }}\n{% for n in rows(2) %}{{ n }}{{ x }},{% endfor %})",
    "macros.html": (
        "{% macro show(x) %}[{{ x.later }}]{% endmacro %}\n{% macro wrap(x) %}<{{ caller(x) }}>{% endmacro %}"
    ),
}


class Record:
    """An object whose attributes and items note that they were looked at; some of them are awaitable."""

    def __init__(self, log, depth=2):
        self._log, self._depth = log, depth

    def __getitem__(self, name):
        self._log.append(f"item {name}")
        if name == 4:
            raise IndexError(name)
        return self.later if name == "later" else self._depth

    @property
    def plain(self):
        self._log.append("plain")
        return f"<{self._depth}>"

    @property
    def later(self):
        self._log.append("later")
        return Later(self._log, "L")

    @property
    def child(self):
        self._log.append("child")
        return Record(self._log, self._depth - 1) if self._depth else Later(self._log, None)

    @property
    def items(self):
        return Later(self._log, [1, "<two>"])

    def __repr__(self):
        return "<record>"


class Later:
    """An awaitable that notes when it is awaited."""

    def __init__(self, log, value):
        self._log, self._value = log, value

    def __repr__(self):
        return "<later>"

    def __await__(self):
        self._log.append("begins")
        yield from asyncio.sleep(0).__await__()
        self._log.append("ends")
        return self._value


def values(log: list[str]) -> dict[str, Any]:
    """Make what a template is given, noting in `log` what is done with it."""

    def rows(stop):
        try:
            for number in range(stop):
                log.append(f"row {number}")
                yield number
        finally:
            log.append("closed")

    async def arange(stop):
        for number in range(stop):
            log.append(f"anext {number}")
            await asyncio.sleep(0)
            yield number

    async def fetch(value="fetched"):
        log.append(f"fetch {type(value).__name__}")
        await asyncio.sleep(0)
        return value

    def call(value="called"):
        log.append(f"call {type(value).__name__}")
        return value

    def fail():
        raise LookupError("failed")

    async def fail_later():
        await asyncio.sleep(0)
        raise LookupError("failed later")

    return {
        "title": "<Title>",
        "number": 3,
        "none": None,
        "x": "<x>",
        "y": Record(log),
        "pairs": [("a", 1), ("<b>", 2)],
        "words": ["x", "y"],
        "tree": [{"n": 1, "below": [{"n": 2, "below": []}]}],
        "record": Record(log),
        "records": [Record(log, 0), Record(log, 1)],
        "once": rows(2),
        "rows": rows,
        "arange": arange,
        "fetch": fetch,
        "call": call,
        "show": call,
        "fail": fail,
        "fail_later": fail_later,
        "bare": Later(log, "bare"),
    }


def furnish(environment: Any) -> Any:
    """Give an environment its extensions, filters and tests."""
    for extension in ("loopcontrols", "do"):
        environment.add_extension(f"jinja2.ext.{extension}")

    async def slow(value):
        await asyncio.sleep(0)
        return f"{value}~"

    async def slowly(value):
        await asyncio.sleep(0)
        return bool(value)

    environment.filters["slow"] = slow
    environment.tests["slowly"] = slowly
    return environment


def texts(table: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Give lines of a table, with a text of the strategy `X` for each `$X`, and a line break for each `¶`."""

    def filled(line: str) -> st.SearchStrategy[str]:
        pieces = [parts[piece[1]] if piece[0] == "$" else st.just(piece) for piece in re.findall(r"\$.|[^$]+", line)]
        return st.tuples(*pieces).map("".join)

    return st.one_of([filled(line.replace("¶", "\n")) for line in table.strip().splitlines()])


LOOKUPS = texts("""
title
number
none
missing
x
y
record
bare
record.plain
record.later
record.child
record.child.later
record.child.child.plain
record['later']
record[number]
x.later
x.child.plain
x.n
1
'<'
true
call()
fetch()
fail_later()
1 // 0
""")
NESTED_EXPRESSIONS = """
call($E)
fetch($E)
show($E)
($E)|upper
($E)|slow
($E)|default('d')
($E)|e
($E)|safe
($E)|list
($E)|join('-')
($E)|first
($E) is defined
($E) is slowly
($E) is not string
($E ~ $E)
($E == $E)
($E and $E)
($E or $E)
($E in $E)
($E if $E else $E)
($E if $E)
[$E, $E]
($E).later
not $E
"""
EXPRESSIONS = st.recursive(LOOKUPS, lambda inner: texts(NESTED_EXPRESSIONS, E=inner), max_leaves=4)
ITERABLES = EXPRESSIONS | texts("""
once
rows(3)
rows(0)
arange(3)
arange(0)
words
records
record.items
missing
words|map('slow')
rows(3)|select('odd')
arange(3)|map('string')
range(number)
call(once)
""")
LOOPS = texts(
    """
{% for x in $I
{% for x in $I
{% for y in $I
{% for x, y in $I
{% for x, y in pairs
""",
    I=ITERABLES,
)
LEAVES = texts(
    """
text
<b>¶
¶
{{ $E }}
{{ $E }}
{{ $E }}¶{{ $E }}
{% do $E %}
{% include 'part.html' %}
{% include 'part.html' without context %}
{% include ['none.html', 'part.html'] %}
{% import 'macros.html' as m %}{{ m.show($E) }}
""",
    E=EXPRESSIONS,
)
STATEMENTS = """
$S$S
$S¶$S
{% if $E %}$S{% endif %}
{% if $E %}$S{% elif $E %}$S{% else %}$S{% endif %}
$L %}$S{% endfor %}
$L %}$S{% endfor %}
$L %}$S{% else %}$S{% endfor %}
$L if $E %}$S{% endfor %}
$L if $E %}$S{% else %}$S{% endfor %}
$L %}$S{{ loop.index }}{{ loop.last }}$S{% endfor %}
$L %}$S{% if $E %}{% break %}{% endif %}$S{% endfor %}
$L %}$S{% if $E %}{% continue %}{% endif %}$S{% endfor %}
$L %}{{ loop.length }}{{ loop.revindex }}{{ loop.nextitem }}$S{{ loop.previtem }}{% endfor %}
$L %}$S{% if loop.first %}{% continue %}{% endif %}$S{% endfor %}
{% for x in tree recursive %}{{ x.n }}$S{{ loop(x.below) }}{% endfor %}
{% set x = $E %}$S
{% set x %}$S{% endset %}{{ x }}
{% set x | slow %}$S{% endset %}{{ x }}
{% set ns = namespace(v=1) %}$L %}{% set ns.v = $E %}{% endfor %}{{ ns.v }}$S
{% macro show(x, y=$E) %}$S{% endmacro %}{{ show($E) }}
{% macro wrap() %}{{ caller('c') }}{% endmacro %}{% call(x) wrap() %}$S{% endcall %}
{% from 'macros.html' import wrap with context %}{% call(y) wrap($E) %}$S{% endcall %}
{% with y = $E %}$S{% endwith %}
{% filter upper %}$S{% endfilter %}
{% filter slow %}$S{% endfilter %}
{% autoescape false %}$S{% endautoescape %}
{% autoescape number %}$S{% endautoescape %}
{% include $E ignore missing %}$S
"""
BODIES = st.recursive(LEAVES, lambda inner: texts(STATEMENTS, S=inner, E=EXPRESSIONS, L=LOOPS), max_leaves=6)
PAGES = BODIES | texts(
    """
$B{% block one %}$B{% endblock %}$B{{ self.one() }}
{% block one %}$B{% block two %}$B{% endblock %}{{ self.two() ~ x }}{% endblock %}
{% for x in words %}{% block one scoped %}$B{% endblock %}{% endfor %}
{% extends 'base.html' %}¶{% block one %}$B{{ super() }}{% endblock %}
{% extends 'middle.html' %}¶$B{% block one %}$B{% endblock %}
{% extends call('base.html') %}{% block two %}{{ super() }}$B{% endblock %}
{% if $E %}{% extends 'base.html' %}{% endif %}$B{% block two %}{{ super() }}$B{% endblock %}
""",
    B=BODIES,
    E=EXPRESSIONS,
)


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """The folder of the templates; ours and Jinja2's own way to render one of them."""
    jinja2 = pytest.importorskip("jinja2")
    folder = tmp_path_factory.mktemp("templates")
    for name, text in PARTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    app = App(templates=folder)
    furnish(configuration(app).templates)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True, enable_async=True)

    async def as_jinja2(name, **context):
        return await furnish(environment).get_template(name).render_async(context)

    return folder, app._render_template, as_jinja2


async def outcome(render: Callable[..., Any], name: str) -> tuple[Any, list[str]]:
    """Give the text, or an error with the templates' lines that it came through, and the steps that led to it."""
    log: list[str] = []
    given = values(log)
    try:
        return without_addresses(await render(name, **given)), log
    except RecursionError as error:  # a block that shows itself, which ends where the stack does
        return type(error), []
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [(Path(frame.filename).name, frame.lineno) for frame in frames if frame.filename.endswith(".html")]
        steps = [step for step in log if step != "closed"]  # a generator may live as long as the traceback
        return (type(error), without_addresses(str(error)), lines), steps


def without_addresses(text: str) -> str:
    """Leave out what differs from one run to the next."""
    return re.sub(" at 0x[0-9a-f]+", "", text)


@settings(max_examples=120)
@given(page=PAGES)
def test_a_generated_page_is_rendered_as_jinja2_does_it(ways, page):
    """The text or the error with its lines, and each step on the way."""
    folder, ours, jinja2s = ways
    name = f"page{len([*folder.iterdir()])}.html"
    (folder / name).write_text(page, encoding="utf-8")
    expected, got = (asyncio.run(outcome(render, name)) for render in (jinja2s, ours))
    assert got == expected
