"""Types of msgspec, attrs and pydantic, and the constraints of annotated_types: BEHAVIOUR.md, point 13.

The packages are imported inside the tests: the other ones run without them.
"""

import datetime as dt
import json
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Optional, TypedDict
from uuid import UUID

import pytest

from micropie import App, FromBody, FromQuery, UploadedFile
from tests.client import http
from tests.contract.test_typed import SECRET, multipart, refused, showing, taking, told
from tests.wire import wire

ABOVE = "expected a value above"
PROBLEM = [("Accept", "application/problem+json")]


def faults(annotation, **request):
    """Names and messages of the faults that a request gets."""
    answer = wire(taking(annotation), request.pop("method", "POST"), headers=PROBLEM, **request)
    assert answer.status_code == 400, answer.text
    assert SECRET not in answer.text
    return [(fault["name"], fault["message"]) for fault in answer.json()["errors"]]


# annotated_types.


def constrained():
    """Pairs of a constraint's type, a text that keeps to it, one that does not, and what is said of it."""
    import annotated_types as at

    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [
        (Annotated[int, at.Gt(0)], "1", "0", "expected a value above 0"),
        (Annotated[int, at.Ge(1)], "1", "0", "expected a value of at least 1"),
        (Annotated[float, at.Lt(2.5)], "2.4", "2.5", "expected a value below 2.5"),
        (Annotated[int, at.Le(2)], "2", "3", "expected a value of at most 2"),
        (Annotated[int, at.Interval(ge=1, lt=9)], "8", "9", "expected a value below 9"),
        (Annotated[int, at.MultipleOf(5)], "10", "11", "expected a multiple of 5"),
        (Annotated[str, at.MinLen(2)], "ab", "a", "expected at least 2 characters"),
        (Annotated[list[str], at.MaxLen(1)], "a", "a&it=b", "expected at most 1 item"),
        (Annotated[str, at.MaxLen(2)], "ab", "abc", "expected at most 2 characters"),
        (Annotated[str, at.Len(1, 2)], "ab", "abc", "expected at most 2 characters"),
        (Annotated[list[int], at.MaxLen(0)], None, "1", "expected at most 0 items"),
        (Annotated[int | None, at.Gt(0)], "1", "0", "expected a value above 0"),
        (Annotated[int, at.Gt(0), FromQuery()], "1", "0", "expected a value above 0"),
        (Annotated[int, at.Gt(0)] | None, "1", "0", "expected a value above 0"),
        (Annotated[dt.datetime, at.Gt(moment)], "2024-01-02T00:00Z", "2024-01-02T00:00", f"{ABOVE} {moment}"),
        (Annotated[int, at.Unit("m")], "1", "x", "expected an integer"),
        (Annotated[Decimal, at.MultipleOf(Decimal("0.01"))], "0.05", "1" * 50, "expected a multiple of 0.01"),
        (Annotated[int, at.MultipleOf(0)], None, "1", "expected a multiple of 0"),
    ]  # fmt: skip


@pytest.mark.needs("annotated_types")
def test_13_constraints_are_checked():
    """A value that does not keep to them is a fault like any other."""
    for annotation, good, bad, message in constrained():
        assert good is None or http(taking(annotation), query=f"it={good}").status_code == 200
        assert http(taking(annotation), query=f"it={bad}").text == refused(message)


@pytest.mark.needs("annotated_types")
def test_13_one_of_a_thing_is_no_plural():
    """Characters of text, bytes of a body, items of a list."""
    import annotated_types as at

    one = at.MinLen(1)
    assert http(taking(Annotated[str, one]), "POST", json={"it": ""}).text == refused("expected at least 1 character")
    assert http(taking(Annotated[list[int], one]), "POST", json={"it": []}).text == refused("expected at least 1 item")
    assert http(taking(tuple[int]), "POST", json={"it": []}).text == refused("expected 1 item")
    for size, said in ((1, "1 byte"), (2, "2 bytes")):
        app = taking(Annotated[bytes, at.MaxLen(size), FromBody()])
        assert http(app, "POST", content=b"abc").text == refused(f"expected at most {said}")


