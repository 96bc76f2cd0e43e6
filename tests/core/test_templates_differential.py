"""What `_render_template` gives is what Jinja2's `render_async` gives, in environments of all sorts.

The result is compared with that of a `jinja2.Environment(enable_async=True, ...)` made for the purpose, an error by its
type and its words. Each rendering gets values of its own, since some can be read only once.
"""

import asyncio
import datetime
from types import SimpleNamespace

import pytest

from micropie import App, configuration
from tests.client import run

pytestmark = pytest.mark.needs("jinja2")

PARTS = {
    "base.html": "<{% block title %}base{% endblock %}|{% block body %}body {{ fetch('b') }}{% endblock %}>",
    "mid.html": "{% extends 'base.html' %}{% block title %}mid {{ super() }}{% endblock %}",
    "required.html": "{% block body required %}{% endblock %}",
    "scoped.html": "{% for n in numbers %}{% block item scoped %}{{ n }}{% endblock %}{% endfor %}",
    "part.html": "part {{ user.team }} {{ title }}{{ local }}",
    "bare.html": "bare {{ site_name }}{{ title }}",
    "loop.html": "{% for n in rows %}{{ n }};{% endfor %}",
    "macros.html": (
        "{% set version = slow_global() %}"
        "{% macro show(x) %}[{{ x.team }}]{% endmacro %}"
        "{% macro field(name, value='', kind='text') %}{{ name }}={{ value }}:{{ kind }}{% endmacro %}"
        "{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}"
        "{% macro every() %}{{ varargs|join(',') }}/{{ kwargs.items()|sort|list }}{% endmacro %}"
        "{% macro outer() %}{{ site_name }}{{ title }}{% endmacro %}"
    ),
}

AWAITABLE = """
{{ user.team }}
{{ user.team.title }}
{{ user.awaitable_attrs.team.title }}
{{ user.awaitable_attrs.team.members|length }}
{% for m in user.awaitable_attrs.team.members %}{{ m }},{% endfor %}
{{ user['team'] }}
{{ user['team']['title'] }}
{{ user|attr('team') }}
{{ (user|attr('team')).title }}
{{ lazy.coro }}
{{ lazy['coro'] }}
{{ lazy['coro']|upper }}
{{ lazy.get('coro') }}
{{ laters[0] }}
{{ laters[0] + laters[1] }}
{{ laters[-1]|upper }}
{{ laters|first }}
{{ laters|last }}
{{ laters[:1] }}
{{ laters }}
{{ later }}
{{ later|upper }}
{{ later ~ 'x' }}
{{ 'yes' if later else 'no' }}
{{ 'yes' if user.nobody else 'no' }}
{{ user.nobody or 'nobody' }}
{{ user.team.title if user.is_member else 'none' }}
{% if user.is_member and not user.nobody %}in{% endif %}
{% if user.nobody is none %}none{% endif %}
{% if user.team is defined %}defined{% endif %}
{% if user.nothing is undefined %}undefined{% endif %}
{% if user.number > 3 %}more{% endif %}
{{ user.number + 1 }} {{ -user.number }} {{ user.number ** 2 }} {{ user.number // 2 }} {{ user.number % 3 }}
{{ 1 < user.number <= 5 }}
{{ user.number in [5] }} {{ 5 in user.list }} {{ 5 not in user.list }}
{{ user.list[0] }} {{ user.list|sum }} {{ user.list|map('string')|join('+') }}
{{ user.list[user.number - 5] }}
{{ numbers[user.zero] }}
{{ lazy[user.key] }}
{{ [user.number, later, fetch()] | length }}
{{ {'a': user.number}.a }}
{{ (user.number, user.team.title)|join(' ') }}
{% set n = user.number %}{{ n * 2 }}
{% set a, b = user.pair %}{{ a }}{{ b }}
{% set ns = namespace(n=user.number) %}{% set ns.n = ns.n + user.number %}{{ ns.n }}
{% with team = user.team %}{{ team.title }}{% endwith %}
{% with n = user.number, m = fetch(n) %}{{ m }}{% endwith %}
{% filter upper %}{{ user.team.title }} {{ fetch() }}{% endfilter %}
{% set x %}{{ user.team.title }}{% endset %}{{ x }}
{% set x | upper | replace('T', user.key) %}{{ user.team.title }}{% endset %}{{ x }}
{{ fetch() }} {{ fetch(user.number) }} {{ fetch(fetch(title)) }}
{{ user.load().title }}
{{ user.load().members[0] }}
{{ user.plain() }} {{ user.returns_later() }}
{{ [later, 'x']|map('upper')|list }}
{{ users|map(attribute='team')|map(attribute='title')|join(',') }}
{{ users|map(attribute='number')|sum }}
{{ users|map('attr', 'number')|list }}
{{ users|selectattr('nobody')|list }}
{{ users|sum(attribute='plain_number') }}
{{ users|map(attribute='missing', default='?')|list }}
{{ nested.a.b.c }} {{ nested['a']['b']['c'] }} {{ nested.a['b'].c }}
{{ orders[0].customer.name }}{% for o in orders %}{{ o.customer.name }}{{ o.total }}{% endfor %}
{{ "%s is %s"|format(user.key, user.number) }}
{{ user.missing|default('d') }} {{ user.nobody|default('n', true) }}
{{ user.html }} {{ user.html|e }} {{ user.html|safe }}
"""

