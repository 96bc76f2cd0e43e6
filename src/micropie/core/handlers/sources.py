"""Where a typed parameter's value is in a request, and the parameter's slot: how it gets from there to the handler.

Each place is a function from a request and a slot to what was found there: the place's name, how to convert, the value.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from micropie.core.basics.charsets import codec_of, decoded
from micropie.core.basics.errors import MISSING, ConversionError, Fault
from micropie.core.basics.headers import media_type, parse_cookies
from micropie.core.basics.optional import lazy_import
from micropie.core.conversion.converter import Converter, as_it_is, refusing
from micropie.core.conversion.instances import is_instance
from micropie.core.conversion.records import class_of, is_collection, is_record_type, strip_wrappers
from micropie.core.handlers.faults import Faults
from micropie.core.handlers.parameter import (
    AUTO,
    BODY,
    CONTEXT,
    COOKIE_SOURCE,
    FILE,
    HEADER,
    PATH,
    PROVIDER,
    QUERY,
    REQUIRED,
    SESSION,
    Parameter,
    is_hashable,
    takes_segment,
)
from micropie.core.handlers.signature_annotations import provider_in
from micropie.core.requests.body import has_json_object, is_preset
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session
from micropie.core.requests.uploaded_file import UploadedFile

RawValue = tuple[str, Callable[[Any], Any], Any]
AS_IT_CAME = Converter(as_it_is, as_it_is)
FILE_EXPECTED, TOO_DEEP = "expected a file", "expected less nesting"


class ParameterBinder:
    """A parameter and its converter: finds the parameter's value in a request, and converts it."""

    __slots__ = (
        "converter",
        "copies_default",
        "find",
        "is_whole",
        "key",
        "parameter",
        "reads_decimals",
        "takes_segment",
        "wanted",
    )

    def __init__(
        self, parameter: Parameter, converter: Converter, *, reads_decimals: bool = False, body_first: bool = False
    ) -> None:
        self.parameter = parameter
        self.converter = converter
        self.reads_decimals = reads_decimals
        self.copies_default = _is_mutable(parameter.default)
        self.key = parameter.key
        self.wanted = strip_wrappers(parameter.annotation)
        if parameter.source == PROVIDER:
            self.wanted = provider_in(parameter.annotation, parameter.metadata)
        self.takes_segment = takes_segment(parameter)
        place = BODY if parameter.is_body else parameter.source
        self.is_whole = place == BODY or (place == QUERY and is_record_type(self.wanted))  # made of all fields there
        self.find = whole_query if self.is_whole and place == QUERY else FINDERS[place]
        if place == AUTO and body_first:
            self.find = by_name_in_body_first

    @property
    def takes_query(self) -> bool:
        """True if it is made of all fields of the query."""
        return self.find is whole_query

    @property
    def needs_whole_form(self) -> bool:
        """True if the first field of its name does not tell the value yet."""
        return self.parameter.is_body or is_collection(self.parameter.annotation)

    def segment(self, given: Any) -> RawValue:
        """A path segment as a raw value; or what a hook has put in its place, which may be the value itself."""
        if isinstance(given, str):
            return PATH, self.converter.text, given
        fits = self.parameter.annotation is Any or is_instance(given, self.parameter.annotation)
        return PATH, as_it_is if fits else self.converter.value, given

    def value(self, request: Request, found: RawValue | None, faults: list[Fault]) -> Any:
        """The argument; what is wrong with it is added to the faults, and then it is the default, or None."""
        if found is None:
            default = self.parameter.default
            if default is REQUIRED:
                faults.append(Fault(self._place(request), self.key, MISSING))
                return None
            return lazy_import("copy").deepcopy(default) if self.copies_default else default
        place, convert, given = found
        try:
            return convert(given)
        except ConversionError as misfit:
            faults += [Fault(place, self._name(where), message) for where, message in misfit.faults]
        except RecursionError:
            faults.append(Fault(place, self.key, TOO_DEEP))
        return None if self.parameter.default is REQUIRED else self.value(request, None, faults)

    def _place(self, request: Request) -> str:
        """Where a value would have been expected."""
        if self.parameter.is_body:
            return BODY
        if self.parameter.source != AUTO:
            return self.parameter.source
        return BODY if request.body_parsed or request._upload is not None else QUERY

    def _name(self, where: str) -> str:
        if self.is_whole:
            return where.removeprefix(".") or self.key
        return self.key + where


def _is_mutable(default: Any) -> bool:
    """True if a call must not see what another has made of the default: it can't be hashed, but copied."""
    if is_hashable(default):
        return False
    try:
        lazy_import("copy").deepcopy(default)
    except Exception:  # whatever is in there stays one for all, as it is in Python
        return False
    return True


def json_of(request: Request, slot: ParameterBinder) -> Any:
    """The JSON body as the type reads it."""
    return request.exact_json if slot.reads_decimals else request.get_json


def by_name(request: Request, slot: ParameterBinder) -> RawValue | None:
    """Wherever the request has the name: query, body, files, session."""
    if slot.key in request.query_params:
        return QUERY, slot.converter.from_texts, request.query_params[slot.key]
    return in_body_by_name(request, slot) or in_session(request, slot)


def by_name_in_body_first(request: Request, slot: ParameterBinder) -> RawValue | None:
    """The same, but what the body has goes before what the query has."""
    return in_body_by_name(request, slot) or by_name(request, slot)


