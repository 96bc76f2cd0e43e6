"""An application's class, read once into a tree: its methods are routes, its controllers are branches with their own.

Only what the user's own classes define counts, found by looking at the classes and never by `getattr` on an
instance: a request evaluates no property and touches no attribute.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial, partialmethod, singledispatchmethod, wraps
from types import FunctionType, MethodType
from typing import Any, TypeVar

from micropie.core.handlers.binding import GuardPlan
from micropie.core.handlers.endpoint import (
    WEBSOCKET,
    Endpoint,
    ErrorHandler,
    ErrorHandlers,
    Guard,
    Guards,
)
from micropie.core.handlers.parameter import takes_segment
from micropie.core.handlers.user_function import UserFunction, function_name
from micropie.core.requests.limits import Limits, check_limits
from micropie.core.routing.addressing import path_template
from micropie.core.routing.controller import (
    GUARDS,
    INDEX,
    LIMITS_ATTRIBUTE,
    ON_ERROR,
    VERB_METHODS,
    VERBS_ATTRIBUTE,
    Controller,
    Mount,
    Nested,
    Resource,
    is_private,
)
from micropie.core.routing.path_templates import Identity, Template, identities_in, names_in
from micropie.core.routing.targets import (
    NO_WEBSOCKET,
    ByVerb,
    Match,
    MatchedRoute,
    MountedApp,
    NoHandler,
    declared_endpoint,
)

MAX_LAYERS = 32  # of wrappers round a function; some go round in a circle
_FRAMEWORK_CLASSES = Resource.__mro__
Named = TypeVar("Named")


class Branch:
    """One owner's place in the tree, the application's or a controller's, with all that it answers there.

    `path` are the names that lead to it, with the identities `between` them, `entries` all that it has, in order of
    definition.
    """

    def __init__(
        self,
        owner: Any,
        app_class: type,
        limits: Limits,
        above: "Branch | None" = None,
        name: str = "",
        between: tuple[Identity, ...] = (),
    ) -> None:
        self.owner = owner
        self.limits = limits if above is None else overridden_limits(limits, owner)
        self.name = name
        self.path: Template = () if above is None else (*above.path, *between, name)
        self.identities = identities_in(self.path)
        self.owners: tuple[Any, ...] = (*(() if above is None else above.owners), owner)
        guards = () if above is None else guards_of(owner, self.identities)
        self.guards: Guards = guards if above is None else above.guards + guards
        # Live: methods may be bound to an application at run time.
        self.instance: dict[str, Any] = vars(owner) if above is None else {}
        self.entries: list[Endpoint | MountedApp | Branch] = []
        self.methods: dict[str, Endpoint | ByVerb] = {}
        self.branches: dict[str, Branch | MountedApp] = {}
        self.nested: dict[str, Branch | MountedApp] = {}  # behind an identity
        self.mounts: list[MountedApp] = []  # with a path of their own, longest first
        self.oversights = [*_problems_of(guards)]  # found while reading the class
        framework = app_class.__mro__ if above is None else _FRAMEWORK_CLASSES
        self.error_handlers: ErrorHandlers = (
            *self._own_error_handler(framework),
            *(() if above is None else above.error_handlers),
        )
        self.nothing = NoHandler(NO_WEBSOCKET, self.error_handlers, self.guards)
        self._replaced: dict[str, tuple[MethodType, Endpoint | ByVerb]] = {}
        self._for_websockets: dict[str, Endpoint] = {}  # methods that a middleware has chosen, by their names
        verbs: dict[str, Endpoint] = {}
        for attribute_name, attribute in members(owner, framework):
            self._add(attribute_name, attribute, app_class, verbs)
        for guard in GUARDS:
            if (attribute := inspect.getattr_static(owner, guard, None)) is not None:
                self._note_marks(guard, attribute, "a guard")
        self.mounts.sort(key=lambda mount: -len(mount.segments))
        self.verbs = verbs  # a resource's own methods for them
        self.resource, self.collection = self._by_verb(verbs)
        nested = {name: one for name, one in self.nested.items() if isinstance(one, Branch)}
        # Those that a mount may hide, and those that are bound to the application at run time.
        self._has_more_names = above is None or bool(self.mounts)
        self._nested_branches = {} if self._has_more_names else nested
        mounted = {mount.segments[0] for mount in self.mounts}
        self._public = {
            name: found
            for name, found in {**self.branches, **self.methods}.items()
            if not (is_private(name) or name in mounted)
        }

    @property
    def title(self) -> str:
        """The name of the owner's class, for messages."""
        return type(self.owner).__name__

    # -- what the class has ---------------------------------------------------------------------------

    def _add(self, name: str, attribute: Any, app_class: type, verbs: dict[str, Endpoint]) -> None:
        if isinstance(attribute, Nested):
            self._add_nested(name, attribute, app_class)
        elif isinstance(attribute, Mount):
            self._add_mount(name, attribute, attribute.segments, app_class)
        elif isinstance(attribute, app_class):
            self._add_mount(name, attribute, None, app_class)
        elif isinstance(attribute, Controller):
            self._add_controller(name, attribute, app_class)
        elif _is_method(attribute):
            self._add_method(name, attribute, verbs)
        elif isinstance(attribute, type) and issubclass(attribute, Controller) and attribute.__name__ != name:
            self.oversights.append(
                f"{self.title}.{name} is a class, which answers nothing: write {name} = {attribute.__name__}()"
            )

    def _add_nested(self, name: str, nested: Nested[Any], app_class: type) -> None:
        if is_private(name):
            return
        if nested.identity in self.identities:
            raise ValueError(
                f"{self.title}.{name} is nested in {nested.identity!r}, and so is {self.title}: "
                "no handler has two parameters of one name, give one of them another"
            )
        below, between = nested.below, (Identity(nested.identity, self),)
        if isinstance(below, Controller):
            self.nested[name] = self._branch(name, below, app_class, between)
        elif isinstance(below, Mount | app_class):
            self.nested[name] = self._mount(name, below, (name,), app_class, between)
        else:
            raise TypeError(
                f"{self.title}.{name}: Nested({nested.identity!r}, ...) takes a controller, a Mount or an App, "
                f"{below!r} is none"
            )

    def _add_mount(self, name: str, what: Any, segments: tuple[str, ...] | None, app_class: type) -> None:
        if segments is not None:
            self.mounts.append(self._mount(name, what, segments, app_class))
        elif not is_private(name):
            self.branches[name] = self._mount(name, what, (name,), app_class)

    def _mount(
        self, name: str, what: Any, segments: tuple[str, ...], app_class: type, between: tuple[Identity, ...] = ()
    ) -> MountedApp:
        mount = MountedApp(
            name,
            what,
            segments,
            owner=self.owner,
            above=self.path + between,
            guards=self.guards,
            error_handlers=self.error_handlers,
        )
        mount.is_micropie = isinstance(mount.app, app_class)
        self.entries.append(mount)
        return mount

    def _branch(
        self, name: str, controller: Controller, app_class: type, between: tuple[Identity, ...] = ()
    ) -> "Branch":
        if any(controller is owner for owner in self.owners):
            raise ValueError(
                f"{type(self.owner).__name__}.{name} is the controller that it is an attribute of, or one above: "
                "the tree would have no end. Give it another instance, of a class without that attribute"
            )
        branch = Branch(controller, app_class, self.limits, self, name, between)
        self.entries.append(branch)
        return branch

    def _add_controller(self, name: str, controller: Controller, app_class: type) -> None:
        if is_private(name):
            return
        branch = self.branches[name] = self._branch(name, controller, app_class)
        for beside, handler in controller._beside(self.owner).items():
            verbs = left_by_mark(handler, VERBS_ATTRIBUTE) or ()
            endpoint = self._endpoint(beside, handler, handler, verbs, of=branch)
            self.entries.append(endpoint)
            self.methods[beside] = self._with_verbs(endpoint)

    def _add_method(self, name: str, attribute: Any, verbs: dict[str, Endpoint]) -> None:
        handler = bound(attribute, self.owner)
        declared: tuple[str, ...] = left_by_mark(attribute, VERBS_ATTRIBUTE) or ()
        own = name in VERB_METHODS and isinstance(self.owner, Resource)
        endpoint = self._endpoint(name, handler, attribute, declared or ((name.upper(),) if own else ()))
        self.entries.append(endpoint)
        if self.identities and not is_private(name.removeprefix(WEBSOCKET)):
            self._give_identities(endpoint)
        if name.startswith(WEBSOCKET):
            self._note_marks(name, attribute, "a WebSocket")
        if own:
            self._add_verbs(endpoint, verbs)
        else:
            self.methods[name] = self._with_verbs(endpoint)

    def _give_identities(self, endpoint: Endpoint) -> None:
        if self.owner._takes_identities:
            check_takes_identities(endpoint)
        else:
            endpoint.call = _without_first(len(self.identities), endpoint.call)

    def _endpoint(
        self,
        name: str,
        handler: Any,
        marked: Any,
        verbs: tuple[str, ...] = (),
        *,
        of: "Branch | None" = None,
        takes_socket: bool = False,
    ) -> Endpoint:
        """A handler at a name in this branch; its guards and limits are those `of` another, where that has it."""

        def make_path() -> str:
            return path_template(self, endpoint)

        behind = of or self
        route = MatchedRoute(".".join((*names_in(self.path), name)), make_path)
        changes = left_by_mark(marked, LIMITS_ATTRIBUTE) or {}
        limits = behind.limits._replace(**changes) if changes else behind.limits
        endpoint = Endpoint(
            name,
            handler,
            route,
            limits,
            guards=behind.guards,
            error_handlers=behind.error_handlers,
            verbs=verbs,
            identities=self.identities,
            is_nested=bool(self.path),
            takes_socket=takes_socket or name.startswith(WEBSOCKET),
        )
        return endpoint

    def _own_error_handler(self, framework: tuple[type, ...]) -> ErrorHandlers:
        """The owner's `_on_error`, if it has one; one that can't be asked is told of."""
        classes = (cls for cls in type(self.owner).__mro__ if cls not in framework and ON_ERROR in vars(cls))
        nearest = next(classes, None)
        is_on_instance = ON_ERROR in getattr(self.owner, "__dict__", ())
        if nearest is not None and not is_on_instance and _is_method(vars(nearest)[ON_ERROR]):
            handler = bound(vars(nearest)[ON_ERROR], self.owner)
            if takes_one_argument(handler):
                return (ErrorHandler(handler),)
        if nearest is not None or is_on_instance:
            self.oversights.append(
                f"{self.title}.{ON_ERROR} is never asked: make it a method that takes the exception, "
                f"def {ON_ERROR}(self, error)"
            )
        return ()

    def _note_marks(self, name: str, attribute: Any, what: str) -> None:
        for mark, left in (("@methods", VERBS_ATTRIBUTE), ("@limits", LIMITS_ATTRIBUTE)):
            if left_by_mark(attribute, left):
                self.oversights.append(
                    f"{self.title}.{name} is marked {mark}, which {what} has no use for: leave it out"
                )

    def _add_verbs(self, endpoint: Endpoint, verbs: dict[str, Endpoint]) -> None:
        for verb in endpoint.verbs:
            first = verbs.setdefault(verb, endpoint)
            if first is not endpoint:
                self.oversights.append(
                    f"{self.title}.{endpoint.name} never answers {verb}, since {self.title}.{first.name} does: "
                    "let one of them declare it"
                )

    def _with_verbs(self, endpoint: Endpoint) -> Endpoint | ByVerb:
        if not endpoint.verbs or endpoint.name.startswith(WEBSOCKET):
            return endpoint
        by_verb = dict.fromkeys(endpoint.verbs, endpoint)
        return self._choice(endpoint.name, by_verb, endpoint)

    def _choice(self, name: str, verbs: Mapping[str, Endpoint], of: "Branch | Endpoint", **others: Any) -> ByVerb:
        return ByVerb(name, verbs, of.guards, error_handlers=of.error_handlers, is_nested=bool(self.path), **others)

    def _by_verb(self, verbs: dict[str, Endpoint]) -> tuple[ByVerb | None, ByVerb | None]:
        """A resource's handlers by the verb: below its path, and on it, where `index` comes before `get`."""
        if not verbs:
            return None, None
        found = self.methods.get(INDEX)
        index: dict[str, Endpoint] = {}
        if isinstance(found, ByVerb):
            index = dict(found.verbs)
        elif found is not None:
            index = {"GET": found}
        below = {verb: endpoint for verb, endpoint in {**index, **verbs}.items() if endpoint.takes_segments}
        # What can't do without a segment is not allowed here.
        own = {verb: endpoint for verb, endpoint in verbs.items() if not endpoint.needs_segment(verb)}
        own = {**own, **index}
        others = {verb: endpoint for verb, endpoint in verbs.items() if verb not in own}
        by_query = {verb: endpoint for verb, endpoint in others.items() if not endpoint.needs_path}
        return self._choice(INDEX, below, self), self._choice(INDEX, own, self, by_query=by_query)

    # -- what a path leads to -------------------------------------------------------------------------

    def find(self, segments: list[str]) -> Match:
        """The target of the segments below this branch, and those of them that are left for it."""
        # PERF: a public name as it is written in the class, found in one step.
        found = self._public.get(segments[0]) if segments else None
        if found is not None and found.name not in self.instance:
            return found.find(segments[1:]) if isinstance(found, Branch) else (found, segments[1:])
        # PERF: and so is what is nested, behind an identity that is no name in any spelling, 0.2 µs.
        if self._nested_branches and len(segments) > 1 and (nested := self._nested_branches.get(segments[1])):
            identity = segments[0]
            if identity and "-" not in identity:
                match = nested.find(segments[2:])
                match[1].insert(0, identity)
                return match
        return self._find_otherwise(segments)

    def _find_otherwise(self, segments: list[str]) -> Match:
        """The target of segments that do not begin with a name as it is written in the class."""
        # PERF: mostly there are no more names to look for, or only one in the other spelling, 0.3 µs.
        if self._has_more_names:
            if (match := self._named_otherwise(segments)) is not None:
                return match
        elif segments and "-" in segments[0] and (spelled := _spelled(segments[0])) in self._public:
            return self.find([spelled, *segments[1:]])
        nested = self._nested_at(segments) if self.nested else None
        if isinstance(nested, Branch):
            target, rest = nested.find(segments[2:])
            return target, [segments[0], *rest]
        return self._own(segments) if nested is None else (nested, [segments[0], *segments[2:]])

    def _named_otherwise(self, segments: list[str]) -> Match | None:
        """The target of segments that begin with the path of a mount, or with a name in either spelling."""
        if (mount := self._mounted_at(segments)) is not None:
            return mount, segments[len(mount.segments) :]
        first = segments[0] if segments else ""
        if is_private(first):
            return None
        if first and (method := self.named(first)) is not None:
            return method, segments[1:]
        below = self.named_branch(first)
        if isinstance(below, Branch):
            return below.find(segments[1:])
        return None if below is None else (below, segments[1:])

    def _nested_at(self, segments: list[str]) -> "Branch | MountedApp | NoHandler | None":
        """What the second segment names behind an identity, which the first one is; nothing where that is empty."""
        nested = in_either_spelling(self.nested, segments[1]) if len(segments) > 1 else None
        if nested is None or (not self.path and is_private(segments[0])):
            return None
        if segments[0]:
            return nested
        return None if self.resource is None else self.nothing  # a catch-all takes empty segments too

    def _mounted_at(self, segments: list[str]) -> MountedApp | None:
        """The application mounted at a path of its own that these segments begin with."""
        for mount in self.mounts:
            if tuple(segments[: len(mount.segments)]) == mount.segments:
                return mount
        return None

    def _own(self, segments: list[str]) -> Match:
        """The target on this branch's own path, or the one that takes whatever is below it."""
        is_bare = not segments or segments == [""]
        if self.resource is not None and self.collection is not None:
            target = self.collection if is_bare else self.resource  # which may be asked for what looks private
            return target if target.verbs or target.by_query else self.nothing, [] if is_bare else segments
        index = self.named(INDEX)
        if index is None or (segments and is_private(segments[0])):
            return self.nothing, segments
        if is_bare:
            return index, []
        takes_them = (
            any(e.takes_segments for e in index.verbs.values()) if isinstance(index, ByVerb) else index.takes_segments
        )
        return (index, segments) if takes_them else (self.nothing, segments)

    def find_websocket(self, segments: list[str]) -> Match:
        """The target of a WebSocket's segments below this branch, and those of them that are left for it."""
        if (mount := self._mounted_at(segments)) is not None:
            return mount, segments[len(mount.segments) :]
        first = segments[0] if segments else ""
        if not is_private(first):
            method = self.named(WEBSOCKET + (first or INDEX))
            if method is not None:
                return method, segments[1:]
            if (below := self.named_branch(first)) is not None:
                return below.find_websocket(segments[1:]) if isinstance(below, Branch) else (below, segments[1:])
        nested = self._nested_at(segments)
        if isinstance(nested, Branch):
            target, rest = nested.find_websocket(segments[2:])
            return target, [first, *rest]
        return (self.nothing, segments) if nested is None else (nested, [first, *segments[2:]])

    def is_identity(self, segment: str, following: str, *, in_websocket: bool) -> bool:
        """True if this branch takes a segment that stands before the name of what is nested for its identity."""
        if not segment or self._mounted_at([segment, following]) or (not self.path and is_private(segment)):
            return False
        if is_private(segment):
            return True
        method = self.named(WEBSOCKET + segment if in_websocket else segment)
        return method is None and self.named_branch(segment) is None

    def named(self, name: str) -> Endpoint | ByVerb | None:
        """The method of that name, else the one spelled with `_` for `-`."""
        found = self.exactly(name)
        if found is None and "-" in name and (spelled := _spelled(name)) is not None:
            return self.exactly(spelled)
        return found

    def exactly(self, name: str) -> Endpoint | ByVerb | None:
        """The method of that name, be it a private one."""
        return self._on_instance(name) or self.methods.get(name)

    def for_websocket(self, name: str) -> Endpoint | None:
        """The method of that name, be it a private one, as a handler whose first parameter is a WebSocket."""
        found = self.exactly(name)
        if isinstance(found, ByVerb):
            found = declared_endpoint(found)
        if found is None or name.startswith(WEBSOCKET):
            return found
        endpoint = self._for_websockets.get(name)
        if endpoint is None or endpoint.handler is not found.handler:
            endpoint = self._endpoint(name, found.handler, found.handler, takes_socket=True)
            self._for_websockets[name] = endpoint
        return endpoint

    def named_branch(self, name: str) -> "Branch | MountedApp | None":
        """The branch of that name, in either spelling."""
        return in_either_spelling(self.branches, name)

    def _on_instance(self, name: str) -> Endpoint | ByVerb | None:
        """A method that was bound to the application at run time: `app.x = f.__get__(app)`.

        It is marked as the method of that name in the class is, as far as it has no marks of its own.
        """
        method = self.instance.get(name)
        if not isinstance(method, MethodType) or method.__self__ is not self.owner:
            return None
        known, target = self._replaced.get(name, (None, None))
        if target is None or known is not method:
            replaced = self.methods.get(name)
            other = None if replaced is None else declared_endpoint(replaced)
            target = self._with_verbs(self._endpoint_like(other, name, method))
            self._replaced[name] = method, target
        return target

    def _endpoint_like(self, other: Endpoint | None, name: str, method: MethodType) -> Endpoint:
        """A handler with the verbs and the limits of another one, and behind its guards; its own marks go first."""
        verbs: tuple[str, ...] = left_by_mark(method, VERBS_ATTRIBUTE) or ()
        if other is None:
            return self._endpoint(name, method, method, verbs)
        endpoint = self._endpoint(name, method, method, verbs or other.verbs)
        endpoint.guards, endpoint.error_handlers = other.guards, other.error_handlers
        if not left_by_mark(method, LIMITS_ATTRIBUTE):
            endpoint.limits = other.limits
        return endpoint


