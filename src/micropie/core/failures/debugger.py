"""Development mode, as far as the core knows of it: whether it is on, and who explains failures then.

The debug pages themselves are `micropie.debug`, which stands beside the core and is imported when they are wanted.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from micropie.core.basics.errors import HTTPError
from micropie.core.basics.optional import MissingDependency, lazy_import

if TYPE_CHECKING:
    from micropie.core.requests.request import Request

DEV = "MICROPIE_DEV"  # the variable of the environment by which `micropie run --dev` turns it on
_OFF = ("", "0", "false", "no", "off")


class Debugger(Protocol):
    """The part of an application in development mode that shows failures: `micropie.debug.Debugger`."""

    def start(self) -> None:
        """Watch the event loop that runs now."""

    def stop(self) -> None:
        """Watch no more."""

    def explain(self, request: "Request", error: BaseException, handler: Callable[..., Any] | None) -> Any:
        """A failure: what a handler could return; None where this client is told what every client is told."""

    def guide(self, request: "Request", error: HTTPError) -> Any:
        """A page for a request that leads nowhere; None where this client is told what every client is told."""


def is_development_mode() -> bool:
    """Tell whether the environment says so."""
    return os.environ.get(DEV, "").strip().lower() not in _OFF


def debugger_of(app: Any, *, wanted: bool | None) -> Debugger | None:
    """That of an application, if it wants one, or has not said and we are in development mode.

    `MissingDependency` in the one-file form, which has none.
    """
    if not (is_development_mode() if wanted is None else wanted):
        return None
    try:
        made: Debugger = lazy_import("micropie.debug").Debugger(app)
    except ModuleNotFoundError as error:
        raise MissingDependency("App(debug=True) needs the whole package: pip install micropie") from error
    return made
