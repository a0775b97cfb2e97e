"""Fit models that a student may bring with this package and with PyMC itself, and compare what they find.

    python studies/user_models.py            # writes the rows of this PyMC in studies/user_models.csv, about 30 minutes
    python studies/user_models.py poisson    # writes the rows of one model anew

The models are those of tests/_user_models.py. A row is a PyMC, a model, a method, how many numbers were compared, and
the largest distance between them, in these units:

- map: nats by which PyMC's `find_MAP` has the higher log density (negative: ours is higher),
- advi: standard deviations of PyMC's fit, between the means, and between the logarithms of the standard deviations,
- nuts: Monte Carlo standard errors of both posterior means together.

A model that cannot be fitted has, in place of numbers, the sentence that says so. `TOLERANCE` holds what is still
agreement; tests/test_user_models.py looks at every row and repeats a part.
"""

import csv
import logging
import sys
import warnings
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import pymc as pm
import pytensor

from bnn_course import inference
from tests._user_models import MODELS, precision_of

RECORD = Path(__file__).with_suffix(".csv")
COLUMNS = ["pymc", "model", "method", "compared", "distance", "sentence"]
TOLERANCE = {"map": 0.02, "advi": 0.15, "nuts": 4.0}
MAJOR = pm.__version__.split(".")[0]
SEED = 2017
STEPS = 20_000  # of both ADVIs


def compare_map(model):
    """Log density at PyMC's MAP estimate minus that at ours, with PyMC's own log density."""
    density = model.compile_logp(jacobian=False, **FAST_TO_COMPILE)
    with warnings.catch_warnings(), pytensor.config.change_flags(**FAST_TO_COMPILE), model:
        warnings.simplefilter("ignore", FutureWarning)  # PyMC 6 announces what find_MAP will return next year
        theirs = pm.find_MAP(include_transformed=True, progressbar=False)
    ours = inference.find_map(model, steps=STEPS, learning_rate=0.02, random_seed=SEED)
    names = [variable.name for variable in model.value_vars]
    best = density({name: theirs[name] for name in names})
    return len(names), float(best - density({name: ours.mean[name] for name in names}))


def both_advis(model):
    """Means and standard deviations of PyMC's mean-field fit, and of ours, by name of the value variable.

    PyMC's are the averages over the second half of its steps, because its step size does not fall.
    """
    kept = []
    with model:
        theirs = pm.ADVI(random_seed=SEED)
    mean, rho = theirs.approx.params_dict["mu"], theirs.approx.params_dict["rho"]

    def keep(_approximation, _losses, step):
        if step > STEPS // 2 and step % 20 == 0:
            kept.append((mean.get_value(), rho.get_value()))

    theirs.fit(STEPS, obj_optimizer=pm.adam(learning_rate=0.005), callbacks=[keep], progressbar=False)
    means, rhos = (np.mean(values, axis=0) for values in zip(*kept, strict=True))
    sds = np.log1p(np.exp(rhos))
    ours = inference.advi(model, steps=STEPS, learning_rate=0.02, random_seed=SEED)
    places = {name: (place, shape) for name, (_, place, shape, _) in theirs.approx.ordering.items()}
    pymc = {name: (means[place].reshape(shape), sds[place].reshape(shape)) for name, (place, shape) in places.items()}
    return pymc, {name: (ours.mean[name], ours.sd[name]) for name in pymc}


def compare_advi(model):
    """Largest distance between the means, and between the log standard deviations, of both mean-field fits."""
    theirs, ours = both_advis(model)
    largest = 0.0
    for name, (mean, sd) in theirs.items():
        largest = max(largest, np.abs((ours[name][0] - mean) / sd).max(), np.abs(np.log(ours[name][1] / sd)).max())
    return sum(mean.size for mean, _ in theirs.values()), float(largest)


def compare_nuts(model):
    """Largest distance between the posterior means of PyMC's NUTS and ours, of all free variables."""
    settings = {"draws": 500, "tune": 500, "chains": 2, "random_seed": SEED, "compute_convergence_checks": False}
    with model:
        theirs = pm.sample(nuts_sampler="pymc", cores=1, progressbar=False, **settings)
    ours = inference.nuts(model, **settings)
    distances = []
    for variable in model.free_RVs:
        both = [idata.posterior[variable.name].values for idata in (theirs, ours)]
        for one, other in zip(*(chains.reshape(*chains.shape[:2], -1).T for chains in both), strict=True):
            errors = [values.std() / float(az.ess(values.T)) ** 0.5 for values in (one, other)]
            distances.append(abs(one.mean() - other.mean()) / max(np.hypot(*errors), 1e-12))
    return len(distances), float(max(distances))


METHODS = {"map": compare_map, "advi": compare_advi, "nuts": compare_nuts}
BATCHED = "minibatches"  # each evaluation sees other rows: only ADVI can be compared
FAST_TO_COMPILE = {"mode": "FAST_COMPILE"}  # few evaluations: compiling them well would take longer


def row(name, method):
    """Compare one model by one method."""
    try:
        with precision_of(name):
            compared, distance = METHODS[method](MODELS[name]())
        result = {"compared": compared, "distance": f"{distance:.2g}", "sentence": ""}
    except (ValueError, TypeError, NotImplementedError) as error:
        result = {"compared": 0, "distance": "", "sentence": str(error).splitlines()[0]}
    return {"pymc": MAJOR, "model": name, "method": method} | result


def write(rows):
    """Put these rows into the record, in place of those of the same PyMC, model and method."""
    record = {}
    if RECORD.exists():
        with RECORD.open(newline="", encoding="utf-8") as file:
            record = {key(line): line for line in csv.DictReader(file)}
    record |= {key(line): line for line in rows}
    with RECORD.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(record[each] for each in sorted(record))


def key(line):
    """What a row is about."""
    return line["pymc"], line["model"], line["method"]


def main(names):
    logging.getLogger("pymc").setLevel(logging.ERROR)
    for name in names or MODELS:
        rows = [row(name, method) for method in METHODS if method == "advi" or name != BATCHED]
        print(*(" ".join(map(str, line.values())) for line in rows), sep="\n", flush=True)
        write(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
