"""The claims of a lesson again, with fresh seeds: how often each holds, and how far its value ranges.

Each lesson has one line ``SEED = …`` from which all its randomness follows. Every run is a process of its own. Bounds
are set from the ranges.
"""

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys

from bnn_course.uncertainty import MeanInterval
from tools import NOTEBOOKS
from tools.lessons import lesson
from tools.text import without_magics

SEED_LINE = re.compile(r"^SEED = \d+$", re.MULTILINE)


def run_once(number, seed):
    """Run all code cells of a lesson with `seed`; return ``{claim id: [held, smallest value, largest value]}``."""
    os.chdir(NOTEBOOKS)
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    from bnn_course import claims

    source = lesson(number)
    if sum(len(SEED_LINE.findall(cell)) for cell in source.cells.values()) != 1:
        raise SystemExit(f"{source.path.name} must have exactly one line SEED = <number>: all randomness comes from it")
    results, original = {}, claims.claim

    def recording(id, sentence, value, **bounds):
        held = True
        try:
            original(id, sentence, value, **bounds)
        except claims.ClaimError:
            held = False
        if id.endswith("-false"):  # shown failing on purpose
            return
        whole = isinstance(value, MeanInterval)
        values = np.asarray([value.mean - value.half, value.mean + value.half] if whole else value, dtype=float)
        results[id] = [held, float(values.min()), float(values.max())]

    claims.claim = recording
    variables = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for name, cell in source.cells.items():
            code = SEED_LINE.sub(f"SEED = {seed}", without_magics(cell))
            exec(compile(code, f"{source.path.name}, cell {name}", "exec"), variables)
            plt.close("all")
    return results


def main(arguments=None):
    """Run the claims of a lesson with several seeds; print a table."""
    parser = argparse.ArgumentParser(prog="python -m tools seeds", description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="two digits")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.once:
        print(json.dumps(run_once(options.lesson, options.first)))
        return 0
    runs = []
    for seed in range(options.first, options.first + options.seeds):
        command = [sys.executable, "-m", "tools", "seeds", options.lesson, "--once", "--first", str(seed)]
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

    return 0
