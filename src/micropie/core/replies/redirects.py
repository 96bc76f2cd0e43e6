"""Redirects: to any URL, made ASCII, or only to where it is safe."""

from collections.abc import Iterable
from typing import Any

from micropie.core.basics.errors import shortened
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.basics.types import HeaderPairs
from micropie.core.replies.reply import header_pairs

_AUTHORITY = r"(?s)((?:[^:/?#]+:)?//)([^/?#]*)(.*)"  # RFC 3986, appendix B
_RUNS = r"(?i)(?:javascript|vbscript|data):"  # a client that followed would run what is in it
_SAFE = "/:?#[]@!$&'()*+,;=~%"  # RFC 3986 §2.2 and §2.3, and "%": what is encoded stays as it is
_PERMANENT = {301: 301, 302: 301, 307: 308, 308: 308}  # what of each may be remembered (RFC 9110 §15.4)


def redirect(
    location: str, headers: Iterable[Any] | None = None, *, status: int = 302, permanent: bool = False
) -> tuple[int, str, HeaderPairs]:
    """A handler's result that sends the client to `location`, which may be an IRI (RFC 3987 §3.1).

    What is not ASCII is encoded, `%XX` is kept, and control characters can't split the header. ValueError for a target
    that is a script or a document itself. Where the target comes from outside, use `safe_redirect`: any site is a legal
    target. `permanent` makes 301 of 302, and 308 of 307.
    """
    if permanent and status not in _PERMANENT:
        raise ValueError(
            f"A redirect with the status {status!r} is never permanent: take 302, or 307 to keep the method"
        )
    url = ascii_url(location)
    if lazy_pattern(_RUNS).match(url):
        raise ValueError(f"A redirect leads to a path or a site, {shortened(url)!r} does not: use safe_redirect()")
    return _PERMANENT[status] if permanent else status, "", [("Location", url), *header_pairs(headers)]


def safe_redirect(
    location: Any,
    *,
    allowed_hosts: Iterable[str] = (),
    fallback: str = "/",
    status: int = 302,
    permanent: bool = False,
) -> tuple[int, str, HeaderPairs]:
    """A redirect to `location`, which the client has named, as by `?next=`; to `fallback` if that leads elsewhere.

    Safe are paths of this site, and http and https URLs whose host (with its port, if it has one) is in
    `allowed_hosts`, in capitals or not. What is no text leads nowhere. `permanent` makes 301 of the `status` 302, and
    308 of 307.

        async def login(self, next="/"):
            return safe_redirect(next)
    """
    hosts = (allowed_hosts,) if isinstance(allowed_hosts, str) else allowed_hosts
    is_safe = isinstance(location, str) and _is_safe(location, frozenset(host.lower() for host in hosts))
    return redirect(location if is_safe else fallback, status=status, permanent=permanent)


def _is_safe(location: str, allowed_hosts: frozenset[str]) -> bool:
    # Browsers read a backslash as a slash, and leave out tabs and line breaks (the WHATWG URL standard).
    if "\\" in location or not location.isprintable():
        return False
    if location.startswith("/") and not location.startswith("//"):
        return True
    parts = lazy_pattern(_AUTHORITY).fullmatch(location)
    return parts is not None and parts[1].lower() in ("http://", "https://") and parts[2].lower() in allowed_hosts


def ascii_url(url: str) -> str:
    """A reference in ASCII: the host by IDNA 2008, the rest percent-encoded as UTF-8."""
    parts = lazy_pattern(_AUTHORITY).fullmatch(url)
    if parts is None or url.isascii():
        return _quoted(url)
    scheme, authority, rest = parts.groups()
    return _quoted(scheme) + _ascii_authority(authority) + _quoted(rest)


def _ascii_authority(authority: str) -> str:
    user, at, host_and_port = authority.rpartition("@")
    host, colon, port = host_and_port.partition(":")
    return _quoted(user) + at + ascii_host(host) + colon + _quoted(port)


def ascii_host(host: str) -> str:
    """The `host` in ASCII (RFC 5891 §4.4), or percent-encoded (RFC 3986 §3.2.2) if it has what only clients can map.

    Python's codec `idna` is IDNA 2003, for which straße.example is strasse.example, another domain.

        ascii_host("bücher.example")        # xn--bcher-kva.example
    """
    labels = [_mapped(label) for label in host.split(".")]
    if not all(label.isascii() or all(map(_is_letter_or_digit, label)) for label in labels):
        return _quoted(host)
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


def _mapped(label: str) -> str:
    """A label of a host in small letters, composed (RFC 5895 §2)."""
    lower = "".join(map(str.lower, label))  # one by one: a final sigma is another letter
    return str(lazy_import("unicodedata").normalize("NFC", lower))


def _is_letter_or_digit(char: str) -> bool:
    """True if a domain may have it as it is (RFC 5892 §2.1 and §2.2; §2.6 has the two letters that stay)."""
    unicodedata = lazy_import("unicodedata")
    if unicodedata.category(char) not in ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd"):
        return char == "-"
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    return char in "ßς" or folded == char


def _quoted(text: str) -> str:
    return str(lazy_import("urllib.parse").quote(text, safe=_SAFE, errors="replace"))
