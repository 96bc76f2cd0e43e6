"""`url_for` and the records that take the whole query.

The packages are imported inside the tests: the other ones run without them.
"""

import datetime as dt
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest

from micropie import App, FromQuery, form_action, url_for
from tests.client import http

ID = UUID("123e4567-e89b-12d3-a456-426614174000")


class Sort(Enum):
    TITLE = "title"
    AGE = "age"


@dataclass
class Wanted:
    page: int = 1
    sort: str = "age"
    tags: list[str] = field(default_factory=list)
    state: str | None = None


@dataclass
class Everything:
    q: str
    sort: Sort = Sort.AGE
    day: dt.date | None = None
    at: dt.datetime | None = None
    lasts: dt.timedelta = dt.timedelta(hours=1)
    id: UUID | None = None
    is_open: bool = True
    ratio: float = 0.5
    sizes: frozenset[int] = frozenset()
    kind: Literal["a", "b"] = "a"
    _private: int = 0
    made: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC), init=False, compare=False)


class Asked(TypedDict, total=False):
    page: int
    tags: list[str]


@dataclass
class Cat:
    lives: int = 9


@dataclass
class Dog:
    lives: int = 9
    kind: Literal["dog"] = "dog"


def site(annotation, default=...):
    """An application whose `index` takes the annotation from the query, and keeps what it was given."""

    class Site(App):
        async def index(self, wanted, *, only=None):
            self.got = wanted
            return "OK"

        index.__annotations__["wanted"] = Annotated[annotation, FromQuery()]
        if default is not ...:
            index.__defaults__ = (default,)

    return Site()


def read(app, url) -> Any:
    """What the handler is given by a request for the URL."""
    path, _, query = url.partition("?")
    assert http(app, path=path, query=query).text == "OK"
    return app.got


def back(record, kind=None):
    """The URL for a record, which its handler reads as an equal one."""
    app = site(kind or type(record))
    url = url_for(app.index, wanted=record)
    assert read(app, url) == record
    return url


# What is written.


def test_a_record_of_defaults_needs_no_query():
    """Neither given nor left out: the bare path is what the handler reads as the defaults."""
    app = site(Wanted)
    assert url_for(app.index) == url_for(app.index, wanted=Wanted()) == url_for(app.index, wanted=None) == "/"
    assert read(app, "/") == Wanted()


def test_members_are_fields():
    """A record is spread; what is equal to a default is left out."""
    assert back(Wanted(page=2, sort="title")) == "/?page=2&sort=title"
    assert back(Wanted(tags=["b", "a b"], state="open")) == "/?tags=b&tags=a+b&state=open"


def test_members_are_keywords():
    """Without a record, and without importing its class."""
    app = site(Wanted)
    assert url_for(app.index, page=2) == "/?page=2"
    assert url_for(app.index, sort="title", page="2", tags=["x"], state=None) == "/?sort=title&page=2&tags=x"
    assert url_for(app.index, page=1, sort="") == "/"


def test_keywords_go_before_the_members_of_a_record():
    """So the next page of a search is the record that the handler was given, and a number; None takes a member out."""
    app = site(Wanted)
    wanted = Wanted(page=2, sort="title", state="open")
    assert url_for(app.index, wanted=wanted, page=3) == "/?sort=title&state=open&page=3"
    assert url_for(app.index, wanted=wanted, state=None, page=1) == "/?sort=title"


def test_values_are_written_as_handlers_read_them():
    """Enums, dates, times, numbers, booleans, sets and a Literal; private members are not the client's."""
    assert back(Everything("a&b")) == "/?q=a%26b"
    moment = dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC)
    every = Everything(
        "x", Sort.TITLE, dt.date(2024, 1, 2), moment, dt.timedelta(minutes=5), ID, False, 1, frozenset({1, 2}), "b"
    )
    assert back(every) == (
        f"/?q=x&sort=title&day=2024-01-02&at=2024-01-02T03%3A04%3A00%2B00%3A00&lasts=P0DT300S&id={ID}&is_open=false"
        "&ratio=1&sizes=1&sizes=2&kind=b"
    )


def test_a_typed_dict_is_spread():
    """What is in it, since it has no defaults."""
    assert back({"page": 1, "tags": ["x", "y"]}, Asked) == "/?page=1&tags=x&tags=y"
    assert back({}, Asked) == "/"


def test_a_dict_may_stand_for_a_record():
    """Its keys are the members."""
    app = site(Wanted)
    assert url_for(app.index, wanted={"page": 2, "tags": []}) == "/?page=2"
    with pytest.raises(TypeError, match="has no member 'pag' in 'wanted'"):
        url_for(app.index, wanted={"pag": 2})


def test_one_of_several_records_is_told_apart():
    """A field that is equal to its default stays where the query would mean another record without it."""
    assert back(Cat(), Cat | Dog) == "/"
    assert back(Cat(8), Cat | Dog) == "/?lives=8"
    app = site(Dog | Cat)
    assert url_for(app.index, wanted=Dog(7)) == "/?lives=7"
    with pytest.raises(TypeError, match=r"can't have Cat\(lives=9\) in its query: that is read as a Dog"):
        url_for(app.index, wanted=Cat())