def in_body_by_name(request: Request, slot: ParameterBinder) -> RawValue | None:
    """A member of the JSON object, a field of the form, or a file."""
    name = slot.key
    if has_json_object(request) and name in request.get_json:
        return BODY, slot.converter.value, json_of(request, slot)[name]
    if values := _filled(request._form_fields().get(name, [])):
        return BODY, slot.converter.from_texts, values
    if name in request.files:
        return FILE, _file_as(slot), request.files[name]
    return None


def _filled(values: list[str]) -> list[str]:
    """The values that are not blank, as those of a query and of an urlencoded form never are."""
    return [value for value in values if value]


def _file_as(slot: ParameterBinder) -> Callable[[Any], Any]:
    """Files are dicts of anything; where another type is wanted, that type's own words refuse them."""
    is_dict = class_of(slot.wanted) in (dict, Mapping) and (*get_args(slot.wanted), Any)[1:2] in ((Any,), (object,), ())
    return as_it_is if is_dict else slot.converter.value


def in_path(_request: Request, _slot: ParameterBinder) -> None:
    """Nothing: a path that has a segment for the parameter has filled it."""


def in_query(request: Request, slot: ParameterBinder) -> RawValue | None:
    """A query field."""
    if slot.key in request.query_params:
        return QUERY, slot.converter.from_texts, request.query_params[slot.key]
    return None


def whole_query(request: Request, slot: ParameterBinder) -> RawValue | None:
    """All fields of the query, as a record."""
    if not request.query_params and slot.parameter.default is not REQUIRED:
        return None
    return QUERY, slot.converter.form or slot.converter.value, request.query_params


def in_headers(request: Request, slot: ParameterBinder) -> RawValue | None:
    """A header, unless it is blank; where a collection is wanted its value is a list (RFC 9110 §5.6.1)."""
    field = request.headers.get(slot.key, "")
    values = [one.strip() for one in field.split(",")] if is_collection(slot.wanted) else [field.strip()]
    filled = _filled(values)
    return (HEADER, slot.converter.from_texts, filled) if filled else None


def in_cookies(request: Request, slot: ParameterBinder) -> RawValue | None:
    """A cookie, unless it is blank."""
    value = parse_cookies(request._cookies()).get(slot.key)
    return (COOKIE_SOURCE, slot.converter.text, value) if value else None


def in_session(request: Request, slot: ParameterBinder) -> RawValue | None:
    """A value of the session."""
    return (SESSION, slot.converter.value, request.session[slot.key]) if request._has_in_session(slot.key) else None


def in_files(request: Request, slot: ParameterBinder) -> RawValue | None:
    """An uploaded file, or all of its field."""
    if slot.key in request.files:
        first = request.files[slot.key]
        if is_collection(slot.wanted):
            return FILE, tuple if class_of(slot.wanted) is tuple else list, _files_of(first)
        return FILE, as_it_is, first
    return (FILE, refusing(FILE_EXPECTED), None) if slot.key in request.body_params else None


def _files_of(first: Any) -> list[Any]:
    """All files of a field: an outer application may have left plain dicts."""
    return [first, *(first.others if isinstance(first, UploadedFile) else ())]


def in_context(request: Request, slot: ParameterBinder) -> RawValue:
    """The request, its session, or its faults."""
    if slot.wanted is Faults:
        return CONTEXT, as_it_is, request._faults
    return CONTEXT, as_it_is, request.session if slot.wanted is Session else request


def from_provider(request: Request, slot: ParameterBinder) -> RawValue:
    """The value that a provider has given the request."""
    return PROVIDER, as_it_is, request._provided[slot.wanted]


def in_body(request: Request, slot: ParameterBinder) -> RawValue | None:
    """The whole body: JSON, a form, or text; no bytes at all are none."""
    if not request.body_parsed and request._upload is None:
        return None
    convert = slot.converter
    if slot.wanted is bytes:
        return (BODY, convert.value, request.body) if request.body else None
    if has_json_object(request):
        return BODY, convert.value, json_of(request, slot)
    media = media_type(request._header_bytes(b"content-type", b""))
    if media.is_json:  # no bytes at all are no document
        return (BODY, convert.value, json_of(request, slot)) if request.body or is_preset(request) else None
    if convert.form is not None:
        return form_as_record(request, slot, convert.form)
    raw, charset = request.body, media.parameters.get("charset")
    return (BODY, convert.text, decoded(raw, codec_of(charset))) if raw else None


def form_as_record(request: Request, slot: ParameterBinder, convert: Callable[[Any], Any]) -> RawValue | None:
    """All fields of the form that are not blank, and its files."""
    form: dict[str, list[Any]] = {name: _files_of(file) for name, file in request.files.items()}
    form.update({name: filled for name, values in request.body_params.items() if (filled := _filled(values))})
    if not form and slot.parameter.default is not REQUIRED:
        return None
    return BODY, convert, form


FINDERS: dict[str, Callable[[Request, ParameterBinder], RawValue | None]] = {
    AUTO: by_name,
    PATH: in_path,
    BODY: in_body,
    QUERY: in_query,
    HEADER: in_headers,
    COOKIE_SOURCE: in_cookies,
    SESSION: in_session,
    FILE: in_files,
    CONTEXT: in_context,
    PROVIDER: from_provider,
}
