"""Sliders on a draw function, and its stills where nobody can move a slider."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from helpers import runtime
from helpers.figures._explorer import Choice, Range, stills, words
from helpers.figures._png import encode, pixels
from helpers.figures._powers import readable_powers


class Redraw:
    """Redraw(draw)(**setting) is the PNG of draw(**setting), quicker than a new figure.

    The panels stay where they were at an earlier setting whose labels took the same room: finding their places takes
    half of a matplotlib draw, and a picture under a moving slider should not jump.
    """

    def __init__(self, draw: Callable[..., Figure]):
        self.draw = draw
        self._places: dict[Any, tuple[list[Any], Any]] = {}

    def __call__(self, **setting: Any) -> bytes:
        fig: Any = self.draw(**setting)
        readable_powers(fig)
        room = _room(fig)
        if room in self._places:
            places, title = self._places[room]
            fig.set_layout_engine("none")
            for axes, place in zip(fig.axes, places, strict=True):
                axes.set_position(place, which="original")
            if title:
                fig._suptitle.set_position(title)
        sheet = pixels(fig)
        title = fig._suptitle.get_position() if fig.get_suptitle() else None
        self._places.setdefault(room, ([axes.get_position(original=True) for axes in fig.axes], title))
        return encode(sheet, quick=True)


def _room(fig: Figure) -> tuple[Any, ...]:
    """What the places of the panels depend on: how long the labels are."""

    def lines(text: str) -> int:
        return text.count("\n") + 1 if text else 0

    def longest(labels: list[Text]) -> int:
        return max((len(label.get_text()) for label in labels), default=0)

    def axis(axes: Axes) -> tuple[Any, ...]:
        around = (
            *(axes.get_title(place) for place in ("left", "center", "right")),
            axes.get_xlabel(),
            axes.get_ylabel(),
        )
        ticks = longest(axes.get_yticklabels()), longest(axes.get_xticklabels()) > 0
        return (*ticks, *map(lines, around), tuple(len(text.get_text()) for text in axes.texts))

    return lines(fig.get_suptitle()), *map(axis, fig.axes)


def explore(draw: Any) -> None:
    """Shows a draw function with its sliders; while the lecture is being built, its stills."""
    from IPython.display import Markdown, display

    if not runtime.building():
        display(panel(draw))
        return
    alt = "Figure with sliders, at: " + "; ".join(words(draw, setting) for setting in draw.stills)
    display({"image/png": stills(draw), "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)
    display(Markdown("*Stills of a figure with sliders: run the cell to move them.*"))


def panel(draw: Any) -> Any:
    """The widget: sliders, a reset button, the picture, and the words of an error if drawing fails."""
    import ipywidgets

    controls = {name: parameter.widget() for name, parameter in draw.parameters.items()}
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", align_self="flex-start"))
    problem, make = ipywidgets.HTML(), Redraw(draw)

    def redraw(_: Any = None) -> None:
        try:
            picture.value = make(**{name: _tidy(control.value) for name, control in controls.items()})
            problem.value = ""
        except Exception as error:
            text = html.escape(f"{type(error).__name__}: {error}")
            kept = " (The picture is of the setting before.)" if picture.value else ""
            problem.value = f'<b style="color:#D55E00">✗ {text}</b>{kept}'

    def reset(_: Any) -> None:
        for name, control in controls.items():
            control.unobserve(redraw, "value")
            control.value = draw.parameters[name].default
            control.observe(redraw, "value")
        redraw()

    for control in controls.values():
        if hasattr(control, "continuous_update"):
            control.continuous_update = not draw.on_release
        control.observe(redraw, "value")
    button = ipywidgets.Button(description="reset", icon="undo", layout=ipywidgets.Layout(width="90px"))
    button.on_click(reset)
    rows = [_labelled(draw.parameters[name], name, control) for name, control in controls.items()]
    flow = ipywidgets.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="2px 28px")
    redraw()
    return ipywidgets.VBox([ipywidgets.Box([*rows, button], layout=flow), picture, problem])


def _tidy(value: Any) -> Any:
    """A slider's 0.24000000000000021 is 0.24."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _labelled(parameter: Range | Choice, name: str, control: Any) -> Any:
    """A control with its name before it, and a play button where one is asked for."""
    import ipywidgets

    text = ipywidgets.Label(parameter.label or name)
    parts = [text, control]
    if isinstance(parameter, Range):
        control.layout.width = "250px"
        if parameter.play:
            play = ipywidgets.Play(
                min=parameter.low, max=parameter.high, step=parameter.step or 1, value=parameter.default, interval=300
            )
            ipywidgets.jslink((play, "value"), (control, "value"))
            parts.insert(1, play)
    elif isinstance(control, ipywidgets.ToggleButtons):
        control.style.button_width = "auto"
    return ipywidgets.HBox(parts, layout=ipywidgets.Layout(align_items="center"))