ONE_SHOT = """
{% for n in once %}{{ n }}{% endfor %}
{% for n in once %}{{ n }}{% endfor %}{% for n in once %}again{% else %}empty{% endfor %}
{% for a, b in rows %}{{ link(a) }}={{ b }};{% endfor %}
{% for (a, b), c in nested_rows %}{{ a }}{{ b }}{{ c }};{% endfor %}
{% for a, (b, c) in deep_rows %}{{ a }}{{ fetch(b) }}{{ c }};{% endfor %}
{% for a, b in lists %}{{ a }}{{ b }}{% endfor %}
{% for a, b in generators %}{{ a }}{{ b }}{{ user.number }}{% endfor %}
{% for k, v in mapping.items() %}{{ k }}{{ v }}{% endfor %}
{% for k, v in mapping|items %}{{ k }}{{ v }}{% endfor %}
{% for k, v in mapping|dictsort %}{{ k }}{{ fetch(v) }}{% endfor %}
{% for i, n in zipped %}{{ i }}{{ n }}{{ fetch(i) }}{% endfor %}
{% for n in reversed_ %}{{ n }}{{ fetch(n) }}{% endfor %}
{% for n in once if n != 2 %}{{ loop.index }}{{ n }}{% endfor %}
{% for n in once if fetch(n) > 1 %}{{ n }}{% endfor %}
{% for n in once %}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }};{% endfor %}
{% for n in once %}{{ loop.previtem }}<{{ n }}>{{ loop.nextitem }};{% endfor %}
{% for n in numbers %}{{ loop.revindex0 }}{{ loop.cycle('a', 'b') }}{{ loop.changed(n) }}{{ loop.depth }};{% endfor %}
{% for n in once %}{{ loop|attr('length') }}{% endfor %}
{% for n in once %}{% if not loop.last %}{{ n }},{% endif %}{% endfor %}
{% for n in agen %}{{ n }}{{ loop.length }}{{ loop.last }};{% endfor %}
{% for n in agen if n %}{{ n }}{% else %}none{% endfor %}
{% for n in arange(0) %}{{ n }}{% else %}none{% endfor %}
{% for n in arange(3) %}{% for m in arange(n) %}{{ n }}{{ m }} {% endfor %}{% endfor %}
{% for n in items_of_later() %}{{ n }}{% endfor %}
{{ '%s-%s-%s'|format(*once) }}
{{ '%s-%s'|format(*pair) }}
{{ '%(a)s'|format(**mapping_a) }}
{{ fetch(*once_one) }}
{{ fetch(**{'value': user.number}) }}
{{ words|select('in', letters)|list }}
{{ words|reject('in', letters)|list }}
{{ once|list }} {{ once|list }}
{{ once|join('-') }} {{ once|join('-') }}
{{ once|first }} {{ once|first }}
{{ once|sum }} {{ once|sum }}
{{ once|map('string')|list }} {{ once|list }}
{{ once|select('odd')|list }}{{ once|list }}
{{ once|batch(2)|list }}
{{ once|slice(2)|list }}
{{ once|unique|list }}
{{ once|sort(reverse=true) }}
{{ once|reverse|list }}
{{ once|min }} {{ numbers|max }}
{{ once|string == '' }}
{{ once|default('d')|list }}
{{ 2 in once }} {{ once|list }}
{{ 2 is in(once) }} {{ once|list }}
{{ once is iterable }} {{ once is sequence }} {{ once|list }}
{{ once == once }} {{ once is sameas(once) }}
{% set a, b, c = once %}{{ a }}{{ b }}{{ c }}
{% set a, (b, c) = deep_pair %}{{ a }}{{ b }}{{ c }}
{% with a, (b, c) = deep_pair %}{{ a }}{{ b }}{{ c }}{% endwith %}
{% with (a, b, c) = once %}{{ a }}{{ b }}{{ c }}{% endwith %}
{{ agen|list }} {{ agen|list }}
{{ agen|join('-') }}
{{ agen|map('string')|join }}
{{ agen|select('odd')|map('string')|first }}
{{ agen|sum }}
{{ agen|unique|list }}
{{ agen|slice(2)|list }}
{{ agen|first }}
{{ agen_of_users|map(attribute='plain_number')|list }}
{{ agen_of_users|groupby('plain_number')|list|length }}
{% for key, group in agen_of_users|groupby('plain_number') %}{{ key }}{{ group|length }}{% endfor %}
{% for key, group in users|groupby('plain_number') %}{{ key }}{% for u in group %}{{ u.number }}{% endfor %}{% endfor %}
{{ agen_of_users|selectattr('plain_number', 'gt', 5)|map(attribute='team')|map(attribute='title')|list }}
{{ agen_of_users|rejectattr('plain_number', 'gt', 5)|list|length }}
{{ '-'.join(strings) }} {{ ''.join(strings) }}
{{ dict(pairs).a }}
{{ range(3)|list }} {{ range(user.number)|length }}
{% for n in range(user.number) %}{{ n }}{% endfor %}
{% set l = [] %}{% for n in once %}{% set _ = l.append(n) %}{% endfor %}{{ l }}{{ fetch() }}
{{ stack.pop() }}{{ stack }}{{ fetch() }}{{ stack }}
{% for t in tree recursive %}{{ t.n }}{% if t.children %}({{ loop(t.children) }}){% endif %}{% endfor %}
{% for t in tree recursive %}{{ fetch(t.n) }}{{ loop.depth }}{{ loop(t.children) }}{% endfor %}
{% for t in tree recursive %}{{ t.n }}{% if loop.depth == 1 %}{{ loop(branches()) }}{% endif %}{% endfor %}
"""

