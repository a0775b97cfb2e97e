"""Effective draws per evaluation against dimension, for four samplers on one correlated Gaussian (lesson 02, row S2).

    python studies/sampler_scaling.py           # writes notebooks/records/sampler_scaling.csv, about 5 minutes

The target consists of d/2 independent pairs of standard Normals with correlation 0.8, so that only the number of
dimensions grows. Chains start in the target. An evaluation is the log density, its gradient or both at one new point; a
sweep of Gibbs counts as one. ESS is the smaller of the bulk ESS of the components and that of their squares, each
averaged over components (chains that swing from side to side know the mean better than the variance).

Columns: sampler; dimension; seed; step size; mean acceptance; draws; evaluations; ess; ess_per_evaluation.
"""

import argparse
import csv
from pathlib import Path

import arviz as az
import numpy as np

from bnn_course import samplers

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "sampler_scaling.csv"
COLUMNS = "sampler dimension seed step acceptance draws evaluations ess ess_per_evaluation".split()
RHO = 0.8
DIMENSIONS = [2, 4, 8, 16, 32, 64, 128, 256]


class Pairs:
    """d/2 independent pairs of standard Normals with correlation RHO: density, gradient, conditionals, exact draws."""

    def __init__(self, dimension):
        self.dimension = dimension

    def gradient(self, theta):
        return (RHO * theta.reshape(-1, 2)[:, ::-1].ravel() - theta) / (1 - RHO**2)

    def log_density(self, theta):
        return theta @ self.gradient(theta) / 2

    def conditionals(self):
        sd = np.sqrt(1 - RHO**2)

        def given_partner(partner):
            return lambda theta, rng: RHO * theta[partner] + sd * rng.normal()

        return [given_partner(i ^ 1) for i in range(self.dimension)]

    def exact(self, rng):
        return (rng.normal(size=(self.dimension // 2, 2)) @ np.linalg.cholesky([[1, RHO], [RHO, 1]]).T).ravel()


def ess(draws):
    """The smaller of the bulk ESS of the components and of their squares, each averaged over components."""
    means = [az.ess(az.convert_to_dataset({"x": x[None]}))["x"].values.mean() for x in (draws, draws**2)]
    return min(means)


def random_walk(target, rng):
    """Optimal scaling 2.38/√d × scale (Roberts & Rosenthal 2001); keeps every (d/2)-th of 1000 d draws."""
    d = target.dimension
    step = 2.38 * np.sqrt((1 - RHO**2) / d)
    theta, kept = target.exact(rng), []
    for _ in range(2000):
        chain = samplers.random_walk_metropolis(target.log_density, theta, draws=d // 2, step=step, rng=rng)
        theta = chain.draws[-1]
        kept.append((theta, chain.acceptance.mean(), chain.evaluations.sum()))
    draws, acceptance, evaluations = map(np.array, zip(*kept, strict=True))
    return step, draws, acceptance, evaluations


def gibbs(target, rng):
    chain = samplers.gibbs(target.conditionals(), target.exact(rng), draws=2000, rng=rng)
    return np.nan, chain.draws, chain.acceptance, chain.evaluations


def hmc(target, rng):
    """Acceptance tuned to 0.651 (Beskos et al. 2013); trajectories of at most half a period of the widest direction."""

    def sample(theta, step, draws=1):
        n_steps = int(np.ceil(np.pi * np.sqrt(1 + RHO) / step))
        return samplers.hmc(
            target.log_density, target.gradient, theta, draws=draws, step=step, n_steps=n_steps, rng=rng
        )

    step, theta = samplers.tune_step(sample, target.exact(rng), step=0.3, target=0.651, rounds=500)
    chain = sample(theta, step, draws=2000)
    return step, chain.draws, chain.acceptance, chain.evaluations


def nuts(target, rng):
    """Acceptance tuned to 0.8, as PyMC does."""

    def sample(theta, step, draws=1):
        return samplers.nuts(target.log_density, target.gradient, theta, draws=draws, step=step, rng=rng)

    step, theta = samplers.tune_step(sample, target.exact(rng), step=0.3, target=0.8, rounds=300)
    chain = sample(theta, step, draws=1000)
    return step, chain.draws, chain.acceptance, chain.evaluations


SAMPLERS = {"random walk": random_walk, "Gibbs": gibbs, "HMC": hmc, "NUTS": nuts}


def measure(name, dimension, seed):
    """One row of the record."""
    rng = np.random.default_rng([seed, dimension, list(SAMPLERS).index(name)])
    step, draws, acceptance, evaluations = SAMPLERS[name](Pairs(dimension), rng)
    row = {"sampler": name, "dimension": dimension, "seed": seed, "step": f"{step:.4f}"}
    row |= {"acceptance": f"{acceptance.mean():.3f}", "draws": len(draws), "evaluations": int(evaluations.sum())}
    effective = ess(draws)
    return row | {"ess": f"{effective:.1f}", "ess_per_evaluation": f"{effective / evaluations.sum():.4g}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--dimensions", type=int, nargs="+", default=DIMENSIONS)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    partial = options.output.with_suffix(".part")
    options.output.parent.mkdir(exist_ok=True)
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for seed in range(options.seeds):
            for dimension in options.dimensions:
                for name in SAMPLERS:
                    row = measure(name, dimension, seed)
                    writer.writerow(row)
                    file.flush()
                    print(*row.values(), flush=True)
    partial.replace(options.output)


if __name__ == "__main__":
    main()
