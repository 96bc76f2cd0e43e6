"""Controllers: classes whose methods are routes below an application; what an instance in a class body stands for.

`api = Api()` in the body of an `App`, or of another controller, is a branch of its tree. Nothing here runs for a
request: `class_reader` reads these classes when the application is made.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import isawaitable
from keyword import iskeyword
from typing import Any, Generic, TypeVar, Unpack

from micropie.core import late
from micropie.core.basics.headers import is_token
from micropie.core.basics.types import ASGIApp, HeaderPairs, async_or_plain, of_any_kind
from micropie.core.replies.reply import Reply
from micropie.core.requests.limits import LimitKeywords, check_limits
from micropie.core.requests.request import Request, request_here

INDEX = "index"
VERBS_ATTRIBUTE = "__micropie_methods__"  # what `methods` leaves on a handler
LIMITS_ATTRIBUTE = "__micropie_limits__"  # what `limits` leaves on a handler
GUARDS = ("_before", "_after")
ON_ERROR = "_on_error"
VERB_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
MAX_LAYERS = 32  # of wrappers round a function; some go round in a circle
F = TypeVar("F")
Below = TypeVar("Below")


class Controller:
    """A branch of an application: its public methods are routes below the name that an instance is given there.

    The constructor is the subclass's own; `super().__init__()` need not be called.

        class Api(Controller):
            def __init__(self, db):
                self.db = db

            async def users(self):              # /api/users
                return self.db.users()

        class Site(App):
            api = Api(db)
    """

    _takes_identities = True
    """False: no handler is given the identities in the path to the controller."""

    @property
    def request(self) -> Request:
        """The request that is being served, as `App.request`."""
        return request_here()

    def _redirect(
        self, location: str, extra_headers: Iterable[Any] | None = None, *, status: int = 302, permanent: bool = False
    ) -> tuple[int, str, HeaderPairs]:
        """A result that redirects to `location`; `extra_headers`, `status` and `permanent` as of `App._redirect`."""
        return late.redirect(location, extra_headers, status=status, permanent=permanent)

    async def _render_template(self, name: str, /, **context: Any) -> str:
        """The template `name` of the application, rendered with `context`, as by `App._render_template`."""
        router: Any = self.request._router
        app, *controllers = router.owners_of(self)
        text: str = await app._render_template(name, **{**await late.shared_context(controllers), **context})
        return text

    def _template_context(self) -> Any:
        """Values for the templates of this branch, on top of those from above: a dict; `async def` or plain."""
        return {}

    @of_any_kind
    async def _before(self, *args: Any, **kwargs: Any) -> Any:
        """Called before anything below this controller answers, `async def` or plain; a result but None answers.

        A parameter of the name of an identity in its path gets that, converted as its annotation says; one with a
        marker, or whose type is the request, the session or a provider, gets that. `args` and `kwargs` are the base's,
        for `super()`.

            class Admin(Controller):
                async def _before(self):
                    if "user" not in self.request.session:
                        raise HTTPError(403)
        """
        return await _next_in_line(super(), "_before", *args, **kwargs)

    @async_or_plain
    async def _after(self, reply: Reply) -> Any:
        """Called with the reply of whatever answered below, errors too; may change it, or return another result."""
        return await _next_in_line(super(), "_after", reply)

    def _on_error(self, error: Exception) -> Any:
        """Asked of an `error` of this branch, `async def` or plain; a result but None answers in its place."""
        return None

    def _beside(self, owner: Any) -> Mapping[str, Callable[..., Any]]:
        """Handlers by the names that they answer to in `owner`, beside this controller and behind its guards."""
        return {}

    def _url_below(self, *paths: str) -> tuple[str, dict[str, Any]]:
        """The path below this controller, and the query, of `url_for(controller, *paths)`."""
        raise TypeError(f"url_for() of a controller takes no path, it got {paths!r}: name the method")


class Resource(Controller):
    """A controller whose methods `get`, `post`, `put`, `patch`, `delete` answer those verbs on its own path.

    `head` and `options` may be defined too. Its other methods are routes as ever, and win over a path parameter.

        class Notes(Resource):
            async def get(self, id): ...        # GET /notes/7
            async def post(self, text): ...     # POST /notes
            async def search(self, q): ...      # /notes/search?q=…
    """


FRAMEWORK_CLASSES = Resource.__mro__  # what a controller has of them is neither route nor guard of the user's


class Mount:
    """Any other ASGI application, `app`, as a branch: at the name that it is given, or at a `path` below its owner.

    class Site(App):
        files = Mount(StaticFiles(directory="public"))
        legacy = Mount(old_app, path="/v1/legacy")
    """

    def __init__(self, app: ASGIApp, path: str | None = None) -> None:
        if not callable(app):
            raise TypeError(f"Mount() takes an ASGI application, {app!r} is none")
        self.app: ASGIApp = app
        self.segments: tuple[str, ...] | None = None if path is None else mount_segments(path)


class Nested(Generic[Below]):
    """A controller, a `Mount` or an `App` behind an identity: `/users/7/posts` where `Users` has it as `posts`.

    The segment before the name of the attribute is the first argument of every handler below, as the parameter
    `identity`. Looked up on the owner it is what it holds, `below`.

        class Posts(Resource):
            async def get(self, user_id: int, id: int): ...     # GET /users/7/posts/3

        class Users(Resource):
            posts = Nested("user_id", Posts())
    """

    def __init__(self, identity: str, below: Below) -> None:
        if not _is_parameter_name(identity):
            raise TypeError(f'Nested() takes a parameter\'s name first, as in Nested("user_id", ...), not {identity!r}')
        if isinstance(below, type):
            raise TypeError(f"Nested({identity!r}, ...) takes an instance: write {below.__name__}()")
        if isinstance(below, Mount) and below.segments is not None:
            raise TypeError(f"Nested({identity!r}, ...) has the path of its name: leave the path of its Mount out")
        self.identity = identity
        self.below = below

    def __get__(self, instance: object, owner: type) -> Below:
        return self.below


async def _next_in_line(following: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """The result of the guard of a class that is mixed in behind `Controller`, for those who call `super()`."""
    guard = getattr(following, name, None)
    result = None if guard is None else guard(*args, **kwargs)
    return await result if isawaitable(result) else result


def mount_segments(path: str) -> tuple[str, ...]:
    """The segments of a mount's path. ValueError for a path that no request could reach."""
    segments = tuple(path.strip("/").split("/"))
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(
            f"Mount(path={path!r}): a path such as '/v1/files' is wanted, with neither empty nor dot segments"
        )
    if is_private(segments[0]):
        raise ValueError(f"Mount(path={path!r}): names that begin with '_' or 'ws_' are private, no URL reaches them")
    return segments