MACROS = """
{% macro m(x) %}({{ x }}){% endmacro %}{{ m(later) }}{{ m(user.number) }}
{% macro m(x) %}({{ x.team.title }}){% endmacro %}{{ m(user) }}{{ m(x=user) }}
{% macro m(x, y=user.number) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(x, y=fetch(x)) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}
{% macro m(x, y) %}{{ x }}[{{ y }}]{% endmacro %}{{ m(1) }}
{% macro m() %}{{ varargs|sum }}{{ kwargs|length }}{% endmacro %}{{ m(*once) }}{{ m(a=1) }}
{% macro m(f) %}({{ f() }}){% endmacro %}{{ m(plain) }}{{ m(fetch) }}
{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}{{ user.team }}{% endcall %}
{% macro m(l) %}{% for r in l %}{{ caller(r) }}{% endfor %}{% endmacro %}{% call(r) m(once) %}{{ link(r) }}{% endcall %}
{% macro m() %}{{ caller(user) }}{% endmacro %}{% call(u) m() %}{{ u.team.title }}{% endcall %}
{% macro n(x) %}<{{ x }}>{% endmacro %}{% macro m(x) %}{{ n(n(x)) }}{% endmacro %}{{ m(user.number) }}
{% macro down(n) %}{{ n }}{% if n > 0 %}{{ down(n - 1) }}{% endif %}{% endmacro %}{{ down(3) }}
{% macro m() %}<b>{{ '<' }}</b>{% endmacro %}{{ m() }}{{ m()|upper }}{{ m() ~ '<' }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ [m, m]|length }}{% for f in [m, fetch] %}{{ f('a') }}{% endfor %}
{% macro m(caller=none) %}{{ caller() if caller else 'none' }}{% endmacro %}{{ m() }}{% call m() %}c{% endcall %}
{% macro m(x) %}{{ x }}{% endmacro %}{% set text = m(1) %}{{ text }}{{ text|length }}
{% macro m(x) %}{% if x %}{{ x }}{% endif %}{% endmacro %}{% if m(0) %}full{% else %}empty{% endif %}
{{ apply(plain) }}
{% import 'macros.html' as m %}{{ m.show(user) }}{{ m.version }}
{% import 'macros.html' as m %}{{ m.field('a') }}{{ m.field('b', user.number) }}{{ m.field('c', kind='k') }}
{% import 'macros.html' as m %}{% call m.wrap('p') %}{{ user.team }}{% endcall %}
{% import 'macros.html' as m %}{{ m.every(1, 2, a=3) }}{{ m.every(*once, **mapping_a) }}
{% import 'macros.html' as m %}{{ m.outer() }}{{ m.missing is defined }}
{% import 'macros.html' as m with context %}{{ m.outer() }}
{% from 'macros.html' import show, field as f %}{{ show(user) }}{{ f('x') }}
{% from 'macros.html' import show with context %}{{ show(user) }}
{% from 'macros.html' import missing %}{{ missing is defined }}
{% from 'macros.html' import outer with context %}{% set title = 'inner' %}{{ outer() }}
{% import 'mac' ~ 'ros.html' as m %}{{ m.version }}
{% import fetch('macros.html') as m %}{{ m.version }}
"""

