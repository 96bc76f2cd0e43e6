"""Records of every make: generic ones, aliases, what stays inside, what a form's files fill. BEHAVIOUR.md, point 13.

The packages are imported inside the tests: the other ones run without them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, NewType, NotRequired, Required, Self, TypedDict, TypeVar

import pytest

from micropie import App, FromBody, FromQuery, ServerSentEvent, UploadedFile
from tests.client import http, wait_for
from tests.contract.test_typed import (
    ANN,
    PICTURE,
    SECRET,
    Private,
    Public,
    Row,
    Zip,
    multipart,
    refused,
    showing,
    taking,
)
from tests.wire import websocket, wire

T = TypeVar("T")
Whole = TypeVar("Whole", bound=int)
Either = TypeVar("Either", int, bool)


@dataclass
class Page(Generic[T]):
    items: list[T]
    first: "T | None" = None
    hint: InitVar[T | None] = None
    _total: int = 0


@dataclass
class Book(Page[list[T]], Generic[T]):
    by_name: "dict[str, T] | None" = None


@dataclass
class Zips(Page[Zip]):
    title: str = ""


class Box(TypedDict, Generic[T]):
    inside: Required[T]
    more: NotRequired[list[T]]


class ZipBox(Box[Zip]):
    label: str


@dataclass
class Bound(Generic[Whole]):
    size: Whole


@dataclass
class Constrained(Generic[Either]):
    size: Either


ZIP = {"code": 1}
WRONG = {"code": SECRET}


# Generic records.


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (Page[Zip], {"items": [ZIP], "first": ZIP, "_total": 9}, Page([Zip(1)], Zip(1))),
        (Page[int], {"items": [1]}, Page([1])),
        (Page[Page[int]], {"items": [{"items": [1]}]}, Page([Page([1])])),
        (Book[Zip], {"items": [[ZIP]], "by_name": {"a": ZIP}}, Book([[Zip(1)]], by_name={"a": Zip(1)})),
        (Zips, {"items": [ZIP], "title": "a"}, Zips([Zip(1)], title="a")),
        (Box[Zip], {"inside": ZIP, "more": [ZIP]}, {"inside": Zip(1), "more": [Zip(1)]}),
        (ZipBox, {"inside": ZIP, "label": "a"}, {"inside": Zip(1), "label": "a"}),
        (Page, {"items": [ZIP]}, Page([ZIP])),
        (Bound, {"size": 5}, Bound(5)),
        (Constrained, {"size": True}, Constrained(True)),
        (Page[Zip] | None, {"items": []}, Page([])),
    ],
)
def test_13_a_generic_record_takes_its_arguments(annotation, body, value):
    """What its type variables stand for is what its members become, inherited ones too."""
    assert http(taking(annotation), "POST", json=body).text == repr(value)


@pytest.mark.parametrize(
    ("annotation", "body", "name"),
    [
        (Page[Zip], {"items": [WRONG]}, "items[0].code"),
        (Page[Zip], {"items": [], "first": WRONG}, "first.code"),
        (Page[int], {"items": [], "hint": SECRET}, "hint"),
        (Book[Zip], {"items": [[WRONG]]}, "items[0][0].code"),
        (Zips, {"items": [WRONG]}, "items[0].code"),
        (Box[int], {"inside": 1, "more": [SECRET]}, "more[0]"),
        (ZipBox, {"inside": WRONG, "label": "a"}, "inside.code"),
        (Bound, {"size": SECRET}, "size"),
    ],
)
def test_13_a_generic_record_refuses_what_its_arguments_do(annotation, body, name):
    """By the path inside the body."""
    assert http(taking(annotation), "POST", json=body).text == refused("expected an integer", name)


@pytest.mark.needs("typing_extensions")
def test_13_a_type_variable_may_have_a_default():
    """It stands where there is no argument (PEP 696)."""
    from typing_extensions import TypeVar as DefaultTypeVar

    Item = DefaultTypeVar("Item", default=Zip)

    @dataclass
    class Shelf(Generic[Item]):
        item: Item

    assert http(taking(Shelf), "POST", json={"item": ZIP}).text == repr(Shelf(Zip(1)))
    assert http(taking(Shelf[int]), "POST", json={"item": 5}).text == repr(Shelf(5))


def test_13_a_generic_record_takes_a_form():
    """The whole form, as any record; a generic one of the query too."""
    assert http(taking(Page[int]), "POST", data=[("items", "1"), ("items", "2")]).text == repr(Page([1, 2]))


@pytest.mark.parametrize(
    ("returns", "result", "text"),
    [
        (Page[Public], Page([Row()], Row()), f'{{"items":[{ANN}],"first":{ANN}}}'),
        (Page[Public], {"items": [Row()], "first": None, "total": SECRET}, f'{{"items":[{ANN}],"first":null}}'),
        (list[Page[Public]], [Page([Row()])], f'[{{"items":[{ANN}],"first":null}}]'),
        (Book[Public], Book([[Row()]]), f'{{"items":[[{ANN}]],"first":null,"by_name":null}}'),
        (Box[Public], {"inside": Row(), "x": SECRET}, f'{{"inside":{ANN}}}'),
        (tuple[int, Page[Public]], (201, Page([Row()])), f'{{"items":[{ANN}],"first":null}}'),
        (Page[Public] | Zip, Page([Row()]), f'{{"items":[{ANN}],"first":null}}'),
        (Page, Page([1]), '{"items":[1],"first":null}'),
    ],
)
def test_22_a_generic_record_shapes_the_reply(returns, result, text):
    """What its arguments keep inside stays inside."""
    assert http(showing(returns, result)).text == text


class Ranked(NamedTuple):
    rank: int
    who: Public


class Branch(NamedTuple):
    who: Public
    below: "list[Branch]"


class Couple(NamedTuple, Generic[T]):
    first: T
    second: T


class Named(TypedDict):
    name: str


class Outcome(NamedTuple):
    status: int
    body: Public


class Plain(NamedTuple):
    number: int
    below: "list[Plain]"


@dataclass
class Winner:
    ranked: Ranked


@dataclass
class Node:
    name: str
    next: Self | None = None
    below: list[Self] = field(default_factory=list)
    pages: "dict[str, Page[Self]] | None" = None


@dataclass
class Leaf(Node):
    password: str = SECRET


NODE = '{"name":"a","next":null,"below":[],"pages":null}'


@pytest.mark.parametrize(
    ("returns", "result", "text"),
    [
        (list[Ranked], [Ranked(1, Private("ann", 5))], f"[[1,{ANN}]]"),
        (Winner, Winner(Ranked(1, Private("ann", 5))), f'{{"ranked":[1,{ANN}]}}'),
        (list[Branch], [(Row(), [(Row(), [])])], f"[[{ANN},[[{ANN},[]]]]]"),
        (dict[str, Couple[Public]], {"a": (Row(), Row())}, f'{{"a":[{ANN},{ANN}]}}'),
        (Outcome, Outcome(201, Private("ann", 5)), ANN),
        (Outcome | None, Outcome(201, Private("ann", 5)), ANN),
        (list[Plain], [Plain(1, [])], "[[1,[]]]"),
        (list[Ranked] | list[Zip], [Ranked(1, Private("ann", 5))], f"[[1,{ANN}]]"),
    ],
)
def test_22_a_named_tuple_keeps_inside_what_its_items_do(returns, result, text):
    """It is a list in JSON; one of two or three is a status, a body and headers where a handler returns it."""
    assert http(showing(returns, result)).text == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Leaf("a"), NODE),
        (Node("b", next=Leaf("a")), f'{{"name":"b","next":{NODE},"below":[],"pages":null}}'),
        (Node("b", below=[Leaf("a")]), f'{{"name":"b","next":null,"below":[{NODE}],"pages":null}}'),
        (
            Node("b", pages={"x": Page([Leaf("a")])}),
            f'{{"name":"b","next":null,"below":[],"pages":{{"x":{{"items":[{NODE}],"first":null}}}}}}',
        ),
    ],
)
def test_22_self_is_the_record_that_it_stands_in(result, text):
    """What that keeps inside stays inside at every depth."""
    assert http(showing(Node, result)).text == text


def test_13_self_is_the_record_that_it_stands_in():
    """In what a client sends too."""
    body = {"name": "b", "below": [{"name": "a"}], "next": {"name": "c", "password": SECRET}}
    assert http(taking(Node), "POST", json=body).text == repr(Node("b", Node("c"), [Node("a")]))
    assert http(taking(Node), "POST", json={"name": "b", "next": {"name": 1}}).text == refused(
        "expected a string", "next.name"
    )


@pytest.mark.parametrize(
    ("returns", "result", "text"),
    [
        (list[int] | list[Public], [Private("ann", 5)], f"[{ANN}]"),
        (list[Public] | list[int], [1], "[1]"),
        (list[float] | list[Public], [1, 2.5], "[1,2.5]"),
        (list[int] | list[Public], [], "[]"),
        (list[Any] | Public, [1], "[1]"),
        (list[Annotated[int, "note"]] | list[Public], [Private("ann", 5)], f"[{ANN}]"),
        (dict[str, int] | dict[str, Public], {"a": Private("ann", 5)}, f'{{"a":{ANN}}}'),
        (dict[str, int] | Named, {"name": "ann", "password": SECRET}, '{"name":"ann"}'),
        (list[tuple[int, str]] | list[tuple[int, Public]], [(1, Private("ann", 5))], f"[[1,{ANN}]]"),
        (list[tuple[int, ...]] | list[Public], [(1, 2)], "[[1,2]]"),
        (list[tuple[int]] | list[tuple[int, Public]], [(1, Private("ann", 5))], f"[[1,{ANN}]]"),
        (list[list[int] | None] | list[list[Public]], [[Private("ann", 5)]], f"[[{ANN}]]"),
        (Iterator[str] | Public, iter(["a", "b"]), "ab"),
    ],
)
def test_22_a_union_looks_at_what_is_in_a_collection(returns, result, text):
    """A list of integers is no list of records."""
    assert http(showing(returns, result)).text == text


def test_22_a_union_refuses_a_collection_of_neither(caplog):
    """It would go out whole."""
    assert http(showing(list[int] | Public, [Private("ann", 5)])).status_code == 500
    assert "list has no 'name'" in caplog.text


@pytest.mark.parametrize(
    "returns",
    [
        Annotated[tuple[int, Public], "note"],
        NewType("Created", tuple[int, Public]),
        Annotated[tuple[int, Public] | None, "note"],
    ],
)
def test_22_a_status_stands_before_the_body_under_any_name(returns):
    """Of the type: an alias, or one with metadata."""
    answer = http(showing(returns, (201, Private("ann", 5))))
    assert (answer.status_code, answer.text) == (201, ANN)


@pytest.mark.parametrize(
    "returns",
    [
        Awaitable[Public],
        Coroutine[Any, Any, Public],
        Public | Awaitable[Public],
        Awaitable[tuple[int, Public]],
        asyncio.Future[Public],
    ],
)
def test_22_what_is_awaited_is_shaped(returns):
    """A handler that is no coroutine function may return what is one, and say so."""

    def index(self):
        async def later():
            return 200, Private("ann", 5)

        return later()

    index.__annotations__ = {"return": returns}
    assert http(type("Showing", (App,), {"index": index})()).text == ANN


@pytest.mark.parametrize(
    ("returns", "result", "text"),
    [
        (deque[int], deque([1, 2]), "[1,2]"),
        (Sequence[int], range(3), "[0,1,2]"),
        (dict[str, deque[int]], {"a": deque([1])}, '{"a":[1]}'),
        (Sequence[str], "text", "text"),
        (deque, deque([1]), "[1]"),
        (dict[str, set], {"a": {1}}, '{"a":[1]}'),  # type: ignore[type-arg]
    ],
)
def test_22_any_collection_is_a_list(returns, result, text):
    """As the document says, and as a parameter of the type is filled."""
    assert http(showing(returns, result)).text == text


class Endless:
    """A stream that can't be closed."""

    def __init__(self, chunks):
        self._chunks = iter(chunks)

    def __aiter__(self):
        return self

    async def __anext__(self):
        return next(self._chunks)


