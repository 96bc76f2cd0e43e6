"""Guards of a public site, each switched on by a line.

from micropie.middleware import SecurityHeadersMiddleware, TrustedHostMiddleware

app.middlewares += [TrustedHostMiddleware(["shop.example"]), SecurityHeadersMiddleware()]
"""

from micropie.middleware.cors import CORSMiddleware
from micropie.middleware.csrf import CSRFMiddleware
from micropie.middleware.proxy_headers import ProxyHeadersMiddleware
from micropie.middleware.security_headers import SecurityHeadersMiddleware
from micropie.middleware.trusted_host import TrustedHostMiddleware

__all__ = [
    "CORSMiddleware",
    "CSRFMiddleware",
    "ProxyHeadersMiddleware",
    "SecurityHeadersMiddleware",
    "TrustedHostMiddleware",
]
