"""The faults of a request, for a handler that answers them itself, as a form does that is shown again."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from micropie.core.basics.errors import MAX_FAULTS, Fault
from micropie.core.basics.json_codec import dumps
from micropie.core.basics.optional import lazy_pattern
from micropie.core.requests.uploaded_file import UploadedFile


class Faults:
    """The values of a request that don't fit, and the texts of all as they were sent; falsy if every value fits.

    A handler with a parameter of this type runs whatever was sent, and answers by itself. A parameter whose value is
    missing or does not fit has its default then, or None: look at the faults first.

        async def post(self, email: str, age: int, faults: Faults):
            if faults:
                return 422, await self._render_template("signup.html", faults=faults)

    What can't be read at all is an error as ever, for one the 413 of a file over `max_upload_size`, of which the rest
    is not read. An `_on_error` may show the form again.

    In the template `faults["age"]` is what is wrong, `faults.sent("age")` what was typed. `Faults()` has neither: it
    goes with a form that nobody has filled in yet.
    """

    def __init__(self, faults: list[Fault] | None = None, values: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._faults = [] if faults is None else faults
        self._read_values = values

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __len__(self) -> int:
        return len(self._faults[:MAX_FAULTS])

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults[:MAX_FAULTS])

    def __contains__(self, name: object) -> bool:
        return any(fault.name == name for fault in self._faults)

    def __getitem__(self, name: str) -> str:
        """The message on a value, which may lie inside another one: `address.zip`, `tags[3]`; `""` if it fits."""
        return next((fault.message for fault in self._faults if fault.name == name), "")

    def add(self, name: str, message: str, place: str = "body") -> None:
        """Add what only the handler can find: of the value `name` of a `place` that `message` is wrong with it.

        faults.add("email", "has an account already")
        """
        self._faults.append(Fault(place, name, message))

    def sent(self, name: str) -> str:
        """The text of a value as it was sent, the first one of several; of a file its name; `""` if there is none."""
        return next(iter(self.sent_list(name)), "")

    def sent_list(self, name: str) -> list[str]:
        """The texts of the value `name` as they were sent, all of them."""
        values = self._read_values()
        return _texts(values[name] if name in values else _inside(values, name))


def _inside(value: Any, name: str) -> Any:
    """The value at a name such as `address.zip` or `tags[3]`; None if there is none."""
    for key in lazy_pattern(r"[^.\[\]]+").findall(name):
        if isinstance(value, list):
            value = value[int(key)] if key.isdecimal() and int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _texts(value: Any) -> list[str]:
    """The texts in a value: of a file its name, of what is no text its JSON."""
    if value is None:
        return []
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, UploadedFile):
        return [str(value["filename"])]
    return [value if isinstance(value, str) else dumps(value).decode()]
