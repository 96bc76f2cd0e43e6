"""The tree of an application's routes: what each branch has, and where the segments of a path lead from there.

`class_reader` makes it from the classes. From then on it stays as it is, but for methods that are bound to the
application at run time.
"""

from collections.abc import Iterator
from types import MethodType
from typing import Any, TypeVar

from micropie.core import late
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint
from micropie.core.routing.branch_rules import BranchRules
from micropie.core.routing.controller import INDEX, declared_limits, declared_verbs, is_private
from micropie.core.routing.path_templates import Identity, Template, identities_in, names_in
from micropie.core.routing.targets import (
    NO_WEBSOCKET,
    ByVerb,
    Match,
    MatchedRoute,
    MountedApp,
    NoHandler,
    by_declared_verbs,
    declared_endpoint,
)

Named = TypeVar("Named")


class Branch:
    """One owner's place in the tree, a controller's or (as `Root`) the application's, with all that it answers there.

    `path` are the names that lead to it, with the identities `between` them, `rules` what holds for all below it,
    `entries` all that it has, in order of definition.
    """

    def __init__(
        self,
        owner: Any,
        rules: BranchRules,
        above: "Branch | None" = None,
        name: str = "",
        between: tuple[Identity, ...] = (),
    ) -> None:
        self.owner = owner
        self.rules = rules
        self.name = name
        self.path: Template = () if above is None else (*above.path, *between, name)
        self.identities = identities_in(self.path)
        self.owners: tuple[Any, ...] = (*(() if above is None else above.owners), owner)
        self.instance: dict[str, Any] = {}  # of the application: its own attributes, live
        self.entries: list[Endpoint | MountedApp | Branch] = []
        self.methods: dict[str, Endpoint | ByVerb] = {}
        self.branches: dict[str, Branch | MountedApp] = {}
        self.nested: dict[str, Branch | MountedApp] = {}  # behind an identity
        self.mounts: list[MountedApp] = []  # with a path of their own, longest first
        self.verbs: dict[str, Endpoint] = {}  # of a resource: its methods that answer them
        self.resource: ByVerb | None = None  # what answers below a resource's path
        self.collection: ByVerb | None = None  # what answers on it
        self.nothing = NoHandler(NO_WEBSOCKET, rules.error_handlers, rules.guards)
        self.oversights = [*rules.oversights]  # found while reading the class
        self._has_more_names = True
        self._nested_branches: dict[str, Branch] = {}
        self._public: dict[str, Endpoint | ByVerb | Branch | MountedApp] = {}

    def make_ready(self) -> None:
        """Make the tables that paths are looked up in, once all that the class has is here."""
        self.mounts.sort(key=lambda mount: -len(mount.segments))
        mounted = {mount.segments[0] for mount in self.mounts}
        self._public = {
            name: found
            for name, found in {**self.branches, **self.methods}.items()
            if not (is_private(name) or name in mounted)
        }
        # Those that a mount may hide, and those that are bound to the application at run time.
        self._has_more_names = not self.path or bool(self.mounts)
        if not self._has_more_names:
            self._nested_branches = {name: one for name, one in self.nested.items() if isinstance(one, Branch)}

    @property
    def title(self) -> str:
        """The name of the owner's class, for messages."""
        return type(self.owner).__name__

    def endpoint(
        self,
        name: str,
        handler: Any,
        verbs: tuple[str, ...] = (),
        *,
        marked: Any = None,
        rules: BranchRules | None = None,
        takes_socket: bool = False,
    ) -> Endpoint:
        """A new handler at a name of this branch, under its rules or under others.

        Limits of its own are those that `marked` has been given, or else the handler.
        """

        def make_path() -> str:
            return late.path_template(self, endpoint)

        rules = self.rules if rules is None else rules
        changes = declared_limits(handler if marked is None else marked)
        endpoint = Endpoint(
            name,
            handler,
            MatchedRoute(".".join((*names_in(self.path), name)), make_path),
            rules.limits._replace(**changes) if changes else rules.limits,
            guards=rules.guards,
            error_handlers=rules.error_handlers,
            verbs=verbs,
            identities=self.identities,
            is_nested=bool(self.path),
            takes_socket=takes_socket or name.startswith(WEBSOCKET),
        )
        return endpoint

    # -- by name --------------------------------------------------------------------------------------

    def named(self, name: str) -> Endpoint | ByVerb | None:
        """The method of that name, else the one spelled with `_` for `-`."""
        found = self.exactly(name)
        if found is None and "-" in name and (spelled := _spelled(name)) is not None:
            return self.exactly(spelled)
        return found

    def exactly(self, name: str) -> Endpoint | ByVerb | None:
        """The method of that name, be it a private one."""
        return self.methods.get(name)

    def named_branch(self, name: str) -> "Branch | MountedApp | None":
        """The branch of that name, in either spelling."""
        return in_either_spelling(self.branches, name)

    # -- by path --------------------------------------------------------------------------------------

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
        if nested is None:
            return self._at_own_path(segments)
        identity, _, *below = segments
        target, rest = nested.find(below) if isinstance(nested, Branch) else (nested, below)
        return target, [identity, *rest]

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

    def _mounted_at(self, segments: list[str]) -> MountedApp | None:
        """The application mounted at a path of its own that these segments begin with."""
        for mount in self.mounts:
            if tuple(segments[: len(mount.segments)]) == mount.segments:
                return mount
        return None

    def _nested_at(self, segments: list[str]) -> "Branch | MountedApp | NoHandler | None":
        """What the second segment names behind an identity, which the first one is; nothing where that is empty."""
        nested = in_either_spelling(self.nested, segments[1]) if len(segments) > 1 else None
        if nested is None or (not self.path and is_private(segments[0])):
            return None
        if segments[0]:
            return nested
        return None if self.resource is None else self.nothing  # a catch-all takes empty segments too

    def _at_own_path(self, segments: list[str]) -> Match:
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
        return index if index.takes_segments else self.nothing, segments

    def find_websocket(self, segments: list[str]) -> Match:
        """The target of a WebSocket's segments below this branch, and those of them that are left for it."""
        if (mount := self._mounted_at(segments)) is not None:
            return mount, segments[len(mount.segments) :]
        first = segments[0] if segments else ""
        if not is_private(first):
            method = self.named(WEBSOCKET + (first or INDEX))
            if method is not None:
                return method, segments[1:]
            if (branch := self.named_branch(first)) is not None:
                return branch.find_websocket(segments[1:]) if isinstance(branch, Branch) else (branch, segments[1:])
        nested = self._nested_at(segments)
        if nested is None:
            return self.nothing, segments
        identity, _, *below = segments
        target, rest = nested.find_websocket(below) if isinstance(nested, Branch) else (nested, below)
        return target, [identity, *rest]

    def is_identity(self, segment: str, following: str, *, in_websocket: bool) -> bool:
        """True if this branch takes a segment that stands before the name of what is nested for its identity."""
        if not segment or self._mounted_at([segment, following]) or (not self.path and is_private(segment)):
            return False
        if is_private(segment):
            return True
        method = self.named(WEBSOCKET + segment if in_websocket else segment)
        return method is None and self.named_branch(segment) is None


