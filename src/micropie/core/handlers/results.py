"""A return annotation, compiled once: the reply's JSON has the declared members and nothing else.

`-> Note` is a promise to the client. What a dict, a subclass or a database's row has beyond it stays inside.
"""

import sys
from collections import deque
from collections.abc import (
    AsyncIterable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from collections.abc import Set as AbstractSet
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any, Union, get_args, get_origin

from micropie.core.basics.errors import ConversionError, UnusableResult
from micropie.core.basics.json_codec import struct_form
from micropie.core.basics.optional import lazy_import
from micropie.core.conversion.instances import is_instance
from micropie.core.conversion.models import Model
from micropie.core.conversion.records import (
    UNIONS,
    Member,
    TypeTable,
    aliased,
    class_of,
    is_named_tuple,
    is_pydantic,
    is_record,
    is_struct,
    is_typed_dict,
    items_of,
    members_shown,
    strip_wrappers,
)
from micropie.core.replies.changed_stream import LaterShaped, Shaped
from micropie.core.replies.events import ServerSentEvent, ServerSentEvents
from micropie.core.replies.reply import Reply

ResultFilter = Callable[[Any], Any]
_ABSENT: Any = object()
TEXTS = (str, bytes, bytearray, memoryview)
_WITH_STATUS = (2, 3)  # (status, body), (status, body, headers)


class ResultCompiler:
    """Compiles return annotations."""

    def __init__(self) -> None:
        self._known: TypeTable[ResultFilter] = TypeTable()  # what is inside of a type may be it again

    def shape(self, annotation: Any) -> ResultFilter | None:
        """A function that leaves of a result what the annotation declares; None where that is all of it.

        Whatever evaluating the annotations of a record raises.
        """
        origin, arguments = class_of(annotation), get_args(annotation)
        if is_record(annotation):
            return self._record(annotation)
        if is_named_tuple(annotation):
            return self._nested(annotation, lambda: self._tuple(items_of(annotation)))
        if origin is Annotated:
            return self.shape(annotation.__origin__)
        if origin in UNIONS:
            return self._union(arguments)
        if isinstance(origin, type):
            return self._collection(origin, arguments)
        meant = aliased(annotation)
        return None if meant is None else self._nested(annotation, lambda: self.shape(meant))

    def _nested(self, annotation: Any, make: Callable[[], ResultFilter | None]) -> ResultFilter | None:
        """The shape of a type in which it may stand again: `type Notes = Note | list[Notes]`."""
        known = self._known.get(annotation)
        if known is None and declares_something(annotation):
            self._known.add(annotation, lambda value: value if known is None else known(value))
            known = make()
        return known

    def _collection(self, origin: type, arguments: tuple[Any, ...]) -> ResultFilter | None:
        """The shape of any kind of list, tuple, dict or stream."""
        if issubclass(origin, tuple):
            return self._tuple(arguments)
        if issubclass(origin, Mapping):
            return self._dict((*arguments, Any, Any)[1])
        if issubclass(origin, (Iterator, AsyncIterable)) or origin is Iterable:
            return self._stream((*arguments, Any)[0]) or (_as_list if origin is Iterable else None)
        if issubclass(origin, TEXTS) or not issubclass(origin, Collection):
            return None
        return self._list((*arguments, Any)[0]) or (None if issubclass(origin, list) else _as_list)

    def _record(self, kind: Any) -> ResultFilter:
        if (known := self._known.get(kind)) is not None:
            return known
        if is_pydantic(kind):
            return _model_shape(kind)
        shown = RecordFilter(class_of(kind))
        self._known.add(kind, shown)
        shown.members = [(member, self.shape(member.annotation)) for member in members_shown(kind)]
        return shown

    def _list(self, item: Any) -> ResultFilter | None:
        inner = self.shape(item)
        if inner is None:
            return None

        def shaped_list(value: Any) -> Any:
            if not isinstance(value, Collection) or isinstance(value, (*TEXTS, Mapping)):
                raise ConversionError(("", f"{type(value).__name__} is no list"))
            return [inner(one) for one in value]

        return shaped_list

    def _stream(self, item: Any) -> ResultFilter | None:
        """The shape of a stream, which is that of each object in it; an Iterable may be a list, too."""
        inner, as_list = self.shape(item), self._list(item)
        if inner is None or as_list is None:
            if not _is_object(item):
                return None
            inner, as_list = _unchanged, _as_list  # that it is a stream of objects is known before the first is there
        change = partial(_chunk_in_shape, inner)

        def shaped_stream(value: Any) -> Any:
            if isinstance(value, AsyncIterable):
                return LaterShaped(value, change)
            return Shaped(value, change) if isinstance(value, Iterator) else as_list(value)

        return shaped_stream

    def _tuple(self, items: tuple[Any, ...]) -> ResultFilter | None:
        if items[1:] == (Ellipsis,):
            return self._list(items[0])
        shapes = [self.shape(item) for item in items]
        if not any(shapes):
            return None

        def shaped_tuple(value: Any) -> Any:
            if not isinstance(value, Sequence) or len(value) != len(shapes):
                raise ConversionError(("", f"{type(value).__name__} is no tuple of {len(shapes)}"))
            return [one if shape is None else shape(one) for shape, one in zip(shapes, value, strict=True)]

        return shaped_tuple

    def _dict(self, item: Any) -> ResultFilter | None:
        inner = self.shape(item)
        if inner is None:
            return None

        def shaped_dict(value: Any) -> Any:
            if not isinstance(value, Mapping):
                raise ConversionError(("", f"{type(value).__name__} is no dict"))
            return {key: inner(one) for key, one in value.items()}

        return shaped_dict

    def _union(self, kinds: tuple[Any, ...]) -> ResultFilter | None:
        members = [(kind, self.shape(kind)) for kind in kinds]
        shapes = [shape for _, shape in members if shape is not None]
        if not shapes:
            return None
        if Any in kinds:
            shapes.append(lambda value: value)

        def shaped_member(value: Any) -> Any:
            for kind, shape in members:
                if is_instance(value, kind):
                    return value if shape is None else shape(value)
            return _first_fit(shapes, value)

        return shaped_member


def declares_something(annotation: Any, inside: tuple[Any, ...] = ()) -> bool:
    """True if a shape is to be made for a type: there is a record in it, or a set. `inside` are aliases around it."""
    origin = class_of(annotation)
    if is_record(annotation) or (isinstance(origin, type) and issubclass(origin, (AbstractSet, deque))):
        return True
    if annotation in inside:
        return False
    parts = get_args(annotation) if (meant := aliased(annotation)) is None else (meant,)
    if is_named_tuple(annotation):
        parts = items_of(annotation)
    return any(declares_something(one, (*inside, annotation)) for one in parts)


class RecordFilter:
    """The JSON object of a dataclass, TypedDict, Struct or attrs class: exactly its declared members."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._unset = sys.modules["msgspec"].UNSET if is_struct(kind) else _ABSENT
        self.members: list[tuple[Member, ResultFilter | None]] = []

    def __call__(self, value: Any) -> Any:
        """Raise `ConversionError` for a value that lacks one of the members."""
        shown = {}
        for member, shape in self.members:
            found = self._member(value, member)
            if found is not _ABSENT and found is not self._unset:
                shown[member.key] = found if shape is None else shape(found)
        return struct_form(self._kind, shown) if is_struct(self._kind) else shown

    def _member(self, value: Any, member: Member) -> Any:
        if isinstance(value, Mapping):
            found = value.get(member.name, _ABSENT)
        else:
            found = _ABSENT if is_typed_dict(self._kind) else getattr(value, member.name, _ABSENT)
        if found is _ABSENT and member.required:
            raise ConversionError(
                ("", f"{type(value).__name__} has no {member.name!r}, which {self._kind.__name__} declares")
            )
        return found


def _chunk_in_shape(shape: ResultFilter, chunk: Any) -> Any:
    """An object of a stream, or the data of an event; text and bytes go out as they are."""
    if chunk is None or isinstance(chunk, TEXTS):
        return chunk
    if isinstance(chunk, ServerSentEvents):
        return ServerSentEvents(_chunk_in_shape(shape, event) for event in chunk)
    if isinstance(chunk, ServerSentEvent):
        data = _chunk_in_shape(shape, chunk.data)
        return ServerSentEvent(data, event=chunk.event, id=chunk.id, retry=chunk.retry)
    try:
        return shape(chunk)
    except ConversionError as misfit:
        message = f"an object of the stream does not fit its annotation: {misfit.faults[0][1]}"
        raise UnusableResult(message) from None


def _is_object(item: Any) -> bool:
    """True if a stream's chunks of this type are neither text nor bytes."""
    kind = class_of(strip_wrappers(item))
    return isinstance(kind, type) and kind not in (Any, object) and not issubclass(kind, TEXTS)


def _unchanged(value: Any) -> Any:
    return value


def _as_list(value: Any) -> Any:
    """A set, a deque, a range or the like as JSON has it."""
    is_foreign = isinstance(value, Collection) and not isinstance(value, (*TEXTS, Mapping, list, tuple))
    return list(value) if is_foreign else value


def _model_shape(kind: Any) -> ResultFilter:
    """A pydantic model shows itself, by its aliases; what is no instance of it is validated first."""
    model = Model(kind)

    def shaped_model(value: Any) -> Any:
        try:
            return model.shown(value)
        except lazy_import("pydantic").ValidationError as error:
            raise ConversionError(("", str(error))) from None

    return shaped_model


def _first_fit(shapes: list[ResultFilter], value: Any) -> Any:
    misfits = []
    for shape in shapes:
        try:
            return shape(value)
        except ConversionError as misfit:
            misfits.append(misfit)
    raise misfits[0]


def result_filter(returns: Any) -> ResultFilter | None:
    """The shape of a handler's result, or of the body in it, as its return annotation declares it."""
    return ResultCompiler().shape(_body_in(returns))


def _body_in(returns: Any) -> Any:
    """The body's part of a return annotation: in `tuple[int, Note]` the note."""
    origin, arguments = get_origin(returns), get_args(returns)
    if origin in UNIONS:
        return Union[tuple(map(_body_in, arguments))]  # noqa: UP007 - made of what is only known here
    if origin is Annotated:
        return _body_in(returns.__origin__)
    if (meant := aliased(returns)) is not None:
        return _body_in(meant)
    items = items_of(returns) if is_named_tuple(returns) else arguments if origin is tuple else ()
    return items[1] if len(items) in _WITH_STATUS and items[1] is not Ellipsis else returns


def with_filtered_result(handler: Callable[..., Any], returns: Any, shape: ResultFilter) -> Callable[..., Any]:
    """The handler, its results in the shape."""

    def in_shape(result: Any) -> Any:
        try:
            return _result_in_shape(shape, result)
        except ConversionError as misfit:
            message = f"the result does not fit its annotation '-> {_name(returns)}': {misfit.faults[0][1]}"
            raise UnusableResult(message) from None

    async def awaited(result: Any) -> Any:
        return in_shape(await result)

    @wraps(handler)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return in_shape(await handler(*args, **kwargs))

    @wraps(handler)
    def plain(*args: Any, **kwargs: Any) -> Any:
        result = handler(*args, **kwargs)
        return awaited(result) if hasattr(type(result), "__await__") else in_shape(result)

    return coroutine if iscoroutinefunction(handler) else plain


def _result_in_shape(shape: ResultFilter, result: Any) -> Any:
    """A tuple is (status, body) or (status, body, headers), or a `Reply`: text as body, or none, declares nothing."""
    if isinstance(result, Reply):
        _, body, headers = _result_in_shape(shape, (result.status, result.body, result.headers))
        return Reply(result.status, body, headers, result.content_type)
    if not isinstance(result, tuple) or len(result) not in _WITH_STATUS:
        return shape(result)
    status, body, *headers = result
    if body is None or isinstance(body, str | bytes | bytearray | memoryview):
        return result
    return (status, shape(body), *headers)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
