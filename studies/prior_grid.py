"""Priors × scales × data sets × seeds: what the prior of a small network does to its predictions (lesson 06).

    python studies/prior_grid.py              # fills notebooks/records/prior_grid.csv, about 20 minutes on one core
    python studies/prior_grid.py --jobs 8     # the same on eight
    python studies/prior_grid.py --cluster tcp://localhost:8786     # on the workers of a Dask scheduler

Rows that exist are kept, so an interrupted run goes on where it was; delete the file to measure everything anew.
Network, priors and data are those of the lesson, the resumable grid is that of appendix G: this script takes their
code. The lesson samples by NUTS; here several hundred posteriors are wanted, so eight chains of Hamiltonian Monte Carlo
(lesson 02) move at once, compiled by JAX for each prior and hyperprior. The lesson repeats some cells by NUTS and
compares.

Columns: prior; scale (fixed for both layers, fixed for each, or the hyperprior); data set; seed of data and sampler;
accuracy, NLL (nats) and ECE on 1000 fresh points; choose_nll, the NLL on 1000 others, to choose a scale by; R-hat of
the predicted probability (95 % quantile over the fresh points); divergent transitions; posterior medians of the scale
of the first and of the second layer (the fixed values where they are fixed).
"""

import argparse
import functools
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from bnn_course import uncertainty
from bnn_course._predict import prepared
from bnn_course._problem import Problem
from studies import _cluster
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "prior_grid.csv"

CHAINS, LEAPS, SEGMENT = 8, 48, 50
TUNING, KEPT, THIN = 5, 6, 3  # segments; every third draw is used
ACCEPTANCE = 0.8


@functools.cache
def from_lesson():
    """What lesson 06 and its appendix define, once in each process."""
    return lesson("06").define("PRIORS", "HYPERPRIORS", "FIXED", "SETS", "network", "points")


@functools.cache
def from_appendix():
    """The resumable grid of appendix G, and the columns of its table."""
    return lesson("G").define("COLUMNS", "grid")


@functools.cache
def compiled(prior, scale):
    """The model of a prior and a scale, the shapes of its values, and `hmc` for it; what is data enters later."""
    names = from_lesson()
    (x, y), *_ = names["points"]("moons", 0)
    problem = Problem(names["network"](x, y, prior, scale))
    shapes = [value.shape for value in problem.start().values()]
    log_density = problem.log_density(jacobian=True).call
    both = jax.value_and_grad(lambda q, constants: log_density(*unravel(q, shapes), *constants)[0])
    return problem, shapes, jax.jit(functools.partial(hmc, jax.vmap(both, in_axes=(0, None))))