def test_a_default_of_the_parameter_is_what_no_query_means():
    """So a record that differs from it is written, with its defaults if need be."""
    app = site(Wanted | None, None)
    assert url_for(app.index) == url_for(app.index, page=None) == "/"
    assert read(app, "/") is None
    assert url_for(app.index, wanted=Wanted()) == "/?page=1&sort=age"
    assert url_for(app.index, page=2) == "/?page=2"
    app = site(Wanted, Wanted(page=5))
    assert url_for(app.index, wanted=Wanted(page=5)) == "/?page=5"
    assert read(app, url_for(app.index, wanted=Wanted())) == Wanted()


def test_other_fields_stand_beside_a_record():
    """A parameter is what its name says, though a member is called so too."""

    class Site(App):
        async def index(self, wanted: Annotated[Wanted, FromQuery()], page: Annotated[int, FromQuery()], *, only=None):
            return [wanted.page, wanted.sort, page, only]

    app = Site()
    assert url_for(app.index, page=2, only="x") == "/?page=2&only=x"
    assert url_for(app.index, page=1, wanted=Wanted(7, "title")) == "/?sort=title&page=1"
    with pytest.raises(TypeError, match="needs 'page'"):
        url_for(app.index, sort="title")


def test_what_any_keyword_may_be_is_a_member_first():
    """`**kwargs` take the others."""

    class Site(App):
        async def index(self, wanted: Annotated[Wanted, FromQuery()], **others):
            return [wanted.page, others]

    app = Site()
    assert url_for(app.index, page=2, colour="red") == "/?page=2&colour=red"


def test_the_action_of_a_form_needs_no_record():
    """The form has its members."""
    app = site(Everything)
    assert form_action(app.index) == "/"
    with pytest.raises(TypeError, match="has 'q' in the query"):
        form_action(app.index, q="x")


# What can't be written.


def test_a_member_without_default_is_needed():
    """As the handler would say."""
    app = site(Everything)
    with pytest.raises(TypeError, match=r"url_for\(\): .*index needs 'q'"):
        url_for(app.index)
    with pytest.raises(TypeError, match="needs 'q'"):
        url_for(app.index, sort=Sort.TITLE)
    with pytest.raises(TypeError, match="needs 'q'"):
        url_for(app.index, wanted={"ratio": 2})
    assert url_for(app.index, q="x") == "/?q=x"


@dataclass
class Odd:
    label: str | None = "none"
    tags: tuple[str, ...] = ("new",)
    inner: Wanted | None = None
    any: Any = field(default_factory=dict)
    late: InitVar[int] = 0


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Odd(label=None), "can't have None as 'label': no query is read as that, but as 'none'"),
        (Odd(label=""), "can't have '' as 'label'"),
        (Odd(tags=()), r"can't have \(\) as 'tags'"),
        (Odd(tags=("a", "")), r"can't have \('a', ''\) as 'tags'"),
        (Odd(inner=Wanted()), r"can't write Wanted\(.*\) into a URL"),
        (Odd(any=object()), "can't write <object"),
        (Odd(any={"a": 1}), "can't write {'a': 1} into a URL"),
        (Odd(any=[[1]]), r"can't write \[1\] into a URL"),
        (Odd(any=b"x"), "are bytes"),
        (Wanted(), r"takes a Odd as 'wanted', not Wanted\("),
        ("page=2", "takes a Odd as 'wanted', not 'page=2'"),
    ],
)
def test_what_no_query_is_read_as_is_refused(record, message):
    """A TypeError that says so, never the text that a programmer is shown."""
    with pytest.raises(TypeError, match=message):
        url_for(site(Odd).index, wanted=record)


def test_a_default_may_be_what_no_query_can_say():
    """It is left out as others are."""
    assert back(Odd(tags=("old",))) == "/?tags=old"
    assert back(Odd(any="x")) == "/?any=x"


def test_members_have_their_types():
    """A value that the handler would refuse is in no URL."""
    app = site(Wanted)
    with pytest.raises(TypeError, match=r"can't have \['x'\] as 'page': expected an integer"):
        url_for(app.index, page="x")
    with pytest.raises(TypeError, match="has no parameter 'pages'"):
        url_for(app.index, pages=2)


@dataclass
class Range:
    low: int = 0
    high: int = 10
    parts: list[Wanted] = field(default_factory=lambda: [Wanted()])

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError


def test_members_have_to_go_together():
    """What the class says of them is asked, too; a default that no URL can have is left alone."""
    app = site(Range)
    assert url_for(app.index, low=2) == "/?low=2"
    with pytest.raises(TypeError, match="as 'wanted': expected a valid Range"):
        url_for(app.index, low=20)


class Code:
    def __str__(self):
        return "code"


