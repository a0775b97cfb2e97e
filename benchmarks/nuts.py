"""Effective draws per second of NUTS on the lessons' networks: `inference.nuts` beside NumPyro and PyMC's own sampler.

    python benchmarks/nuts.py [--seeds 3]        (pip install numpyro; it is not needed for the course)

Two chains. `inference.nuts` runs them on the cores that there are; NumPyro, called through PyMC, once side by side in
one program ("vectorized") and once on devices of their own ("parallel"); PyMC one after the other, as in lesson 02.
Effective draws: the smallest bulk ESS among the predicted probabilities at the training points, since weights are not
identified (lesson 05). Compilation is timed apart: a sampler compiles for each model, a chain draws for as long as one
likes. Samplers take turns, and ratios are of one turn. Writes benchmarks/nuts_pymc5.json or nuts_pymc6.json.
"""

import argparse
import importlib.util
import json
import os
import statistics
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # for "parallel", before JAX is imported

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import pymc as pm

from bnn_course import data, inference, models

CHAINS, TUNE, DRAWS = 2, 200, 200


def networks():
    """Networks as lessons 05 and 06 sample them."""
    moons = data.make_moons(100, noise=0.2, rng=np.random.default_rng(2017))
    fixed = {"hidden": (5,), "hyperprior_parameters": {"scale": 2}}
    yield "lesson 05: 21 weights, fixed scale", models.bnn_model(*moons, **fixed)
    deep = {"hidden": (5, 5), "hyperprior": "half_normal"}
    yield "lesson 06: two layers, Half-Normal scales", models.bnn_model(*moons, **deep)
    heavy = {"hidden": (8,), "prior": "cauchy", "hyperprior": "inverse_gamma"}
    yield "lesson 06: Cauchy weights, Inverse-Gamma scales", models.bnn_model(*moons, **heavy)


def sample(model, sampler, seed, tune, draws):
    """Draws of one sampler and the seconds that the call took."""
    options = {"draws": draws, "tune": tune, "chains": CHAINS, "random_seed": seed, "compute_convergence_checks": False}
    began = time.perf_counter()
    if sampler == "ours":
        return inference.nuts(model, **options), time.perf_counter() - began
    with model:
        if sampler == "pymc":
            found = pm.sample(**options, cores=1, nuts_sampler="pymc", progressbar=False)
        else:
            from pymc.sampling.jax import sample_numpyro_nuts

            found = sample_numpyro_nuts(**options, chain_method=sampler.split()[1], progressbar=False)
    return found, time.perf_counter() - began


def smallest_ess(posterior):
    """Smallest bulk ESS among the predicted probabilities at the training points."""
    p = posterior.posterior["probability"].values
    ess = az.ess(az.convert_to_dataset({"p": p.reshape(CHAINS, -1, p[0, 0].size)}))["p"].values
    return float(ess.min())


def rates(model, samplers, seeds):
    """Effective draws a second of each sampler for each seed, seconds of whole calls, and of each one's first call."""
    first = {sampler: sample(model, sampler, 0, 10, 10)[1] for sampler in samplers}
    rate, seconds = {s: [] for s in samplers}, {s: [] for s in samplers}
    for seed in range(1, seeds + 1):
        for sampler in samplers:
            posterior, wall = sample(model, sampler, seed, TUNE, DRAWS)
            _, again = sample(model, sampler, seed, 10, 10)  # what a call costs besides drawing
            seconds[sampler].append(wall)
            rate[sampler].append(smallest_ess(posterior) / max(wall - again, 1e-3))
    return rate, seconds, first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    samplers = ["ours", "pymc"]
    samplers += ["numpyro vectorized", "numpyro parallel"] if importlib.util.find_spec("numpyro") else []
    rows = []
    for name, model in networks():
        rate, seconds, first = rates(model, samplers, options.seeds)
        for sampler in samplers:
            ratios = [a / b for a, b in zip(rate["ours"], rate[sampler], strict=True)]
            row = {"model": name, "sampler": sampler, "seeds": options.seeds, "first_call_s": first[sampler]}
            row |= {"seconds": statistics.median(seconds[sampler]), "ess_per_s": statistics.median(rate[sampler])}
            row |= {"ours_over_it": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
            rows.append({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
            print(rows[-1], flush=True)
        stack = f"pymc{pm.__version__.split('.')[0]}"
        Path(__file__).with_name(f"nuts_{stack}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