def unchecked():
    """Types of msgspec's with constraints that it does not check, and what is said of each."""
    import annotated_types as at
    import msgspec

    class Item(TypedDict):
        count: Annotated[int, at.Interval(ge=1, lt=9)]

    class Order(msgspec.Struct):
        amount: Annotated[int, at.Gt(0)]

    class Basket(msgspec.Struct):
        items: list[Item] | None = None

    class Tagged(msgspec.Struct):
        tags: dict[str, list[Annotated[str, at.MinLen(2)]]] = {}

    class Even(msgspec.Struct):
        number: Annotated[int, at.Predicate(abs)]

    return [
        (Order, "Order.amount: msgspec does not check Gt(gt=0): write msgspec.Meta(gt=0)"),
        (list[Order], "Order.amount: msgspec does not check Gt(gt=0): write msgspec.Meta(gt=0)"),
        (Basket, "Item.count: msgspec does not check Ge(ge=1): write msgspec.Meta(ge=1)"),
        (Tagged, "Tagged.tags: msgspec does not check MinLen(min_length=2): write msgspec.Meta(min_length=2)"),
        (Even, "Even.number: msgspec does not check Predicate(builtins.abs): check it in __post_init__"),
        (Annotated[int, msgspec.Meta(lt=9), at.Gt(0)], "msgspec does not check Gt(gt=0): write msgspec.Meta(gt=0)"),
    ]


@pytest.mark.needs("annotated_types", "msgspec")
def test_13_constraints_that_msgspec_passes_over_are_refused():
    """When the application is made, since its handlers would rely on them."""
    for annotation, message in unchecked():
        with pytest.raises(TypeError, match=re.escape(message)):
            taking(annotation)


def described():
    """Types of a Struct's member with metadata that refuses no value, or that msgspec checks."""
    import annotated_types as at
    import msgspec
    import pydantic

    class Colour(at.BaseMetadata):
        pass

    return [
        Annotated[int, "how many"],
        Annotated[int, at.doc("how many")],
        Annotated[int, at.Unit("m")],
        Annotated[int, Colour()],
        Annotated[int, at.Ge(1), msgspec.Meta(ge=1)],
        Annotated[int, pydantic.Field(description="how many", examples=[1])],
        Annotated[int, pydantic.Field(strict=True)],
        Annotated[int, pydantic.WithJsonSchema({"type": "integer"})],
        Annotated[int, pydantic.PlainSerializer(str)],
        pydantic.StrictInt,
    ]


@pytest.mark.needs("annotated_types", "pydantic", "msgspec")
def test_13_metadata_of_a_struct_that_is_no_constraint_is_taken():
    """It says what a value means, and refuses none."""
    import msgspec

    for annotation in described():
        order = msgspec.defstruct("Order", [("amount", annotation)])
        assert http(taking(order), "POST", json={"amount": 3}).text == "Order(amount=3)"


@pytest.mark.needs("annotated_types", "pydantic", "msgspec")
def test_13_other_constraints_of_a_struct_are_refused():
    """Those of a subclass, functions of pydantic's, and what `msgspec.Meta` says with another limit."""
    import annotated_types as at
    import msgspec
    import pydantic

    class Above(at.Gt):
        pass

    for annotation in (
        Annotated[int, Above(0)],
        Annotated[int, at.Ge(2), msgspec.Meta(ge=1)],
        Annotated[int, pydantic.AfterValidator(abs)],
        Annotated[str, pydantic.StringConstraints(min_length=2)],
        Annotated[str, pydantic.Field(pattern="a")],
    ):
        with pytest.raises(TypeError, match=r"Order\.amount: msgspec does not check "):
            taking(msgspec.defstruct("Order", [("amount", annotation)]))


@pytest.mark.needs("annotated_types", "msgspec")
def test_13_variables_of_a_structs_class_may_have_any_metadata():
    """They are no members: no client gives them, so nothing would go unchecked."""
    import annotated_types as at
    import msgspec

    class Order(msgspec.Struct):
        amount: int
        least: ClassVar[Annotated[int, at.Ge(1)]] = 1
        limits: ClassVar[dict[str, Annotated[int, at.Gt(0)]]] = {}
        bare: ClassVar = 1

    assert http(taking(Order), "POST", json={"amount": 3}).text == "Order(amount=3)"


