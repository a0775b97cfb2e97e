"""Separate, pooled and hierarchical networks on rotated moons, each with its best prior, and a new task (lesson 07).

    python studies/hierarchical_moons.py                    # contest and transfer, about half an hour on one core
    python studies/hierarchical_moons.py --seeds 0 1        # some seeds; another process can do others meanwhile
    python studies/hierarchical_moons.py --reference        # only the lesson's own tasks, two minutes

Data, scores and the matched Normal are the lesson's: its functions are taken here. Each seed draws tasks and points
anew. Seed 5 chooses the width of each method's prior, the one with the lowest NLL; seeds 0 … 4, other tasks, give the
verdict. Rows that a record already holds are kept, so that an interrupted run can be continued.

Many posteriors are wanted, so four chains of Hamiltonian Monte Carlo (lesson 02) move at once, for many tasks at once,
compiled by JAX; step size and masses are tuned for each task by itself. What they sample is checked against the
lesson's models before the first row. Every method is written with standard Normal numbers ("non-centred"): weights are
made of them by `fixed`, `learned` or `family` below.

notebooks/records/hierarchical_moons.csv — seed; method; width (of the prior: its sd, or the scale of its Half-Normal);
labels a task; accuracy and NLL in nats on 500 held-out points a task, means over the tasks; the standard error of the
NLL over the tasks; R-hat of the predicted probability at ten held-out points of each task (95 % quantile, largest);
bulk ESS of the same (median, smallest); divergent transitions, of how many; seconds of processor time. "cold" and
"group prior" are judged on 12 tasks that the group has not seen, all other methods on the 18 tasks. Each chain of
"group prior" has the prior of another chain of the hierarchical network: its R-hat compares these priors as well.

notebooks/records/hierarchical_moons_paths.csv — for each seed and chain of the hierarchical network of width 1: what
`path` measures.

notebooks/records/hierarchical_moons_reference.npz — 4 × 50 draws of the hierarchical network of width 1 on the lesson's
own tasks, thinned from 4 × 1500, by the lesson's names of the variables (chain, draw, …).
"""

import argparse
import csv
import functools
import time
from pathlib import Path
from typing import Any, NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from bnn_course import inference
from bnn_course.datasets import build_datasets
from tools.lessons import lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
COLUMNS = (
    "seed method width labels accuracy nll nll_error rhat rhat_max ess ess_min divergent transitions seconds".split()
)
VERDICT, CHOICE = (0, 1, 2, 3, 4), 5
WIDTHS = (1.0, 1.414, 2.0, 3.0, 5.0)
NEW_TASKS, LABELS = 12, (5, 10, 25, 50)
CHAINS, SEGMENT, ACCEPTANCE = 4, 50, 0.9
CHECKED = 10  # held-out points of each task at which chains are compared
SIZES = (10, 5, 25, 5, 5, 1)  # of w1, b1, w2, b2, w3, b3
FAMILY_SETTINGS = {"leaps": 96, "tuning": 20, "kept": 30, "thin": 10}
LAYER = np.repeat([0, 0, 1, 1, 2, 2], SIZES)  # of each of the 51 weights


@functools.cache
def from_lesson():
    """What the lesson defines: data, models, sampling and scores."""
    data_and_scores = ["SEED", "draw_tasks", "best_probability", "scores"]
    networks = ["LAYERS", "same_for_all", "separate_model", "hierarchical_model"]
    return lesson("07").define(*data_and_scores, *networks, "matched_normal")


# Models: standard Normal numbers q → weights (task, 51) and log prior of q --------------------------------------------


class Problem(NamedTuple):
    """Tasks that are sampled together, and their prior; stacked, the first axis counts problems."""

    x: Any  # (task, point, 2)
    y: Any  # (task, point)
    used: Any  # (task, point): 0 for a point without a label
    mean: Any  # (51,), each chain may have its own
    width: Any


BY_CHAIN = Problem(None, None, None, 0, 0)  # the axis of the chains, for jax.vmap