def later(chunks):
    async def stream():
        for chunk in chunks:
            yield chunk

    return stream()


@pytest.mark.parametrize(
    ("returns", "make"),
    [
        (AsyncIterator[Public], later),
        (AsyncGenerator[Public, None], later),
        (Iterator[Public], iter),
        (Generator[Public, None, None], lambda chunks: (chunk for chunk in chunks)),
        (Iterable[Public], iter),
        (Iterable[Public], later),
        (tuple[int, AsyncIterator[Public]], lambda chunks: (200, later(chunks))),
        (AsyncIterator[Public] | None, later),
    ],
)
def test_22_a_stream_keeps_inside_what_its_objects_do(returns, make):
    """Of each object, and of the data of an event; text goes out as it is."""
    chunks = [Private("ann", 5), ServerSentEvent(Private("ann", 5), event="new"), ServerSentEvent("x", id="1")]
    answer = http(showing(returns, make(chunks)), headers=[("Accept", "text/event-stream")])
    assert answer.text == f"data: {ANN}\n\nevent: new\ndata: {ANN}\n\nid: 1\ndata: x\n\n"
    assert http(showing(returns, make(["text"]))).text == "text"


@pytest.mark.parametrize("make", [later, iter, lambda chunks: (chunk for chunk in chunks), Endless])
def test_22_an_object_that_does_not_fit_ends_the_stream(make, caplog):
    """At its beginning as a 500, and cut off behind it."""
    returns = AsyncIterator[Public] if make in (later, Endless) else Iterator[Public]
    assert http(showing(returns, make([Zip(1)]))).status_code == 500
    assert "an object of the stream does not fit its annotation: Zip has no 'name'" in caplog.text
    caplog.clear()
    with pytest.raises(ConnectionError, match="broke off its reply"):
        http(showing(returns, make([Row(), Zip(1), Row()])))
    assert "Zip has no 'name'" in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
