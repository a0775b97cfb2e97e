"""Models that a student may bring, each on a little data: what `bnn_course.inference` promises, it promises of them.

``MODELS["poisson"]()`` builds one anew. The data are made here, so that every model can be fitted.
"""

from __future__ import annotations

import warnings

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

RNG = np.random.default_rng(2017)
N = 40
X = RNG.normal(size=(N, 2))
LINE = X @ [1.0, -0.5]
Y = 0.5 + LINE + RNG.normal(0, 0.7, N)
YES = RNG.random(N) < 1 / (1 + np.exp(-0.5 - LINE))
COUNTS = RNG.poisson(np.exp(0.7 + 0.4 * LINE))
POSITIVE = RNG.gamma(3, np.exp(0.3 + 0.5 * LINE) / 3)
SHARE = RNG.beta(4 + 2 * X[:, 0].clip(-1, 1), 4)
GROUP = np.arange(N) % 5
GROUPED = RNG.normal(0, 0.8, 5)[GROUP] + RNG.normal(0, 0.6, N)
GRADE = np.digitize(LINE + RNG.logistic(size=N), [-1.0, 0.5, 2.0])
KIND = np.argmax(X @ [[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]] + RNG.gumbel(size=(N, 3)), axis=1)
TWO_HUMPS = np.concatenate([RNG.normal(-2, 0.6, 18), RNG.normal(2, 0.8, 22)])
PAIRS = RNG.multivariate_normal([0.5, -0.5], [[1.0, 0.6], [0.6, 1.5]], size=N)
PLACES = np.linspace(0, 3, 15)
CURVE = np.sin(2 * PLACES) + RNG.normal(0, 0.2, 15)
SERIES = np.zeros(N)
for moment in range(1, N):
    SERIES[moment] = 0.6 * SERIES[moment - 1] + RNG.normal(0, 0.5)

MODELS = {}


def user_model(write):
    """Let ``MODELS[name]()`` return a new model that holds what `write` writes."""

    def build():
        with pm.Model() as model:
            write()
        return model

    MODELS[write.__name__] = build
    return write


# --- regressions --------------------------------------------------------------------------------


def line():
    """Intercept and slopes, and the line that they draw."""
    intercept, slopes = pm.Normal("intercept", 0, 2), pm.Normal("slopes", 0, 1, shape=2)
    return pm.Deterministic("line", intercept + X @ slopes)


@user_model
def linear():
    pm.Normal("y", line(), pm.HalfNormal("sigma", 1), observed=Y)


@user_model
def logistic():
    pm.Bernoulli("y", logit_p=line(), observed=YES)


@user_model
def poisson():
    pm.Poisson("y", pt.exp(line()), observed=COUNTS)


@user_model
def negative_binomial():
    pm.NegativeBinomial("y", mu=pt.exp(line()), alpha=pm.Exponential("alpha", 0.2), observed=COUNTS)


@user_model
def robust():
    pm.StudentT("y", nu=pm.Gamma("nu", 2, 0.1), mu=line(), sigma=pm.HalfNormal("sigma", 1), observed=Y)


@user_model
def gamma_regression():
    shape = pm.HalfNormal("shape", 5)
    pm.Gamma("y", alpha=shape, beta=shape / pt.exp(line()), observed=POSITIVE)


@user_model
def beta_regression():
    pm.Beta("y", mu=pm.math.invlogit(line()), nu=pm.Gamma("nu", 2, 0.2), observed=SHARE)


@user_model
def laplace_errors():
    pm.Laplace("y", line(), pm.HalfNormal("b", 1), observed=Y)


@user_model
def noise_that_depends_on_the_input():
    log_sd = pm.Normal("log_sd", 0, 1, shape=2)
    pm.Normal("y", line(), pt.exp(log_sd[0] + log_sd[1] * X[:, 0]), observed=Y)


@user_model
def softmax():
    weights = pm.Normal("weights", 0, 1, shape=(2, 3))
    pm.Categorical("y", p=pm.math.softmax(X @ weights, axis=1), observed=KIND)


@user_model
def ordinal():
    ordered = pm.distributions.transforms.ordered
    cuts = pm.Normal("cuts", 0, 2, shape=3, transform=ordered, initval=np.array([-1.0, 0.0, 1.0]))
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    pm.OrderedLogistic("y", eta=X @ slopes, cutpoints=cuts, observed=GRADE)


@user_model
def ordinal_probit():
    ordered = pm.distributions.transforms.ordered
    cuts = pm.Normal("cuts", 0, 2, shape=3, transform=ordered, initval=np.array([-1.0, 0.0, 1.0]))
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    pm.OrderedProbit("y", eta=X @ slopes, sigma=1.0, cutpoints=cuts, observed=GRADE)


# --- groups -------------------------------------------------------------------------------------


@user_model
def groups_by_index():
    effect = pm.Normal("effect", 0, 1, shape=5)
    pm.Normal("y", effect[GROUP], pm.HalfNormal("sigma", 1), observed=GROUPED)


