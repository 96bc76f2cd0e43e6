"""The weight of a value, which tells before validation by pydantic what that may cost.

A union tries all its members: of unions inside each other the innermost is asked again and again, 2**n times. Every
member of a recursive model may be a fault, and takes some 300 bytes. So of types that are recursive the steps and the
faults to come are counted, each part of a value once. On the way sets are bounded, and objects whose keys are no text.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from micropie.core.basics.core_schemas import CoreSchema, is_optional, member_paths, schemas_in
from micropie.core.basics.errors import ConversionError
from micropie.core.conversion.converter import MAX_SET, VALID, check_size

FREE = 20_000  # steps that any value may cost: 50 ms
BYTES_A_STEP = 8  # of JSON, beyond that

Seen = dict[tuple[int, int], int]
Weigh = Callable[[Any, Seen], int]

_TEXT_KEYS = frozenset(("str", "any", "literal", "enum"))
_LISTS, _SETS = ("list", "deque", "generator"), ("set", "frozenset")
_OBJECTS = ("dict", "frozendict", "ordered-dict", "counter")


class Weights:
    """Compiles a core schema into a function that weighs values: `weigh`, None where no value can be too heavy."""

    def __init__(self, schema: CoreSchema) -> None:
        schemas = schemas_in(schema)
        self._definitions = {one["ref"]: one for outer in schemas for one in outer.get("definitions", ())}
        self._recursive = _is_recursive(
            {
                ref: {one["schema_ref"] for one in schemas_in(definition) if one["type"] == "definition-ref"}
                for ref, definition in self._definitions.items()
            }
        )
        self._widest = max((len(one["choices"]) for one in schemas if "choices" in one), default=1)
        self._referred: dict[str, Weigh] = {}
        self._makers: dict[str, Callable[[CoreSchema], Weigh | None]] = {
            **dict.fromkeys(_LISTS, lambda one: self._list(one, None)),
            **dict.fromkeys(_SETS, lambda one: self._list(one, MAX_SET)),
            **dict.fromkeys(_OBJECTS, self._dict),
            **dict.fromkeys(("model-fields", "typed-dict"), lambda one: self._object(one, one["fields"].items())),
            "dataclass-args": lambda one: self._object(one, [(field["name"], field) for field in one["fields"]]),
            "tuple": lambda one: self._tuple(one["items_schema"], one.get("variadic_item_index")),
            "named-tuple": lambda one: self._tuple([field["schema"] for field in one["fields"]], None),
            "chain": lambda one: self._of(one["steps"][0]),
            "union": self._union,
            "tagged-union": self._tagged_union,
            "definition-ref": self._reference,
        }
        self._weigh = self._of(schema)

    def check(self, value: Any, size: int) -> None:
        """Raise `ConversionError` for a value, of so many bytes of JSON, that is too heavy, or has too large a part."""
        if self._weigh is not None:
            weight = self._weigh(value, {})
            if self._recursive and weight > FREE + self._widest * size // BYTES_A_STEP:
                raise ConversionError(("", VALID))

    def _of(self, schema: CoreSchema) -> Weigh | None:
        """The weight of what the schema validates; None for what has no parts that weigh anything."""
        if schema["type"] in self._makers:
            return self._makers[schema["type"]](schema)
        inside = next((schema[name] for name in ("schema", "lax_schema", "json_schema") if name in schema), None)
        return None if inside is None else self._of(inside)

    def _list(self, schema: CoreSchema, limit: int | None) -> Weigh | None:
        return _weigh_collection(list, self._of(schema.get("items_schema", {"type": "any"})), limit)

    def _dict(self, schema: CoreSchema) -> Weigh | None:
        keys = schema.get("keys_schema", {"type": "any"})
        while "schema" in keys:
            keys = keys["schema"]
        limit = None if keys["type"] in _TEXT_KEYS else MAX_SET
        return _weigh_collection(dict, self._of(schema.get("values_schema", {"type": "any"})), limit)

    def _tuple(self, schemas: list[CoreSchema], variadic: int | None) -> Weigh | None:
        items = [self._of(one) for one in schemas]
        if not any(items):
            return None

        def weigh(value: Any, seen: Seen) -> int:
            if not isinstance(value, list):
                return 1
            here = items
            if variadic is not None:
                more = len(value) - len(items)
                here = items[:variadic] + [items[variadic]] * (more + 1) + items[variadic + 1 :]
            weight = 1
            for item, one in zip(here, value, strict=False):
                weight += 0 if item is None else item(one, seen)
            return weight

        return weigh

    def _object(self, schema: CoreSchema, fields: Iterable[tuple[str, CoreSchema]]) -> Weigh | None:
        members = [(member_paths(name, field), field) for name, field in fields]
        required = [
            {path[0] for path in paths}
            for paths, field in members
            if field.get("required", not is_optional(field["schema"]))
        ]
        weighed = [(path, inner) for paths, field in members if (inner := self._of(field["schema"])) for path in paths]
        extra = self._of(schema.get("extras_schema", {"type": "any"}))
        if not (weighed or extra or self._recursive):
            return None
        known = {path[0] for paths, _ in members for path in paths}

        def weigh(value: Any, seen: Seen) -> int:
            if not isinstance(value, dict):
                return 1
            weight = 1
            for names in required:
                weight += names.isdisjoint(value)
            for path, inner in weighed:
                if path[0] in value:
                    weight += inner(_at_end_of(value, path), seen)
            if extra is not None:
                weight += _weight_of_all(extra, [one for name, one in value.items() if name not in known], seen)
            return weight

        return weigh

    def _union(self, schema: CoreSchema) -> Weigh | None:
        choices = [one[0] if isinstance(one, tuple) else one for one in schema["choices"]]
        members = [member for member in map(self._of, choices) if member is not None]
        if not members:
            return None

        def weigh(value: Any, seen: Seen) -> int:
            weight = 1
            for member in members:
                weight += member(value, seen)
            return weight

        return _weighed_once(weigh)

    def _tagged_union(self, schema: CoreSchema) -> Weigh | None:
        tagged = {tag: self._of(one) for tag, one in schema["choices"].items()}
        members = [member for member in tagged.values() if member is not None]
        if not members:
            return None
        tag_name = schema["discriminator"]

        def weigh(value: Any, seen: Seen) -> int:
            tag = value.get(tag_name) if isinstance(tag_name, str) and isinstance(value, dict) else None
            if isinstance(tag, str | int) and tag in tagged:
                member = tagged[tag]
                return 1 if member is None else member(value, seen)
            return max(member(value, seen) for member in members)

        return _weighed_once(weigh)

    def _reference(self, schema: CoreSchema) -> Weigh | None:
        ref = schema["schema_ref"]
        if not self._recursive:
            return self._of(self._definitions[ref])
        if ref not in self._referred:
            self._referred[ref] = lambda value, seen: 1 if found is None else found(value, seen)
            found = self._of(self._definitions[ref])  # the type may be inside itself
        return self._referred[ref]


def _is_recursive(referred: Mapping[str, set[str]]) -> bool:
    """True if any of the definitions leads back to itself, by those that each refers to."""
    for start in referred:
        line = [start]
        for ref in line:
            line += referred[ref].difference(line)
            if start in referred[ref]:
                return True
    return False


def _at_end_of(value: Any, path: list[Any]) -> Any:
    """The value at the end of the path; None if that leads nowhere."""
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value


def _weigh_collection(kind: type[Any], item: Weigh | None, limit: int | None) -> Weigh | None:
    if item is None and limit is None:
        return None

    def weigh(value: Any, seen: Seen) -> int:
        if not isinstance(value, kind):
            return 1
        check_size(value, limit)
        parts: Iterable[Any] = value.values() if isinstance(value, dict) else value
        return 1 if item is None else 1 + _weight_of_all(item, parts, seen)

    return weigh


def _weight_of_all(weigh: Weigh, values: Iterable[Any], seen: Seen) -> int:
    weight = 0
    for value in values:
        weight += weigh(value, seen)
    return weight


def _weighed_once(weigh: Weigh) -> Weigh:
    """The weight of each list and object inside a value, found once. They stay where they are: addresses name them."""

    def weigh_once(value: Any, seen: Seen) -> int:
        if not isinstance(value, dict | list) or not value:
            return weigh(value, seen)
        place = id(weigh), id(value)
        if place not in seen:
            seen[place] = weigh(value, seen)
        return seen[place]

    return weigh_once
