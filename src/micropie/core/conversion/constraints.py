"""Constraints in `Annotated`, of the package `annotated_types`.

They are `Gt Ge Lt Le Interval MultipleOf MinLen MaxLen Len`. The package is not imported: who uses them has done so.
"""

import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from micropie.core.basics.errors import ConversionError, counted

_LIMITS: dict[str, tuple[str, Callable[[Any, Any], Any], str]] = {
    "Gt": ("gt", operator.gt, "expected a value above {}"),
    "Ge": ("ge", operator.ge, "expected a value of at least {}"),
    "Lt": ("lt", operator.lt, "expected a value below {}"),
    "Le": ("le", operator.le, "expected a value of at most {}"),
    "MultipleOf": ("multiple_of", lambda value, step: value % step == 0, "expected a multiple of {}"),
    "MinLen": ("min_length", lambda value, size: len(value) >= size, "expected at least {size}"),
    "MaxLen": ("max_length", lambda value, size: len(value) <= size, "expected at most {size}"),
}

# What of pydantic's refuses no value of JSON that msgspec takes: it is about the document, or about what is sent.
_DESCRIBING = frozenset((
    "Discriminator", "FailFast", "PlainSerializer", "SkipValidation", "Strict", "Tag", "WithJsonSchema",
    "WrapSerializer",
))  # fmt: skip


class Check(NamedTuple):
    """One constraint: a comparison with its limit, and what to say of a value that fails it."""

    holds: Callable[[Any, Any], Any]
    limit: Any
    message: str

    def __call__(self, value: Any) -> None:
        """Raise `ConversionError` for a value that does not keep to it; None is no value to check."""
        try:
            kept = value is None or self.holds(value, self.limit)
        except (TypeError, ArithmeticError):  # times with and without a zone; a decimal that is too long to be divided
            kept = False
        if not kept:
            unit = "character" if isinstance(value, str) else "byte" if isinstance(value, bytes) else "item"
            raise ConversionError(("", self.message.format(self.limit, size=counted(self.limit, unit))))


def checks_of(metadata: tuple[Any, ...]) -> tuple[list[Check], list[Any]]:
    """The constraints among the metadata, and those that are constraints but none that we know."""
    package = sys.modules.get("annotated_types")
    if package is None:
        return [], []
    known, unknown = [], []
    for item in _single(metadata, package):
        if type(item).__name__ in _LIMITS:
            attribute, holds, message = _LIMITS[type(item).__name__]
            known.append(Check(holds, getattr(item, attribute), message))
        else:
            unknown.append(item)
    return known, unknown


def as_msgspec_has_it(metadata: tuple[Any, ...]) -> Iterator[tuple[Any, str]]:
    """The constraints among the metadata that msgspec does not check, and what to write in their place.

    What only describes a value, such as `Unit` or `Field(description=…)`, is none, and neither is metadata that others
    have made. What `msgspec.Meta` beside it says, too, is checked.
    """
    package = sys.modules.get("annotated_types")
    own = [item for item in metadata if type(item).__module__.partition(".")[0] == "msgspec"]
    for item in () if package is None else _single(metadata, package):
        if type(item).__name__ in _LIMITS:
            attribute, *_ = _LIMITS[type(item).__name__]
            limit = getattr(item, attribute)
            if not any(getattr(one, attribute, None) == limit for one in own):
                yield item, f"write msgspec.Meta({attribute}={limit!r})"
        elif any(_is_constraint_of(package, kind) for kind in type(item).__mro__):
            yield item, "check it in __post_init__"
    yield from ((item, "write msgspec.Meta(...)") for item in metadata if _is_constraint_of_pydantic(item))


def _is_constraint_of(package: Any, kind: type) -> bool:
    return kind.__module__ == package.__name__ and kind not in (package.BaseMetadata, package.Unit)


def _is_constraint_of_pydantic(item: Any) -> bool:
    kind = type(item)
    if not kind.__module__.startswith("pydantic.") or kind.__name__ in _DESCRIBING:
        return False
    return kind.__name__ != "FieldInfo" or any(type(one).__name__ not in _DESCRIBING for one in item.metadata)


def package_named(metadata: tuple[Any, ...]) -> str | None:
    """The package whose own constraints are among the metadata of an `Annotated`, if there is one: it checks them."""
    packages = {type(item).__module__.partition(".")[0] for item in metadata}
    return next((package for package in ("pydantic", "msgspec") if package in packages), None)


def _single(metadata: tuple[Any, ...], package: Any) -> Iterator[Any]:
    """The package's constraints one by one: `Interval` and `Len` are several."""
    for item in metadata:
        if isinstance(item, package.GroupedMetadata) and type(item).__module__ == package.BaseMetadata.__module__:
            yield from item
        elif isinstance(item, package.BaseMetadata):
            yield item