@user_model
def centred_hierarchy():
    middle, spread = pm.Normal("middle", 0, 1), pm.Gamma("spread", 4, 4)
    effect = pm.Normal("effect", middle, spread, shape=5)
    pm.Normal("y", effect[GROUP], pm.HalfNormal("sigma", 1), observed=GROUPED)


@user_model
def non_centred_hierarchy():
    middle, spread = pm.Normal("middle", 0, 1), pm.HalfCauchy("spread", 1)
    effect = pm.Deterministic("effect", middle + spread * pm.Normal("raw", 0, 1, shape=5))
    pm.Normal("y", effect[GROUP], pm.HalfNormal("sigma", 1), observed=GROUPED)


@user_model
def named_dimensions():
    model = pm.modelcontext(None)
    model.add_coords({"group": list("abcde"), "input": ["age", "weight"]})
    slopes = pm.Normal("slopes", 0, 1, dims=("group", "input"))
    pm.Normal("y", (slopes[GROUP] * X).sum(axis=1), 0.7, observed=Y)


@user_model
def zero_sum():
    pm.Normal("y", pm.Normal("middle", 0, 1) + pm.ZeroSumNormal("effect", 1, shape=5)[GROUP], 0.6, observed=GROUPED)


# --- distributions ------------------------------------------------------------------------------


@user_model
def exponential():
    pm.Exponential("y", lam=pm.Gamma("rate", 2, 1), observed=POSITIVE)


@user_model
def bounded_uniform():
    pm.Normal("y", pm.Uniform("middle", -1, 3), pm.Uniform("sigma", 0, 2), observed=Y)


@user_model
def cauchy_and_inverse_gamma():
    middle = pm.Normal("middle", 0, pm.HalfCauchy("width", 1))
    pm.Normal("y", middle, pt.sqrt(pm.InverseGamma("variance", 3, 1)), observed=Y)


@user_model
def beta_binomial():
    a, b = pm.Gamma("a", 3, 1), pm.Gamma("b", 3, 1)
    pm.BetaBinomial("y", n=12, alpha=a, beta=b, observed=np.minimum(COUNTS, 12))


@user_model
def zero_inflated():
    often = pm.Beta("often", 2, 2)
    pm.ZeroInflatedPoisson("y", psi=often, mu=pm.Gamma("rate", 2, 1), observed=COUNTS * YES)


@user_model
def dirichlet_and_multinomial():
    share = pm.Dirichlet("share", np.array([1.0, 2.0, 1.0]))
    pm.Multinomial("y", n=N, p=share, observed=np.bincount(KIND, minlength=3))


@user_model
def truncated():
    kept = Y[Y > 0]
    pm.Truncated("y", pm.Normal.dist(pm.Normal("middle", 0, 1), pm.HalfNormal("sigma", 1)), lower=0, observed=kept)


@user_model
def censored():
    sigma = pm.HalfNormal("sigma", 1)
    pm.Censored("y", pm.Normal.dist(line(), sigma), lower=None, upper=1.0, observed=np.minimum(Y, 1.0))


@user_model
def truncated_prior():
    pm.Normal("y", pm.TruncatedNormal("middle", mu=0, sigma=1, lower=-0.5, upper=3), 0.7, observed=Y)


@user_model
def weibull_survival():
    end = np.minimum(POSITIVE, 1.5)
    shape, scale = pm.Gamma("shape", 4, 2), pt.exp(line())
    died = pm.logp(pm.Weibull.dist(shape, scale), end)
    lived = -((end / scale) ** shape)
    pm.Potential("likelihood", pt.where(POSITIVE < 1.5, died, lived).sum())


@user_model
def angles():
    pm.VonMises("y", mu=pm.VonMises("direction", 0, 1), kappa=pm.Gamma("kappa", 2, 1), observed=np.angle(1 + Y * 1j))


@user_model
def correlated_pairs():
    cholesky, _, _ = pm.LKJCholeskyCov("covariance", n=2, eta=2, sd_dist=pm.Exponential.dist(1.0, shape=2))
    pm.MvNormal("y", pm.Normal("middle", 0, 1, shape=2), chol=cholesky, observed=PAIRS)


@user_model
def multivariate_normal_prior():
    slopes = pm.MvNormal("slopes", mu=np.zeros(2), cov=np.array([[1.0, 0.5], [0.5, 1.0]]))
    pm.Normal("y", X @ slopes, pm.HalfNormal("sigma", 1), observed=Y)


# --- mixtures -----------------------------------------------------------------------------------


@user_model
def normal_mixture():
    ordered = pm.distributions.transforms.ordered
    middles = pm.Normal("middles", 0, 3, shape=2, transform=ordered, initval=np.array([-1.0, 1.0]))
    share = pm.Dirichlet("share", np.array([2.0, 2.0]))
    pm.NormalMixture("y", w=share, mu=middles, sigma=pm.Gamma("sigmas", 4, 4, shape=2), observed=TWO_HUMPS)


