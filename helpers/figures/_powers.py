"""Tick labels of logarithmic axes, readable from the last row: an exponent is drawn at 0.7 of the size of its label."""

from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation

PLAIN = (1e-5, 1e5)  # between them ticks are written out: 0.0001 to 10,000
LARGE = 15.5  # points of a label with an exponent, so that the exponent has 11


class Plain(LogFormatterSciNotation):
    """Names the ticks that matplotlib would name, but as 0.01 and 1,000."""

    def __call__(self, x: float, pos: Any = None) -> str:
        return f"{x:,g}" if super().__call__(x, pos) else ""


def readable_powers(fig: Figure) -> None:
    """Writes the powers of ten of all log axes out where that is short, else larger; own formatters stay."""
    for axes in fig.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log" and type(axis.get_major_formatter()) is LogFormatterSciNotation:
                _rewrite(axis)


def _rewrite(axis: Axis) -> None:
    low, high = sorted(axis.get_view_interval())
    if low <= PLAIN[0] or high >= PLAIN[1]:
        axis.set_tick_params(which="major", labelsize=LARGE)
        return
    minor = axis.get_minor_formatter()
    axis.set_major_formatter(Plain())
    if type(minor) is LogFormatterSciNotation:
        axis.set_minor_formatter(Plain(labelOnlyBase=minor.labelOnlyBase))
