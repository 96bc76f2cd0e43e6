"""The members of a record class as JSON has them: those that a body may set, or those that a reply shows.

Records are dataclasses, TypedDicts, `msgspec.Struct`s and attrs classes. Private members with a default and those with
`init=False` can't be set from outside; a reply shows every member that is not private.
"""

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, NotRequired, Required, get_args, get_origin

from micropie.openapi.generics import hints_of
from micropie.openapi.json_values import default, said

Words = dict[str, Any]


class Member(NamedTuple):
    """One member: its key in JSON, its type, whether it must be there, and further keywords of its schema."""

    key: str
    annotation: Any
    is_required: bool
    words: Words


def members_of(cls: Any, arguments: Sequence[Any], *, shown: bool) -> list[Member]:
    """The members in order; `shown` are those of a reply, which has them all."""
    hints = hints_of(cls, arguments)
    if is_typed_dict(cls):
        return list(_of_typed_dict(cls, hints))
    if is_struct(cls):
        return list(_shown_of_struct(cls, hints) if shown else _taken_by_struct(cls, hints))
    return list(_shown_by_fields(cls, hints) if shown else _taken_by_fields(cls, hints))


def is_typed_dict(cls: Any) -> bool:
    """True if the class is a TypedDict, of `typing` or of `typing_extensions`."""
    return dict in cls.__mro__ and hasattr(cls, "__required_keys__")


def is_struct(cls: Any) -> bool:
    """True if the class is a `msgspec.Struct`."""
    return hasattr(cls, "__struct_fields__")


def is_attrs(cls: Any) -> bool:
    """True if attrs made the class."""
    return hasattr(cls, "__attrs_attrs__")


def is_named_tuple(cls: Any) -> bool:
    """True if the class is a NamedTuple, which JSON has as a list."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def items_of(cls: Any, arguments: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The types of a NamedTuple's items."""
    hints = hints_of(cls, arguments)
    return tuple(hints.get(name, Any) for name in cls._fields)


def is_record(cls: Any) -> bool:
    """True if `members_of` knows the class."""
    return is_typed_dict(cls) or is_struct(cls) or is_attrs(cls) or dataclasses.is_dataclass(cls)


def _is_private(name: str) -> bool:
    return name.startswith("_")


# -- TypedDict ----------------------------------------------------------------------------------------


def _of_typed_dict(cls: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    for name, hint in hints.items():
        annotation, required = hint, name in cls.__required_keys__
        # Python 3.11 does not see these in annotations that are text.
        while (wrapper := get_origin(annotation)) in (Required, NotRequired) or _is_read_only(wrapper):
            required = required if _is_read_only(wrapper) else wrapper is Required
            annotation = get_args(annotation)[0]
        yield Member(name, annotation, required, {})


def _is_read_only(wrapper: Any) -> bool:
    """True if it is `ReadOnly` (PEP 705), which says nothing of JSON."""
    return getattr(wrapper, "_name", None) == "ReadOnly"


# -- Struct -------------------------------------------------------------------------------------------


def _taken_by_struct(cls: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    import msgspec  # noqa: PLC0415 - only for those who have it

    yield from _tag(cls)
    for field in msgspec.structs.fields(cls):
        if field.required or not _is_private(field.name):
            has_default = field.default is not msgspec.NODEFAULT and field.default is not msgspec.UNSET
            words = default(field.default) if has_default else {}
            hint = hints.get(field.name, Any)
            encoding = {"contentEncoding": "base64"} if hint is bytes else {}
            yield Member(field.encode_name, hint, field.required, {**encoding, **words})


def _shown_of_struct(cls: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    import msgspec  # noqa: PLC0415 - only for those who have it

    yield from _tag(cls)
    for field in msgspec.structs.fields(cls):
        if not _is_private(field.name):
            is_sent = field.default is not msgspec.UNSET
            yield Member(field.encode_name, hints.get(field.name, Any), is_required=is_sent, words={})


def _tag(cls: Any) -> Iterator[Member]:
    """The member that says which one of several Structs it is."""
    if (name := tag_field(cls)) is not None:
        tag = cls.__struct_config__.tag
        yield Member(name, type(tag), is_required=True, words={"enum": [tag]})


def tag_field(annotation: Any) -> str | None:
    """The name of the member that tells a Struct from others; None for other types."""
    config = getattr(get_origin(annotation) or annotation, "__struct_config__", None)
    return None if config is None or config.tag is None else str(config.tag_field)


# -- dataclasses and attrs ----------------------------------------------------------------------------


def _taken_by_fields(cls: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    """The parameters of `__init__`: what is only there for `__post_init__` too, and no variables of the class."""
    for field in _fields(cls):
        hint = hints.get(field.name, Any)
        is_needed = _is_needed(field)
        is_of_class = hint is ClassVar or get_origin(hint) is ClassVar
        if field.init and not is_of_class and (is_needed or not _is_private(field.name)):
            annotation = hint.type if isinstance(hint, dataclasses.InitVar) else hint
            words = {} if is_needed else default(field.default)
            yield Member(field.name, annotation, is_needed, {**words, **_told(field.metadata)})


def _shown_by_fields(cls: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    for field in cls.__attrs_attrs__ if is_attrs(cls) else dataclasses.fields(cls):
        if not _is_private(field.name):
            annotation = hints.get(field.name, Any)
            yield Member(field.name, annotation, is_required=True, words=_told(field.metadata))


def _fields(cls: Any) -> list[Any]:
    return list(cls.__attrs_attrs__ if is_attrs(cls) else cls.__dataclass_fields__.values())


def _is_needed(field: Any) -> bool:
    """True if the field has no default, neither a value nor a factory: attrs keeps both in one place."""
    nothing = getattr(sys.modules.get("attr"), "NOTHING", dataclasses.MISSING)
    defaults = (field.default, getattr(field, "default_factory", nothing))
    return all(one is nothing or one is dataclasses.MISSING for one in defaults)


def _told(metadata: Mapping[Any, Any]) -> Words:
    """The words in a field's metadata: a title, a description, examples, and that it is deprecated."""
    words: Words = {}
    for name, kind in (("title", str), ("description", str), ("examples", list), ("deprecated", bool)):
        if isinstance(value := metadata.get(name), kind):
            words |= said(name, value)
    if "example" in metadata:
        words |= said("examples", [metadata["example"]])
    return words
