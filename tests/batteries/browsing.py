"""A real browser for the tests of pages: Chromium, headless, as the system's packages have it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=1200, height=900)

READABLE = 4.5
"""The contrast of text (WCAG 2.2, 1.4.3)."""


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """A browser, with further flags."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("there is no Chromium: run scripts/test, which installs it, or `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page in a fresh context, and what it complains of: errors, and lines in the console."""
    complaints: list[str] = []
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page, complaints
    context.close()


def contrast(element: Locator) -> float:
    """The contrast of an element's text with what is behind it (WCAG 2.2, relative luminance)."""
    colours = element.evaluate(
        """element => {
            const behind = [];
            for (let one = element; one; one = one.parentElement) behind.push(getComputedStyle(one).backgroundColor);
            return [getComputedStyle(element).color, behind.find((colour) => !/, 0\\)$/.test(colour))];
        }"""
    )
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """How bright an rgb() colour is, from 0 to 1."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