@pytest.mark.needs("pydantic", "msgspec")
def test_13_pydantics_constraints_in_a_struct_are_refused():
    """msgspec does not know them either."""
    import msgspec
    import pydantic

    class Order(msgspec.Struct):
        amount: Annotated[int, pydantic.Field(gt=0)]

    with pytest.raises(TypeError, match=r"Order\.amount: msgspec does not check .*: write msgspec\.Meta"):
        taking(Order)


@pytest.mark.needs("annotated_types", "msgspec")
def test_13_what_others_make_inside_a_struct_has_its_constraints():
    """A dataclass is made, and checked, by us."""
    from dataclasses import make_dataclass

    import annotated_types as at
    import msgspec

    line = make_dataclass("Line", [("count", Annotated[int, at.Ge(1)])])
    order = msgspec.defstruct("Order", [("line", line)])
    assert faults(order, json={"line": {"count": 0}}) == [("line.count", "expected a value of at least 1")]


@pytest.mark.needs("annotated_types", "pydantic", "msgspec")
def test_13_constraints_of_a_body_of_bytes_are_checked():
    """Whichever package has them."""
    import annotated_types as at
    import msgspec
    import pydantic

    for limit in (at.MaxLen(2), pydantic.Field(max_length=2), msgspec.Meta(max_length=2)):
        app = taking(Annotated[bytes, limit, FromBody()])
        assert http(app, "POST", content=b"\xff\0").text == repr(b"\xff\0")
        assert http(app, "POST", content=b"abc").status_code == 400


@pytest.mark.needs("annotated_types")
def test_13_constraints_inside_a_collection_and_a_record():
    """Those of members are checked where they stand; JSON null is no value to check."""
    from dataclasses import make_dataclass

    import annotated_types as at

    positive = Annotated[int, at.Gt(0)]
    record = make_dataclass("Order", [("number", positive), ("sizes", list[positive])])
    assert http(taking(record), "POST", json={"number": 0, "sizes": [1, 0]}).text == told(
        "Invalid value for parameter 'number': expected a value above 0",
        "Invalid value for parameter 'sizes[1]': expected a value above 0",
    )
    assert http(taking(Annotated[int | None, at.Gt(0)]), "POST", json={"it": None}).text == "None"
    assert http(taking(Annotated[dict[str, int], at.MinLen(1)]), "POST", json={"it": {"a": 1}}).status_code == 200


@pytest.mark.needs("annotated_types")
def test_13_a_constraint_that_is_not_known_is_warned_about(caplog):
    """Nothing pretends to check it."""
    import annotated_types as at

    app = taking(Annotated[int, at.Predicate(bool)])
    assert "Predicate" in caplog.text
    assert http(app, query="it=0").text == "0"


@pytest.mark.needs("annotated_types")
def test_13_constraints_of_files_are_not_checked(caplog):
    """Their size is not known yet; a warning says so."""
    import annotated_types as at

    taking(Annotated[UploadedFile, at.MaxLen(5)])
    assert "MaxLen" in caplog.text


# msgspec and attrs.


@pytest.mark.needs("msgspec")
def test_13_a_struct_takes_the_body():
    """JSON by its types, a form by its text; other members are ignored."""
    import msgspec

    class Pie(msgspec.Struct, rename={"size_": "size"}):
        kind: str
        size_: int = 1
        toppings: list[str] = []

    app = taking(Pie)
    assert http(app, "POST", json={"kind": "plum", "size": 2, "x": 1}).text == repr(Pie("plum", 2))
    form = [("kind", "plum"), ("size", "2"), ("toppings", "cream")]
    assert http(app, "POST", data=form).text == repr(Pie("plum", 2, ["cream"]))
    assert http(taking(Pie | None, None), "POST").text == "None"
    assert http(taking(list[Pie]), "POST", json={"it": [{"kind": "plum"}]}).text == repr([Pie("plum")])


