"""The rungs of lesson 13 on the regression of lesson 12: the motorcycle data, noise that depends on the input.

    python studies/ladder_motorcycle.py    # about 10 processor minutes; repeats only what is missing

Fills notebooks/records/ladder_motorcycle.csv. Table, network (8 tanh units, two outputs, two learned scales) and five
splits are those of lesson 12 (its first round), the methods those of lesson 13. What knows that a target is a label is
written anew here: network, densities, curvature, answers, least squares (its noise is the scatter of its residuals),
Laplace, last-layer Laplace and dropout. Each split has 106 training rows (one is left out at random where there are
107). Every method tries six settings on 80 of them; the one with the lowest NLL on the other 26 runs on all. Where the
best setting of a first look at the 80 rows of one split was the lowest of those in `ladder_contest.py`, the six are
smaller here. Laplace, SWAG, SGLD and ADVI all start at what `summits` finds: the highest summit, SGLD at all eight.
ADVI takes ten times as many steps as on the moons, SGLD four times, and the chosen setting runs once more with twice as
many: what still moves then has not arrived.

The reference is NUTS, 4 chains of 250 draws after 250 of tuning. NUTS as a competitor has 2 chains and 200 steps of
tuning; its settings are six numbers of draws of one run.

Columns: fold (of the split); stage (choice, verdict, or twice: with twice as many steps); method ("reference" among
them); setting; tv (total variation distance of the predictive density to that of the reference, ½∫|p − q| dy, mean of
31 times from first to last; for the reference, of its first two chains to the other two; not known while settings are
chosen); nll (nats per row left out, acceleration in standard deviations of the training rows); loss (of ADVI: the
negative ELBO on all training rows, in nats, up to a constant); cpu_seconds (with all starts, tuning and, but for NUTS,
answers, without compilation); rhat (largest, of the predictive mean at 31 times) and divergences, of the reference.
"""

from functools import partial
from operator import itemgetter
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import jax.numpy as jnp
import numpy as np
import nutpie

from bnn_course import uncertainty
from studies import ladder_contest as contest
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "ladder_motorcycle.csv"
COLUMNS = "fold stage method setting tv nll loss cpu_seconds rhat divergences".split()
ROWS, ASIDE, TIMES = 106, 26, 31
UNITS, LAST = 8, slice(16, 34)  # standardised weights: w1 (8), b1 (8), w2 (8, 2), b2 (2); then the log scales
WIDEST = jnp.array([2.0, 1.0])  # of the Half-Normals of both scales
EDGES = np.linspace(-5, 5, 501)  # of standardised acceleration
SUMMITS = [{"steps": steps, "rate": rate} for steps in (250, 1000, 4000) for rate in (0.01, 0.05)]
OWN = {"least_squares", "laplace", "last_layer", "dropout", "advi"}  # functions that are written anew here
FAMILIES = {"mean field": 0, "low rank": 3, "full rank": 36}
LONG = {"SGLD", *FAMILIES}  # tried again with twice as many steps
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
SETTINGS = contest.SETTINGS | {
    "least squares": ("least_squares", [{"steps": steps} for steps in (60, 125, 250, 500, 1000, 4000)]),
    "MAP": ("best_summit", SUMMITS),
    "ensemble": ("ensemble", SUMMITS),
    "SWAG": ("swag", [{"rate": rate} for rate in (1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5)]),
    "SGLD": ("sgld", [{"rate": rate, "steps": 20_000} for rate in (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4)]),
}
SETTINGS |= {
    method: ("advi", [{"rank": rank, "at_summit": True, "steps": 20_000, "rate": rate} for rate in RATES])
    for method, rank in FAMILIES.items()
}


def from_lesson():
    """What lesson 12 defines, the table and its network, and the methods: of lesson 13 with our densities, and ours."""
    names = lesson("12").define("time", "acceleration", "splits", "regression_network")
    given = {"network": network, "log_prior": log_prior, "log_likelihood": log_likelihood, "answers": answers}
    given |= {"curvature": curvature, "random_starts": random_starts}
    taken = {function for function, _ in SETTINGS.values()} - OWN
    used = ["best_first", "summits", "normal_draws", "fit_normal", "draws_of", "negative_elbo"]
    names |= lesson("13").define("Task", *used, *taken, given=given)
    names |= lesson("13").define("sgld", given=given | {"random_starts": names["summits"]})  # its chains start there
    return names | own_methods(*itemgetter(*used)(names))


