"""Headers by which browsers take precautions that they leave out for the sake of old pages."""

import functools
import ipaddress
import secrets
from typing import Any

from micropie import HttpMiddleware, ReplyHeaders, Request, is_loopback_host

NONCE = "{nonce}"
FRAMES = {"DENY": "'none'", "SAMEORIGIN": "'self'"}  # of X-Frame-Options, and in CSP's words
YEAR = 31_536_000  # seconds
MAX_HOST = 256  # characters that are looked at; a name has 253 at most (RFC 1035 §3.1)


class SecurityHeadersMiddleware(HttpMiddleware):
    """Send the headers that make browsers careful. A header that a reply has already stays as it is; None sends none.

    `hsts` goes out over https only, and never for this machine or a bare address. `csp` may have `'nonce-{nonce}'` in
    it: each request has a nonce of its own, in templates `{{ csp_nonce }}`. `frames` says who may show the pages in a
    frame: `DENY` nobody, `SAMEORIGIN` the site itself. `referrer_policy`, `permissions_policy` and `opener_policy` are
    the values of `Referrer-Policy`, `Permissions-Policy` and `Cross-Origin-Opener-Policy`; `nosniff` keeps browsers
    from guessing types.

        app.middlewares.append(SecurityHeadersMiddleware(csp="default-src 'self'; script-src 'nonce-{nonce}'"))
    """

    def __init__(
        self,
        *,
        csp: str | None = None,
        hsts: str | None = f"max-age={YEAR}",
        frames: str | None = "DENY",
        referrer_policy: str | None = "strict-origin-when-cross-origin",
        permissions_policy: str | None = "camera=(), geolocation=(), microphone=()",
        opener_policy: str | None = "same-origin",
        nosniff: bool = True,
    ) -> None:
        if frames is not None and frames not in FRAMES:
            raise ValueError(f"SecurityHeadersMiddleware(frames={frames!r}): 'DENY', 'SAMEORIGIN' or None is accepted")
        self._csp = csp_with_frames(csp, frames)
        self._has_nonce = NONCE in self._csp
        headers = {
            "X-Content-Type-Options": "nosniff" if nosniff else None,
            "X-Frame-Options": frames,
            "Referrer-Policy": referrer_policy,
            "Permissions-Policy": permissions_policy,
            "Cross-Origin-Opener-Policy": opener_policy,
            "Content-Security-Policy": None if self._has_nonce else self._csp or None,
        }
        constant = [(name, value) for name, value in headers.items() if value is not None]
        if self._has_nonce:
            ReplyHeaders({"Content-Security-Policy": self._csp})  # or each request would fail
        self._has_hsts = hsts is not None
        self._headers = ReplyHeaders(constant)
        self._with_hsts = ReplyHeaders(constant if hsts is None else [*constant, ("Strict-Transport-Security", hsts)])

    def before_routing(self, request: Request) -> Any:
        """Give the request its nonce."""
        if self._has_nonce:
            nonce_of(request)

    def reply_headers(self, request: Request) -> ReplyHeaders:
        """Those of every reply, and what depends on the request."""
        headers = self._headers
        if self._has_hsts and request.scope.get("scheme") == "https" and is_name(request.header("host", "")[:MAX_HOST]):
            headers = self._with_hsts
        if self._has_nonce:
            csp = self._csp.replace(NONCE, nonce_of(request))
            return headers.with_header("Content-Security-Policy", csp)
        return headers


def csp_with_frames(csp: str | None, frames: str | None) -> str:
    """A policy that also says who may show the pages in frames, unless it does so already."""
    if frames is None or "frame-ancestors" in (csp or ""):
        return csp or ""
    ancestors = f"frame-ancestors {FRAMES[frames]}"
    return f"{csp.rstrip('; ')}; {ancestors}" if csp else ancestors


def nonce_of(request: Request) -> str:
    """The request's nonce, made when it is first asked for: 128 random bits (CSP §2.3.1)."""
    context = request.template_context
    if "csp_nonce" not in context:
        context["csp_nonce"] = secrets.token_urlsafe(16)
    return str(context["csp_nonce"])


@functools.lru_cache(256)
def is_name(authority: str) -> bool:
    """True for a Host that browsers would remember: a name (RFC 6797 §8.1.1), of another machine than this."""
    if not authority or authority.startswith("[") or is_loopback_host(authority):
        return False
    try:
        ipaddress.ip_address(authority.partition(":")[0])
    except ValueError:
        return True
    return False
