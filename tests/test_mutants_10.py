"""The checks of lesson 10 see what they look for: each break of a formula fails the claim that guards it.

The fits are replaced by random networks of eight units, which have the same symmetries.
"""

import numpy as np
import pytest
from _mutants import fails

from bnn_course import representations
from tools.lessons import lesson

LESSON = lesson("10")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "units exchanged on one side only": (
        "10-same-function",
        "symmetries",
        "networks.w2[k][order[k]] * sign",
        "networks.w2[k] * sign",
    ),
    "signs flipped on one side only": ("10-same-function", "symmetries", "* sign[k][:, None]", "* 1"),
    "bias left behind": ("10-same-function", "symmetries", "networks.b1[k][order[k]] * sign[k]", "networks.b1[k]"),
    "farthest copy": ("10-exact", "nearest-copy", "maximize=True", "maximize=False"),
    "signs ignored in the assignment": ("10-exact", "nearest-copy", "np.abs(products)", "products"),
    "signs forgotten": ("10-exact", "nearest-copy", "return order, sign", "return order, np.abs(sign)"),
    "the inverse permutation": ("10-exact", "nearest-copy", "return order, sign", "return np.argsort(order), sign"),
    "roles exchanged": (
        "10-exact",
        "exact-results",
        "nearest_copy(small, target)",
        "nearest_copy(target, small)",
    ),
    "correlations of the unaligned": ("10-aligned", "alignment-results", "aligned_hidden[1])", "hidden[1])"),
    "the wrong average": ("10-average-unaligned", "alignment-results", '("weights averaged")', '("answers averaged")'),
    "aligned and unaligned exchanged": (
        "10-average-aligned",
        "alignment-results",
        '("aligned weights averaged")',
        '("weights averaged")',
    ),
    "a control that is none": ("10-control", "rank-results", '"ink"', '"entropy of one network"'),
    "spread for movement": ("10-ratio", "rank-results", '("movement over distance")', '("spread, one fit")'),
    "distances the other way round": (
        "10-remains",
        "record-results",
        'record[name] / record["within a fit"]',
        'record["within a fit"] / record[name]',
    ),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.fixture(scope="module")
def fabricated():
    """Names that the lesson's cells use: five random networks, each a noisy copy of the first, in place of the fits."""
    rng, units = np.random.default_rng(1), 8
    names = LESSON.define("Networks", "forward", "rearranged")
    networks = names["Networks"]
    one = [rng.normal(size=shape) for shape in [(1, 5, units), (1, units), (1, units, 4), (1, 4)]]
    five = networks(*(np.repeat(part, 5, axis=0) for part in one))
    noisy = networks(*(part + 0.3 * rng.normal(size=part.shape) for part in five))
    copies = representations.random_symmetries(5, units, rng=rng)
    means = names["rearranged"](noisy, *copies)
    return {
        "UNITS": units,
        "SEED": 1,
        "means": means,
        "Networks": networks,
        "test_images": 255 * rng.normal(size=(400, 5)),
        "test_labels": rng.integers(4, size=400),
    }


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim, fabricated):
    LESSON.check(claim, given=fabricated)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new, fabricated):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=fabricated)


# --- formulas against another route ---------------------------------------------------------------------------------


def test_lesson_and_package_find_the_same_copy(fabricated):
    names = LESSON.define("hidden", "reference", "order", "sign", given=fabricated)
    found = representations.align(names["hidden"], names["reference"])
    assert (found.order == names["order"]).all() and (found.sign == names["sign"]).all()


def test_moved_to_its_border_every_image_has_two_best_classes(fabricated):
    names = LESSON.define("nearest_border", "reference", given=fabricated)
    w2, b2 = fabricated["means"].w2[0], fabricated["means"].b2[0]
    gap, way = names["nearest_border"](names["reference"], w2, b2)
    logits = np.sort((names["reference"] - gap[:, None] * way) @ w2 + b2, axis=1)
    assert logits[:, -1] == pytest.approx(logits[:, -2], abs=1e-9)
