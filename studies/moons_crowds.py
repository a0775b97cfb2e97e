"""The crowd of networks of lesson 00, sampled again for other data and other priors: what its exercises start from.

    python studies/moons_crowds.py        # about 3 processor minutes; repeats only the variants that are missing

Fills notebooks/records/moons_crowds.npz. The numbers of lesson 00 in bnn_course/answers.py are those of its networks: a
record made anew asks for new ones there. Each variant runs the lesson's own cells with one thing changed: "lesson"
nothing; "noise" twice the noise; "quarter" and "fourfold" 25 and 400 points; "looked" ten more points of class one
around C; "scale0.5", "scale1", "scale4", "scale8" another scale of the prior.

Arrays of each variant, by name and part ("noise_w1"): `x` (point, 2) and `y` (point,), the data; `w1` (network, 2, 8),
`b1` (network, 8), `w2` (network, 8, 1) and `b2` (network, 1), the weights of two hundred draws.
"""

import argparse
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np

from bnn_course.datasets import build_datasets
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "moons_crowds.npz"
LESSON = lesson("00")
NETWORKS = 200
CHANGED = {  # variant -> the cell of the lesson that is changed, and how
    "lesson": {},
    "noise": {"moons": ("noise=0.2", "noise=0.4")},
    "quarter": {"moons": ("make_moons(100", "make_moons(25")},
    "fourfold": {"moons": ("make_moons(100", "make_moons(400")},
    "looked": {},
}
for scale in ("0.5", "1", "4", "8"):
    CHANGED[f"scale{scale}"] = {"model": LESSON["model"].replace(", 0, 2, shape", f", 0, {scale}, shape")}


def sampled(variant):
    """The arrays of a variant."""
    changed = CHANGED[variant]
    names = LESSON.define("x", "places", "rng", replace=changed)
    x, y = names["x"], names["y"]
    if variant == "looked":
        x = np.concatenate([x, names["rng"].normal(names["places"]["C"], 0.3, size=(10, 2))])
        y = np.concatenate([y, np.ones(10, y.dtype)])
    draws = LESSON.define("posterior", replace=changed, given={"x": x, "y": y})["posterior"].posterior
    arrays = {"x": x.astype(np.float32), "y": y}
    for part in ("w1", "b1", "w2", "b2"):
        weights = draws[part].values
        weights = weights.reshape(-1, *weights.shape[2:])
        arrays[part] = weights[np.linspace(0, len(weights) - 1, NETWORKS).astype(int)].astype(np.float32)
    return {f"{variant}_{part}": array for part, array in arrays.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=list(CHANGED), help="which to sample; all when none is given")
    options = parser.parse_args()
    found = dict(np.load(RECORD)) if RECORD.exists() else {}
    for variant in options.variants:
        if f"{variant}_x" not in found:
            found |= sampled(variant)
            build_datasets.write_all(RECORD.parent, {RECORD.name: found})
            print(variant, flush=True)


if __name__ == "__main__":
    main()