@user_model
def mixture_of_families():
    share = pm.Beta("share", 2, 2)
    parts = [pm.Normal.dist(pm.Normal("middle", 1, 1), 0.5), pm.StudentT.dist(nu=3, mu=0, sigma=3)]
    pm.Mixture("y", w=pt.stack([share, 1 - share]), comp_dists=parts, observed=Y)


# --- processes ----------------------------------------------------------------------------------


@user_model
def marginal_gaussian_process():
    length, height = pm.Gamma("length", 4, 4), pm.HalfNormal("height", 1)
    process = pm.gp.Marginal(cov_func=height**2 * pm.gp.cov.ExpQuad(1, ls=length))
    process.marginal_likelihood("y", X=PLACES[:, None], y=CURVE, sigma=pm.HalfNormal("sigma", 0.5))


@user_model
def latent_gaussian_process():
    process = pm.gp.Latent(cov_func=pm.gp.cov.Matern52(1, ls=pm.Gamma("length", 4, 4)))
    pm.Normal("y", process.prior("f", X=PLACES[:, None], jitter=1e-5), 0.3, observed=CURVE)


@user_model
def autoregression():
    rho, sigma = pm.Normal("rho", 0, 0.5), pm.HalfNormal("sigma", 1)
    pm.AR("y", rho=rho, sigma=sigma, init_dist=pm.Normal.dist(0, 1), shape=N, observed=SERIES)


@user_model
def random_walk():
    walk = pm.GaussianRandomWalk("walk", sigma=0.5, init_dist=pm.Normal.dist(0, 1), steps=N - 1)
    pm.Normal("y", walk, 0.5, observed=SERIES)


@user_model
def garch():
    alpha, beta = pm.Beta("alpha", 2, 6), pm.Beta("beta", 2, 2)
    pm.GARCH11("y", omega=pm.Gamma("omega", 2, 8), alpha_1=alpha, beta_1=beta, initial_vol=0.5, observed=SERIES)


# --- how the model is written -------------------------------------------------------------------


@user_model
def potential():
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    pm.Potential("sum_near_one", -10 * (slopes.sum() - 1) ** 2)
    pm.Normal("y", X @ slopes, 0.7, observed=Y)


@user_model
def data_that_change():
    features = pm.Data("features", X[:20])
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    mean = pm.Deterministic("mean", features @ slopes)
    pm.Normal("y", mean, 0.7, observed=pm.Data("targets", Y[:20]), shape=mean.shape)
    pm.set_data({"features": X, "targets": Y})


@user_model
def integers_that_change():
    asked = pm.Data("asked", COUNTS + 3)
    chance = pm.Beta("chance", 2, 2)
    pm.Binomial("y", n=asked, p=chance, observed=pm.Data("agreed", COUNTS), shape=N)


@user_model
def gaussian_process_on_data_that_change():
    places = pm.Data("places", PLACES[:, None])
    process = pm.gp.Latent(cov_func=pm.gp.cov.ExpQuad(1, ls=pm.Gamma("length", 4, 4)))
    pm.Normal("y", process.prior("f", X=places, jitter=1e-5), 0.3, observed=CURVE)


@user_model
def rows_that_repeat():
    effect = pm.Normal("effect", 0, 1, shape=5)
    pm.Normal("y", pt.repeat(effect, pm.Data("repeats", np.full(5, N // 5))), 0.7, observed=np.sort(GROUPED))


@user_model
def missing_values():
    some = np.where(np.arange(N) % 10 == 0, np.nan, Y)
    with warnings.catch_warnings(category=pm.exceptions.ImputationWarning, action="ignore"):  # that is what we want
        pm.Normal("y", pm.Normal("middle", 0, 1), pm.HalfNormal("sigma", 1), observed=some)


@user_model
def own_density():
    def logp(value, middle, scale):
        return -pt.log(scale) - pt.log(2) - pt.abs(value - middle) / scale

    pm.CustomDist("y", pm.Normal("middle", 0, 1), pm.HalfNormal("scale", 1), logp=logp, observed=Y)


@user_model
def minibatches():
    features, targets = pm.Minibatch(X, Y, batch_size=8)
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    mean = pm.Deterministic("mean", features @ slopes)
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=targets, total_size=N)


def single_precision():
    """All in 32 bits, as the lessons' networks for images are."""
    with pytensor.config.change_flags(floatX="float32"), pm.Model() as model:
        slopes = pm.Normal("slopes", 0, 1, shape=2)
        pm.Normal("y", X.astype("float32") @ slopes, pm.HalfNormal("sigma", 1), observed=Y.astype("float32"))
    return model


MODELS["single_precision"] = single_precision


def precision_of(name):
    """The floating-point type that a student has set who writes this model."""
    return pytensor.config.change_flags(floatX="float32" if name == "single_precision" else "float64")
