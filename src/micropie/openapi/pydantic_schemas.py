"""The schemas that pydantic makes of its models, dataclasses and other types, in its own words but for two things.

Private fields of dataclasses, which no client sets or sees, are not in them; and a time in a reply may have no zone.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeAlias

from micropie.openapi.json_values import as_json

Schema: TypeAlias = dict[str, Any]


def is_of_pydantic(cls: Any) -> bool:
    """True if pydantic validates the class."""
    return hasattr(cls, "__pydantic_validator__") or hasattr(cls, "__get_pydantic_core_schema__")


def made_by_pydantic(annotation: Any, reference: str, *, sent: bool) -> tuple[Schema, dict[str, Schema]]:
    """The schema of a type, and its components by their names, to which `reference` leads: `#/…/{model}`.

    Whatever pydantic raises for a type that it can't describe; ValueError or TypeError for what JSON can't hold.
    """
    import pydantic  # noqa: PLC0415 - only for those who have it

    mode: Literal["serialization", "validation"] = "serialization" if sent else "validation"
    inputs = [(0, mode, pydantic.TypeAdapter(annotation))]
    made, definitions = pydantic.TypeAdapter.json_schemas(inputs, ref_template=reference, schema_generator=generator())
    components = {name: _untitled(part, name) for name, part in definitions.get("$defs", {}).items()}
    return as_json(made[0, mode]), as_json(components)


def _untitled(component: Schema, name: str) -> Schema:
    """The component without a title that is only its name."""
    return {key: part for key, part in component.items() if key != "title" or part != name}


@cache
def generator() -> Any:
    """The generator class; it is made when a document first needs it, for those who have pydantic."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    class Generator(GenerateJsonSchema):
        def dataclass_args_schema(self, schema: Any) -> Schema:
            is_sent = self.mode == "serialization"
            shown: Any = {**schema, "fields": [one for one in schema["fields"] if not _is_hidden(one, is_sent=is_sent)]}
            return super().dataclass_args_schema(shown)

        def datetime_schema(self, schema: Any) -> Schema:
            return self._time(schema, super().datetime_schema)

        def time_schema(self, schema: Any) -> Schema:
            return self._time(schema, super().time_schema)

        def _time(self, schema: Any, make: Callable[[Any], Schema]) -> Schema:
            zoned = make(schema)
            if self.mode == "validation" or "format" not in zoned or schema.get("tz_constraint") == "aware":
                return zoned
            local = {**zoned, "format": f"{zoned['format']}-local"}
            return local if schema.get("tz_constraint") == "naive" else {"anyOf": [zoned, local]}

    return Generator


def _is_hidden(field: Any, *, is_sent: bool) -> bool:
    """True if a field of a dataclass is private, and not a required one of a body; or one that no client can set."""
    has_default = field["schema"]["type"] == "default"
    is_private = field["name"].startswith("_") and (is_sent or has_default)
    return is_private or (not is_sent and not field.get("init", True))
