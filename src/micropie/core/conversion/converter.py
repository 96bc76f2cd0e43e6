"""Converters: functions from what a client sends to a value of a type, or to a `ConversionError`."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from micropie.core.basics.errors import MAX_FAULTS, ConversionError, counted
from micropie.core.basics.types import Params

# Items of a set, keys of a dict: whoever knows how Python hashes numbers can send any number of them that collide.
MAX_SET = 1000
MAX_RECORDS = 500_000  # of a list: `{}` takes three bytes to send, and as a model two hundred times as many
OBJECT, VALID = "expected an object", "expected a valid value"


class Converter(NamedTuple):
    """How values become a type; each function raises `ConversionError`.

    `text` takes one text, `value` what JSON or a session holds. `texts` takes all texts of a repeated name, where that
    means more than the first of them; `form` takes a whole form. Where the type `takes_files`, what takes texts takes
    uploaded files too.
    """

    text: Callable[[str], Any]
    value: Callable[[Any], Any]
    texts: Callable[[list[str]], Any] | None = None
    form: Callable[[Params], Any] | None = None
    takes_files: bool = False
    reads_decimals: bool = False  # numbers with more digits than a float has make a difference

    def from_texts(self, values: list[str]) -> Any:
        """All the texts of a name; the first one counts where the type wants one."""
        return self.text(values[0]) if self.texts is None else self.texts(values)

    def from_field(self, values: list[Any]) -> Any:
        """All that a form has of a name: texts, or files, which most types refuse in their own words."""
        return self.from_texts(values) if self.takes_files or isinstance(values[0], str) else self.value(values[0])

    def from_text_or_file(self, value: Any) -> Any:
        """One of the things that a form has of a name."""
        return self.text(value) if self.takes_files or isinstance(value, str) else self.value(value)


def as_it_is(value: Any) -> Any:
    """The value as it came."""
    return value


def refusing(message: str) -> Callable[[Any], Any]:
    """A function that takes no value at all."""

    def refused(_value: Any) -> Any:
        raise ConversionError(("", message))

    return refused


def taking(kind: type | tuple[type, ...], message: str) -> Callable[[Any], Any]:
    """A function that takes values of a type as they are, and no others."""

    def taken(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise ConversionError(("", message))

    return taken


def deferred(find: Callable[[], Converter]) -> Converter:
    """The converter that is there when it is used: for a type inside itself."""
    return Converter(lambda text: find().text(text), lambda value: find().value(value))


def form_taken_by(take: Callable[[Any], Any], repeated: AbstractSet[str]) -> Callable[[Params], Any]:
    """The converter of a form as one object: all values of fields that are repeated, else the first."""
    return lambda form: take({name: values if name in repeated else values[0] for name, values in form.items()})


class UnknownTypeError(Exception):
    """No rule makes values of this type."""


class UncheckedConstraintError(TypeError):
    """A constraint that nobody would check: no handler is to rely on it."""


def gathered(convert: Callable[[Any], Any], values: Iterable[Any], where: str | None = None) -> list[Any]:
    """All the values, converted; or one `ConversionError` with what is wrong with any of them."""
    found: list[Any] = []
    faults: list[tuple[str, str]] = []
    for position, value in enumerate(values):
        try:
            found.append(convert(value))
        except ConversionError as misfit:
            faults += misfit.below(where or f"[{position}]")
            if len(faults) >= MAX_FAULTS:
                break
    if faults:
        raise ConversionError(*faults[:MAX_FAULTS])
    return found


def check_size(values: Any, limit: int | None) -> None:
    """Raise `ConversionError` for more items than that."""
    if limit is not None and len(values) > limit:
        raise ConversionError(("", f"expected at most {counted(limit, 'item')}"))
