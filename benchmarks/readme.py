"""The tables and sentences of benchmarks/README.md that repeat the records: each stands between two marks there.

    python benchmarks/readme.py

Nothing is measured here.
"""

import json
from pathlib import Path

import pandas as pd

from bnn_course import uncertainty
from tools.readme import PART

HERE = Path(__file__).parent
README = HERE / "README.md"
STACKS = {"PyMC 5": "pymc5", "PyMC 6": "pymc6"}
PEERS = {
    "torch": "PyTorch by hand",
    "numpyro": "NumPyro",
    "pm.fit": "`pm.fit`",
    "pymc-extras, numba": "pymc-extras, Numba",
    "pymc-extras, jax": "pymc-extras, JAX",
}


def record(name):
    return json.loads((HERE / f"{name}.json").read_text())


def table(*rows):
    """Lines of a table; the first row is its head."""
    head, *rows = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def short(ms):
    return f"{ms:.2g}" if ms < 10 else f"{ms:.0f}"


def ratio(row):
    return "**{ours_over_it:.2f}** ({lowest:.2f}–{highest:.2f})".format(**row)


def step():
    """A row for each version of PyMC and width, and how far the aim is."""
    rows, against = [["PyMC", "H", "ours (ms)", *PEERS.values()]], []
    for stack in STACKS.values():
        found = {(row["width"], row["name"]): row for row in record(f"step_{stack}")["rows"]}
        for width in sorted({width for width, _ in found}):
            its = [found.get((width, name)) for name in PEERS]
            cells = [f"{short(row['ms_per_step'])}: {ratio(row)}" if row else "–" for row in its]
            rows.append([stack[-1], str(width), short(found[width, "ours"]["ms_per_step"]), *cells])
            fastest = min(filter(None, its), key=lambda row: row["ms_per_step"])
            against.append(fastest["ours_over_it"])
    said = f"Our step takes {min(against):.2f} to {max(against):.2f} of the time of the fastest rival; the aim is 0.50."
    return f"{table(*rows)}\n\n{said}"


def start():
    """A row for each contestant: seconds, our seconds to the accuracy over its, and memory."""
    names = {"ours": "ours", "ours, again": "ours, a second time"} | PEERS
    rows = [["", "first step (s)", "ELBO (s)", "97.7 % (s)", "ours / it", "MB"]]
    by = {row["name"]: row for row in record("start")["rows"]}
    for name in (name for name in names if name in by):
        row = by[name]
        seconds = [f"{row[key]:.1f}" if key in row else "not in 20 passes" for key in ("elbo_s", "accurate_s")]
        against = ratio(row) if "ours_over_it" in row and name not in ("ours", "ours, again") else "–"
        rows.append([names[name], f"{row['first_step_s']:.1f}", *seconds, against, f"{row['megabytes']:.0f}"])
    return table(*rows)


def roofline():
    """Parts of a step in milliseconds, and the least that memory and matrix products of this machine allow."""
    rows = [["H", "weights", "step", "noise", "Adam", "memory alone", "log density", "products alone", "step / least"]]
    shares, as_once = [], {"threefry": [], "erf_inv": [], "derivative": []}
    for row in record("profile"):
        parts = [row[name] for name in ("step", "noise", "Adam", "memory", "log density", "products")]
        least = row["step"] / (row["memory"] + row["products"])
        shares.append(row["noise"] / (row["step"] - row["memory"] - row["products"]))
        for name, times in as_once.items():
            times.append(row[name] / row["step"])
        weights = f"{row['weights']:,}".replace(",", " ")
        rows.append([str(row["width"]), weights, *(f"{ms:.2f}" for ms in parts), f"{least:.1f}"])
    noise, quantile, derivative = (f"{min(times):.2f} to {max(times):.2f} times" for times in as_once.values())
    said = (
        f"The noise is {min(shares):.0%} to {max(shares):.0%} of what a step takes beyond that sum.\n\n"
        f"What helped: with the noise of `jax.random` a step takes {noise} as long; with `jax.lax.erf_inv` in place of "
        f"one polynomial, {quantile}; with the derivative of a draw left to JAX, {derivative} (it is w − m; left "
        "alone, XLA makes the noise again for each of Adam's moments)."
    )
    return f"{table(*rows)}\n\n{said}"


def mnist():
    """Test error and NLL of the settings that validation chose."""
    rows = pd.read_csv(HERE / "mnist_quality.csv")
    rows = rows[rows["asked"] == "test"]
    cells = [["method", "chosen on validation", "error (%)", "NLL (nats)", "seeds"]]
    names = {"ADVI": "mixture of {members} ADVI fits", "ensemble": "ensemble of {members} MAP networks"}
    for method, found in rows.groupby("method"):
        first = found.iloc[0]
        chosen = f"sd of the prior {first['prior_sd']:g}, {first['passes']} passes, rate {first['learning_rate']:g}"
        if method == "ADVI":
            chosen += f", sd at the start {first['start_sd']:g}"
        error, nll = (uncertainty.t_interval(found[score]) for score in ("error", "nll"))
        scores = [f"{100 * error.mean:.2f} ± {100 * error.half:.2f}", f"{nll.mean:.4f} ± {nll.half:.4f}"]
        cells.append([names[method].format(members=first["members"]), chosen, *scores, str(error.n)])
    pairs = rows.pivot(index="seed", columns="method")
    error, nll = (uncertainty.t_interval(pairs[score]["ADVI"] - pairs[score]["ensemble"]) for score in ("error", "nll"))
    said = (
        f"Mixture minus ensemble, paired by seed: error {100 * error.mean:+.2f} ± {100 * error.half:.2f} points, "
        f"NLL {nll.mean:+.4f} ± {nll.half:.4f} nats."
    )
    return f"{table(*cells)}\n\n{said}"


def nuts():
    """Effective draws a second of ours over NumPyro's, with interval; a star where Numba had the C library's tanh."""
    found = {
        title: [r for r in record(f"nuts_{stack}") if r["sampler"] == "numpyro"] for title, stack in STACKS.items()
    }
    rows = [["network", "seeds", *found]]
    for its in zip(*found.values(), strict=True):
        cells = ["{:.2f} ({:.2f}–{:.2f})".format(*row["smallest_ours_over_it"]) for row in its]
        stars = ["" if "tanh" in row else " \\*" for row in its]
        seeds = " and ".join(dict.fromkeys(str(row["seeds"]) for row in its))
        rows.append([its[0]["model"], seeds, *map("".join, zip(cells, stars, strict=True))])
    star = "\n\n\\* Measured with the C library's tanh, so with slower gradients; see the next table."
    return table(*rows) + (star if any("\\*" in cell for row in rows for cell in row) else "")


def gradients():
    """Microseconds of a gradient for NUTS, in Numba with two kinds of tanh and in XLA."""
    rows = [["network", "ours (µs)", "C tanh (µs)", "XLA (µs)", "ours / C tanh", "ours / XLA"]]
    for row in record("gradients")["rows"]:
        times = [f"{us:.0f}" for us in row["us"].values()]
        ratios = ["{:.2f} ({:.2f}–{:.2f})".format(*its) for its in row["numba_over"].values()]
        rows.append([row["model"], *times, *ratios])
    return table(*rows)


PARTS = {part.__name__: part for part in (step, start, roofline, mnist, nuts, gradients)}


def filled(text):
    """The README with its parts written anew."""
    return PART.sub(lambda found: f"{found['begin']}{PARTS[found['name']]()}\n{found['end']}", text)


def main():
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
