"""Jinja2 templates: one environment for an application, made when the first template is rendered."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from micropie.core.jinja_sync import NeedsAsyncError, sync_environment
from micropie.core.optional import require

_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")
_SUFFIXES = (".jinja2", ".jinja", ".j2")
_TRUSTED_FOR = 0.05  # seconds; nobody saves a file and reloads the page faster


def is_markup(name: str | None) -> bool:
    """Whether values must be escaped in this template; a template without a name counts as markup."""
    if name is None:
        return True
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.lower().endswith(_MARKUP)


class Templates:
    """Renders the templates of a folder, relative to the working directory, or of a `jinja2.Environment`."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._environment: Any = None
        self._async_environment: Any = None

    async def render(self, name: str, context: dict[str, Any]) -> str:
        """The rendered text. `MissingDependency` without Jinja2; Jinja2's own errors otherwise."""
        if self._environment is None:
            self._environment = self._make_environment()
        template = self._environment.get_template(name)
        if not self._environment.is_async:
            try:
                return str(template.render(context))
            except NeedsAsyncError:
                template = self._async_template(name)
        return str(await template.render_async(context))

    def _make_environment(self) -> Any:
        jinja2 = require("jinja2", "Templates")
        if isinstance(self._source, jinja2.Environment):
            return self._source
        return sync_environment(jinja2, loader=_folder(jinja2, self._source), autoescape=is_markup)

    def _async_template(self, name: str) -> Any:
        """The same template for async mode; most applications never ask for one."""
        if self._async_environment is None:
            jinja2 = require("jinja2", "Templates")
            self._async_environment = jinja2.Environment(
                loader=self._environment.loader, autoescape=is_markup, enable_async=True
            )
        return self._async_environment.get_template(name)


def _folder(jinja2: Any, path: Any) -> Any:
    """A loader that looks at a file's time of change at most every 50 ms."""

    class Folder(jinja2.FileSystemLoader):  # type: ignore[misc]  # the core knows Jinja2 at run time only
        def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
            text, filename, is_current = super().get_source(environment, template)
            return text, filename, _now_and_then(is_current)

    return Folder(Path(path))


def _now_and_then(is_current: Callable[[], bool]) -> Callable[[], bool]:
    """The same answer, which stays true for 50 ms."""
    # PERF: 0.2 µs for each template and each one that it includes; asking the file system costs 2.4 µs.
    confirmed = monotonic()

    def was_current() -> bool:
        nonlocal confirmed
        now = monotonic()
        if now - confirmed > _TRUSTED_FOR:
            if not is_current():
                return False
            confirmed = now
        return True

    return was_current
