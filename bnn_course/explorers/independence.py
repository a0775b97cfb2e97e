"""What independence costs: a correlated Normal, and the best Normal with independent parts (lesson 03)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ipywidgets import Dropdown, FloatSlider
from matplotlib.figure import Figure

from bnn_course import plots
from bnn_course._checks import Array, one_of, real_number
from bnn_course.explorers import Explorer, number

DIRECTIONS = ("KL(q‖p)", "KL(p‖q)")
STRONGEST = 0.99  # correlation
ANGLE = np.linspace(0, 2 * np.pi, 121)
SHARES = (0.5, 0.9)  # of the probability, inside the ellipses
STYLES = dict(zip(DIRECTIONS, ((plots.BLUE, "-"), (plots.VERMILLION, "--")), strict=True))


class Best(NamedTuple):
    """The best q, two independent Normals of the same standard deviation around the mean of p.

    Attributes
    ----------
    sd : float
        In standard deviations of p, in (0, 1].
    kl : float
        The divergence that is left, in nats, ≥ 0.
    """

    sd: float
    kl: float


def best(correlation: float, direction: str) -> Best:
    r"""Minimise a divergence between a Normal p of unit variances and independent Normals, in closed form (lesson 03).

    :math:`\mathrm{KL}(q\|p)` wants the variances :math:`1/\Lambda_{ii} = 1-\rho^2` (Bishop 2006, equations
    10.12–10.15), :math:`\mathrm{KL}(p\|q)` those of the marginals (equation 10.17). Both leave
    :math:`-\frac12\ln(1-\rho^2)`, the mutual information of the two unknowns.

    Parameters
    ----------
    correlation : float
        ρ, in [−0.99, 0.99].
    direction : {"KL(q‖p)", "KL(p‖q)"}

    Returns
    -------
    Best

    Raises
    ------
    ValueError
        If the correlation is outside its range, or there is no such direction.
    """
    left = 1 - real_number(correlation, "correlation", low=-STRONGEST, high=STRONGEST) ** 2
    first = one_of(direction, "direction", DIRECTIONS) == DIRECTIONS[0]
    return Best(left**0.5 if first else 1.0, -0.5 * float(np.log(left)))


def ellipse(correlation: float, sd: float, share: float) -> Array:
    """Return the ellipse that holds a share of the probability of a two-dimensional Normal around zero.

    Parameters
    ----------
    correlation : float
        In (−1, 1).
    sd : float
        Of both unknowns.
    share : float
        In (0, 1).

    Returns
    -------
    array (2, 121)
        Its corners, in order; the last is the first.
    """
    root = np.array([[1, 0], [correlation, (1 - correlation**2) ** 0.5]])
    return sd * (-2 * np.log(1 - share)) ** 0.5 * root @ np.array([np.cos(ANGLE), np.sin(ANGLE)])


def draw_correlation(figure: Figure, correlation: float, direction: str) -> str:
    """Draw ellipses of p and of the best q, and the width that q keeps, against the correlation.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.2 inches suit it.
    correlation : float
        ρ of p, in [−0.99, 0.99].
    direction : {"KL(q‖p)", "KL(p‖q)"}
        The divergence that q minimises.

    Returns
    -------
    str
        What q keeps of a width, the divergence that is left, and both widths of the sum.
    """
    q = best(correlation, direction)
    plane, widths = figure.subplots(1, 2, width_ratios=[1, 1.05])
    figure.subplots_adjust(left=0.085, right=0.98, bottom=0.15, top=0.88, wspace=0.3)
    _ellipses(plane, correlation, q.sd, direction)
    _widths(widths, correlation, q.sd, direction)
    of_sum = [(2 + 2 * correlation) ** 0.5, 2**0.5 * q.sd]
    return (
        f"ρ = {number(correlation)}, smallest {direction}: q keeps {number(q.sd)} of each standard deviation, "
        f"{number(q.sd**2)} of each variance; {number(q.kl)} nats are left. The sum of both unknowns has sd "
        f"{number(of_sum[0])} under p, {number(of_sum[1])} under q"
    ).replace("= -", "= −")


def _ellipses(ax, correlation, sd, direction):
    """Shaded p below lines of q."""
    for share, shade in zip(SHARES[::-1], (plots.PALE, plots.GREY), strict=True):
        ax.fill(*ellipse(correlation, 1, share), color=shade, linewidth=0, label="p" if share == SHARES[0] else None)
    colour, line = STYLES[direction]
    for share in SHARES:
        style = {"color": colour, "linestyle": line, "linewidth": 1.8}
        ax.plot(*ellipse(0, sd, share), label="best q" if share == SHARES[1] else "_half", **style)
    ax.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    place = {"loc": "lower left", "bbox_to_anchor": (-0.03, 1.0), "borderaxespad": 0.1, "ncols": 2}
    ax.legend(frameon=False, fontsize=9, columnspacing=1.2, **place)


def _widths(ax, correlation, sd, direction):
    """Share of the standard deviation that the best q keeps, for both directions."""
    rho = STRONGEST * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 101))  # closer where the curve is steep
    for name, (colour, line) in STYLES.items():
        kept = [best(float(value), name).sd for value in rho]
        width = 2.2 if name == direction else 1
        ax.plot(rho, kept, color=colour, linestyle=line, linewidth=width, label=f"smallest {name}")
    ax.plot(correlation, sd, "o", color=plots.BLACK, markersize=7, gid="here", zorder=3)
    ax.set(xlabel=r"correlation $\rho$", ylabel="sd of q / sd of p", xlim=(-1.04, 1.04), ylim=(0, 1.35))
    ax.set(xticks=[-1, -0.5, 0, 0.5, 1], yticks=[0, 0.25, 0.5, 0.75, 1])
    ax.legend(frameon=False, fontsize=9, loc="upper center", borderaxespad=0.1)


def correlation() -> Explorer:
    """Explorer for lesson 03: turn the correlation of a Normal and see what the best independent q keeps of it.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_correlation,
        "Left, the shaded ellipses of a correlated Normal p, and over them the ellipses of the best q, whose axes are "
        "those of the plane. Right, the standard deviation of q over that of p against the correlation, one curve for "
        "each direction of the KL, with a dot at the chosen correlation.",
        size=(6, 3.2),
        main="correlation",
        correlation=FloatSlider(
            value=0.5, min=-STRONGEST, max=STRONGEST, step=0.01, description=r"correlation $\rho$ of $p$"
        ),
        direction=Dropdown(options=list(DIRECTIONS), description="q minimises"),
    )
