"""`bnn_course.inference` on the models of the lessons: PyMC's objective, PyMC's optimum, and exact posteriors.

The models are the students' own: statements of the lessons are run as they stand. Where a lesson would sample or fit,
the model is handed back. PyMC evaluates by itself, and with all of the data in place of minibatches.
"""

import ast
import gc
from dataclasses import dataclass, replace
from typing import NamedTuple

import arviz as az
import jax
import numpy as np
import optax
import pymc as pm
import pytensor
import pytest
from pytensor.compile.sharedvalue import SharedVariable
from scipy import optimize

from bnn_course import _loop, data, inference
from tools import NOTEBOOKS
from tools.lessons import lesson

# --- the models of the lessons --------------------------------------------------------------------------------------


class Source(NamedTuple):
    """Where a model comes from: a lesson's number, an expression made of its names, and data in place of its files."""

    number: str
    model: str
    given: object = dict

    def build(self, *, batches=True):
        """Return the model; without `batches` it sees all data where the lesson says ``pm.Minibatch``."""
        names = {node.id for node in ast.walk(ast.parse(self.model)) if isinstance(node, ast.Name)}
        given = self.given()
        with pytest.MonkeyPatch.context() as patch:
            for method in ("sample", "fit"):
                patch.setattr(pm, method, lambda *_, **__: pm.modelcontext(None))
            for method in ("nuts", "advi", "find_map"):
                patch.setattr(inference, method, lambda model, **_: model)
            if not batches:
                patch.setattr(pm, "Minibatch", _all_rows)
            return eval(self.model, lesson(self.number).define(*names.difference(given), given=given))


def _all_rows(*arrays, batch_size):
    values = [a.get_value() if isinstance(a, SharedVariable) else np.asarray(a) for a in arrays]
    shared = [pytensor.shared(value, shape=value.shape) for value in values]
    return shared if len(shared) > 1 else shared[0]


def some_digits(images, labels, below=10, n=256):
    """`n` digits under the names that the lesson gives to them; the lessons' batches hold 128."""

    def given():
        mnist = data.load_mnist()
        chosen = np.flatnonzero(mnist.train_labels < below)[:n]
        return {images: mnist.train_images.reshape(-1, 784)[chosen], labels: mnist.train_labels[chosen]}

    return given


def digits_08():
    """Where lesson 08 has all digits as shared variables, it has some."""
    return {"shared": [pytensor.shared(part, shape=part.shape) for part in some_digits("x", "y")().values()]}


def a_network_task():
    """The first data set of lesson 05, from its record."""
    with np.load(NOTEBOOKS / "records" / "network_ladder.npz") as shipped:
        return {"x": shipped["x0"].astype(float), "y": shipped["y0"].astype(int)}


def readings_04():
    """The data of lesson 04's minibatches."""
    return {"readings": np.random.default_rng(2017).normal(1.0, 2.0, 2_000)}


FEW_06 = 'models.bnn_model(few_x, few_y, hidden=(8,), hyperprior="half_cauchy", centred={})'
MOONS_06 = 'network(*points("moons", 0)[0], "{}", "{}")'

