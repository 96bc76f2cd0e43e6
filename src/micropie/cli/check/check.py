"""`micropie check`: looks for mistakes in an application, as a careful reader would find them."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from micropie import App
from micropie.cli.arguments import (
    Commands,
    add_command_with_target,
    worker_count,
    workers_from_environment,
)
from micropie.cli.check.parameters import (
    catching_index,
    comparisons_with_itself,
    overridable_session_values,
)
from micropie.cli.check.public import public_hints
from micropie.cli.check.returned import forgotten_returns, wrong_results
from micropie.cli.check.rules import (
    branches_on_instances,
    class_oversights,
    exposed_helpers,
    exposed_hooks,
    middlewares_of_one_process,
    missing_packages,
    missing_templates,
    names_of_app,
    services_of_one_process,
    sessions_of_one_process,
    unserved_signatures,
)
from micropie.cli.check.subject import Finding, Subject
from micropie.cli.colours import Colours
from micropie.cli.output import print_lines
from micropie.cli.target import load_app

RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    class_oversights,
    unserved_signatures,
    exposed_helpers,
    exposed_hooks,
    names_of_app,
    branches_on_instances,
    catching_index,
    overridable_session_values,
    comparisons_with_itself,
    forgotten_returns,
    wrong_results,
    missing_packages,
    missing_templates,
)


def add_check(commands: Commands) -> None:
    """Declare `micropie check`."""
    command = add_command_with_target(commands, check, "check", "look for mistakes in an application")
    command.add_argument(
        "--workers", type=worker_count, metavar="N", help="processes that will serve it ($WEB_CONCURRENCY, or one)"
    )
    command.add_argument("--public", action="store_true", help="also hint at what a public site lacks")


def check(options: argparse.Namespace) -> int:
    """Print the findings, the hints if they are wanted, and how many there are; 1 if there are findings."""
    with silence():
        app = load_app(options.target)
    found = findings_in(app, workers=options.workers or workers_from_environment())
    hints = sorted(set(public_hints(Subject(app)))) if options.public else []
    print_lines(map(str, found))
    print_lines(str(hint._replace(message=f"hint: {hint.message}")) for hint in hints)
    count = ", ".join(filter(None, [counted(found, "finding") or "nothing found", counted(hints, "hint")]))
    sys.stderr.write(f"{Colours(sys.stderr)(count, 'red' if found else 'green')}\n")
    return 1 if found else 0


def counted(found: list[Finding], noun: str) -> str:
    """How many there are; `""` if there are none."""
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}" if found else ""


def findings_in(app: App, *, workers: int) -> list[Finding]:
    """All findings in an application, sorted by file and line."""
    return sorted(set(apply_rules(app, workers=workers)))


def apply_rules(app: App, *, workers: int) -> Iterator[Finding]:
    """Yield the findings in an application and in those below it."""
    subject = Subject(app)
    for one in subject.all():
        for rule in RULES:
            yield from rule(one)
    if workers > 1:
        yield from sessions_of_one_process(subject)
        for one in subject.all():
            yield from services_of_one_process(one)
            yield from middlewares_of_one_process(one)


@contextmanager
def silence() -> Iterator[None]:
    """Silence the framework's log: what it warns of when an application is made is among the findings."""
    log = logging.getLogger("micropie")
    log.disabled, before = True, log.disabled
    try:
        yield
    finally:
        log.disabled = before
