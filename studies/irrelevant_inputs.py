"""Which of twenty inputs matter? Posteriors, lasso and least squares at all their settings (lesson 08, appendix J).

    python studies/irrelevant_inputs.py    # writes notebooks/records/irrelevant_inputs.csv, about 5 minutes on one core

Tasks and priors are the lesson's own. Three inputs of twenty are relevant; the noise is unknown to all methods.
An interrupted run continues where it stopped.

Columns: data set; method; NLL of fresh observations (nats; none for a method that gives no noise); relevant inputs
chosen (of 3) and irrelevant ones (of 17) at the usual setting: 95 % intervals, the penalty of tenfold cross-validation,
and that of the one-standard-error rule; divergences and largest R-hat of the weights; and for each input how strongly
it is chosen: the probability of its likelier sign, the penalty at which the lasso drops it, or |t|.
"""

import argparse
import csv
from functools import partial
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import nutpie
from scipy import special, stats
from sklearn.linear_model import LassoCV, lasso_path

from bnn_course import uncertainty
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "irrelevant_inputs.csv"
INPUTS = [f"input_{number}" for number in range(1, 21)]
COLUMNS = ["data_set", "method", "nll", "right", "wrong", "divergences", "r_hat", *INPUTS]
LEVEL = 0.95
PENALTIES = np.geomspace(3, 3e-4, 400)


def from_lesson():
    """What the lesson defines: tasks, priors, the model and how it judges a posterior."""
    return lesson("08").define("make_task", "normal", "laplace", "horseshoe", "regression", "certainty")


def priors_of(names):
    """The priors to compare, by name; those of a horseshoe that was told something else, too."""
    horseshoe = names["horseshoe"]
    return {
        "Normal": names["normal"],
        "Laplace": names["laplace"],
        "horseshoe": horseshoe,
        "horseshoe, 1 expected": partial(horseshoe, expected=1),
        "horseshoe, 15 expected": partial(horseshoe, expected=15),
        "horseshoe, slab 0.3": partial(horseshoe, slab=0.3),
        "horseshoe, slab 10": partial(horseshoe, slab=10.0),
    }


def compiled(names, priors):
    """Every model once; nutpie exchanges the data."""
    task = names["make_task"](0)
    return {name: nutpie.compile_pymc_model(names["regression"](prior, task)) for name, prior in priors.items()}


def posterior_row(names, model, task, number):
    """One posterior: its NLL, the inputs it chooses and how certain it is of the sign of each weight."""
    settings = {"draws": 500, "tune": 500, "chains": 2, "target_accept": 0.95, "seed": number}
    trace = nutpie.sample(model.with_data(x=task.x, y=task.y), save_warmup=False, progress_bar=False, **settings)
    w, noise = (trace["posterior"][name].values for name in ("w", "noise"))
    divergences = int(trace["sample_stats"]["diverging"].values.sum())
    r_hat = uncertainty.split_rhat(w).max()
    w, noise = w.reshape(-1, 20), noise.reshape(-1, 1)
    log_p = stats.norm.logpdf(task.fresh_y, w @ task.fresh_x.T, noise)
    nll = np.mean(np.log(len(w)) - special.logsumexp(log_p, axis=0))
    scores = names["certainty"](w)
    return {"nll": nll, "divergences": divergences, "r_hat": r_hat} | chosen(scores > (1 + LEVEL) / 2, scores)


def chosen(here, scores):
    """How many inputs are chosen, relevant and irrelevant, and what the choice is made by."""
    by_input = dict(zip(INPUTS, scores, strict=True))
    return {"right": int(here[:3].sum()), "wrong": int(here[3:].sum())} | by_input


def classical_rows(task):
    """Rows of least squares with its t-tests, and of the lasso with two usual penalties."""
    x, y = task.x, task.y
    covariance = np.linalg.inv(x.T @ x)
    estimate = covariance @ x.T @ y
    freedom = len(y) - x.shape[1]
    variance = np.sum((y - x @ estimate) ** 2) / freedom
    t = np.abs(estimate) / np.sqrt(variance * np.diag(covariance))
    rows = {"least squares": chosen(t > stats.t.ppf((1 + LEVEL) / 2, freedom), t)}

    penalties, path, _ = lasso_path(x, y, alphas=PENALTIES)
    dropped = np.max(np.where(path != 0, penalties, 0), axis=1)
    cv = LassoCV(cv=10, fit_intercept=False, max_iter=50_000).fit(x, y)
    mean = cv.mse_path_.mean(axis=1)
    error = stats.sem(cv.mse_path_, axis=1)
    best = mean.argmin()
    stricter = cv.alphas_[mean <= mean[best] + error[best]].max()
    for name, penalty in {"lasso": cv.alpha_, "lasso, one standard error": stricter}.items():
        rows[name] = chosen(path[:, np.abs(penalties - penalty).argmin()] != 0, dropped)
    return rows


def measure(names, models, number):
    """Rows of the record for one data set."""
    task = names["make_task"](number)
    rows = {name: posterior_row(names, model, task, number) for name, model in models.items()}
    rows |= classical_rows(task)
    digits = {"nll": ".5f", "r_hat": ".3f"} | dict.fromkeys(INPUTS, ".5f")
    return [
        {"data_set": number, "method": name} | {key: format(value, digits.get(key, "")) for key, value in row.items()}
        for name, row in rows.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=24)
    options = parser.parse_args()
    names = from_lesson()
    models = compiled(names, priors_of(names))
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    done = {row["data_set"] for row in rows}
    for number in range(options.data_sets):
        if str(number) in done:
            continue
        rows += measure(names, models, number)
        partial_record = RECORD.with_suffix(".part")
        with partial_record.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        partial_record.replace(RECORD)
        print(
            number, *(f"{row['method']} {row['right']}/{row['wrong']}" for row in rows[-len(models) - 3 :]), flush=True
        )


if __name__ == "__main__":
    main()
