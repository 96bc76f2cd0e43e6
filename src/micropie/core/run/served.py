"""The application, imported in the process of a server, which serves it."""

import sys
from typing import Any

from micropie.core.basics.errors import log
from micropie.core.basics.optional import lazy_import
from micropie.core.failures.debugger import is_development_mode
from micropie.core.requests.proxies import TrustedProxies
from micropie.core.run.import_path import ImportPath
from micropie.core.run.options import ServeOptions, options_from_environment
from micropie.core.run.proxies import BehindProxy
from micropie.core.run.stop_bound import BoundedASGI, BoundedRSGI, StopBound

STARTUP_FAILURE = 3  # the status of a process that can't start: Uvicorn starts others again and again


def served() -> Any:
    """Make what the process serves that the environment's options are for. Servers call it by its name, as a factory.

    In development mode, an application that can't be imported is replaced by a page that says why.
    """
    options = options_from_environment()
    try:
        app = imported(options)
    except (Exception, SystemExit) as error:
        log.exception("The application can't be imported")
        if not is_development_mode():
            raise SystemExit(STARTUP_FAILURE) from None
        app = lazy_import("micropie.debug").page_of_unimportable(error, is_rsgi=options.is_rsgi)
    bound = StopBound(options.graceful_timeout)
    return BoundedRSGI(app, bound) if options.is_rsgi else BoundedASGI(behind_proxy(app, options), bound)


def imported(options: ServeOptions) -> Any:
    """The application, imported by its path."""
    module, name, folder = options.import_path or ImportPath("", "", "")
    sys.path.insert(0, folder)
    return getattr(lazy_import(module), name)


def behind_proxy(app: Any, options: ServeOptions) -> Any:
    """An ASGI application, as the proxy before it is seen."""
    return BehindProxy(app, TrustedProxies(options.forwarded_allow_ips), options.root_path)