LESSONS = {
    "00 moons": Source("00", "moons_model"),
    "01 coin": Source("01", "coin_model"),
    "01 ridge": Source("01", "ridge_model"),
    "01 lasso": Source("01", "lasso_model"),
    "01 patients": Source("01", "score_model(10)"),
    "02 spring": Source("02", "spring_model"),
    "03 cold room": Source("03", "room_model"),
    "C readings": Source("C", "readings_model"),
    "04 stars": Source("04", "star_model"),
    "04 minibatches": Source("04", "scaled_model", readings_04),
    "04 all data": Source("04", "full_model", readings_04),
    "04 plant": Source("04", "plant_model"),
    "04 potential": Source("04", "potential_model(height)[0]"),
    "05 moons": Source("05", "moons_model(x, y)", a_network_task),
    "05 two layers": Source("05", "deep"),
    "06 Student-t": Source("06", MOONS_06.format("Student-t", "Half-Cauchy")),
    "06 centred": Source("06", FEW_06.format(True)),
    "06 non-centred": Source("06", FEW_06.format(False)),
    "06 Cauchy": Source("06", MOONS_06.format("Cauchy", "Inverse-Gamma")),
    "06 Normal": Source("06", MOONS_06.format("Normal", "fixed 3 and 10")),
    "07 separate": Source("07", "separate_model(x[:3], y[:3], same_for_all(0), same_for_all(1))"),
    "07 hierarchical": Source("07", "hierarchical_model(x[:3], y[:3])"),
    "07 centred": Source("07", "hierarchical_model(x[:3], y[:3], centred=True)"),
    "J lasso": Source("J", "lasso_model"),
    "08 Normal": Source("08", "regression(normal, make_task(0))"),
    "08 Laplace": Source("08", "regression(laplace, make_task(0))"),
    "08 horseshoe": Source("08", "regression(horseshoe, make_task(0))"),
    "08 relevance": Source("08", "network(relevance, make_curved_task(0))"),
    "08 digits": Source("08", "laplace_network", digits_08),
    "09 digits": Source("09", "digit_model", some_digits("train_images", "train_labels")),
    "10 digits": Source("10", "digit_model", some_digits("images", "labels", below=5)),
    "11 digits": Source("11", "source_model", some_digits("source_images", "source_labels", below=5)),
}


class Built(NamedTuple):
    """The model of a lesson, and its twin that sees all data at once, in double precision.

    (In single precision PyMC's softmax is zero, and its log minus infinity, where a network is wrong and very sure.)
    """

    name: str
    model: pm.Model
    twin: pm.Model


@pytest.fixture(scope="module")
def built(request):
    """The models of a lesson, for all tests of it: then they go, with what was compiled for them."""
    source = LESSONS[request.param]
    with pytensor.config.change_flags(floatX="float64"):
        twin = source.build(batches=False)
    with pytensor.config.change_flags(floatX="float32" if "digits" in request.param else "float64"):
        yield Built(request.param, source.build(), twin)
    jax.clear_caches()
    gc.collect()


def of_lessons(*names):
    """A test for each of these models, one model after the other."""
    return pytest.mark.parametrize("built", names, indirect=True)


# --- q, held still --------------------------------------------------------------------------------------------------

