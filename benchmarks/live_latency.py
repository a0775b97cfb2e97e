"""How long the explorers of digits take without a kernel: to the first picture, and to a new one after a move.

    python benchmarks/live_latency.py [--pages 5] [--moves 30]        # writes benchmarks/live_latency.json

A page holds the script and one explorer. Wall times are taken inside the browser: from the start of the page, or from
the event that moves something, to the frame in which the new picture is painted. Beside them stands the computing time
of the page's thread, which does not count how long it waits for a busy machine.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from tests._browser import chromium
from tools import live

WATCH = """place => {
    window.moves = [];
    const begin = () => { window.began = performance.now(); };
    for (const kind of ['keydown', 'pointermove']) window.addEventListener(kind, begin, true);
    const painted = () => window.moves.push(performance.now() - window.began);
    const end = () => requestAnimationFrame(() => setTimeout(painted));
    new MutationObserver(end).observe(place.shadowRoot.querySelector('p'), {childList: true});
}"""
PAINTED = """async () => {
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now();
}"""


class Watched:
    """A fresh page, whose thread's computing time is counted."""

    def __init__(self, open_page):
        self.page, _ = open_page("about:blank")
        self.session = self.page.context.new_cdp_session(self.page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def computed(self):
        """Milliseconds of computing since the page was opened."""
        metrics = {row["name"]: row["value"] for row in self.session.send("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["TaskDuration"]


def move(page, shown, kind, moves):
    """Move the main control of an explorer step by step."""
    if kind == "turning":
        shown.locator("input").focus()
        for _ in range(moves):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(100)
        return
    box = shown.locator(".pad canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    for place in range(1, moves + 1):
        page.mouse.move(box["x"] + 30 + 4 * place, box["y"] + 30 + 4 * place)
        page.wait_for_timeout(100)
    page.mouse.up()


def measured(open_page, folder, kind, pages, moves):
    """One row of the record: medians over pages, in milliseconds."""
    path = Path(folder, f"{kind}.html")
    path.write_text(f"<!doctype html><meta charset='utf-8'>{live.script()}{live.element(kind)}", encoding="utf-8")
    rows = []
    for _ in range(pages):
        watched = Watched(open_page)
        page, shown = watched.page, watched.page.locator("bnn-digits")
        page.goto(path.as_uri())
        page.wait_for_selector("bnn-digits[data-ready]")
        first, first_computed = page.evaluate(PAINTED), watched.computed()
        page.wait_for_timeout(1000)  # the curves of a digit are there
        shown.evaluate(WATCH)
        before = watched.computed()
        move(page, shown, kind, moves)
        move_computed = (watched.computed() - before) / moves
        rows.append((first, first_computed, statistics.median(page.evaluate("window.moves")), move_computed))
        page.close()
    names = ("first_ms", "first_computing_ms", "move_ms", "move_computing_ms")
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    return {"explorer": f"digits.{kind}()", "pages": pages, "moves": moves} | dict(zip(names, medians, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--moves", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as open_page:
        rows = [measured(open_page, folder, kind, options.pages, options.moves) for kind in live.EXPLORERS]
    for row in rows:
        print({key: round(value) if isinstance(value, float) else value for key, value in row.items()}, flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