INHERITANCE = """
{% extends 'base.html' %}
{% extends 'base.html' %}{% block title %}{{ user.team.title }}{% endblock %}
{% extends 'base.html' %}{% block body %}{{ super() }}!{% endblock %}
{% extends 'base.html' %}{% block body %}{{ super()|upper }}{{ fetch() }}{% endblock %}
{% extends 'base.html' %}{% block body %}{% for n in once %}{{ n }}{{ super() }}{% endfor %}{% endblock %}
{% extends 'mid.html' %}{% block title %}{{ super() }}{{ super.super() }}{% endblock %}
{% extends 'mid.html' %}{% block body %}{{ self.title() }}{% endblock %}
{% extends 'mid.html' %}{% block title %}{% set x = super() %}{{ x|length }}{% endblock %}
{% extends 'required.html' %}{% block body %}{{ user.number }}{% endblock %}
{% extends 'scoped.html' %}{% block item %}{{ fetch(n) }}{{ super() }}{% endblock %}
{% extends fetch('base.html') %}{% block title %}x{% endblock %}
{% extends user.layout %}{% block title %}x{% endblock %}
{% extends ['none.html', 'base.html'][1] %}{% block title %}{{ user.number }}{% endblock %}
{% if user.number > 3 %}{% extends 'base.html' %}{% endif %}{% block title %}t{% endblock %}
{% set x = user.number %}{% extends 'base.html' %}{% block title %}{{ x }}{% endblock %}
{% extends 'base.html' %}{% import 'macros.html' as m %}{% block title %}{{ m.version }}{% endblock %}
{% block a %}{{ fetch() }}{% endblock %}{{ self.a() }}{{ self.a()|upper }}
{% block a %}{% block b %}{{ user.number }}{% endblock %}{% endblock %}{{ self.b() }}
{% for n in once %}{% block a scoped %}{{ n }}{{ loop.index }}{% endblock %}{% endfor %}
{% include 'part.html' %}
{% set local = 'L' %}{% include 'part.html' %}
{% include 'bare.html' without context %}
{% for local in once %}{% include 'part.html' %};{% endfor %}
{% include 'loop.html' %}{% include 'loop.html' %}
{% include 'none.html' ignore missing %}x
{% include ['none.html', 'part.html'] %}
{% include ['none.html', 'nor.html'] ignore missing %}x
{% include fetch('part.html') %}
{% include user.part %}
{% include [user.part] %}
{% include templates_once %}
{% include 'part.html' ignore missing with context %}
{% include 'mid.html' %}
{% filter upper %}{% include 'part.html' %}{% endfilter %}
{% set x %}{% include 'part.html' %}{% endset %}{{ x|length }}
{% macro m() %}{% include 'part.html' %}{% endmacro %}{{ m() }}
"""

