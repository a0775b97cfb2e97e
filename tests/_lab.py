"""A throw-away JupyterLab on the loopback interface, and a page of Chromium that drives a notebook in it."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from threadpoolctl import threadpool_info

import course
from tools.build import kernel_environment

SETTINGS = course.LAB_SETTINGS | {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # cells off the screen are in the page, too
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TROUBLE = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
DONE = """trouble => {
    const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
    const all = [...panel.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent.trim());
    const prompts = all.filter(text => text);  // a folded cell shows none
    const error = panel.querySelector(trouble);
    return error || (prompts.length && prompts.every(text => /^\\[\\d+\\]:$/.test(text)));
}"""


PROMPTS = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent).join(' ')"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def threads_of_this_process():
    """How many threads add up the products of matrices here: with more or fewer, sums differ in the last digit."""
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


class Patience:
    """Counts seconds as on a quiet machine: where four processes wait for two cores, a second counts half."""

    def __init__(self, seconds):
        self.left, self.last = seconds, time.monotonic()

    def is_over(self):
        now = time.monotonic()
        self.left -= (now - self.last) / max(1, os.getloadavg()[0] / os.cpu_count())
        self.last = now
        return self.left < 0


def wait_until(page, true, what, seconds=30):
    """Wait until the function `true` of no arguments is so: a page draws later than its kernel answers."""
    patience = Patience(seconds)
    while not true():
        assert not patience.is_over(), f"not seen on the page: {what}"
        page.wait_for_timeout(50)


class Lab:
    """JupyterLab serving a folder, with a token and with settings and run-time files of its own."""

    def __init__(self, root, scratch):
        self.token, self.log = secrets.token_hex(16), scratch / "lab.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        for name, values in SETTINGS.items():
            path = scratch / "settings" / f"{name.replace(':', '/')}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        own |= {f"JUPYTER_{kind}_DIR": kind.lower() for kind in ("CONFIG", "RUNTIME", "DATA")}
        environment = kernel_environment(scratch / "ipython") | {key: str(scratch / name) for key, name in own.items()}
        environment |= dict.fromkeys(THREADS, str(threads_of_this_process()))
        options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
        options += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={root}"]
        options += ["--LabApp.news_url=", "--LabApp.extension_manager=readonly", "--ServerApp.quit_button=False"]
        options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "jupyterlab", *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def ask(self, path, method="GET"):
        """Return what the server answers."""
        request = urllib.request.Request(f"{self.url}{path}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def wait_until_up(self):
        patience = Patience(120)
        while not patience.is_over():
            with contextlib.suppress(OSError):
                return self.ask("/api/status")
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.25)
        raise AssertionError(f"JupyterLab did not start:\n{self.log.read_text()}")

    def kernel_states(self):
        """What the connected kernels do, as the server sees it: the page says "idle" too early."""
        kernels = [session["kernel"] for session in self.ask("/api/sessions")]
        return [kernel["execution_state"] for kernel in kernels if kernel["connections"] > 0]

    def wait_until_idle(self, page):
        """Wait for a kernel that is connected and idle, for as long as one is at work."""
        patience = Patience(60)
        while "idle" not in (states := self.kernel_states()):
            assert "busy" in states or not patience.is_over(), f"no kernel is connected and idle: {states}"
            page.wait_for_timeout(250)

    def end_kernels(self):
        """End all kernels."""
        for session in self.ask("/api/sessions"):
            self.ask(f"/api/sessions/{session['id']}", method="DELETE")

    def stop(self):
        self.process.terminate()  # the server ends its kernels, too
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def lab(root, scratch):
    """Run JupyterLab on the folder `root` inside a ``with`` block."""
    server = Lab(root, Path(scratch))
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


class Page:
    """A notebook open in JupyterLab, with all errors on the console and all requests that left the machine."""

    def __init__(self, server, notebook):
        self.server, self.errors = server, []
        self.page, self.foreign = server.open_page("about:blank")
        page = self.page
        page.set_default_timeout(600_000)  # only a page that hangs for good is given up
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{server.url}/lab/tree/{notebook}?token={server.token}&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")

    def menu(self, *names):
        for name in names:
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def run_all(self):
        """Run all cells; fail if one raises or writes to stderr. Wait as long as the kernel works and cells end."""
        self.server.wait_until_idle(self.page)
        self.page.wait_for_timeout(500)  # earlier, the menu would ask for a kernel
        self.menu("Run", "Run All Cells")
        self.page.wait_for_timeout(500)
        patience, before = Patience(60), None
        while not self.page.evaluate(DONE, TROUBLE):
            now = self.page.evaluate(PROMPTS)
            if now != before or "busy" in self.server.kernel_states():
                patience, before = Patience(60), now
            assert not patience.is_over(), f"the kernel stands still: {now}"
            self.page.wait_for_timeout(250)
        self.has_no_trouble()
        self.server.wait_until_idle(self.page)

    def run_cell(self, place):
        """Run one code cell, counted from 0, by keyboard; the others keep the outputs that they came with."""
        self.server.wait_until_idle(self.page)
        cell = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").nth(place)
        cell.scroll_into_view_if_needed()
        cell.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")
        self.has_no_trouble()

    def has_no_trouble(self):
        """No cell shows an error or a warning."""
        trouble = self.page.locator(TROUBLE)
        assert trouble.count() == 0, trouble.first.inner_text()

    def save(self):
        """Save the notebook; return when its tab says that nothing is unsaved."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1000)
        self.page.wait_for_selector(".lm-TabBar-tab.jp-mod-dirty", state="detached")

    def close(self):
        """Close the page and end its kernel: there is memory for one."""
        self.page.close()
        self.server.end_kernels()

    def explorers(self, count):
        """The explorers on the page, as locators; wait until there are `count`, each with a line."""
        found = self.page.locator(".bnn-explorer:has(.bnn-line)")
        wait_until(self.page, lambda: found.count() == count, f"{count} explorers")
        return [found.nth(place) for place in range(count)]