def fixed(q, problem):
    """A prior that is given: w = mean + width · q."""
    return (problem.mean + problem.width * q)[None], -(q**2).sum() / 2


def learned(q, problem):
    """Mean zero and one scale for each of the three layers, Half-Normal(width); for one task, or shared by all."""
    log_scale, noise = q[:3], q[3:].reshape(-1, 51)
    log_prior = log_scale.sum() - (jnp.exp(2 * log_scale) / problem.width[0] ** 2).sum() / 2 - (noise**2).sum() / 2
    return jnp.exp(log_scale)[LAYER] * noise, log_prior


def family(q, problem):
    """A mean and a spread for each weight, Normal(0, width²) and Half-Normal(width), as the lesson's hierarchy."""
    mean, log_spread, noise = q[:51], q[51:102], q[102:].reshape(-1, 51)
    log_prior = log_spread.sum() - (jnp.exp(2 * log_spread) / problem.width**2).sum() / 2
    return problem.width * mean + jnp.exp(log_spread) * noise, log_prior - (mean**2).sum() / 2 - (noise**2).sum() / 2


def logit(w, x):
    """The lesson's network: w (51,), x (point, 2) → (point,)."""
    h1 = jnp.tanh(x @ w[:10].reshape(2, 5) + w[10:15])
    h2 = jnp.tanh(h1 @ w[15:40].reshape(5, 5) + w[40:45])
    return h2 @ w[45:50] + w[50]


def log_density(weights, q, problem):
    """Log joint density of labels and q, up to a constant."""
    w, log_prior = weights(q, problem)
    z = jax.vmap(logit)(w, problem.x)
    return log_prior + (problem.used * (problem.y * z - jax.nn.softplus(z))).sum()


def layers(prefix, values, shapes):
    """Cut the last axis of values (…, 51) into the lesson's arrays: {prefix + name: (…, *shape)}."""
    ends = np.cumsum((0, *SIZES))
    parts = zip(shapes.items(), ends[:-1], ends[1:], strict=True)
    return {prefix + name: values[..., a:b].reshape(*values.shape[:-1], *shape) for (name, shape), a, b in parts}


# Sampler --------------------------------------------------------------------------------------------------------------


