"""Which of ten inputs does a network need? One scale for all inputs, or one for each (lesson 08 draws the record).

    python studies/irrelevant_inputs_network.py    # writes notebooks/records/irrelevant_inputs_network.csv, 8 minutes

Tasks, priors and the network are the lesson's own; five inputs of ten are relevant. The oracle is the network with one
scale that is given these five only. An interrupted run continues where it stopped.

Columns: data set; prior; NLL (nats) and root mean square error of fresh observations, in units of the targets' standard
deviation; divergences; largest R-hat of a prediction for the first hundred fresh inputs; smallest effective sample
size of these; and for each input the posterior mean of the length of its weights.
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import nutpie
from scipy import special, stats

from bnn_course import uncertainty
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "irrelevant_inputs_network.csv"
INPUTS = [f"input_{number}" for number in range(1, 11)]
COLUMNS = ["data_set", "prior", "nll", "rmse", "divergences", "r_hat", "ess", *INPUTS]
RELEVANT = 5
SETTINGS = {
    "draws": 1_000,
    "tune": 1_000,
    "chains": 2,
    "target_accept": 0.95,
    "save_warmup": False,
    "progress_bar": False,
}


def from_lesson():
    """What the lesson defines: tasks, priors of the input scales, and the network."""
    names = "make_curved_task", "one_scale", "relevance", "group_horseshoe", "network", "lengths"
    return lesson("08").define(*names)


def told(task):
    """The task of the oracle, who knows which inputs are relevant."""
    return task._replace(x=task.x[:, :RELEVANT], fresh_x=task.fresh_x[:, :RELEVANT])


def compiled(names):
    """Every model once; nutpie exchanges the data."""
    task = names["make_curved_task"](0)
    priors = {
        "one scale": names["one_scale"],
        "relevance": names["relevance"],
        "horseshoe": names["group_horseshoe"],
    }
    models = {name: names["network"](prior, task) for name, prior in priors.items()}
    models["oracle"] = names["network"](names["one_scale"], told(task))
    return {name: nutpie.compile_pymc_model(model) for name, model in models.items()}


def measure(names, model, task, number):
    """One posterior: predictions, their convergence, and the length of each input's weights."""
    trace = nutpie.sample(model.with_data(x=task.x, y=task.y), seed=number, **SETTINGS)
    posterior = {name: trace["posterior"][name].values for name in ("w1", "b1", "w2", "b2", "noise")}
    divergences = int(trace["sample_stats"]["diverging"].values.sum())
    draws = {name: value.reshape(-1, *value.shape[2:]) for name, value in posterior.items()}
    mean = np.array(
        [np.tanh(task.fresh_x @ w1 + b1) @ w2 + b2 for w1, b1, w2, b2, _ in zip(*draws.values(), strict=True)]
    )
    log_p = stats.norm.logpdf(task.fresh_y, mean, draws["noise"][:, None])
    followed = mean[:, :100].reshape(SETTINGS["chains"], SETTINGS["draws"], 100)
    by_input = names["lengths"](draws["w1"]).mean(axis=0)
    row = {
        "nll": f"{np.mean(np.log(len(mean)) - special.logsumexp(log_p, axis=0)):.4f}",
        "rmse": f"{np.sqrt(np.mean((mean.mean(axis=0) - task.fresh_y) ** 2)):.4f}",
        "divergences": divergences,
        "r_hat": f"{uncertainty.split_rhat(followed).max():.3f}",
        "ess": f"{min(float(az.ess(followed[:, :, place])) for place in range(100)):.0f}",
    }
    return row | {name: f"{value:.4f}" for name, value in zip(INPUTS[: len(by_input)], by_input, strict=True)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=5)
    options = parser.parse_args()
    names = from_lesson()
    models = compiled(names)
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    done = {(row["data_set"], row["prior"]) for row in rows}
    for number in range(options.data_sets):
        task = names["make_curved_task"](number)
        for prior, model in models.items():
            if (str(number), prior) in done:
                continue
            row = measure(names, model, told(task) if prior == "oracle" else task, number)
            rows.append({"data_set": number, "prior": prior} | row)
            partial = RECORD.with_suffix(".part")
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            partial.replace(RECORD)
            print(*rows[-1].values(), flush=True)


if __name__ == "__main__":
    main()
