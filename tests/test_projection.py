"""`tools.projection`: a figure of a lesson, drawn again for the slides."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from tools import projection


@pytest.fixture
def figure():
    drawn, (left, right) = plt.subplots(1, 2, figsize=(5, 2.5), layout="constrained")
    left.plot([1, 2], label="a line")
    left.set(xlabel="across", title="Left")
    left.legend(fontsize=6)
    right.text(0.2, 0.2, "large", fontsize=30)
    right.tick_params(labelsize=5)
    yield drawn
    plt.close(drawn)


def pixels_of_letters(svg):
    """The size of each text on a slide; Matplotlib scales glyphs of a hundred units."""
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    points = np.array([100 * float(scale) for scale in re.findall(r" scale\((0\.\d+) -0\.\d+\)", svg)])
    return points * min(projection.SPACE[0] / width, projection.SPACE[1] / height)


def sizes(figure):
    figure.canvas.draw()
    return sorted(text.get_fontsize() for text in figure.findobj(Text))


def test_small_letters_grow_and_large_ones_stay(figure):
    pixels = pixels_of_letters(projection.for_slides(figure))
    points = projection.LETTERS / min(projection.SPACE[0] / 360, projection.SPACE[1] / 180)
    assert pixels.min() == pytest.approx(projection.LETTERS, rel=0.05)  # cropping changes the scale a little
    assert pixels.max() / pixels.min() == pytest.approx(30 / points, rel=1e-3)


def test_the_figure_of_the_lesson_stays_as_it_was(figure):
    before = sizes(figure)
    projection.for_slides(figure)
    assert sizes(figure) == before


def test_a_large_drawing_becomes_a_picture_and_its_letters_stay(figure):
    dots = figure.axes[1].scatter(*np.random.default_rng(0).normal(size=(2, 5_000)))
    svg = projection.for_slides(figure)
    assert len(svg) < projection.LARGE and "<image" in svg
    assert len(pixels_of_letters(svg)) > 15
    assert not dots.get_rasterized()
    dots.remove()
    assert "<image" not in projection.for_slides(figure)
