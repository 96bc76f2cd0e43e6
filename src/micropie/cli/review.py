"""`micropie check`: what a careful reader of the URL map would find."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from micropie import App
from micropie.cli.findings import Finding, Subject
from micropie.cli.loading import load_app
from micropie.cli.rules import RULES, sessions_of_one_process


def review(target: str | None, *, workers: int) -> list[Finding]:
    """All findings, by file and line."""
    with silence():
        app, _ = load_app(target)
    return sorted(set(findings(app, workers=workers)))


def findings(app: App, *, workers: int) -> Iterator[Finding]:
    """What the rules find in an application and in those below it."""
    subject = Subject(app)
    for one in subject.all():
        for rule in RULES:
            yield from rule(one)
    if workers > 1:
        yield from sessions_of_one_process(subject)


@contextmanager
def silence() -> Iterator[None]:
    """Keep what the application says of itself when it is made: it is among the findings."""
    log = logging.getLogger("micropie")
    log.disabled, before = True, log.disabled
    try:
        yield
    finally:
        log.disabled = before
