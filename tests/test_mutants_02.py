"""Each check of lesson 02 must have been seen failing: one line of the lesson is made wrong, and a claim catches it."""

import functools
from pathlib import Path

import lesson_text
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from bnn_course.claims import ClaimError

SOURCE = Path(lesson_text.__file__).parent / "source" / "02_monte_carlo_samplers.md"

# What a cell needs: first words of the cells to be run before it, in the order of the lesson.
BASE = ["import bnn_course", "x = np.linspace", "def banana_log_density", "def numerical_gradient", "def mcse_away"]
WALK = [*BASE, "def metropolis_hastings", "def random_walk"]
HASTINGS = [*BASE, "def metropolis_hastings", "def scale_log_density", "right, wrong ="]
BALANCE = ["import bnn_course", "def transition_matrix"]
GIBBS = [*BASE, "def gibbs", "fine = ", "def conditional_gap"]
LEAPFROG = [*BASE, "def leapfrog", "def there_and_back", "def largest_error"]
HMC = [*BASE, "def leapfrog", "def hmc", "rolls ="]
TURN = [*BASE, "def leapfrog", "def path"]
NUTS = [*BASE, "def leapfrog", "def turned_back", "def nuts", "turns ="]
DIAGNOSTICS = ["import bnn_course", "def autoregressive", "def split_rhat", "phi =", "def passes"]

MUTANTS = {
    "gradient of the prior forgotten": (BASE, " - theta / 4", "", "02-gradients"),
    "sign of the banana's gradient": (BASE, "+ 4 * miss * theta[0]", "- 4 * miss * theta[0]", "02-gradients"),
    "prior counted twice in the closed form": (BASE, "np.eye(2) / 4\ncov", "np.eye(2) / 2\ncov", "02-grid"),
    "variance of the banana": (BASE, "np.diag([1, 0.75])", "np.diag([1, 0.5])", "02-grid"),
    "acceptance turned round": (
        WALK,
        "np.log(rng.uniform()) < log_ratio",
        "np.log(rng.uniform()) < -log_ratio",
        "02-walk",
    ),
    "logarithm of the uniform number forgotten": (
        WALK,
        "np.log(rng.uniform()) < log_ratio",
        "rng.uniform() < log_ratio",
        "02-walk",
    ),
    "half of the log density": (WALK, "new_log_p - log_p", "(new_log_p - log_p) / 2", "02-walk"),
    "Hastings ratio upside down": (
        HASTINGS,
        "log_proposal(theta, new) - log_proposal(new, theta)",
        "log_proposal(new, theta) - log_proposal(theta, new)",
        "02-hastings-right",
    ),
    "Hastings ratio with one term": (
        HASTINGS,
        "log_proposal(theta, new) - log_proposal(new, theta)",
        "log_proposal(theta, new)",
        "02-hastings-right",
    ),
    "Jacobian of the multiplication forgotten": (HASTINGS, "return -np.log(to[0])", "return 0.0", "02-hastings-right"),
    "balance without Hastings ratio": (
        BALANCE,
        "p[None, :] * q.T / (p[:, None] * q)",
        "p[None, :] / p[:, None]",
        "02-balance",
    ),
    "balance with the ratio upside down": (
        BALANCE,
        "p[None, :] * q.T / (p[:, None] * q)",
        "p[:, None] * q / (p[None, :] * q.T)",
        "02-balance",
    ),
    "sign of the conditional mean": (GIBBS, "weights = -precision[i]", "weights = precision[i]", "02-gibbs-moments"),
    "precision for variance": (GIBBS, "precision[i, i] ** -0.5", "precision[i, i] ** 0.5", "02-gibbs-moments"),
    "sign in the displayed conditional": (
        GIBBS,
        "mean[i] - precision[i, j]",
        "mean[i] + precision[i, j]",
        "02-conditionals",
    ),
    "leapfrog without its first half step": (
        LEAPFROG,
        "momentum = momentum + step / 2 * gradient(theta)\n    for",
        "momentum = momentum + step * gradient(theta)\n    for",
        "02-reversible",
    ),
    "leapfrog becomes Euler": (
        LEAPFROG,
        "    momentum = momentum + step / 2 * gradient(theta)\n    return theta, momentum",
        "    return theta, momentum",
        "02-reversible",
    ),
    "leapfrog with friction": (
        LEAPFROG,
        "    momentum = momentum + step / 2 * gradient(theta)\n    return theta, momentum",
        "    momentum = 0.99 * momentum + step / 2 * gradient(theta)\n    return theta, momentum",
        "02-reversible",
    ),
    "energy without its motion": (LEAPFROG, "+ momentum @ momentum / 2", "", "02-order"),
    "energy with the sign of its motion flipped": (
        HMC,
        "+ momentum @ momentum / 2",
        "- momentum @ momentum / 2",
        "02-hmc",
    ),
    "trajectory accepted always, with a coarse step": (
        HMC,
        "if np.log(rng.uniform()) < gain:",
        "if True:",
        "02-hmc",
    ),
    "momentum of half the variance": (
        HMC,
        "momentum = rng.normal(size=len(theta))",
        "momentum = 0.7 * rng.normal(size=len(theta))",
        "02-hmc",
    ),
    "distance from the wrong place": (TURN, "(thetas - start) * momenta", "thetas * momenta", "02-uturn"),
    "slice not drawn": (NUTS, " - rng.exponential()", " - 5", "02-nuts"),
    "candidates outside the slice": (NUTS, "int(log_u <= log_joint)", "1", "02-nuts"),
    "new half always preferred": (NUTS, "rng.uniform() < grown[3] / count", "True", "02-nuts"),
    "stop at the first turn, keep the point": (NUTS, "if grown[4] and rng.uniform()", "if rng.uniform()", "02-nuts"),
    "R-hat without splitting": (DIAGNOSTICS, "chains.reshape(2 * len(chains), -1)", "chains", "02-rhat"),
    "R-hat without the factor n": (DIAGNOSTICS, "between / n", "between", "02-rhat"),
    "ESS ratio upside down": (DIAGNOSTICS, "(1 + phi) / (1 - phi)", "(1 - phi) / (1 + phi)", "02-ess"),
}


@functools.cache
def code_cells():
    cells = lesson_text.source_cells(SOURCE.read_text(encoding="utf-8"))
    return [cell.source for cell in cells if cell.cell_type == "code"]


def run(beginnings, old="", new=""):
    """Run the cells that begin so, in the lesson's order, with one text replaced."""
    cells = [cell for cell in code_cells() if cell.startswith(tuple(beginnings))]
    assert len(cells) == len(beginnings), "a cell of the lesson begins otherwise now: adjust the list"
    assert not old or sum(old in cell for cell in cells) == 1, f"{old!r} must stand in one of the cells"
    namespace = {}
    try:
        for cell in cells:
            exec(compile(cell.replace(old, new) if old else cell, SOURCE.name, "exec"), namespace)
    finally:
        plt.close("all")


@pytest.mark.parametrize("cells", [WALK, HASTINGS, BALANCE, GIBBS, LEAPFROG, HMC, TURN, NUTS, DIAGNOSTICS])
def test_the_claims_hold_as_written(cells):
    run(cells)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a wrong sampler may overflow on its way
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant):
    cells, old, new, identifier = MUTANTS[mutant]
    with pytest.raises(ClaimError, match=rf"\[{identifier}"):
        run(cells, old, new)
