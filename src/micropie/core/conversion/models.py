"""pydantic's models, dataclasses and types: pydantic validates them, what came as JSON by its rules for JSON.

Its validation is its own; what it complains of is translated, because its words may quote the client's value.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from micropie.core.basics.core_schemas import (
    failing_fast,
    has_private,
    is_strict,
    schemas_in,
    serializer,
    takes_other_json,
    validator,
    without_private,
)
from micropie.core.basics.errors import MAX_FAULTS, MISSING, ConversionError
from micropie.core.basics.json_codec import dumps, plain_json
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.conversion.converter import MAX_RECORDS, OBJECT, VALID, Converter, form_taken_by
from micropie.core.conversion.locations import Locations
from micropie.core.conversion.records import class_of, is_collection, is_pydantic, records_in
from micropie.core.conversion.weights import Weights

LONG_JSON = 16 * 1024  # bytes of JSON of which a list is left at its first fault: each takes some 300 bytes
MAX_LISTED = 1000  # faults that are looked at
_SHOULD = r"\w+ should (?:be|have|match) (.*?)(?:, unable .*|, got .*|, not .*)?"

# The kinds of pydantic's errors whose words are about the type alone; those of others may quote the value.
_TOLD = frozenset((
    "greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of", "finite_number",
    "string_too_short", "string_too_long", "bytes_too_short", "bytes_too_long", "too_short", "too_long",
    "literal_error", "enum", "string_pattern_mismatch", "int_parsing", "int_from_float", "float_parsing",
    "bool_parsing", "decimal_parsing", "int_type", "float_type", "bool_type", "string_type", "bytes_type",
    "decimal_type", "list_type", "tuple_type", "set_type", "frozen_set_type", "date_type", "time_type",
    "datetime_type", "time_delta_type",
))  # fmt: skip

_NO_OBJECT = frozenset(("model_type", "model_attributes_type", "dataclass_type", "dict_type"))


def is_model(kind: Any) -> bool:
    """True if pydantic validates the type: a model, a dataclass of its own, or another type that is made for it."""
    return is_pydantic(kind) or (isinstance(kind, type) and hasattr(kind, "__get_pydantic_core_schema__"))


def model_converter(annotation: Any) -> Converter:
    """The converter of a type that pydantic validates. What pydantic raises for one that it does not know."""
    model = Model(annotation)
    return Converter(
        model.from_text,
        model.from_value,
        model.from_text if is_collection(annotation) else None,
        form_taken_by(model.from_text, frozenset(_lists_of_models(annotation))),
        takes_files=True,
        reads_decimals=any(one["type"] == "decimal" for one in schemas_in(model.schema)),
    )


class Model:
    """A type that pydantic validates and shows."""

    def __init__(self, annotation: Any) -> None:
        self._adapter = lazy_import("pydantic").TypeAdapter(annotation)
        self.schema = self._adapter.core_schema
        self._validator, self._serializer = self._adapter, self._adapter.serializer
        if has_private(self.schema):
            self.schema = without_private(self.schema)
            self._validator, self._serializer = validator(self.schema), serializer(self.schema)
        self._is_strict, self._is_json = is_strict(self.schema), takes_other_json(self.schema)
        self._weights = cache(lambda: Weights(self.schema))
        self._fast = cache(lambda: validator(failing_fast(self.schema, MAX_RECORDS)))
        self._locations = cache(lambda: Locations(self.schema))

    def from_text(self, given: Any) -> Any:
        """The value of a text, of texts, or of a form. Strict types read single texts, where they take none."""
        if self._is_strict:
            try:
                return self._validator.validate_strings(given)
            except ValueError:  # lists, for one, are no strings
                pass
        return self._checked(self._validator.validate_python, given)

    def from_value(self, given: Any) -> Any:
        """The value of JSON; or of what a session holds, which JSON may have no form for."""
        try:
            text = plain_json(given)
        except TypeError:
            self._weights().check(given, _size(given))
            return self._checked(self._fast().validate_python, given)
        self._weights().check(given, len(text))
        chosen = self._validator if len(text) <= LONG_JSON else self._fast()
        if self._is_json:  # not always: pydantic's own reader takes 500 bytes for each object
            return self._checked(chosen.validate_json, text)
        return self._checked(chosen.validate_python, given)

    def shown(self, result: Any) -> Any:
        """A handler's result in JSON's types, once it is of the type. `ValidationError` if it can't be."""
        # Its members are found by their names, too; older versions have no such option.
        names = {"by_alias", "by_name"} & self._adapter.validate_python.__kwdefaults__.keys()
        value = self._adapter.validate_python(result, from_attributes=True, **dict.fromkeys(names, True))
        return self._serializer.to_python(value, mode="json", by_alias=True)

    def _checked(self, validate: Callable[[Any], Any], given: Any) -> Any:
        try:
            return validate(given)
        except lazy_import("pydantic").ValidationError as error:
            if error.error_count() > MAX_LISTED:
                raise ConversionError(("", VALID)) from None
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            raise ConversionError(*(_fault(one, self._locations()) for one in errors[:MAX_FAULTS])) from None


def _size(value: Any) -> int:
    """Bytes of JSON that an object of a session's stands for; 0 if it has no such form."""
    try:
        return len(dumps(value))
    except (TypeError, ValueError):
        return 0


def _lists_of_models(annotation: Any) -> Iterator[str]:
    """The members of models that are collections, by all the names that they may have in a form."""
    for kind in filter(is_pydantic, records_in(annotation)):
        for name, field in class_of(kind).__pydantic_fields__.items():
            alias = field.validation_alias
            paths = getattr(alias, "choices", [alias])
            if is_collection(field.annotation):
                yield from (name, *(one for one in paths if isinstance(one, str)))
            # `AliasPath("tags", 0)` leads into a list.
            yield from (one.path[0] for one in paths if hasattr(one, "path"))


def _fault(error: dict[str, Any], locations: Locations) -> tuple[str, str]:
    """Where, and what is wrong, in words without the client's."""
    where = locations.path(error["loc"])
    if error["type"] == "missing":
        return where, MISSING
    if error["type"] in _NO_OBJECT:
        return where, OBJECT
    told = lazy_pattern(_SHOULD).fullmatch(error["msg"]) if error["type"] in _TOLD else None
    if told is None:
        return where, VALID
    return where, f"expected {'a value ' if told[1].startswith(('greater', 'less')) else ''}{told[1]}"
