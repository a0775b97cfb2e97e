"""Effective draws per second of NUTS on the lessons' networks: PyMC's own sampler, nutpie and NumPyro, side by side.

    python benchmarks/nuts.py [--seeds 5]        (pip install nutpie numpyro; neither is needed for the course)

Four chains one after the other, as in the lessons. Effective draws: the smallest bulk ESS among the predicted
probabilities at the training points, since weights are not identified (lesson 05). Compilation is timed apart: a
sampler compiles for each model, a chain draws for as long as one likes. Samplers take turns, and the ratios are of one
run. Writes benchmarks/nuts_pymc5.json or nuts_pymc6.json.
"""

import argparse
import importlib.util
import json
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import pymc as pm

from bnn_course import data, inference, models

CHAINS, TUNE, DRAWS = 4, 300, 300


def networks():
    """The networks of lessons 05 and 06 that are sampled: fixed scale, and a hyperprior on the scale."""
    moons = data.make_moons(100, noise=0.2, rng=np.random.default_rng(2017))
    yield (
        "lesson 05: 21 weights, fixed scale",
        models.bnn_model(*moons, hidden=(5,), hyperprior_parameters={"scale": 2}),
    )
    yield "lesson 06: two layers, Half-Normal scales", models.bnn_model(*moons, hidden=(5, 5), hyperprior="half_normal")


def sample(model, sampler, seed, tune, draws):
    """Draws of one sampler and the seconds that the call took."""
    began = time.perf_counter()
    options = {"chain_method": "sequential"} if sampler == "numpyro" else {}
    with model:
        if sampler == "numpyro":
            from pymc.sampling.jax import sample_numpyro_nuts

            found = sample_numpyro_nuts(
                draws, tune=tune, chains=CHAINS, random_seed=seed, progressbar=False,
                compute_convergence_checks=False, **options,
            )  # fmt: skip
        else:
            found = pm.sample(
                draws, tune=tune, chains=CHAINS, cores=1, random_seed=seed, nuts_sampler=sampler, progressbar=False,
                compute_convergence_checks=False,
            )  # fmt: skip
    return found, time.perf_counter() - began


def smallest_ess(model, posterior):
    """Smallest bulk ESS among the predicted probabilities at the training points."""
    x = model["X"].get_value()
    p = inference.predict(model, posterior, "probability", given={"X": x}).astype(float)
    ess = az.ess(az.convert_to_dataset({"p": p.reshape(CHAINS, -1, len(x))}))["p"].values
    return float(ess.min())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    samplers = ["pymc", *(name for name in ("nutpie", "numpyro") if importlib.util.find_spec(name))]
    rows = []
    for name, model in networks():
        start = {sampler: sample(model, sampler, 0, 10, 10)[1] for sampler in samplers}
        rates, seconds = {s: [] for s in samplers}, {s: [] for s in samplers}
        for seed in range(1, options.seeds + 1):
            for sampler in samplers:
                posterior, wall = sample(model, sampler, seed, TUNE, DRAWS)
                _, again = sample(model, sampler, seed, 10, 10)  # what a call costs besides drawing
                seconds[sampler].append(wall)
                rates[sampler].append(smallest_ess(model, posterior) / max(wall - again, 1e-3))
        for sampler in samplers:
            ratios = [a / b for a, b in zip(rates[sampler], rates["pymc"], strict=True)]
            row = {"model": name, "sampler": sampler, "first_call_s": start[sampler]}
            row |= {"seconds": statistics.median(seconds[sampler]), "ess_per_s": statistics.median(rates[sampler])}
            rows.append(row | {"times_pymc": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)})
            print(
                {key: round(value, 2) if isinstance(value, float) else value for key, value in rows[-1].items()},
                flush=True,
            )
    stack = f"pymc{pm.__version__.split('.')[0]}"
    Path(__file__).with_name(f"nuts_{stack}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
