"""Figures as slides show them: vectors whose smallest letters are read from the last row.

The build loads this as an extension of IPython (`load_ipython_extension`). A figure is then displayed twice:
as the picture that readers see, and as an SVG with larger letters for the decks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import print_figure
from matplotlib.artist import Artist
from matplotlib.figure import FigureBase
from matplotlib.text import Text

SPACE = 1200, 520  # pixels that a slide of 1280 × 720 has for a figure below a title of two lines
LETTERS = 20.5  # pixels of the smallest letter, with a little room for what cropping takes away
LARGE = 300_000  # bytes above which what is drawn becomes a picture; the letters stay letters
DOTS = 200  # dots to the inch of such a picture, as many as readers of a lesson see


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give every displayed figure its SVG for the slides.

    For the class above `Figure`: whenever formats are chosen, IPython forgets what was set for `Figure` itself.
    """
    shell.display_formatter.formatters["image/svg+xml"].for_type(FigureBase, for_slides)


def for_slides(figure: FigureBase) -> str:
    """Return the SVG of a figure, its letters large enough; the figure itself stays as it was."""
    width, height = figure.get_size_inches() * 72
    points = LETTERS / min(SPACE[0] / width, SPACE[1] / height)
    with letters_of_at_least(points, figure):
        svg = print_figure(figure, "svg")
        if len(svg) <= LARGE:
            return svg
        with _as_picture(figure):
            return print_figure(figure, "svg", dpi=DOTS)


@contextmanager
def letters_of_at_least(points: float, figure: FigureBase) -> Iterator[None]:
    """Inside a ``with`` block no text of a figure is smaller than so many points."""
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    ticks = {axis: axis.get_ticklabels()[0].get_fontsize() for axis in axes if axis.get_ticklabels()}
    texts = {text: text.get_fontsize() for text in figure.findobj(Text)}
    for axis, size in ticks.items():
        axis.set_tick_params(labelsize=max(size, points))
    for text, size in texts.items():
        text.set_fontsize(max(size, points))
    yield
    for axis, size in ticks.items():
        axis.set_tick_params(labelsize=size)
    for text, size in texts.items():
        text.set_fontsize(size)


@contextmanager
def _as_picture(figure: FigureBase) -> Iterator[None]:
    drawn: list[Artist] = [
        artist for panel in figure.axes for artist in (*panel.collections, *panel.lines, *panel.patches)
    ]
    before = {artist: artist.get_rasterized() for artist in drawn}
    for artist in drawn:
        artist.set_rasterized(True)
    yield
    for artist, was in before.items():
        artist.set_rasterized(was)
