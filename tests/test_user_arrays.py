"""Arrays of a user, wherever one enters: frames, series and DataArrays are taken, missing entries refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bnn_course import data, exact, models, plots, samplers, uncertainty, variational
from bnn_course.claims import claim
from bnn_course.representations import align, random_symmetries, rearrange

RNG = np.random.default_rng(1)
P = RNG.dirichlet(np.ones(3), 6)
CUBE = RNG.dirichlet(np.ones(3), (4, 6))
LABELS = np.array([0, 1, 2, 0, 1, 2])
SCORE, WRONG = RNG.uniform(size=6), LABELS > 1
X, Y = RNG.normal(size=(6, 2)), RNG.normal(size=6)
UNIT = np.eye(2)
SYMMETRY = random_symmetries(4, 3, rng=RNG)


def ax():
    from matplotlib.figure import Figure

    return Figure(figsize=(8, 6)).add_subplot()


def density(zeta):
    return -(zeta**2).sum(axis=-1) / 2


def chain(start):
    return samplers.random_walk_metropolis(density, start, draws=5, step=1.0, rng=np.random.default_rng(1)).draws


def fit(start, log_density=density, gradient=np.negative):
    settings = {"steps": 5, "eta": 0.1, "rng": np.random.default_rng(1)}
    return variational.advi(log_density, gradient, start, **settings).path


# name -> the array that enters, and what is computed from it
ENTRIES = {
    "accuracy": (P, lambda a: uncertainty.accuracy(a, LABELS)),
    "accuracy, labels": (LABELS, lambda a: uncertainty.accuracy(P, a)),
    "nll": (P, lambda a: uncertainty.nll(a, LABELS)),
    "nll, labels": (LABELS, lambda a: uncertainty.nll(P, a)),
    "brier": (P, lambda a: uncertainty.brier(a, LABELS)),
    "ece": (P, lambda a: uncertainty.ece(a, LABELS)),
    "reliability": (P, lambda a: uncertainty.reliability(a, LABELS)),
    "mean_probability": (CUBE, uncertainty.mean_probability),
    "decompose_entropy": (CUBE, uncertainty.decompose_entropy),
    "decompose_variance": (CUBE, uncertainty.decompose_variance),
    "vote_share": (CUBE, uncertainty.vote_share),
    "risk_coverage": (SCORE, lambda a: uncertainty.risk_coverage(a, WRONG)),
    "risk_coverage, wrong": (WRONG, lambda a: uncertainty.risk_coverage(SCORE, a)),
    "share_to_reject": (SCORE, lambda a: uncertainty.share_to_reject(a, WRONG, accuracy=0.9)),
    "auroc": (SCORE, lambda a: uncertainty.auroc(a, SCORE)),
    "auroc, out": (SCORE, lambda a: uncertainty.auroc(SCORE, a)),
    "t_interval": (SCORE, uncertainty.t_interval),
    "split_rhat": (X.T, uncertainty.split_rhat),
    "regression_posterior, x": (X, lambda a: exact.regression_posterior(a, Y, noise_sd=1, prior_sd=1).mean.round(12)),
    "regression_posterior, y": (Y, lambda a: exact.regression_posterior(X, a, noise_sd=1, prior_sd=1)),
    "normal_kl, mean": (Y[:2], lambda a: exact.normal_kl((a, UNIT), (Y[:2], UNIT))),
    "normal_kl, covariance": (UNIT, lambda a: exact.normal_kl((Y[:2], a), (Y[:2], UNIT))),
    "log_integral": (Y, lambda a: exact.log_integral(lambda t: a, 0, 1, cells=6)),
    "random_walk_metropolis": (Y, chain),
    "advi": (Y, fit),
    "advi, density": (SCORE[:1], lambda a: fit([0.0], log_density=lambda zeta: a)),
    "advi, gradient": (X[:1], lambda a: fit([0.0, 0.0], gradient=lambda zeta: a)),
    "pareto_khat": (np.linspace(0, 1, 30), variational.pareto_khat),
    "align": (CUBE, lambda a: align(a, P)),
    "align, reference": (P, lambda a: align(CUBE, a)),
    "rearrange": (CUBE, lambda a: rearrange(a, SYMMETRY)),
    "make_rotated_moons": (Y, lambda a: data.make_rotated_moons(a, 4, noise=0, rng=np.random.default_rng(1))),
    "bnn_model, X": (X, lambda a: models.bnn_model(a, LABELS % 2)["X"].eval()),
    "bnn_model, y": (LABELS, lambda a: models.bnn_model(X, a, likelihood="categorical")["y"].eval()),
    "bnn_model, numbers": (Y, lambda a: models.bnn_model(X, a, likelihood="normal")["y"].eval()),
    "encode_labels": (LABELS, lambda a: models.encode_labels(a).labels),
    "picture": (P, lambda a: plots.picture(ax(), a).get_array()),
    "class_bars": (P[0], lambda a: [bar.get_height() for bar in plots.class_bars(ax(), a)]),
    "loss_curve": (Y, lambda a: plots.loss_curve(ax(), range(6), a).get_ydata()),
    "probability_map": (UNIT, lambda a: plots.probability_map(ax(), [0, 1], [0, 1], a, kind="uncertainty").get_array()),
    "scatter_classes": (X, lambda a: plots.scatter_classes(ax(), a, LABELS)[0].get_offsets()),
    "claim": (Y, lambda a: claim("09-a", "It is {value:.1f} on average", a, at_least=-9)),
    "claim, target": (Y, lambda a: claim("09-b", "It is {value:.1f} on average", Y, equal_to=a, within=9)),
}  # fmt: skip
KINDS = {
    "list": lambda a: a.tolist(),
    "pandas": lambda a: pd.Series(a, index=np.arange(len(a))[::-1]) if a.ndim == 1 else pd.DataFrame(a),
    "nullable pandas": lambda a: KINDS["pandas"](a).convert_dtypes(),
    "xarray": xr.DataArray,
    "a mask that hides nothing": lambda a: np.ma.masked_array(a, mask=np.zeros(a.shape, bool)),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_array_may_come_in_other_clothes(entry):
    array, compute = ENTRIES[entry]
    for kind, wrap in KINDS.items():
        if not (array.ndim > 2 and "pandas" in kind):
            np.testing.assert_equal(compute(wrap(array)), compute(array), err_msg=kind)


def first_masked(array):
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 0)


GAPS = {
    "masked": (first_masked, r"1 masked of \d+ entries, the first at index \(0"),
    "rows of which one is masked": (lambda a: list(first_masked(a)), "1 masked of|finite, got nan"),
    "None": (lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, None, a), r"1 missing of \d+ entries"),
}


@pytest.mark.filterwarnings("ignore:.*converting a masked element to nan:UserWarning")  # of NumPy: a masked scalar
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_that_is_not_there_is_never_read(entry):
    array, compute = ENTRIES[entry]
    for gap, message in GAPS.values():
        with pytest.raises((ValueError, TypeError), match=message):
            compute(gap(array))
