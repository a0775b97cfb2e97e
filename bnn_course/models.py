"""Models that a lesson has written out in full and that a second place needs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.data import MinibatchOp
from pytensor.graph.basic import Variable

from bnn_course import _checks
from bnn_course._checks import Array


class DataWarning(UserWarning):
    """Data that can be fitted, but hardly as the user means it."""


# Tables: one entry adds one ------------------------------------------------------------------------------------------


class Family(NamedTuple):
    """A prior of weights or a hyperprior of their scale.

    Attributes
    ----------
    build : callable
        Prior: ``build(name, scale, dims=…, shape=…, **parameters)`` returns a variable centred at 0. Hyperprior:
        ``build(name, **parameters)`` returns the scale of a layer, a variable or a number.
    parameters : dict of str to float
        Names of the parameters, with the values they have when nothing is said; all > 0.
    """

    build: Callable[..., Any]
    parameters: dict[str, float]


class Likelihood(NamedTuple):
    """How targets arise from the output of a network.

    Attributes
    ----------
    build : callable
        ``build(linear, observed=…, total_size=…, dims=…)`` adds the variable ``target`` and what is predicted.
    n_classes : int or None
        2, or 0 when targets are numbers; None when the user says it, and the network has an output for each class.
    """

    build: Callable[..., None]
    n_classes: int | None


def _bernoulli(linear: Any, *, dims: tuple[str, ...] | None, **data: Any) -> None:
    pm.Deterministic("probability", pm.math.sigmoid(linear[:, 0]), dims=dims)
    pm.Bernoulli("target", logit_p=linear[:, 0], dims=dims, **data)


def _categorical(linear: Any, *, dims: tuple[str, ...] | None, **data: Any) -> None:
    pm.Deterministic("probability", pm.math.softmax(linear, axis=-1), dims=dims and (*dims, "class"))
    pm.Categorical("target", logit_p=linear, dims=dims, **data)


def _normal(linear: Any, *, dims: tuple[str, ...] | None, **data: Any) -> None:
    pm.Deterministic("mean", linear[:, 0], dims=dims)
    pm.Normal("target", linear[:, 0], pm.HalfNormal("noise", 1.0), dims=dims, **data)


def _root_of_inverse_gamma(name: str, **parameters: float) -> Any:
    return pm.Deterministic(name, pt.sqrt(pm.InverseGamma(f"{name}_squared", **parameters)))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": pt.tanh,
    "relu": lambda x: pt.maximum(x, 0),
    "sigmoid": pt.sigmoid,
}
LIKELIHOODS = {
    "bernoulli": Likelihood(_bernoulli, 2),
    "categorical": Likelihood(_categorical, None),
    "normal": Likelihood(_normal, 0),
}
# A Cauchy is a Student-t with one degree of freedom. PyTensor's Numba backend draws pm.Cauchy and pm.HalfCauchy wrongly
# where their scale is not 1 (github.com/pymc-devs/pytensor/issues/2308).
ONE = np.float64(1)  # PyTensor makes a plain 1.0 single precision, and with it the constant of the density
PRIORS = {
    "normal": Family(lambda name, scale, **axes: pm.Normal(name, 0, scale, **axes), {}),
    "laplace": Family(lambda name, scale, **axes: pm.Laplace(name, 0, scale, **axes), {}),
    "student_t": Family(lambda name, scale, nu, **axes: pm.StudentT(name, nu, mu=0, sigma=scale, **axes), {"nu": 3.0}),
    "cauchy": Family(lambda name, scale, **axes: pm.StudentT(name, ONE, mu=0, sigma=scale, **axes), {}),
}
HYPERPRIORS = {
    "fixed": Family(lambda name, scale: scale, {"scale": 1.0}),
    "half_normal": Family(pm.HalfNormal, {"sigma": 1.0}),
    "half_cauchy": Family(lambda name, beta: pm.HalfStudentT(name, ONE, beta), {"beta": 1.0}),
    "inverse_gamma": Family(_root_of_inverse_gamma, {"alpha": 2.0, "beta": 1.0}),
}


# Labels ---------------------------------------------------------------------------------------------------------------


class EncodedLabels(NamedTuple):
    """Labels 0 … C − 1 as integers (row,), and what each of the C classes was called."""

    labels: NDArray[np.int64]
    names: list[Any]


def encode_labels(labels: Any) -> EncodedLabels:
    """Number the classes of your data from 0, as `bnn_model` and `image_classifier` want them.

    Encode training and test labels together and split afterwards, so that both have the same numbers.

    Parameters
    ----------
    labels : array_like, shape (row,)
        Text, bools, whole numbers such as −1 and 1 (also stored as floats), or a pandas Categorical.

    Returns
    -------
    EncodedLabels
        labels (row,), int64, 0 … C − 1; names of the C classes that occur, sorted, or in the order of the Categorical.

    Raises
    ------
    ValueError
        If an entry is missing, or there are fewer than two classes.
    TypeError
        If labels are numbers that are not whole, or of types that cannot be compared.

    Examples
    --------
    >>> encode_labels(["cat", "dog", "cat"])
    EncodedLabels(labels=array([0, 1, 0]), names=['cat', 'dog'])
    """
    order = getattr(getattr(labels, "dtype", None), "categories", None)
    given = _checks.present(labels, "labels")
    if given.ndim != 1:
        raise ValueError(f"labels must have 1 axes, got shape {given.shape}: pass one label per row")
    if given.dtype.kind == "f":
        if not (whole := given == np.round(given)).all():  # NaN and infinity are not whole either
            where = _checks.first(~whole | ~np.isfinite(given))
            raise TypeError(f"labels must be text or whole numbers, got {given[where]} at index {where}: targets that "
                            "are numbers need likelihood='normal'")  # fmt: skip
        given = given.astype(np.int64)
    elif given.dtype.kind not in "biuUST":
        raise TypeError(f"labels must be text or whole numbers, got dtype {given.dtype}: convert them with str")
    names = np.unique(given).tolist()
    if order is not None:
        names = [name for name in order.tolist() if name in set(names)]
    if len(names) < 2:
        raise ValueError(f"labels must hold at least two classes, got {names}: there is nothing to tell apart")
    number = {name: i for i, name in enumerate(names)}
    return EncodedLabels(np.array([number[label] for label in given.tolist()], np.int64), names)


# Networks -------------------------------------------------------------------------------------------------------------


def bnn_model(
    X: Any,
    y: Any,
    *,
    hidden: Sequence[int] = (5, 5),
    prior: str = "normal",
    prior_parameters: dict[str, float] | None = None,
    hyperprior: str = "fixed",
    hyperprior_parameters: dict[str, float] | None = None,
    activation: str = "tanh",
    likelihood: str = "bernoulli",
    n_classes: int | None = None,
    centred: bool = False,
    fan_in_scaling: bool = False,
    total_size: int | None = None,
) -> pm.Model:
    """Bayesian neural network with one prior scale for each layer (written out in lesson 05; its priors: lesson 06).

    Parameters
    ----------
    X : array or frame, shape (row, input), or output of `pm.Minibatch`
        Features near unit scale. An array becomes ``pm.Data("X")``, to be replaced for predictions.
    y : array or series, shape (row,), or output of `pm.Minibatch`
        Classes 0, 1 ("bernoulli"), 0 … n_classes − 1 ("categorical") or numbers near unit scale ("normal"); becomes
        ``pm.Data("y")``. `encode_labels` numbers classes that are called otherwise.
    hidden : sequence of int
        Widths of the hidden layers, each ≥ 1; at least one.
    prior : {"normal", "laplace", "student_t", "cauchy"}
        Family of all weights and biases, centred at 0: a name in `PRIORS`.
    prior_parameters : dict, optional
        "student_t": ``nu``, degrees of freedom (3).
    hyperprior : {"fixed", "half_normal", "half_cauchy", "inverse_gamma"}
        Of the scale of a layer: a name in `HYPERPRIORS`; "inverse_gamma" is the prior of the squared scale.
    hyperprior_parameters : dict, optional
        "fixed": ``scale`` (1); "half_normal": ``sigma`` (1); "half_cauchy": ``beta`` (1); "inverse_gamma": ``alpha``
        (2), ``beta`` (1). All > 0.
    activation : {"tanh", "relu", "sigmoid"}
        A name in `ACTIVATIONS`.
    likelihood : {"bernoulli", "categorical", "normal"}
        A name in `LIKELIHOODS`; "normal" adds the free variable ``noise`` ~ HalfNormal(1), the standard deviation of
        the targets.
    n_classes : int, optional
        For "categorical" only, ≥ 2; if None, every class must occur in `y` (minibatches need it).
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

    Warns
    -----
    DataWarning
        If a feature or the targets are far from unit scale, or all labels are the same.

    Notes
    -----
    Where one class is rare, the common one can be the more probable everywhere, and the accuracy high although no rare
    case is ever found: look at probabilities and at `uncertainty.nll`, and choose the threshold by what errors cost.
    """
    kind = LIKELIHOODS[_checks.one_of(likelihood, "likelihood", tuple(LIKELIHOODS))]
    act = ACTIVATIONS[_checks.one_of(activation, "activation", tuple(ACTIVATIONS))]
    build_weights, parameters = _choose(PRIORS, "prior", prior, prior_parameters)
    build_scale, scale_parameters = _choose(HYPERPRIORS, "hyperprior", hyperprior, hyperprior_parameters)
    hidden = _hidden_widths(hidden)
    _checks.one_of(centred, "centred", (True, False))
    _checks.one_of(fan_in_scaling, "fan_in_scaling", (True, False))
    if kind.n_classes is not None and n_classes is not None:
        raise ValueError(f"n_classes must be None for likelihood {likelihood!r}, got {n_classes}: leave it out")
    if n_classes is not None:
        _several_classes(n_classes)
    batches = isinstance(X, Variable) or isinstance(y, Variable)
    X, y, n_classes = (_batch_data if batches else _full_data)(X, y, kind, n_classes, total_size)
    last = ("class", n_classes) if kind.n_classes is None else ("output", 1)
    layers = [(f"hidden{k}", width) for k, width in enumerate(hidden, start=1)]
    sizes = [("input", X.type.shape[1] if batches else X.shape[1]), *layers, last]

    def weights(name: str, scale: Any, *axes: tuple[str, int]) -> Any:
        """Weights along axes (name, length), centred or as the scale times free variables of scale 1."""
        names, lengths = zip(*axes, strict=True)
        known = {"dims": names, "shape": lengths, **parameters}  # dims alone would leave the shape open until it runs
        if centred or not isinstance(scale, Variable):
            return build_weights(name, scale, **known)
        return pm.Deterministic(name, scale * build_weights(f"{name}_raw", 1.0, **known), dims=names)

    with pm.Model(coords={name: np.arange(width) for name, width in sizes}) as model:
        layer = X if batches else pm.Data("X", X, dims=("row", "input"), shape=(None, X.shape[1]))
        target = y if batches else pm.Data("y", y, dims="row")
        for depth, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            scale = build_scale(f"scale{depth}", **scale_parameters)
            shrink = 1 / np.sqrt(fan_in[1]) if fan_in_scaling else 1.0
            linear = layer @ weights(f"w{depth}", scale * shrink, fan_in, fan_out)
            linear = linear + weights(f"b{depth}", scale, fan_out)
            layer = act(linear)
        kind.build(linear, observed=target, total_size=total_size, dims=None if batches else ("row",))
    return model


def _choose(table: dict[str, Family], what: str, name: str, given: dict[str, float] | None) -> Family:
    """Return an entry of a table, its parameters replaced by those given."""
    build, defaults = table[_checks.one_of(name, what, tuple(table))]
    if given is not None and not isinstance(given, dict):
        raise TypeError(f"{what}_parameters must be a dict or None, got {given!r}: write e.g. {{'nu': 4.0}}")
    if unknown := sorted(set(given or {}) - set(defaults)):
        raise ValueError(
            f"{what}_parameters of {name!r} must be among {sorted(defaults)}, got {unknown}: remove or rename"
        )
    checked = {key: _checks.positive(value, f"{what}_parameters[{key!r}]") for key, value in (given or {}).items()}
    return Family(build, defaults | checked)


def _hidden_widths(hidden: Iterable[int]) -> list[int]:
    if isinstance(hidden, str) or not hasattr(hidden, "__iter__"):
        raise TypeError(f"hidden must be a sequence of whole numbers ≥ 1, got {hidden!r}: write e.g. (5, 5)")
    if not (widths := [_checks.positive_integer(width, "hidden") for width in hidden]):
        raise ValueError("hidden must name at least one layer, got none: write e.g. (5, 5)")
    return widths


# Data -----------------------------------------------------------------------------------------------------------------


def _full_data(
    X: Any, y: Any, kind: Likelihood, n_classes: int | None, total_size: int | None
) -> tuple[Array, Array, int | None]:
    """Return inputs, targets, and the number of classes (None unless each has an output)."""
    if total_size is not None:
        raise ValueError(f"total_size must be None for full data, got {total_size}: it is for minibatches")
    names, inputs = getattr(X, "columns", None), _checks.as_array(X, "X", ndim=2).astype(float)
    _warn_of_scale(inputs, "X", names)
    if kind.n_classes == 0:
        targets = _checks.as_array(y, "y", ndim=1, shape=(len(inputs),)).astype(float)
        _warn_of_scale(targets[:, None], "y")
        return inputs, targets, None
    labels = _checks.as_labels(y, "y", n_items=len(inputs), n_classes=kind.n_classes or n_classes)
    _warn_of_one_class(labels)
    if kind.n_classes is not None or n_classes is not None:
        return inputs, labels, n_classes
    if absent := set(range(labels.max())) - set(labels.tolist()):
        raise ValueError(
            f"y must use every label 0 … {labels.max()} when n_classes is None, got no label {min(absent)}: pass "
            "n_classes, or number the classes with models.encode_labels"
        )
    return inputs, labels, _several_classes(int(labels.max()) + 1)


def _several_classes(n_classes: int) -> int:
    if _checks.positive_integer(n_classes, "n_classes") < 2:
        raise ValueError(f"n_classes must be ≥ 2, got {n_classes}: with one class there is nothing to learn")
    return n_classes


def _batch_data(
    X: Any, y: Any, kind: Likelihood, n_classes: int | None, total_size: int | None
) -> tuple[Variable, Variable, int | None]:
    """Return minibatches and the number of classes, if PyMC can make observed data of them."""
    if not (isinstance(X, Variable) and isinstance(y, Variable)):
        raise TypeError("X and y must both be arrays or both be minibatches, got one of each: pass pm.Minibatch(X, y)")
    if total_size is None or (kind.n_classes is None and n_classes is None):
        name = "total_size" if total_size is None else "n_classes"
        raise ValueError(f"{name} must be given with minibatches, got None: a batch does not tell it")
    _checks.positive_integer(total_size, "total_size")
    real, floats = kind.n_classes == 0, pytensor.config.floatX
    allowed = [floats] if real else ["uint8", "bool", "uint16", {"float64": "int32", "float32": "int16"}[floats]]
    if y.dtype not in allowed:  # PyMC would cast others, and then not take them for data
        raise TypeError(
            f"y must hold {', '.join(allowed)}, got {y.dtype}: convert it before pm.Minibatch, e.g. with "
            f".astype(np.{allowed[0]})"
        )
    if (inputs := _all_rows(X)) is not None:
        _warn_of_scale(inputs, "X")
    if (targets := _all_rows(y)) is not None and real:
        _warn_of_scale(targets[:, None], "y")
    elif targets is not None:
        _warn_of_one_class(_checks.as_labels(targets, "y", n_classes=kind.n_classes or n_classes))
    return X, y, n_classes


def _all_rows(batch: Variable) -> Array | None:
    """Return the array from which `pm.Minibatch` takes its rows; None where a batch is made otherwise."""
    node = batch.owner
    if node is None or not isinstance(node.op, MinibatchOp):
        return None
    rows = node.inputs[node.outputs.index(batch)]
    return rows.get_value(borrow=True) if hasattr(rows, "get_value") else getattr(rows, "data", None)


def _warn_of_one_class(labels: Array) -> None:
    if labels.min() == labels.max():
        message = f"y must hold several classes to learn from, got label {labels[0]} in all {len(labels)} rows"
        warnings.warn(f"{message}: check how the data were selected", DataWarning, stacklevel=4)


SCALE = (0.01, 5.0)  # of a column: below the first its largest value, or above the second its root mean square


def _warn_of_scale(values: Array, name: str, columns: Iterable[Any] | None = None) -> None:
    """Warn of columns that weights of scale 1 could hardly use."""
    size = np.sqrt(np.einsum("ij,ij->j", values, values, dtype=float) / len(values))
    largest = np.maximum(values.max(axis=0), -values.min(axis=0))
    if not (far := (size > SCALE[1]) | ((largest > 0) & (largest < SCALE[0]))).any():
        return
    column = int(np.argmax(far))
    what = name if name == "y" else f"column {list(columns)[column] if columns is not None else column!r} of {name}"
    warnings.warn(
        f"{what} must be near unit scale for weights of scale 1, got values of about {size[column]:.3g} "
        f"({far.sum()} of {len(far)} columns are far from unit scale): standardise by the training data, "
        f"({name} - {name}.mean(axis=0)) / {name}.std(axis=0)",
        DataWarning,
        stacklevel=4,
    )


# Images ---------------------------------------------------------------------------------------------------------------


def image_classifier(
    images: Any,
    labels: Any,
    *,
    total_size: int,
    hidden: Sequence[int] = (128, 128),
    n_classes: int = 10,
    weight_sd: float = 1.0,
) -> pm.Model:
    """Bayesian neural network for images: rectified layers, Normal(0, `weight_sd`²) weights (lesson 09).

    Parameters
    ----------
    images : output of `pm.Minibatch`, shape (item, pixel), integers 0…255
        Flattened pictures; divided by 255 inside the model. Their type says the scale, here and in predictions.
    labels : output of `pm.Minibatch`, shape (item,), integers 0 … n_classes − 1
        As uint8 or bool.
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
        Free variables ``w1, b1, w2, b2, …``; Deterministic ``probability`` (item, class); observed ``target``.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside what is said above.
    """
    weight_sd = _checks.positive(weight_sd, "weight_sd")
    if not (isinstance(images, Variable) and isinstance(labels, Variable)):
        raise TypeError("images and labels must be minibatches, got arrays: pass pm.Minibatch(images, labels, …)")
    if images.ndim != 2:
        raise ValueError(f"images must have 2 axes, got {images.ndim}: flatten them with .reshape(len(images), -1)")
    remedy = "scale to 0…255 and convert with .astype(np.uint8) before pm.Minibatch, and before predictions"
    if images.dtype not in ("uint8", "int16", "int32", "int64"):
        raise TypeError(f"images must hold integers 0…255, got {images.dtype}: {remedy}")
    pixels = _all_rows(images)
    if pixels is not None and not (pixels.min() >= 0 and 1 < pixels.max() <= 255):
        raise ValueError(f"images must span 0…255, got {pixels.min()} to {pixels.max()}: {remedy}")
    return bnn_model(
        images / 255, labels, hidden=hidden, activation="relu", likelihood="categorical", n_classes=n_classes,
        hyperprior_parameters={"scale": weight_sd}, total_size=total_size,
    )  # fmt: skip


def random_start(model: pm.Model, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
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
    start = {}
    for rv in model.free_RVs:
        if rv.ndim == 2:
            shape = rv.type.shape if None not in rv.type.shape else rv.shape.eval()  # dims alone leave the type open
            start[rv.name] = rng.normal(0, 1 / np.sqrt(shape[0]), shape)
    return start
