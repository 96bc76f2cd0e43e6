"""`micropie.openapi`: the schemas of annotations, as bodies take them and as replies send them."""

import datetime
import enum
import json
import types
import typing
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, Self, TypeVar, TypeVarTuple
from uuid import UUID

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType, TypedDict
from typing_extensions import TypeVar as DefaultVar

from micropie import (
    Header,
)
from tests.batteries.documented import (
    DECIMAL,
    JSON,
    TEXT,
    Account,
    Birthday,
    Calendar,
    Cat,
    Colour,
    Crumb,
    Dog,
    Event,
    Login,
    Model,
    Note,
    Page,
    Part,
    Pie,
    Row,
    Simple,
    Size,
    Struct,
    T,
    Thing,
    Times,
    U,
    UserId,
    Written,
    any_of,
    described,
    operation,
    operation_components,
    recursive,
    schema_of,
    shape,
)

# -- schemas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (Any, {}),
        (object, {}),
        (Decimal, {"anyOf": [DECIMAL, {"type": "number"}]}),
        (Decimal | None, {"anyOf": [DECIMAL, {"type": "number"}, {"type": "null"}]}),
        (UUID, {"type": "string", "format": "uuid"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.time, {"type": "string", "format": "time"}),
        (datetime.timedelta, {"type": "string", "format": "duration"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (typing.Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (UserId, {"type": "integer"}),
        (typing.List, {"type": "array", "items": {}}),  # noqa: UP006
        (typing.Dict, {"type": "object", "additionalProperties": {}}),  # noqa: UP006
        (tuple[()], {"type": "array"}),
        (Literal[b"a", "b"], {"type": "string", "enum": ["b"]}),
        (Literal[b"a"], {}),
        (Literal[Birthday.ANN], {"type": "string", "format": "date", "enum": ["2030-01-31"]}),
    ],
)
def test_schema_of_an_annotation(annotation, schema):
    """Each annotation has the schema of what it accepts."""
    assert schema_of(annotation) == schema


Numbers = TypeAliasType("Numbers", list[int])
Several = TypeAliasType("Several", list[T], type_params=(T,))
Json = TypeAliasType("Json", "dict[str, Json] | int")
Late = TypeAliasType("Late", "Nowhere")  # type: ignore[name-defined]  # noqa: F821
Bound = TypeVar("Bound", bound=int)
Either = TypeVar("Either", int, str)
Preset = DefaultVar("Preset", default=int)
Ts = TypeVarTuple("Ts")


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, annotated_types.Ge(1)], {"type": "integer", "minimum": 1}),
        (Numbers, {"type": "array", "items": {"type": "integer"}}),
        (Several[int], {"type": "array", "items": {"type": "integer"}}),
        (T, {}),
        (tuple[int, *tuple[str, ...]], {"type": "array"}),
        (Json, {"anyOf": [{"type": "object", "additionalProperties": {}}, {"type": "integer"}]}),
        (Late, {}),
        (Bound, {"type": "integer"}),
        (Either, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Preset, {"type": "integer"}),
        (list.__class_getitem__(Preset), {"type": "array", "items": {"type": "integer"}}),
        (Page[int], {"$ref": "#/components/schemas/Page_int"}),
        (Page, {"$ref": "#/components/schemas/Page"}),
        (UserId, {"type": "integer"}),
        (Final[int], {}),
        (type[int], {}),
        (pydantic.HttpUrl, {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}),
        (Counter[str], {"type": "object", "additionalProperties": {}}),
    ],
)
def test_schema_of_a_part_of_a_reply(annotation, schema):
    """What can't be said is anything."""

    async def it(self):
        return None

    it.__annotations__["return"] = dict.__class_getitem__((str, annotation))
    found = operation(it)["responses"]["200"]["content"]["application/json"]["schema"]
    assert found == {"type": "object", "additionalProperties": schema}