@functools.cache
def compiled(weights, leaps):
    """A segment of HMC for all problems and chains at once; q is (problem, chain, unknown).

    The mass is 1/sd²; number of leapfrog steps and step size are jittered; with rate > 0 the step size moves towards
    the wanted acceptance (Robbins–Monro). Returns draws, divergences and the logarithm of the step, by transition.
    """
    one = jax.value_and_grad(functools.partial(log_density, weights))
    slope_of = jax.vmap(jax.vmap(one, in_axes=(0, BY_CHAIN)))

    def transition(state, inputs, sd, rate, problems):
        q, log_p, slope, log_step = state
        key, t = inputs
        for_r, for_n, for_h, for_u = jax.random.split(key, 4)
        h = jnp.exp(log_step) * jax.random.uniform(for_h, minval=0.8, maxval=1.2)

        def leapfrog(_, place):
            q, r, _, slope = place
            r = r + h / 2 * sd * slope
            q = q + h * sd * r
            log_p, slope = slope_of(q, problems)
            return q, r + h / 2 * sd * slope, log_p, slope

        r = jax.random.normal(for_r, q.shape)
        n = jax.random.randint(for_n, (), leaps // 2, leaps + 1)
        new_q, new_r, new_log_p, new_slope = jax.lax.fori_loop(0, n, leapfrog, (q, r, log_p, slope))
        gain = new_log_p - (new_r**2).sum(axis=-1) / 2 - log_p + (r**2).sum(axis=-1) / 2
        gain = jnp.where(jnp.isnan(gain), -jnp.inf, gain)
        acceptance = jnp.exp(jnp.minimum(gain, 0))
        accepted = jax.random.uniform(for_u, gain.shape) < acceptance
        q = jnp.where(accepted[..., None], new_q, q)
        slope = jnp.where(accepted[..., None], new_slope, slope)
        log_p = jnp.where(accepted, new_log_p, log_p)
        towards = acceptance.mean(axis=-1)[:, None, None] - ACCEPTANCE
        log_step = log_step + rate * towards / jnp.sqrt(t + 1)
        return (q, log_p, slope, log_step), (q, (gain < -1000).sum(), log_step)

    @jax.jit
    def segment(q, key, sd, log_step, rate, problems):
        start = (q, *slope_of(q, problems), log_step)
        step = functools.partial(transition, sd=sd, rate=rate, problems=problems)
        return jax.lax.scan(step, start, (jax.random.split(key, SEGMENT), jnp.arange(SEGMENT)))[1]

    return segment


class Draws(NamedTuple):
    """Draws (problem, chain, draw, unknown), divergent transitions, and of how many."""

    q: Any
    divergent: int
    transitions: int


def sample(weights, problems, unknowns, seed, *, leaps=32, tuning=6, kept=8, thin=5):
    """Sample problems, stacked; tuning and kept are segments of fifty transitions of each chain."""
    segment = compiled(weights, leaps)
    first, *keys = jax.random.split(jax.random.key(seed), 1 + tuning + kept)
    count = len(problems.x)
    q = jax.random.normal(first, (count, CHAINS, unknowns)) / 2
    sd, log_step = jnp.ones((count, 1, unknowns)), jnp.full((count, 1, 1), jnp.log(0.05))
    for i, key in enumerate(keys[:tuning]):
        draws, _, steps = segment(q, key, sd, log_step, 1.0, problems)
        q, log_step = draws[-1], steps[SEGMENT // 2 :].mean(axis=0)
        if 0 < i < tuning - 1:
            low, high = jnp.quantile(draws[SEGMENT // 4 :], jnp.array([0.16, 0.84]), axis=(0, 2))
            sd = jnp.maximum((high - low) / 2, 0.05)[:, None]
    found, divergent = [], 0
    for key in keys[tuning:]:
        draws, diverged, _ = segment(q, key, sd, log_step, 0.0, problems)
        q, divergent = draws[-1], divergent + int(diverged.sum())
        found.append(np.asarray(draws[::thin]))
    draws = np.concatenate(found).transpose(1, 2, 0, 3)
    return Draws(draws, divergent, kept * SEGMENT * CHAINS * count)


@functools.cache
def forward(weights):
    """Probabilities (chain, draw, task, point) at x (task, point, 2), for draws q (chain, draw, unknown)."""

    def probability(q, x, problem):
        return jax.nn.sigmoid(jax.vmap(logit)(jnp.broadcast_to(weights(q, problem)[0], (len(x), 51)), x))

    return jax.jit(jax.vmap(jax.vmap(probability, in_axes=(0, None, None)), in_axes=(0, None, BY_CHAIN)))


def answers(weights, draws, problems, new_x):
    """Probabilities (chain, draw, task, point); new_x is (problem, task, point, 2)."""
    places = range(len(new_x))
    problem_at = [jax.tree.map(lambda part, place=place: part[place], problems) for place in places]
    found = [np.asarray(forward(weights)(draws.q[i], new_x[i], problem_at[i]), np.float32) for i in places]
    return np.concatenate(found, axis=2)


def mixing(probability):
    """R-hat (95 % quantile, largest) and bulk ESS (median, smallest) of probabilities (chain, draw, task, point)."""
    p = probability[..., :CHECKED].reshape(*probability.shape[:2], -1)
    dataset = az.convert_to_dataset({"p": p.astype(float)})
    rhat, ess = az.rhat(dataset)["p"].values, az.ess(dataset)["p"].values
    return {
        "rhat": f"{np.quantile(rhat, 0.95):.3f}",
        "rhat_max": f"{rhat.max():.3f}",
        "ess": f"{np.median(ess):.0f}",
        "ess_min": f"{ess.min():.0f}",
    }


# Methods --------------------------------------------------------------------------------------------------------------


def stacked(x, y, width, *, together=False, mean=0.0, used=None):
    """Problems of tasks x (task, point, 2), y (task, point): one of all tasks together, or one of each task."""
    count = 1 if together else len(x)
    used = np.ones(y.shape) if used is None else used
    x, y, used = (np.asarray(part, float).reshape(count, -1, *part.shape[1:]) for part in (x, y, used))
    spread_out = [np.broadcast_to(np.asarray(part, float), (count, CHAINS, 51)) for part in (mean, width)]
    return Problem(x, y, used, *spread_out)


class Seed:
    """One set of tasks, and every method on it: (probability (chain, draw, task, point), Draws) of each."""

    def __init__(self, seed):
        self.names, self.seed = from_lesson(), seed
        rng = np.random.default_rng(seed)
        self.angles, self.x, self.y, self.new_x, self.new_y = self.names["draw_tasks"](18, rng)
        self.other = self.names["draw_tasks"](NEW_TASKS, rng)
        self.families = {}

    def run(self, weights, problems, unknowns, new_x, **settings):
        draws = sample(weights, problems, unknowns, self.seed, **settings)
        return answers(weights, draws, problems, new_x), draws

    def separate(self, width, mean=0.0):
        return self.run(fixed, stacked(self.x, self.y, width, mean=mean), 51, self.new_x[:, None])

    def pooled(self, width):
        x, y = self.x.reshape(1, -1, 2), self.y.reshape(1, -1)
        found, draws = self.run(fixed, stacked(x, y, width), 51, self.new_x.reshape(1, 1, -1, 2))
        return found.reshape(*found.shape[:2], *self.new_y.shape), draws

    def own_scales(self, width):
        return self.run(learned, stacked(self.x, self.y, width), 54, self.new_x[:, None])

    def common_scales(self, width):
        problems = stacked(self.x, self.y, width, together=True)
        return self.run(learned, problems, 3 + 18 * 51, self.new_x[None], leaps=48, tuning=12, kept=16, thin=8)

    def hierarchical(self, width):
        if width not in self.families:
            self.families[width] = self.sampled(width)
        return self.families[width]

    def sampled(self, width):
        problems = stacked(self.x, self.y, width, together=True)
        return self.run(family, problems, 102 + 18 * 51, self.new_x[None], **FAMILY_SETTINGS)

    def group_prior(self, width):
        """Mean and sd (chain, 51) of the Normals that match the family, by chain: each orders units differently."""
        pairs = []
        for q in self.hierarchical(width)[1].q[0]:
            pairs.append(self.names["matched_normal"](width * q[:, :51], np.exp(q[:, 51:102])))
        return map(np.array, zip(*pairs, strict=True))

    def new_tasks(self, labels, width, mean=0.0):
        _, x, y, new_x, _ = self.other
        used = np.broadcast_to(np.arange(x.shape[1]) < labels, y.shape)
        return self.run(fixed, stacked(x, y, width, mean=mean, used=used), 51, new_x[:, None])

    def group_on_new_tasks(self, labels, width):
        mean, sd = self.group_prior(width)
        return self.new_tasks(labels, sd, mean)

    def line(self):
        pairs = [LogisticRegression().fit(x, y) for x, y in zip(self.x, self.y, strict=True)]
        return np.stack([p.predict_proba(x)[:, 1] for p, x in zip(pairs, self.new_x, strict=True)])[None, None], None

    def best(self):
        return self.names["best_probability"](self.new_x, self.angles)[None, None], None

    def path(self, width):
        """The way of each chain's family: how much of each weight on the path differs between tasks, and signs.

        The path leads through the unit of each layer that moves the answer most: the sd over the held-out points of
        what it hands on, mean over draws and tasks. The own share of a weight is s² / (m² + s²), between 0 (the same in
        all tasks) and 1; before any data it is one half on average. Medians over the weights of a part; "minority" is
        the share of tasks whose last weight has the rarer sign.
        """
        for chain, q in enumerate(self.hierarchical(width)[1].q[0]):
            mean, spread = width * q[:, :51], np.exp(q[:, 51:102])
            w = mean[:, None] + spread[:, None] * q[:, 102:].reshape(len(q), -1, 51)
            own = (spread**2 / (mean**2 + spread**2)).mean(axis=0)
            yield {"seed": self.seed, "chain": chain} | path(w[::5], own, self.x)


def path(w, own, x):
    """Own shares by part of the path, for weights w (draw, task, 51) and own shares (51,) at x (task, point, 2)."""
    first = np.tanh(np.einsum("tpi,stik->stpk", x, w[..., :10].reshape(*w.shape[:2], 2, 5)) + w[..., None, 10:15])
    w2, w3 = w[..., 15:40].reshape(*w.shape[:2], 5, 5), w[..., 45:50]
    second = np.tanh(first @ w2 + w[..., None, 40:45])
    unit = (second.std(axis=2) * np.abs(w3)).mean(axis=(0, 1)).argmax()
    before = (first.std(axis=2) * np.abs(w2[..., unit])).mean(axis=(0, 1)).argmax()
    parts = {
        "first": [before, 5 + before],
        "middle": [10 + before, *(15 + 5 * np.arange(5) + unit), 40 + unit],
        "last": [45 + unit],
    }
    positive = (w3[..., unit].mean(axis=0) > 0).mean()
    found = {part: f"{np.median(own[places]):.3f}" for part, places in parts.items()}
    return found | {"minority": f"{min(positive, 1 - positive):.3f}"}


class Entry(NamedTuple):
    """What the record holds for each seed: the widths tried, and whether all of them are run for the verdict."""

    method: str
    run: Any  # (state, labels, width)
    widths: tuple
    labels: tuple = (50,)
    all_widths: bool = False


CONTEST = [
    Entry("separate", lambda s, labels, width: s.separate(width), WIDTHS, all_widths=True),
    Entry("hierarchical", lambda s, labels, width: s.hierarchical(width), (1.0, 2.0)),
    Entry("cold", Seed.new_tasks, WIDTHS[:-1], LABELS),
    Entry("own scales", lambda s, labels, width: s.own_scales(width), (1.0, 3.0)),
    Entry("common scales", lambda s, labels, width: s.common_scales(width), (1.0, 3.0)),
    Entry("pooled", lambda s, labels, width: s.pooled(width), WIDTHS[:-1]),
]
VERDICT_ONLY = [
    Entry("group prior", Seed.group_on_new_tasks, (1.0,), LABELS),
    Entry("cold", Seed.new_tasks, (1.0,), LABELS),
    Entry("straight line", lambda s, labels, width: s.line(), (0.0,)),
    Entry("best", lambda s, labels, width: s.best(), (0.0,)),
]


def chosen(rows, method, labels, widths):
    """The width with the lowest NLL on the tasks that choose."""
    tried = {
        r["width"]: float(r["nll"])
        for r in rows
        if is_choice(r) and (r["method"], r["labels"]) == (method, str(labels))
    }
    if missing := [width for width in widths if str(width) not in tried]:
        raise SystemExit(f"{method} of width {missing[0]} is not yet measured on seed {CHOICE}: run this seed first")
    return min(widths, key=lambda width: tried[str(width)])


def is_choice(row):
    return row["seed"] == str(CHOICE)


def wanted(seed, rows):
    """What is run for a seed: (method, run, width, labels)."""
    for entry in CONTEST + (VERDICT_ONLY if seed in VERDICT else []):
        for labels in entry.labels:
            widths = entry.widths
            if seed in VERDICT and entry in CONTEST and not entry.all_widths:
                widths = (chosen(rows, entry.method, labels, widths),)
            for width in widths:
                yield entry.method, entry.run, width, labels


def measure(state, method, run, width, labels):
    """One row of the record."""
    began = time.process_time()
    probability, draws = run(state, labels, width)
    truth = state.other[-1] if method in ("cold", "group prior") else state.new_y
    accuracy, nll = state.names["scores"](probability.reshape(-1, *truth.shape), truth)
    row = {"seed": state.seed, "method": method, "width": width, "labels": labels}
    row |= {"accuracy": f"{accuracy.mean():.4f}", "nll": f"{nll.mean():.4f}", "nll_error": f"{stats.sem(nll):.4f}"}
    if draws is not None:
        row |= mixing(probability) | {"divergent": draws.divergent, "transitions": draws.transitions}
    return row | {"seconds": f"{time.process_time() - began:.0f}"}


def check(state):
    """The densities above are those of the lesson's models, up to a constant."""
    names, rng = state.names, np.random.default_rng(0)
    flat = names["same_for_all"]
    theirs = inference.log_density(names["separate_model"](state.x, state.y, flat(0), flat(2)))
    problems = stacked(state.x, state.y, 2)
    problems = problems._replace(mean=problems.mean[:, 0], width=problems.width[:, 0])
    ours = jax.vmap(functools.partial(log_density, fixed))
    points = rng.normal(size=(2, 18, 51))
    gaps = [theirs(layers("", 2 * q, names["LAYERS"])) - ours(q, problems).sum() for q in points]
    assert abs(gaps[0] - gaps[1]) < 1e-6, gaps
    theirs = inference.log_density(names["hierarchical_model"](state.x, state.y))
    whole = stacked(state.x, state.y, 1, together=True)
    problem = Problem(*(part[0] for part in whole[:3]), whole.mean[0, 0], whole.width[0, 0])
    gaps = []
    for q in rng.normal(size=(2, 102 + 18 * 51)):
        spread = {f"{name}_log__": value for name, value in layers("spread_", q[51:102], names["LAYERS"]).items()}
        point = layers("mean_", q[:51], names["LAYERS"]) | spread
        point |= layers("offset_", q[102:].reshape(18, 51), names["LAYERS"])
        gaps.append(theirs(point) - log_density(family, q, problem))
    assert abs(gaps[0] - gaps[1]) < 1e-6, gaps


# The lesson's own tasks -----------------------------------------------------------------------------------------------


def reference(names):
    """Draws of the group and of the tasks' offsets on the lesson's own tasks: {variable: (chain, draw, …)}."""
    _, x, y, new_x, _ = names["draw_tasks"](18, np.random.default_rng(names["SEED"]))
    problems = stacked(x, y, 1.0, together=True)
    draws = sample(family, problems, 102 + 18 * 51, names["SEED"], **FAMILY_SETTINGS)
    print(mixing(answers(family, draws, problems, new_x[None])), draws.divergent, flush=True)
    q = draws.q[0, :, ::3]
    parts = {"mean": q[..., :51], "spread": np.exp(q[..., 51:102])}
    parts["offset"] = q[..., 102:].reshape(*q.shape[:2], 18, 51)
    found = {}
    for kind, values in parts.items():
        found |= layers(f"{kind}_", values, names["LAYERS"])
    return {name: values.astype(np.float16) for name, values in found.items()}


# Records --------------------------------------------------------------------------------------------------------------


def read(path):
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path, columns, rows):
    """Add rows at the end of a record."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def run_contest(folder, seeds):
    path, paths = folder / "hierarchical_moons.csv", folder / "hierarchical_moons_paths.csv"
    for seed in seeds:
        state = Seed(seed)
        check(state)
        for method, run, width, labels in wanted(seed, read(path)):
            done = {(row["seed"], row["method"], row["width"], row["labels"]) for row in read(path)}
            if (str(seed), method, str(width), str(labels)) in done:
                continue
            row = measure(state, method, run, width, labels)
            print(*row.values(), flush=True)
            append(path, COLUMNS, [row])
        if seed in VERDICT and str(seed) not in {way["seed"] for way in read(paths)}:
            append(paths, "seed chain first middle last minority".split(), list(state.path(1.0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=(CHOICE, *VERDICT))
    parser.add_argument("--output", type=Path, default=RECORDS, help="folder of the records")
    options = parser.parse_args()
    with jax.enable_x64(True):
        if options.reference:
            draws = {"hierarchical_moons_reference.npz": reference(from_lesson())}
            build_datasets.write_all(options.output, draws)
        else:
            run_contest(options.output, options.seeds)


if __name__ == "__main__":
    main()