@pytest.mark.needs("msgspec")
def test_13_faults_of_a_struct_are_ours():
    """Where and what, in words without the client's value."""
    import msgspec

    class Slice(msgspec.Struct):
        angle: Annotated[int, msgspec.Meta(gt=0)]
        taste: Literal["sweet", "sour"] = "sweet"

    class Pie(msgspec.Struct, forbid_unknown_fields=True):
        slices: dict[str, Slice] = {}
        more: list[Slice] = []

        def __post_init__(self):
            if len(self.more) > 1:
                raise ValueError(f"Expected `{SECRET}` - at `$.{SECRET}`")

    good = {"angle": 1}
    assert faults(Pie, json=[SECRET]) == [("it", "expected object")]
    assert faults(Pie, json={"more": [good, {"angle": SECRET}]}) == [("more[1].angle", "expected int")]
    assert faults(Pie, json={"more": [{"angle": 0}]}) == [("more[0].angle", "expected int >= 1")]
    assert faults(Pie, json={"more": [{}]}) == [("more[0].angle", "required")]
    assert faults(Pie, json={"slices": {SECRET: {}}}) == [("slices[...].angle", "required")]
    taste = {"angle": 1, "taste": f"{SECRET}' - at `$.{SECRET}`"}
    assert faults(Pie, json={"more": [taste]}) == [("more[0].taste", "expected a valid value")]
    for key in (SECRET, f" - at `$.{SECRET}", f" - at `$.{SECRET}`"):
        assert faults(Pie, json={key: 1}) == [("it", "expected a valid value")]
        assert faults(Annotated[list[Pie], FromBody()], json=[{key: 1}]) == [("[0]", "expected a valid value")]
    assert faults(Pie, json={"more": [good, good]}) == [("it", "expected a valid value")]
    assert faults(dict[str, Slice], json={"it": {SECRET: {}}}) == [("it.*.angle", "required")]


@pytest.mark.needs("msgspec")
def test_13_a_value_that_looks_like_paths_is_refused_in_one_look():
    """A megabyte of what msgspec writes before a path does not keep anybody busy."""
    import msgspec

    class Slice(msgspec.Struct):
        taste: Literal["sweet", "sour"]
        other: dict[Literal["a"], int] = {}

    assert faults(Slice, json={"taste": " - at `$" * 100_000}) == [("taste", "expected a valid value")]
    assert faults(Slice, json={"taste": "sour", "other": {SECRET: 1}}) == [("other", "expected a valid value")]


@pytest.mark.needs("msgspec")
def test_13_constraints_of_msgspec():
    """`Meta` is checked by msgspec, for text and for JSON."""
    import msgspec

    app = taking(Annotated[int, msgspec.Meta(ge=5)])
    assert http(app, query="it=5").text == "5"
    assert http(app, query="it=4").text == refused("expected int &gt;= 5")
    assert http(app, "POST", json={"it": "5"}).text == refused("expected int")
    assert http(taking(Annotated[list[int], msgspec.Meta(max_length=2)]), query="it=1&it=2").text == "[1, 2]"


@pytest.mark.needs("attrs")
def test_13_an_attrs_class_takes_the_body():
    """From JSON and forms, by the rules for dataclasses."""
    import attrs

    @attrs.define
    class Pie:
        kind: str
        sizes: list[int] = attrs.Factory(list)

    app = taking(Pie)
    assert http(app, "POST", json={"kind": "plum", "x": 1}).text == repr(Pie("plum"))
    assert http(app, "POST", data={"kind": "plum", "sizes": "2"}).text == repr(Pie("plum", [2]))
    assert faults(Pie, json={"sizes": ["x"]}) == [("kind", "required"), ("sizes[0]", "expected an integer")]


@pytest.mark.needs("msgspec")
def test_13_keys_of_a_struct_are_text_in_json():
    """A dict with other keys than text is made of them."""
    import msgspec

    class Pie(msgspec.Struct):
        slices: dict[int, str] = {}
        by_date: dict[dt.date, list[int]] = {}

    body = {"slices": {"1": "x"}, "by_date": {"2024-01-01": [1]}}
    assert http(taking(Pie), "POST", json=body).text == repr(Pie({1: "x"}, {dt.date(2024, 1, 1): [1]}))
    assert faults(Pie, json={"slices": {SECRET: "x"}}) == [("slices", "expected int")]


@pytest.mark.needs("attrs")
def test_13_keys_of_an_attrs_class_are_text_in_json():
    """A dict with other keys than text is made of them, at any depth."""
    import attrs

    @attrs.define
    class Slice:
        by_date: dict[dt.date, list[int]] = attrs.Factory(dict)

    @attrs.define
    class Pie:
        names: dict[int, str]
        slices: dict[int, Slice] = attrs.Factory(dict)

    body = {"names": {"1": "x"}, "slices": {"2": {"by_date": {"2024-01-01": [1]}}}}
    made = Pie({1: "x"}, {2: Slice({dt.date(2024, 1, 1): [1]})})
    assert http(taking(Pie), "POST", json=body).text == repr(made)
    assert faults(Pie, json={"names": {SECRET: "x"}}) == [("names.*", "expected an integer")]