def unravel(q, shapes):
    """Cut the last axis of q into arrays of the given shapes."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = jnp.split(q, np.cumsum(sizes)[:-1], axis=-1)
    return tuple(part.reshape(*q.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True))


def hmc(log_p_and_slope, q, key, sd, log_step, rate, constants):
    """A segment of Hamiltonian Monte Carlo, all chains at once.

    The mass is 1/sd²; the number of leapfrog steps and the step size are jittered; with rate > 0 the step size moves
    towards the wanted acceptance (Robbins–Monro). Returns draws (draw, chain, value), acceptance, divergences and the
    logarithm of the step, each for every transition.
    """

    def leapfrog(h, state):
        q, p, _, slope = state
        p = p + h / 2 * sd * slope
        q = q + h * sd * p
        log_p, slope = log_p_and_slope(q, constants)
        return q, p + h / 2 * sd * slope, log_p, slope

    def transition(state, inputs):
        q, log_p, slope, log_step = state
        key, t = inputs
        for_p, for_n, for_h, for_u = jax.random.split(key, 4)
        p = jax.random.normal(for_p, q.shape)
        h = jnp.exp(log_step) * jax.random.uniform(for_h, minval=0.8, maxval=1.2)
        n = jax.random.randint(for_n, (), LEAPS // 2, LEAPS + 1)
        new = jax.lax.fori_loop(0, n, lambda _, s: leapfrog(h, s), (q, p, log_p, slope))
        new_q, new_p, new_log_p, new_slope = new
        gain = new_log_p - (new_p**2).sum(axis=-1) / 2 - log_p + (p**2).sum(axis=-1) / 2
        gain = jnp.where(jnp.isnan(gain), -jnp.inf, gain)
        acceptance = jnp.exp(jnp.minimum(gain, 0))
        accepted = jax.random.uniform(for_u, gain.shape) < acceptance
        q, slope = (jnp.where(accepted[:, None], *pair) for pair in ((new_q, q), (new_slope, slope)))
        log_p = jnp.where(accepted, new_log_p, log_p)
        log_step = log_step + rate * (acceptance.mean() - ACCEPTANCE) / jnp.sqrt(t + 1)
        return (q, log_p, slope, log_step), (q, acceptance.mean(), (gain < -1000).sum(), log_step)

    start = (q, *log_p_and_slope(q, constants), log_step)
    return jax.lax.scan(transition, start, (jax.random.split(key, SEGMENT), jnp.arange(SEGMENT)))[1]


def model_of(prior, scale, x, y):
    """What `compiled` returns, with the data and the fixed scales in place."""
    fixed = from_lesson()["FIXED"]
    problem, shapes, segment = compiled(prior, "fixed 1" if scale in fixed else scale)
    values = {"X": x, "y": y}
    if scale in fixed:
        values["scale1"], values["scale2"] = fixed[scale]
    for name, value in values.items():
        problem.model.set_data(name, value)
    return problem, shapes, segment


def sample(prior, scale, x, y, seed):
    """Posterior draws (chain, draw, value) of one cell, unconstrained, and the number of divergent transitions."""
    problem, shapes, segment = model_of(prior, scale, x, y)
    constants = tuple(jnp.asarray(c) for c in problem.log_density(jacobian=True).constants())
    size = sum(int(np.prod(shape)) for shape in shapes)
    first, *keys = jax.random.split(jax.random.key(seed), 1 + TUNING + KEPT)
    q, sd, log_step = jax.random.normal(first, (CHAINS, size)) / 2, np.ones(size), np.log(0.1)
    for i, key in enumerate(keys[:TUNING]):
        draws, _, _, steps = segment(q, key, sd, log_step, 1.0, constants)
        q, log_step = draws[-1], float(steps[SEGMENT // 2 :].mean())
        if i < TUNING - 1:  # widths from the middle two thirds: they exist for every tail
            low, high = np.quantile(draws[SEGMENT // 2 :], [0.16, 0.84], axis=(0, 1))
            sd = np.maximum((high - low) / 2, 1e-3)
            log_step = np.log(0.3) if i == 0 else log_step
    kept, divergences = [], 0
    for key in keys[TUNING:]:
        draws, _, diverged, _ = segment(q, key, sd, log_step, 0.0, constants)
        q, divergences = draws[-1], divergences + int(diverged.sum())
        kept.append(np.asarray(draws[::THIN]))
    return np.concatenate(kept).swapaxes(0, 1), divergences


def measure(prior, scale, name, seed):
    """One row of the record."""
    (x, y), (test_x, test_y), (choose_x, choose_y) = from_lesson()["points"](name, seed)
    with jax.enable_x64(True):
        draws, divergences = sample(prior, scale, x, y, seed)
        problem, shapes, _ = model_of(prior, scale, x, y)
        free = problem.constrain(unravel(draws.reshape(-1, draws.shape[-1]), shapes))
        forward, batches, given = prepared(problem, ["probability"], {"X": np.concatenate([test_x, choose_x])})
        drawn = tuple(free[v] for v in forward.draw_names)
        (p,) = jax.vmap(lambda draw: forward.call(draw, batches, (*given, *forward.constants())))(drawn)
    p = np.asarray(p).reshape(*draws.shape[:2], -1)
    mean = p.mean(axis=(0, 1))
    test_p, choose_p = np.split(np.stack([1 - mean, mean], axis=-1), [len(test_x)])
    scores = [score(test_p, test_y) for score in (uncertainty.accuracy, uncertainty.nll, uncertainty.ece)]
    rhat = np.quantile(uncertainty.split_rhat(p[..., : len(test_x)]), 0.95)
    row = [f"{value:.4f}" for value in (*scores, uncertainty.nll(choose_p, choose_y), rhat)]
    return [prior, scale, name, seed, *row, divergences, *(f"{s:.3f}" for s in widths(free, scale))]


def widths(free, scale):
    """Posterior medians of the scales of both layers."""
    fixed = from_lesson()["FIXED"]
    if scale in fixed:
        return fixed[scale]
    if scale == "Inverse-Gamma":
        return [np.sqrt(np.median(free[f"scale{layer}_squared"])) for layer in (1, 2)]
    return [np.median(free[f"scale{layer}"]) for layer in (1, 2)]


def all_cells(seeds):
    """All cells, seed by seed, so that an unfinished table is balanced."""
    names = from_lesson()
    combinations = itertools.product(
        range(seeds), names["PRIORS"], [*names["FIXED"], *names["HYPERPRIORS"]], names["SETS"]
    )
    return [(prior, scale, name, seed) for seed, prior, scale, name in combinations]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler; its workers decide how many jobs")
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    options.output.parent.mkdir(exist_ok=True)
    from studies.prior_grid import measure  # under its own name, so that worker processes can import it

    with _cluster.on(options.cluster):
        from_appendix()["grid"](all_cells(options.seeds), options.output, measure, n_jobs=options.jobs)


if __name__ == "__main__":
    main()
