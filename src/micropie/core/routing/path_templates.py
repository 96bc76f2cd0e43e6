"""A path with places for values: `/users/{user_id}/posts`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from micropie.core.basics.optional import lazy_import

if TYPE_CHECKING:
    from micropie.core.routing.tree import Branch


class Identity(NamedTuple):
    """A segment of a template that values take the place of: `{user_id}`, below `branch`."""

    name: str
    branch: "Branch"


Template = tuple[str | Identity, ...]  # of a path, segment by segment


def joined(segments: Iterable[str | Identity]) -> str:
    """A path of these segments, percent-encoded (RFC 3986 §3.3): a slash in one of them is no separator."""
    quote = lazy_import("urllib.parse").quote
    return "".join(
        f"/{{{segment.name}}}" if isinstance(segment, Identity) else "/" + quote(segment, safe="")
        for segment in segments
    )


def names_in(template: Template) -> tuple[str, ...]:
    """The names that lead to where a template does, without the identities between them."""
    return tuple(segment for segment in template if not isinstance(segment, Identity))


def identities_in(template: Template) -> tuple[str, ...]:
    """The names of the parameters that segments of a path fill before those of the handler's own."""
    return tuple(segment.name for segment in template if isinstance(segment, Identity))