@pytest.mark.needs("msgspec", "pydantic")
def test_13_a_form_fills_any_kind_of_collection():
    """A Struct's member and a model's: sequences and sets of the abstract kinds too."""
    import msgspec
    import pydantic

    class Struct(msgspec.Struct):
        some: Sequence[int] = ()
        more: AbstractSet[int] | None = None

    class Model(pydantic.BaseModel):
        some: Sequence[int] = ()
        more: AbstractSet[int] | None = None

    form = [("some", "1"), ("some", "2"), ("more", "3"), ("more", "3")]
    for kind in (Struct, Model):
        assert http(taking(kind), "POST", data=form).text == repr(kind(some=[1, 2], more={3}))


@pytest.mark.needs("msgspec", "attrs")
def test_22_structs_and_attrs_classes_show_their_members():
    """By the names that they have in JSON; a tag too; what a subclass adds stays inside, at any depth."""
    import attrs
    import msgspec

    class Pie(msgspec.Struct, rename={"size_": "size"}, tag="pie"):
        kind: str
        size_: int = 1

    class SecretPie(Pie):
        recipe: str = SECRET

    @attrs.define
    class Table:
        pies: list[Pie]

    @attrs.define
    class LongTable(Table):
        secret: str = SECRET

    shown = '{"type":"pie","kind":"plum","size":1}'
    assert http(showing(Pie, SecretPie("plum"))).text == shown
    assert http(showing(Table, LongTable([SecretPie("plum")]))).text == f'{{"pies":[{shown}]}}'
    assert http(showing(Pie, {"kind": "plum"})).status_code == 500


# pydantic.


@pytest.mark.needs("pydantic")
def test_13_a_model_takes_the_body():
    """JSON and forms, with aliases; other members as the model says."""
    import pydantic

    class Pie(pydantic.BaseModel):
        kind: str
        size: int = pydantic.Field(1, alias="pieSize")
        toppings: list[str] = []

    app = taking(Pie)
    pie = repr(Pie.model_validate({"kind": "plum", "pieSize": 2, "toppings": ["cream"]}))
    body = {"kind": "plum", "pieSize": 2, "toppings": ["cream"], "x": 1}
    assert http(app, "POST", json=body).text == pie
    assert http(app, "POST", data=[("kind", "plum"), ("pieSize", "2"), ("toppings", "cream")]).text == pie
    assert http(taking(Optional[Pie], None)).text == "None"  # noqa: UP045
    assert http(taking(Annotated[list[Pie], FromBody()]), "POST", json=[body]).text == f"[{pie}]"


@pytest.mark.needs("pydantic")
def test_13_a_form_knows_all_the_names_of_a_list():
    """A model's alias, those of `AliasChoices`, and where `AliasPath` leads into a list."""
    import pydantic

    class Pie(pydantic.BaseModel):
        toppings: list[str] = pydantic.Field([], validation_alias=pydantic.AliasChoices("topping", "tops"))
        first: str = pydantic.Field("", validation_alias=pydantic.AliasPath("sizes", 0))
        others: list[int] = pydantic.Field([], alias="other")

    app = taking(Pie)
    for name in ("topping", "tops"):
        form = [(name, "a"), (name, "b"), ("sizes", "1"), ("sizes", "2"), ("other", "3"), ("other", "4")]
        whole = {"topping": ["a", "b"], "sizes": ["1"], "other": [3, 4]}
        assert http(app, "POST", data=form).text == repr(Pie.model_validate(whole))