# The network ----------------------------------------------------------------------------------------------------------


def network(zeta, x, scale, keep=1.0):
    """Mean and log noise (place, 2), in standard deviations; both scales are learned, so `scale` is None."""
    scales = jnp.exp(zeta[34:])
    hidden = jnp.tanh(scales[0] * (x @ zeta[:UNITS].reshape(1, UNITS) + zeta[UNITS:16]))
    return (keep * hidden) @ (scales[1] * zeta[16:32].reshape(UNITS, 2)) + zeta[32:34] - jnp.array([0, 1])


def log_prior(zeta):
    return -jnp.sum(zeta[:34] ** 2) / 2 + jnp.sum(zeta[34:] - jnp.exp(2 * zeta[34:]) / (2 * WIDEST**2))


def log_likelihood(zeta, task, keep=1.0):
    mean, log_noise = network(zeta, task.x, task.scale, keep).T
    return -jnp.sum(((task.y - mean) / jnp.exp(log_noise)) ** 2 / 2 + log_noise)


def answers(draws, places, task):
    """Mean and log noise (draw, place, 2)."""
    return jax.vmap(network, (0, None, None))(draws, places, task.scale)


def random_starts(task, key):
    return jnp.pad(jax.random.normal(jax.random.fold_in(key, 1), (8, 34)), [(0, 0), (0, 2)])


def curvature(zeta, task):
    """The precision of Laplace's Normal, in the Gauss–Newton form: a mean has 1/σ², a log σ has 2."""
    slopes = jax.jacfwd(network)(zeta, task.x, task.scale)  # (row, output, unknown)
    noise = jnp.exp(network(zeta, task.x, task.scale)[:, 1])
    of_data = slopes[:, 0].T @ (slopes[:, 0] / noise[:, None] ** 2) + 2 * slopes[:, 1].T @ slopes[:, 1]
    return of_data - jax.hessian(log_prior)(zeta)


# The methods that know the likelihood ---------------------------------------------------------------------------------


def own_methods(best_first, summits, normal_draws, fit_normal, draws_of, negative_elbo):
    """The four methods of lesson 13 that know what a target is, for a mean and a log noise; and ADVI with its loss."""

    @partial(jax.jit, static_argnames="steps")
    def least_squares(task, places, key, steps):
        def loss(zeta, key):
            return jnp.sum((task.y - network(zeta, task.x, task.scale)[:, 0]) ** 2)

        best = best_first(loss, random_starts(task, key), steps, 0.03, key)[0]
        residuals = task.y - network(best, task.x, task.scale)[:, 0]
        return network(best, places, task.scale).at[:, 1].set(jnp.log(residuals.std()))[None]

    def laplace(task, places, key, linear, spread):
        mode = summits(task, key)[0]
        moves = spread * normal_draws(curvature(mode, task), key)
        if not linear:
            return answers(mode + moves, places, task)
        slopes = jax.jacfwd(network)(mode, places, task.scale)
        return network(mode, places, task.scale) + jnp.einsum("pok,dk->dpo", slopes, moves)

    def last_layer(task, places, key, precision):
        mode = summits(task, key)[0]
        block = curvature(mode, task)[LAST, LAST]
        block += (precision - 1) * jnp.eye(len(block))
        draws = jnp.tile(mode, (400, 1)).at[:, LAST].add(normal_draws(block, key))
        return answers(draws, places, task)

    @jax.jit
    def dropout(task, places, key, drop):
        def masks(key, rows):
            return jax.random.bernoulli(key, 1 - drop, (rows, UNITS)) / (1 - drop)

        def loss(zeta, key):
            return -log_likelihood(zeta, task, masks(key, len(task.x))) - log_prior(zeta)

        zeta = best_first(loss, random_starts(task, key), 2_000, 0.03, key)[0]
        both = jnp.repeat(masks(key, 400), 2, axis=1)  # a unit is off for both outputs
        return answers(jnp.tile(zeta, (400, 1)).at[:, 16:32].multiply(both), places, task)

    @partial(jax.jit, static_argnames=["rank", "at_summit", "steps"])
    def advi_and_loss(task, places, key, **setting):
        q = fit_normal(task, key, **setting)
        losses = jax.lax.map(lambda key: negative_elbo(q, key, task), jax.random.split(key, 500))
        return answers(draws_of(q, 400, key), places, task), losses.mean()

    own = least_squares, laplace, last_layer, dropout, advi_and_loss
    return {function.__name__: function for function in own}


