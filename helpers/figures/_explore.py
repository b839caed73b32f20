"""Sliders on a pure draw function, and stills of it where nobody can move a slider."""

from __future__ import annotations

import html
import inspect
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from helpers import runtime

Draw = TypeVar("Draw", bound=Callable[..., Figure])
Setting = dict[str, Any]


@dataclass(frozen=True)
class Range:
    """A slider from low to high. All whole numbers and no log: integers. log=True: steps by factors. play adds a button."""

    low: float
    high: float
    default: float
    step: float | None = None
    log: bool = False
    label: str = ""
    play: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high or not self.low < self.high:
            raise ValueError(f"need low <= default <= high and low < high, got {self.low}, {self.default}, {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be positive on a log scale, got {self.low}")
        if self.play and not self.whole:
            raise ValueError("play needs whole numbers: low, high, default and step of type int")

    @property
    def whole(self) -> bool:
        """Whether the values are integers."""
        return not self.log and all(isinstance(v, int) for v in (self.low, self.high, self.default, self.step or 1))

    @property
    def values(self) -> tuple[float, ...]:
        """The values that the tests draw: low, high."""
        return self.low, self.high

    def widget(self) -> Any:
        """The slider."""
        import ipywidgets

        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            step = self.step or (high - low) / 100
            return ipywidgets.FloatLogSlider(value=self.default, base=10, min=low, max=high, step=step, readout_format=".3g")
        if self.whole:
            return ipywidgets.IntSlider(value=self.default, min=self.low, max=self.high, step=self.step or 1)
        step = self.step or (self.high - self.low) / 100
        return ipywidgets.FloatSlider(value=self.default, min=self.low, max=self.high, step=step, readout_format=".3g")


@dataclass(frozen=True)
class Choice:
    """One of a few options: buttons when they are short, else a list."""

    options: Sequence[Any]
    default: Any
    label: str = ""

    def __post_init__(self) -> None:
        if self.default not in self.options:
            raise ValueError(f"default must be one of {tuple(self.options)}, got {self.default!r}")

    @property
    def values(self) -> tuple[Any, ...]:
        """The values that the tests draw: all of them."""
        return tuple(self.options)

    def widget(self) -> Any:
        """The buttons or the list."""
        import ipywidgets

        options = [(str(option), option) for option in self.options]
        short = sum(len(text) + 4 for text, _ in options) <= 48
        kind = ipywidgets.ToggleButtons if short else ipywidgets.Dropdown
        return kind(options=options, value=self.default)


def explorer(
    *, stills: Sequence[Setting] = (), on_release: bool = False, **parameters: Range | Choice
) -> Callable[[Draw], Draw]:
    """Declares the sliders of a pure draw function: `@explorer(eta=Range(0.1, 2, 0.5), stills=({"eta": 0.1}, ...))`.

    stills are the settings shown where nobody can move a slider (what they leave out is at its default); on_release
    waits for the slider to be let go, for a draw that takes longer. Attaches .parameters, .stills and .on_release.
    Raises ValueError unless the parameters are those of the function.
    """

    def declare(draw: Draw) -> Draw:
        names = list(inspect.signature(draw).parameters)
        if names != list(parameters):
            raise ValueError(f"explorer must declare the parameters of {draw.__name__}, {names}, got {list(parameters)}")
        for still in stills:
            if not set(still) <= set(names):
                raise ValueError(f"stills of {draw.__name__} may set {names}, got {list(still)}")
        attached: Any = draw
        attached.parameters, attached.on_release = dict(parameters), on_release
        attached.stills = tuple({**_defaults(draw), **still} for still in stills) or (_defaults(draw),)
        return draw

    return declare


def _defaults(draw: Any) -> Setting:
    return {name: parameter.default for name, parameter in draw.parameters.items()}


def settings(draw: Any) -> list[Setting]:
    """Where the tests draw: all at their defaults, all at their minimum, all at their maximum, each alone at its ends."""
    default, found = _defaults(draw), []
    for pick in (0, -1):
        found.append({name: parameter.values[pick] for name, parameter in draw.parameters.items()})
    found += [{**default, name: value} for name, parameter in draw.parameters.items() for value in parameter.values]
    unique: list[Setting] = []
    for setting in [default, *found, *draw.stills]:
        if setting not in unique:
            unique.append(setting)
    return unique


def words(draw: Any, setting: Setting) -> str:
    """A setting in words: 'step size = 0.1, method = heavy ball'."""
    shown = {name: f"{v:.3g}" if isinstance(v, float) else str(v) for name, v in setting.items()}
    return ", ".join(f"{draw.parameters[name].label or name} = {value}" for name, value in shown.items())


def png(fig: Figure) -> bytes:
    """A figure as PNG, the same bytes for the same content."""
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=fig.dpi, metadata={"Software": None})
    return out.getvalue()


def stills(draw: Any) -> bytes:
    """The settings of .stills in one PNG, side by side when narrow, else below each other, each under its setting."""
    from PIL import Image

    sheets = []
    for setting in draw.stills:
        fig = draw(**setting)
        title = fig.get_suptitle()
        fig.suptitle(words(draw, setting) + (f"\n{title}" if title else ""), x=0.01, ha="left", fontsize=12, color="#606060")
        fig.canvas.draw()
        sheets.append(np.asarray(fig.canvas.buffer_rgba())[..., :3])
    beside = sum(sheet.shape[1] for sheet in sheets) <= 1250
    size = [max(sheet.shape[axis] for sheet in sheets) for axis in (0, 1)]
    padded = [_padded(sheet, sheet.shape[1] if not beside else sheet.shape[1], size[0] if beside else sheet.shape[0], size[1], beside) for sheet in sheets]
    out = io.BytesIO()
    Image.fromarray(np.concatenate(padded, axis=1 if beside else 0)).save(out, format="png", optimize=True)
    return out.getvalue()


def _padded(sheet: np.ndarray, width: int, height: int, widest: int, beside: bool) -> np.ndarray:
    more = (height - sheet.shape[0], 0 if beside else widest - sheet.shape[1])
    return np.pad(sheet, ((0, more[0]), (0, more[1]), (0, 0)), constant_values=255)


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
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", object_fit="contain"))
    problem = ipywidgets.HTML()

    def redraw(_: Any = None) -> None:
        try:
            fig = draw(**{name: control.value for name, control in controls.items()})
            picture.value, problem.value, picture.layout.opacity = png(fig), "", "1"
        except Exception as error:
            text = html.escape(f"{type(error).__name__}: {error}")
            problem.value, picture.layout.opacity = f'<b style="color:#D55E00">✗ {text}</b>', "0.35"

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


def _labelled(parameter: Range | Choice, name: str, control: Any) -> Any:
    """A control with its name before it, and a play button where one is asked for."""
    import ipywidgets

    text = ipywidgets.Label(parameter.label or name)
    parts = [text, control]
    if isinstance(parameter, Range):
        control.layout.width = "250px"
        if parameter.play:
            play = ipywidgets.Play(min=parameter.low, max=parameter.high, step=parameter.step or 1, value=parameter.default, interval=300)
            ipywidgets.jslink((play, "value"), (control, "value"))
            parts.insert(1, play)
    elif isinstance(control, ipywidgets.ToggleButtons):
        control.style.button_width = "auto"
    return ipywidgets.HBox(parts, layout=ipywidgets.Layout(align_items="center"))
