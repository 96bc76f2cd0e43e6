"""What a handler's annotations say: the markers `Header`, `Cookie`, `FromQuery` and so on; and types, made of text."""

import builtins
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from micropie.core.conversion.records import UNIONS
from micropie.core.handlers.parameter import AUTO, BODY, COOKIE_SOURCE, HEADER, PATH, QUERY, REQUIRED, SESSION


class Source:
    """Names, inside `Annotated`, the place that a parameter's value comes from."""

    place = AUTO

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def key(self, parameter: str) -> str:
        """The value's name in that place."""
        return self.name or parameter


class Header(Source):
    """The value is a header of the request: of the parameter's name, `-` for `_`, or of `name`.

    async def index(self, accept_language: Annotated[str, Header()] = "en"): ...
    """

    place = HEADER

    def key(self, parameter: str) -> str:
        """The header's name in lower case."""
        return (self.name or parameter.replace("_", "-")).lower()


class Cookie(Source):
    """The value is a cookie: of the parameter's name, or of `name`.

    async def index(self, theme: Annotated[str, Cookie()] = "light"): ...
    """

    place = COOKIE_SOURCE


class FromQuery(Source):
    """The value is in the query, and nowhere else: neither a path segment nor the body can fill the parameter.

    The field has the parameter's name, or `name`.

        async def search(self, page: Annotated[int, FromQuery()] = 1): ...
    """

    place = QUERY


class FromPath(Source):
    """The value is a segment of the path, and nothing else: neither the query nor the body can fill the parameter.

    @methods("POST")
    async def rename(self, name: Annotated[str, FromPath()], new: str): ...     # POST /rename/{name}
    """

    place = PATH

    def __init__(self) -> None:
        super().__init__()


class FromSession(Source):
    """The value is in the session, and nowhere else: no client can send it. It has the parameter's name, or `name`.

    async def account(self, user: Annotated[str, FromSession()]): ...
    """

    place = SESSION


class FromBody(Source):
    """The value is the whole body.

    async def sum(self, numbers: Annotated[list[int], FromBody()]): ...
    """

    place = BODY

    def __init__(self) -> None:
        super().__init__()


def _sources(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[Source]:
    """The markers, also those in `Annotated[...] | None`; `Header` will do for `Header()`."""
    members = get_args(annotation) if get_origin(annotation) in UNIONS else ()
    for item in (*metadata, *(inner for member in members for inner in getattr(member, "__metadata__", ()))):
        if _is_source(item):
            yield item() if isinstance(item, type) else item


def _is_source(item: Any) -> bool:
    return isinstance(item, Source) or (isinstance(item, type) and issubclass(item, Source))


class Resolver:
    """Makes types of a handler's annotations, and remembers in `problems` which it could not."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.problems: list[str] = []
        self._handler = handler
        self._names: dict[str, Any] | None = None

    def __call__(self, what: str, annotation: Any) -> Any:
        """The type; `Any` without an annotation, or for one that cannot be resolved, with the place that it names."""
        if annotation is REQUIRED:
            return Any
        if type(annotation) is type:
            return annotation
        try:
            return resolved(annotation, self.names)
        except Exception as error:
            written = getattr(annotation, "__forward_arg__", annotation)  # Python 3.14 has resolved what it could
            self.problems.append(
                f"the annotation of {what}, {written!r}, counts as none, since it cannot be resolved ({error}): "
                "make its names known where the program runs, not only for the type checker, or leave it out"
            )
            return self._source_alone(annotation)

    def _source_alone(self, annotation: Any) -> Any:
        """The source that an unknown type names all the same: a client must not choose that."""
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, {}, _Lenient(self.names))  # noqa: S307 - the application's own code
            except Exception:  # no type at all
                return Any
        source = next(_sources(annotation, getattr(annotation, "__metadata__", ())), None)
        return Any if source is None else Annotated[Any, source]

    @property
    def names(self) -> dict[str, Any]:
        """The meanings of names: types of the class's own, else the module's names, Python's, the class's.

        A method called `list` or `date` is none of the types that are meant.
        """
        if self._names is None:
            function = _innermost(self._handler)
            owner = getattr(self._handler, "__self__", None)
            line = (owner if isinstance(owner, type) else type(owner)).__mro__
            of_class = {name: value for cls in reversed(line) for name, value in vars(cls).items()}
            types = {name: value for name, value in of_class.items() if isinstance(value, type)}
            self._names = {**of_class, **vars(builtins), **getattr(function, "__globals__", {}), **types}
        return self._names


class _Unknown:
    """Stands for whatever a name that is not there may mean, and for what may be made of it."""

    def __getattr__(self, name: str) -> "_Unknown":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _item: Any) -> "_Unknown":
        return self

    def __or__(self, other: Any) -> Any:
        return other

    __ror__ = __or__


class _Lenient(dict[str, Any]):
    """Names, and any others."""

    def __missing__(self, name: str) -> _Unknown:
        return _Unknown()


def resolved(annotation: Any, names: dict[str, Any]) -> Any:
    """The annotation with the types that its text names. Whatever evaluating it raises."""

    def carrier() -> None:
        """Carry one annotation, which `get_type_hints` wants."""

    carrier.__annotations__ = {"it": annotation}
    return get_type_hints(carrier, names, names, include_extras=True)["it"]


def _innermost(handler: Any) -> Any:
    """The function that the annotations were written on."""
    while isinstance(handler, MethodType | partial):
        handler = handler.__func__ if isinstance(handler, MethodType) else handler.func
    return inspect.unwrap(handler)