FILTERS = r"""
{{ title|shout }} {{ user.key|shout }} {{ later|shout_later }}
{{ title|slow }} {{ title|slow|upper }} {{ fetch()|slow }}
{{ title|returns_later|upper }}
{{ numbers|map('slow')|list }} {{ numbers|map('returns_later')|list }}
{{ numbers|map('shout')|list|length }}
{{ title|in_context }} {{ title|in_environment }} {{ title|in_eval_context }}
{{ 'x'|slow }} {{ 'x'|shout }} {{ ['a', 'b']|map('slow')|join('-') }}
{% filter slow %}{{ user.number }}{% endfilter %}
{% filter shout|slow %}a{% endfilter %}
{% if title is slowly %}yes{% endif %} {{ title is slowly }} {{ title is not slowly }}
{{ 3 is bigger(2) }} {{ user.number is bigger(user.zero) }} {{ 3 is slowly_bigger(fetch(2)) }}
{{ numbers|select('bigger', 1)|list }} {{ numbers|reject('bigger', 1)|list }}
{{ numbers|select('odd')|list }} {{ numbers|reject('odd')|list }} {{ numbers|select|list }}
{{ users|selectattr('plain_number', 'bigger', 5)|list|length }}
{{ users|selectattr('plain_number')|list|length }} {{ users|rejectattr('plain_number')|list|length }}
{{ number is number }} {{ title is string }} {{ none is none }} {{ missing is defined }} {{ numbers is sequence }}
{{ fetch is callable }} {{ user is mapping }} {{ 4 is divisibleby(2) }} {{ user.number is odd }} {{ title is upper }}
{{ title|upper|lower|title|capitalize|trim|center(5)|replace(' ', '.') }}
{{ '<b>'|e }} {{ '<b>'|safe }} {{ '<b>'|forceescape }} {{ '<b>x</b>'|striptags }} {{ '<' ~ title }} {{ '<'|safe ~ '>' }}
{{ number|round(1) }} {{ number|int }} {{ number|float }} {{ -3|abs }} {{ 12345|filesizeformat }}
{{ 'a b c'|wordcount }} {{ 'a b c'|truncate(3, true) }} {{ 'abc def'|wordwrap(3) }} {{ 'a\nb'|indent }}
{{ {'a': 1}|tojson }} {{ mapping|tojson }} {{ [1, {'b': '<'}]|tojson }}
{{ {'a': '<', 'b': none}|xmlattr }} {{ 'a b'|urlencode }} {{ {'a': 1}|urlencode }} {{ 'http://a.example'|urlize }}
{{ numbers|first }} {{ numbers|last }} {{ numbers|length }} {{ numbers|join }}
{{ numbers|reverse|list }} {{ numbers|sort }}
{{ words|map('upper')|map('lower')|join }} {{ words|map('replace', 'a', 'z')|list }}
{{ numbers|batch(2, '-')|map('list')|list }} {{ numbers|slice(2, '-')|list }}
{{ [1, 2, 1]|unique|list }} {{ ['b', 'A']|unique(case_sensitive=true)|list }}
{{ ['b', 'A']|sort(case_sensitive=true) }}
{{ title|default('d') }} {{ missing|default('d') }} {{ missing|d }} {{ ''|default('e', true) }}
{{ users|map(attribute='pair_plain.0')|list }} {{ users|map(attribute='plain_number')|first }}
{{ users|sort(attribute='plain_number')|map(attribute='plain_number')|list }}
{{ users|max(attribute='plain_number') is defined }}
{{ title|pprint }} {{ numbers|string }} {{ 'abc'|list }} {{ 'abc'|reverse }} {{ 'a'|format }}
{{ site_name }} {{ slow_global() }} {{ context_global() }} {{ slow_context_global() }}
{{ site.name }} {{ site.later }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ fetch() }}{{ c.next() }}{{ c.reset() }}
{% set j = joiner('|') %}{% for n in once %}{{ j() }}{{ fetch(n) }}{% endfor %}
{{ lipsum is callable }} {{ dict(a=fetch()).a }} {{ namespace(a=1).a }}
{{ day.isoformat() }} {{ day.year }} {{ day.replace(year=user.number + 2000) }} {{ day }}
{{ 'x,y'.split(',') }} {{ title.lower() }} {{ '%d'|format(user.number) }} {{ '{}-{}'.format(user.key, title) }}
{% raw %}{{ user.team }}{% endraw %} {# {{ user.team }} #}
{{ user._private }} {{ range(100001)|length }} {{ user.team.nothing }}
{{ user.unsafe() }}
  {%- if title -%}  trimmed  {%- endif -%}  x
{% autoescape false %}{{ '<' }}{{ user.html }}{% endautoescape %}{% autoescape true %}{{ '<' }}{% endautoescape %}
{{ 1 if title else 2 }} {{ (1 if false)|default('undefined') }} {{ title and number }} {{ not title }} {{ title or 0 }}
{{ "a" "b" }} {{ 1_000 }} {{ 1.5e3 }} {{ [1, 2][::-1] }} {{ (1,) }} {{ {'k': later}|length }} {{ true }} {{ none }}
"""

