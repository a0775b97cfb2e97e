"""The animation of `README.md`: a digit turns, and the network of lesson 09 says what it sees and doubts.

It is drawn from the posterior that ships with the course. The file remembers which one: `drawn_from`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from PIL import Image
from scipy.ndimage import rotate

from bnn_course import data, plots, uncertainty
from bnn_course.explorers import digits
from tools import NOTEBOOKS

PICTURE = NOTEBOOKS / "images" / "turning_digit.gif"
DIGIT = "6"
STEP = 5  # degrees between two frames
FIRST = 75  # degrees; what is seen where animations do not play
STOPS = (0, FIRST, 150)  # degrees at which the digit rests
FRAME_MS, REST_MS, TURNS = 80, 1_500, 3
SIZE, DPI = (8.3, 4.1), 160  # inches, and pixels an inch: shown at half that, it is sharp
COLOURS, NEARLY_WHITE = 64, 248
THUMBNAILS = range(0, 361, 45)
GUESSING = np.log(10)  # nats: the doubt of somebody who has not looked


class Turn(NamedTuple):
    """What the networks say of the digit at every angle.

    images (angle, 28, 28); draws (network, angle, class), class probabilities; doubt (angle,), total entropy in nats.
    """

    angles: np.ndarray
    images: np.ndarray
    draws: np.ndarray
    doubt: np.ndarray

    def answer(self, angle: int) -> tuple[int, float]:
        """Return the most probable class at an angle, and its probability."""
        mean = self.draws[:, self.place(angle)].mean(axis=0)
        return int(mean.argmax()), float(mean.max())

    def place(self, angle: int) -> int:
        """Return the index of an angle."""
        return int(np.flatnonzero(self.angles == angle)[0])


def turn(digit: str = DIGIT) -> Turn:
    """Turn a test digit once around and ask the networks of the explorer of lesson 09."""
    angles = np.arange(0, 361, STEP)
    image = data.load_mnist().test_images[digits.DIGITS[digit]]
    images = np.array([rotate(image, angle, reshape=False, order=1) for angle in angles])
    networks = digits.draw_networks(data.load_digit_posterior(), digits.DRAWS, np.random.default_rng(digits.SEED))
    draws = digits.probabilities(networks, images)
    return Turn(angles, images, draws, uncertainty.decompose_entropy(draws).total)


def verdict(probability: float) -> str:
    """Say a probability in words."""
    share = "over 99 %" if probability >= 0.995 else f"{100 * probability:.0f} %"
    return f"probability {share}"


# Drawing --------------------------------------------------------------------------------------------------------------


def draw(figure: Figure, turned: Turn, angle: int) -> None:
    """Draw one frame: the digit, the network's answer, and its doubt at all angles."""
    place = turned.place(angle)
    answer, probability = turned.answer(angle)
    _draw_digit(figure.add_axes([0.02, 0.52, 0.21, 0.4251]), turned.images[place])
    _draw_answer(figure.add_axes([0.52, 0.56, 0.46, 0.335]), turned.draws[:, place])
    _draw_doubt(figure.add_axes([0.08, 0.17, 0.9, 0.25]), turned, place)
    figure.text(0.25, 0.885, "The network says", fontsize=12, color=plots.DARK)
    figure.text(0.25, 0.67, str(answer), fontsize=46, color=plots.BLUE, fontweight="bold")
    figure.text(0.25, 0.55, verdict(probability), fontsize=12, color=plots.DARK)


def _draw_digit(ax, image):
    plots.picture(ax, image)
    ax.spines[:].set(visible=True, color=plots.GREY)


def _draw_answer(ax, draws):
    answer = draws.mean(axis=0).argmax()
    colours = [plots.BLUE if number == answer else plots.PALE for number in range(10)]
    plots.class_bars(ax, draws.mean(axis=0), draws=draws, color=colours)
    ax.tick_params(labelsize=11, pad=4)
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    title = f"Probability of each digit; lines: 90 % of {len(draws)} networks"
    ax.set_title(title, fontsize=10.5, color=plots.DARK, x=0.46, pad=13)


def _draw_doubt(ax, turned, place):
    angle = turned.angles[place]
    ax.axhline(GUESSING, color=plots.GREY, linewidth=1, linestyle="--")
    ax.text(180, GUESSING + 0.08, "pure guessing", fontsize=9.5, color=plots.DARK, ha="center", va="bottom")
    ax.fill_between(turned.angles, turned.doubt, color=plots.VERMILLION, alpha=0.18, linewidth=0)
    ax.plot(turned.angles, turned.doubt, color=plots.VERMILLION, linewidth=1.8)
    ax.plot([angle, angle], [0, turned.doubt[place]], color=plots.DARK, linewidth=1.2)
    ax.plot(angle, turned.doubt[place], "o", color=plots.DARK, markersize=8, zorder=3, clip_on=False)
    ax.set(xlim=(-12, 372), ylim=(0, 2.85), yticks=[0, 1, 2])
    ax.set_xticks(THUMBNAILS, [f"{tick}°" for tick in THUMBNAILS])
    ax.tick_params(labelsize=9.5, length=0)
    ax.tick_params(axis="x", pad=32)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylabel("doubt\n(entropy, nats)", fontsize=10)
    for tick in THUMBNAILS:
        small = OffsetImage(turned.images[turned.place(tick)], cmap="gray_r", zoom=0.9, interpolation="bilinear")
        box = AnnotationBbox(small, (tick, 0), (0, -18), boxcoords="offset points", frameon=False, pad=0)
        ax.add_artist(box)


def frame(turned: Turn, angle: int) -> Image.Image:
    """Return one frame as an image."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        draw(figure, turned, angle)
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


# The file -------------------------------------------------------------------------------------------------------------


def animation() -> bytes:
    """Return the animation, as the content of a GIF file; it begins, and ends, near the angle of greatest doubt."""
    turned = turn()
    order = [(FIRST + step) % 360 for step in range(0, 360, STEP)]
    frames = [frame(turned, angle) for angle in order]
    palette = _common_palette(frames)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in frames]
    file = io.BytesIO()
    flat[0].save(
        file,
        "gif",
        save_all=True,
        append_images=flat[1:],
        duration=[REST_MS if angle in STOPS else FRAME_MS for angle in order],
        loop=TURNS - 1,
        optimize=True,
        comment=f"posterior {_digest()}".encode(),
    )
    return file.getvalue()


def _common_palette(frames):
    """Return an image with the colours of all frames: with a palette of its own each frame would flicker."""
    some = frames[:: max(1, len(frames) // 8)]
    stacked = Image.fromarray(np.concatenate([np.asarray(image) for image in some]))
    palette = stacked.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[colours.min(axis=1) >= NEARLY_WHITE] = 255
    palette.putpalette(colours.ravel().tolist())
    return palette


def _digest():
    return hashlib.sha256((Path(data.__file__).parent / "datasets" / "digit_posterior.npz").read_bytes()).hexdigest()


def is_current(path: Path = PICTURE) -> bool:
    """Say whether the animation was drawn from the posterior that ships with the course."""
    if not path.exists():
        return False
    with Image.open(path) as picture:
        return picture.info.get("comment") == f"posterior {_digest()}".encode()
