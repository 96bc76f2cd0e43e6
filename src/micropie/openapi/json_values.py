"""Python's values in JSON's types, as far as JSON has a form for them: defaults, examples, the members of an Enum."""

import dataclasses
import datetime
import inspect
import json
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

NO_DEFAULTS = (None, dataclasses.MISSING, inspect.Parameter.empty)


def default(value: Any) -> dict[str, Any]:
    """The keyword `default`, if there is a default and JSON has a form for it."""
    return {} if any(value is none for none in NO_DEFAULTS) else said("default", value)


def said(keyword: str, value: Any) -> dict[str, Any]:
    """The keyword with its value; nothing for a value that JSON has no form for."""
    try:
        return {keyword: as_json(value)}
    except (TypeError, ValueError, RecursionError):
        return {}


def as_json(value: Any) -> Any:
    """The value in JSON's types. TypeError or ValueError for a value that has no JSON form."""
    return json.loads(json.dumps(value, default=_stand_in, allow_nan=False))


def _stand_in(value: Any) -> Any:
    """The value in simpler types, of a type that JSON does not have."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"JSON has no form for {value!r}")
