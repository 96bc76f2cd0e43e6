"""An application's settings for its document: the keywords of the `Docs` in its class."""

from collections.abc import Callable
from typing import NamedTuple

from micropie import App, Controller, Route


class Settings(NamedTuple):
    """The title and so on; None leaves it to the class."""

    title: str | None = None
    version: str | None = None
    description: str | None = None
    select: Callable[[Route], bool] | None = None


class Documentation(Controller):
    """A controller with the settings of its application's document."""

    settings: Settings


def documentation(owner: type) -> dict[str, Documentation]:
    """The documentation that a class shows, by its attributes; those of its bases come first."""
    attributes = {name: value for cls in reversed(owner.__mro__) for name, value in vars(cls).items()}
    found = {name: value for name, value in attributes.items() if isinstance(value, Documentation)}
    return {name: value for name, value in found.items() if not name.startswith(("_", "ws_"))}


def settings_of(app: App) -> Settings:
    """The settings in the class of an application; without documentation there are none."""
    return next((one.settings for one in documentation(type(app)).values()), Settings())