# The contest ----------------------------------------------------------------------------------------------------------


class Table:
    """Some rows to learn from and others that judge, in standard deviations of the former."""

    def __init__(self, number, time, acceleration, train, test):
        self.number = number
        centre, spread = time[train].mean(axis=0), time[train].std(axis=0)
        x = ((time - centre) / spread).astype(np.float32)
        y = ((acceleration - acceleration[train].mean()) / acceleration[train].std()).astype(np.float32)
        self.x, self.y, self.test, self.y_test = x[train], y[train], TIMES + test, y[test]
        self.places = np.concatenate([np.linspace(x.min(), x.max(), TIMES, dtype=np.float32)[:, None], x])


@jax.jit
def probability(found):
    """Probabilities (time, bin) of predictive draws (draw, time, 2): bins so narrow that a density is level in them."""

    def of_draw(one):
        below = jax.scipy.stats.norm.cdf(EDGES, one[:, :1], jnp.exp(one[:, 1:]))
        return jnp.diff(below, axis=1, prepend=0, append=1)

    return jax.lax.map(of_draw, found).mean(axis=0)


def distance(found, known):
    """Total variation distance of predictive draws (draw, place, 2) to probabilities (time, bin)."""
    return float(np.abs(np.asarray(probability(found[:, :TIMES])) - known).sum(axis=1).mean() / 2)


class Contest(contest.Contest):
    """All methods on one split; its reference is NUTS on the network of lesson 12."""

    def __init__(self, names):
        self.names, self.nuts, self.compiled = names, {}, set()
        self.methods = {method: names.get(function) for method, (function, _) in SETTINGS.items()}
        self.methods |= {method: self.advi for method in FAMILIES}

    def compiled_nuts(self, table):
        rows = len(table.y)
        if rows not in self.nuts:
            standard = np.linspace(-1, 1, rows) * np.sqrt(3 * (rows - 1) / (rows + 1))  # mean 0 and sd 1 are built in
            model = self.names["regression_network"](standard[:, None], standard)
            self.nuts[rows] = nutpie.compile_pymc_model(model)
        return self.nuts[rows].with_data(X=table.x.astype(float), y=table.y.astype(float))

    def zeta(self, posterior):
        """Draws (chain, draw, unknown) on the scale of our network."""
        parts = [posterior[name].values for name in ("w1", "b1", "w2", "b2")]
        parts += [np.log(posterior[name].values) for name in ("scale_1", "scale_2")]
        return np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=-1)

    def task(self, table):
        return self.names["Task"](table.x, table.y, None)

    def reference(self, table):
        """Probabilities (time, bin) of the reference, and its row."""
        found, run = self.sample(table, draws=250, tune=250, chains=4, seed=table.number)
        half, known = probability(found[:500, :TIMES]), probability(found[:, :TIMES])
        means = found[:, :TIMES, 0].reshape(4, -1, TIMES)
        own = {"tv": distance(found[500:], half), "rhat": float(uncertainty.split_rhat(means).max())}
        about = {"method": "reference", "setting": "", "cpu_seconds": run.seconds, "divergences": run.divergences}
        return known, self.row(table, found, known, about) | own

    def competitor(self, table, known):
        """The rows of NUTS as a competitor."""
        most = contest.DRAWS[-1]
        found, run = self.sample(table, draws=most, tune=200, chains=2, seed=100 + table.number)
        for draws in contest.DRAWS:
            few = found.reshape(2, most, -1, 2)[:, :draws].reshape(2 * draws, -1, 2)
            seconds = run.seconds * float(run.shares[draws - 1])
            about = {"method": "NUTS", "setting": f"draws={draws}", "cpu_seconds": seconds}
            yield self.row(table, few, known, about)

    def rows(self, table, tries, known=None):
        """The rows of some methods with some settings; without a reference, `tv` is not known."""
        for method, setting in tries:
            self.loss = None
            found, seconds = self.run(self.task(table), table, self.methods[method], setting)
            about = {"method": method, "setting": contest.text_of(setting), "cpu_seconds": seconds}
            loss = {} if self.loss is None else {"loss": float(self.loss)}
            yield self.row(table, found, known, about) | loss

    def advi(self, task, places, key, **setting):
        """In place of the lesson's `advi`: the same, and the loss is kept."""
        found, self.loss = self.names["advi_and_loss"](task, places, key, **setting)
        return found

    def sample(self, table, **sizes):
        """Answers (draw, place, 2) of a run, chain by chain, and the run."""
        run = contest.sample(self.compiled_nuts(table), **sizes)
        zeta = self.zeta(run.posterior)
        return np.asarray(answers(zeta.reshape(-1, zeta.shape[-1]), table.places, self.task(table))), run

    def row(self, table, found, known, about):
        """Scores of predictive draws (draw, place, 2)."""
        if not np.isfinite(found).all():
            return about | {"tv": np.inf, "nll": np.inf}
        mean, log_noise = np.moveaxis(found[:, table.test].astype(float), -1, 0)
        log_p = -(((table.y_test - mean) / np.exp(log_noise)) ** 2) / 2 - log_noise - np.log(2 * np.pi) / 2
        nll = np.log(len(log_p)) - np.logaddexp.reduce(log_p, axis=0).mean()
        return about | {"nll": nll} | ({} if known is None else {"tv": distance(found, known)})


