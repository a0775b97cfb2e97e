"""What the lessons say that one finds when moving an explorer is what it shows; 09: test_explorers_digits.py."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bnn_course.explorers import bounds, chains, functions, posteriors, pruning, shrinkage, transforms
from tools import build

RECORDS = build.ROOT / "notebooks" / "records"
NUMBER = r"([-−]?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?)"


def read(explorer, pattern, **values):
    """Numbers that the line gives for these values of the controls: `#` in the pattern stands for each."""
    line = explorer.draw(Figure(figsize=explorer.size, layout="none"), **explorer.start | values)
    found = re.search(re.escape(pattern).replace(r"\#", NUMBER), line)
    assert found, f"{pattern!r} is not in {line!r}"
    return [float(number.replace("−", "-").replace(",", "")) for number in found.groups()]


def test_01_ten_times_the_flips_bring_map_and_mean_together_and_a_third_of_the_width():
    coin = posteriors.coin()
    line = "MAP #; mean #; with probability 90 % θ lies between # and #"
    best, mean, low, high = read(coin, line)
    best_100, mean_100, low_100, high_100 = read(coin, line, n_1=70, n_0=30)
    assert best_100 - mean_100 < 0.2 * (best - mean)
    assert 1 / 3 < (high_100 - low_100) / (high - low) < 0.4
    assert abs(read(coin, "mean #", a_1=40, a_0=40)[0] - 0.5) < 0.03


def test_01_four_times_the_data_make_up_for_twice_the_noise():
    gaussian = posteriors.gaussian()
    line = "θ lies between # and #"
    assert read(gaussian, line, noise_sd=4, n=16) == read(gaussian, line)
    ends = [read(gaussian, line, data_mean=mean) for mean in (-4, 4)]
    assert np.ptp(np.diff(ends)) < 0.011  # two rounded digits


def test_01_with_the_inputs_nearly_the_same_ridge_shares_and_the_lasso_chooses():
    penalty = posteriors.penalty()
    ends = {"prior_sd": 0.2, "correlation": 0.9}
    ridge = read(penalty, "MAP w₁ = #, w₂ = #", laplace=0.0, **ends)
    lasso = read(penalty, "MAP w₁ = #, w₂ = #", laplace=1.0, **ends)
    assert ridge[1] > 0.75 * ridge[0] and lasso[1] < 0.15 * lasso[0]


def test_02_on_two_modes_hmc_has_many_effective_draws_and_a_wrong_mean():
    chain = chains.chain()
    ess, of, mean, exact = read(
        chain, "ESS # of #, mean of θ₁ # (exact #)", target="two modes", sampler="HMC", draws=20
    )
    assert ess > 0.6 * of and abs(mean - exact) > 1


def test_02_one_notch_further_and_hmc_rejects_all_on_the_correlated_gaussian_one_notch_earlier():
    def acceptance(target, step):
        return read(chains.chain(), "acceptance #", target=target, sampler="HMC", step=step)[0]

    assert acceptance("banana", 0.3) > 0.8 and acceptance("banana", 0.5) < 0.05
    assert acceptance("correlated", 0.2) > 0.8 and acceptance("correlated", 0.3) < 0.2


def test_03_one_hump_is_cheaper_than_both_only_when_they_are_far_apart():
    def best(reading):
        one = min(
            read(bounds.evidence(), "KL #", mean=m / 10, sd=s / 10, reading=reading)
            for m in range(10, 30, 2)
            for s in range(4, 14)
        )
        wide = min(read(bounds.evidence(), "KL #", mean=0, sd=s / 10, reading=reading) for s in range(10, 31))
        return one[0], wide[0]

    one, wide = best(2.5)
    assert wide < one and one == pytest.approx(np.log(2), abs=0.1)
    one, wide = best(4)
    assert one < 0.7 * wide
    assert min(read(bounds.evidence(), "KL #", mean=0, sd=s / 10, reading=0)[0] for s in range(5, 15)) < 0.01


def test_03_the_seeker_jumps_between_three_and_a_half_and_three():
    line = "at μ = #, σ = #; KL"
    places = [read(bounds.directions(), line, separation=s) for s in (4.0, 3.5, 3.0)]
    assert abs(places[0][0] - places[1][0]) < 0.4 and abs(places[1][0] - places[2][0]) > 1
    far = [read(bounds.directions(), "smallest # at μ = #, σ = #; KL(p‖q) #, smallest #", separation=s) for s in (5, 7)]
    assert abs(far[0][0] - far[1][0]) < 0.02 and far[1][4] - far[0][4] > 0.1


def test_04_a_hundred_draws_arrive_in_ten_steps_and_the_smallest_step_scale_hardly_leaves():
    path = transforms.path()
    assert read(path, "ELBO # nats below", draws=100, steps=12)[0] < 0.1
    (start,) = read(path, "Step #", steps=1)
    mean, log_sd = read(path, "μ #, ln σ #", eta=0.01, steps=200)
    assert start == 1 and np.hypot(mean + 1.5, log_sd) < 0.35 * np.hypot(-0.28 + 1.5, -0.80)


def test_05_a_dozen_everywhere_do_more_for_the_gap_than_sixty_in_the_groups():
    band = functions.band()
    line = "at x = 0 epistemic sd #"
    assert read(band, line, points=12, layout="everywhere") < read(band, line, points=60)
    groups = [read(band, "at x = −1.5 epistemic sd #", points=n)[0] for n in (2, 12, 60)]
    assert groups[0] > groups[1] > groups[2]
    assert read(band, "at x = 3.5 epistemic sd #", points=60)[0] > 0.8 * read(band, "at x = 3.5 epistemic sd #")[0]
    assert read(band, line, noise_sd=0.8) > read(band, line, noise_sd=0.05)


def test_06_one_rectified_layer_only_grows_and_tanh_changes_its_shape():
    priors = functions.priors()
    line = "happen on # % of the axis (median of 30 draws); the middle half of f(1) spans #"
    share, size = zip(*(read(priors, line, activation="ReLU", scale=s) for s in (1, 10)), strict=True)
    assert share[0] == share[1] and size[1] == pytest.approx(100 * size[0], rel=0.5)  # the line rounds sizes
    tanh = [read(priors, line, scale=s)[0] for s in (1, 10)]
    assert tanh[1] < tanh[0]
    assert read(priors, line, scale=1, family="Cauchy")[0] < tanh[0]


def test_07_the_best_spread_is_a_third_and_gains_a_third_as_much_under_the_wider_prior():
    tasks = shrinkage.tasks(np.load(RECORDS / "shrinkage_moons.npz"))
    shares = [value for _, value in tasks.controls["share"].options]
    right = {v: {s: read(tasks, "right for # %", share=s, width=v)[0] for s in shares} for v in (1.0, 2.0)}
    assert max(right[1.0], key=right[1.0].get) == 0.35
    assert abs(right[1.0][0.05] - right[1.0][1.0]) < 1
    gain = {v: max(right[v].values()) - right[v][1.0] for v in right}
    assert gain[2.0] / gain[1.0] == pytest.approx(1 / 3, abs=0.08)
    assert max(max(r.values()) for r in right.values()) < read(tasks, "best possible # %")[0]


def test_08_the_free_part_lies_below_one_half_and_size_fails_where_the_ratio_is_free():
    curve = pruning.curve(*(pd.read_csv(RECORDS / f"pruning_mnist{end}.csv") for end in ("", "_histogram")))
    assert read(curve, "ratio below #")[0] < 0.5
    line = "accuracy # % by signal-to-noise, # % by size"
    whole = read(curve, line, setting="100 passes, sd 1", removed=0.0)
    ratio, size = read(curve, line, setting="100 passes, sd 1")
    assert ratio > whole[0] - 0.2 and size < whole[0] - 5