@pytest.mark.parametrize(
    ("annotation", "metadata", "limits"),
    [
        (int, annotated_types.Gt(0), {"exclusiveMinimum": 0}),
        (int, annotated_types.Ge(0), {"minimum": 0}),
        (float, annotated_types.Lt(1.5), {"exclusiveMaximum": 1.5}),
        (int, annotated_types.Le(9), {"maximum": 9}),
        (int, annotated_types.Interval(ge=1, le=5), {"minimum": 1, "maximum": 5}),
        (int, annotated_types.MultipleOf(3), {"multipleOf": 3}),
        (str, annotated_types.MinLen(2), {"minLength": 2}),
        (str, annotated_types.Len(1, 5), {"minLength": 1, "maxLength": 5}),
        (list[int], annotated_types.MaxLen(3), {"maxItems": 3}),
        (dict[str, int], annotated_types.MaxLen(3), {"maxProperties": 3}),
        (str, pydantic.Field(pattern="^a", max_length=3), {"pattern": "^a", "maxLength": 3}),
        (int, msgspec.Meta(ge=1, title="Count"), {"minimum": 1, "title": "Count"}),
        (datetime.date, annotated_types.Ge(datetime.date(2020, 1, 1)), {}),
        (int, "a remark", {}),
        (int, annotated_types.Predicate(bool), {}),
    ],
)
def test_limits_of_an_annotation(annotation, metadata, limits):
    """Limits are said in the words of JSON Schema; what it has no words for is left out."""
    found = schema_of(annotation, metadata)
    assert found == {**schema_of(annotation), **limits}


def test_classes_are_components():
    """A dataclass with its defaults, examples and references, also to itself."""
    schema_of_pie = operation_components(Pie)
    assert schema_of_pie["Pie"] == {
        "type": "object",
        "description": "A pie, baked.",
        "properties": {
            "name": {"type": "string", "description": "What is in it", "examples": ["apple"]},
            "colour": {"$ref": "#/components/schemas/Colour", "default": "red"},
            "crumbs": {"type": "array", "items": {"$ref": "#/components/schemas/Crumb"}},
            "slice_of": {"anyOf": [{"$ref": "#/components/schemas/Pie"}, {"type": "null"}]},
        },
        "required": ["name"],
    }
    assert schema_of_pie["Colour"] == {"description": "What it looks like.", "type": "string", "enum": ["red", "blue"]}
    assert schema_of_pie["Crumb"] == {
        "type": "object",
        "properties": {"weight": {"type": "number"}},
        "required": ["weight"],
    }


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        (Note, {"Note"}),
        (Size, {"Size"}),
        (Struct, {"Struct", "Inner"}),
        (Thing, {"Thing"}),
        (Model, {"Model", "Part"}),
        (list[Struct | None], {"Struct", "Inner"}),
    ],
)
def test_other_classes_are_components_too(annotation, names):
    """TypedDict, Enum, msgspec.Struct, attrs, pydantic."""
    found = operation_components(annotation)
    assert found.keys() == names | {"Problem"}
    assert all("#/$defs" not in json.dumps(one) for one in found.values())


