"""The checks of lesson 14 see what they look for; `test_mutants_14.py` runs this in a process of its own.

A mesh needs its four devices before JAX computes anything.
"""

import pandas as pd
import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("14")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "another noise on four devices": (
        "14-same-loss", "mesh", "mesh=mesh, **settings", 'mesh=mesh, **settings | {"random_seed": 1}'
    ),
    "the memory of Adam left behind": ("14-moved", "move", "steps=200, resume=half", "steps=200, start=half.mean"),
    "randomness from nowhere": ("14-bit-for-bit", "one-fit", "default_rng(seed)", "default_rng()"),
    "an answer made up for the dead": ("14-killed", "mortal", "os._exit(1)", "return width, seed, 0.0"),
    "nobody dies": ("14-killed", "mortal", "(width, seed) == (1, SEED)", "width == 3"),
    "small and large exchanged": (
        "14-small", "growth-results", "by_weights[9_550] / by_weights[805]", "by_weights[10_000_315] / by_weights[805]"
    ),
    "a hundred times for ten": (
        "14-large", "growth-results", "by_weights[10_000_315] / by_weights[1_000_120]",
        "by_weights[10_000_315] / by_weights[100_180]",
    ),
    "one clock for all chains": ("14-serial-chains", "amdahl", "busy / busy.columns", "busy"),
    "one draw": ("14-gigabytes", "bill", "4 * 1_000 * weights * 4", "4 * weights * 4"),
    "one image": ("14-days", "bill", "for_a_draw * gradient", "for_a_draw * gradient / 60_000"),
}  # fmt: skip
SWEEPS = ["14-bit-for-bit", "14-killed"]
RECORDED = ["14-small", "14-large", "14-work-of-four", "14-leaps", "14-serial-chains", "14-start"]
RECORDED += ["14-days", "14-gigabytes"]


@pytest.mark.parametrize("claim", ["14-same-loss", "14-moved", *SWEEPS, *RECORDED])
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_mistake_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


def clocks(share, workers):
    return pd.DataFrame({p: [100 * (share + (1 - share) / p), 7 * (share + (1 - share) / p)] for p in workers})


@pytest.mark.parametrize("broken", [None, ("amdahl", "longer - 1", "longer"), ("amdahl", "workers - 1", "workers")])
def test_the_share_that_made_the_clocks_is_read_off_them(broken):
    replace = {} if broken is None else {broken[0]: broken[1:]}
    names = LESSON.define("serial_share", "speed_up", replace=replace)
    found = [names["serial_share"](clocks(share, (1, 2, 8))) for share in (0.0, 0.2, 1.0)]
    assert (abs(found[0]) + abs(found[1] - 0.2) + abs(found[2] - 1) < 1e-9) == (broken is None)
    assert names["speed_up"](8, 0.2) == pytest.approx(100 / clocks(0.2, (8,)).loc[0, 8])
