"""The pages of the public names leave nothing out: no name, no member, no parameter, no example."""

import re
from pathlib import Path

import public_names
import pytest
from public_names import Member, Public

PAGES = sorted((Path(__file__).parents[2] / "docs" / "api").glob("*.md"))
NAMES = [
    (module, name)
    for module in public_names.MODULES
    for name in public_names.names_of(module)
    if public_names.home_of(name) == module
]


def listed() -> list[tuple[str, str]]:
    """The names on the pages, with their modules."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"^```\{public\} (\S+)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    return [(module, name) for module, names in blocks for name in names.split()]


def names_word(doc: str, word: str) -> bool:
    """True if a docstring has the word, in its prose or in its examples."""
    return re.search(rf"\b{re.escape(word)}\b", doc) is not None


def is_told_of(member: Member, owner: Public) -> bool:
    """True if a member has a docstring, or that of the class names it."""
    return bool(member.doc) or re.search(rf"`[^`]*\b{member.name}\b[^`]*`", owner.doc) is not None


def test_every_battery_is_in_the_list():
    """Each package that says what is public in it."""
    packages = (Path(__file__).parents[2] / "src" / "micropie").glob("*/__init__.py")
    found = {f"micropie.{path.parent.name}" for path in packages if "__all__" in path.read_text("utf-8")}
    assert found - set(public_names.MODULES) == set()


def test_every_public_name_is_on_one_page():
    """Those of `micropie`, and those of each battery."""
    assert sorted(listed()) == sorted(NAMES)


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}.{name}" for module, name in NAMES])
def test_nothing_public_is_undocumented(module, name):
    """A name has a docstring with an example that Python reads; every parameter is in a docstring, and every member."""
    public = public_names.read(module, name)
    assert public_names.prose_of(public.doc)
    assert public_names.examples_of(public.doc)
    assert [example for example in public_names.examples_of(public.doc) if not public_names.is_python(example)] == []
    assert [one for one in public.parameters if not names_word(public.doc, one)] == []
    assert [member.name for member in public.members if not is_told_of(member, public)] == []
    assert [
        f"{member.name}({one})"
        for member in public.members
        for one in member.parameters
        if not names_word(member.doc, one)
    ] == []


def test_every_public_name_has_an_address(site):
    """On the page that lists it, and so that links may name it."""
    pages = "".join(page.read_text("utf-8") for page in (site / "api").glob("*.html"))
    assert [f"{module}.{name}" for module, name in NAMES if f'id="{module}.{name}"' not in pages] == []


def test_what_is_left_out_is_there():
    """The list of members that are not for users names none that is gone."""
    owners = {name: getattr(__import__(module, fromlist=[name]), name) for module, name in NAMES}
    known = {
        name: {member.name for member in public_names.all_members(value)}
        for name, value in owners.items()
        if isinstance(value, type)
    }
    assert [one for one in sorted(public_names.OURS) if one.partition(".")[2] not in known[one.partition(".")[0]]] == []
    assert owners.keys() >= public_names.MADE_BY_US


def test_signatures_are_as_they_are_written():
    """Constants among the defaults are shown by their values, long numbers with `_`, and coroutines as such."""
    app = public_names.read("micropie", "App").signature
    assert app is not None
    assert app.startswith(
        "(session_backend: SessionBackend | str | None=None, *, max_body_size: int | None=16_777_216, "
    )
    websocket = {member.name: member for member in public_names.read("micropie", "WebSocket").members}
    assert websocket["receive_text"].is_async
    assert websocket["receive_text"].signature == "() -> str"
    assert websocket["choose_subprotocol"].signature == "(*known: str) -> str | None"


def test_code_in_a_docstring_is_known_by_its_indent_or_by_python():
    """Prose is none, though it has code in it."""
    blocks = public_names.blocks_of("Serve `it`.\n\nclass A:\n    x = 1\n\nThat is all:\n\n    run(it)\n\n    run(it)")
    assert [(block.text, block.is_code) for block in blocks] == [
        ("Serve `it`.", False),
        ("class A:\n    x = 1", True),
        ("That is all:", False),
        ("run(it)\n\nrun(it)", True),
    ]