EXTENSIONS = """
{% trans %}Hello{% endtrans %}
{% trans %}Hello {{ title }}{% endtrans %}
{% trans name=user.key %}Hello {{ name }}{% endtrans %}
{% trans name=fetch('<n>') %}Hello {{ name }}{% endtrans %}
{% trans count=user.number %}one{% pluralize %}{{ count }} many{% endtrans %}
{% trans count=numbers|length, name=user.key %}one {{ name }}{% pluralize count %}{{ count }} {{ name }}{% endtrans %}
{% trans trimmed %}  a  {% endtrans %}
{{ _('Hello') }} {{ gettext('Hello %(n)s', n=user.key) }} {{ ngettext('one', '%(num)s', user.number) }}
{% trans 'menu' %}Open{% endtrans %} {{ pgettext('menu', 'Open') }}
{% for n in numbers %}{% if n == 2 %}{% continue %}{% endif %}{{ n }}{% endfor %}
{% for n in numbers %}{% if n == 2 %}{% break %}{% endif %}{{ n }}{% endfor %}
{% for n in once %}{% if fetch(n) == 2 %}{% break %}{% endif %}{{ n }}{% endfor %}{{ once|list }}
{% for n in once %}{% if n == user.two %}{% continue %}{% endif %}{{ n }}{% endfor %}
{% do stack.append(fetch(2)) %}{{ stack }}
{% do user.note('a') %}{% do user.note(user.number) %}{{ user.notes }}
{% set l = [] %}{% for n in once %}{% do l.append(user.number + n) %}{% endfor %}{{ l }}
{% do fetch() %}x
"""

FAILING = """
{{ once|length }}
{{ once|groupby(0)|list }}
{{ agen|batch(2)|list }}
{{ agen|sort }}
{% macro m(caller) %}{{ caller() if caller else 'none' }}{% endmacro %}{{ m() }}{% call m() %}c{% endcall %}
{% block a %}{{ super.name is defined }}{% endblock %}
{{ user.fails }}
{{ user['fails'] }}
{{ user.fails_later }}
{{ fail() }}
{{ fail_later() }}
{{ title|broken }}
{{ title|slowly_broken }}
{{ 1 / user.zero }}
{{ missing.attribute }}
{{ user.nothing.deeper }}
{{ missing() }}
{{ title() }}
{{ number + title }}
{{ agen|length }}
{{ agen|reverse }}
{{ agen[0].x }}
{{ 2 in agen }}
{{ '%s %s'|format(*agen) }}
{% for a, b in numbers %}{{ a }}{% endfor %}
{% for n in number %}{{ n }}{% endfor %}
{% for n in later %}{{ n }}{% endfor %}
{% for n in once %}{{ n }}{{ 1 // (n - 2) }}{% endfor %}
{% set a, b = once %}
{% include 'none.html' %}
{% include ['none.html', 'nor.html'] %}
{% extends 'none.html' %}
{% extends 'required.html' %}
{% import 'none.html' as m %}
{% from 'macros.html' import missing %}{{ missing() }}
{% import 'macros.html' as m %}{{ m.show() }}{{ m.show(1, 2, 3) }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1, 2) }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m(y=1) }}
{{ super() }}
{{ self.none() }}
{% block a %}{{ super() }}{% endblock %}
{{ title|unknown }}
{{ title is unknown }}
{% unknown %}
{{ title
{% for n in numbers %}
{% extends 'base.html' %}{% extends 'mid.html' %}
{{ user.__class__.__mro__ }}{{ unknown_end.x }}
{{ stack.append(1) }}{{ missing.x }}
"""


TABLES = (AWAITABLE, ONE_SHOT, MACROS, INHERITANCE, FILTERS, EXTENSIONS, FAILING)


class Later:
    """An awaitable that may be left alone."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return "<Later>"

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self.value


async def soon(value):
    """Give the value after a turn of the loop."""
    await asyncio.sleep(0)
    return value


class AwaitableAttributes:
    """What SQLAlchemy's `AsyncAttrs.awaitable_attrs` is: each attribute is a coroutine for that of the record."""

    def __init__(self, record):
        self._record = record

    def __getattr__(self, name):
        return soon(self._record.loaded[name])


