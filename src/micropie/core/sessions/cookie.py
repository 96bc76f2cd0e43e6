"""The session's cookie: the ids that a request brings, what Set-Cookie says, and what caches are told along with it."""

from collections.abc import Callable
from typing import Any, Literal

from micropie.core import late
from micropie.core.basics.headers import WHITESPACE, cookie_values, is_token, parse_cookies, set_cookie
from micropie.core.basics.settings import is_whole
from micropie.core.basics.types import Scope
from micropie.core.replies.reply import PRIVATE, Reply, add_header

SAMESITE = ("Lax", "Strict", "None")
SameSite = Literal["Lax", "Strict", "None"]
MAX_COOKIE = 4096  # bytes with its name and attributes that every browser keeps (RFC 6265 §6.1)
MAX_NAMED = 8  # cookies of our name that are looked up; more are an attack


class SessionCookie:
    """How the session's cookie is called, read and set (RFC 6265 §4); `secure` may be `"auto"`.

    `parse` is an application's own way to read a Cookie header. ValueError for what no browser would keep.
    """

    __slots__ = ("domain", "max_age", "name", "parse", "path", "samesite", "secure")

    def __init__(
        self,
        name: str,
        path: str,
        domain: str | None,
        samesite: str,
        max_age: int | None,
        *,
        secure: bool | str,
        parse: Callable[[str], dict[str, str]] | None,
    ) -> None:
        self.name = name
        self.path = path
        self.domain = domain
        self.samesite = samesite
        self.max_age = max_age
        self.secure = secure
        self.parse = parse
        self._check_attributes()
        self._check_browsers_keep_it()

    def _check_attributes(self) -> None:
        name: Any = self.name
        texts: list[tuple[str, Any]] = [("path", self.path), ("domain", self.domain or "")]
        if not isinstance(name, str) or not is_token(name):
            raise ValueError(f"session_cookie={self.name!r}: a cookie's name is a token, such as 'session_id'")
        for keyword, value in texts:
            if not isinstance(value, str) or not value.isprintable() or not value.isascii() or ";" in value:
                raise ValueError(f"session_cookie_{keyword}={value!r}: printable ASCII without ';' is accepted")
        if not self.path.startswith("/"):
            raise ValueError(f"session_cookie_path={self.path!r}: a path begins with '/'")
        if self.samesite not in SAMESITE:
            raise ValueError(f"session_cookie_samesite={self.samesite!r}: one of {', '.join(SAMESITE)} is accepted")
        if self.max_age is not None and not is_whole(self.max_age, 1):
            raise ValueError(f"session_cookie_max_age={self.max_age!r}: seconds, at least 1, or None, are accepted")
        if self.secure not in (True, False, "auto"):
            raise ValueError(f"session_cookie_secure={self.secure!r}: True, False or 'auto' is accepted")

    def _check_browsers_keep_it(self) -> None:
        if self._is_kept_if_secure and self.secure is False:
            said = "session_cookie_samesite='None'" if self.samesite == "None" else f"session_cookie={self.name!r}"
            raise ValueError(f"{said}: browsers keep such a cookie only if it is Secure")
        if self._has_prefix("__host-") and (self.path != "/" or self.domain):
            wanted = "the path '/' and no domain"
            raise ValueError(f"session_cookie={self.name!r}: browsers keep such a cookie only with {wanted}")

    @property
    def _is_kept_if_secure(self) -> bool:
        """True if browsers keep the cookie only if it is Secure (RFC 6265bis §4.1.3 and §5.7)."""
        return self.samesite == "None" or self._has_prefix("__secure-") or self._has_prefix("__host-")

    def _has_prefix(self, prefix: str) -> bool:
        return self.name.lower().startswith(prefix)

    def ids_in(self, header: str) -> list[str]:
        """The ids in a Cookie header: several, if another site of the domain has set a cookie of that name."""
        name = self.name
        if self.parse is None:
            if header.count(name) > 1:
                return cookie_values(header, name)[:MAX_NAMED]
            first, _, value = header.partition("=")
            if first == name and ";" not in value and '"' not in value:  # PERF: there is no other cookie, 0.2 µs
                return [value.strip(WHITESPACE)]
        session_id = (self.parse or parse_cookies)(header).get(name)
        return [] if session_id is None else [session_id]

    def header(self, value: str, scope: Scope) -> str:
        """The Set-Cookie header for the request of a `scope`; an empty value lets the cookie expire.

        ValueError for a cookie that is too large for a browser.
        """
        cookie = set_cookie(
            self.name,
            value,
            secure=self._is_secure(scope),
            path=self.path,
            domain=self.domain,
            samesite=self.samesite,
            max_age=self.max_age if value else 0,
        )
        if len(cookie) > MAX_COOKIE:
            raise ValueError(
                f"The session's cookie would have {len(cookie):,} bytes, browsers keep {MAX_COOKIE:,}: "
                "store less in the session, or keep it elsewhere, as with App(session_backend='sqlite:///sessions.db')"
            )
        return cookie

    def _is_secure(self, scope: Scope) -> bool:
        if self.secure != "auto" or self._is_kept_if_secure:
            return bool(self.secure)
        plain = (scope.get("scheme") or "http") in ("http", "ws")
        return not (plain and late.is_local(scope))


def set_session_cookie(reply: Reply, header: str) -> None:
    """Add the Set-Cookie header, and keep caches from handing it to others."""
    add_header(reply, "Set-Cookie", header)
    keep_private(reply)


def keep_private(reply: Reply) -> None:
    """Say that the reply is for this client alone, unless it says otherwise (RFC 9111 §3.5, RFC 9110 §12.5.5)."""
    if not reply.headers:
        reply.headers = PRIVATE
        return
    names = {name.lower(): value.lower() for name, value in reply.headers}
    if "cache-control" not in names:
        add_header(reply, "Cache-Control", "private")
    if not {"*", "cookie"} & {field.strip() for field in names.get("vary", "").split(",")}:
        add_header(reply, "Vary", "Cookie")