def test_22_a_stream_that_is_cut_off_is_closed(is_async):
    """What stands in its `finally` runs."""
    closed = []

    def stream():
        try:
            yield from (Row(), Zip(1))
        finally:
            closed.append(True)

    async def later_stream():
        try:
            yield Row()
            yield Zip(1)
        finally:
            closed.append(True)

    app = showing(AsyncIterator[Public] if is_async else Iterator[Public], later_stream() if is_async else stream())
    with pytest.raises(ConnectionError, match="broke off its reply"):
        http(app)
    wait_for(lambda: closed)  # a thread's may be closed a moment later


def test_22_a_stream_that_is_none_is_a_list_of_its_objects():
    """A handler may return all of them at once."""
    assert http(showing(Iterable[Public], [Row()])).text == f"[{ANN}]"


@pytest.mark.needs("msgspec", "attrs", "pydantic")
def test_13_generic_records_of_every_make():
    """Structs, attrs classes, models and pydantic's dataclasses."""
    import attrs
    import msgspec
    import pydantic
    from pydantic.dataclasses import dataclass as model_dataclass

    class Struct(msgspec.Struct, Generic[T]):
        items: list[T]

    @attrs.define
    class Attrs(Generic[T]):
        items: list[T]

    class Model(pydantic.BaseModel, Generic[T]):
        items: list[T]

    @model_dataclass
    class Data(Generic[T]):
        items: list[T]

    class Private(pydantic.BaseModel):
        name: str

    kinds: list[Any] = [Struct, Attrs, Model, Data]
    for kind in kinds:
        assert http(taking(kind[int]), "POST", json={"items": [1]}).text == repr(kind[int](items=[1]))
        assert http(taking(kind[int]), "POST", data=[("items", "1"), ("items", "2")]).text == repr(
            kind[int](items=[1, 2])
        )
        assert http(taking(kind[int]), "POST", json={"items": [SECRET]}).status_code == 400
        shown = Private if kind in (Model, Data) else Public
        held = {"name": "ann", "age": 5, "password": SECRET}
        answer = http(showing(kind[shown], {"items": [held]}))
        assert answer.text == ('{"items":[{"name":"ann"}]}' if shown is Private else f'{{"items":[{ANN}]}}')


# Aliases and NewTypes.

