"""A return annotation, compiled once: the reply's JSON has the declared members and nothing else.

`-> Note` is a promise to the client. What a dict, a subclass or a database's row has beyond it stays inside.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import wraps
from inspect import iscoroutinefunction
from types import NoneType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from micropie.core.basics.errors import ConversionError
from micropie.core.basics.optional import lazy_import
from micropie.core.conversion.records import (
    UNIONS,
    Member,
    aliased,
    is_pydantic,
    is_record,
    is_typed_dict,
    members_shown,
)
from micropie.core.replies.reply import Reply

ResultFilter = Callable[[Any], Any]
_ABSENT: Any = object()
_WITH_STATUS = (2, 3)  # (status, body), (status, body, headers)


class ResultCompiler:
    """Compiles return annotations."""

    def __init__(self) -> None:
        self._records: dict[Any, ResultFilter] = {}

    def shape(self, annotation: Any) -> ResultFilter | None:
        """A function that leaves of a result what the annotation declares; None where it declares no record.

        Whatever evaluating the annotations of a record raises.
        """
        origin, arguments = get_origin(annotation), get_args(annotation)
        if is_record(annotation):
            return self._record(annotation)
        if origin is Annotated:
            return self.shape(annotation.__origin__)
        if origin in UNIONS:
            return self._union(arguments)
        if isinstance(origin, type):
            return self._collection(origin, arguments)
        meant = aliased(annotation)
        return None if meant is None else self.shape(meant)

    def _collection(self, origin: type, arguments: tuple[Any, ...]) -> ResultFilter | None:
        """The shape of any kind of list, tuple or dict. Streams are none."""
        if issubclass(origin, tuple):
            return self._tuple(arguments)
        if issubclass(origin, Mapping):
            return self._dict((*arguments, Any, Any)[1])
        if issubclass(origin, AbstractSet):
            return self._list((*arguments, Any)[0]) or _set_as_list
        if issubclass(origin, Collection) or origin is Iterable:
            return self._list((*arguments, Any)[0])
        return None

    def _record(self, kind: Any) -> ResultFilter:
        if kind not in self._records:
            if is_pydantic(kind):
                self._records[kind] = _model_shape(kind)
            else:
                members = members_shown(kind)
                shown = RecordFilter(kind)
                self._records[kind] = shown
                shown.members = [(member, self.shape(member.annotation)) for member in members]
        return self._records[kind]

    def _list(self, item: Any) -> ResultFilter | None:
        inner = self.shape(item)
        if inner is None:
            return None

        def shaped_list(value: Any) -> Any:
            if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
                raise ConversionError(("", f"{type(value).__name__} is no list"))
            return [inner(one) for one in value]

        return shaped_list

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
                if _is_instance(value, kind):
                    return value if shape is None else shape(value)
            return _first_fit(shapes, value)

        return shaped_member


class RecordFilter:
    """The JSON object of a dataclass, TypedDict, Struct or attrs class: exactly its declared members."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.members: list[tuple[Member, ResultFilter | None]] = []
        config = getattr(kind, "__struct_config__", None)  # a Struct may carry a tag that says which one it is
        self._tag = {} if config is None or config.tag is None else {config.tag_field: config.tag}

    def __call__(self, value: Any) -> dict[str, Any]:
        """Raise `ConversionError` for a value that lacks one of the members."""
        shown = dict(self._tag)
        for member, shape in self.members:
            found = self._member(value, member)
            if found is not _ABSENT:
                shown[member.key] = found if shape is None else shape(found)
        return shown

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


def _set_as_list(value: Any) -> Any:
    """JSON has no sets."""
    return list(value) if isinstance(value, AbstractSet) else value


def _model_shape(kind: Any) -> ResultFilter:
    """A pydantic model shows itself; what is no instance of it is validated first."""
    pydantic = lazy_import("pydantic")
    adapter = pydantic.TypeAdapter(kind)

    def shaped_model(value: Any) -> Any:
        try:
            return adapter.dump_python(adapter.validate_python(value, from_attributes=True), mode="json")
        except pydantic.ValidationError as error:
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


def _is_instance(value: Any, kind: Any) -> bool:
    if (meant := aliased(kind)) is not None:
        return _is_instance(value, meant)
    origin = get_origin(kind) or kind
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(kind))
    if kind is NoneType or is_typed_dict(kind):
        return kind is NoneType and value is None
    return isinstance(origin, type) and origin is not Any and isinstance(value, origin)


def result_filter(returns: Any) -> ResultFilter | None:
    """The shape of a handler's result, or of the body in it, as its return annotation declares it."""
    return ResultCompiler().shape(_body_in(returns))


def _body_in(returns: Any) -> Any:
    """What a return annotation says of the body: `tuple[int, Note]` is a status with it."""
    origin, arguments = get_origin(returns), get_args(returns)
    if origin in UNIONS:
        return Union[tuple(map(_body_in, arguments))]  # noqa: UP007 - made of what is only known here
    if origin is tuple and len(arguments) in _WITH_STATUS and arguments[1] is not Ellipsis:
        return arguments[1]
    return returns


def with_filtered_result(handler: Callable[..., Any], returns: Any, shape: ResultFilter | None) -> Callable[..., Any]:
    """The handler, its results in the shape; the handler itself, if there is none."""
    if shape is None:
        return handler

    def in_shape(result: Any) -> Any:
        try:
            return _result_in_shape(shape, result)
        except ConversionError as misfit:
            message = f"A handler's result does not fit its annotation '-> {_name(returns)}': {misfit.faults[0][1]}"
            raise TypeError(message) from None

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
