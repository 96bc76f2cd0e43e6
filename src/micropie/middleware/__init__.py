"""Guards of a public site and what goes with them, each switched on by a line.

from micropie.middleware import CompressionMiddleware, SecurityHeadersMiddleware, TrustedHostMiddleware

app.middlewares += [TrustedHostMiddleware(["shop.example"]), CompressionMiddleware(), SecurityHeadersMiddleware()]
"""

from micropie.middleware.access_log import AccessLogMiddleware
from micropie.middleware.compression import CompressionMiddleware
from micropie.middleware.cors import CORSMiddleware
from micropie.middleware.csrf import CSRFMiddleware
from micropie.middleware.etag import ETagMiddleware
from micropie.middleware.proxy_headers import ProxyHeadersMiddleware
from micropie.middleware.rate_limit import RateLimitMiddleware, client_address
from micropie.middleware.security_headers import SecurityHeadersMiddleware
from micropie.middleware.trusted_host import TrustedHostMiddleware

__all__ = [
    "AccessLogMiddleware",
    "CORSMiddleware",
    "CSRFMiddleware",
    "CompressionMiddleware",
    "ETagMiddleware",
    "ProxyHeadersMiddleware",
    "RateLimitMiddleware",
    "SecurityHeadersMiddleware",
    "TrustedHostMiddleware",
    "client_address",
]
