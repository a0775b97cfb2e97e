"""A funnel, centred or not: one leapfrog path and its energy error (lessons 02 and 06)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from ipywidgets import Dropdown, SelectionSlider
from matplotlib.figure import Figure

from bnn_course import plots, samplers
from bnn_course._checks import Array, one_of
from bnn_course.explorers import Explorer, number, scale

SD = 3.0  # of v, the log variance of w
FORMS = ("centred", "non-centred")
STEPS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.2)
STARTS = {"the mouth, v = 4": 4.0, "the middle, v = 0": 0.0, "the neck, v = −4": -4.0}
HALF_WIDTH = {4.0: 20.0, 0.0: 5.0, -4.0: 1.0}  # of the picture of the centred form, by the start
RAW_START, MOMENTUM = 0.7, (-1.0, 1.0)  # w over its scale, and the push in v and w, the same in both forms
TIME = 12.0  # how long a path lasts
TOP = 9.0  # of the axis of v
FLOOR, CEILING = 1e-4, 1e6  # of the axis of the energy error, in nats
KEY = {"loc": "lower left", "bbox_to_anchor": (-0.03, 1.0), "borderaxespad": 0.1, "ncols": 3, "frameon": False}
KEY |= {"fontsize": 8, "columnspacing": 1, "handlelength": 1.6}


class Form(NamedTuple):
    """The funnel in the variables that a sampler moves.

    Attributes
    ----------
    log_density, gradient : callable
        θ ↦ ln p(θ) + constant, in nats, and its derivative (2,), for θ = (v, w) or (v, w_raw).
    """

    log_density: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


def _centred_log_density(theta):
    v, w = theta
    return -(v**2) / (2 * SD**2) - v / 2 - w**2 * np.exp(-v) / 2


def _centred_gradient(theta):
    v, w = theta
    return np.array([-v / SD**2 - 0.5 + w**2 * np.exp(-v) / 2, -w * np.exp(-v)])


def _free_log_density(theta):
    v, raw = theta
    return -(v**2) / (2 * SD**2) - raw**2 / 2


def _free_gradient(theta):
    v, raw = theta
    return np.array([-v / SD**2, -raw])


FUNNEL = {
    "centred": Form(_centred_log_density, _centred_gradient),
    "non-centred": Form(_free_log_density, _free_gradient),
}


class Path(NamedTuple):
    """A leapfrog path.

    Attributes
    ----------
    places : array (step + 1, 2)
        (v, w) or (v, w_raw), the start first.
    errors : array (step + 1,)
        Energy above that of the start, in nats; infinite where it is not a number.
    """

    places: Array
    errors: Array


@lru_cache(maxsize=64)
def path(form: str, step: float, start: float) -> Path:
    """Follow `bnn_course.samplers.leapfrog` for a time of 12, or until it diverges (lesson 02).

    Parameters
    ----------
    form : {"centred", "non-centred"}
    step : float
        Step size Δt, one of `STEPS`.
    start : float
        First v, a value of `STARTS`; w starts at 0.7 of its scale, whatever the form.

    Returns
    -------
    Path
        The last place is the one at which the energy error first exceeds 1000 nats, if it does.

    Raises
    ------
    ValueError
        If one of them is not among the values of its control.
    """
    target = FUNNEL[one_of(form, "form", FORMS)]
    n_steps = round(TIME / one_of(step, "step", STEPS))
    width = np.exp(one_of(start, "start", list(STARTS.values())) / 2) if form == "centred" else 1.0
    states = [samplers.State(np.array([start, RAW_START * width]), np.array(MOMENTUM))]
    energies = [_energy(target, states[0])]
    with np.errstate(over="ignore", invalid="ignore"):  # of a path that diverges
        while len(states) <= n_steps and energies[-1] - energies[0] <= samplers.DIVERGENT:
            states.append(samplers.leapfrog(target.gradient, *states[-1], step=step))
            energies.append(_energy(target, states[-1]))
    errors = np.array(energies) - energies[0]
    return Path(np.array([state.theta for state in states]), np.where(np.isnan(errors), np.inf, errors))


def _energy(target, state):
    return state.momentum @ state.momentum / 2 - target.log_density(state.theta)


def draw_funnel(figure: Figure, step: float, form: str, start: float) -> str:
    """Draw a leapfrog path over the density that the sampler sees, and its energy error.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.4 inches suit it.
    step : float
        Step size Δt, one of `STEPS`.
    form : {"centred", "non-centred"}
        Whether the sampler moves w itself, or w_raw, which is w over its scale.
    start : float
        First v, a value of `STARTS`.

    Returns
    -------
    str
        How many steps there are, how low the path goes, and whether it is accepted or diverges.
    """
    made = path(form, step, start)
    plane, error = figure.subplots(1, 2, width_ratios=[1.1, 1])
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.15, top=0.9, wspace=0.38)
    diverged = bool(made.errors[-1] > samplers.DIVERGENT)
    _plane(plane, made.places, form, start, diverged)
    _errors(error, made.errors, step, diverged)
    n_steps = round(TIME / step)
    about = f"{form.capitalize()}, step {step:g} from v = {number(start, 0)}: "
    if diverged:
        about += f"diverged at step {len(made.errors) - 1} of {n_steps}, the energy error is above 1000 nats: rejected"
    else:
        probability = np.exp(min(0.0, -made.errors[-1]))
        about += (
            f"{n_steps} steps, v between {number(made.places[:, 0].min(), 1)} and {number(made.places[:, 0].max(), 1)};"
            f" energy error {number(made.errors[-1])} nats at the end, accepted with probability {number(probability)}"
        )
    return about.replace(" -", " −")


@lru_cache(maxsize=8)
def _heights(form, half_width):
    """Axes of a grid, and nats below the highest point on it."""
    sideways, v = np.linspace(-half_width, half_width, 81), np.linspace(-TOP, TOP, 81)
    depth = -FUNNEL[form].log_density(np.array(np.meshgrid(v, sideways, indexing="ij")))
    return sideways, v, depth - depth.min()


def _plane(ax, places, form, start, diverged):
    """The density in grey and the path on it, clipped to what a picture can hold."""
    half_width = HALF_WIDTH[start] if form == "centred" else 4.0
    ax.contourf(*_heights(form, half_width), [0, 1, 2, 4, 6, 9], cmap="Greys_r", alpha=0.5, vmin=-2, vmax=11)
    v, sideways = np.clip(places, -1e3, 1e3).T
    ax.plot(sideways, v, ".-", color=plots.BLUE, markersize=4, linewidth=1, gid="path", label="path")
    ax.plot(sideways[0], v[0], "o", color=plots.BLACK, markersize=6, label="start")
    if diverged:
        there = (np.abs(sideways) < half_width) & (np.abs(v) < TOP)
        last = np.flatnonzero(there)[-1]  # on the map
        ax.plot(sideways[last], v[last], "X", color=plots.VERMILLION, markersize=9, label="diverges", zorder=4)
    label = "weight $w$" if form == "centred" else r"free variable $w\,/\,e^{v/2}$"
    ax.set(xlabel=label, ylabel="$v$, log of the variance", xlim=(-half_width, half_width), ylim=(-TOP, TOP))
    ax.set(xticks=[-half_width, 0, half_width], yticks=[-6, 0, 6])
    ax.legend(**KEY)


def _errors(ax, errors, step, diverged):
    """Size of the energy error against time, as its logarithm: a linear axis draws faster than a logarithmic one."""
    time = step * np.arange(len(errors))
    size = np.log10(np.clip(np.abs(errors), FLOOR, CEILING))
    ax.plot(time[1:], size[1:], ".-", color=plots.BLUE, markersize=4, linewidth=1, gid="error")
    if diverged:
        ax.plot(time[-1], size[-1], "X", color=plots.VERMILLION, markersize=9, clip_on=False)
    for height, style, text in ((samplers.DIVERGENT, "--", "1000 nats: diverged"), (1, ":", "1 nat")):
        ax.axhline(np.log10(height), color=plots.DARK, linewidth=1, linestyle=style, label=text)
    ax.legend(**KEY)
    ax.set(xlabel="time along the path", ylabel="size of the energy error (nats)", xlim=(-0.4, TIME + 0.4))
    ax.set(ylim=np.log10([FLOOR, CEILING]), xticks=[0, 4, 8, 12])
    ax.set_yticks([-4, -2, 0, 2, 4, 6], ["0.0001", "0.01", "1", "100", "10⁴", "10⁶"])


def funnel() -> Explorer:
    """Explorer for lesson 06: a leapfrog path in the funnel, centred or not, whose step the reader sets.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_funnel,
        "Left, the density over a weight or its free variable and v, in grey, with a leapfrog path from a black dot; "
        "a cross marks where it begins to diverge. Right, the size of the energy error along it on a logarithmic axis, "
        "with lines at one nat and at a thousand.",
        size=(6, 3.4),
        main="step",
        step=SelectionSlider(options=scale(*STEPS), value=0.5, description=r"step size $\Delta t$"),
        form=Dropdown(options=list(FORMS), description="form"),
        start=Dropdown(options=list(STARTS.items()), description="start in"),
    )
