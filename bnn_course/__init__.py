"""Helper package of the course *Bayesian Neural Networks*.

Rooms, in reading order (imports point upward only):

==============================  ==============================================================================
`bnn_course.data`               data sets that ship with the course, each verified by checksum
`bnn_course.exact`              answers in closed form: what approximations are compared with (lesson 01)
`bnn_course.samplers`           Metropolis, Gibbs, HMC and NUTS in NumPy (lesson 02)
`bnn_course.variational`        ADVI with adaptive steps, and Pareto smoothing, in NumPy (lesson 04)
`bnn_course.uncertainty`        predictive probabilities → entropy, mutual information, NLL, calibration, AUROC
`bnn_course.models`             models that a lesson has written out and others need again
`bnn_course.inference`          a `pm.Model` → its fitted posterior; the only room that knows backends
`bnn_course.representations`    hidden layers of many networks, aligned (lesson 10)
`bnn_course.claims`             a sentence, a value and a bound: one line when true, an error when false
`bnn_course.exercises`          an answer → right, or a hint for this wrong one; `bnn_course.answers` holds them
`bnn_course.plots`              one idea drawn on a given axes
`bnn_course.explorers`          drawings of the lessons with controls on them
==============================  ==============================================================================

Importing the package sets PyTensor up (and imports nothing heavy): Numba backend, no C++ compiler. Keys that you set
yourself in the environment variable ``PYTENSOR_FLAGS`` win. In Jupyter it also makes figures sharp.
"""

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

__version__ = "0.1.0"

_PYTENSOR = {"mode": "NUMBA", "cxx": ""}


def _make_room_for_caches() -> None:
    """Where the home folder cannot be written to, keep what PyTensor, JAX and others compile in a temporary one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if _writable(cache) and _writable(Path.home()):
        return
    room = Path(tempfile.mkdtemp(prefix="bnn_course-"))
    os.environ["XDG_CACHE_HOME"] = str(room)
    os.environ.setdefault("MPLCONFIGDIR", str(room))
    if "pytensor" not in sys.modules:
        _PYTENSOR["base_compiledir"] = str(room / "pytensor")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _configure_pytensor() -> None:
    """Choose PyTensor's backend before it is imported; worker processes inherit the environment."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    chosen = {flag.split("=", 1)[0].strip() for flag in flags.split(",") if flag.strip()}
    missing = {key: value for key, value in _PYTENSOR.items() if key not in chosen}
    os.environ["PYTENSOR_FLAGS"] = ",".join([flags] * bool(flags) + [f"{k}={v}" for k, v in missing.items()])
    if "pytensor" in sys.modules:
        for key, value in missing.items():
            setattr(sys.modules["pytensor"].config, key, value)


def _sharpen_figures() -> None:
    """Have Jupyter draw figures at twice the resolution and show them at their size, unless the user chose a format."""
    if "ipykernel" not in sys.modules:
        return
    from IPython import get_ipython
    from matplotlib_inline.config import InlineBackend

    shell = get_ipython()
    if shell is not None and "figure_formats" not in shell.config.get("InlineBackend", {}):
        InlineBackend.instance(parent=shell).figure_formats = {"retina"}


_make_room_for_caches()
_configure_pytensor()
_sharpen_figures()
# ArviZ 0.23 advertises its successor once a day (a stamp file): without this line, stored outputs depend on the date.
warnings.filterwarnings("ignore", message=r"\s*ArviZ is undergoing a major refactor", category=FutureWarning)
# A hint of Numba about code that PyTensor generates, given when it is compiled for the first time: no reader of it
# could act on it, and stored outputs would depend on what was compiled before.
warnings.filterwarnings("ignore", message=r".*np\.dot\(\) is faster on contiguous arrays")
# PyMC reports on stderr what it is about to do, unless a handler is there already; this one lets its warnings through.
logging.getLogger("pymc").addHandler(logging.lastResort or logging.StreamHandler())
