"""Digits, clothes and tables that ship with the course, letters drawn on the spot, points in the plane.

Pictures are uint8 arrays (picture, 28, 28), bright on dark, 0 = background; their labels are uint8 arrays (picture,),
as `pm.Minibatch` wants them: convert them before you calculate. Scaling pixels to [0, 1] is the lesson's job. Nothing
is downloaded; files are verified by checksum on every load. Lesson 09 uses the digits, and shows clothes and letters to
a network that has never seen them.
"""

from __future__ import annotations

import hashlib
import io
import string
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike, NDArray

from bnn_course._checks import Array, as_array, generator, one_of, positive_integer, real_number

Points = tuple[NDArray[np.float64], NDArray[np.int64]]

FOLDER = Path(__file__).parent / "datasets"
LESSONS = Path(__file__).parents[1] / "notebooks"
SIDE = 28  # pixels of a picture
BOX = 20  # pixels of the longer side of a digit or letter inside it


class Mnist(NamedTuple):
    """Handwritten digits 0…9: images (60 000 or 10 000, 28, 28) uint8 and labels (60 000 or 10 000,) uint8."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


class Fashion(NamedTuple):
    """Clothes: images (2 000, 28, 28) uint8, labels (2 000,) uint8, and the name of each label 0…9."""

    images: Array
    labels: Array
    names: tuple[str, ...]


class DigitPosterior(NamedTuple):
    """Lesson 09's fit: mean and standard deviation of every weight of its network, by name (w1, b1, …), float32."""

    mean: dict[str, Array]
    sd: dict[str, Array]


class Letters(NamedTuple):
    """Letters: images (picture, 28, 28) uint8, the letter (picture,) and the style (picture,) of each, as text."""

    images: Array
    names: Array
    styles: Array


# Files that ship with the course --------------------------------------------------------------------------------------


def load_mnist() -> Mnist:
    """Load all 70 000 handwritten digits of MNIST in their original order.

    Returns
    -------
    Mnist
        train_images (60 000, 28, 28), train_labels (60 000,), test_images (10 000, 28, 28), test_labels (10 000,);
        uint8, pixels 0…255, labels 0…9.

    Raises
    ------
    FileNotFoundError
        If mnist.npz or SHA256SUMS is missing.
    ValueError
        If the file is not the one that SHA256SUMS describes.

    Notes
    -----
    Y. LeCun, C. Cortes, C. J. C. Burges, licence CC BY-SA 3.0. Lesson 09 shows the pictures.
    """
    return Mnist(**_load_arrays("mnist.npz"))


def load_fashion_mnist() -> Fashion:
    """Load the first 2 000 test pictures of Fashion-MNIST in their original order.

    Returns
    -------
    Fashion
        images (2 000, 28, 28) uint8, pixels 0…255; labels (2 000,) uint8, 0…9; names of the ten labels.

    Raises
    ------
    FileNotFoundError
        If fashion_mnist.npz or SHA256SUMS is missing.
    ValueError
        If the file is not the one that SHA256SUMS describes.

    Notes
    -----
    H. Xiao, K. Rasul, R. Vollgraf (2017), arXiv:1708.07747, licence MIT. Lesson 09 shows the pictures.
    """
    return Fashion(**_load_arrays("fashion_mnist.npz"), names=_FASHION_NAMES)


_FASHION_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
)  # fmt: skip


def load_digit_posterior() -> DigitPosterior:
    """Load the posterior of lesson 09's network for digits, as `inference.advi` found it there.

    Returns
    -------
    DigitPosterior
        mean and sd, each a dictionary of float32 arrays: w1 (784, 128), b1 (128,), w2 (128, 128), b2 (128,),
        w3 (128, 10), b3 (10,).

    Raises
    ------
    FileNotFoundError
        If digit_posterior.npz or SHA256SUMS is missing.
    ValueError
        If the file is not the one that SHA256SUMS describes.

    Notes
    -----
    The file holds half precision; what that changes is in the README.md beside it. Its explorers use it in lesson 09.
    """
    return digit_posterior_from(_load_arrays("digit_posterior.npz"))