ZipAlias = NewType("ZipAlias", Zip)
ZipAliasAlias = NewType("ZipAliasAlias", ZipAlias)
TextAlias = NewType("TextAlias", "Zip")
NumbersAlias = NewType("NumbersAlias", list[int])


@pytest.mark.parametrize("annotation", [ZipAlias, ZipAliasAlias, TextAlias, ZipAlias | None, Annotated[ZipAlias, "a"]])
def test_13_a_new_type_of_a_record_takes_the_body(annotation):
    """What stands for a record takes the body as the record does."""
    assert http(taking(annotation), "POST", json=ZIP).text == repr(Zip(1))
    assert http(taking(annotation), "POST", data={"code": "1"}).text == repr(Zip(1))


def test_13_a_new_type_of_a_collection_takes_all_values():
    """As the collection does."""
    assert http(taking(NumbersAlias), query="it=1&it=2").text == "[1, 2]"


@pytest.mark.needs("typing_extensions")
def test_13_a_type_alias_of_a_record_takes_the_body_and_shapes_the_reply():
    """What `type X = Note` makes, generic too; on Python 3.11 `typing_extensions` makes it."""
    from typing_extensions import TypeAliasType

    notes = TypeAliasType("notes", Page[T], type_params=(T,))
    for annotation in (TypeAliasType("Alias", Page[Zip]), notes[Zip]):
        assert http(taking(annotation), "POST", json={"items": [ZIP]}).text == repr(Page([Zip(1)]))
        assert http(taking(annotation | None), "POST", json={"items": [ZIP]}).text == repr(Page([Zip(1)]))
        assert http(showing(annotation, Page([{"code": 1, "more": SECRET}]))).text == (
            '{"items":[{"code":1}],"first":null}'
        )


@pytest.mark.needs("typing_extensions")
def test_13_a_recursive_alias(monkeypatch):
    """JSON of any depth; a reply in which records are in records of the alias."""
    from typing_extensions import TypeAliasType

    Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")  # type: ignore[misc]  # noqa: N806
    Publics = TypeAliasType("Publics", "Public | list[Publics]")  # type: ignore[misc]  # noqa: N806
    monkeypatch.setitem(globals(), "Json", Json)
    monkeypatch.setitem(globals(), "Publics", Publics)
    value = {"a": [1, {"b": [None, "x"]}]}
    assert http(taking(Json), "POST", json={"it": value}).text == repr(value)
    assert http(taking(Json), "POST", json={"it": {"a": [1.5]}}).status_code == 400
    assert http(showing(Json, (200, {"a": (1,)}))).text == '{"a":[1]}'
    assert http(showing(Publics, [Row(), [Row()]])).text == f"[{ANN},[{ANN}]]"


@pytest.mark.needs("typing_extensions")
def test_13_an_alias_that_cannot_be_resolved_counts_as_no_annotation(caplog):
    """With one warning."""
    from typing_extensions import TypeAliasType

    assert http(taking(TypeAliasType("Broken", "Nowhere")), query="it=5").text == "'5'"  # noqa: F821
    assert len(caplog.records) == 1


# What stays inside.


@pytest.mark.needs("attrs")
def test_13_attrs_classes_are_made_by_their_constructor():
    """Converters and validators run; private and `init=False` members can't be set, under any of their names."""
    import attrs

    @attrs.define
    class Order:
        number: int
        _role: str = "user"
        id: int = attrs.field(init=False, default=7)
        size: int = attrs.field(default=1, converter=lambda value: value + 100, validator=attrs.validators.lt(200))
        alias: str = attrs.field(default="a", alias="also")
        total: int = attrs.Factory(lambda self: self.number * 2, takes_self=True)

    body = {"number": 1, "_role": "admin", "role": "admin", "id": 9, "size": 3, "alias": "b", "also": "c"}
    assert http(taking(Order), "POST", json=body).text == repr(attrs.evolve(Order(1), size=3, also="b"))
    assert http(taking(Order), "POST", data={key: str(value) for key, value in body.items()}).text == repr(
        attrs.evolve(Order(1), size=3, also="b")
    )
    assert http(taking(Order), "POST", json={"number": 1, "size": 100}).text == refused("expected a valid Order")
    assert http(taking(Order), "POST", json={"size": "3"}).text == (
        "400 Bad Request: Missing required parameter 'number'; Invalid value for parameter 'size': expected an integer"
    )
    assert http(showing(Order, Order(1))).text == '{"number":1,"id":7,"size":101,"alias":"a","total":2}'


@pytest.mark.needs("attrs")
def test_13_the_converter_of_an_attrs_class_says_what_it_takes():
    """Where its parameter has a type, that is the member's; builtins, classes and unknown names say nothing."""
    import attrs

    def split(text: str) -> list[str]:
        return text.split(",")

    def unknown(value: "Nowhere"):  # type: ignore[name-defined]  # noqa: F821
        return value

    @attrs.define
    class Tagged:
        tags: list[str] = attrs.field(converter=split)
        more: list[str] = attrs.field(factory=list, converter=attrs.Converter(split))  # type: ignore[misc]
        count: int = attrs.field(default="5", converter=int)  # type: ignore[assignment]
        pair: tuple[int, ...] = attrs.field(default=(), converter=tuple)
        odd: int = attrs.field(default=0, converter=unknown)

    assert http(taking(Tagged), "POST", json={"tags": "a,b", "more": "c", "pair": [1], "odd": 2}).text == (
        "Tagged(tags=['a', 'b'], more=['c'], count=5, pair=(1,), odd=2)"
    )
    assert http(taking(Tagged), "POST", json={"tags": ["a"]}).text == refused("expected a string", "tags")


