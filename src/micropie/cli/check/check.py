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
from micropie.cli.check.parameters import catching_index, overridable_session_values
from micropie.cli.check.returned import forgotten_returns, wrong_results
from micropie.cli.check.rules import (
    branches_on_instances,
    class_oversights,
    exposed_helpers,
    exposed_hooks,
    missing_packages,
    missing_templates,
    names_of_app,
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


def check(options: argparse.Namespace) -> int:
    """Print the findings, and how many there are; 1 if there are any."""
    found = findings_in(options.target, workers=options.workers or workers_from_environment())
    print_lines(map(str, found))
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}" if found else "nothing found"
    sys.stderr.write(f"{Colours(sys.stderr)(count, 'red' if found else 'green')}\n")
    return 1 if found else 0


def findings_in(target: str | None, *, workers: int) -> list[Finding]:
    """All findings in the application that a target names, sorted by file and line."""
    with silence():
        app = load_app(target)
    return sorted(set(apply_rules(app, workers=workers)))


def apply_rules(app: App, *, workers: int) -> Iterator[Finding]:
    """Yield the findings in an application and in those below it."""
    subject = Subject(app)
    for one in subject.all():
        for rule in RULES:
            yield from rule(one)
    if workers > 1:
        yield from sessions_of_one_process(subject)


@contextmanager
def silence() -> Iterator[None]:
    """Silence the framework's log: what it warns of when an application is made is among the findings."""
    log = logging.getLogger("micropie")
    log.disabled, before = True, log.disabled
    try:
        yield
    finally:
        log.disabled = before