def branches(root: Branch) -> Iterator[Branch]:
    """The branch and all below it, in order of definition."""
    yield root
    for entry in root.entries:
        if isinstance(entry, Branch):
            yield from branches(entry)


def in_either_spelling(named: dict[str, Named], name: str) -> Named | None:
    """What has that name, else the one spelled with `_` for `-`."""
    found = named.get(name)
    if found is None and "-" in name and (spelled := _spelled(name)) is not None:
        return named.get(spelled)
    return found


def _spelled(name: str) -> str | None:
    """The name with `_` for `-`; None if that would be a way in to a private one."""
    spelled = name.replace("-", "_")
    # `-x` and `ws-x` are no way in to private names; `ws_-x` is none to `ws__x`.
    if is_private(spelled) != is_private(name) or spelled.startswith(("_", "ws__")):
        return None
    return spelled


def overridden_limits(limits: Limits, owner: Any) -> Limits:
    """The limits with those in their place that a controller has as attributes of the same names.

    ValueError for what is no limit.
    """
    attributes: dict[str, Any] = {}
    for cls in reversed(type(owner).__mro__):
        attributes.update(vars(cls))
    attributes.update(vars(owner) if hasattr(owner, "__dict__") else {})
    changes = {name: attributes[name] for name in limits._fields if name in attributes}
    changes = {name: value for name, value in changes.items() if not callable(value)}  # else they are routes
    check_limits(changes, f"{type(owner).__name__}.{{}}")
    return limits._replace(**changes)