class Root(Branch):
    """The application's own branch: a middleware may choose its methods, and more are bound to it at run time."""

    def __init__(self, app: Any, rules: BranchRules) -> None:
        super().__init__(app, rules)
        self.instance = vars(app)
        self._bound: dict[str, tuple[MethodType, Endpoint | ByVerb]] = {}  # at run time, and what was made of it
        self._for_websockets: dict[str, Endpoint] = {}  # methods that a middleware has chosen, by their names

    def exactly(self, name: str) -> Endpoint | ByVerb | None:
        """The method of that name, be it a private one, or one that was bound to the application at run time."""
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
            endpoint = self.endpoint(name, found.handler, takes_socket=True)
            self._for_websockets[name] = endpoint
        return endpoint

    def _on_instance(self, name: str) -> Endpoint | ByVerb | None:
        """A method that was bound to the application at run time: `app.x = f.__get__(app)`.

        It is marked as the method of that name in the class is, as far as it has no marks of its own.
        """
        method = self.instance.get(name)
        if not isinstance(method, MethodType) or method.__self__ is not self.owner:
            return None
        known, target = self._bound.get(name, (None, None))
        if target is None or known is not method:
            replaced = self.methods.get(name)
            other = None if replaced is None else declared_endpoint(replaced)
            target = by_declared_verbs(self._endpoint_like(other, name, method))
            self._bound[name] = method, target
        return target

    def _endpoint_like(self, other: Endpoint | None, name: str, method: MethodType) -> Endpoint:
        """A handler with the verbs and the limits of another one, and behind its guards; its own marks go first."""
        verbs = declared_verbs(method)
        if other is None:
            return self.endpoint(name, method, verbs)
        endpoint = self.endpoint(name, method, verbs or other.verbs)
        endpoint.guards, endpoint.error_handlers = other.guards, other.error_handlers
        if not declared_limits(method):
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
