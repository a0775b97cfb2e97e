"""A fair contest of six methods on MNIST (lesson 09 reads the record).

    python studies/mnist_contest.py --seeds 2017 2018 2019 2020 2021

writes four tables to notebooks/records/:

- mnist_contest_choice.csv: every setting that was tried, with its NLL on the validation images that choose, and which
  setting was chosen for each method. Two seeds, none of them used below.
- mnist_contest.csv: scores on the 10 000 test images, and how doubt and mistakes go together.
- mnist_contest_shift.csv: the same networks on 2 500 test images (every fourth), turned, moved, blurred or noisy.
- mnist_contest_strangers.csv: AUROC of strangers against test digits. Far strangers: letters and clothes, for each
  seed. Near strangers: a digit that was held out of training, one fit for each digit (ten outputs, one never right).

All methods use the network 784-128-128-10 of lesson 09 and learn from the first 55 000 training images in batches of
128. The budget of a fit is 20 passes, for every method. The next 2 500 images choose the settings, the last 2 500
calibrate conformal sets, the test images only report.

A run takes about forty minutes on two cores that have other things to do, too. What is in the tables is not computed
again: a run that was killed goes on where it was; delete the tables to start afresh. A table is written whole or not at
all.
"""

import argparse
import functools
import itertools
import time
from pathlib import Path
from types import SimpleNamespace

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
from scipy.ndimage import gaussian_filter, rotate
from scipy.special import softmax

from bnn_course import data, inference, models, uncertainty
from bnn_course._files import write_whole
from tools.lessons import lesson

pytensor.config.floatX = "float32"

DRAWS, MEMBERS = 50, 5


# The methods, as the lesson shows them --------------------------------------------------------------------------------

METHODS = (
    "tempered",
    "best_temperature",
    "last_features",
    "curvature",
    "laplace_draws",
    "dropout_logits",
    "fit_dropout",
    "conformal_threshold",
)


@functools.cache
def from_lesson(n_train):
    """Return the functions of lesson 09 by name, for a training set of this size."""
    names = lesson("09").define("fit", *METHODS, given={"n_train": n_train})
    return SimpleNamespace(**{name: names[name] for name in ("fit", *METHODS)})


# Data -----------------------------------------------------------------------------------------------------------------

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
CHOICE, SCORES, SHIFT, STRANGERS = (
    RECORDS / f"mnist_contest{part}.csv" for part in ("_choice", "", "_shift", "_strangers")
)
N_TRAIN, N_CHOOSE, SEEDS = 55_000, 2_500, (2017, 2018, 2019, 2020, 2021)
METHOD = from_lesson(N_TRAIN)
GRIDS = {
    "MAP": {"prior_sd": (0.1, 0.3, 1.0), "passes": (10, 20)},
    "ADVI": {"prior_sd": (0.3, 1.0, 3.0), "passes": (10, 20), "learning_rate": (5e-4, 1e-3, 2e-3)},
    "MC dropout": {"rate": (0.05, 0.1, 0.2, 0.3), "passes": (10, 20)},
    "last-layer Laplace": {"precision": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)},
}
CLOSE = 0.005  # nats: settings so close to the best of the first seed are fitted from a second seed, too
SEVERITIES = {
    "rotation": (0, 15, 30, 45, 60, 90),  # degrees
    "translation": (0, 2, 4, 6, 8),  # pixels to the right
    "noise": (0, 0.1, 0.2, 0.3, 0.4, 0.5),  # standard deviation, as a share of full ink
    "blur": (0, 1, 1.5, 2, 3),  # standard deviation in pixels
}


def shifted(images, kind, severity):
    """Images (item, pixel) turned, moved, with noise or blurred, again as whole numbers 0 … 255."""
    square = images.reshape(-1, 28, 28).astype(float)
    if kind == "rotation":
        square = rotate(square, severity, axes=(2, 1), reshape=False, order=1)
    elif kind == "translation":
        square = np.pad(square, ((0, 0), (0, 0), (severity, 0)))[:, :, :28]
    elif kind == "noise":
        square = square + 255 * severity * np.random.default_rng(0).standard_normal(square.shape)
    else:
        square = gaussian_filter(square, (0, severity, severity))
    return np.clip(np.round(square), 0, 255).astype(np.uint8).reshape(len(images), -1)