@pytest.mark.needs("attrs")
def test_13_a_validator_of_attrs_may_raise_a_type_error():
    """`instance_of` does; the client gets a 400."""
    import attrs

    @attrs.define
    class Strict:
        size: Any = attrs.field(validator=attrs.validators.instance_of(int))

    assert http(taking(Strict), "POST", json={"size": SECRET}).text == refused("expected a valid Strict")


@pytest.mark.needs("attrs")
def test_13_old_attrs_classes_have_types_without_annotations():
    """`attr.ib(type=int)`; a private member without a default is taken, since the class can't do without it."""
    import attr

    @attr.s
    class Old:
        size = attr.ib(type=int)
        anything = attr.ib(default=None)
        _key = attr.ib(type=int, kw_only=True)

    assert http(taking(Old), "POST", json={"size": 1, "anything": [2], "_key": 3}).text == repr(Old(1, [2], key=3))
    assert http(taking(Old), "POST", json={"size": 1, "key": 3}).text == (
        "400 Bad Request: Missing required parameter '_key'"
    )


@pytest.mark.needs("msgspec", "attrs", "pydantic")
def test_13_private_members_of_structs_stay_inside():
    """At any depth, whatever is around them; so do those of what else stands in a Struct, which may be a model."""
    import attrs
    import msgspec
    import pydantic

    @dataclass
    class Data:
        a: int
        _role: str = "user"
        id: int = field(init=False, default=7)

    @attrs.define
    class Attrs:
        a: int
        _role: str = "user"
        id: int = attrs.field(init=False, default=7)

    class Model(pydantic.BaseModel):
        a: int

    class Inner(msgspec.Struct):
        a: int = 0
        _role: str = "user"

    class Keys(TypedDict):
        inner: Inner

    class Names(NamedTuple):
        inner: Inner

    class Outer(msgspec.Struct):
        inner: Inner | None = None
        items: list[Inner] = []
        pair: tuple[int, Inner] | None = None
        named: dict[str, Inner] = {}
        keys: Keys | None = None
        names: Names | None = None
        data: Data | str | None = None
        attr: Attrs | None = None
        model: Model | None = None
        limited: Annotated[list[Inner], msgspec.Meta(max_length=2, extra={"a": 1})] = []
        strange: Sequence[int] = ()

    sent = {"a": 1, "_role": "admin", "id": 9}
    kept = "Inner(a=1, _role='user')"
    for name, value, shown in [
        ("inner", sent, kept),
        ("items", [sent, sent], f"[{kept}, {kept}]"),
        ("pair", [5, sent], f"(5, {kept})"),
        ("named", {"x": sent}, f"{{'x': {kept}}}"),
        ("keys", {"inner": sent}, f"{{'inner': {kept}}}"),
        ("names", [sent], f"Names(inner={kept})"),
        ("data", sent, repr(Data(1))),
        ("data", "text", "'text'"),
        ("attr", sent, repr(Attrs(1))),
        ("model", sent, repr(Model(a=1))),
        ("limited", [sent], f"[{kept}]"),
        ("strange", [1], "[1]"),
    ]:
        assert f"{name}={shown}" in http(taking(Outer), "POST", json={name: value}).text
    assert http(taking(Outer), "POST", json={"data": {"a": SECRET}}).text == refused("expected an integer", "data.a")
    assert http(taking(Outer), "POST", json={"items": [{"a": 1}, {"a": "x"}]}).text == refused(
        "expected int", "items[1].a"
    )
    for wrong in ({"inner": 5}, {"items": 5}, {"pair": 5}, {"pair": [1]}, {"named": 5}, {"keys": 5}, {"model": 5}):
        assert http(taking(Outer), "POST", json=wrong).status_code == 400
    assert http(taking(Inner), "POST", data={"a": "1", "_role": "admin"}).text == kept


@pytest.mark.needs("msgspec")
def test_13_a_struct_with_a_type_that_nothing_makes():
    """Takes no JSON for it, as msgspec does."""
    import msgspec

    class Strange: ...

    class Odd(msgspec.Struct):
        name: str
        strange: Strange | None = None

    assert http(taking(Odd), "POST", json={"name": "a"}).text == repr(Odd("a"))
    assert http(taking(Odd), "POST", json={"name": "a", "strange": 1}).text == refused("expected Strange", "strange")


@pytest.mark.needs("msgspec")
def test_13_a_strict_struct_refuses_a_private_member():
    """As any other that it does not know, if it forbids those."""
    import msgspec

    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        a: int = 0
        _role: str = "user"

    assert http(taking(Strict), "POST", json={"_role": "admin"}).text == refused("expected a valid value")
    assert http(taking(Strict), "POST", json={"a": 1}).text == "Strict(a=1, _role='user')"


@pytest.mark.needs("msgspec")
def test_13_a_struct_that_is_a_list_ends_before_its_first_private_member():
    """What comes behind can't be sent, nor is it shown in a list: it would stand where another member is expected."""
    import msgspec

    class Other(msgspec.Struct, array_like=True, tag="other"):
        a: int
        _role: str = "user"

    class Line(msgspec.Struct, array_like=True, tag="line"):
        a: int
        inner: Other | None = None
        _role: str = "user"
        z: int = 0

    sent = ["line", 1, ["other", 2, "admin"], "admin", 9]
    assert http(taking(Annotated[Line, FromBody()]), "POST", json=sent).text == repr(Line(1, Other(2)))
    assert http(taking(Line), "POST", json={"a": 1}).text == refused("expected array")
    line = Line(1, Other(2, "admin"), "admin", 9)
    assert http(showing(Line, line)).text == '{"type":"line","a":1,"inner":{"type":"other","a":2},"z":9}'
    assert http(showing(Any, line)).text == '["line",1,["other",2]]'


