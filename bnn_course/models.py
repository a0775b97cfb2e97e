"""Models that a lesson has written out in full and that a second place needs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bnn_course import _checks


def image_classifier(images, labels, *, total_size, hidden=(128, 128), n_classes=10, weight_sd=1.0):
    """Bayesian network for pictures: rectified layers, Normal(0, `weight_sd`²) weights, Categorical labels (lesson 09).

    Parameters
    ----------
    images : tensor or array, shape (item, pixel), integers 0…255
        The minibatch of pictures, flattened; divided by 255 inside the model.
    labels : tensor or array of integers, shape (item,)
    total_size : int
        Number of pictures in the full data: weighs the minibatch likelihood against the prior.
    hidden : tuple of int
        Widths of the hidden layers.
    n_classes : int
    weight_sd : float
        Prior standard deviation of every weight and bias, > 0.

    Returns
    -------
    pm.Model
        Free variables ``w1, b1, w2, b2, …``; Deterministic ``probability`` (item, class); observed ``label``.
    """
    weight_sd = _checks.real_number(weight_sd, "weight_sd", low=0.0, high=np.inf, open_ends=True)
    total_size = _checks.positive_integer(total_size, "total_size")
    hidden = [_checks.positive_integer(width, "hidden") for width in hidden]
    widths = [images.type.shape[1] if hasattr(images, "type") else np.shape(images)[1], *hidden, n_classes]
    with pm.Model() as model:
        layer = pt.as_tensor(images) / 255
        for depth, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
            weights = pm.Normal(f"w{depth}", 0, weight_sd, shape=(fan_in, fan_out))
            biases = pm.Normal(f"b{depth}", 0, weight_sd, shape=fan_out)
            linear = layer @ weights + biases
            layer = pt.maximum(linear, 0)
        pm.Deterministic("probability", pm.math.softmax(linear, axis=-1))
        pm.Categorical("label", logit_p=linear, observed=labels, total_size=total_size)
    return model


def random_start(model, rng):
    """Starting means of a network: weights ~ Normal(0, 1 / inputs of the layer), the rest as PyMC starts (lesson 09).

    At zero, where PyMC would start, all hidden units are alike and their gradients vanish (lesson 05).

    Parameters
    ----------
    model : pm.Model
        Every free variable with two axes counts as a weight matrix (input, output).
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to numpy.ndarray
        For the argument `start` of `inference.advi` and `inference.find_map`.
    """
    rng = _checks.generator(rng)
    shapes = {rv.name: rv.type.shape for rv in model.free_RVs if rv.ndim == 2}
    return {name: rng.normal(0, 1 / np.sqrt(shape[0]), shape) for name, shape in shapes.items()}
