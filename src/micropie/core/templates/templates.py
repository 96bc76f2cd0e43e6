"""Jinja2 templates: one environment for an application, made when the first template is rendered."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from micropie.core.basics.optional import require
from micropie.core.templates.sync_first import NeedsAsyncError, sync_environment

_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")
_SUFFIXES = (".jinja2", ".jinja", ".j2")
_TRUSTED_FOR = 0.05  # seconds; nobody saves a file and reloads the page faster
_TRUSTED_TEMPLATES = 400  # as many as Jinja2 keeps; `a.html` and `./a.html` are two
_UNKNOWN = (None, 0.0)


def is_markup(name: str | None) -> bool:
    """Whether values must be escaped in this template; a template without a name counts as markup."""
    if name is None:
        return True
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.lower().endswith(_MARKUP)


class Templates:
    """Renders the templates of a folder, relative to the working directory, or of a `jinja2.Environment`."""

    def __init__(self, source: Any, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._source = source
        self._functions = functions  # what every template may call; the same call has the same result
        self._environment: Any = None
        self._async_environment: Any = None

    @property
    def environment(self) -> Any:
        """The `jinja2.Environment`. `MissingDependency` without Jinja2."""
        if self._environment is None:
            self._environment = self._make_environment()
        return self._environment

    async def render(self, name: str, context: dict[str, Any]) -> str:
        """The rendered text. `MissingDependency` without Jinja2; Jinja2's own errors otherwise."""
        text = None if self.environment.is_async else self._attempt(name, context)
        return await self._render_async(name, context) if text is None else text

    def _attempt(self, name: str, context: dict[str, Any]) -> str | None:
        """The text, or `None` for a template that needs async mode."""
        template = self._environment.get_template(name)
        if getattr(template, "needs_async", False):  # templates of an environment of one's own don't know of it
            return None
        try:
            text: str = template.render(context)
        except NeedsAsyncError:
            template.needs_async = True
            return None
        return text

    async def _render_async(self, name: str, context: dict[str, Any]) -> str:
        """The same in Jinja2's async mode; most applications never come here."""
        if self._async_environment is None:
            self._async_environment = self._make_async_environment()
        text: str = await self._async_environment.get_template(name).render_async(context)
        return text

    def _make_environment(self) -> Any:
        jinja2 = require("jinja2", "Templates")
        if isinstance(self._source, jinja2.Environment):
            return self._source
        loader = jinja2.FileSystemLoader(self._source)
        options = {"loader": loader, "autoescape": is_markup}
        environment = sync_environment(
            jinja2, _environment_class(jinja2), repeatable=frozenset(self._functions.values()), **options
        )
        environment.globals.update(self._functions)
        return environment

    def _make_async_environment(self) -> Any:
        if self._environment.is_async:
            return self._environment
        environment_class = _environment_class(require("jinja2", "Templates"))
        environment = environment_class(loader=self._environment.loader, autoescape=is_markup, enable_async=True)
        environment.globals.update(self._functions)
        return environment


def _environment_class(jinja2: Any) -> Any:
    """A `jinja2.Environment` that looks whether a file has changed at most every 50 ms."""

    class Environment(jinja2.Environment):  # type: ignore[misc]  # the core knows Jinja2 at run time only
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._trusted: dict[Any, tuple[Any, float]] = {}

        def get_template(self, name: Any, *args: Any) -> Any:
            # PERF: 0.3 µs for each template and each one that it includes; Jinja2 asks the file system, 3.8 µs.
            now = monotonic()
            template, until = self._trusted.get(name, _UNKNOWN)
            if now < until:
                return template
            template = super().get_template(name, *args)
            if len(self._trusted) > _TRUSTED_TEMPLATES:
                self._trusted.clear()
            self._trusted[name] = template, now + _TRUSTED_FOR
            return template

    return Environment
