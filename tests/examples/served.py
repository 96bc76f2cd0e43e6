"""Examples as their READMEs start them: `uvicorn app:app` in a folder, each in a process of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.examples.conftest import EXAMPLES
from tests.servers.serving import UVICORN, Server, started, wait_until_ready

STORED = shutil.ignore_patterns("__pycache__", "*.db*", "data")
APP = replace(UVICORN, options=("app:app", "--host", "127.0.0.1", "--port", "{port}"))


@contextmanager
def served(name: str, folder: Path, **variables: str) -> Iterator[Server]:
    """Serve an example from a copy of its folder."""
    copy = folder / name
    shutil.copytree(EXAMPLES / name, copy, ignore=STORED)
    with started(APP, folder, at=copy, **{**os.environ, **variables}) as server:
        wait_until_ready(server)
        yield server


@contextmanager
def visiting(
    browser: Browser, server: Server, path: str = "/", *, but: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """A page of an example; what the browser complains of is a failure, but for what has such words in it."""
    complaints: list[str] = []
    context = browser.new_context(base_url=server.url, **options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(told(said)) if said.type in ("error", "warning") else None)
    page.goto(path)
    yield page
    context.close()
    complaints = [said for said in complaints if not any(words in said for words in but)]
    assert not complaints, complaints


def told(said: ConsoleMessage) -> str:
    """What the browser's console says, with the address that it is about."""
    return f"{said.text} ({said.location['url']})"
