"""The free attributes of a request."""

from typing import TYPE_CHECKING, Any


class State:
    """Free attributes, kept in a dict that others may have too. AttributeError for one that nobody has set.

    self.request.state.user = user
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__ = values

    if TYPE_CHECKING:  # any name may have been set

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

        def __delattr__(self, name: str) -> None: ...