@pytest.mark.needs("msgspec")
def test_13_structs_of_a_union_are_told_apart_by_their_tags():
    """In objects and in lists; what is private in one of them may be public in another."""
    import msgspec

    class Cat(msgspec.Struct, tag="cat"):
        _lives: int = 9

    class Dog(msgspec.Struct, tag="dog"):
        name: str
        lives: int = msgspec.field(default=1, name="_lives")

    class Pets(msgspec.Struct):
        pet: Cat | Dog

    assert http(taking(Pets), "POST", json={"pet": {"type": "cat", "_lives": 1}}).text == repr(Pets(Cat()))
    dog = {"type": "dog", "name": "a", "_lives": 2}
    assert http(taking(Pets), "POST", json={"pet": dog}).text == repr(Pets(Dog("a", 2)))


@pytest.mark.needs("msgspec")
def test_13_a_struct_inside_itself(monkeypatch):
    """Its private members stay inside at any depth."""
    import msgspec

    class Node(msgspec.Struct):
        nodes: "list[Node]" = []
        _role: str = "user"

    monkeypatch.setitem(globals(), "Node", Node)
    sent = {"nodes": [{"nodes": [{"_role": "admin"}], "_role": "admin"}]}
    assert http(taking(Node), "POST", json=sent).text == repr(Node([Node([Node()])]))


@pytest.mark.needs("pydantic")
def test_13_private_fields_of_dataclasses_in_models_stay_inside():
    """Those of pydantic's own and those of the standard library, taken and shown."""
    import pydantic
    from pydantic.dataclasses import dataclass as model_dataclass

    @model_dataclass
    class Data:
        a: int
        _role: str = "user"
        _key: int = field(kw_only=True)
        id: int = pydantic.Field(default=7, init=False)

    @dataclass
    class Plain:
        a: int
        _role: str = "user"
        id: int = field(init=False, default=7)

    class Model(pydantic.BaseModel):
        plain: Plain
        many: list[Plain] = []
        default: dict[str, Any] = {"type": "dataclass-field"}

    sent = {"a": 1, "_role": "admin", "id": 9, "_key": 5}
    assert http(taking(Data), "POST", json=sent).text == repr(Data(1, _key=5))
    assert http(taking(Plain), "POST", json=sent).text == repr(Plain(1))
    assert http(taking(Model), "POST", json={"plain": sent, "many": [sent]}).text == repr(
        Model(plain=Plain(1), many=[Plain(1)])
    )
    assert http(taking(Annotated[list[Plain], pydantic.Field(max_length=2)]), "POST", json={"it": [sent]}).text == repr(
        [Plain(1)]
    )
    assert http(showing(Data, Data(1, "admin", _key=5))).text == '{"a":1,"id":7}'
    assert http(showing(Model, Model(plain=Plain(1, "admin")))).text == (
        '{"plain":{"a":1,"id":7},"many":[],"default":{"type":"dataclass-field"}}'
    )
    assert http(showing(Any, {"it": Data(1, "admin", _key=5)})).text == '{"it":{"a":1,"id":7}}'
    assert http(showing(Any, [Model(plain=Plain(1, "admin"), default={})])).text == (
        '[{"plain":{"a":1,"id":7},"many":[],"default":{}}]'
    )


@pytest.mark.needs("msgspec", "attrs", "pydantic")
def test_22_private_members_are_never_shown():
    """With an annotation and without one, whichever library made the record."""
    import attrs
    import msgspec
    import pydantic

    class Struct(msgspec.Struct, rename={"size_": "size"}):
        size_: int = 1
        _p: str = SECRET

    @attrs.define
    class Attrs:
        size: int = 1
        _p: str = SECRET

    @dataclass
    class Data:
        size: int = 1
        _p: str = SECRET

    class Model(pydantic.BaseModel):
        size: int = 1
        _p: str = pydantic.PrivateAttr(SECRET)

    for kind in (Struct, Attrs, Data, Model):
        assert http(showing(kind, kind())).text == '{"size":1}'
        assert http(showing(Any, kind())).text == '{"size":1}'
        assert http(showing(Any, {"it": [kind()]})).text == '{"it":[{"size":1}]}'


@pytest.mark.needs("msgspec")
def test_22_an_unannotated_struct_is_shown_as_msgspec_shows_it():
    """Its tag, other names, bytes in base64, nothing that is unset, and no defaults where it leaves them out."""
    import msgspec

    class Pie(msgspec.Struct, tag="pie", omit_defaults=True, rename="camel"):
        kind_of: str = "plum"
        raw: bytes = b"\x00"
        more: list[int] = []
        unset: int | msgspec.UnsetType = msgspec.UNSET
        _key: int = 1

    class Box(msgspec.Struct):
        pie: Pie

    assert http(showing(Any, Pie())).text == '{"type":"pie"}'
    box = Box(Pie("apple", b"\xff", [1], 5))
    shown = '{"pie":{"type":"pie","kindOf":"apple","raw":"/w==","more":[1],"unset":5}}'
    assert http(showing(Any, box)).text == shown == msgspec.json.encode(box).decode()
    assert http(showing(Pie, Pie())).text == '{"type":"pie","kindOf":"plum","raw":"AA==","more":[]}'


# What can never be made is found when the application is made.


@dataclass(init=False)
class Own:
    size: int
    more: int = 0

    def __init__(self, size): ...


@pytest.mark.needs("msgspec", "attrs")
def test_13_a_record_that_cannot_be_made_is_warned_about(caplog):
    """A constructor that does not take the members; types that msgspec does not know."""
    import attrs
    import msgspec

    class Small(msgspec.Struct):
        size: int

    class Large(msgspec.Struct):
        size: int

    class Struct(msgspec.Struct):
        size: Small | Large  # which msgspec could not tell apart, since they have no tags

    @attrs.define(init=False)
    class Attrs:
        size: int

        def __init__(self, other): ...

    for kind in (Own, Attrs, Struct):
        caplog.clear()
        assert http(taking(kind), query="it=5").text == "'5'"
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "gets its value as it comes" in caplog.text


# Metadata that is nobody's business; other collections.


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Annotated[int, {"doc": "x"}], 5),
        (Annotated[int, FromQuery(), {"doc": "x"}], 5),
        (Annotated[list[int], ["note"], {"a": {}}], [5, 6]),
        (list[Annotated[int, {"doc": "x"}]], [5, 6]),
        (deque[int], deque([5, 6])),
        (MutableSequence[int], [5, 6]),
        (MutableSet[int], {5, 6}),
    ],
)
def test_13_unknown_metadata_is_ignored(annotation, value, caplog):
    """Nothing is warned about, and the value is converted; any kind of collection takes all values of its name."""
    app = taking(annotation)
    assert caplog.text == ""
    assert http(app, query="it=5&it=6").text == repr(value)


def test_13_null_inside_a_collection():
    """`None` as an argument is the type of null."""
    assert http(taking(list[None]), "POST", json={"it": [None]}).text == "[None]"
    assert http(taking(dict[str, None]), "POST", json={"it": {"a": 1}}).text == refused("expected null", "it.*")


@dataclass
class Generally(Generic[T]):
    items: list[T]


def test_13_metadata_that_cannot_be_hashed_inside_a_record():
    """A generic record takes it, and shapes a reply by it."""
    annotation = Generally[Annotated[Public, {"doc": "x"}]]
    held = {"name": "ann", "age": 5, "password": SECRET}
    assert http(taking(annotation), "POST", json={"items": [held]}).text == repr(Generally([Public("ann", 5)]))
    assert http(showing(annotation, Generally([held]))).text == f'{{"items":[{ANN}]}}'


# Defaults.


@dataclass
class Basket:
    items: list[str] = field(default_factory=list)


class Locked(list[str]):
    """A list that can't be copied."""

    def __deepcopy__(self, memo):
        raise TypeError


SHARED = Locked()
KEPT = object()


class Defaults(App):
    async def typed(self, tags: list[str] = []):  # noqa: B006
        tags.append("x")
        return tags

    async def untyped(self, tags=[], n=1):  # noqa: B006
        tags.append(n)
        return tags

    async def record(self, basket: Basket = Basket()):  # noqa: B008
        basket.items.append("x")
        return basket.items

    async def nested(self, pair=([], 1)):
        pair[0].append("x")
        return pair[0]

    async def keyword(self, *, tags=[], **rest):  # noqa: B006
        tags.append("x")
        return [tags, rest]

    async def shared(self, tags=SHARED):
        return tags is SHARED

    async def kept(self, service=KEPT):
        return service is KEPT

    async def ws_tags(self, ws, tags: list[str] = []):  # noqa: B006
        tags.append("x")
        await ws.accept()
        await ws.send_json(tags)


@pytest.mark.parametrize("path", ["/typed", "/untyped", "/record", "/nested", "/keyword"])
def test_13_a_mutable_default_is_copied_for_each_call(path):
    """What one visitor's request puts into it no other one sees."""
    app = Defaults()
    assert http(app, path=path).text == http(app, path=path).text
    assert http(app, "POST", path, json={}).text == http(app, path=path).text


def test_13_other_defaults_are_handed_over_as_they_are():
    """What can be hashed is no list to be filled; what can't be copied stays one for all."""
    assert http(Defaults(), path="/shared").text == "true"
    assert http(Defaults(), path="/kept").text == "true"


def test_13_an_untyped_handler_with_a_mutable_default_binds_as_ever():
    """By segment, query, form, JSON value, and with the words of untyped handlers."""
    app = Defaults()
    assert http(app, query="n=5", path="/untyped").json() == ["5"]
    assert http(app, "POST", "/untyped", json={"tags": [1], "n": {"a": 1}}).json() == [1, {"a": 1}]
    assert http(app, path="/keyword", query="a=1").json() == [["x"], {"a": "1"}]


def test_34_a_mutable_default_of_a_websocket_handler_is_copied():
    """For each connection."""
    app = Defaults()
    assert websocket(app, "/tags").sent == websocket(app, "/tags").sent == ['["x"]']


# Files in a record.


@dataclass
class Upload:
    title: str
    picture: UploadedFile
    more: list[UploadedFile] = field(default_factory=list)
    either: "int | UploadedFile | None" = None


class Files(TypedDict):
    picture: UploadedFile


@dataclass
class Pair:
    files: tuple[UploadedFile, UploadedFile]


async def contents(files):
    """The text of each of the files."""
    return [(await file.read()).decode() for file in files]