@pytest.mark.needs("pydantic")
def test_13_a_strict_model_takes_json_as_pydantic_does():
    """Texts for what JSON has no type for; a form's single texts for anything."""
    import pydantic

    class Pie(pydantic.BaseModel, strict=True):
        baked: dt.date
        number: UUID | None = None
        sizes: tuple[int, ...] = ()
        keys: dict[int, str] = {}
        price: Decimal = Decimal(0)

    number = "12345678-1234-5678-1234-567812345678"
    body = {"baked": "2024-01-01", "number": number, "sizes": [1], "keys": {"1": "a"}, "price": "1.50"}
    pie = Pie.model_validate_json(json.dumps(body))
    assert http(taking(Pie), "POST", json=body).text == repr(pie)
    assert http(taking(list[Pie]), "POST", json={"it": [body]}).text == repr([pie])
    assert http(taking(Pie), "POST", data={"baked": "2024-01-01"}).text == repr(Pie(baked=dt.date(2024, 1, 1)))
    assert faults(Pie, json={"baked": "2024-01-01", "sizes": ["1"]}) == [("sizes[0]", "expected a valid integer")]
    assert faults(Pie, form=[("baked", "2024-01-01"), ("sizes", "1")])[0] == ("baked", "expected a valid date")
    assert http(taking(Annotated[int, pydantic.Field(strict=True)]), query="it=5").text == "5"
    assert http(taking(Annotated[int, pydantic.Field(strict=True)]), "POST", json={"it": "5"}).status_code == 400


@pytest.mark.needs("pydantic")
def test_13_a_model_reads_bytes_from_json_as_it_says():
    """As `model_validate_json` does."""
    import pydantic

    class Raw(pydantic.BaseModel):
        model_config = {"val_json_bytes": "base64"}
        raw: bytes

    assert http(taking(Raw), "POST", json={"raw": "AAE="}).text == repr(Raw(raw=b"\0\1"))


@pytest.mark.needs("pydantic")
def test_13_faults_of_a_model_are_ours():
    """All of them, where and what, in words without the client's value or keys."""
    import pydantic

    class Slice(pydantic.BaseModel):
        angle: int = pydantic.Field(gt=0)
        taste: Literal["sweet", "sour"] = "sweet"

    class Pie(pydantic.BaseModel, extra="forbid"):
        name: str = pydantic.Field("", min_length=3)
        slices: dict[str, Slice] = {}
        more: list[Slice] = []
        link: pydantic.HttpUrl | None = None
        number: pydantic.UUID4 | None = None

        @pydantic.field_validator("name")
        @classmethod
        def no_secrets(cls, value: str) -> str:
            if SECRET in value:
                raise ValueError(f"{value} is not allowed")
            return value

    assert faults(Pie, json=[SECRET]) == [("it", "expected an object")]
    assert faults(Pie, json={"name": "a", "more": [{"angle": 0}, {}, {"angle": SECRET, "taste": SECRET}, SECRET]}) == [
        ("name", "expected at least 3 characters"),
        ("more[0].angle", "expected a value greater than 0"),
        ("more[1].angle", "required"),
        ("more[2].angle", "expected a valid integer"),
        ("more[2].taste", "expected 'sweet' or 'sour'"),
        ("more[3]", "expected an object"),
    ]
    assert faults(Pie, json={"slices": {SECRET: {}}}) == [("slices.*.angle", "required")]
    assert faults(Pie, json={SECRET: 1}) == [("*", "expected a valid value")]
    assert faults(Pie, json={"name": SECRET}) == [("name", "expected a valid value")]
    assert faults(Pie, json={"link": SECRET, "number": SECRET}) == [
        ("link", "expected a valid value"),
        ("number", "expected a valid value"),
    ]
    assert len(faults(Pie, json={"more": [{}] * 100})) == 50


def in_unions():
    """A model with unions, whose members pydantic names in an error's location."""
    import pydantic

    class Card(pydantic.BaseModel):
        kind: Literal["card"]
        street: int

    class Cash(pydantic.BaseModel):
        kind: Literal["cash", 5]
        coins: list[int]

    by_kind = pydantic.Field(discriminator="kind")

    class Gift(pydantic.BaseModel):
        kind: Literal["gift"]
        of: Annotated[Card | Cash, by_kind]

    class Order(pydantic.BaseModel):
        how: Annotated[Card | Cash | Gift, by_kind] | None = None
        many: list[Annotated[Card | Cash, by_kind]] = []
        by_name: dict[str, Annotated[Card | Cash, by_kind]] = {}
        untagged: Card | list[int] | None = None
        named: (
            Annotated[
                Annotated[Card, pydantic.Tag("street")] | Annotated[Cash, pydantic.Tag("b")],
                pydantic.Discriminator(lambda _: "street"),
            ]
            | None
        ) = pydantic.Field(None, alias="callId")
        point: tuple[int, Card] | None = None
        by_number: dict[int, int] = {}
        again: "Order | None" = None

    Order.model_rebuild(_types_namespace={"Order": Order})
    return Order


