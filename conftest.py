"""Defaults for `pytest --nbval`, so that the plain command gives the same result everywhere."""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def pytest_configure(config):
    options = config.option
    if not (getattr(options, "nbval", False) or getattr(options, "nbval_lax", False)):
        return
    if not options.nbval_kernel_name:
        options.nbval_current_env = True  # the Python that runs pytest, not a kernel that the user has installed
    if not options.nbval_sanitize_with:
        options.nbval_sanitize_with = str(ROOT / "tests" / "nbval_sanitize.cfg")
    if getattr(options, "numprocesses", None) and options.dist == "load":
        options.dist = "loadscope"  # pytest -n 2: the cells of a notebook share a kernel, hence a worker
    _use_environment_of_build(config)
    _number_cells_as_jupyter_does()
    _leave_out_progress()
    _leave_out_explorers_without_kernel()


def _use_environment_of_build(config):
    """Give kernels the environment in which the stored outputs were made."""
    from tools.build import kernel_environment

    scratch = tempfile.TemporaryDirectory(prefix="ipython-")
    config.add_cleanup(scratch.cleanup)
    environment = kernel_environment(scratch.name)
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _number_cells_as_jupyter_does():
    """Let nbval store history: without it (nbval 0.11), IPython ignores a trailing semicolon."""
    from nbval.kernel import RunningKernel

    def execute_cell_input(self, source, allow_stdin=None):
        return self.kc.execute(source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)

    RunningKernel.execute_cell_input = execute_cell_input


def _leave_out_progress():
    """Let nbval see what the build stores: all messages but the progress lines of a fit."""
    from nbval.kernel import RunningKernel

    from tools.build import is_progress

    get_message = RunningKernel.get_message

    def get_lasting_message(self, stream, timeout=None):
        while True:
            message = get_message(self, stream, timeout=timeout)
            if not is_progress(message["content"]):
                return message

    RunningKernel.get_message = get_lasting_message


def _leave_out_explorers_without_kernel():
    """Let nbval compare only what a kernel gives: what shows an explorer without one is put in by the build."""
    from nbval.plugin import IPyNbCell

    from tools.live import is_live

    compare = IPyNbCell.compare_outputs

    def compare_what_runs(self, test, ref, skip_compare=None):
        return compare(self, test, [output for output in ref if not is_live(output)], skip_compare)

    IPyNbCell.compare_outputs = compare_what_runs