def test_members_of_a_typed_dict_may_be_left_out():
    """As the class says."""
    assert operation_components(Note)["Note"] == {
        "type": "object",
        "properties": {"text": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["text"],
    }


def test_classes_of_the_same_name_are_told_apart():
    """The second one has its module's name, whichever library describes it."""
    first: Any = dataclass(type("Crumb", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    second: Any = dataclass(type("Crumb", (), {"__annotations__": {"b": int}, "__module__": "two"}))
    third = msgspec.defstruct("Crumb", [("c", int)], module="three")
    fourth: Any = dataclass(type("Crumb", (), {"__annotations__": {"d": int}, "__module__": "two"}))
    found = operation_components(tuple.__class_getitem__((first, second, third, first, fourth)))
    assert {name: [*one["properties"]] for name, one in found.items() if name != "Problem"} == {
        "Crumb": ["a"],
        "two.Crumb": ["b"],
        "three.Crumb": ["c"],
        "two.Crumb.2": ["d"],
    }


def test_models_of_the_same_name_are_told_apart():
    """With all that belongs to them."""
    make: Any = pydantic.create_model
    parts = [
        make("Part", __module__=module, **{name: (int, ...)})
        for module, name in (("one", "a"), ("two", "b"), ("two", "c"))
    ]
    wholes = [make("Whole", part=(part, ...), __module__=part.__module__) for part in parts]
    found = described(sent=list.__class_getitem__(wholes[0] | wholes[1] | wholes[2]))
    assert [*found] == ["Part", "Whole", "two.2.Part", "two.2.Whole", "two.Part", "two.Whole"]
    for prefix, name in (("", "a"), ("two.", "b"), ("two.2.", "c")):
        assert [*found[f"{prefix}Part"]["properties"]] == [name]
        assert found[f"{prefix}Whole"]["properties"]["part"] == {"$ref": f"#/components/schemas/{prefix}Part"}


def test_a_class_with_annotations_that_mean_nothing_has_members_of_any_kind():
    """A document is made all the same."""
    broken: Any = dataclass(type("Broken", (), {"__annotations__": {"a": "Missing"}}))

    async def it(self):
        return None

    it.__annotations__["return"] = broken
    assert operation(it)["components"]["schemas"]["Broken"]["properties"] == {"a": {}}


class Strange:
    """A class that no library knows."""


class StrangeModel(pydantic.BaseModel):
    """It has a member without a schema."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    it: Strange


class StrangeStruct(msgspec.Struct):
    """It has a default without a form in JSON."""

    weight: float = float("inf")


class StrangeEnum(enum.Enum):
    NUMBER = float("nan")
    OBJECT = Strange()


@dataclass
class StrangeClass:
    """Its metadata is for others."""

    it: int = field(default=1, metadata={"example": Strange(), "description": 5})


@pytest.mark.parametrize(
    ("annotation", "component"),
    [
        (StrangeModel, {"description": "It has a member without a schema."}),
        (
            StrangeStruct,
            {
                "type": "object",
                "description": "It has a default without a form in JSON.",
                "properties": {"weight": {"type": "number"}},
            },
        ),
        (StrangeEnum, {}),
        (
            StrangeClass,
            {
                "type": "object",
                "description": "Its metadata is for others.",
                "properties": {"it": {"type": "integer", "default": 1}},
            },
        ),
    ],
)
def test_what_json_schema_cannot_say_is_left_out(annotation, component):
    """A document is made all the same."""
    assert operation_components(annotation)[annotation.__name__] == component
    assert operation_components(list.__class_getitem__(annotation))[annotation.__name__] == component


@dataclass
class Sealed:
    key: InitVar[int]
    name: str
    _inner: str = "hidden"


def test_a_dataclass_shows_what_it_takes():
    """What is only there for `__post_init__` is taken, a private field with a default is not."""
    assert operation_components(Sealed)["Sealed"] == {
        "type": "object",
        "properties": {"key": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["key", "name"],
    }


def test_a_class_may_have_the_name_of_our_own_component():
    """It is told apart from it."""
    problem: Any = dataclass(type("Problem", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    assert operation_components(problem)["one.Problem"]["properties"] == {"a": {"type": "integer"}}


def test_the_rest_of_a_path_has_its_own_name():
    """Whatever else its annotation says."""

    async def it(self, *rest: Annotated[str, Header("X-Rest")]):
        return rest

    assert operation(it, path="/it/{rest}")["parameters"][0]["name"] == "rest"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Colour.BLUE, {"default": "blue"}),
        (datetime.date(2030, 1, 31), {"default": "2030-01-31"}),
        (Decimal("1.50"), {"default": "1.50"}),
        (frozenset({2, 1}), {"default": [1, 2]}),
        (Crumb(1.5), {"default": {"weight": 1.5}}),
        (float("inf"), {}),
        (object(), {}),
        ({1, "a"}, {}),
        (recursive(), {}),
    ],
)
def test_defaults_are_shown_as_json(value, shown):
    """Those that JSON can't hold are not shown."""

    async def it(self, page: Any = value):
        return page

    (found,) = operation(it)["parameters"]
    assert found["schema"] == shown


@pytest.mark.parametrize(("value", "schema"), [("1", {"type": "string", "default": "1"}), (1, {"default": 1})])
def test_an_untyped_parameter_is_text_unless_its_default_is_not(value, schema):
    """The document must not contradict itself."""

    async def it(self, page=value):
        return page

    (found,) = operation(it)["parameters"]
    assert found["schema"] == schema


# -- bodies and replies of one class ------------------------------------------------------------------


def test_a_class_with_one_meaning_is_one_component():
    """Bodies and replies refer to it."""
    assert [*described(Simple, Simple)] == ["Simple"]


def test_a_reply_has_a_schema_of_its_own_where_it_differs():
    """It has all members, those too that no body can set, and says how they are written."""
    both = described(Event, Event)
    assert [*both] == ["Event", "EventInput"]
    assert both["EventInput"] == {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "price": {"anyOf": [DECIMAL, {"type": "number"}], "default": "1"},
        },
        "required": ["at"],
    }
    assert both["Event"] == {
        "type": "object",
        "properties": {
            "at": {"anyOf": [{"type": "string", "format": one} for one in ("date-time", "date-time-local")]},
            "price": {"type": "string", "format": "decimal"},
            "id": {"type": "integer"},
        },
        "required": ["at", "price", "id"],
    }
    assert described(Event) == {"Event": both["EventInput"]}
    assert described(sent=Event) == {"Event": both["Event"]}


def test_what_refers_to_two_meanings_has_two_itself():
    """And refers to the right one; what both sides share stays one."""
    found = described(Calendar, Calendar)
    assert [*found] == ["Calendar", "CalendarInput", "Event", "EventInput", "Simple"]
    for suffix in ("", "Input"):
        properties = found[f"Calendar{suffix}"]["properties"]
        assert properties["events"]["items"] == {"$ref": f"#/components/schemas/Event{suffix}"}
        assert properties["simple"] == {"$ref": "#/components/schemas/Simple"}


def test_a_name_for_a_body_may_be_taken():
    """Another class is called so."""
    taken: Any = dataclass(type("EventInput", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    found = described(Event | taken, Event | taken)
    assert {name: [*schema["properties"]] for name, schema in found.items()} == {
        "Event": ["at", "price", "id"],
        "EventInput": ["a"],
        "EventInputInput": ["at", "price"],
    }


@pytest.mark.parametrize("kind", [datetime.time, datetime.datetime])
def test_a_time_in_a_reply_may_have_no_zone(kind):
    """RFC 3339's `time` and `date-time` have one, and naive values go out as they are."""
    name = "time" if kind is datetime.time else "date-time"

    async def it(self):
        return None

    it.__annotations__["return"] = list.__class_getitem__(kind)
    items = operation(it)["responses"]["200"]["content"][JSON]["schema"]["items"]
    assert [one["format"] for one in items["anyOf"]] == [name, f"{name}-local"]


class Shop(pydantic.BaseModel):
    """It has all that makes a model's two schemas differ."""

    item_id: int = pydantic.Field(alias="itemId")
    secret: str = pydantic.Field("x", exclude=True)
    written: int = pydantic.Field(1, serialization_alias="sent")
    read: int = pydantic.Field(1, validation_alias=pydantic.AliasChoices("first", "second"))

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        """A word for it."""
        return f"item {self.item_id}"


def test_a_model_is_described_by_its_validation_and_by_its_serialization():
    """Aliases, excluded and computed members: each side has its own."""
    found = described(Shop, Shop)
    assert shape(found["ShopInput"]) == (["itemId", "secret", "written", "first"], ["itemId"])
    assert shape(found["Shop"]) == (["itemId", "sent", "read", "label"], ["itemId", "label"])
    assert described(Part, list[Part]).keys() == {"Part"}


@pydantic.dataclasses.dataclass
class Stored:
    """A dataclass that pydantic validates."""

    name: str
    _id: int
    _role: str = "user"
    number: int = field(default=0, init=False)


def test_private_fields_of_a_dataclass_of_pydantics_are_not_listed():
    """Nor those that a body can't set; a required one it must; a model's alias may begin as it likes."""
    found = described(Stored, Stored)
    assert shape(found["StoredInput"]) == (["name", "_id"], ["name", "_id"])
    assert shape(found["Stored"]) == (["name", "number"], ["name"])
    alias: Any = pydantic.create_model("Alias", id=(int, pydantic.Field(1, alias="_id")))
    assert shape(described(alias)["Alias"]) == (["_id"], [])


class Seconds(pydantic.BaseModel, ser_json_temporal="seconds"):
    at: datetime.datetime


def test_a_models_times_in_a_reply_may_have_no_zone():
    """But for those that must have one, and those that are numbers."""
    found = described(Times, Times)
    taken = {name: one["format"] for name, one in found["TimesInput"]["properties"].items()}
    sent = {
        name: [kind["format"] for kind in one.get("anyOf", [one])] for name, one in found["Times"]["properties"].items()
    }
    assert taken == {**dict.fromkeys(("any", "aware", "naive"), "date-time"), "day": "date", "time": "time"}
    assert sent == {
        "any": ["date-time", "date-time-local"],
        "aware": ["date-time"],
        "naive": ["date-time-local"],
        "day": ["date"],
        "time": ["time", "time-local"],
    }
    assert described(sent=Seconds)["Seconds"]["properties"]["at"]["type"] == "number"


def test_a_model_within_another_record_has_two_meanings_too():
    """Wherever it stands."""

    @dataclass
    class Order:
        shop: Shop

    found = described(Order, Order)
    assert [*found] == ["Order", "OrderInput", "Shop", "ShopInput"]
    assert found["OrderInput"]["properties"]["shop"] == {"$ref": "#/components/schemas/ShopInput"}


# -- generic classes ----------------------------------------------------------------------------------


class GenericStruct(msgspec.Struct, Generic[T]):
    items: list[T]


@attrs.define
class GenericAttrs(Generic[T]):
    items: list[T]


class GenericDict(TypedDict, Generic[T]):
    items: list[T]


class GenericModel(pydantic.BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Half(Page[T], Generic[T, U]):
    other: "U | None"
    same: T


@dataclass
class Whole(Half[Crumb, int]):
    all: dict[str, "Half[int, Crumb]"]


@dataclass
class Turned(Page[list[T]], Generic[T]):
    one: T


CRUMB = {"$ref": "#/components/schemas/Crumb"}


@pytest.mark.parametrize("kind", [Page, GenericStruct, GenericAttrs, GenericDict, GenericModel])
def test_a_generic_class_is_described_with_its_arguments(kind):
    """Of whatever library, taken or sent; each argument makes another component."""
    holder: Any = dataclass(type("Holder", (), {"__annotations__": {"crumbs": kind[Crumb], "numbers": kind[int]}}))
    for found in (described(holder), described(sent=holder)):
        crumbs, numbers = (found[one["$ref"].rpartition("/")[2]] for one in found["Holder"]["properties"].values())
        assert crumbs["properties"]["items"]["items"] == CRUMB
        assert numbers["properties"]["items"]["items"] == {"type": "integer"}


@dataclass
class Node(Generic[T]):
    item: T
    next: Self | None
    below: list[Self]


@pytest.mark.parametrize(("kind", "name"), [(Node, "Node"), (Node[int], "Node_int")])
def test_self_is_the_class_that_it_stands_in(kind, name):
    """With its arguments, taken or sent."""
    reference = {"$ref": f"#/components/schemas/{name}"}
    for found in (described(kind), described(sent=kind)):
        assert list(found) == [name]
        assert found[name]["properties"]["next"] == {"anyOf": [reference, {"type": "null"}]}
        assert found[name]["properties"]["below"] == {"type": "array", "items": reference}


class Step(NamedTuple, Generic[T]):
    """One step."""

    what: T
    below: "list[Step[T]]"


def test_a_named_tuple_is_a_list_in_a_reply():
    """Of so many items, each of its type; in a body nothing is known of it."""
    assert described(list[Step[int]], list[Step[int]]) == {
        "Step_int": {
            "description": "One step.",
            "type": "array",
            "prefixItems": [
                {"type": "integer"},
                {"type": "array", "items": {"$ref": "#/components/schemas/Step_int"}},
            ],
            "minItems": 2,
            "maxItems": 2,
        }
    }


class Created(NamedTuple):
    status: Literal[201]
    body: Crumb


@pytest.mark.parametrize(
    "returns",
    [Created, TypeAliasType("Alias", tuple[Literal[201], Crumb]), Annotated[Created, "note"], Awaitable[Created]],
)
def test_a_status_is_read_under_any_name_of_its_type(returns):
    """A NamedTuple, an alias, and what is to be awaited."""

    def it(self):
        return self

    it.__annotations__["return"] = returns
    assert operation(it)["responses"]["201"]["content"] == any_of("Crumb")


def test_type_arguments_reach_the_members_of_bases():
    """Through several classes, each with variables of its own."""
    found = described(sent=Whole)
    assert {name: [*schema["properties"].values()] for name, schema in found.items() if name != "Crumb"} == {
        "Whole": [
            {"type": "array", "items": CRUMB},
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            CRUMB,
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Half_int_Crumb"}},
        ],
        "Half_int_Crumb": [
            {"type": "array", "items": {"type": "integer"}},
            {"anyOf": [CRUMB, {"type": "null"}]},
            {"type": "integer"},
        ],
    }
    lists = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    assert [*described(sent=Turned[int])["Turned_int"]["properties"].values()] == [lists, {"type": "integer"}]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Page[int | None], "Page_int_or_None"),
        (Page[Annotated[int, pydantic.Field(ge=1)]], "Page_int"),
        (Page[Literal["a b"]], "Page_Literal_a_b"),
        (Page[Page[Crumb]], "Page_Page_Crumb"),
        (Page["list[int]"], "Page_list_int"),
        (dataclass(type("Crème brûlée", (), {})), "Cr_me_br_l_e"),
        (enum.Enum("Größe", ["S"]), "Gr__e"),
        (pydantic.create_model("Crème", x=(int, 1)), "Cr_me"),
        (msgspec.defstruct("a/b~{c}", ["x"]), "a_b__c_"),
    ],
)
def test_the_name_of_a_component(annotation, name):
    """It has the characters that a component's may have."""
    assert name in described(sent=annotation)


@dataclass
class Variadic(Generic[T, *Ts]):
    one: T
    rest: tuple[*Ts]


def test_other_variables_stay_open():
    """A record with them has a component, whatever they stand for."""
    (component,) = described(sent=Variadic[int, str, float]).values()
    assert component["properties"] == {"one": {}, "rest": {"type": "array"}}


def test_generic_classes_with_the_same_arguments_are_one():
    """Also where an argument carries metadata that can't be hashed."""
    page, again = Page[Annotated[int, {"unit": "g"}]], Page[Annotated[int, {"unit": "g"}]]
    assert page is not again
    holder: Any = dataclass(type("Holder", (), {"__annotations__": {"a": page, "b": again}}))
    assert [*described(sent=holder)] == ["Holder", "Page_int"]


def test_a_type_that_no_union_can_hold_is_described():
    """One whose metadata can't be hashed, beside another that has a status of its own."""

    async def it(self) -> Any:
        return None

    page = Page[Annotated[int, {"unit": "g"}]]
    it.__annotations__["return"] = types.GenericAlias(tuple, (int, page)) | Crumb
    assert operation(it)["responses"]["200"]["content"] == any_of("Page_int", "Crumb")


# -- members ------------------------------------------------------------------------------------------


def test_private_members_and_those_of_the_class_alone_are_not_listed():
    """attrs: no client can set them; a reply shows what is not private."""
    found = described(Account, Account)
    assert shape(found["AccountInput"]) == (["name", "tags", "note"], ["name"])
    assert shape(found["Account"]) == (["name", "id", "tags", "note"], ["name", "id", "tags", "note"])
    assert found["AccountInput"]["properties"]["note"] == {
        "type": "string",
        "default": "-",
        "description": "What it is for",
    }


def test_members_of_a_struct():
    """By their names in JSON; the tag is one, and what is unset need not be there."""
    found = described(Login, Login)
    assert shape(found["LoginInput"]) == (["type", "userName", "seen", "tags", "level"], ["type", "userName"])
    assert found["LoginInput"]["additionalProperties"] is False
    assert found["LoginInput"]["properties"] == {
        "type": {"type": "string", "enum": ["login"]},
        "userName": {"type": "string"},
        "seen": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "level": {"type": "integer", "minimum": 0, "default": 1},
    }
    assert shape(found["Login"]) == (
        ["type", "userName", "seen", "tags", "level"],
        ["type", "userName", "tags", "level"],
    )
    assert "additionalProperties" not in found["Login"]


def test_bytes_of_a_struct_are_base64():
    """As msgspec takes them."""
    kind = msgspec.defstruct("Key", [("value", bytes), ("text", str)])
    assert described(kind)["Key"]["properties"] == {"value": {**TEXT, "contentEncoding": "base64"}, "text": TEXT}


def test_a_struct_may_be_an_array():
    """In a body; a reply that declares it has an object."""
    found = described(Row, Row)
    assert found["RowInput"] == {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "integer", "default": 1}],
        "minItems": 1,
    }
    assert shape(found["Row"]) == (["name", "size"], ["name", "size"])