def rounded(row):
    return {name: f"{value:.5f}" if isinstance(value, float) else value for name, value in row.items()}


def best_settings(choice):
    """The setting of each method with the lowest NLL; `choice` is {(method, setting): row}."""
    for method, (_, settings) in SETTINGS.items():
        yield method, min(settings, key=lambda one, method=method: float(choice[method, contest.text_of(one)]["nll"]))


def main():
    path, rows = contest.options_and_rows(__doc__, RECORD)
    names = from_lesson()
    one, data = Contest(names), (names["time"], names["acceleration"])

    def stored(fold, stage):
        mine = [row for row in rows if (str(row["fold"]), row["stage"]) == (str(fold), stage)]
        return {(row["method"], row["setting"]): row for row in mine}

    def missing(fold, stage, tries):
        return [(how, what) for how, what in tries if (how, contest.text_of(what)) not in stored(fold, stage)]

    def add(fold, stage, new):
        rows.extend(rounded(row | {"fold": fold, "stage": stage}) for row in new)
        contest.write(path, COLUMNS, rows)
        print(f"split {fold}, {stage}", flush=True)

    for repeat, fold, train, test in names["splits"](names["acceleration"]):
        if repeat > 0:
            break
        shuffled = np.random.default_rng(fold).permutation(train)[:ROWS]
        every = [(method, setting) for method, (_, settings) in SETTINGS.items() for setting in settings]
        if tries := missing(fold, "choice", every):
            add(fold, "choice", one.rows(Table(fold, *data, shuffled[ASIDE:], shuffled[:ASIDE]), tries))
        best = [*best_settings(stored(fold, "choice"))]
        twice = [(method, what | {"steps": 2 * what["steps"]}) for method, what in best if method in LONG]
        verdict, twice = missing(fold, "verdict", best), missing(fold, "twice", twice)
        if verdict or twice:
            table = Table(fold, *data, shuffled, test)
            known, reference = one.reference(table)
            if not stored(fold, "verdict"):
                add(fold, "verdict", [reference, *one.competitor(table, known)])
            add(fold, "verdict", one.rows(table, verdict, known))
            add(fold, "twice", one.rows(table, twice, known))


if __name__ == "__main__":
    main()
