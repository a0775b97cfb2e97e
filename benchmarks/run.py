"""Time a step of mean-field ADVI on MNIST, ours beside its peers, interleaved in one process.

    python benchmarks/run.py [--widths 128 400 1200] [--pairs 5]        (make bench)

Network 784-H-H-10, batch 128, float32, Normal(0, 1) prior, Adam. Peers: `pm.fit` always; PyTorch (written by hand),
NumPyro and the trainer of pymc-extras (which needs PyMC 6) with both of its compilers, if they are installed; none is
needed for the course. Each contestant takes its steps in turn, `pairs` times over: machines are noisy, so only ratios
within a run are compared. The first call (compilation) is timed apart. Writes benchmarks/step_pymc5.json or
step_pymc6.json, and step.png from what is there of both.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  (sets PyTensor up before it is imported)
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optax
import pymc as pm
import pytensor

from bnn_course import data, inference, models, plots

pytensor.config.floatX = "float32"
matplotlib.use("Agg")

N, BATCH = 60_000, 128


def ours(width, images, labels):
    """`inference.advi` on the PyMC model: a function that runs n more steps."""
    train = pm.Minibatch(images, labels, batch_size=BATCH)
    model = models.image_classifier(*train, total_size=N, hidden=(width, width))
    start = models.random_start(model, np.random.default_rng(0))
    state, optimizer = {"fit": None, "steps": 0}, optax.adam(1e-3)

    def run(n):
        state["steps"] += n
        options = {"optimizer": optimizer, "random_seed": 0, "start": start}
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


def pymc_extras(compiler):
    """What `fit_advi` of pymc-extras runs, on the same model; `compiler` is one of PyTensor's."""

    def make(width, images, labels):
        from pymc_extras.inference.advi import Trainer, adam

        train = pm.Minibatch(images, labels, batch_size=BATCH)
        model = models.image_classifier(*train, total_size=N, hidden=(width, width))
        trainer = Trainer(optimizer=adam(1e-3), backend=compiler, random_seed=0)
        return lambda steps: trainer.fit(steps, model=model)

    return make


def contestants():
    found = {"ours": ours, "pm.fit": pymc_fit}
    if importlib.util.find_spec("pymc_extras"):
        found |= {f"pymc-extras, {compiler}": pymc_extras(compiler) for compiler in ("numba", "jax")}
    if importlib.util.find_spec("torch"):
        found["torch"] = torch_by_hand
    if importlib.util.find_spec("numpyro"):
        found["numpyro"] = numpyro_svi
    return found


TURN = 1.5  # seconds that a contestant's turn takes, roughly


def turns_of(width, images, labels, pairs):
    """Milliseconds of a step in every turn, and seconds of the first call, for each contestant."""
    runs, first, steps = {}, {}, {}
    for name, make in contestants().items():
        began = time.perf_counter()
        runs[name] = make(width, images, labels)
        runs[name](8)
        first[name] = time.perf_counter() - began
        began = time.perf_counter()
        runs[name](8)
        steps[name] = int(np.clip(TURN / ((time.perf_counter() - began) / 8), 8, 512))
        runs[name](steps[name])  # NumPyro's scan compiles again for another number of steps
    times = {name: [] for name in runs}
    for _ in range(pairs):
        for name, run in runs.items():
            began = time.perf_counter()
            run(steps[name])
            times[name].append(1e3 * (time.perf_counter() - began) / steps[name])
    return times, first


def table(width, times, first):
    """A row for each contestant: its median, and the ratio of ours to it with its range over the turns."""
    for name, ms in times.items():
        ratios = [b / a for a, b in zip(ms, times["ours"], strict=True)]
        row = {"width": width, "name": name, "ms_per_step": statistics.median(ms), "first_call_s": first[name]}
        yield row | {"ours_over_it": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def draw(folder):
    """The table as a figure, for the stacks that were measured."""
    found = {p.stem.removeprefix("step_"): json.loads(p.read_text()) for p in sorted(folder.glob("step_*.json"))}
    fig, axes = plt.subplots(
        1, len(found), figsize=(4.6 * len(found), 3.2), sharey=True, layout="constrained", squeeze=False
    )
    for ax, (stack, result) in zip(axes[0], found.items(), strict=True):
        for place, name in enumerate(dict.fromkeys(row["name"] for row in result["rows"])):
            rows = [row for row in result["rows"] if row["name"] == name]
            style = {"marker": plots.MARKERS[place], "linestyle": plots.LINES[place], "color": plots.CYCLE[place]}
            ax.plot([row["width"] for row in rows], [row["ms_per_step"] for row in rows], label=name, **style)
        widths = sorted({row["width"] for row in result["rows"]})
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="width of both hidden layers",
            title=stack,
            xticks=widths,
            xticklabels=widths,
        )
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("ms a step")
    axes[0, 0].legend(frameon=False)
    fig.savefig(folder / "step.png", dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 400, 1200])
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    rows = []
    for width in options.widths:
        for row in table(width, *turns_of(width, images, labels, options.pairs)):
            rows.append(row)
            print(
                f"H = {width:5d}  {row['name']:18s} {row['ms_per_step']:8.2f} ms a step,  ours / it "
                f"{row['ours_over_it']:5.2f} ({row['lowest']:.2f}–{row['highest']:.2f}),  "
                f"first call {row['first_call_s']:5.1f} s",
                flush=True,
            )
    stack = {"python": platform.python_version(), "pymc": pm.__version__, "course": bnn_course.__version__}
    folder = Path(__file__).parent
    name = f"step_pymc{pm.__version__.split('.')[0]}.json"
    (folder / name).write_text(json.dumps({"stack": stack, "rows": rows}, indent=2) + "\n")
    draw(folder)


if __name__ == "__main__":
    main()