def digit_posterior_from(arrays: dict[str, Array]) -> DigitPosterior:
    """Return the posterior that stored arrays describe.

    Parameters
    ----------
    arrays : dict of str to array of float16
        ``mean_w1, …, sd_w1, …``, as in digit_posterior.npz.

    Returns
    -------
    DigitPosterior
    """
    parts = {
        part: {name.partition("_")[2]: a.astype(np.float32) for name, a in arrays.items() if name.startswith(part)}
        for part in ("mean", "sd")
    }
    return DigitPosterior(**parts)


TABLES = ("motorcycle", "airquality", "penguins")


def load_table(name: str) -> pd.DataFrame:
    """Load a small real table as it was recorded; what was not measured is missing.

    Parameters
    ----------
    name : {"motorcycle", "airquality", "penguins"}

    Returns
    -------
    pandas.DataFrame
        One row per reading, day or penguin; the names of the columns say the units.

    Raises
    ------
    FileNotFoundError
        If the table or SHA256SUMS is missing.
    ValueError
        If there is no such table, or the file is not the one that SHA256SUMS describes.

    Notes
    -----
    Sources and licences are in the README.md beside the files. Lesson 12 uses all three.
    """
    return pd.read_csv(io.BytesIO(_verified_bytes(f"{one_of(name, 'name', TABLES)}.csv")))


def course_file(name: str) -> Path:
    """Find a file that lies beside the lessons, such as a record, whatever folder a notebook was opened from.

    Parameters
    ----------
    name : str
        Path in the folder ``notebooks`` of the course: ``"records/mnist_contest.csv"``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileNotFoundError
        If the course has no such file, or the package was installed without the course.
    """
    path = LESSONS / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} must lie in the folder notebooks of the course, got no file at {path}: get the whole course by "
            "`git clone` and set it up as its README.md says, or restore the file with `git restore notebooks`"
        )
    return path


def _load_arrays(name: str) -> dict[str, Array]:
    """Return the arrays of a shipped file by name, after comparing its bytes with SHA256SUMS."""
    with np.load(io.BytesIO(_verified_bytes(name)), allow_pickle=False) as stored:
        return {key: _aligned(stored[key]) for key in stored.files}


def _aligned(array: Array) -> Array:
    """Return a copy that begins at a multiple of 64 bytes: JAX reads it in place, pictures are in memory once."""
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _verified_bytes(name: str) -> bytes:
    """Return the content of a shipped file whose SHA-256 is the one that SHA256SUMS records."""
    lines = _read("SHA256SUMS", f"lie beside {name}").decode("ascii", errors="replace").splitlines()
    recorded = {file: checksum for checksum, _, file in (line.partition("  ") for line in lines)}
    if name not in recorded:
        raise ValueError(f"SHA256SUMS must have a line for {name}, got {len(lines)} others: {_remedy('SHA256SUMS')}")
    wanted = f"have SHA-256 {recorded[name]}"
    content = _read(name, wanted)
    found = hashlib.sha256(content).hexdigest()
    if found != recorded[name]:
        size = f"{len(content):,} bytes at {FOLDER / name}"
        raise ValueError(f"{name} must {wanted}, got {found} ({size}): {_remedy(name)}")
    return content


def _read(name: str, wanted: str) -> bytes:
    try:
        return (FOLDER / name).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{name} must {wanted}, got no file at {FOLDER / name}: {_remedy(name)}") from None


def _remedy(name: str) -> str:
    script = "studies/digit_posterior.py" if "posterior" in name else "bnn_course/datasets/build_datasets.py"
    script = "bnn_course/datasets/build_tables.py" if name.endswith(".csv") else script
    return (
        f"restore it with `git checkout -- bnn_course/datasets/{name}` in a clone, or reinstall the package, "
        f"or rebuild it with {script}"
    )


# Points in the plane --------------------------------------------------------------------------------------------------


def make_moons(n: int, *, noise: float, rng: np.random.Generator) -> Points:
    """Draw two interleaving half circles of radius 1, the classic small classification task, in random order.

    Parameters
    ----------
    n : int
        Number of points, at least 2; class 0 (upper moon) gets n // 2, class 1 (lower moon) the rest.
    noise : float
        Standard deviation of the Normal noise on both coordinates, ≥ 0, in units of the radius.
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of float64, shape (n, 2)
    y : ndarray of int64, shape (n,)
        0 or 1.

    Notes
    -----
    Without noise the points are those of `sklearn.datasets.make_moons`. Lesson 00 shows them.
    """
    upper, lower = (np.linspace(0, np.pi, size) for size in _class_sizes(n, "moon"))
    upper_moon = np.column_stack([np.cos(upper), np.sin(upper)])
    lower_moon = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
    return _noisy_in_random_order([upper_moon, lower_moon], noise, rng)