class User:
    """A record whose relations are loaded when they are awaited."""

    def __init__(self, number=5):
        self.plain_number = number
        self.pair_plain = (number, 0)
        self.loaded = {"team": SimpleNamespace(title="Team <A>", members=["m", "n"])}
        self.notes = []
        self._private = "private"

    awaitable_attrs = property(AwaitableAttributes)
    team = property(lambda self: Later(Team()))
    number = property(lambda self: soon(self.plain_number))
    is_member = property(lambda _: soon(True))
    nobody = property(lambda _: Later(None))
    zero = property(lambda _: soon(0))
    two = property(lambda _: soon(2))
    key = property(lambda _: soon("coro"))
    pair = property(lambda _: soon(("p", "q")))
    list = property(lambda _: soon([5, 6]))
    html = property(lambda _: soon("<i>"))
    layout = property(lambda _: soon("base.html"))
    part = property(lambda _: soon("part.html"))

    @property
    def fails(self):
        """Fail at once, though not in a way that means that there is no such attribute."""
        raise RuntimeError("failed")

    @property
    def fails_later(self):
        """Fail when awaited."""
        return fail_later()

    def __repr__(self):
        return f"<User {self.plain_number}>"

    def plain(self):
        return "plain"

    def returns_later(self):
        return Later("r")

    def note(self, value):
        self.notes.append(value)

    async def load(self):
        return await soon(SimpleNamespace(title="loaded", members=["first"]))

    def unsafe(self):
        return "unsafe"

    unsafe.unsafe_callable = True  # type: ignore[attr-defined]  # which a sandbox doesn't call


class Team:
    """A record with an item and an attribute of one name."""

    title = property(lambda _: soon("Team <T>"))

    def __repr__(self):
        return "<Team>"

    def __getitem__(self, name):
        return soon(f"item {name}")


class Lazy(dict[str, object]):
    """A mapping whose values are awaitable."""

    def __getitem__(self, name):
        return soon(super().__getitem__(name))


async def fetch(value="fetched"):
    return await soon(value)


async def arange(stop):
    for number in range(stop):
        yield await soon(number)


async def each(items):
    for item in items:
        yield await soon(item)


async def branches():
    yield {"n": 3, "children": []}


def fail():
    raise RuntimeError("failed at once")


async def fail_later():
    await asyncio.sleep(0)
    raise RuntimeError("failed later")


def values():
    """Make what a template is given, anew, since templates use up and change some of it."""
    return {
        "title": "Title",
        "number": 2.25,
        "numbers": (1, 2, 3),
        "words": ["a", "b"],
        "day": datetime.date(2026, 1, 2),
        "user": User(),
        "users": [User(5), User(6)],
        "later": Later("later"),
        "laters": [Later("l"), Later("m")],
        "lazy": Lazy(coro="<c>"),
        "nested": Lazy(a=Lazy(b=Lazy(c="deep"))),
        "orders": [SimpleNamespace(customer=Later(SimpleNamespace(name=Later("Ann"))), total=Later(3))],
        "mapping": {"one": 1, "two": 2},
        "mapping_a": {"a": "A"},
        "stack": [1],
        "tree": [{"n": 1, "children": [{"n": 2, "children": []}]}],
        "once": iter([1, 2, 3]),
        "once_one": iter(["one"]),
        "pair": (letter for letter in "ab"),
        "pairs": zip("ab", "cd", strict=True),
        "rows": zip("ab", [1, 2], strict=True),
        "nested_rows": iter([(iter("ab"), "c")]),
        "deep_rows": iter([("a", iter("bc"))]),
        "deep_pair": iter(["a", iter("bc")]),
        "lists": iter([["a", "b"]]),
        "generators": ((letter for letter in "xy") for _ in range(2)),
        "zipped": enumerate("ab"),
        "reversed_": reversed([1, 2]),
        "letters": iter("ac"),
        "strings": iter("xy"),
        "templates_once": iter(["none.html", "part.html"]),
        "agen": arange(3),
        "agen_of_users": each([User(5), User(6)]),
        "items_of_later": lambda: Later([1, 2]),
        "fetch": fetch,
        "arange": arange,
        "branches": branches,
        "plain": lambda value="plain": value,
        "link": lambda value: Later(f"/{value}"),
        "apply": lambda function: function("applied"),
        "fail": fail,
        "fail_later": fail_later,
    }