class Uploading(App):
    async def index(self, it: Upload):
        either = it.either if isinstance(it.either, int | None) else await contents([it.either])
        return [it.title, await contents([it.picture]), await contents(it.more), either]

    def sync(self, it: Upload):
        return [it.title, it.picture.read().decode()]

    async def typed_dict(self, it: Files):
        return await contents(it.values())

    async def pair(self, it: Pair):
        return await contents(it.files)

    async def named(self, it: Annotated[dict[str, UploadedFile], FromBody()]):
        return dict(zip(it, await contents(it.values()), strict=True))

    async def texts(self, it: Annotated[dict[str, str], FromBody()]):
        return it

    async def optional(self, it: Upload | None = None):
        return it is None


TITLE, MORE = ("title", "a"), [("more", "x", "", b"1"), ("more", "y", "", b"2")]


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    ("path", "parts", "value"),
    [
        ("/", [TITLE, PICTURE], ["a", ["png"], [], None]),
        ("/", [PICTURE, *MORE, TITLE], ["a", ["png"], ["1", "2"], None]),
        ("/", [PICTURE, TITLE, ("either", "5")], ["a", ["png"], [], 5]),
        ("/", [PICTURE, TITLE, ("either", "f", "", b"5")], ["a", ["png"], [], ["5"]]),
        ("/sync", [TITLE, PICTURE], ["a", "png"]),
        ("/typed_dict", [TITLE, PICTURE], ["png"]),
        ("/pair", [("files", "x", "", b"1"), ("files", "y", "", b"2")], ["1", "2"]),
        ("/named", [TITLE, PICTURE], None),
        ("/texts", [TITLE, PICTURE], {"title": "a"}),
        ("/optional", [], True),
    ],
)
def test_20_a_record_is_filled_from_a_form_with_files(path, parts, value):
    """One file, all of a field, a text in its place where the type allows that, none where one may do without."""
    answer = wire(Uploading(), "POST", path, **multipart(parts))
    if value is None:
        assert answer.text == refused("expected a file", "*")
    else:
        assert answer.json() == value


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ([TITLE], "Missing required parameter 'picture'"),
        ([TITLE, ("picture", SECRET)], "Invalid value for parameter 'picture': expected a file"),
        ([PICTURE, ("title", SECRET, "", b"1")], "Invalid value for parameter 'title': expected a string"),
        ([TITLE, PICTURE, ("more", SECRET)], "Invalid value for parameter 'more[0]': expected a file"),
        (
            [TITLE, PICTURE, ("either", SECRET)],
            "Invalid value for parameter 'either': expected an integer or a file",
        ),
    ],
)
def test_20_a_form_that_does_not_fit_a_record_with_files(parts, fault):
    """Texts are no files, and files no texts."""
    assert wire(Uploading(), "POST", "/", **multipart(parts)).text == f"400 Bad Request: {fault}"


def test_20_json_is_no_file():
    """However much it looks like one."""
    picture = {"filename": "a", "content_type": "b", "content": "c"}
    assert http(Uploading(), "POST", json={"title": "a", "picture": picture}).text == refused(
        "expected a file", "picture"
    )


@pytest.mark.needs("multipart", "msgspec", "attrs")
def test_20_structs_and_attrs_classes_are_filled_with_files():
    """As dataclasses are."""
    import attrs
    import msgspec

    class Struct(msgspec.Struct):
        picture: UploadedFile
        more: list[UploadedFile] = []

    @attrs.define
    class Attrs:
        picture: UploadedFile
        more: list[UploadedFile] = attrs.field(factory=list)

    for kind in (Struct, Attrs):

        async def index(self, it):
            return await contents([it.picture, *it.more])

        index.__annotations__ = {"it": kind}
        app = type("Taking", (App,), {"index": index})()
        assert wire(app, "POST", "/", **multipart([PICTURE, *MORE])).json() == ["png", "1", "2"]
        assert wire(app, "POST", "/", **multipart([("picture", "x")])).text == refused("expected a file", "picture")
        assert http(app, "POST", json={"picture": {}}).text == refused("expected a file", "picture")


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (dict, "{'filename': 'a.png'"),
        (dict[str, Any], "{'filename': 'a.png'"),
        (Mapping[str, object], "{'filename': 'a.png'"),
        (dict[str, Any] | None, "{'filename': 'a.png'"),
        (dict[str, int], refused("expected an integer", "picture.*").partition("*")[0]),
        (dict[str, str], refused("expected a string", "picture.*")),
        (list[dict[str, Any]], refused("expected a list", "picture")),
    ],
)
def test_20_a_file_is_a_dict_of_anything(annotation, text):
    """One of a certain type it is not, and says so."""

    async def index(self, picture):
        return repr(picture)

    index.__annotations__ = {"picture": annotation}
    app = type("Taking", (App,), {"index": index})()
    assert wire(app, "POST", "/", **multipart([PICTURE])).text.startswith(text)


@pytest.mark.needs("multipart")
@pytest.mark.parametrize("annotation", [Sequence[UploadedFile], set[UploadedFile], list[UploadedFile] | None])
def test_20_any_collection_of_files(annotation):
    """Becomes a list, since files can't be in a set."""

    async def index(self, it):
        return [type(it) is list, await contents(it)]

    index.__annotations__ = {"it": annotation}
    app = type("Taking", (App,), {"index": index})()
    assert wire(app, "POST", "/", **multipart([("it", "x", "", b"1"), ("it", "y", "", b"2")])).json() == [
        True,
        ["1", "2"],
    ]
