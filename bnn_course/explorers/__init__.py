"""Explorers: a drawing function of a lesson with controls on it, so that an idea can be moved.

One mechanism serves all: an `Explorer` is a drawing function and its controls. The rooms beside it hold the drawing
functions, one room for each subject: `posteriors` (lesson 01), `chains` (02), `bounds` and `independence` (03),
`transforms` (04), `functions` (05 and 06), `funnels` (06), `shrinkage` (07), `pruning` (08), `calibration` and `digits`
(09), `units` (10) and `trust` (11).

Without a live kernel (in a saved notebook, or on a page that shows one) an explorer is its first picture and the line
of numbers under it. Where scripts run, its main control moves there, too: `tools.frames` draws a picture for each place
of that control and puts them into the stored notebook.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import matplotlib
import traitlets
from IPython.display import display
from matplotlib.figure import Figure

from bnn_course._checks import one_of

FRONT_END = Path(__file__).with_name("front_end.js").read_text(encoding="utf-8")
DPI = 100  # pixels of a page to an inch


class Explorer(ipywidgets.VBox):
    """Controls above, the line of numbers and the picture that they give below; every move draws both again.

    Moves made while a picture is drawn are not queued up: the browser sends the last one when the picture is there.
    An error in the drawing function is shown in place of the line; the picture and the controls stay.

    The picture is an SVG, sharp on any screen.

    Parameters
    ----------
    draw : callable
        ``draw(figure, **values) -> str``: draws on an empty `matplotlib.figure.Figure` and returns the line of numbers.
    alt : str
        What the picture shows, for those who do not see it.
    size : (float, float)
        Width and height of the figure in inches.
    play : str, optional
        Name of a whole-number control that gets a play button.
    main : str, optional
        Name of the control that moves where there is no kernel, the others being at their start.
    **controls : ipywidgets widgets with a `value` and a `description`
        The argument of `draw` that each one moves. Formulas in descriptions stand between dollar signs.

    Raises
    ------
    ValueError
        If `main` is not a control that has a range or a list of values.
    Exception
        Whatever `draw` raises for the values at the start.
    """

    def __init__(self, draw, alt, /, *, size=(6, 3.4), play=None, main=None, **controls):
        self.draw, self.alt, self.size, self.controls = draw, alt, size, controls
        movable = [name for name, control in controls.items() if not isinstance(control, Pad)]
        self.main = one_of(main, "main", [None, *movable])
        self.start = {name: control.value for name, control in controls.items()}
        self.busy, self.played, self.halted = False, play, False
        svg, self.line = self.drawn()
        labels = [spoken(control.description) for control in controls.values()]
        self.picture = Picture(svg=svg, line=self.line, alt=alt, labels=labels, width=round(size[0] * DPI))
        for control in controls.values():
            control.observe(self.move, "value")
        reset = ipywidgets.Button(description="Reset", tooltip="All controls back to the start")
        reset.on_click(self.reset)
        self.player = _player(controls[play]) if play else None
        if self.player:
            self.player.observe(self.step, "value")
        rows = [_row(control, self.player if name == play else None) for name, control in controls.items()]
        panel = ipywidgets.HBox([*rows, reset], layout={"flex_flow": "row wrap"})
        super().__init__([panel, self.picture])
        self.add_class("bnn-explorer")

    @property
    def values(self) -> dict[str, Any]:
        """The values of the controls, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def drawn(self, kind: str = "svg", /, **values: Any) -> tuple[Any, str]:
        """Return the picture and the line of numbers for the values of the controls.

        Parameters
        ----------
        kind : {"svg", "png"}
            The picture is text, or bytes; the same values give the same.
        **values
            Of some controls, in place of those that they have now.
        """
        figure = Figure(figsize=self.size, dpi=DPI, layout="none")
        line = self.draw(figure, **(self.values | values))
        file = io.BytesIO()
        if kind == "png":
            figure.savefig(file, format="png")
            return file.getvalue(), line
        with matplotlib.rc_context({"svg.hashsalt": "bnn-course"}):
            # images inside are twice as fine, for sharp screens
            figure.savefig(file, format="svg", dpi=2 * DPI, metadata={"Date": None, "Creator": None})
        return file.getvalue().decode(), line

    def move(self, change: traitlets.Bunch | None = None) -> None:
        """Draw again; called when a control has moved.

        Parameters
        ----------
        change : traitlets.Bunch, optional
            What traitlets says of the move.
        """
        if self.busy:
            return
        if self.player:
            self.player.value = self.controls[self.played].value  # play goes on from here
        try:
            svg, self.line = self.drawn()
        except Exception as error:  # shown where the reader looks; a control must not die of it
            svg, self.line = self.picture.svg, f"Cannot draw this: {type(error).__name__}: {error}"
        with self.picture.hold_sync():
            self.picture.svg, self.picture.line = svg, self.line
            self.picture.count += 1

    def step(self, change: traitlets.Bunch) -> None:
        """Move the control by a step of the play button, but not by one that was on its way when Reset was pressed.

        Parameters
        ----------
        change : traitlets.Bunch
            What traitlets says of the button's value.
        """
        control, player = self.controls[self.played], change["owner"]
        self.halted = self.halted and not player.playing
        if self.halted and change["new"] != player.min:  # to there goes the button's own "stop"
            player.value = control.value
        else:
            control.value = change["new"]

    def reset(self, button: ipywidgets.Button | None = None) -> None:
        """Move all controls back to where they were at the start, and draw once.

        Parameters
        ----------
        button : ipywidgets.Button, optional
            The one that was pressed.
        """
        self.busy = self.halted = True
        try:
            for name, value in self.start.items():
                self.controls[name].value = value
            if self.player:
                self.player.playing, self.player.value = False, self.start[self.played]
        finally:
            self.busy = False
        self.move()

    def _ipython_display_(self):
        png, line = self.drawn("png")
        bundle = self._repr_mimebundle_() or {}
        bundle["text/plain"] = f"Explorer with the controls {', '.join(self.picture.labels)}"
        display(bundle | {"image/png": base64.b64encode(png).decode()}, raw=True)
        print(f"At the start: {line}")


