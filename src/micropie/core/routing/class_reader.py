"""An application's classes, read once into its tree: methods become handlers, controllers branches with their own.

Only what the user's own classes define counts, found by looking at the classes and never by `getattr` on an
instance: a request evaluates no property and touches no attribute.
"""

import inspect
from collections.abc import Iterator
from typing import Any

from micropie.core import late
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint
from micropie.core.handlers.user_function import bound_method, is_method
from micropie.core.requests.limits import Limits
from micropie.core.routing.branch_rules import application_rules, controller_rules
from micropie.core.routing.controller import (
    FRAMEWORK_CLASSES,
    GUARDS,
    VERB_METHODS,
    Controller,
    Mount,
    Nested,
    Resource,
    declared_limits,
    declared_verbs,
    is_private,
)
from micropie.core.routing.path_templates import Identity, identities_in
from micropie.core.routing.targets import MountedApp, by_declared_verbs
from micropie.core.routing.tree import Branch, Root


def read_tree(app: Any, app_class: type, limits: Limits) -> Root:
    """The tree of an application, whose framework's base class is `app_class`.

    TypeError or ValueError for classes that no tree can be made of.
    """
    framework = app_class.__mro__
    root = Root(app, application_rules(app, framework, limits))
    ClassReader(root, app_class, framework).read()
    return root


class ClassReader:
    """Fills one branch with what the class of its owner defines, and those below it with what theirs do.

    `app_class` is the base class of applications, `framework` are the classes that are not the user's.
    """

    def __init__(self, branch: Branch, app_class: type, framework: tuple[type, ...]) -> None:
        self._branch = branch
        self._app_class = app_class
        self._mountable = (Mount, app_class)
        self._framework = framework

    def read(self) -> None:
        """Fill the branch, and make it ready to be asked for paths."""
        for name, attribute in members(self._branch.owner, self._framework):
            self._add(name, attribute)
        self._note_marked_guards()
        if self._branch.verbs:
            self._branch.resource, self._branch.collection = late.resource_choices(self._branch)
        self._branch.make_ready()

    def _add(self, name: str, attribute: Any) -> None:
        if isinstance(attribute, Nested):
            self._add_nested(name, attribute)
        elif isinstance(attribute, self._mountable):
            self._add_mount(name, attribute)
        elif isinstance(attribute, Controller):
            self._add_controller(name, attribute)
        elif is_method(attribute):
            self._add_method(name, attribute)
        elif isinstance(attribute, type) and issubclass(attribute, Controller) and attribute.__name__ != name:
            self._tell(f"{name} is a class, which answers nothing: write {name} = {attribute.__name__}()")

    def _tell(self, oversight: str) -> None:
        """Note what is wrong with an attribute of the owner's class, by a sentence that begins with its name."""
        self._branch.oversights.append(f"{self._branch.title}.{oversight}")

    # -- what is below --------------------------------------------------------------------------------

    def _add_nested(self, name: str, nested: Nested[Any]) -> None:
        if is_private(name):
            return
        branch, below = self._branch, nested.below
        if nested.identity in branch.identities:
            raise ValueError(
                f"{branch.title}.{name} is nested in {nested.identity!r}, and so is {branch.title}: "
                "no handler has two parameters of one name, give one of them another"
            )
        between = (Identity(nested.identity, branch),)
        if isinstance(below, Controller):
            branch.nested[name] = self._new_branch(name, below, between)
        elif isinstance(below, self._mountable):
            branch.nested[name] = self._new_mount(name, below, (name,), between)
        else:
            raise TypeError(
                f"{branch.title}.{name}: Nested({nested.identity!r}, ...) takes a controller, a Mount or an App, "
                f"{below!r} is none"
            )

    def _add_mount(self, name: str, what: Any) -> None:
        if isinstance(what, Mount) and what.segments is not None:
            self._branch.mounts.append(self._new_mount(name, what, what.segments))
        elif not is_private(name):
            self._branch.branches[name] = self._new_mount(name, what, (name,))

    def _new_mount(
        self, name: str, what: Any, segments: tuple[str, ...], between: tuple[Identity, ...] = ()
    ) -> MountedApp:
        """A mount at a path below the branch, as one of its entries."""
        branch = self._branch
        mount = MountedApp(
            name,
            what,
            segments,
            owner=branch.owner,
            above=branch.path + between,
            guards=branch.rules.guards,
            error_handlers=branch.rules.error_handlers,
        )
        mount.is_micropie = isinstance(mount.app, self._app_class)
        branch.entries.append(mount)
        return mount

    def _add_controller(self, name: str, controller: Controller) -> None:
        if is_private(name):
            return
        branch = self._branch
        below = branch.branches[name] = self._new_branch(name, controller)
        for beside, handler in controller._beside(branch.owner).items():
            endpoint = branch.endpoint(beside, handler, declared_verbs(handler), rules=below.rules)
            branch.entries.append(endpoint)
            branch.methods[beside] = by_declared_verbs(endpoint)

    def _new_branch(self, name: str, controller: Controller, between: tuple[Identity, ...] = ()) -> Branch:
        """A controller's branch below the branch, as one of its entries, with all that is below it."""
        above = self._branch
        if any(controller is owner for owner in above.owners):
            raise ValueError(
                f"{above.title}.{name} is the controller that it is an attribute of, or one above: "
                "the tree would have no end. Give it another instance, of a class without that attribute"
            )
        rules = controller_rules(controller, above.rules, above.identities + identities_in(between))
        branch = Branch(controller, rules, above, name, between)
        ClassReader(branch, self._app_class, FRAMEWORK_CLASSES).read()
        above.entries.append(branch)
        return branch

    # -- handlers -------------------------------------------------------------------------------------

    def _add_method(self, name: str, attribute: Any) -> None:
        branch = self._branch
        is_verb_method = name in VERB_METHODS and isinstance(branch.owner, Resource)
        verbs = declared_verbs(attribute) or ((name.upper(),) if is_verb_method else ())
        endpoint = branch.endpoint(name, bound_method(attribute, branch.owner), verbs, marked=attribute)
        branch.entries.append(endpoint)
        if branch.identities and not is_private(name.removeprefix(WEBSOCKET)):
            late.give_identities(endpoint, are_taken=branch.owner._takes_identities)
        if name.startswith(WEBSOCKET):
            self._note_marks(name, attribute, "a WebSocket")
        if is_verb_method:
            self._add_verbs(endpoint)
        else:
            branch.methods[name] = by_declared_verbs(endpoint)

    def _add_verbs(self, endpoint: Endpoint) -> None:
        """Let a resource's method answer its verbs, as far as no other one does."""
        for verb in endpoint.verbs:
            first = self._branch.verbs.setdefault(verb, endpoint)
            if first is not endpoint:
                self._tell(
                    f"{endpoint.name} never answers {verb}, since {self._branch.title}.{first.name} does: "
                    "let one of them declare it"
                )

    def _note_marked_guards(self) -> None:
        for guard in GUARDS:
            if (attribute := inspect.getattr_static(self._branch.owner, guard, None)) is not None:
                self._note_marks(guard, attribute, "a guard")

    def _note_marks(self, name: str, attribute: Any, what: str) -> None:
        """Tell of marks on an attribute that is no HTTP handler, but `what`."""
        for mark, declared in (("@methods", declared_verbs(attribute)), ("@limits", declared_limits(attribute))):
            if declared:
                self._tell(f"{name} is marked {mark}, which {what} has no use for: leave it out")


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
