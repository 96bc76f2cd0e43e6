"""What a body may cost, whoever converts it: PROMISES.md, 3. The packages are imported inside the tests."""

import datetime as dt
import tracemalloc
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from micropie import App, FromBody, FromSession
from tests.client import http
from tests.contract.test_typed import SECRET, refused, taking, told
from tests.contract.test_typed_packages import faults

MANY = 1001
TOO_MANY = "expected at most 1000 items"
NUMBERS = {str(number): 1 for number in range(MANY)}


@dataclass
class Data:
    numbers: dict[int, int] = field(default_factory=dict)
    some: set[int] = field(default_factory=set)


class Keys(TypedDict, total=False):
    numbers: dict[int, int]
    some: set[int]


@pytest.mark.parametrize("kind", [Data, Keys])
def test_13_sets_and_number_keys_of_a_record_are_bounded(kind):
    """Whoever knows how Python hashes numbers can send any number of them that collide."""
    assert http(taking(kind), "POST", json={"numbers": NUMBERS}).text == refused(TOO_MANY, "numbers")
    assert http(taking(kind), "POST", json={"some": list(range(MANY))}).text == refused(TOO_MANY, "some")


@pytest.mark.needs("msgspec", "attrs")
def test_13_sets_and_number_keys_of_other_packages_records_are_bounded():
    """In Structs at any depth, and in attrs classes; text keys are not."""
    import attrs
    import msgspec

    class Struct(msgspec.Struct):
        numbers: dict[int, int] = {}
        some: set[int] = set()
        frozen: frozenset[Decimal] = frozenset()
        lists: list[dict[float, list[int]]] = []
        texts: dict[str, int] = {}
        named: dict[str, set[int]] = {}
        either: dict[int, int] | set[int] | None = None

    @attrs.define
    class Attrs:
        numbers: dict[int, int] = attrs.Factory(dict)
        some: set[int] = attrs.Factory(set)

    for kind in (Struct, Attrs):
        assert http(taking(kind), "POST", json={"numbers": NUMBERS}).text == refused(TOO_MANY, "numbers")
        assert http(taking(kind), "POST", json={"some": list(range(MANY))}).text == refused(TOO_MANY, "some")
    numbers = list(range(MANY))
    assert http(taking(Struct), "POST", json={"frozen": numbers}).text == refused(TOO_MANY, "frozen")
    lists = [{"1": [1]}, {key: [1] for key in NUMBERS}]
    assert http(taking(Struct), "POST", json={"lists": lists}).text == refused(TOO_MANY, "lists[1]")
    assert http(taking(Struct), "POST", json={"named": {SECRET: numbers}}).text == refused(TOO_MANY, "named[...]")
    for either in (NUMBERS, numbers):
        assert http(taking(Struct), "POST", json={"either": either}).text == refused(TOO_MANY, "either")
    assert http(taking(Struct), "POST", json={"texts": NUMBERS, "either": [1]}).status_code == 200
    assert http(taking(Struct), "POST", json={"either": {"1": 1}}).status_code == 200
    assert faults(Struct, json={"some": 5}) == [("some", "expected array")]
    annotation = Annotated[dict[int, int], msgspec.Meta(min_length=1)]
    assert http(taking(annotation), "POST", json={"it": NUMBERS}).text == refused(TOO_MANY)


