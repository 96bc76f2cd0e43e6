"""The hints of `micropie check --public`: what a site that strangers visit mostly has, and this one lacks.

A proxy in front may have it instead, so these are no findings, and the exit status does not count them.
"""

from collections.abc import Iterator

from micropie import App, InMemorySessionBackend, Route
from micropie.cli.check.rules import at_class, session_uses
from micropie.cli.check.subject import Finding, Subject, finding_at

EVERYWHERE = {
    "TrustedHostMiddleware": "any Host is believed, in links that url_for makes with external=True for one: "
    'TrustedHostMiddleware(["example.com"])',
    "SecurityHeadersMiddleware": "browsers are not told to stay on https, to guess no types, nor to refuse frames: "
    "SecurityHeadersMiddleware()",
}
SECRETS = {"password", "passwd", "pin", "otp", "code"}  # parameters by which strangers prove who they are
BY_LINK = {"code"}  # which an authorization server sends along in a URL, for one use (RFC 6749 §4.1.2)


def public_hints(subject: Subject) -> Iterator[Finding]:
    """Yield what the application lacks, each at the place that it is about."""
    installed = installed_in(subject.app)
    for name, hint in EVERYWHERE.items():
        if name not in installed:
            yield at_class(subject, hint)
    if subject.configuration.surplus_path_status >= 500:  # noqa: PLR2004
        yield at_class(
            subject, "a link that is too long is told as a failure of the site: App(surplus_path_status=404)"
        )
    first_use = next(session_uses(subject), None)
    if first_use is not None and "CSRFMiddleware" not in installed:
        hint = "another site's page can send forms here with the visitor's session: CSRFMiddleware()"
        yield first_use._replace(message=hint)
    if first_use is not None and isinstance(subject.configuration.session_backend, InMemorySessionBackend):
        hint = 'sessions are kept in memory, where a restart ends them: App(session_backend="sqlite:///sessions.db")'
        yield first_use._replace(message=hint)
    if "RateLimitMiddleware" not in installed:
        yield from guessable(subject)
    yield from readable(subject)


def installed_in(app: App) -> set[str]:
    """The names of the middlewares of an application, and of the classes that these are made of."""
    return {cls.__name__ for one in app.middlewares for cls in type(one).__mro__}


def guessable(subject: Subject) -> Iterator[Finding]:
    """Yield the handlers that take a secret, which can be guessed as often as somebody likes.

    One limit is for all of an application, and for nothing else; those below it have hooks, thus limits, of their own.
    """
    for one in subject.all():
        if "RateLimitMiddleware" not in installed_in(one.app):
            takers = [(route, secret) for route in one.routes if (secret := secret_of(route)) is not None]
            limit = limit_for([route for route, _ in takers])
            where = "" if one is subject else f"in the middlewares of {type(one.app).__name__}, "
            for route, secret in takers:
                yield finding_at(route, f"{secret!r} can be guessed without end: {where}{limit}")


def readable(subject: Subject) -> Iterator[Finding]:
    """Yield the handlers that take a secret from the URL of a GET."""
    for route in subject.listed:
        if route.kind == "http" and (not route.verbs or "GET" in route.verbs):
            in_urls = {parameter.name for parameter in route.parameters if parameter.source in ("path", "query")}
            for secret in sorted(in_urls & (SECRETS - BY_LINK)):
                hint = f"{secret!r} may stand in a URL, which logs keep, of a GET, which CSRFMiddleware lets pass"
                yield finding_at(route, f'{hint}: @methods("POST")')


def secret_of(route: Route) -> str | None:
    """The first secret that a handler takes."""
    return next((parameter.name for parameter in route.parameters if parameter.name in SECRETS), None)


def limit_for(routes: list[Route]) -> str:
    """The source of a limit that counts the requests for these handlers, and no others."""
    handlers = [f"app.{route.name}" for route in routes]
    is_one = f"== {handlers[0]}" if len(handlers) == 1 else f"in ({', '.join(handlers)})"
    key = f'lambda request: client_address(request) if request.scope["endpoint"] {is_one} else None'
    return f'RateLimitMiddleware("10/minute", key={key})'
