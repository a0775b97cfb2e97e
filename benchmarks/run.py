"""Time a step of mean-field ADVI on MNIST, ours beside its peers, interleaved in one process.

    python benchmarks/run.py [--widths 128 400 1200] [--pairs 9]        (make bench)

Network 784-H-H-10, batch 128, float32, Normal(0, 1) prior, Adam. Peers: `pm.fit` always; PyTorch (written by hand),
NumPyro and the trainer of pymc-extras (which needs PyMC 6) with both of its compilers, if they are installed; none is
needed for the course. Each contestant takes its steps in turn, `pairs` times over: machines are noisy, so only ratios
within a run are compared. The first call (compilation) is timed apart. Writes benchmarks/step_pymc5.json or
step_pymc6.json, and step.png from what is there of both.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  (sets PyTensor up before it is imported)
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

from benchmarks.contestants import LIBRARIES, contestants
from bnn_course import data, plots

matplotlib.use("Agg")


LEARNING_RATE = 1e-3
TURN = 1.5  # seconds that a contestant's turn takes, roughly


def turns_of(width, images, labels, pairs):
    """Milliseconds of a step in every turn, and seconds of the first call, for each contestant."""
    runs, first, steps = {}, {}, {}
    for name, make in contestants().items():
        began = time.perf_counter()
        runs[name], _ = make(width, images, labels, LEARNING_RATE)
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
        1, len(found), figsize=(4.6 * len(found), 3.4), sharey=True, layout="constrained", squeeze=False
    )
    names = [name for makers in LIBRARIES.values() for name in makers]
    for ax, (stack, result) in zip(axes[0], found.items(), strict=True):
        for place, name in enumerate(names):
            rows = [row for row in result["rows"] if row["name"] == name]
            style = {"marker": plots.MARKERS[place], "linestyle": plots.LINES[place], "color": plots.CYCLE[place]}
            ax.plot([row["width"] for row in rows], [row["ms_per_step"] for row in rows], label=name, **style)
        widths = sorted({row["width"] for row in result["rows"]})
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="width of both hidden layers",
            title=f"PyMC {stack[-1]}",
            xticks=widths,
            xticklabels=widths,
        )
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("ms a step")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(names))
    fig.savefig(folder / "step.png", dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 400, 1200])
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    names, every = list(contestants()), [name for makers in LIBRARIES.values() for name in makers]
    print(f"A step of ADVI on MNIST, by turns: {', '.join(names)}. About {round(1.4 * len(names))} minutes.")
    if missing := sorted(set(every) - set(names)):
        print(f"Not installed (pip install -e .[bench]): {', '.join(missing)}.")
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