@pytest.mark.needs("pydantic")
@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"how": {"kind": "card", "street": SECRET}}, ["how.street"]),
        ({"how": {"kind": 5, "coins": [SECRET]}}, ["how.coins[0]"]),
        ({"how": {"kind": "gift", "of": {"kind": "card"}}}, ["how.of.street"]),
        ({"how": {"kind": SECRET}}, ["how"]),
        ({"many": [{"kind": "cash", "coins": [1, SECRET]}]}, ["many[0].coins[1]"]),
        ({"by_name": {SECRET: {"kind": "card"}, "street": {"kind": "card"}}}, ["by_name.*.street"] * 2),
        ({"untagged": {"kind": "card", "street": SECRET}}, ["untagged.street", "untagged"]),
        ({"callId": {"street": SECRET}}, ["callId.kind", "callId.street"]),
        ({"point": [SECRET, {"kind": "card"}]}, ["point[0]", "point[1].street"]),
        ({"by_number": {"7": SECRET}}, ["by_number.*"]),
        ({"again": {"how": {"kind": "card"}}}, ["again.how.street"]),
    ],
)
def test_13_a_fault_in_a_union_of_pydantics_is_where_the_client_has_it(given, names):
    """No name of a member, nor its tag, stands in between; keys of a dict are the client's."""
    assert [name for name, _ in faults(in_unions(), json=given)] == names


def with_paths():
    """A model whose members are at places inside of what a client sends."""
    import pydantic

    class Paths(pydantic.BaseModel):
        first: int = pydantic.Field(validation_alias=pydantic.AliasPath("sizes", 0))
        deep: int = pydantic.Field(0, validation_alias=pydantic.AliasPath("at", "end"))
        either: int = pydantic.Field(
            0,
            validation_alias=pydantic.AliasChoices("one", pydantic.AliasPath("at", "two"), pydantic.AliasPath("x", 1)),
        )
        same: int = pydantic.Field(0, alias="same")
        next: "Paths | None" = pydantic.Field(None, validation_alias=pydantic.AliasPath("more", "next"))

    return Paths


@pytest.mark.needs("pydantic")
@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["sizes[0]"]),
        ({"sizes": [SECRET]}, ["sizes[0]"]),
        ({"sizes": {SECRET: 1}}, ["sizes[0]"]),
        ({"sizes": [1], "at": {"end": SECRET}}, ["at.end"]),
        ({"sizes": [1], "one": SECRET}, ["one"]),
        ({"sizes": [1], "at": {"two": SECRET}}, ["at.two"]),
        ({"sizes": [1], "x": [SECRET, SECRET]}, ["x[1]"]),
        ({"sizes": [1], "same": SECRET}, ["same"]),
        ({"sizes": [1], "more": {"next": {"sizes": [1], "at": {"end": SECRET}}}}, ["more.next.at.end"]),
    ],
)
def test_13_a_fault_at_an_alias_path_is_where_the_client_has_it(given, names):
    """An `AliasPath` leads through names and places, alone or as one of `AliasChoices`."""
    assert [name for name, _ in faults(with_paths(), json=given)] == names


@pytest.mark.needs("pydantic")
def test_13_constraints_and_types_of_pydantic():
    """`Field` in `Annotated`, and types that only pydantic knows, for text and for JSON."""
    import pydantic

    app = taking(Annotated[int, pydantic.Field(ge=5)])
    assert http(app, query="it=5").text == "5"
    assert http(app, query="it=4").text == refused("expected a value greater than or equal to 5")
    assert http(app, "POST", json={"it": 4}).text == refused("expected a value greater than or equal to 5")
    assert http(taking(Annotated[list[int], pydantic.Field(max_length=2)]), query="it=1&it=2").text == "[1, 2]"
    assert http(taking(pydantic.PositiveInt), query="it=0").text == refused("expected a value above 0")
    assert http(taking(pydantic.HttpUrl), query="it=http://a.b").text == repr(pydantic.HttpUrl("http://a.b"))
    assert http(taking(pydantic.HttpUrl), query=f"it={SECRET}").text == refused("expected a valid value")