@pytest.mark.needs("pydantic")
def test_13_sets_and_number_keys_of_models_are_bounded():
    """Wherever they stand in a model, under each of its names."""
    import pydantic

    class Pair(NamedTuple):
        some: set[int]

    class Inner(pydantic.BaseModel):
        some: set[int] = pydantic.Field(set(), validation_alias=pydantic.AliasChoices("some", "more"))
        deep: set[int] = pydantic.Field(set(), validation_alias=pydantic.AliasPath("at", "last"))

    @dataclass
    class Plain:
        some: set[int]

    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]
        some: set[int] = set()

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]
        some: list[int] = []

    class Cow(pydantic.BaseModel):
        some: list[int] = []

    def sort_of(value: Any) -> str:
        return "dog" if isinstance(value, dict) and "kind" in value else "cow"

    class Model(pydantic.BaseModel):
        numbers: dict[int, int] = {}
        limited: dict[Annotated[int, pydantic.Field(gt=-1)], int] = {}
        texts: dict[Annotated[str, pydantic.Field(min_length=1)], int] = {}
        shouted: dict[Annotated[str, pydantic.AfterValidator(str.upper)], int] = {}
        simple: int | str = 1
        frozen: frozenset[float] = frozenset()
        inner: Inner | None = None
        many: list[Inner] = []
        queue: deque[set[int]] = deque()
        ordered: OrderedDict[str, set[int]] = OrderedDict()
        plain: Plain | None = None
        named: Pair | None = None
        mixed: tuple[int, set[int]] | None = None
        variadic: tuple[set[int], ...] = ()
        pet: Cat | Dog | None = pydantic.Field(None, discriminator="kind")
        odd: (
            Annotated[
                Annotated[Dog, pydantic.Tag("dog")] | Annotated[Cow, pydantic.Tag("cow")],
                pydantic.Discriminator(sort_of),
            ]
            | set[int]
            | None
        ) = None
        choice: Inner | Cow | None = None
        anything: dict[str, Any] = {}

    class Extra(pydantic.BaseModel, extra="allow"):
        __pydantic_extra__: dict[str, set[int]] = pydantic.Field(init=False)
        name: str = ""

    numbers = list(range(MANY))
    wrong: list[Any] = [
        {"numbers": NUMBERS},
        {"limited": NUMBERS},
        {"frozen": numbers},
        {"inner": {"some": numbers}},
        {"inner": {"more": numbers}},
        {"inner": {"at": {"last": numbers}}},
        {"many": [{}, {"some": numbers}]},
        {"queue": [[], numbers]},
        {"ordered": {"a": numbers}},
        {"plain": {"some": numbers}},
        {"named": [numbers]},
        {"mixed": [1, numbers]},
        {"variadic": [[1], numbers]},
        {"pet": {"kind": "cat", "some": numbers}},
        {"odd": numbers},
        {"choice": {"some": numbers}},
    ]
    for body in wrong:
        assert http(taking(Model), "POST", json=body).text == refused(TOO_MANY)
    assert http(taking(Extra), "POST", json={"name": "a", "x": numbers}).text == refused(TOO_MANY)
    right: list[Any] = [
        {"texts": NUMBERS, "shouted": NUMBERS, "anything": NUMBERS},
        {"pet": {"kind": "dog", "some": numbers}},
        {"odd": {"kind": "dog", "some": numbers}},
        {"odd": {"some": numbers}},
        {"named": [[1]], "mixed": [1, [2]], "variadic": [[1], [2]]},
        {"inner": {"at": {"last": [1]}, "some": [2]}},
    ]
    for body in right:
        assert http(taking(Model), "POST", json=body).status_code == 200
    others: list[Any] = [
        {name: 5}
        for name in (
            "numbers",
            "frozen",
            "inner",
            "many",
            "ordered",
            "plain",
            "named",
            "mixed",
            "variadic",
            "pet",
            "odd",
        )
    ]
    for body in [*others, {"inner": {"at": 5}}, {"pet": {"kind": ["cat"]}}]:
        assert http(taking(Model), "POST", json=body).status_code in (200, 400)
        assert TOO_MANY not in http(taking(Model), "POST", json=body).text


def test_13_other_collections_than_sets_are_not_bounded():
    """Tuples of numbers, for example."""
    many = list(range(MANY))
    for annotation in (list[int], tuple[int, ...], deque[int]):
        assert http(taking(annotation), "POST", json={"it": many}).status_code == 200


@pytest.mark.needs("pydantic")
def test_13_lists_of_records_are_bounded():
    """An empty object takes three bytes to send, and two hundred times as many as a model."""
    import pydantic

    class Model(pydantic.BaseModel):
        a: int = 0

    body = b"[" + b",".join([b"{}"] * 500_001) + b"]"
    headers = [("Content-Type", "application/json")]
    for annotation in (list[Model], list[Data]):
        answer = http(taking(Annotated[annotation, FromBody()]), "POST", content=body, headers=headers)
        assert answer.text == refused("expected at most 500000 items")


# Faults.


@pytest.mark.needs("pydantic")
def test_13_of_a_large_body_the_first_faults_are_told():
    """Not all are looked for: each takes hundreds of bytes, and missing ones take none to send."""
    import pydantic

    class Wide(pydantic.BaseModel):
        a: int
        b: int
        c: int

    class Model(pydantic.BaseModel):
        many: list[Wide] = []
        named: dict[str, Wide] = {}

    assert len(faults(Model, json={"many": [{}] * 10})) == 30
    assert faults(Model, json={"many": [{}] * 100_000}) == [(f"many[0].{name}", "required") for name in ("a", "b", "c")]
    assert len(faults(Model, json={"named": {str(number): {} for number in range(10_000)}})) == 3
    assert http(taking(Model), "POST", json={"many": [{"a": 1, "b": 2, "c": 3}] * 10_000}).status_code == 200


@pytest.mark.needs("pydantic")
def test_13_of_very_many_faults_one_is_told():
    """A general one."""
    import pydantic

    class Wide(pydantic.BaseModel):
        a: int
        b: int
        c: int

    class Model(pydantic.BaseModel):
        many: list[Wide]

    assert faults(Model, json={"many": [{}] * 400}) == [("it", "expected a valid value")]


