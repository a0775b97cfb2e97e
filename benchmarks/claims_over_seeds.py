"""Run the claims of a lesson again with fresh seeds, and report how many hold.

    python benchmarks/claims_over_seeds.py 09 --seeds 20

Each lesson has one line ``SEED = …`` from which all its randomness follows. Every run is a process of its own. For
each claim the table shows the share of runs in which it held, and the range of the value: bounds are set from it.
"""

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SEED_LINE = re.compile(r"^SEED = \d+$", re.MULTILINE)


def run_once(source, seed):
    """Run all code cells of a lesson with `seed`; return ``{claim id: [held, smallest value, largest value]}``."""
    sys.path[:0] = [str(NOTEBOOKS.parent), str(NOTEBOOKS)]
    os.chdir(NOTEBOOKS)
    import matplotlib

    matplotlib.use("Agg")
    import lesson_text
    import matplotlib.pyplot as plt
    import numpy as np

    from bnn_course import claims

    notebook = lesson_text.notebook_of(source.read_text(encoding="utf-8"))
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if sum(len(SEED_LINE.findall(cell)) for cell in cells) != 1:
        raise SystemExit(f"{source.name} must have exactly one line SEED = <number>: derive all randomness from it")
    results, original = {}, claims.claim

    def recording(id, sentence, value, **bounds):
        held = True
        try:
            original(id, sentence, value, **bounds)
        except claims.ClaimError:
            held = False
        values = np.asarray(value, dtype=float)
        if id.endswith("-false"):  # shown failing on purpose
            return
        results[id] = [held, float(values.min()), float(values.max())]

    claims.claim = recording
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            exec(compile(SEED_LINE.sub(f"SEED = {seed}", cell), source.name, "exec"), namespace)
            plt.close("all")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="two digits")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    (source,) = (NOTEBOOKS / "source").glob(f"{options.lesson}_*.md")
    if options.once:
        print(json.dumps(run_once(source, options.first)))
        return
    runs = []
    for seed in range(options.first, options.first + options.seeds):
        command = [sys.executable, __file__, options.lesson, "--once", "--first", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"seed {seed} stopped:\n{done.stderr[-2000:]}")
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        failed = [claim for claim, (held, *_) in runs[-1].items() if not held]
        print(f"seed {seed}: {len(runs[-1]) - len(failed)} of {len(runs[-1])} claims hold", *failed, flush=True)
    print(f"\n{'claim':32s}{'held':>10s}{'smallest':>14s}{'largest':>14s}")
    for claim in runs[0]:
        rows = [run[claim] for run in runs]
        share = f"{sum(held for held, *_ in rows)}/{len(rows)}"
        print(f"{claim:32s}{share:>10s}{min(r[1] for r in rows):14.5g}{max(r[2] for r in rows):14.5g}")
    total = [held for run in runs for held, *_ in run.values()]
    print(f"all claims: {sum(total)}/{len(total)} held ({sum(total) / len(total):.1%})")


if __name__ == "__main__":
    main()
