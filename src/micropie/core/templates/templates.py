"""Jinja2 templates: one environment for an application, in async mode, made when it is first asked for.

Async mode awaits what calls, filters, tests, attributes and items give, and reads async iterables. Not to enter it
until something has to be awaited can't be right: whatever a template looks at may be awaitable, be used up by the
look, or change by it. So the pages of a folder are rendered in it by code that costs less: see `lean_code`.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from inspect import isawaitable
from time import monotonic
from typing import Any

from micropie.core import late
from micropie.core.basics.optional import require

_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")
_LEAN_VERSIONS = "3.1."  # of Jinja2: the code that others make may be of another kind
_LEAN, _ASYNC = "lean code 1", "async mode"  # in caches of bytecode; another number when `lean_code` writes other code
_SUFFIXES = (".jinja2", ".jinja", ".j2")
_TRUSTED_FOR = 0.05  # seconds; nobody saves a file and reloads the page faster


@lru_cache(1024)  # PERF: each rendering asks, 0.6 µs
def is_markup(name: str | None) -> bool:
    """True if values must be escaped in this template; a template without a name counts as markup."""
    if name is None:
        return True
    name = name.lower()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(_MARKUP)


class Templates:
    """Renders the templates of a folder, relative to the working directory, or of a `jinja2.Environment`."""

    def __init__(self, source: Any, functions: Callable[[], Mapping[str, Any]]) -> None:
        self._source = source
        self._functions = functions  # gives what every template of a folder may call
        self._environment: Any = None
        self._environment_of_pages: Any = None

    @property
    def environment(self) -> Any:
        """The `jinja2.Environment`, always in async mode. `MissingDependency` without Jinja2."""
        if self._environment is None:
            jinja2 = require("jinja2", "Templates")
            is_environment = isinstance(self._source, jinja2.Environment)
            self._environment = in_async_mode(self._source) if is_environment else self._environment_of_folder(jinja2)
        return self._environment

    async def render(self, name: str, context: Mapping[str, Any]) -> str:
        """The rendered text. `MissingDependency` without Jinja2; Jinja2's own errors otherwise."""
        if (pages := self._environment_of_pages) is None:
            pages = self._environment_of_pages = self._leaner()
        text: str = await pages.get_template(name).render_async(context)
        return text

    def _leaner(self) -> Any:
        """The environment, or for a folder an overlay of it, which is as good as it until a setting is replaced."""
        jinja2 = require("jinja2", "Templates")
        is_known = getattr(jinja2, "__version__", "").startswith(_LEAN_VERSIONS)
        if isinstance(self._source, jinja2.Environment) or not is_known:
            return self.environment
        overlay = _async_overlay(self.environment, _LEAN)
        overlay._compile = late.compile_lean  # noqa: SLF001 - made to be overridden, as its docstring says
        return overlay

    def _environment_of_folder(self, jinja2: Any) -> Any:
        loader = _folder_loader(jinja2, self._source)
        kind = _folder_environment(jinja2, self._forget_pages)
        environment = kind(loader=loader, autoescape=is_markup, enable_async=True)
        environment.template_class = _folder_template(jinja2)
        environment.globals.update(self._functions())
        return environment

    def _forget_pages(self, environment: Any) -> None:
        """Have the next page rendered in a new overlay, if it is this environment that has changed."""
        if environment is self._environment:
            self._environment_of_pages = None


def in_async_mode(environment: Any) -> Any:
    """The environment; for a synchronous one an overlay of it, with the same globals, filters, tests and policies."""
    if environment.is_async:
        return environment
    return _async_overlay(environment, _ASYNC)


def _async_overlay(environment: Any, way: str) -> Any:
    cache = environment.bytecode_cache
    overlay = environment.overlay(bytecode_cache=None if cache is None else OwnBytecode(cache, way))
    overlay.is_async = True  # `enable_async` of `overlay` has no effect before Jinja2 3.1.5
    return overlay


class OwnBytecode:
    """A cache of bytecode that has names of its own for templates which are compiled in another way.

    Jinja2's know templates by name alone, and would give those that were compiled as ever.
    """

    def __init__(self, cache: Any, way: str) -> None:
        self._cache = cache
        self._way = way

    def get_bucket(self, environment: Any, name: str, filename: str | None, source: str) -> Any:
        """The bucket of a template that was compiled in this way."""
        return self._cache.get_bucket(environment, f"{name} ({self._way})", filename, source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


async def shared_context(owners: Iterable[Any]) -> dict[str, Any]:
    """The values that the `_template_context` of each of these gives, those of later ones on top."""
    context: dict[str, Any] = {}
    for owner in owners:
        given = owner._template_context()
        if not isinstance(given, dict) and isawaitable(given):  # PERF: the first question saves 0.4 µs
            given = await given
        if not isinstance(given, dict):
            raise TypeError(
                f"{type(owner).__name__}._template_context() returned {given!r}: "
                "return a dict, of what each template may use, by name"
            )
        context.update(given)
    return context


def _folder_loader(jinja2: Any, folder: Any) -> Any:
    """A `jinja2.FileSystemLoader` that looks whether a file has changed at most every 50 ms."""

    class FolderLoader(jinja2.FileSystemLoader):  # type: ignore[misc]  # the core knows Jinja2 at run time only
        def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
            text, path, is_current = super().get_source(environment, template)
            return text, path, _trusting(is_current)

    return FolderLoader(folder)


def _folder_environment(jinja2: Any, replaced: Callable[[Any], None]) -> Any:
    """A `jinja2.Environment` that says when a setting of it was replaced, or an extension added."""

    class FolderEnvironment(jinja2.Environment):  # type: ignore[misc]  # as above
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            replaced(self)

        def add_extension(self, extension: Any) -> None:
            super().add_extension(extension)
            replaced(self)

    return FolderEnvironment


def _folder_template(jinja2: Any) -> Any:
    """A `jinja2.Template` that gets its globals at once."""

    class FolderTemplate(jinja2.Template):  # type: ignore[misc]  # as above
        # PERF: Jinja2 asks the `ChainMap` of its globals for one after the other, 3 µs.
        def new_context(self, vars: Any = None, shared: bool = False, locals: Any = None) -> Any:  # noqa: A002, FBT001, FBT002 - named by Jinja2
            if shared:
                return super().new_context(vars, shared, locals)
            return super().new_context({**_flat(self.globals), **(vars or {})}, True, locals)  # noqa: FBT003

    return FolderTemplate


def _flat(mapping: Any) -> dict[str, Any]:
    """The items of a `ChainMap`, as a dict."""
    merged: dict[str, Any] = {}
    for one in reversed(mapping.maps):
        merged.update(one)
    return merged


def _trusting(is_current: Callable[[], bool]) -> Callable[[], bool]:
    """The question whether a file is as it was; a yes counts for 50 ms, a no is asked again."""
    # PERF: 3.6 µs less for each template and each one that it includes.
    until = monotonic() + _TRUSTED_FOR

    def is_current_enough() -> bool:
        nonlocal until
        now = monotonic()
        if now >= until:
            if not is_current():
                return False
            until = now + _TRUSTED_FOR
        return True

    return is_current_enough