def test_a_typed_dict_says_what_may_be_left_out():
    """Also where the annotation is text, and within others."""
    found = described(Written)
    assert shape(found["Written"]) == (["text", "tags", "at", "by"], ["text", "by"])


def test_enums_of_several_libraries_are_one_component():
    """A model's and ours, whichever comes first."""

    class Car(pydantic.BaseModel):
        """It is pydantic that describes it."""

        colour: Colour

    for annotations in ((Car, Colour), (Colour, Car)):
        assert described(tuple.__class_getitem__(annotations)).keys() == {"Car", "Colour"}


# -- unions -------------------------------------------------------------------------------------------


class ModelOfCat(pydantic.BaseModel):
    kind: Literal["cat", "lion"]


class ModelOfDog(pydantic.BaseModel):
    kind: Literal["dog"]


def discriminator(**names: str) -> dict[str, Any]:
    """The Discriminator Object of the member `kind`."""
    mapping = {value: f"#/components/schemas/{name}" for value, name in names.items()}
    return {"propertyName": "kind", "mapping": mapping}


STRUCTS = {
    "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
    "discriminator": discriminator(cat="Cat", dog="Dog"),
}
MODELS = {
    "oneOf": [{"$ref": "#/components/schemas/ModelOfCat"}, {"$ref": "#/components/schemas/ModelOfDog"}],
    "discriminator": discriminator(cat="ModelOfCat", lion="ModelOfCat", dog="ModelOfDog"),
}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Cat | Dog, STRUCTS),
        (Cat | Dog | None, {"anyOf": [STRUCTS, {"type": "null"}]}),
        (list[Cat | Dog], {"type": "array", "items": STRUCTS}),
        (Annotated[ModelOfCat | ModelOfDog, pydantic.Field(discriminator="kind")], MODELS),
        (Annotated[ModelOfCat | ModelOfDog, pydantic.Discriminator("kind")], MODELS),
        (
            Annotated[ModelOfCat | ModelOfDog, pydantic.Field(discriminator="kind", description="Which")],
            {**MODELS, "description": "Which"},
        ),
    ],
)
def test_a_union_names_the_member_that_tells_which_one(annotation, schema):
    """Structs with tags, and models whose Field says so; in bodies and in replies."""
    assert schema_of(annotation) == schema

    async def it(self):
        return None

    it.__annotations__["return"] = list.__class_getitem__(annotation)
    items = operation(it)["responses"]["200"]["content"][JSON]["schema"]["items"]
    assert items["discriminator" if "discriminator" in schema else next(iter(schema))] is not None
    assert {name.removesuffix("Input") for name in operation_components(annotation)} >= {"Problem"}


@pytest.mark.parametrize(
    "annotation",
    [
        Cat | Crumb,
        Cat | msgspec.defstruct("Twin", [("age", int)], tag="cat", tag_field="kind"),
        Cat | msgspec.defstruct("Other", [("age", int)], tag="other", tag_field="type"),
        Annotated[ModelOfCat | ModelOfDog, pydantic.Discriminator(lambda value: value["kind"])],
        Annotated[ModelOfCat | Crumb, pydantic.Discriminator("kind")],
        Annotated[int, pydantic.Discriminator("kind")],
    ],
)
def test_a_union_without_such_a_member_has_no_discriminator(annotation):
    """It takes a name that all of them have."""
    assert "discriminator" not in schema_of(annotation)
