"""What the tests of explorers share: every explorer of the course, drawing one, reading artists and numbers."""

import csv
import re
from functools import cache

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnn_course import data
from bnn_course.explorers import (
    bounds,
    calibration,
    chains,
    digits,
    functions,
    funnels,
    independence,
    posteriors,
    pruning,
    shrinkage,
    transforms,
    trust,
    units,
)


@cache
def table(name):
    """A record of the lessons as columns, read without pandas."""
    with data.course_file(f"records/{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return {key: np.array(column, float if _is_number(column[0]) else str) for key, column in columns.items()}


def _is_number(word):
    return re.fullmatch(r"-?[\d.]+(e-?\d+)?", word) is not None


@cache
def arrays(name):
    """A record of the lessons as arrays by name."""
    with np.load(data.course_file(f"records/{name}.npz")) as stored:
        return dict(stored)


EXPLORERS = {
    "coin": posteriors.coin,
    "gaussian": posteriors.gaussian,
    "penalty": posteriors.penalty,
    "chain": chains.chain,
    "evidence": bounds.evidence,
    "directions": bounds.directions,
    "correlation": independence.correlation,
    "jacobian": transforms.jacobian,
    "path": transforms.path,
    "band": functions.band,
    "priors": functions.priors,
    "funnel": funnels.funnel,
    "tasks": lambda: shrinkage.tasks(arrays("shrinkage_moons")),
    "curve": lambda: pruning.curve(table("pruning_mnist"), table("pruning_mnist_histogram")),
    "temperature": calibration.temperature,
    "rejecting": digits.rejecting,
    "turning": digits.turning,
    "drawing": digits.drawing,
    "copies": units.copies,
    "believe": lambda: trust.believe(table("transfer_trust")),
}


def drawn(draw, **values):
    """The axes and the line of a drawing function; the figure is rendered, so that warnings show."""
    figure = Figure(figsize=(6, 3.4))
    line = draw(figure, **values)
    FigureCanvasAgg(figure).draw()
    return figure.axes, line


def moved(explorer, **values):
    """The axes and the line of an explorer, some of its controls moved from the start."""
    return drawn(explorer.draw, **(explorer.values | values))


def ends(control):
    """Both ends of a range, the first and the last value of a list, an empty and a full pad."""
    if hasattr(control, "ink"):
        return bytes(784), bytes(range(196)) * 4
    if hasattr(control, "min"):
        return control.min, control.max
    values = [value for _, value in control._options_full]
    return values[0], values[-1]


def named(ax, name):
    """The line with this label or group id."""
    (line,) = (line for line in ax.lines if name in (line.get_label(), line.get_gid()))
    return line


def numbers(line):
    """The numbers in a line, in order: 97.7, 10,000 and −0.5 with either minus."""
    words = re.findall(r"[-−]?\d[\d,]*(?:\.\d+)?", line)
    return [float(word.replace(",", "").replace("−", "-")) for word in words]


def strokes(*lines):
    """Ink of lines drawn on the pad: 196 pixels wide, pen of 15 pixels, 28 × 28 cells."""
    figure = Figure(figsize=(1.96, 1.96), dpi=100)
    ax = figure.add_axes([0, 0, 1, 1], xlim=(0, 196), ylim=(196, 0))
    ax.set_axis_off()
    for line in lines:
        ax.plot(*np.transpose(line), color="black", linewidth=15 * 72 / 100, solid_capstyle="round")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    ink = 255.0 - np.asarray(canvas.buffer_rgba())[..., 0]
    return ink.reshape(28, 7, 28, 7).mean(axis=(1, 3)).round().astype(np.uint8)
