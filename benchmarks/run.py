"""Time a step of mean-field ADVI on MNIST, ours beside its peers, interleaved in one process.

    python benchmarks/run.py [--widths 128 400] [--pairs 5]        (make bench)

Network 784-H-H-10, batch 128, float32, Normal(0, 1) prior, Adam. Peers: `pm.fit` always; PyTorch (written by hand) and
NumPyro if they are installed (``pip install torch numpyro``; neither is needed for the course). Each contestant takes
its steps in turn, `pairs` times over: machines are noisy, so only ratios within a run are compared.
The first call (compilation) is timed apart. Writes benchmarks/results.json.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  (sets PyTensor up before it is imported)
import numpy as np
import pymc as pm
import pytensor

from bnn_course import data, inference, models

pytensor.config.floatX = "float32"
N, BATCH = 60_000, 128


def ours(width, images, labels):
    """`inference.advi` on the PyMC model: a function that runs n more steps."""
    train = pm.Minibatch(images, labels, batch_size=BATCH)
    model = models.image_classifier(*train, total_size=N, hidden=(width, width))
    start = models.random_start(model, np.random.default_rng(0))
    state = {"fit": None, "steps": 0}

    def run(n):
        state["steps"] += n
        options = {"learning_rate": 1e-3, "random_seed": 0, "schedule": "constant", "start": start}
        state["fit"] = inference.advi(model, steps=state["steps"], resume=state["fit"], **options)

    return run


def pymc_fit(width, images, labels):
    """`pm.fit(method="advi")` on the same model."""
    train = pm.Minibatch(images, labels, batch_size=BATCH)
    model = models.image_classifier(*train, total_size=N, hidden=(width, width))
    with model:
        fitting = pm.ADVI(random_seed=0)
    optimizer = pm.adam(learning_rate=1e-3)
    step = fitting.objective.step_function(obj_optimizer=optimizer, score=True)

    def run(n):
        for _ in range(n):
            step()

    return run


def torch_by_hand(width, images, labels):
    """The same objective in PyTorch: one weight draw a step, two tensors of parameters, Adam."""
    import torch

    torch.manual_seed(0)
    x, y = torch.tensor(images), torch.tensor(labels.astype(np.int64))
    shapes = [(784, width), (width,), (width, width), (width,), (width, 10), (10,)]
    mean = [(torch.randn(s) / s[0] ** 0.5 if len(s) == 2 else torch.zeros(s)).requires_grad_() for s in shapes]
    log_sd = [torch.full(s, float(np.log(0.02))).requires_grad_() for s in shapes]
    optimizer = torch.optim.Adam([*mean, *log_sd], lr=1e-3, fused=True)

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

    return run


def numpyro_svi(width, images, labels):
    """NumPyro's SVI with AutoNormal, the steps in one compiled scan."""
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.infer.autoguide import AutoNormal

    x, y = jnp.asarray(images), jnp.asarray(labels.astype(np.int32))
    shapes = {"w1": (784, width), "b1": (width,), "w2": (width, width), "b2": (width,), "w3": (width, 10), "b3": (10,)}

    def model(pictures, classes):
        w = {name: numpyro.sample(name, dist.Normal(jnp.zeros(s), 1).to_event()) for name, s in shapes.items()}
        h = jax.nn.relu(pictures / 255 @ w["w1"] + w["b1"])
        h = jax.nn.relu(h @ w["w2"] + w["b2"])
        with numpyro.plate("data", N, subsample_size=BATCH):
            numpyro.sample("label", dist.Categorical(logits=h @ w["w3"] + w["b3"]), obs=classes)

    svi = SVI(model, AutoNormal(model, init_scale=0.02), numpyro.optim.Adam(1e-3), Trace_ELBO())
    state = [svi.init(jax.random.key(0), x[:BATCH].astype(jnp.float32), y[:BATCH])]

    @jax.jit
    def steps(state, rows):
        def one(state, r):
            return svi.update(state, x[r].astype(jnp.float32), y[r])

        return jax.lax.scan(one, state, rows)

    rng = np.random.default_rng(0)

    def run(n):
        state[0], loss = steps(state[0], jnp.asarray(rng.integers(0, N, (n, BATCH))))
        loss.block_until_ready()

    return run


def contestants():
    found = {"ours": ours, "pm.fit": pymc_fit}
    if importlib.util.find_spec("torch"):
        found["torch"] = torch_by_hand
    if importlib.util.find_spec("numpyro"):
        found["numpyro"] = numpyro_svi
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 400])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=256, help="steps per turn")
    options = parser.parse_args()
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    rows = []
    for width in options.widths:
        runs, first = {}, {}
        for name, make in contestants().items():
            began = time.perf_counter()
            runs[name] = make(width, images, labels)
            runs[name](options.steps)
            first[name] = time.perf_counter() - began
        times = {name: [] for name in runs}
        for _ in range(options.pairs):
            for name, run in runs.items():
                began = time.perf_counter()
                run(options.steps)
                times[name].append(1e3 * (time.perf_counter() - began) / options.steps)
        for name, ms in times.items():
            ratios = [a / b for a, b in zip(ms, times["ours"], strict=True)]
            row = {"width": width, "name": name, "ms_per_step": statistics.median(ms), "first_call_s": first[name]}
            rows.append(row | {"times_ours": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)})
            print(
                f"H = {width:5d}  {name:8s} {row['ms_per_step']:8.2f} ms a step,  {rows[-1]['times_ours']:6.2f} × ours "
                f"({min(ratios):.2f}–{max(ratios):.2f}),  first call {first[name]:5.1f} s",
                flush=True,
            )
    stack = {"python": platform.python_version(), "pymc": pm.__version__, "course": bnn_course.__version__}
    Path(__file__).with_name("results.json").write_text(json.dumps({"stack": stack, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
