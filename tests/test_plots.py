"""Pictures of `bnn_course.plots`, tested as data: artists and coordinates, sizes of text, overlap."""

# ruff: noqa: E501 - in a table, a case is a line

from itertools import combinations

import matplotlib
import numpy as np
import pytest
from _refusals import refuses
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from bnn_course import plots as p
from bnn_course import uncertainty as u

RNG = np.random.default_rng(0)
IMAGE = np.arange(28 * 28).reshape(28, 28) * 255 // 783
IMAGES = np.stack([IMAGE.astype(np.uint8)] * 15)
CUBE = RNG.dirichlet(np.ones(10), size=(12, 15))
MEAN = CUBE.mean(axis=0)
LABELS = np.arange(15) % 10


@pytest.fixture
def fig():
    figure = Figure(figsize=(8, 6), dpi=100)
    FigureCanvasAgg(figure)
    return figure


@pytest.fixture
def ax(fig):
    return fig.add_subplot()


def texts(fig):
    """Visible texts of a drawn figure."""
    fig.canvas.draw()
    return [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip()]


def colours(bars):
    return [to_hex(bar.get_facecolor()).upper() for bar in bars]


# Picture: the data arrive ------------------------------------------------------------------------------


def test_loss_curve_draws_the_records(ax):
    line = p.loss_curve(ax, [10, 20, 30], [3.0, 2.0, 1.0], label="seed 1")
    assert line.get_xydata().tolist() == [[10, 3], [20, 2], [30, 1]]
    assert ax.get_xlabel() == "optimisation step" and "ELBO per datum" in ax.get_ylabel()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["seed 1"]


def test_loss_curve_draws_a_running_mean_before_the_pale_records(ax):
    line = p.loss_curve(ax, np.arange(5), np.array([4.0, 2.0, 6.0, 0.0, 2.0]), window=2)
    assert line.get_xydata().tolist() == [[1, 3], [2, 4], [3, 3], [4, 1]]
    assert ax.lines[0].get_alpha() < 0.5 and len(ax.lines[0].get_xdata()) == 5


def test_lines_on_one_axes_differ_in_colour_and_in_dashes(ax):
    lines = [p.loss_curve(ax, [0, 1], [i, i + 1]) for i in range(3)]
    assert [line.get_color() for line in lines] == list(p.CYCLE[:3])
    assert len({line.get_linestyle() for line in lines}) == 3


def test_the_caller_may_choose_colour_and_dashes(ax):
    line = p.loss_curve(ax, [0, 1], [1, 0], c="black", ls="--")
    assert line.get_color() == "black" and line.get_linestyle() == "--"