def make_circles(n: int, *, noise: float, rng: np.random.Generator) -> Points:
    """Draw two concentric circles of radius 1 and ½, in random order.

    Parameters
    ----------
    n : int
        Number of points, at least 2; class 0 (outer circle) gets n // 2, class 1 (inner circle) the rest.
    noise : float
        Standard deviation of the Normal noise on both coordinates, ≥ 0, in units of the outer radius.
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of float64, shape (n, 2)
    y : ndarray of int64, shape (n,)
        0 or 1.

    Notes
    -----
    Without noise the points are those of `sklearn.datasets.make_circles`. Lesson 06 shows them.
    """
    sizes = _class_sizes(n, "circle")
    angles = [np.linspace(0, 2 * np.pi, size, endpoint=False) for size in sizes]
    circles = [r * np.column_stack([np.cos(a), np.sin(a)]) for r, a in zip((1, 0.5), angles, strict=True)]
    return _noisy_in_random_order(circles, noise, rng)


def make_spirals(n: int, *, noise: float, rng: np.random.Generator) -> Points:
    """Draw two Archimedean spirals of one full turn, one the other turned by half a turn, in random order.

    Parameters
    ----------
    n : int
        Number of points, at least 2; class 0 gets n // 2, class 1 the rest.
    noise : float
        Standard deviation of the Normal noise on both coordinates, ≥ 0, in units of the largest radius.
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of float64, shape (n, 2)
    y : ndarray of int64, shape (n,)
        0 or 1.

    Notes
    -----
    The radius grows in proportion to the angle up to 1. Points lie at equal steps of its square, so that their density
    does not fall outwards. Lesson 06 shows them.
    """
    radii = [np.sqrt(np.linspace(0.01, 1, size)) for size in _class_sizes(n, "spiral")]
    arms = []
    for start, r in zip((0, np.pi), radii, strict=True):
        angle = 2 * np.pi * r + start
        arms.append(r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    return _noisy_in_random_order(arms, noise, rng)


def make_rotated_moons(angles: ArrayLike, n: int, *, noise: float, rng: np.random.Generator) -> Points:
    """Draw one set of moons a task, each turned about the middle of the moons: related tasks, none the same.

    Parameters
    ----------
    angles : array_like, shape (task,)
        Turn of each task in radians, counter-clockwise.
    n : int
        Points a task, at least 2.
    noise : float
        As in `make_moons`.
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of float64, shape (task, n, 2)
        Moved so that the middle of the moons is the origin.
    y : ndarray of int64, shape (task, n)
        0 or 1.

    Notes
    -----
    Lesson 07 shows them.
    """
    angles = as_array(angles, "angles", ndim=1)
    tasks = [make_moons(n, noise=noise, rng=rng) for _ in angles]
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)  # row vector @ turn
    middle = np.array([0.5, 0.25])
    x = np.einsum("tni,tij->tnj", np.stack([x for x, _ in tasks]) - middle, turn)
    return x, np.stack([y for _, y in tasks])


def _class_sizes(n: int, shape: str) -> tuple[int, int]:
    n = positive_integer(n, "n")
    if n < 2:
        raise ValueError(f"n must be ≥ 2, got {n}: each {shape} needs a point")
    return n // 2, n - n // 2


def _noisy_in_random_order(shapes: list[Array], noise: float, rng: np.random.Generator) -> Points:
    """Stack the points of class 0, 1, …, shuffle them and move each by Normal noise."""
    noise = real_number(noise, "noise", low=0)
    rng = generator(rng)
    x = np.concatenate(shapes)
    y = np.repeat(np.arange(len(shapes), dtype=np.int64), [len(points) for points in shapes])
    order = rng.permutation(len(x))
    return x[order] + rng.normal(0, noise, x.shape), y[order]


# Letters --------------------------------------------------------------------------------------------------------------

