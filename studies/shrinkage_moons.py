"""Eighteen rotated-moons tasks from pooled to separate, with a group spread set by hand (explorer of lesson 07).

    python studies/shrinkage_moons.py      # writes notebooks/records/shrinkage_moons.npz, about 10 processor minutes

Tasks, best rule and scores are the lesson's: its functions are taken here, with its seed. The network is the
lesson's, too. One thing differs: every weight is w = m + s ε with m ~ Normal(0, v² − s²) and ε ~ Normal(0, 1), and
one s for all weights. So the prior of a single weight is Normal(0, v²) whatever s is: s = 0 is the lesson's pooled
network, s = v its separate networks. There are so many rungs that the sampler is the course's HMC (lesson 02, its
step by appendix D) on log density and gradient in NumPy, checked below against the lesson's model. Four chains for
each rung.

Arrays: `width` (width,) v; `share` (share,) s / v; `accuracy` and `nll` (width, share, task) on the held-out points;
`tip` (width, share, task) probability of class zero at the tip of its moon; `map` (width, share, task, row, column)
probability of class one in 255ths on `axis` × `axis`; `spread_of_chains` (width, share), the standard deviation of the
four chains' mean accuracies; `best_accuracy` (task,) and `best_tip` () of the best possible rule; `x` (task, point, 2),
`y` (task, point) and `angle` (task,) in degrees, the points to learn from.
"""

import argparse
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
from scipy import special