def test_reliability_diagram_draws_filled_bins_and_one_diagonal(ax):
    table = u.reliability(MEAN, LABELS, bins=10)
    drawn = [p.reliability_diagram(ax, table, label=name) for name in ("one", "two")]
    filled = table.count > 0
    assert np.array_equal(drawn[0][0].get_xydata(), np.c_[table.confidence, table.accuracy][filled])
    assert drawn[0][0].get_color() == p.CYCLE[0] and drawn[1][0].get_color() == p.CYCLE[1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["perfectly calibrated", "one", "two"]


def test_reliability_bars_are_wilson_intervals(ax):
    table = u.Reliability(np.array([0.0, 1.0]), np.array([0.9]), np.array([0.8]), np.array([10]))
    (bar,) = p.reliability_diagram(ax, table)[2][0].get_segments()
    assert np.allclose(bar[:, 1], [0.4902, 0.9433], atol=1e-4)  # Wilson (1927) for 8 of 10


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_reliability_bars_exist_when_all_are_right_or_wrong(ax, share):
    table = u.Reliability(np.array([0.0, 1.0]), np.array([0.9]), np.array([share]), np.array([10]))
    (bar,) = p.reliability_diagram(ax, table)[2][0].get_segments()
    assert bar[:, 1].min() >= -1e-9 and bar[:, 1].max() <= 1 + 1e-9 and np.ptp(bar[:, 1]) > 0.2


def test_picture_is_dark_ink_on_white_without_ticks(ax):
    drawn = p.picture(ax, IMAGES[0])
    assert np.array_equal(drawn.get_array(), IMAGES[0]) and drawn.get_clim() == (0, 255)
    assert drawn.cmap(0.0)[:3] == (1, 1, 1) and len(ax.get_xticks()) == 0


def test_picture_of_floats_spans_zero_to_one(ax):
    assert p.picture(ax, IMAGES[0] / 255).get_clim() == (0, 1)


def test_class_bars_are_blue_for_the_true_and_vermillion_for_a_wrong_class(ax):
    bars = p.class_bars(ax, [0.1, 0.7, 0.2], true=2)
    assert [bar.get_height() for bar in bars] == [0.1, 0.7, 0.2]
    assert colours(bars) == [p.PALE, p.VERMILLION, p.BLUE]


def test_class_bars_are_all_grey_but_the_blue_one_when_the_prediction_is_right(ax):
    assert colours(p.class_bars(ax, [0.1, 0.7, 0.2], true=1)) == [p.PALE, p.BLUE, p.PALE]


def test_class_bars_without_a_true_class_judge_nothing(ax):
    assert colours(p.class_bars(ax, [0.1, 0.7, 0.2])) == [p.PALE, p.DARK, p.PALE]


def test_whiskers_span_nine_tenths_of_the_draws(ax):
    first = np.linspace(0, 1, 101)
    p.class_bars(ax, [0.5, 0.5], draws=np.stack([first, 1 - first], axis=1))
    whisker = ax.collections[0].get_segments()[0]
    assert np.allclose(whisker, [[0, 0.05], [0, 0.95]])


def test_gallery_shows_each_picture_with_its_bars_and_words(fig):
    cells = p.gallery(fig, IMAGES, MEAN, LABELS, draws=CUBE)
    assert len(cells) == 15 and len(fig.axes) == 30
    for i, (picture_ax, bars_ax) in enumerate(cells):
        assert np.array_equal(picture_ax.images[0].get_array(), IMAGES[i])
        assert np.allclose([bar.get_height() for bar in bars_ax.patches], MEAN[i])
        words = [t.get_text() for t in picture_ax.texts]
        assert words == ["label", str(LABELS[i]), "answer", str(MEAN[i].argmax())]


def test_gallery_places_its_cells_also_where_constrained_layout_is_the_default():
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        figure = Figure(figsize=(8, 6), dpi=100)
        FigureCanvasAgg(figure)
        p.gallery(figure, IMAGES, MEAN, LABELS, draws=CUBE)
        figure.canvas.draw()  # a warning is an error here


@pytest.mark.parametrize(("true", "colour"), [(0, p.BLUE), (1, p.VERMILLION)])
def test_the_predicted_digit_is_blue_when_right_and_vermillion_when_wrong(fig, true, colour):
    probability = np.array([[0.6, 0.4]])
    ((picture_ax, _),) = p.gallery(fig, IMAGES[:1], probability, [true], draws=probability[None])
    assert picture_ax.texts[-1].get_text() == "0" and picture_ax.texts[-1].get_color() == colour


def test_gallery_runs_row_by_row_from_the_top(fig):
    boxes = [
        picture_ax.get_position()
        for picture_ax, _ in p.gallery(fig, IMAGES[:7], MEAN[:7], LABELS[:7], draws=CUBE[:, :7])
    ]
    assert boxes[0].x0 < boxes[1].x0 < boxes[4].x0 and boxes[5].y1 < boxes[0].y0
    assert boxes[5].x0 == pytest.approx(boxes[0].x0)


@pytest.mark.parametrize("size", [(8, 6), (5 * p.CELL[0], 3 * p.CELL[1])])
def test_nothing_in_a_gallery_overlaps_or_leaves_the_figure(fig, size):
    fig.set_size_inches(size)
    cells = p.gallery(fig, IMAGES, MEAN, LABELS, draws=CUBE)
    boxes = [t.get_window_extent() for t in texts(fig)] + [a.get_window_extent() for a, _ in cells]
    # texts beside an axes touch it by design: compare with boxes that are half a pixel smaller
    boxes = [box.padded(-0.5) for box in boxes]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    bars = [b.get_window_extent() for _, b in cells]
    assert not [1 for bar in bars for a, _ in cells if bar.overlaps(a.get_window_extent())]
    width, height = fig.bbox.size
    assert all(0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height for box in boxes)


def test_probability_map_diverges_around_one_half(ax):
    values = np.linspace(0, 1, 12).reshape(3, 4)
    values = values * 0.8  # from 0 to 0.8: not symmetric, so that limits are not taken from the data
    mesh = p.probability_map(ax, range(4), range(3), values, kind="probability")
    assert np.array_equal(np.ravel(mesh.get_array()), values.ravel()) and mesh.get_clim() == (0, 1)
    assert min(mesh.cmap(0.5)[:3]) > 0.9  # white at ½
    assert len(ax.collections) == 2  # the line at ½


def test_uncertainty_map_is_white_at_zero_and_darkens_steadily(ax):
    mesh = p.probability_map(ax, range(4), range(3), np.arange(12.0).reshape(3, 4), kind="uncertainty")
    luminance = mesh.cmap(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert mesh.get_clim()[0] == 0 and luminance[0] == pytest.approx(1) and np.all(np.diff(luminance) < 0)


def test_a_map_that_never_crosses_one_half_has_no_line(ax):
    p.probability_map(ax, range(4), range(3), np.full((3, 4), 0.2), kind="probability")
    assert len(ax.collections) == 1


def test_scatter_classes_draws_each_point_in_its_class(ax):
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    first, second = p.scatter_classes(ax, points, [0, 1, 0])
    assert np.array_equal(first.get_offsets(), points[[0, 2]]) and np.array_equal(second.get_offsets(), points[[1]])
    assert [a.get_label() for a in (first, second)] == ["class 0", "class 1"]
    assert not np.array_equal(first.get_paths()[0].vertices, second.get_paths()[0].vertices)  # markers differ


DRAWN = {
    "loss_curve": lambda ax: p.loss_curve(ax, range(30), np.linspace(3, 1, 30), window=5, label="a"),
    "reliability_diagram": lambda ax: p.reliability_diagram(ax, u.reliability(MEAN, LABELS), label="a"),
    "picture": lambda ax: p.picture(ax, IMAGES[0]),
    "class_bars": lambda ax: p.class_bars(ax, MEAN[0], true=1, draws=CUBE[:, 0]),
    "gallery": lambda ax: p.gallery(ax.figure, IMAGES, MEAN, LABELS, draws=CUBE),
    "probability_map": lambda ax: p.probability_map(ax, range(4), range(3), np.eye(3, 4), kind="probability"),
    "scatter_classes": lambda ax: p.scatter_classes(ax, RNG.normal(size=(15, 2)), LABELS % 7),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_drawn_without_title_and_with_text_of_at_least_eight_points(fig, ax, name):
    DRAWN[name](ax)
    assert all(a.get_title() == "" for a in fig.axes)
    assert min((t.get_fontsize() for t in texts(fig)), default=8) >= 8


def test_colours_of_lines_are_told_apart_without_red_or_green_cones():
    """Viénot, Brettel and Mollon (1999): simulated dichromats still see every pair of the first four line colours."""
    from_rgb = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in p.CYCLE[:4]]) ** 2.2
    for lost in (
        np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    ):
        seen = np.clip(rgb @ (np.linalg.inv(from_rgb) @ lost @ from_rgb).T, 0, 1) ** (1 / 2.2)
        distance = [np.linalg.norm(a - b) for a, b in combinations(seen, 2)]
        assert min(distance) > 0.15


# Refusal -------------------------------------------------------------------------------------------

GRID = (range(4), range(3))
TABLE = u.reliability(MEAN, LABELS)

REFUSED = {
    "a figure for axes": (lambda ax: p.picture(ax.figure, IMAGES[0]), TypeError, "ax", "Figure"),
    "axes for a figure": (lambda ax: p.gallery(ax, IMAGES, MEAN, LABELS, draws=CUBE), TypeError, "fig", "Axes"),
    "steps without losses": (lambda ax: p.loss_curve(ax, [1, 2, 3], [1.0, 2.0]), ValueError, "loss", "(2,)"),
    "a loss that is NaN": (lambda ax: p.loss_curve(ax, [1, 2], [1.0, np.nan]), ValueError, "loss", "nan at index (1,)"),
    "a loss that is masked": (lambda ax: p.loss_curve(ax, [1, 2], np.ma.masked_equal([1, 2], 2)), ValueError, "loss", "1 masked of 2"),
    "no losses": (lambda ax: p.loss_curve(ax, [], []), ValueError, "steps", "shape (0,)"),
    "a window of zero": (lambda ax: p.loss_curve(ax, [1], [1.0], window=0), ValueError, "window", "0"),
    "a window too wide": (lambda ax: p.loss_curve(ax, [1], [1.0], window=2), ValueError, "window", "2"),
    "probabilities for a reliability": (lambda ax: p.reliability_diagram(ax, MEAN), TypeError, "reliability", "ndarray"),
    "a flat picture": (lambda ax: p.picture(ax, np.zeros(784)), ValueError, "image", "shape (784,)"),
    "floats up to 255": (lambda ax: p.picture(ax, IMAGES[0] * 1.0), ValueError, "image", "2.0 at index"),
    "pixels above 255": (lambda ax: p.picture(ax, IMAGE * 2), ValueError, "image", "256 at index"),
    "negative pixels": (lambda ax: p.picture(ax, -IMAGE), ValueError, "image", "-1"),
    "bars of a matrix": (lambda ax: p.class_bars(ax, MEAN), ValueError, "probability", "shape (15, 10)"),
    "bars that do not sum to 1": (lambda ax: p.class_bars(ax, [0.5, 0.4]), ValueError, "probability", "0.9"),
    "a true class too large": (lambda ax: p.class_bars(ax, [0.5, 0.5], true=2), ValueError, "true", "label 2"),
    "draws of other classes": (lambda ax: p.class_bars(ax, [0.5, 0.5], draws=CUBE[:, 0]), ValueError, "draws", "(12, 10)"),
    "pictures without probabilities": (lambda ax: p.gallery(ax.figure, IMAGES, MEAN[:3], LABELS, draws=CUBE), ValueError, "probability", "(3, 10)"),
    "a gallery of no pictures": (lambda ax: p.gallery(ax.figure, IMAGES[:0], MEAN[:0], LABELS[:0], draws=CUBE), ValueError, "images", "shape (0, 28, 28)"),
    "a gallery label too large": (lambda ax: p.gallery(ax.figure, IMAGES, MEAN, LABELS + 1, draws=CUBE), ValueError, "labels", "label 10 at index (9,)"),
    "gallery draws of other items": (lambda ax: p.gallery(ax.figure, IMAGES, MEAN, LABELS, draws=CUBE[:, :3]), ValueError, "draws", "(12, 3, 10)"),
    "a gallery that does not fit": (lambda ax: p.gallery(ax.figure, *(np.repeat(a, 2, 0) for a in (IMAGES, MEAN, LABELS)), draws=np.repeat(CUBE, 2, 1)), ValueError, "fig", "8.00 × 6.00"),
    "a map turned round": (lambda ax: p.probability_map(ax, *GRID, np.zeros((4, 3)), kind="probability"), ValueError, "values", "(4, 3)"),
    "a probability above 1": (lambda ax: p.probability_map(ax, *GRID, np.full((3, 4), 1.5), kind="probability"), ValueError, "values", "1.5"),
    "a negative uncertainty": (lambda ax: p.probability_map(ax, *GRID, np.full((3, 4), -1.0), kind="uncertainty"), ValueError, "values", "-1.0"),
    "an unknown kind of map": (lambda ax: p.probability_map(ax, *GRID, np.zeros((3, 4)), kind="entropy"), ValueError, "kind", "'entropy'"),
    "points in space": (lambda ax: p.scatter_classes(ax, np.zeros((5, 3)), [0] * 5), ValueError, "x", "(5, 3)"),
    "points of an eighth class": (lambda ax: p.scatter_classes(ax, np.zeros((1, 2)), [7]), ValueError, "y", "label 7"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(ax, case):
    call, error, quantity, received = REFUSED[case]
    refuses(lambda: call(ax), error, quantity, received)
    assert not ax.has_data()
