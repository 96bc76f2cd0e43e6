"""The application that development mode serves while the user's own can't be imported: the reason, at every path."""

from types import TracebackType
from typing import Any

from micropie import RSGI, App
from micropie.debug.paths import is_application_code


class Unimportable(App):
    """Answers with the failure of an import as with any that a handler raises.

    try:
        from shop import app
    except ImportError as error:
        app = Unimportable(error)
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(debug=True)
        self._traceback = in_the_application(error.__traceback__)
        if not isinstance(error, Exception):
            error = RuntimeError(f"The module ends the program when it is imported: {error!r}")
        self._error = error

    async def index(self, *_path: str) -> Any:
        """Raise the exception that kept the application from being imported."""
        raise self._error.with_traceback(self._traceback)  # which would grow with each request


def page_of_unimportable(error: BaseException, *, is_rsgi: bool) -> App | RSGI:
    """The application that stands for one whose import raised `error`, in the protocol that the server speaks.

    `is_rsgi` says that this is Granian's own.

        app = page_of_unimportable(error, is_rsgi=False)
    """
    page = Unimportable(error)
    return RSGI(page) if is_rsgi else page


def in_the_application(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the application's first frame on: those before are the import's."""
    while traceback is not None and not is_application_code(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback
