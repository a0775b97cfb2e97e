"""Effective draws per evaluation against dimension, for four samplers on one correlated Gaussian (appendix D).

    python studies/sampler_scaling.py           # writes notebooks/records/sampler_scaling.csv, about 5 minutes

Target, samplers and ESS are those of the appendix, whose cells this script runs. Chains start in the target. An
evaluation is the log density, its gradient or both at one new point; a sweep of Gibbs counts as one.

Columns: sampler; dimension; seed; step size; mean acceptance; draws; evaluations; ess; ess_per_evaluation.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "sampler_scaling.csv"
COLUMNS = "sampler dimension seed step acceptance draws evaluations ess ess_per_evaluation".split()
DIMENSIONS = [2, 4, 8, 16, 32, 64, 128, 256]
APPENDIX = lesson("D").define("pairs", "given_partner", "competitors", "smaller_ess")
SAMPLERS = APPENDIX["competitors"]


def measure(name, dimension, seed):
    """One row of the record."""
    rng = np.random.default_rng([seed, dimension, list(SAMPLERS).index(name)])
    step, chain = SAMPLERS[name](APPENDIX["pairs"](dimension, rng), rng)
    row = {"sampler": name, "dimension": dimension, "seed": seed, "step": f"{step:.4f}"}
    evaluations, draws = int(chain.evaluations.sum()), len(chain.draws)
    row |= {"acceptance": f"{chain.acceptance.mean():.3f}", "draws": draws, "evaluations": evaluations}
    effective = APPENDIX["smaller_ess"](chain.draws)
    return row | {"ess": f"{effective:.1f}", "ess_per_evaluation": f"{effective / evaluations:.4g}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--dimensions", type=int, nargs="+", default=DIMENSIONS)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    partial = options.output.with_suffix(".part")
    options.output.parent.mkdir(exist_ok=True)
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for seed in range(options.seeds):
            for dimension in options.dimensions:
                for name in SAMPLERS:
                    row = measure(name, dimension, seed)
                    writer.writerow(row)
                    file.flush()
                    print(*row.values(), flush=True)
    partial.replace(options.output)


if __name__ == "__main__":
    main()