STYLES = {
    "sans": "DejaVuSans.ttf",
    "sans italic": "DejaVuSans-Oblique.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif italic": "DejaVuSerif-Italic.ttf",
    "mono": "DejaVuSansMono.ttf",
    "mono italic": "DejaVuSansMono-Oblique.ttf",
}
LOOK_ALIKES = {0: "DOQo", 1: "IJijl", 2: "Zz", 4: "AYy", 5: "Ss", 6: "Gb", 7: "T", 8: "B", 9: "gq"}


def letters_set() -> Letters:
    """Draw every letter that does not look like a digit, once in each style.

    Returns
    -------
    Letters
        images (picture, 28, 28) uint8; names (picture,), e.g. "K"; styles (picture,), e.g. "serif italic".

    Notes
    -----
    Which of the 52 letters are left out follows from two rules about shapes, never from the answer of a classifier,
    which would decide in advance how well letters are detected:

    1. A letter is left out when its printed or handwritten form, upright and not mirrored, is also a form of a digit
       (`LOOK_ALIKES`): D O Q o (0), I J i j l (1), Z z (2), A Y y (4), S s (5), G b (6), T (7), B (8), g q (9).
    2. A small letter is left out when it is only a smaller copy of its capital, since pictures are scaled to one size:
       of those that rule 1 leaves, c v w x.

    This leaves C E F H K L M N P R U V W X a d e f h k m n p r t u. Lesson 09 shows them.
    """
    left_out = {*"".join(LOOK_ALIKES.values()), *"cvwx"}
    kept = [letter for letter in string.ascii_uppercase + string.ascii_lowercase if letter not in left_out]
    return Letters(
        np.concatenate([render_letters(kept, style=style) for style in STYLES]),
        np.array(kept * len(STYLES)),
        np.repeat(list(STYLES), len(kept)),
    )


def render_letters(letters: str | Sequence[str], *, style: str) -> NDArray[np.uint8]:
    """Draw letters the way MNIST presents digits: 20 pixels tall or wide, centred by centre of mass in 28 by 28.

    Outlines come from the DejaVu fonts that matplotlib ships, upright and slanted but not bold: their strokes are about
    as wide as those of digits. The same letter gives the same picture on every call; between versions of matplotlib a
    few pixels of slanted letters differ by 1 or 2 of 255.

    Parameters
    ----------
    letters : str or sequence of str
        Letters A…Z, a…z, one picture each.
    style : {"sans", "sans italic", "serif", "serif italic", "mono", "mono italic"}

    Returns
    -------
    ndarray of uint8, shape (letter, 28, 28)
        Anti-aliased, bright on dark.
    """
    letters = list(letters)
    if not letters or not set(letters) <= set(string.ascii_letters):
        raise ValueError(f"letters must be one or more of A…Z, a…z, got {letters}: drop or replace what is not")
    font_file = Path(matplotlib.get_data_path(), "fonts", "ttf", STYLES[one_of(style, "style", list(STYLES))])
    font = FontProperties(fname=font_file)
    return np.stack([_render_outline(TextPath((0, 0), letter, size=100, prop=font)) for letter in letters])


def _render_outline(outline: TextPath) -> Array:
    """Draw an outline with its box in the middle, then move it by whole pixels as MNIST does."""
    box = outline.get_extents()
    fit = Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).scale(BOX / max(box.width, box.height))
    image = _fill(outline, fit.translate(SIDE / 2, SIDE / 2))
    centre = [np.average(indices, weights=image) for indices in np.indices(image.shape)]
    # A symmetric letter lies half-way between two moves: 0.49, so that rounding errors do not choose between them.
    down, right = (int(np.floor(SIDE / 2 - where + 0.49)) for where in centre)
    return np.roll(image, (down, right), axis=(0, 1))


def _fill(outline: TextPath, transform: Affine2D) -> Array:
    """Fill an outline (y upwards) on a dark square; a pixel is the share of its area that is covered, 0…255."""
    renderer = RendererAgg(SIDE, SIDE, dpi=72)
    brush = renderer.new_gc()
    brush.set_linewidth(0)
    brush.set_snap(False)
    renderer.draw_path(brush, outline, transform, (1.0, 1.0, 1.0))
    return np.asarray(renderer.buffer_rgba())[..., 3].copy()