STILL = optax.set_to_zero()  # leaves q where it is
PER_PASS = {"04 minibatches": 2_000 // 50} | {f"{lesson} digits": 256 // 128 for lesson in ("08", "09", "10", "11")}


@dataclass
class Q:
    """A mean-field Normal: the loss that our loop reports for it, and its ELBO by PyMC's own log density."""

    found: inference.Approximation
    log_density: object
    per_pass: int  # batches that hold all data
    total_size: int | None  # where the test has fewer rows than the lesson says

    @classmethod
    def of(cls, built):
        meant = 55_000 if built.name == "08 digits" else None
        found = inference.advi(built.model, steps=1, optimizer=STILL, random_seed=1, total_size=meant)
        return cls(found, built.twin.compile_logp(mode="FAST_COMPILE"), PER_PASS.get(built.name, 1), meant)

    def moved(self, rng, distance, sd):
        """Another q, every mean and every standard deviation its own; `sd` lies between two numbers."""
        mean = [np.asarray(m + distance * rng.normal(size=m.shape), m.dtype) for m in self.found.mean.values()]
        return self.at(mean, [np.exp(rng.uniform(*np.log(sd), size=m.shape)) for m in mean])

    def at(self, mean, sd):
        """The q with these means and standard deviations, in the order of the variables."""
        log_sd = tuple(np.asarray(np.log(s), m.dtype) for m, s in zip(mean, sd, strict=True))
        state = self.found.state._replace(mean=tuple(mean), log_sd=log_sd)
        return replace(self, found=replace(self.found, state=state))

    def fitted(self, steps, learning_rate=None, seed=1, optimizer=None):
        """The q at which our fit ends that starts from this one."""
        plan = _loop.Plan(steps, seed, learning_rate, optimizer)
        start = _loop.begin(plan, self.found.state.mean, self.found.state.log_sd)
        start = replace(self.found, plan=plan, state=start, loss=np.zeros(0))
        options = plan._asdict() | {"total_size": self.total_size}
        return replace(self, found=inference.advi(start.problem.model, resume=start, **options))

    def losses(self, passes):
        """Of our compiled loop, which leaves q where it is: one mean a pass through the data."""
        still = self.fitted(passes * self.per_pass, seed=2, optimizer=STILL).found
        np.testing.assert_equal(still.mean, self.found.mean)
        return still.loss.reshape(passes, self.per_pass).mean(axis=1)

    def losses_by_pymc(self, draws, rng):
        """Minus PyMC's log density at draws of q, minus the entropy of q."""
        q = {n: (m, self.found.sd[n]) for n, m in self.found.mean.items()}
        entropy = sum((np.log(s) + 0.5 * np.log(2 * np.pi * np.e)).sum(dtype=float) for s in self.found.sd.values())
        losses = np.empty(draws)
        for i in range(draws):
            point = {n: np.asarray(m + s * rng.normal(size=m.shape), m.dtype) for n, (m, s) in q.items()}
            losses[i] = -float(self.log_density(point)) - entropy
        return losses


def standard_errors(first, second):
    """The difference of two means in standard errors."""
    error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    return abs(first.mean() - second.mean()) / error


@of_lessons(*LESSONS)
def test_the_loss_is_the_negative_elbo_of_pymc(built):
    """Exactly for a q so narrow that its draws are its mean, within Monte Carlo error for wide ones."""
    digits = "digits" in built.name  # large, and in single precision
    rng, start, distance = np.random.default_rng(list(built.name.encode())), Q.of(built), 0.05 if digits else 0.5
    narrow = start.moved(rng, distance, sd=(1e-11, 1e-10))
    (exactly,) = narrow.losses_by_pymc(1, rng)
    assert narrow.losses(1)[0] == pytest.approx(exactly, rel=1e-5 if digits else 1e-8)
    wide = start.moved(rng, distance, sd=(0.05, 0.3))
    for q in (wide, wide.fitted(300, 0.02)):
        assert standard_errors(q.losses(100 if digits else 2_000), q.losses_by_pymc(40 if digits else 300, rng)) < 4


# --- exact posteriors -----------------------------------------------------------------------------------------------

NORMAL_POSTERIORS = [
    "01 ridge", "02 spring", "03 cold room", "04 minibatches", "04 all data", "04 plant", "04 potential"
]  # fmt: skip


@of_lessons(*NORMAL_POSTERIORS)
def test_advi_finds_the_best_q_of_a_normal_posterior(built):
    """The slope of PyMC's log density is a line, which gives the posterior; the shortfall in ELBO has a closed form.

    Largest shortfall of twenty seeds: 0.014 nats.
    """
    _, model, twin = built
    zero = {n: np.zeros_like(value) for n, value in twin.initial_point().items()}
    cuts, slope = np.cumsum([value.size for value in zero.values()]), twin.compile_dlogp(mode="FAST_COMPILE")

    def cut(vector):
        return {n: part.reshape(zero[n].shape) for n, part in zip(zero, np.split(vector, cuts[:-1]), strict=True)}

    at_zero = slope(zero)
    precision = np.stack([at_zero - slope(cut(unit)) for unit in np.eye(cuts[-1])])
    mean, diagonal = np.linalg.solve(precision, at_zero), np.diag(precision)
    best = twin.compile_logp(mode="FAST_COMPILE")(cut(mean)) + 0.5 * np.log(2 * np.pi / diagonal).sum()

    found = inference.advi(model, steps=20_000, learning_rate=0.05, random_seed=0)
    off = np.concatenate([value.ravel() for value in found.mean.values()]) - mean
    share = diagonal * np.concatenate([value.ravel() for value in found.sd.values()]) ** 2
    assert 0.5 * (off @ precision @ off + (share - 1 - np.log(share)).sum()) < 0.05
    error = found.loss[-2_000:].std(ddof=1) / np.sqrt(2_000)
    assert found.loss[-2_000:].mean() == pytest.approx(-best, abs=4 * error)


@of_lessons("01 coin", "04 stars")
def test_advi_finds_the_best_normal_of_one_transformed_variable(built):
    """By quadrature and a general optimiser. Largest shortfall of twenty seeds: 0.005 nats."""
    _, model, twin = built
    log_density = twin.compile_logp(mode="FAST_COMPILE")
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def elbo(q):
        values = [float(log_density({value: np.array(q[0] + np.exp(q[1]) * node)})) for node in nodes]
        return np.average(values, weights=weights) + q[1] + 0.5 * np.log(2 * np.pi * np.e)

    (value,) = twin.initial_point()
    best = -optimize.minimize(lambda q: -elbo(q), [0.0, -1.0], method="Nelder-Mead").fun
    found = inference.advi(model, steps=5_000, learning_rate=0.02, random_seed=0)
    assert -1e-6 < best - elbo([found.mean[value], np.log(found.sd[value])]) < 0.02


# --- the optimum of pm.fit ------------------------------------------------------------------------------------------


def fitted_by_pymc(model, start, start_sd, *, still, steps, learning_rate):
    """``pm.fit`` with our schedule, after `still` steps that leave q where it starts; mean, sd and losses in nats."""
    rate = pytensor.shared(0.0)

    def schedule(_approximation, _losses, step):
        progress = (step - still) / steps
        rate.set_value(0.5 * learning_rate * (1 + np.cos(np.pi * progress)) if step >= still else 0.0)

    with model:  # PyMC wants the standard deviations flat, and reports the loss of a batch
        sd = {n: np.full(value.size, start_sd) for n, value in model.initial_point().items()}
        method = pm.ADVI(start=start, start_sigma=sd, random_seed=1)
        optimiser = {"obj_optimizer": pm.adam(learning_rate=rate), "callbacks": [schedule], "progressbar": False}
        q = method.fit(still + steps, **optimiser, compile_kwargs={"mode": "FAST_COMPILE"})
    mean, sd = q.mean.eval(mode="FAST_COMPILE"), q.std.eval(mode="FAST_COMPILE")
    place = {n: (part, shape) for n, (_, part, shape, _) in q.groups[0].ordering.items()}
    parts = [{n: flat[part].reshape(shape) for n, (part, shape) in place.items()} for flat in (mean, sd)]
    return *parts, method.hist


@of_lessons("00 moons", "04 minibatches", "06 non-centred", "08 horseshoe")
def test_advi_and_pm_fit_report_the_same_loss_and_reach_the_same_elbo(built):
    """From one start near a mode: the posterior of a network has many, and the noise chooses among them.

    Largest difference of the two ELBOs over twenty starts and seeds: 0.26 nats.
    """
    rng, start = np.random.default_rng(5), Q.of(built)
    mode = start.moved(rng, 1.0, sd=(0.1, 0.1001)).fitted(5_000, 0.03)
    start = mode.moved(rng, 0.4, sd=(0.1, 0.1001))
    means = list(start.found.mean.values())
    start = start.at(means, [np.full_like(value, 0.1) for value in means])
    point = replace(start.found, state=start.found.state._replace(log_sd=()))
    draws = az.convert_to_dataset(point.sample(1, random_seed=0), group="posterior")
    constrained = {n: draws[n].values[0, 0] for n in draws}

    ours = start.fitted(2_000, 0.02)
    settings = {"still": 200, "steps": 2_000, "learning_rate": 0.02}
    mean, sd, losses = fitted_by_pymc(start.found.problem.model, constrained, 0.1, **settings)
    theirs = ours.at([mean[n] for n in ours.found.mean], [sd[n] for n in ours.found.mean])
    assert standard_errors(start.losses(500), losses[:200] * start.per_pass) < 4
    before, *after = (q.losses_by_pymc(500, np.random.default_rng(7)) for q in (start, ours, theirs))  # the same noise
    assert before.mean() - after[0].mean() > 2
    assert abs((after[0] - after[1]).mean()) < 0.4
