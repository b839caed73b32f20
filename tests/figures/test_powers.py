"""Powers of ten at log axes: written out where that is short, else large enough for their exponents."""

import matplotlib
import pytest
from matplotlib.axis import Axis

from helpers.figures import Redraw, figure
from helpers.figures._png import pixels
from helpers.figures._powers import LARGE


def labels(axis: Axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels() if text.get_text()]


def test_short_powers_are_written_out() -> None:
    fig, axes = figure()
    axes.loglog([1, 10_000], [0.0001, 10])
    pixels(fig)
    assert {"1", "100", "10,000"} <= set(labels(axes.xaxis)) and {"0.0001", "1"} <= set(labels(axes.yaxis))


def test_within_a_decade_the_digits_between_are_named_too() -> None:
    fig, axes = figure()
    axes.semilogy([0, 1], [0.03, 0.2])
    pixels(fig)
    minor = [text.get_text() for text in axes.yaxis.get_minorticklabels()]
    assert "0.04" in minor and "0.1" in labels(axes.yaxis)


@pytest.mark.parametrize("ends", [(1e-8, 1), (1, 1e6), (1, 1e-8)])
def test_long_powers_keep_an_exponent_of_eleven_points(ends: tuple[float, float]) -> None:
    fig, axes = figure()
    axes.semilogx(ends, [0, 1])
    axes.set_xlim(*ends)
    pixels(fig)
    tick = axes.xaxis.get_ticklabels()[0]
    assert tick.get_fontsize() == LARGE and 0.7 * LARGE > 10.8 and "10^{" in "".join(labels(axes.xaxis))
    assert axes.yaxis.get_ticklabels()[0].get_fontsize() == matplotlib.rcParams["ytick.labelsize"]


def test_own_labels_and_linear_axes_stay() -> None:
    fig, axes = figure()
    axes.semilogx([1, 40], [0, 1])
    axes.set_xticks([1, 40], ["one", "forty"])
    axes.yaxis.set_major_formatter("{x:.0f}°")
    pixels(fig)
    assert {"one", "forty"} <= set(labels(axes.xaxis)) and all(name.endswith("°") for name in labels(axes.yaxis))


def test_a_slider_shows_what_the_still_shows() -> None:
    def draw(top: float):
        fig, axes = figure()
        axes.semilogy([0, 1], [1, top])
        axes.set_title("x")
        return fig

    redraw = Redraw(draw)
    for top in (100.0, 1e9, 100.0):
        assert len(redraw(top=top)) > 1000