def _without_first(count: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called without so many of its arguments."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args[count:], **kwargs)

    return call


def check_takes_identities(endpoint: Endpoint) -> None:
    """TypeError for a handler whose first parameters from the path are not the identities above it."""
    wanted = endpoint.identities
    found = tuple(one.name for one in endpoint.plan.parameters if takes_segment(one))
    if found[: len(wanted)] != wanted:
        names = ", ".join(wanted)
        first = "self, ws" if endpoint.name.startswith(WEBSOCKET) else "self"
        raise TypeError(
            f"{function_name(endpoint.handler) or endpoint.name} is nested in {names}, which it must take of the path "
            f"before all else, but takes {', '.join(found) or 'nothing'}: "
            f"write def {endpoint.name}({first}, {names}, ...)"
        )


def guards_of(owner: Any, identities: tuple[str, ...]) -> Guards:
    """The guard that a controller's class defines, if it does; its parameters are filled from these identities."""
    before, after = (_defined(owner, name) for name in GUARDS)
    if not before and not after:
        return ()
    plan = GuardPlan(before.handler, identities) if before else None
    return (Guard(before, after, None if plan is None or plan.is_empty else plan),)


def _problems_of(guards: Guards) -> Iterator[str]:
    for guard in guards:
        if guard.before is not None and guard.plan is not None:
            yield from (f"{function_name(guard.before.handler)}: {problem}" for problem in guard.plan.problems)


def _defined(owner: Any, name: str) -> UserFunction | None:
    """The method; TypeError for a guard that would guard nothing."""
    title = f"{type(owner).__name__}.{name}"
    if name in getattr(owner, "__dict__", ()):
        raise TypeError(f"{title} is set on the instance, where it guards nothing: make it a method of the class")
    for cls in type(owner).__mro__:
        if cls in _FRAMEWORK_CLASSES or name not in vars(cls):
            continue
        if not _is_method(vars(cls)[name]):
            raise TypeError(f"{title} is {vars(cls)[name]!r}, which guards nothing: make it a method")
        return UserFunction(bound(vars(cls)[name], owner))
    return None


def takes_one_argument(function: Callable[..., Any]) -> bool:
    """True if the function can be called with one positional argument."""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True


def members(owner: object, framework: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Name and value of each attribute that the user's classes define, private ones included, nearest class first."""
    reserved = {name for cls in framework for name in (*vars(cls), *inspect.get_annotations(cls))}
    for cls in type(owner).__mro__:
        if cls in framework:
            continue
        for name, attribute in vars(cls).items():
            if name not in reserved:
                yield name, attribute
            reserved.add(name)  # it hides what farther classes define


def bound(attribute: Any, owner: object) -> Callable[..., Any]:
    """The method that an instance makes of a class attribute; it tells its parameters, whatever it is made of."""
    if not isinstance(attribute, singledispatchmethod):
        method: Callable[..., Any] = attribute.__get__(owner, type(owner))
        return method

    @wraps(attribute.func)
    def dispatched(self: object, *args: Any, **kwargs: Any) -> Any:
        return attribute.__get__(self, type(self))(*args, **kwargs)

    dispatched.register = attribute.register  # type: ignore[attr-defined]
    return MethodType(dispatched, owner)


def left_by_mark(attribute: Any, name: str) -> Any:
    """The value that a mark such as `@methods` has left on an attribute, or on what that wraps; None if none."""
    for _ in range(MAX_LAYERS):
        if (found := getattr(attribute, name, None)) is not None:
            return found
        inside = (getattr(attribute, one, None) for one in ("func", "__func__", "__wrapped__"))
        attribute = next((one for one in inside if one is not None), None)
    return None


def _is_method(attribute: Any) -> bool:
    """True if an instance makes a bound callable of this class attribute, without running a property of the user's."""
    if isinstance(attribute, FunctionType | staticmethod | classmethod | partialmethod | singledispatchmethod):
        return True
    # What decorators make, such as functools.cache; no properties, nested classes or callable data. A `partial` is
    # data, though from Python 3.14 on it binds itself.
    is_data = isinstance(attribute, type | partial)
    return callable(attribute) and not is_data and hasattr(type(attribute), "__get__")
