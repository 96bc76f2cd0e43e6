"""A session as it leaves the process: its id hashed, its data as JSON, never as pickle, which runs what it reads."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def hashed(session_id: str) -> str:
    """The name by which stores know a session: its handle."""
    return sha256(session_id.encode()).hexdigest()


def to_json(data: Mapping[str, Any]) -> str:
    """The data as the JSON text of an object, in ASCII. TypeError that names what JSON can't hold."""
    items = (f"{_encode(name)}:{text}" for name, text in to_json_items(data).items())
    return "{" + ",".join(items) + "}"


def to_json_items(data: Mapping[str, Any]) -> dict[str, str]:
    """The JSON text of each value. TypeError that names what JSON can't hold."""
    return {name: _value_to_json(name, value) for name, value in data.items()}


def _value_to_json(name: Any, value: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"session[{name!r}]: the names in a session are texts")
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:  # the value itself may be a secret
        raise TypeError(
            f"session[{name!r}] is a {type(value).__name__} that JSON can't hold ({error}): what is to last is kept as "
            'JSON. Store a text or a number in its place; App(session_backend="memory:") keeps any object'
        ) from error
