"""Where pydantic's errors lie in a value: by the names that the client's document has, and no others.

A location (`loc`) has a step for each member and item on the way, and one more for each union: the name, or the tag, of
what was tried. Keys of dicts are in it, too, and are the client's. Which step is which, the schema says.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from micropie.core.basics.core_schemas import CoreSchema, member_paths, schemas_in

Step = str | int

_ALTERNATIVES = ("lax_schema", "strict_schema", "json_schema", "python_schema")


class Locations:
    """Reads the locations of the errors in values of a type."""

    def __init__(self, schema: CoreSchema) -> None:
        self._root = schema
        self._by_reference = {one["ref"]: one for one in schemas_in(schema) if "ref" in one}

    def path(self, location: Iterable[Step]) -> str:
        """A location as a path: `.address.zip`, `.tags[3]`; `.*` stands for a name that no type declares."""
        shown, here = "", [*self._opened([self._root])]
        for step in location:
            text, inside = self._entered(here, step)
            shown += text
            here = [*{id(one): one for one in self._opened(inside)}.values()]  # as deep as it goes, each once
        return shown

    def _entered(self, here: list[CoreSchema], step: Step) -> tuple[str, list[CoreSchema]]:
        """What to show of a step, and the schemas that the next one may be in."""
        is_place = isinstance(step, int)
        if is_place and (items := [item for schema in here for item in _items(schema)]):
            return f"[{step}]", items
        if members := [member for schema in here for member in _members_named(schema, step)]:
            return f".{step}", members
        if choices := [choice for schema in here for choice in _choices(schema, step)]:
            return "", choices
        values = [schema["values_schema"] for schema in here if "values_schema" in schema]
        return f"[{step}]" if is_place and not values else ".*", values

    def _opened(self, schemas: Iterable[CoreSchema]) -> Iterator[CoreSchema]:
        """The schemas that steps lead into, without what is around them and has no step of its own."""
        for schema in schemas:
            if schema["type"] == "definition-ref":
                inside = [self._by_reference[schema["schema_ref"]]]
            else:
                inside = [schema[name] for name in ("schema", *_ALTERNATIVES) if name in schema]
                inside += schema.get("steps", ())
            yield from self._opened(inside) if inside else (schema,)


def _items(schema: CoreSchema) -> list[CoreSchema]:
    """What may be in a list, or in a tuple."""
    items: Any = schema.get("items_schema", ())
    return [items] if isinstance(items, dict) else [*items]


def _members_named(schema: CoreSchema, step: Step) -> Iterator[CoreSchema]:
    """What may be the member of a record that a step names, by its name or by an alias."""
    fields = schema.get("fields", ())
    for name, field in fields.items() if isinstance(fields, dict) else [(one["name"], one) for one in fields]:
        for first, *rest in member_paths(name, field):
            if first == step:
                yield _at(rest, field["schema"])


def _at(path: list[Step], schema: CoreSchema) -> CoreSchema:
    """A schema of what has another one at the end of a path."""
    for step in reversed(path):
        is_place = isinstance(step, int)
        schema = {"items_schema": schema} if is_place else {"fields": {step: {"schema": schema}}}
        schema["type"] = "list" if is_place else "typed-dict"
    return schema


def _choices(schema: CoreSchema, step: Step) -> list[CoreSchema]:
    """The members of a union; of one with tags that whose tag the step is."""
    choices = schema.get("choices", ())
    if isinstance(choices, dict):
        return [choices[step]] if step in choices else [*choices.values()]
    return [choice[0] if isinstance(choice, tuple) else choice for choice in choices]
