"""What the sliders of a pure draw function are, where the tests draw it, and its stills."""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from helpers.figures._png import encode, pixels

Draw = TypeVar("Draw", bound=Callable[..., Figure])
Setting = dict[str, Any]
WIDEST = 1250  # pixels of stills that still stand side by side


@dataclass(frozen=True)
class Range:
    """A slider from low to high; over the integers if all numbers are whole and log is False.

    log=True moves by factors; play=True adds a play button (integers only). Raises ValueError for values out of order.
    """

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
            return ipywidgets.FloatLogSlider(
                value=self.default, base=10, min=low, max=high, step=step, readout_format=".3g"
            )
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
            raise ValueError(
                f"explorer must declare the parameters of {draw.__name__}, {names}, got {list(parameters)}"
            )
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
    """Where the tests draw: all at default, all at minimum, all at maximum, each alone at its ends, and the stills."""
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


def stills(draw: Any) -> bytes:
    """The settings of .stills in one PNG, side by side when narrow, else below each other, each under its setting."""
    sheets = []
    for setting in draw.stills:
        fig = draw(**setting)
        title = fig.get_suptitle()
        lines = textwrap.wrap(words(draw, setting).replace(" = ", "\xa0=\xa0"), round(11 * fig.get_figwidth()))
        above = "\n".join([*lines, title] if title else lines)
        fig.suptitle(above, x=0.01, ha="left", fontsize=12, color="#606060")
        sheets.append(pixels(fig))
    beside = sum(sheet.shape[1] for sheet in sheets) <= WIDEST
    across = 0 if beside else 1  # the axis along which the sheets must be equally long
    longest = max(sheet.shape[across] for sheet in sheets)
    grown = [_padded(sheet, across, longest) for sheet in sheets]
    return encode(np.concatenate(grown, axis=1 - across))


def _padded(sheet: np.ndarray, axis: int, length: int) -> np.ndarray:
    margins = [(0, 0), (0, 0), (0, 0)]
    margins[axis] = (0, length - sheet.shape[axis])
    return np.pad(sheet, margins, constant_values=255)
