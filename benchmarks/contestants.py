"""The same fit by several libraries: mean-field ADVI of a network 784-H-H-10 on MNIST, one weight draw a step.

Each maker returns two functions: ``run(n)`` takes n more steps; ``found()`` gives mean and standard deviation of w1,
b1, w2, b2, w3 and b3. All have the prior Normal(0, 1), batches of 128, Adam and float32, and start from the same means
and standard deviations. Libraries are imported where they are used, so that a process pays only for its own.
"""

import importlib.util

import numpy as np

N, BATCH, START_SD = 60_000, 128, 0.02
NAMES = ("w1", "b1", "w2", "b2", "w3", "b3")


def start(width):
    """Means to start from, by name: w ~ Normal(0, 1 / inputs of the layer), b = 0."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (784, width), "w2": (width, width), "w3": (width, 10)}
    means = {name: rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return means | {f"b{name[1]}": np.zeros(shape[1], np.float32) for name, shape in shapes.items()}


def pymc_model(width, images, labels):
    """The network as a `pm.Model` on minibatches."""
    import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
    import pymc as pm
    import pytensor

    from bnn_course import models

    pytensor.config.floatX = "float32"
    train = pm.Minibatch(images, labels, batch_size=BATCH)
    return models.image_classifier(*train, total_size=N, hidden=(width, width))


def ours(width, images, labels, learning_rate):
    """`inference.advi` of this course."""
    model = pymc_model(width, images, labels)
    import optax

    from bnn_course import inference

    how = {"optimizer": optax.adam(learning_rate), "random_seed": 0, "start": start(width), "start_sd": START_SD}
    fit = None

    def run(n):
        nonlocal fit
        fit = inference.advi(model, steps=n + (fit.step if fit else 0), resume=fit, **how)

    return run, lambda: [(fit.mean[name], fit.sd[name]) for name in NAMES]


def pymc_fit(width, images, labels, learning_rate):
    """`pm.fit(method="advi")` on the same model, step by step."""
    model = pymc_model(width, images, labels)
    import pymc as pm

    means = start(width)
    with model:
        fitting = pm.ADVI(random_seed=0, start=means, start_sigma={name: START_SD for name in means})
    step = fitting.objective.step_function(obj_optimizer=pm.adam(learning_rate=learning_rate), score=True)

    def run(n):
        for _ in range(n):
            step()

    def found():
        mean, sd = fitting.approx.mean_data, fitting.approx.std_data
        return [(mean[name].values, sd[name].values) for name in NAMES]

    return run, found


def pymc_extras(compiler):
    """What `fit_advi` of pymc-extras runs, on the same model; `compiler` is one of PyTensor's."""

    def make(width, images, labels, learning_rate):
        model = pymc_model(width, images, labels)
        from pymc_extras.inference.advi import AutoDiagonalNormal, Trainer, adam

        guide, means = AutoDiagonalNormal(model), start(width)
        for name in NAMES:
            guide.params_init_values[guide[f"{name}_loc"]] = means[name]
            guide.params_init_values[guide[f"{name}_scale"]] = np.full_like(means[name], np.log(START_SD))
        trainer = Trainer(guide=guide, optimizer=adam(learning_rate), backend=compiler, random_seed=0)

        def found():
            now = trainer.state.params
            return [(np.asarray(now[f"{name}_loc"]), np.exp(now[f"{name}_scale"])) for name in NAMES]

        return lambda n: trainer.fit(n, model=model), found

    return make


def torch_by_hand(width, images, labels, learning_rate):
    """The same objective in PyTorch: one weight draw a step, two tensors of parameters, fused Adam."""
    import torch

    torch.manual_seed(0)
    x, y, means = torch.tensor(images), torch.tensor(labels.astype(np.int64)), start(width)
    mean = [torch.tensor(means[name]).requires_grad_() for name in NAMES]
    log_sd = [torch.full_like(m, float(np.log(START_SD))).requires_grad_() for m in mean]
    optimizer = torch.optim.Adam([*mean, *log_sd], lr=learning_rate, fused=True)

    def run(n):
        for _ in range(n):
            rows = torch.randint(0, N, (BATCH,))
            w = [m + torch.exp(s) * torch.randn_like(m) for m, s in zip(mean, log_sd, strict=True)]
            h = torch.relu((x[rows].float() / 255) @ w[0] + w[1])
            h = torch.relu(h @ w[2] + w[3])
            nll = torch.nn.functional.cross_entropy(h @ w[4] + w[5], y[rows], reduction="sum") * (N / BATCH)
            prior = sum(0.5 * (v * v).sum() for v in w)
            loss = nll + prior - sum(s.sum() for s in log_sd)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return run, lambda: [(m.detach().numpy(), s.detach().exp().numpy()) for m, s in zip(mean, log_sd, strict=True)]


def numpyro_svi(width, images, labels, learning_rate):
    """NumPyro's SVI with AutoNormal, the steps in one compiled scan."""
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import SVI, Trace_ELBO, init_to_value
    from numpyro.infer.autoguide import AutoNormal

    x, y, means = jnp.asarray(images), jnp.asarray(labels.astype(np.int32)), start(width)

    def model(pictures, classes):
        w = {name: numpyro.sample(name, dist.Normal(jnp.zeros(means[name].shape), 1).to_event()) for name in NAMES}
        h = jax.nn.relu(pictures / 255 @ w["w1"] + w["b1"])
        h = jax.nn.relu(h @ w["w2"] + w["b2"])
        with numpyro.plate("data", N, subsample_size=BATCH):
            numpyro.sample("label", dist.Categorical(logits=h @ w["w3"] + w["b3"]), obs=classes)

    guide = AutoNormal(model, init_loc_fn=init_to_value(values=means), init_scale=START_SD)
    svi = SVI(model, guide, numpyro.optim.Adam(learning_rate), Trace_ELBO())
    state = svi.init(jax.random.key(0), x[:BATCH].astype(jnp.float32), y[:BATCH])
    rng = np.random.default_rng(0)

    @jax.jit
    def steps(state, rows):
        return jax.lax.scan(lambda s, r: svi.update(s, x[r].astype(jnp.float32), y[r]), state, rows)

    def run(n):
        nonlocal state
        state, loss = steps(state, jnp.asarray(rng.integers(0, N, (n, BATCH))))
        loss.block_until_ready()

    def found():
        now = svi.get_params(state)
        return [(np.asarray(now[f"{name}_auto_loc"]), np.asarray(now[f"{name}_auto_scale"])) for name in NAMES]

    return run, found


LIBRARIES = {
    "pymc": {"ours": ours, "pm.fit": pymc_fit},
    "pymc_extras": {f"pymc-extras, {compiler}": pymc_extras(compiler) for compiler in ("numba", "jax")},
    "torch": {"torch": torch_by_hand},
    "numpyro": {"numpyro": numpyro_svi},
}


def contestants():
    """The makers whose libraries are installed, by name."""
    found = [makers for library, makers in LIBRARIES.items() if importlib.util.find_spec(library)]
    return {name: make for makers in found for name, make in makers.items()}
