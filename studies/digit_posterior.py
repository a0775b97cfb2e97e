"""Fit lesson 09's network as the lesson does, and store the posterior for the explorers that ask it about digits.

    python studies/digit_posterior.py     # writes bnn_course/datasets/digit_posterior.npz, about a minute

Means and standard deviations are stored in half precision. Nothing is written unless the stored posterior gives the
same accuracy and uncertainty on the 10 000 test pictures as the fit itself, with the same noise: accuracy to 0.05
percentage points, total entropy and mutual information of every picture to 0.005 nats. (Seen: the same accuracy, and
changes of 0.0007 and 0.0004 nats at most.)
"""

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pymc as pm
import pytensor

from bnn_course import data, inference, models, uncertainty
from bnn_course.datasets import build_datasets
from bnn_course.explorers import digits

pytensor.config.floatX = "float32"

SEED = 2017
N_TRAIN, BATCH = 55_000, 128
STEPS = 20 * (N_TRAIN // BATCH)
DRAWS = 50


def fitted(mnist):
    """Lesson 09's first fit."""
    images = mnist.train_images.reshape(-1, 784)
    batch = pm.Minibatch(images[:N_TRAIN], mnist.train_labels[:N_TRAIN], batch_size=BATCH)
    model = models.image_classifier(*batch, total_size=N_TRAIN)
    start = models.random_start(model, np.random.default_rng(SEED))
    return inference.advi(model, steps=STEPS, learning_rate=2e-3, random_seed=SEED, start=start)


def judged(posterior, mnist):
    """Accuracy on the test pictures, and their total entropy and mutual information."""
    networks = digits.draw_networks(posterior, DRAWS, np.random.default_rng(SEED))
    probabilities = digits.probabilities(networks, mnist.test_images)
    entropy = uncertainty.decompose_entropy(probabilities)
    right = uncertainty.accuracy(uncertainty.mean_probability(probabilities), mnist.test_labels)
    return right, entropy.total, entropy.epistemic


def main():
    mnist = data.load_mnist()
    fit = fitted(mnist)
    arrays = {f"mean_{name}": value.astype(np.float16) for name, value in fit.mean.items()}
    arrays |= {f"sd_{name}": value.astype(np.float16) for name, value in fit.sd.items()}
    exact = judged(data.DigitPosterior(fit.mean, fit.sd), mnist)
    stored = judged(data.digit_posterior_from(arrays), mnist)
    accuracy, total, epistemic = (np.abs(a - b).max() for a, b in zip(exact, stored, strict=True))
    print(f"accuracy {exact[0]:.4f}, in half precision {stored[0]:.4f}")
    print(f"largest change of a picture: total entropy {total:.4f} nats, mutual information {epistemic:.4f} nats")
    if accuracy > 0.0005 or max(total, epistemic) > 0.005:
        raise SystemExit("half precision changes the posterior: nothing written")
    build_datasets.write_all(data.FOLDER, {"digit_posterior.npz": arrays})


if __name__ == "__main__":
    main()
