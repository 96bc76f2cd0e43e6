"""Jinja2 templates: one environment for an application, made when the first template is rendered."""

from pathlib import Path
from typing import Any

from micropie.core.optional import require

_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")
_SUFFIXES = (".jinja2", ".jinja", ".j2")


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

    async def render(self, name: str, context: dict[str, Any]) -> str:
        """The rendered text. `MissingDependency` without Jinja2; Jinja2's own errors otherwise."""
        if self._environment is None:
            self._environment = self._make_environment()
        template = self._environment.get_template(name)
        if not self._environment.is_async:
            return str(template.render(context))
        return str(await template.render_async(context))

    def _make_environment(self) -> Any:
        jinja2 = require("jinja2", "Templates")
        if isinstance(self._source, jinja2.Environment):
            return self._source
        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(self._source)), autoescape=is_markup, enable_async=True
        )