@pytest.mark.needs("pydantic")
def test_13_a_type_without_a_json_schema_names_its_members():
    """Where pydantic cannot write one, its own schema says which names are the type's."""
    import pydantic

    class Handler(pydantic.BaseModel, arbitrary_types_allowed=True):
        name: int
        app: App | None = None

    assert faults(Handler, json={"name": SECRET}) == [("name", "expected a valid integer")]


@pytest.mark.needs("pydantic")
def test_13_dataclasses_of_pydantic():
    """They are pydantic's to validate."""
    from pydantic.dataclasses import dataclass

    @dataclass
    class Pie:
        kind: str
        sizes: list[int]

    assert http(taking(Pie), "POST", data={"kind": "plum", "sizes": "2"}).text == repr(Pie("plum", [2]))
    assert faults(Pie, json={"kind": 1}) == [("kind", "expected a valid string"), ("sizes", "required")]


@pytest.mark.needs("pydantic")
def test_22_models_show_their_members():
    """What a subclass, a dict or another object has beyond them stays inside."""
    import pydantic

    class Inner(pydantic.BaseModel):
        x: int

    class Pie(pydantic.BaseModel):
        kind: str
        when: dt.date
        inner: Inner

    class SecretInner(Inner):
        secret: str = SECRET

    class SecretPie(Pie):
        recipe: str = SECRET

    class Row:
        kind = "plum"
        when = dt.date(2024, 1, 1)
        inner = SecretInner(x=1)
        recipe = SECRET

    shown = '{"kind":"plum","when":"2024-01-01","inner":{"x":1}}'
    results: list[Any] = [SecretPie(kind="plum", when=Row.when, inner=Row.inner), Row(), {**vars(Row)}]
    for result in results:
        assert http(showing(Pie, result)).text == shown
        assert http(showing(list[Pie], [result])).text == f"[{shown}]"
        assert http(showing(Pie | None, (201, result))).text == shown
    assert http(showing(Pie, {"kind": "plum"})).status_code == 500


@pytest.mark.needs("pydantic")
def test_22_models_show_what_their_serialisation_says():
    """Aliases, computed fields, and nothing that is excluded; of a dict or another object by either name."""
    import pydantic

    class Item(pydantic.BaseModel):
        item_id: int = pydantic.Field(alias="itemId")
        password: str = pydantic.Field(SECRET, exclude=True)

        @pydantic.computed_field
        def label(self) -> str:
            return f"item {self.item_id}"

    class Shelf(pydantic.BaseModel):
        items: list[Item]

    class Held:
        item_id = 7
        password = SECRET

    shown = '{"itemId":7,"label":"item 7"}'
    results: list[Any] = [Item.model_validate({"itemId": 7}), {"itemId": 7}, {"item_id": 7}, Held()]
    for result in results:
        assert http(showing(Item, result)).text == shown
        assert http(showing(list[Item], [result])).text == f"[{shown}]"
        assert http(showing(Shelf, {"items": [result]})).text == f'{{"items":[{shown}]}}'
    assert http(showing(Any, Item.model_validate({"itemId": 7}))).text == shown
    assert http(showing(Any, [Shelf(items=[Item.model_validate({"itemId": 7})])])).text == f'[{{"items":[{shown}]}}]'


@pytest.mark.needs("pydantic", "multipart")
def test_20_a_model_takes_a_multipart_form():
    """The whole form."""
    import pydantic

    class Pie(pydantic.BaseModel):
        kind: str
        size: int

    assert wire(taking(Pie), "POST", **multipart([("kind", "plum"), ("size", "2")])).text == repr(
        Pie(kind="plum", size=2)
    )


@pytest.mark.needs("pydantic")
def test_13_a_discriminated_union_of_models_takes_the_body():
    """Pydantic's union of models that a field tells apart."""
    import pydantic

    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]
        lives: int

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]
        tricks: list[str] = []

    app = taking(Annotated[Cat | Dog, pydantic.Field(discriminator="kind")])
    assert http(app, "POST", json={"kind": "cat", "lives": 9}).text == "Cat(kind='cat', lives=9)"
    assert http(app, "POST", data={"kind": "dog"}).text == "Dog(kind='dog', tricks=[])"
    assert http(app, "POST", json={"kind": "cat", "lives": "x"}).status_code == 400