def split_mnist():
    """Images (item, pixel) and labels for training, choosing, calibrating and testing."""
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    ends = [N_TRAIN, N_TRAIN + N_CHOOSE]
    parts = zip(np.split(images, ends), np.split(labels, ends), strict=True)
    return dict(zip(("train", "choose", "calibrate"), parts, strict=True)) | {
        "test": (mnist.test_images.reshape(-1, 784), mnist.test_labels)
    }


class Networks:
    """The two PyMC models (MAP's and ADVI's prior) of one training set, compiled once."""

    def __init__(self, images, labels):
        self.images, self.labels, self.models, self.points, self.hessians = images, labels, {}, {}, {}
        self.batch = pm.Minibatch(images, labels, batch_size=128)

    def model(self, prior_sd):
        if prior_sd not in self.models:
            self.models[prior_sd] = models.image_classifier(
                *self.batch, total_size=len(self.labels), weight_sd=prior_sd
            )
        return self.models[prior_sd]

    def map(self, seed, prior_sd, passes):
        key = (seed, prior_sd, passes)
        if key not in self.points:
            fit = from_lesson(len(self.labels)).fit
            self.points[key] = fit(inference.find_map, self.model(prior_sd), passes, 2e-3, seed)
        return self.points[key]

    def advi(self, seed, prior_sd, passes, learning_rate):
        fit = from_lesson(len(self.labels)).fit
        return fit(inference.advi, self.model(prior_sd), passes, learning_rate, seed)

    def answers(self, prior_sd, fit, draws, seed):
        """Function from images to probabilities (draw, item, class)."""
        model, posterior = self.model(prior_sd), fit.sample(draws, random_seed=seed)
        return lambda images: inference.predict(model, posterior, "probability", given={self.batch[0]: images})

    def dropout(self, seed, rate, passes):
        """Function from images to probabilities (draw, item, class), of a network trained with dropout."""
        start = models.random_start(self.model(1.0), np.random.default_rng(seed))
        steps = passes * (len(self.labels) // 128)
        weights = METHOD.fit_dropout(start, self.images, self.labels, rate, steps, seed)
        keys = jax.random.split(jax.random.key(seed + 1), DRAWS)
        return lambda images: softmax([METHOD.dropout_logits(weights, images, rate, key) for key in keys], axis=-1)

    def laplace(self, seed, precision, prior_sd, passes):
        """Function from images to probabilities (draw, item, class), by Laplace in the last layer of the MAP."""
        weights = self.map(seed, prior_sd, passes).mean
        last = np.vstack([weights["w3"], weights["b3"]])
        key = (seed, prior_sd, passes)
        if key not in self.hessians:
            self.hessians[key] = METHOD.curvature(METHOD.last_features(weights, self.images), last)
        rng = np.random.default_rng(seed)
        draws = METHOD.laplace_draws(last, self.hessians[key], precision, DRAWS, rng)
        return lambda images: softmax(METHOD.last_features(weights, images) @ draws, axis=-1)


def contestants(networks, settings, seed, choose=None):
    """For each method a function from images to probabilities (draw, item, class); and the temperature."""
    point, bayes, dropout = settings["MAP"], settings["ADVI"], settings["MC dropout"]
    fits = [networks.map(seed + 1000 * member, **point) for member in range(MEMBERS)]
    members = [networks.answers(point["prior_sd"], fit, 1, seed) for fit in fits]
    methods = {"MAP": members[0]}
    temperature = np.nan
    if choose is not None:
        temperature = METHOD.best_temperature(members[0](choose[0])[0], choose[1])
        methods["MAP, temperature"] = lambda images: METHOD.tempered(members[0](images), temperature)
    methods["ensemble"] = lambda images: np.concatenate([member(images) for member in members])
    advi = networks.advi(seed, **bayes)
    methods["ADVI"] = networks.answers(bayes["prior_sd"], advi, DRAWS, seed)
    methods["last-layer Laplace"] = networks.laplace(seed, **settings["last-layer Laplace"], **point)
    methods["MC dropout"] = networks.dropout(seed, **dropout)
    return methods, temperature


# Choosing -------------------------------------------------------------------------------------------------------------


def choose_settings(splits):
    """Try the grids on the images that choose; return the settings of each method with the smallest mean NLL."""
    networks, rows = Networks(*splits["train"]), read(CHOICE)
    columns = ["method", *dict.fromkeys(itertools.chain(*GRIDS.values())), "seed", "accuracy", "nll", "chosen"]
    tried = {tuple(row[c] for c in columns[:-3]) for row in rows}
    settings = {}
    for method, grid in GRIDS.items():
        cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        for seed in (0, 1):
            for cell in cells:
                row = dict.fromkeys(columns, "") | {"method": method, "seed": seed} | cell
                if tuple(row[c] for c in columns[:-3]) not in tried:
                    rows.append(try_cell(networks, method, cell, row, seed, settings, splits["choose"]))
                    write(CHOICE, rows, columns)
            mine = [row for row in rows if row["method"] == method and row["seed"] == 0]
            best = min(row["nll"] for row in mine)
            cells = [{name: row[name] for name in grid} for row in mine if row["nll"] <= best + CLOSE]
        means = [np.mean([r["nll"] for r in rows if r["method"] == method and matches(r, cell)]) for cell in cells]
        settings[method] = cells[int(np.argmin(means))]
        if "passes" in grid:
            settings[method]["passes"] = int(settings[method]["passes"])
        for row in rows:
            if row["method"] == method:
                row["chosen"] = int(matches(row, settings[method]))
        write(CHOICE, rows, columns)
    return settings


def matches(row, cell):
    return all(row[name] == value for name, value in cell.items())


def try_cell(networks, method, cell, row, seed, settings, choose):
    """A row of the table of choices: accuracy and NLL of one setting."""
    if method == "MC dropout":
        answers = networks.dropout(seed, **cell)
    elif method == "last-layer Laplace":
        answers = networks.laplace(seed, **cell, **settings["MAP"])
    else:
        fit = (networks.map if method == "MAP" else networks.advi)(seed, **cell)
        answers = networks.answers(cell["prior_sd"], fit, 1 if method == "MAP" else DRAWS, seed)
    probability = uncertainty.mean_probability(answers(choose[0]))
    scores = {"accuracy": uncertainty.accuracy(probability, choose[1]), "nll": uncertainty.nll(probability, choose[1])}
    print(method, cell, seed, scores, flush=True)
    return row | scores


# Measuring ------------------------------------------------------------------------------------------------------------


def score_row(draws, labels, thresholds):
    """What one method does on the test images."""
    mean = uncertainty.mean_probability(draws)
    wrong = mean.argmax(axis=1) != labels
    doubt = uncertainty.decompose_entropy(draws).total
    several = len(draws) > 1
    spread = uncertainty.decompose_variance(draws).epistemic
    unanimous = (uncertainty.vote_share(draws) == 1) & wrong
    return common_scores(mean, labels, thresholds) | {
        "brier": uncertainty.brier(mean, labels),
        "mistakes": int(wrong.sum()),
        "entropy_ratio": doubt[wrong].mean() / doubt[~wrong].mean(),
        "variance_ratio": spread[wrong].mean() / spread[~wrong].mean() if several else np.nan,
        "detection": uncertainty.auroc(doubt[~wrong], doubt[wrong]),
        "refuse_99": uncertainty.share_to_reject(doubt, wrong, accuracy=0.99),
        "refuse_999": uncertainty.share_to_reject(doubt, wrong, accuracy=0.999),
        "least_confident_wrong": wrong[np.argsort(mean.max(axis=1))[:100]].mean(),
        "unanimous_wrong": int(unanimous.sum()) if several else np.nan,
        "confident_draws": (np.asarray(draws).max(axis=2) > 0.99).mean(),
    }


def common_scores(mean, labels, thresholds):
    """Scores that are also measured under shift; coverage and mean size of the conformal sets."""
    doubt = uncertainty.decompose_entropy(mean[None]).total
    row = {
        "accuracy": uncertainty.accuracy(mean, labels),
        "nll": uncertainty.nll(mean, labels),
        "ece": uncertainty.ece(mean, labels),
        "confidence": mean.max(axis=1).mean(),
        "entropy": doubt.mean(),
    }
    for level, threshold in thresholds.items():
        inside = 1 - mean <= threshold
        row[f"coverage_{level}"] = inside[np.arange(len(labels)), labels].mean()
        row[f"set_size_{level}"] = inside.sum(axis=1).mean()
        row[f"empty_{level}"] = (inside.sum(axis=1) == 0).mean()
    return row


def doubts(draws):
    """A method's own scores of strangeness."""
    entropy = uncertainty.decompose_entropy(draws)
    return {"entropy": entropy.total} | ({"mutual information": entropy.epistemic} if len(draws) > 1 else {})


def trivial_scores(images, train_images):
    """Scores of strangeness that need no network: total ink, and ink where training images have none."""
    rare = (train_images > 0).mean(axis=0) < 0.001
    return {"mean brightness": images.mean(axis=1), "ink on rare pixels": images[:, rare].sum(axis=1, dtype=float)}


def nearest_distance(images, train_images, train_labels):
    """Squared distance of each image to the nearest training image of each class, shape (item, class)."""
    train = train_images.astype(np.float32) / 255
    lengths = (train**2).sum(axis=1)
    nearest = []
    for block in np.array_split(images.astype(np.float32) / 255, max(1, len(images) // 500)):
        square = lengths - 2 * block @ train.T + (block**2).sum(axis=1)[:, None]
        nearest.append(np.stack([square[:, train_labels == c].min(axis=1) for c in range(10)], axis=1))
    return np.concatenate(nearest)


def measure_seed(seed, settings, splits, far):
    """Rows of three tables for one seed."""
    networks, (test, labels) = Networks(*splits["train"]), splits["test"]
    methods, temperature = contestants(networks, settings, seed, splits["choose"])
    scores, shifts, strange = [], [], []
    for method, answers in methods.items():
        calibration = uncertainty.mean_probability(answers(splits["calibrate"][0]))
        thresholds = {
            name: METHOD.conformal_threshold(calibration, splits["calibrate"][1], level=level)
            for name, level in (("95", 0.95), ("99", 0.99))
        }
        here = {"seed": seed, "method": method}
        draws = answers(test)
        row = here | score_row(draws, labels, thresholds)
        scores.append(row | ({"temperature": temperature} if method == "MAP, temperature" else {}))
        print(scores[-1], flush=True)
        for kind, severity in [(name, s) for name, severities in SEVERITIES.items() for s in severities]:
            mean = uncertainty.mean_probability(answers(shifted(test[::4], kind, severity)))
            row = here | {"shift": kind, "severity": severity}
            shifts.append(row | common_scores(mean, labels[::4], thresholds))
        inside = doubts(draws)
        for stranger, images in far.items():
            for score, values in doubts(answers(images)).items():
                row = here | {"held_out": "", "stranger": stranger, "score": score}
                strange.append(row | {"auroc": uncertainty.auroc(inside[score], values)})
    return scores, shifts, strange


def measure_held_out(digit, settings, splits):
    """AUROC of a digit that no training image shows, against the other digits, for each method."""
    (images, labels), (test, test_labels) = splits["train"], splits["test"]
    networks, seed, new = Networks(images[labels != digit], labels[labels != digit]), SEEDS[0], test_labels == digit
    methods, _ = contestants(networks, settings, seed)
    rows = []
    for method, answers in methods.items():
        for score, values in doubts(answers(test)).items():
            row = {"seed": seed, "method": method, "held_out": digit, "stranger": "held-out digit", "score": score}
            rows.append(row | {"auroc": uncertainty.auroc(values[~new], values[new])})
    for score, values in trivial_scores(test, images[labels != digit]).items():
        rows.append(trivial_row(digit, "held-out digit", score, uncertainty.auroc(values[~new], values[new])))
    print(pd.DataFrame(rows).to_string(), flush=True)
    return rows


def trivial_row(held_out, stranger, score, auroc):
    return {"seed": "", "method": "no network", "held_out": held_out, "stranger": stranger, "score": score} | {
        "auroc": auroc
    }


def measure_trivial(splits, far):
    """AUROC of the detectors without a network; the nearest training image for held-out digits, too."""
    (images, labels), (test, test_labels) = splits["train"], splits["test"]
    inside, inside_distance = trivial_scores(test, images), nearest_distance(test, images, labels)
    rows = []
    for stranger, outside in far.items():
        for score, values in trivial_scores(outside, images).items():
            rows.append(trivial_row("", stranger, score, uncertainty.auroc(inside[score], values)))
        distance = nearest_distance(outside, images, labels).min(axis=1)
        auroc = uncertainty.auroc(inside_distance.min(axis=1), distance)
        rows.append(trivial_row("", stranger, "nearest training image", auroc))
    for digit in range(10):
        distance, new = np.delete(inside_distance, digit, axis=1).min(axis=1), test_labels == digit
        auroc = uncertainty.auroc(distance[~new], distance[new])
        rows.append(trivial_row(digit, "held-out digit", "nearest training image", auroc))
    return rows


def prior_row(splits):
    """How sure networks drawn from the prior Normal(0, 1) are on the test images."""
    rng, images = np.random.default_rng(SEEDS[0]), splits["test"][0]
    sure = []
    for _ in range(DRAWS):
        shapes = {"w1": (784, 128), "b1": 128, "w2": (128, 128), "b2": 128}
        weights = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
        logits = METHOD.last_features(weights, images) @ rng.standard_normal((129, 10), dtype=np.float32)
        sure.append((softmax(logits, axis=1).max(axis=1) > 0.99).mean())
    return {"seed": SEEDS[0], "method": "prior", "confident_draws": np.mean(sure)}


# Tables ---------------------------------------------------------------------------------------------------------------


def read(path):
    """Rows of a table that exists, numbers as numbers and empty cells as empty text."""
    if not path.exists():
        return []
    table = pd.read_csv(path).astype(object)
    return table.where(table.notna(), "").to_dict("records")


def write(path, rows, columns=None):
    """Write a table whole or not at all, with five significant digits."""
    table = pd.DataFrame(rows, columns=columns).replace("", np.nan)
    for name in {"seed", "held_out", "mistakes", "unanimous_wrong", "passes", "chosen"} & set(table):
        table[name] = table[name].astype(float).astype("Int64")
    write_whole(path, table.to_csv(index=False, float_format="%.5g", lineterminator="\n").encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--digits", type=int, nargs="*", default=range(10), help="digits to hold out, once each")
    options = parser.parse_args()
    splits, began = split_mnist(), time.perf_counter()
    settings = choose_settings(splits)
    print(settings, f"{time.perf_counter() - began:.0f} s", flush=True)
    clothes = data.load_fashion_mnist().images.reshape(-1, 784)
    rare = (splits["train"][0] > 0).mean(axis=0) < 0.001
    masked = np.where(rare, np.uint8(0), clothes)
    far = {"letters": data.letters_set().images.reshape(-1, 784), "clothes": clothes, "clothes, masked": masked}
    strangers = read(STRANGERS)
    if not any(row["score"] == "nearest training image" for row in strangers):
        strangers += measure_trivial(splits, far)
        write(STRANGERS, strangers)
    for seed in options.seeds:
        scores, shifts = read(SCORES), read(SHIFT)
        if any(row["seed"] == seed and row["method"] != "prior" for row in scores):
            continue
        new_scores, new_shifts, new_strangers = measure_seed(seed, settings, splits, far)
        scores = scores or [prior_row(splits)]
        strangers = [row for row in strangers if row["seed"] != seed or row["held_out"] != ""] + new_strangers
        write(STRANGERS, strangers)
        write(SHIFT, [row for row in shifts if row["seed"] != seed] + new_shifts)
        write(SCORES, scores + new_scores)
        print(f"seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
    for digit in options.digits:
        if not any(row["held_out"] == digit and row["method"] != "no network" for row in strangers):
            strangers = [*strangers, *measure_held_out(digit, settings, splits)]
            write(STRANGERS, strangers)
            print(f"without {digit}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