def test_a_value_without_a_text_is_refused_everywhere():
    """In the path and in plain fields as in records; a class that has a text is one."""

    class Site(App):
        async def show(self, id, *, by=None):
            return id

    app = Site()
    assert url_for(app.show, Code(), by=Code()) == "/show/code?by=code"
    for wrong in (object(), Wanted(), {"a": 1}, range(2)):
        with pytest.raises(TypeError, match=r"url_for\(\) can't write"):
            url_for(app.show, wrong)
        with pytest.raises(TypeError, match=r"url_for\(\) can't write"):
            url_for(app.show, 1, by=[wrong])


# Records of packages.


@pytest.mark.needs("msgspec")
def test_structs_are_spread():
    """By their names in JSON; what is UNSET is not there."""
    import msgspec

    class Window(msgspec.Struct, rename="camel"):
        page_size: int = 20
        tags: list[str] = []
        until: dt.date | msgspec.UnsetType = msgspec.UNSET
        sort: Sort = Sort.AGE
        _private: int = 0

    assert back(Window()) == "/"
    every = Window(50, ["a", "b"], dt.date(2024, 1, 2), Sort.TITLE)
    assert back(every) == "/?pageSize=50&tags=a&tags=b&until=2024-01-02&sort=title"
    app = site(Window)
    assert url_for(app.index, page_size=5, sort="title") == url_for(app.index, pageSize=5, sort=Sort.TITLE)

    class Needy(msgspec.Struct):
        low: int
        high: int
        step: int = 1

    assert back(Needy(1, 1)) == "/?low=1&high=1"
    with pytest.raises(TypeError, match="needs 'high'"):
        url_for(site(Needy).index, low=1)


@pytest.mark.needs("msgspec")
def test_structs_are_told_apart_by_their_tags():
    """The tag is a field as it is a member."""
    import msgspec

    class Lion(msgspec.Struct, tag="lion"):
        age: int = 1

    class Tiger(msgspec.Struct, tag="tiger"):
        age: int = 1

    assert back(Tiger(2), Lion | Tiger) == "/?age=2&type=tiger"
    assert url_for(site(Lion | Tiger).index, type="tiger") == "/?type=tiger"


@pytest.mark.needs("attrs")
def test_attrs_classes_are_spread():
    """Private members with a default stay inside."""
    import attrs

    @attrs.define
    class Window:
        page: int = 1
        tags: list[str] = attrs.field(factory=list)
        last: int = attrs.field(default=attrs.Factory(lambda self: self.page + 9, takes_self=True))
        _private: int = 0

    assert back(Window()) == "/"
    assert back(Window(2, ["a"])) in ("/?page=2&tags=a", "/?page=2&tags=a&last=11")
    assert back(Window(2, last=10)) == "/?page=2&last=10"


@pytest.mark.needs("pydantic")
def test_models_are_spread():
    """By the aliases by which they are read."""
    import pydantic

    class Window(pydantic.BaseModel):
        page: int = pydantic.Field(1, alias="p", ge=1)
        size: int = pydantic.Field(20, validation_alias=pydantic.AliasChoices(pydantic.AliasPath("s", 0), "sz"))
        tags: list[str] = []
        sort: Sort = Sort.AGE
        first: str = pydantic.Field("", validation_alias=pydantic.AliasPath("names", 0))

    assert back(Window.model_validate({})) == "/"
    every = Window.model_validate({"p": 2, "sz": 5, "tags": ["a", "b"], "sort": "title"})
    assert back(every) == "/?p=2&sz=5&tags=a&tags=b&sort=title"
    app = site(Window)
    assert url_for(app.index, page=2) == url_for(app.index, p=2) == "/?p=2"
    with pytest.raises(TypeError, match=r"can't have .* as 'p': expected a value greater than or equal to 1"):
        url_for(app.index, page=0)
    with pytest.raises(TypeError, match="can't have 'x' as 'first'"):
        url_for(app.index, wanted=Window.model_validate({"names": ["x"]}))


@pytest.mark.needs("pydantic")
def test_pydantics_dataclasses_are_spread_and_its_secrets_are_not():
    """The text of a secret is no value; nor is that of a model."""
    import pydantic
    from pydantic.dataclasses import dataclass as checked

    @checked
    class Window:
        page: int = 1
        key: pydantic.SecretStr | None = None
        number: int = pydantic.Field(default=7, init=False)
        _private: int = 0

    class Model(pydantic.BaseModel):
        page: int = 1

    assert back(Window(page=2)) == "/?page=2"
    app = site(Window)
    for wrong in (pydantic.SecretStr("x"), Model()):
        with pytest.raises(TypeError, match=r"url_for\(\) can't write"):
            url_for(app.index, key=wrong)


@pytest.mark.needs("pydantic")
def test_a_model_that_is_read_by_its_names_is_written_so():
    """`validate_by_alias=False` is newer than the aliases themselves."""
    import pydantic

    class Window(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_by_alias=False, validate_by_name=True)
        page: int = pydantic.Field(1, alias="p")

    assert back(Window.model_validate({"page": 2})) == "/?page=2"