class Picture(anywidget.AnyWidget):
    """The picture and the line of numbers, with what a screen reader says of them and of the controls."""

    _esm = FRONT_END
    kind = traitlets.Unicode("picture").tag(sync=True)
    svg = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)  # on the screen, in pixels of the page
    line = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)


class Pad(anywidget.AnyWidget):
    """A square of 28 × 28 cells to draw on with mouse, pen, finger or keys: a control whose `value` is the ink.

    Attributes
    ----------
    value : bytes, 784
        Grey values row by row, 0 (paper) … 255 (ink).
    description : str
    """

    _esm = FRONT_END
    kind = traitlets.Unicode("pad").tag(sync=True)
    ink = traitlets.Unicode().tag(sync=True)  # the value as text: the browser does not notice that bytes have changed
    value = traitlets.Bytes(bytes(784))
    description = traitlets.Unicode().tag(sync=True)

    @traitlets.default("ink")
    def _ink_of_start(self):
        return base64.b64encode(self.value).decode()

    @traitlets.observe("ink")
    def _ink_moved(self, change):
        self.value = base64.b64decode(change["new"])

    @traitlets.observe("value")
    def _value_moved(self, change):
        self.ink = base64.b64encode(change["new"]).decode()


def spoken(description: str) -> str:
    r"""Return a label as it is read aloud: "prior sd $\tau$" becomes "prior sd tau".

    Parameters
    ----------
    description : str
    """
    plain = re.sub(r"\\([A-Za-z]+)", r"\1", description.replace("$", ""))
    return re.sub(r"[{}\\_^]", " ", plain).replace("  ", " ").strip()


def number(value: float, digits: int = 2) -> str:
    """Write a number the same on every machine: ties are broken at the ninth digit, and zero has no sign.

    Parameters
    ----------
    value : float
    digits : int

    Returns
    -------
    str
    """
    return f"{round(round(float(value), 9), digits) + 0.0:.{digits}f}"


def scale(*values: float) -> list[tuple[str, float]]:
    """Return the options of a slider over a few numbers: each number with its text.

    Parameters
    ----------
    *values : float

    Returns
    -------
    list of (str, float)
    """
    return [(f"{value:g}", value) for value in values]


def _player(control):
    """A play button that moves a whole-number control."""
    span = {"min": control.min, "max": control.max, "step": control.step, "value": control.value}
    return ipywidgets.Play(interval=250, **span)


def _row(control, player):
    """One control of the panel, with its play button if it has one."""
    if not isinstance(control, Pad):
        control.style = {"description_width": "initial"}
        control.layout.width = "290px"
    row = ipywidgets.HBox([player, control] if player else [control], layout={"margin": "0 12px 0 0"})
    row.add_class("bnn-control")
    return row