@pytest.mark.needs("pydantic")
def test_13_a_large_body_full_of_faults_takes_no_memory_of_its_own():
    """Less than the body's own value takes."""
    import pydantic

    class Wide(pydantic.BaseModel):
        a: int
        b: int
        c: int

    app = taking(Annotated[list[Wide], FromBody()])
    body: list[Any] = [{}] * 300_000
    tracemalloc.start()
    try:
        assert http(app, "POST", json=body).status_code == 400
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_13_of_very_many_keyword_arguments_few_faults_are_told():
    """As of anything."""

    class Keywords(App):
        async def index(self, **it: int): ...

    answer = http(Keywords(), "POST", json={str(number): SECRET for number in range(1_000)})
    assert answer.text == told(*["Invalid value for parameter 'it': expected an integer"] * 50)


# Recursive models.


def recursive(monkeypatch):
    """Two models, each of which may be inside the other, and a tree."""
    import pydantic

    class Left(pydantic.BaseModel):
        v: int = 0
        below: "Left | Right | None" = None

    class Right(pydantic.BaseModel):
        w: int = 0
        below: "Left | Right | None" = None

    class Tree(pydantic.BaseModel):
        name: str = ""
        left: "Tree | None" = None
        right: "Tree | None" = None
        pairs: "list[tuple[str, Tree]]" = []
        named: "dict[str, Tree]" = {}

    class Strict(pydantic.BaseModel):
        a: int
        b: int
        c: Annotated[int, pydantic.AfterValidator(abs)]
        left: "Strict | None" = None
        right: "Strict | None" = None

    for model in (Left, Right, Tree, Strict):
        monkeypatch.setitem(globals(), model.__name__, model)
    for model in (Left, Right, Tree, Strict):
        model.model_rebuild()
    return Left, Tree, Strict


@pytest.mark.needs("pydantic")
def test_13_unions_of_models_inside_each_other_cost_no_power_of_two(monkeypatch):
    """Each asks the one inside twice: of sixty the innermost would be asked 2**60 times."""
    left, _, _ = recursive(monkeypatch)
    body: dict[str, Any] = {"v": "x", "w": "x"}
    for _ in range(8):
        body = {"below": body}
    assert "expected a valid integer" in http(taking(left), "POST", json=body).text
    for _ in range(60):
        body = {"below": body}
    assert http(taking(left), "POST", json=body).text == refused("expected a valid value")


@pytest.mark.needs("pydantic")
def test_13_a_large_tree_of_models_is_taken(monkeypatch):
    """What is recursive is not refused for that."""
    _, tree, _ = recursive(monkeypatch)
    body: dict[str, Any] = {"name": "leaf"}
    for _ in range(13):
        body = {"left": body, "right": body}
    assert http(taking(tree), "POST", json=body).status_code == 200
    body = {"pairs": [["a", {}]], "named": {"b": {"name": "c"}}}
    assert http(taking(tree), "POST", json=body).status_code == 200


@pytest.mark.needs("pydantic")
def test_13_a_large_tree_of_faults_is_refused_before_they_are_counted(monkeypatch):
    """Each part of it misses members."""
    _, _, strict = recursive(monkeypatch)
    body: dict[str, Any] = {"a": 1, "b": 2, "c": 3}
    for _ in range(13):
        body = {"left": body, "right": body}
    assert http(taking(strict), "POST", json=body).text == refused("expected a valid value")


# Values of the session.


@pytest.mark.needs("pydantic")
def test_13_a_model_of_the_session_stays_what_it_is():
    """JSON has no form for it, and needs none."""
    import pydantic

    class Pie(pydantic.BaseModel):
        baked: dt.date
        kinds: list[str]

    class Session(App):
        async def fill(self):
            self.request.session["pie"] = Pie(baked=dt.date(2024, 1, 1), kinds=["a"])
            self.request.session["parts"] = {"baked": dt.date(2024, 1, 1), "kinds": ["b"]}
            self.request.session["odd"] = {"baked": object(), "kinds": []}
            return "filled"

        async def index(self, pie: Annotated[Pie, FromSession()], parts: Annotated[Pie, FromSession()]):
            return [pie, parts]

        async def odd(self, odd: Annotated[Pie, FromSession()]):
            return odd

    app = Session()
    cookies = http(app, path="/fill").cookies
    assert http(app, cookies=cookies).json() == [
        {"baked": "2024-01-01", "kinds": ["a"]},
        {"baked": "2024-01-01", "kinds": ["b"]},
    ]
    assert http(app, path="/odd", cookies=cookies).text == refused("expected a valid date", "odd.baked")
