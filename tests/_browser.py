"""A headless Chromium for tests: one that notes every request that leaves the machine."""

import contextlib
import os
import sys

import pytest

import course

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1", "http://localhost", "ws://127.0.0.1")
# what is drawn on a pad, as 28 × 28 grey values
INK = """canvas => {
    const [side, cells] = [canvas.width, 28], step = side / cells;
    const shown = canvas.getContext('2d').getImageData(0, 0, side, side).data;
    return btoa(String.fromCharCode(...Array.from({length: cells * cells}, (_, cell) => {
        let sum = 0;
        const [top, left] = [Math.floor(cell / cells) * step, (cell % cells) * step];
        for (let y = top; y < top + step; y++)
            for (let x = left; x < left + step; x++) sum += 255 - shown[4 * (y * side + x)];
        return Math.round(sum / step ** 2);
    })));
}"""


def skip_without_browser():
    """Leave the tests of a module out where there is no browser, but not where one is required."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        reason = "the browser tests need playwright: run `python course.py setup`"
    else:
        if course.find_browser(sys.executable):
            return
        reason = "the browser tests need Chromium: run `python course.py browser`"
    if os.environ.get("BNN_COURSE_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def chromium():
    """Start Chromium; yield a function that opens a page of 1280 × 720 pixels and its list of foreign requests.

    `scale` is the number of pixels of the screen to one of the page, each way.
    """
    skip_without_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=course.find_browser(sys.executable), args=OPTIONS)

        def open_page(url, scale=1):
            size = {"width": 1280, "height": 720}
            page, foreign = browser.new_page(viewport=size, device_scale_factor=scale), []
            for kind in ("request", "websocket"):
                page.on(kind, lambda asked: None if asked.url.startswith(LOCAL) else foreign.append(asked.url))
            page.goto(url, wait_until="load")
            return page, foreign

        try:
            yield open_page
        finally:
            browser.close()
