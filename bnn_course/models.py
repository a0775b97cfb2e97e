"""Models that a lesson has written out in full and that a second place needs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from bnn_course import _checks

ACTIVATIONS = {"tanh": pt.tanh, "relu": lambda x: pt.maximum(x, 0), "sigmoid": pt.sigmoid}
LIKELIHOODS = ("bernoulli", "categorical", "normal")

# Priors of a weight and hyperpriors of its scale: their parameters, with the values they have when nothing is said.
PRIORS = {"normal": {}, "laplace": {}, "student_t": {"nu": 3.0}, "cauchy": {}}
HYPERPRIORS = {
    "fixed": {"scale": 1.0},
    "half_normal": {"sigma": 1.0},
    "half_cauchy": {"beta": 1.0},
    "inverse_gamma": {"alpha": 2.0, "beta": 1.0},
}
EXAMPLES = {"prior": {"nu": 4.0}, "hyperprior": {"scale": 2.0}}


def bnn_model(
    X,
    y,
    *,
    hidden=(5, 5),
    prior="normal",
    prior_parameters=None,
    hyperprior="fixed",
    hyperprior_parameters=None,
    activation="tanh",
    likelihood="bernoulli",
    n_classes=None,
    centred=False,
    fan_in_scaling=False,
    total_size=None,
):
    """Bayesian neural network with one prior scale for each layer (written out in lesson 05; its priors: lesson 06).

    Parameters
    ----------
    X : array, shape (row, input), or output of `pm.Minibatch`
        An array becomes ``pm.Data("X")``, to be replaced for predictions.
    y : array, shape (row,), or output of `pm.Minibatch`
        Classes 0, 1 ("bernoulli"), 0 … n_classes − 1 ("categorical") or numbers ("normal"); becomes ``pm.Data("y")``.
    hidden : sequence of int
        Widths of the hidden layers, each ≥ 1; at least one.
    prior : {"normal", "laplace", "student_t", "cauchy"}
        Family of all weights and biases, centred at 0.
    prior_parameters : dict, optional
        "student_t": ``nu``, degrees of freedom (3).
    hyperprior : {"fixed", "half_normal", "half_cauchy", "inverse_gamma"}
        Of the scale of a layer; "inverse_gamma" is the prior of the squared scale.
    hyperprior_parameters : dict, optional
        "fixed": ``scale`` (1); "half_normal": ``sigma`` (1); "half_cauchy": ``beta`` (1); "inverse_gamma": ``alpha``
        (2), ``beta`` (1). All > 0.
    activation : {"tanh", "relu", "sigmoid"}
    likelihood : {"bernoulli", "categorical", "normal"}
        "normal" adds the free variable ``noise`` ~ HalfNormal(1), the standard deviation of the targets.
    n_classes : int, optional
        For "categorical" only, ≥ 2; if None, the largest label + 1 (minibatches need it).
    centred : bool
        With a hyperprior: weights are free variables that depend on the scale (True), or the scale times free variables
        ``w1_raw``, … of scale 1 (False): the same prior in another geometry (lesson 06).
    fan_in_scaling : bool
        Divide the scale of the weights of a layer by √(number of its inputs), so that the prior variance of the output
        does not grow with the width (lesson 06). Biases keep the scale.
    total_size : int, optional
        Rows of the full data; for minibatches only, and needed there.

    Returns
    -------
    pm.Model
        Variables ``w1, b1, w2, b2, …``, with a hyperprior ``scale1, scale2, …``; Deterministic ``probability``, shape
        (row,) for "bernoulli" and (row, class) for "categorical", or ``mean`` (row,) for "normal"; observed ``target``.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside what is said above.
    """
    _checks.one_of(likelihood, "likelihood", LIKELIHOODS)
    act = ACTIVATIONS[_checks.one_of(activation, "activation", tuple(ACTIVATIONS))]
    prior_parameters = _parameters("prior", prior, prior_parameters, PRIORS)
    hyperprior_parameters = _parameters("hyperprior", hyperprior, hyperprior_parameters, HYPERPRIORS)
    hidden = _hidden_widths(hidden)
    for name, value in {"centred": centred, "fan_in_scaling": fan_in_scaling}.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}: pass one of the two")
    X, y, n_classes = _network_data(X, y, likelihood, n_classes, total_size)
    widths = [X.type.shape[1] if isinstance(X, Variable) else X.shape[1], *hidden, n_classes or 1]
    last = "class" if likelihood == "categorical" else "output"
    dims = ["input", *(f"hidden{k}" for k in range(1, len(hidden) + 1)), last]
    with pm.Model(coords={name: np.arange(width) for name, width in zip(dims, widths, strict=True)}) as model:
        rows = () if isinstance(X, Variable) else ("row",)
        layer = pm.Data("X", X, dims=("row", "input"), shape=(None, widths[0])) if rows else X
        target = pm.Data("y", y, dims="row") if rows else y
        settings = {"raw": not centred and hyperprior != "fixed", **prior_parameters}
        for depth, (fan_in, fan_out) in enumerate(pairwise(zip(dims, widths, strict=True)), start=1):
            scale = _layer_scale(f"scale{depth}", hyperprior, hyperprior_parameters)
            shrink = 1 / np.sqrt(fan_in[1]) if fan_in_scaling else 1.0
            weights = _weights(f"w{depth}", prior, scale * shrink, [fan_in, fan_out], **settings)
            linear = layer @ weights + _weights(f"b{depth}", prior, scale, [fan_out], **settings)
            layer = act(linear)
        _network_likelihood(likelihood, linear, target, rows, total_size)
    return model


def _weights(name, prior, scale, axes, *, raw, nu=None):
    """Weights along the (name, length) pairs `axes`; `raw`: as the scale times free variables of scale 1."""
    dims, shape = zip(*axes, strict=True)
    width = 1.0 if raw else scale
    full_name = f"{name}_raw" if raw else name
    axes = {"dims": dims, "shape": shape}  # the shape too: without it, it would be known only when the model runs
    if prior == "normal":
        free = pm.Normal(full_name, 0, width, **axes)
    elif prior == "laplace":
        free = pm.Laplace(full_name, 0, width, **axes)
    elif prior == "student_t":
        free = pm.StudentT(full_name, nu=nu, mu=0, sigma=width, **axes)
    else:
        free = pm.Cauchy(full_name, 0, width, **axes)
    return pm.Deterministic(name, scale * free, dims=dims) if raw else free


def _layer_scale(name, hyperprior, parameters):
    if hyperprior == "fixed":
        return parameters["scale"]
    if hyperprior == "half_normal":
        return pm.HalfNormal(name, **parameters)
    if hyperprior == "half_cauchy":
        return pm.HalfCauchy(name, **parameters)
    return pm.Deterministic(name, pt.sqrt(pm.InverseGamma(f"{name}_squared", **parameters)))


def _network_likelihood(likelihood, linear, target, rows, total_size):
    if likelihood == "categorical":
        pm.Deterministic("probability", pm.math.softmax(linear, axis=-1), dims=(*rows, "class") if rows else None)
        pm.Categorical("target", logit_p=linear, observed=target, total_size=total_size, dims=rows or None)
        return
    output = linear[:, 0]
    if likelihood == "bernoulli":
        pm.Deterministic("probability", pm.math.sigmoid(output), dims=rows or None)
        pm.Bernoulli("target", logit_p=output, observed=target, total_size=total_size, dims=rows or None)
    else:
        pm.Deterministic("mean", output, dims=rows or None)
        noise = pm.HalfNormal("noise", 1.0)
        pm.Normal("target", output, noise, observed=target, total_size=total_size, dims=rows or None)


def _parameters(what, name, given, known):
    """Parameters of a prior or hyperprior: the defaults, replaced by those given."""
    defaults = known[_checks.one_of(name, what, tuple(known))]
    if given is not None and not isinstance(given, dict):
        raise TypeError(f"{what}_parameters must be a dict or None, got {given!r}: write e.g. {EXAMPLES[what]}")
    given = dict(given or {})
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(
            f"{what}_parameters of {name!r} must be among {sorted(defaults)}, got {unknown}: remove or rename"
        )
    given = {
        k: _checks.real_number(v, f"{what}_parameters[{k!r}]", low=0.0, high=np.inf, open_ends=True)
        for k, v in given.items()
    }
    return defaults | given


def _hidden_widths(hidden):
    if isinstance(hidden, str) or not hasattr(hidden, "__iter__"):
        raise TypeError(f"hidden must be a sequence of whole numbers ≥ 1, got {hidden!r}: write e.g. (5, 5)")
    hidden = [_checks.positive_integer(width, "hidden") for width in hidden]
    if not hidden:
        raise ValueError("hidden must name at least one layer, got none: write e.g. (5, 5)")
    return hidden


def _network_data(X, y, likelihood, n_classes, total_size):
    """Checked inputs and targets, and the number of classes (None unless "categorical")."""
    categorical = likelihood == "categorical"
    if n_classes is not None and not categorical:
        raise ValueError(f"n_classes must be None for likelihood {likelihood!r}, got {n_classes}: leave it out")
    if n_classes is not None:
        _several_classes(n_classes)
    if isinstance(X, Variable) or isinstance(y, Variable):
        needed = {"total_size": total_size, "n_classes": n_classes} if categorical else {"total_size": total_size}
        _refuse_minibatches(X, y, likelihood, needed)
        return X, y, n_classes
    if total_size is not None:
        raise ValueError(f"total_size must be None for full data, got {total_size}: it is for minibatches")
    X = _checks.as_array(X, "X", ndim=2).astype(float)
    if likelihood == "normal":
        return X, _checks.as_array(y, "y", ndim=1, shape=(len(X),)).astype(float), None
    y = _checks.as_labels(y, "y", n_items=len(X), n_classes=n_classes if categorical else 2).astype(np.int64)
    return X, y, (n_classes or max(int(y.max()) + 1, 2)) if categorical else None


def _several_classes(n_classes):
    if _checks.positive_integer(n_classes, "n_classes") < 2:
        raise ValueError(f"n_classes must be ≥ 2, got {n_classes}: with one class there is nothing to learn")
    return int(n_classes)


def _refuse_minibatches(X, y, likelihood, needed):
    """Refuse minibatches of which PyMC could not make observed data."""
    if not (isinstance(X, Variable) and isinstance(y, Variable)):
        raise TypeError("X and y must both be arrays or both be minibatches, got one of each: pass pm.Minibatch(X, y)")
    for name, value in needed.items():
        if value is None:
            raise ValueError(f"{name} must be given with minibatches, got None: a batch does not tell it")
        _checks.positive_integer(value, name)
    real = likelihood == "normal"
    if real != y.dtype.startswith("float") or not (real or np.can_cast(y.dtype, np.int32)):
        wanted, remedy = ("floats", "float") if real else ("integers of at most 32 bits", "np.int32")
        raise TypeError(f"y must hold {wanted}, got {y.dtype}: convert it before pm.Minibatch with .astype({remedy})")


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
        Widths of the hidden layers, each ≥ 1; at least one.
    n_classes : int
        ≥ 2.
    weight_sd : float
        Prior standard deviation of every weight and bias, > 0.

    Returns
    -------
    pm.Model
        Free variables ``w1, b1, w2, b2, …``; Deterministic ``probability`` (item, class); observed ``label``.

    Raises
    ------
    TypeError, ValueError
        If a width, a size or the standard deviation is outside what is said above.
    """
    weight_sd = _checks.real_number(weight_sd, "weight_sd", low=0.0, high=np.inf, open_ends=True)
    total_size = _checks.positive_integer(total_size, "total_size")
    hidden, n_classes = _hidden_widths(hidden), _several_classes(n_classes)
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