from bnn_course import inference, samplers
from bnn_course.datasets import build_datasets
from studies.hierarchical_moons import from_lesson
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "shrinkage_moons.npz"
WIDTHS, SHARES = (1.0, 2.0), (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
CHAINS, TUNE, DRAWS, LEAPFROG = 4, 300, 400, 60
tune_step = lesson("D").define("tune_step")["tune_step"]
AXIS = np.linspace(-2.6, 2.6, 31)
TIP = np.array([0.5, -0.25])


def forward(w, x):
    """Both hidden layers and the logit of the lesson's network; w (task, 51), x (task, point, 2)."""
    h1 = np.tanh(x @ w[:, :10].reshape(-1, 2, 5) + w[:, None, 10:15])
    h2 = np.tanh(h1 @ w[:, 15:40].reshape(-1, 5, 5) + w[:, None, 40:45])
    return h1, h2, (h2 @ w[:, 45:50, None])[..., 0] + w[:, 50:]


def log_likelihood(w, x, y):
    """Log likelihood of all labels, and its gradient (task, 51)."""
    h1, h2, logit = forward(w, x)
    d3 = y - special.expit(logit)
    d2 = d3[..., None] * w[:, None, 45:50] * (1 - h2**2)
    d1 = d2 @ w[:, 15:40].reshape(-1, 5, 5).transpose(0, 2, 1) * (1 - h1**2)
    parts = [x.transpose(0, 2, 1) @ d1, d1.sum(1), h1.transpose(0, 2, 1) @ d2, d2.sum(1)]
    parts += [(h2 * d3[..., None]).sum(1), d3.sum(1)[:, None]]
    return special.log_expit(np.where(y, logit, -logit)).sum(), np.hstack([p.reshape(len(w), -1) for p in parts])


class Family:
    """Posterior of m and ε, in one vector, for a prior width v and a group spread s."""

    def __init__(self, x, y, width, spread):
        self.x, self.y, self.spread, self.common = x, y, spread, np.sqrt(width**2 - spread**2)

    def weights(self, theta):
        m, epsilon = theta[:51], theta[51:].reshape(-1, 51)
        return self.common * m + self.spread * epsilon

    def log_density(self, theta):
        return log_likelihood(self.weights(theta), self.x, self.y)[0] - theta @ theta / 2

    def gradient(self, theta):
        slope = log_likelihood(self.weights(theta), self.x, self.y)[1]
        return np.concatenate([self.common * slope.sum(axis=0), (self.spread * slope).ravel()]) - theta

    def sample(self, rng):
        """Draws of the weights (draw, task, 51) of one chain, after tuning its step size."""

        def run(start, step, draws=1):
            settings = {"draws": draws, "step": step, "n_steps": LEAPFROG, "rng": rng}
            return samplers.hmc(self.log_density, self.gradient, start, **settings)

        start = rng.normal(0, 0.5, 51 * (1 + len(self.x)))
        step, theta = tune_step(run, start, 0.01, wanted=0.8, rounds=TUNE)
        return np.array([self.weights(theta) for theta in run(theta, step, DRAWS).draws[::4]])


def check(names, x, y):
    """The log likelihood above is that of the lesson's separate networks, up to their prior."""
    model = names["separate_model"](x, y, *map(names["same_for_all"], (0, 1)))
    w = np.random.default_rng(0).normal(size=(18, 51))
    ends = np.cumsum([0, *[int(np.prod(shape)) for shape in names["LAYERS"].values()]])
    point = {
        name: w[:, a:b].reshape(18, *shape)
        for (name, shape), a, b in zip(names["LAYERS"].items(), ends[:-1], ends[1:], strict=True)
    }
    prior = -(w**2).sum() / 2 - w.size * np.log(2 * np.pi) / 2
    assert abs(inference.log_density(model)(point) - prior - log_likelihood(w, x, y)[0]) < 1e-6


def probabilities(x, y, width, share, places, seed):
    """Mean probability of class one at `places` (task, point, 2) on one rung: (chain, task, point)."""
    family, found = Family(x, y, width, width * share), []
    for chain in range(CHAINS):
        draws = family.sample(np.random.default_rng([seed, chain]))
        found.append(np.mean([special.expit(forward(w, places)[2]) for w in draws], axis=0))
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RECORD)
    path = parser.parse_args().output
    names = from_lesson()
    angles, x, y, new_x, new_y = names["draw_tasks"](18, np.random.default_rng(names["SEED"]))
    check(names, x, y)
    turn = np.stack([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
    tips = np.einsum("i,ijt->tj", TIP, turn)[:, None]
    grid = np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(1, -1, 2).repeat(18, axis=0)
    places = np.concatenate([new_x, tips, grid], axis=1)
    shape = len(WIDTHS), len(SHARES), 18
    found = {name: np.empty(shape, np.float32) for name in ("accuracy", "nll", "tip")}
    found |= {"map": np.empty((*shape, 31, 31), np.uint8), "spread_of_chains": np.empty(shape[:2], np.float32)}
    for i, j in np.ndindex(shape[:2]):
        chains = probabilities(x, y, WIDTHS[i], SHARES[j], places, names["SEED"])
        p = chains.mean(axis=0)
        found["accuracy"][i, j], found["nll"][i, j] = names["scores"](chains[:, :, :500], new_y)
        found["spread_of_chains"][i, j] = np.std([((c[:, :500] > 0.5) == new_y).mean() for c in chains], ddof=1)
        found["tip"][i, j] = 1 - p[:, 500]
        found["map"][i, j] = np.round(255 * p[:, 501:]).reshape(18, 31, 31)
        means = [found[name][i, j].mean() for name in ("accuracy", "nll", "spread_of_chains")]
        print(WIDTHS[i], SHARES[j], *means, flush=True)
    best = names["best_probability"](np.concatenate([new_x, tips], axis=1), angles)
    found |= {"best_accuracy": ((best[:, :500] > 0.5) == new_y).mean(axis=1), "best_tip": 1 - best[0, 500]}
    found |= {"width": np.array(WIDTHS), "share": np.array(SHARES), "axis": AXIS}
    found |= {"x": x.astype(np.float32), "y": y, "angle": np.degrees(angles)}
    build_datasets.write_all(path.parent, {path.name: found})


if __name__ == "__main__":
    main()
