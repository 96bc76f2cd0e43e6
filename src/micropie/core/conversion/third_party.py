"""Types that other packages validate: msgspec its Structs and attrs classes, pydantic its models.

Their validation is theirs; what they complain of is translated, because their words may quote the client's value.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_type_hints

from micropie.core.basics.errors import MAX_FAULTS, MISSING, ConversionError
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.basics.types import Params
from micropie.core.conversion.records import is_attrs, is_collection, is_pydantic, is_struct
from micropie.core.conversion.scalars import Converter

OBJECT, VALID = "expected an object", "expected a valid value"
_AT = " - at `"  # what msgspec writes before the path, in front of which is the value
_UNKNOWN_FIELD = "Object contains unknown field"
_ABSENT_FIELD = r"Object missing required field `([^`]*)`"
_EXPECTED = r"Expected (.*?)(?:, got .*)?"
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

_OBJECTS = frozenset(("model_type", "model_attributes_type", "dataclass_type", "dict_type"))


def is_third_party(kind: Any) -> bool:
    """Whether another package validates the type."""
    return is_struct(kind) or is_attrs(kind) or _asks_pydantic(kind)


def _asks_pydantic(kind: Any) -> bool:
    return is_pydantic(kind) or (isinstance(kind, type) and hasattr(kind, "__get_pydantic_core_schema__"))


def validator_named(metadata: tuple[Any, ...]) -> str | None:
    """The package whose constraints are among the metadata of an `Annotated`, if there is one."""
    packages = {type(item).__module__.partition(".")[0] for item in metadata}
    return next((package for package in ("pydantic", "msgspec") if package in packages), None)


def third_party_converter(annotation: Any, kind: Any, package: str | None = None) -> Converter:
    """The converter of such a type. ImportError if msgspec is not installed; what pydantic raises for its types."""
    if package == "pydantic" or _asks_pydantic(kind):
        return _pydantic(annotation, kind)
    return _msgspec(annotation, kind)


def _with_forms(annotation: Any, text: Callable[[Any], Any], value: Callable[[Any], Any], many: set[str]) -> Converter:
    def form(fields: Params) -> Any:
        return text({name: values if name in many else values[0] for name, values in fields.items()})

    return Converter(text, value, text if is_collection(annotation) else None, form)


def _msgspec(annotation: Any, kind: Any) -> Converter:
    msgspec = lazy_import("msgspec")

    def validated(given: Any, *, strict: bool) -> Any:
        try:
            return msgspec.convert(given, annotation, strict=strict)
        except msgspec.ValidationError as error:
            raise ConversionError(_of_msgspec(error)) from None

    return _with_forms(
        annotation,
        lambda given: validated(given, strict=False),
        lambda given: validated(given, strict=True),
        _repeated(kind),
    )


def _repeated(kind: Any) -> set[str]:
    """The members of a Struct or an attrs class that are collections."""
    if not (is_struct(kind) or is_attrs(kind)):
        return set()
    names = getattr(kind, "__struct_fields__", ())
    keys = dict(zip(names, getattr(kind, "__struct_encode_fields__", ()), strict=True))
    return {keys.get(name, name) for name, hint in get_type_hints(kind).items() if is_collection(hint)}


def _of_msgspec(error: Exception) -> tuple[str, str]:
    """Where, and what is wrong, in words without the client's."""
    text = str(error)
    if error.__cause__ is not None or text.startswith(_UNKNOWN_FIELD):  # words of the application's, or the client's
        return "", VALID
    # No regular expression: the client's value may be in there, and look like a path again and again.
    end = text.rfind(_AT) if text.endswith("`") else -1
    what, path = (text, "") if end < 0 else (text[:end], text[end + len(_AT) : -1])
    where = path.removeprefix("key` in `").removeprefix("$")
    if absent := lazy_pattern(_ABSENT_FIELD).fullmatch(what):
        return f"{where}.{absent[1]}", MISSING
    if expected := lazy_pattern(_EXPECTED).fullmatch(what):
        return where, f"expected {expected[1].replace('`', '')}"
    return where, VALID


def _pydantic(annotation: Any, kind: Any) -> Converter:
    pydantic = lazy_import("pydantic")
    adapter = pydantic.TypeAdapter(annotation)
    declared = cache(lambda: frozenset(_properties(adapter)))

    def validated(given: Any) -> Any:
        try:
            return adapter.validate_python(given)
        except pydantic.ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            raise ConversionError(*(_of_pydantic(one, declared()) for one in errors[:MAX_FAULTS])) from None

    fields = getattr(kind, "__pydantic_fields__", {})
    many = {key for name, field in fields.items() if is_collection(field.annotation) for key in (name, field.alias)}
    return _with_forms(annotation, validated, validated, many)


def _properties(adapter: Any) -> Iterator[str]:
    """The names that the type's members have: what else an error names is the client's."""
    try:
        schemas = [adapter.json_schema()]
    except Exception:  # some types have no schema
        return
    while schemas:
        schema = schemas.pop()
        if isinstance(schema, dict):
            properties = schema.get("properties")
            yield from properties if isinstance(properties, dict) else ()
        schemas += schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()


def _of_pydantic(error: dict[str, Any], declared: frozenset[str]) -> tuple[str, str]:
    """Where, and what is wrong, in words without the client's."""
    where = "".join(_step(step, declared) for step in error["loc"])
    if error["type"] == "missing":
        return where, MISSING
    if error["type"] in _OBJECTS:
        return where, OBJECT
    told = lazy_pattern(_SHOULD).fullmatch(error["msg"]) if error["type"] in _TOLD else None
    if told is None:
        return where, VALID
    return where, f"expected {'a value ' if told[1].startswith(('greater', 'less')) else ''}{told[1]}"


def _step(step: str | int, declared: frozenset[str]) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step in declared else ".*"