def furnish(environment):
    """Give an environment its extensions, globals, filters and tests."""
    jinja2 = pytest.importorskip("jinja2")
    for extension in ("i18n", "loopcontrols", "do"):
        environment.add_extension(f"jinja2.ext.{extension}")
    environment.install_gettext_callables(
        lambda text: f"~{text}",
        lambda one, many, n: one if n == 1 else many,
        newstyle=True,
        pgettext=lambda where, text: where + text,
    )

    async def slow(value):
        return await soon(f"{value}~")

    async def slowly(value):
        return await soon(bool(value))

    async def slowly_bigger(value, than):
        return await soon(value > than)

    async def slow_global():
        return await soon("slow")

    @jinja2.pass_context
    async def slow_context_global(context):
        return await soon(context["title"])

    environment.globals.update(
        site_name="Site <1>",
        site={"name": "S", "later": Later("L")},
        slow_global=slow_global,
        context_global=jinja2.pass_context(lambda context: context["title"]),
        slow_context_global=slow_context_global,
    )
    environment.filters.update(
        shout=lambda text: f"{text}!",
        shout_later=lambda text: f"{text!r}!",
        slow=slow,
        returns_later=lambda value: Later(f"{value}+"),
        in_context=jinja2.pass_context(lambda context, value: f"{value}{context['number']}"),
        in_environment=jinja2.pass_environment(lambda env, value: f"{value}{env.is_async}"),
        in_eval_context=jinja2.pass_eval_context(lambda context, value: f"{value}{context.autoescape}"),
        broken=lambda _: fail(),
        slowly_broken=lambda _: fail_later(),
    )
    environment.tests.update(bigger=lambda value, than: value > than, slowly=slowly, slowly_bigger=slowly_bigger)
    return environment


SORTS = ["of a folder", "plain", "asynchronous", "sandboxed", "strict", "chaining", "native"]


def environment_of(sort, folder, **options):
    """Make an environment of one of the sorts; without more options it is as a user makes it, not in async mode."""
    jinja2 = pytest.importorskip("jinja2")
    sandbox, native = pytest.importorskip("jinja2.sandbox"), pytest.importorskip("jinja2.nativetypes")
    classes = {"sandboxed": sandbox.ImmutableSandboxedEnvironment, "native": native.NativeEnvironment}
    own = {
        "asynchronous": {"enable_async": True},
        "strict": {"undefined": jinja2.StrictUndefined},
        "chaining": {"undefined": type("Undefined", (jinja2.ChainableUndefined,), {"__html__": lambda _: "<?>"})},
    }.get(sort, {})
    loader = jinja2.FileSystemLoader(folder)
    return classes.get(sort, jinja2.Environment)(**{"loader": loader, "autoescape": sort != "native", **own, **options})


@pytest.fixture(scope="module", params=SORTS)
def pair(request, tmp_path_factory):
    """An application, and the environment in async mode that its pages must be as if rendered in."""
    folder = tmp_path_factory.mktemp("templates")
    for name, text in PARTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    if request.param == "of a folder":
        app = App(templates=folder)
        furnish(configuration(app).templates).globals.pop("url_for")
    else:
        app = App(templates=furnish(environment_of(request.param, folder)))
    return folder, app, furnish(environment_of(request.param, folder, enable_async=True))


async def outcome(render, name):
    """Give the text, or what native types make; or the type and the words of an error, up to an address in memory."""
    try:
        return repr(await render(name, **values()))
    except Exception as error:
        return type(error), str(error).partition(" object at 0x")[0]


@pytest.mark.parametrize("text", [text for table in TABLES for text in table.strip("\n").splitlines()])
def test_a_page_is_what_render_async_makes_of_it(pair, text):
    """The text, or the error; the first time and the second."""
    folder, app, environment = pair
    name = f"page{len([*folder.iterdir()])}.html"
    (folder / name).write_text(text, encoding="utf-8")

    async def as_jinja2(name, **context):
        return await environment.get_template(name).render_async(context)

    async def main():
        return [await outcome(render, name) for render in (as_jinja2, app._render_template, app._render_template)]

    expected, *ours = run(main())
    assert ours == [expected, expected]
