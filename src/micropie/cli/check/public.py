"""The hints of `micropie check --public`: what a site that strangers visit mostly has, and this one lacks.

A proxy in front may have it instead, so these are no findings, and the exit status does not count them.
"""

from collections.abc import Iterator

from micropie import InMemorySessionBackend
from micropie.cli.check.rules import at_class, session_uses
from micropie.cli.check.subject import Finding, Subject, finding_at

EVERYWHERE = {
    "TrustedHostMiddleware": "any Host is believed, in links that url_for makes with external=True for one: "
    'TrustedHostMiddleware(["example.com"])',
    "SecurityHeadersMiddleware": "browsers are not told to stay on https, to guess no types, nor to refuse frames: "
    "SecurityHeadersMiddleware()",
}
SECRETS = {"password", "passwd", "pin", "otp", "code"}  # parameters by which strangers prove who they are


def public_hints(subject: Subject) -> Iterator[Finding]:
    """Yield what the application lacks, each at the place that it is about."""
    installed = {cls.__name__ for one in subject.app.middlewares for cls in type(one).__mro__}
    for name, hint in EVERYWHERE.items():
        if name not in installed:
            yield at_class(subject, hint)
    first_use = next(session_uses(subject), None)
    if first_use is not None and "CSRFMiddleware" not in installed:
        hint = "another site's page can send forms here with the visitor's session: CSRFMiddleware()"
        yield first_use._replace(message=hint)
    if first_use is not None and isinstance(subject.configuration.session_backend, InMemorySessionBackend):
        hint = 'sessions are kept in memory, where a restart ends them: App(session_backend="sqlite:///sessions.db")'
        yield first_use._replace(message=hint)
    if "RateLimitMiddleware" not in installed:
        yield from guessable(subject)


def guessable(subject: Subject) -> Iterator[Finding]:
    """Yield the handlers that take a secret, which can be guessed as often as somebody likes."""
    for one in subject.all():
        for route in one.routes:
            secret = next((parameter.name for parameter in route.parameters if parameter.name in SECRETS), None)
            if secret is not None:
                hint = f'{secret!r} can be guessed without end: RateLimitMiddleware("10/minute", per_route=True)'
                yield finding_at(route, hint)