def is_private(name: str) -> bool:
    """True if no URL may name this method or branch."""
    return name.startswith(("_", "ws_"))


def _is_parameter_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not iskeyword(name) and not is_private(name)


def _is_verb(verb: Any) -> bool:
    return isinstance(verb, str) and is_token(verb)


def limits(**changes: Unpack[LimitKeywords]) -> Callable[[F], F]:
    """Let a handler have limits of its own for what clients send: sizes in bytes, times in seconds, None for none.

    `changes` are some of the keywords `max_body_size`, `max_form_field_size`, `max_form_parts`, `max_upload_size`,
    `body_timeout`, `max_message_size` and `idle_timeout` of `App`. The attributes of a `Controller` with these names
    are those of its whole branch; what is not said stays as the `App` has it. ValueError for what is no limit.

        @limits(max_upload_size=5 << 30)
        async def video(self, file): ...
    """
    if not changes or (unknown := changes.keys() - LimitKeywords.__annotations__.keys()):
        known = ", ".join(LimitKeywords.__annotations__)
        raise TypeError(f"@limits takes some of {known}; it got {sorted(unknown) if changes else 'none of them'}")
    check_limits(changes, "@limits({})")

    def mark(handler: F) -> F:
        setattr(checked_handler(handler, "limits"), LIMITS_ATTRIBUTE, changes)
        return handler

    return mark


def methods(*verbs: str) -> Callable[[F], F]:
    """Let a handler answer the HTTP methods `verbs` only; GET includes HEAD. Others are answered 405 with `Allow`.

    @methods("POST", "PUT")
    async def save(self, text): ...
    """
    if not verbs or not all(map(_is_verb, verbs)):
        raise TypeError(f'@methods takes the names of HTTP methods, as in @methods("POST"); it got {verbs!r}')

    def mark(handler: F) -> F:
        uppercase = tuple(dict.fromkeys(verb.upper() for verb in verbs))
        setattr(checked_handler(handler, "methods"), VERBS_ATTRIBUTE, uppercase)
        return handler

    return mark


def checked_handler(handler: F, mark: str) -> F:
    """The object that a mark stands on. TypeError for what can be no handler, where it would have no effect."""
    if isinstance(handler, type):
        raise TypeError(f"@{mark} marks a handler, {handler.__name__} is a class: mark its methods")
    # A `partial` in a class is data, though from Python 3.14 on it binds itself.
    if isinstance(handler, property | partial) or not hasattr(type(handler), "__get__"):
        raise TypeError(f"@{mark} marks a handler, {handler!r} is none")
    return handler


def declared_verbs(handler: Any) -> tuple[str, ...]:
    """The verbs that `@methods` has marked a handler with; `()` if it is not marked."""
    verbs: tuple[str, ...] = _left_by_mark(handler, VERBS_ATTRIBUTE) or ()
    return verbs


def declared_limits(handler: Any) -> dict[str, Any]:
    """The limits that `@limits` has marked a handler with, by their names; none if it is not marked."""
    changes: dict[str, Any] = _left_by_mark(handler, LIMITS_ATTRIBUTE) or {}
    return changes


def _left_by_mark(attribute: Any, name: str) -> Any:
    """The value that a mark has left on an attribute, or on what that wraps; None if none."""
    for _ in range(MAX_LAYERS):
        if (found := getattr(attribute, name, None)) is not None:
            return found
        inside = (getattr(attribute, one, None) for one in ("func", "__func__", "__wrapped__"))
        attribute = next((one for one in inside if one is not None), None)
    return None
