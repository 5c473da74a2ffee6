"""A browser to look at pages with, and what every page of ours keeps."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: Widths that pages are looked at: a desk's and a telephone's, in CSS pixels.
WIDTHS = (1400, 390)


@dataclass
class Opened:
    """A page that is open in the browser.

    Attributes
    ----------
    page : playwright.sync_api.Page
        To be clicked at and asked.
    errors : list of str
        What its console, its scripts and its policy complained of.
    requests : list of str
        What it asked a network or a disk for, but for itself.
    """

    page: object
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def violations(self) -> list[str]:
        """What axe finds, by rule and element."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


class Browser:
    """Chromium without a window."""

    def __init__(self, chromium: object) -> None:
        self.chromium = chromium

    @contextlib.contextmanager
    def open(self, path: Path, width: int = 1400, **kwargs: object) -> Iterator[Opened]:
        """Open a file in a page of its own; `kwargs` are those of Playwright's ``new_context``, such as ``color_scheme``.

        The page's policy must let axe in, which Playwright's ``bypass_csp`` does; pass it with that to call ``violations``.
        """
        context = self.chromium.new_context(viewport={"width": width, "height": 900}, **kwargs)
        try:
            opened = Opened(context.new_page())
            opened.page.on("console", lambda said: opened.errors.append(said.text) if said.type == "error" else None)
            opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
            own = path.as_uri()
            opened.page.on("request", lambda one: _note(opened.requests, one.url, own))
            opened.page.goto(own)
            yield opened
        finally:
            context.close()


def _note(requests: list[str], url: str, own: str) -> None:
    """Note what a page loads beside itself and what it holds."""
    if url.partition("#")[0] != own and not url.startswith(("data:", "blob:")):
        requests.append(url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of pages."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()
