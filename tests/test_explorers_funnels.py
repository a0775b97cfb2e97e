"""The explorer of the funnel in lesson 06: its densities, its leapfrog path and what it says of the path."""

import re
from itertools import product

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, named, numbers
from scipy import optimize, stats

from bnn_course import samplers
from bnn_course.explorers import funnels as room
from tools.lessons import lesson

EXPLORER = EXPLORERS["funnel"]()
STARTS = list(room.STARTS.values())
ALL = list(product(room.FORMS, room.STEPS, STARTS))


# The density, in both forms -------------------------------------------------------------------------------------------


def test_the_centred_funnel_is_that_of_lesson_02():
    names = lesson("02").define("funnel_log_density", "funnel_gradient")
    for theta in np.random.default_rng(2).normal(size=(20, 2)) * [3, 5]:
        assert room.FUNNEL["centred"].log_density(theta) == pytest.approx(names["funnel_log_density"](theta))
        assert room.FUNNEL["centred"].gradient(theta) == pytest.approx(names["funnel_gradient"](theta))


def test_both_forms_are_one_model():
    """The density of (v, w_raw) is that of (v, w), times the width by which w_raw was stretched."""
    for v, raw in np.random.default_rng(3).normal(size=(20, 2)) * [3, 1]:
        centred = room.FUNNEL["centred"].log_density(np.array([v, raw * np.exp(v / 2)]))
        assert room.FUNNEL["non-centred"].log_density(np.array([v, raw])) == pytest.approx(centred + v / 2)
        exactly = stats.norm.logpdf(v, 0, 3) + stats.norm.logpdf(raw)
        constant = np.log(3 * 2 * np.pi)
        assert room.FUNNEL["non-centred"].log_density(np.array([v, raw])) == pytest.approx(exactly + constant)


@pytest.mark.parametrize("form", room.FORMS)
def test_the_gradient_is_that_of_the_density(form):
    for theta in np.random.default_rng(4).normal(size=(10, 2)):
        numerical = optimize.approx_fprime(theta, room.FUNNEL[form].log_density, 1e-7)
        assert room.FUNNEL[form].gradient(theta) == pytest.approx(numerical, abs=1e-5)


# The path -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "step", "start"), ALL)
def test_a_path_is_one_call_of_leapfrog_and_ends_where_it_diverges(form, step, start):
    made = room.path(form, step, start)
    n_steps, width = len(made.places) - 1, np.exp(start / 2) if form == "centred" else 1
    assert made.places[0] == pytest.approx([start, 0.7 * width])
    end = samplers.leapfrog(
        room.FUNNEL[form].gradient, made.places[0], np.array(room.MOMENTUM), step=step, n_steps=n_steps
    )
    assert made.places[-1] == pytest.approx(end.theta, rel=1e-4, abs=1e-6)
    assert (made.errors[:-1] <= samplers.DIVERGENT).all()
    assert n_steps == round(room.TIME / step) or made.errors[-1] > samplers.DIVERGENT


@pytest.mark.parametrize("form", room.FORMS)
def test_the_error_of_small_steps_falls_with_their_square(form):
    sizes = [np.abs(room.path(form, step, 4.0).errors).max() for step in (0.2, 0.1, 0.05)]
    assert sizes[0] / sizes[1] == pytest.approx(4, rel=0.4) and sizes[1] / sizes[2] == pytest.approx(4, rel=0.4)


def test_both_forms_start_with_the_same_point_of_the_model_and_the_same_push():
    for start in STARTS:
        v, w = room.path("centred", 0.1, start).places[0]
        assert room.path("non-centred", 0.1, start).places[0] == pytest.approx([v, w * np.exp(-v / 2)])


def test_what_the_lesson_says_one_can_see():
    def longest(form, start):
        accepted = [step for step in room.STEPS if np.exp(-room.path(form, step, start).errors[-1]) > 0.5]
        assert accepted == list(room.STEPS[: len(accepted)])
        return accepted[-1]

    assert (longest("centred", 4.0), longest("centred", -4.0)) == (0.7, 0.2)
    assert {longest("non-centred", start) for start in STARTS} == {1.5}
    lowest = [room.path(form, 0.1, 4.0).places[:, 0].min() for form in room.FORMS]
    assert lowest[1] < lowest[0] - 2


# The picture and the line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "step", "start"), ALL)
def test_the_picture_and_the_line_say_what_became_of_the_path(form, step, start):
    (plane, error), line = moved(EXPLORER, form=form, step=step, start=start)
    made = room.path(form, step, start)
    assert named(plane, "path").get_xydata() == pytest.approx(np.clip(made.places, -1e3, 1e3)[:, ::-1])
    shown = named(error, "error").get_xydata()
    assert shown[:, 0] == pytest.approx(step * np.arange(1, len(made.errors)))
    assert 10 ** shown[:, 1] == pytest.approx(np.clip(np.abs(made.errors[1:]), 1e-4, 1e6))
    crosses = [[part for part in ax.lines if part.get_marker() == "X"] for ax in (plane, error)]
    said = numbers(re.sub("non-centred|Non-centred", "free", line))
    assert said[:2] == [step, start]
    if made.errors[-1] > samplers.DIVERGENT:
        assert "diverged" in line and "rejected" in line and said[2:4] == [len(made.errors) - 1, round(12 / step)]
        (cross,), (other,) = crosses
        (x,), (y,) = cross.get_data()
        assert plane.get_xlim()[0] < x < plane.get_xlim()[1] and plane.get_ylim()[0] < y < plane.get_ylim()[1]
        assert other.get_xydata()[0] == pytest.approx(shown[-1])
    else:
        assert crosses == [[], []] and "accepted" in line
        v = made.places[:, 0]
        wanted = [round(12 / step), v.min(), v.max(), made.errors[-1], min(1, np.exp(-made.errors[-1]))]
        assert said[2:] == pytest.approx(wanted, abs=0.051)


def test_the_axis_names_what_the_sampler_moves():
    labels = [moved(EXPLORER, form=form)[0][0].get_xlabel() for form in room.FORMS]
    assert "weight" in labels[0] and "free variable" in labels[1]


@pytest.mark.parametrize("wrong", [{"step": 0.4}, {"form": "free"}, {"start": 1.0}])
def test_a_value_that_no_control_has_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be one of .*got"):
        moved(EXPLORER, **wrong)
