"""Effective draws per second of NUTS on the lessons' networks: `inference.nuts` beside NumPyro and PyMC's own sampler.

    python benchmarks/nuts.py        (pip install numpyro; it is not needed for the course)

Two chains, 200 steps of tuning and 400 draws each, float64. `inference.nuts` runs the chains on the cores that there
are; so does NumPyro, on PyMC's log density ("parallel": side by side in one program it takes longer); PyMC runs one
after the other, as in lesson 02, but not on the largest network, for which it needs minutes. Effective draws: the
smallest and the median bulk ESS among the predicted probabilities at the training points, since weights are not
identified (lesson 05). The first call compiles and is timed apart. Seconds are those of a later call, tuning included,
of PyMC's sampler those of drawing only; NumPyro finds its program in JAX's cache. Samplers take turns, and ratios are
of one turn: their geometric mean over twenty seeds (five of PyMC's), with a 95 % t-interval. Writes
benchmarks/nuts_pymc5.json or nuts_pymc6.json, network by network, in about half an hour: an interrupted run goes on
where it was. Delete a record to measure all of it again.
"""

import importlib.util
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # for "parallel", before JAX is imported
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import jax
import numpy as np
import pymc as pm
from pymc.sampling.jax import get_jaxified_graph, get_jaxified_logp

from bnn_course import data, inference, models, uncertainty
from tools.lessons import lesson

LENGTHS = {"chains": 2, "tune": 200, "draws": 400}
SEEDS = {"ours": 20, "numpyro": 20, "pymc": 5}  # PyMC's own is several times slower: five decide
TANH = "the course's"  # in Numba; records without it are of the C library's, before there was `bnn_course._tanh`


def networks():
    """Networks as lessons 05, 06 and 07 sample them."""
    moons = data.make_moons(100, noise=0.2, rng=np.random.default_rng(2017))
    fixed = {"hidden": (5,), "hyperprior_parameters": {"scale": 2}}
    yield "lesson 05: 21 weights, fixed scale", models.bnn_model(*moons, **fixed)
    deep = {"hidden": (5, 5), "hyperprior": "half_normal"}
    yield "lesson 06: two layers, Half-Normal scales", models.bnn_model(*moons, **deep)
    heavy = {"hidden": (8,), "prior": "cauchy", "hyperprior": "inverse_gamma"}
    yield "lesson 06: Cauchy weights, Inverse-Gamma scales", models.bnn_model(*moons, **heavy)
    names = lesson("07").define("SEED", "draw_tasks", "hierarchical_model")
    _, x, y, *_ = names["draw_tasks"](18, np.random.default_rng(names["SEED"]))
    yield "lesson 07: 18 networks in a hierarchy, 1 020 unknowns", names["hierarchical_model"](x, y)


# A sampler: a function of the model that gives a function of the seed, which gives the predicted probabilities
# (chain, draw, …) and the seconds of drawing.


def ours(model):
    def draw(seed):
        began = time.perf_counter()
        found = inference.nuts(model, **LENGTHS, random_seed=seed, compute_convergence_checks=False)
        return found.posterior["probability"].values, time.perf_counter() - began

    return draw


def pymc(model):
    def draw(seed):
        how = {"nuts_sampler": "pymc", "cores": 1, "progressbar": False, "compute_convergence_checks": False}
        found = pm.sample(**LENGTHS, random_seed=seed, model=model, **how)
        return found.posterior["probability"].values, found.posterior.attrs["sampling_time"]

    return draw


def numpyro(model):
    """NumPyro's sampler on PyMC's log density; it starts where `inference.nuts` does."""
    from numpyro.infer import MCMC, NUTS

    chains, tune, draws = LENGTHS.values()
    kernel = NUTS(potential_fn=get_jaxified_logp(model, negative_logp=False))  # the negative one, as in `pm.sample`
    options = {"chain_method": "parallel", "postprocess_fn": None, "progress_bar": False}
    mcmc = MCMC(kernel, num_warmup=tune, num_samples=draws, num_chains=chains, **options)
    centre = list(model.initial_point().values())
    outputs = model.replace_rvs_by_values([model["probability"]])
    predict = jax.jit(jax.vmap(jax.vmap(get_jaxified_graph(inputs=model.value_vars, outputs=outputs))))

    def draw(seed):
        rng = np.random.default_rng(seed)
        start = [value + rng.uniform(-1, 1, (chains, *value.shape)) for value in centre]
        began = time.perf_counter()
        mcmc.run(jax.random.split(jax.random.key(seed), chains), init_params=start)
        found = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
        seconds = time.perf_counter() - began
        return np.asarray(predict(*found)[0]), seconds

    return draw


def samplers(model):
    found = {"ours": ours} | ({"pymc": pymc} if len(model.free_RVs) < 10 else {})
    return found | ({"numpyro": numpyro} if importlib.util.find_spec("numpyro") else {})


def effective_draws(probability):
    """Smallest and median bulk ESS among the predicted probabilities at the training points."""
    p = probability.reshape(*probability.shape[:2], -1)
    ess = az.ess(az.convert_to_dataset({"p": p}))["p"].values
    return {"smallest": float(ess.min()), "median": float(np.median(ess))}


def turns(model):
    """Effective draws a second (by kind, for each seed) and seconds of each sampler, and those of its first call."""
    draw, first = {}, {}
    for name, make in samplers(model).items():
        began = time.perf_counter()
        draw[name] = make(model)
        draw[name](0)
        first[name] = time.perf_counter() - began
    rate, seconds = {name: {"smallest": [], "median": []} for name in draw}, {name: [] for name in draw}
    for seed in range(1, max(SEEDS.values()) + 1):
        for name in (name for name in draw if seed <= SEEDS[name]):
            probability, wall = draw[name](seed)
            seconds[name].append(wall)
            for kind, ess in effective_draws(probability).items():
                rate[name][kind].append(ess / wall)
    return rate, seconds, first


def geometric_mean(ratios):
    """Geometric mean of the ratios, and the ends of its 95 % t-interval."""
    mean, half, _ = uncertainty.t_interval(np.log(ratios))
    return [round(float(np.exp(mean + shift)), 3) for shift in (0, -half, half)]


def measured(name, model):
    """The rows of a network, one for each sampler."""
    rate, seconds, first = turns(model)
    for sampler in rate:
        row = {"model": name, "sampler": sampler, "seeds": SEEDS[sampler], "tanh": TANH}
        row |= {"first_call_s": round(first[sampler], 1)}
        row |= {"seconds": round(statistics.median(seconds[sampler]), 2)}
        for kind, its in rate[sampler].items():
            row |= {f"{kind}_ess_per_s": round(statistics.median(its), 2)}
            row |= {f"{kind}_ours_over_it": geometric_mean(np.divide(rate["ours"][kind][: len(its)], its))}
        print(row, flush=True)
        yield row


def is_current(row):
    return (row["seeds"], row.get("tanh")) == (SEEDS[row["sampler"]], TANH)


def main():
    record = Path(__file__).with_name(f"nuts_pymc{pm.__version__.split('.')[0]}.json")
    rows = {}  # by network
    for row in json.loads(record.read_text()) if record.exists() else []:
        rows.setdefault(row["model"], []).append(row)
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)  # empty, so that first calls compile
        for name, model in networks():
            if name in rows and all(is_current(row) for row in rows[name]):
                continue  # measured before an interruption
            rows[name] = list(measured(name, model))
            record.write_text(json.dumps([row for its in rows.values() for row in its], indent=2) + "\n")
            jax.clear_caches()  # NumPyro loads its program for every seed, and a process can map only so much


if __name__ == "__main__":
    main()
