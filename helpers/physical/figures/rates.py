"""Figures of Lecture 8: rates with their intervals, and curves over queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from helpers import physical
from helpers.figures import COLOUR, Picture, figure, from_any_device, label

Rate = tuple[float, float, float]  # the share, and the ends of its 95 % interval
OF = {  # the same colours in every figure of the lecture
    "no patch": "truth", "nothing": "truth", "clean": "truth", "grey": "muted", "random": "second", "black": "data",
    "60 steps": "attack", "600 steps": "attack", "patch": "attack",
    "sticker": "attack", "without EOT": "third", "with EOT": "attack", "unaware": "third", "as it is": "second",
    "adaptive": "attack",
    "plain": "third", "pairs": "model", "NES, plain": "third", "NES, pairs": "model", "square": "attack",
}  # fmt: skip


def _dots(axes: Axes, at: np.ndarray, found: Sequence[Rate], name: str) -> None:
    """Shares with their intervals, at these places of the vertical axis."""
    share, low, high = (np.array(part, dtype=float) for part in zip(*found, strict=True))
    colour = COLOUR[OF[name]]
    axes.hlines(at, low, high, color=colour, linewidth=5, alpha=0.35)
    axes.plot(share, at, "o", color=colour, markersize=9, label=name)


def dots(axes: Axes, found: Mapping[str, Rate]) -> None:
    """One share with its interval on each line."""
    for k, (name, rate) in enumerate(found.items()):
        _dots(axes, np.array([k]), [rate], name)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.5, -0.5)


def rates(table: Mapping[str, Mapping[str, Rate]], *, about: str, title: str) -> Picture:
    """table[row][kind] = (share, low, high): a line for each row, a dot with its interval for each kind."""
    kinds = list(dict.fromkeys(kind for row in table.values() for kind in row))
    fig, axes = figure(width=10, height=1.4 + 0.3 * sum(map(len, table.values())))
    tops = np.arange(len(table))
    for k, kind in enumerate(kinds):
        rows = [i for i, row in enumerate(table.values()) if kind in row]
        found = [row[kind] for row in table.values() if kind in row]
        _dots(axes, tops[rows] + 0.7 * ((k + 0.5) / len(kinds) - 0.5), found, kind)
    axes.set_yticks(tops, list(table))
    axes.set(xlim=(-0.02, 1.02), ylim=(len(table) - 0.5, -0.5), xlabel=about, title=title)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def alone(found: Mapping[str, Rate], *, about: str, title: str) -> Picture:
    """One share with its interval on each line."""
    fig, axes = figure(width=9, height=1.4 + 0.4 * len(found))
    dots(axes, found)
    axes.set(xlim=(-0.02, 1.02), xlabel=about, title=title)
    return fig


@from_any_device
def variances(ratio: Tensor, measured: Mapping[str, Tensor], d: int, n: int) -> Picture:
    """Expected squared error of both estimators, in |g|^2, over |f| / (sigma |g|): measured (dots), derived (lines)."""
    fig, axes = figure(width=9, height=4.2)
    grid = np.geomspace(0.07, 14, 100)
    for name, values in measured.items():
        how: dict[str, Any] = {"slope": 1.0, "d": d, "sigma": 1.0, "n": n, "antithetic": name == "pairs"}
        line = axes.loglog(grid, [physical.nes_variance(value=r, **how) for r in grid], color=COLOUR[OF[name]])[0]
        axes.plot(ratio, values, "o", color=COLOUR[OF[name]], markersize=8)
        label(line, name, at=0 if name == "pairs" else -1, offset=(0, 12) if name == "pairs" else (-6, 0))
    axes.axvline(physical.nes_crossover(slope=1.0, d=d, sigma=1.0), color=COLOUR["muted"], linestyle=":")
    axes.set(xlabel="|f| / (σ |g|)", ylabel="squared error / |g|²")
    axes.set_title("Near the boundary single queries win, far from it pairs do (dots: measured)")
    return fig


@from_any_device
def curves(
    queries: Tensor,
    found: Mapping[str, Tensor],
    *,
    ylabel: str,
    title: str,
    lines: Mapping[str, float] | None = None,
) -> Picture:
    """What each method has reached after so many queries (Q,), as steps; horizontal lines to compare with."""
    fig, axes = figure(width=9.5, height=4.2)
    for name, values in found.items():
        line = axes.step(queries, values, where="post", color=COLOUR[OF.get(name, "model")])[0]
        label(line, name)
    for name, height in (lines or {}).items():
        line = axes.plot((queries[0], queries[-1]), (height, height), ":", color=COLOUR["bound"])[0]
        label(line, name, at=0, offset=(4, -9))
    axes.set(xlabel="queries", ylabel=ylabel, title=title, xscale="log")
    return fig


def certified(widths: Sequence[int], proved: Sequence[float], held: Sequence[float], clean: float) -> Picture:
    """Over the width of the patch the share that is certified, and the share that an attack left right."""
    fig, axes = figure(width=9, height=4.0)
    axes.axhline(clean, color=COLOUR["truth"], linestyle=":")
    axes.annotate("right without a patch", (widths[-1], clean), xytext=(0, 6), textcoords="offset points",
                  ha="right", color=COLOUR["truth"])  # fmt: skip
    for values, colour, marker, name, up in (
        (held, "attack", "s", "left by the attack", 12),
        (proved, "bound", "o", "certified", -14),
    ):
        line = axes.plot(widths, values, marker, color=COLOUR[colour], markersize=9)[0]
        label(line, name, at=len(widths) // 2, offset=(8, up))
    axes.set(xlabel="columns of the patch", ylabel="share of digits", ylim=(-0.03, 1.05), xticks=list(widths))
    axes.set_title("No attack goes below the certificate")
    return fig


@from_any_device
def likeness(queries: Tensor, similarity: Tensor, line: float) -> Picture:
    """The second network's similarity to the person (N, T) over the queries (T,); the impostors' 99 %."""
    fig, axes = figure(width=9.5, height=4.0)
    for one in similarity:
        axes.plot(queries, one, color=COLOUR["muted"], linewidth=1)
    middle = axes.plot(queries, similarity.median(0).values, color=COLOUR["attack"], linewidth=3)[0]
    label(middle, "median")
    axes.axhline(line, color=COLOUR["bound"], linestyle=":")
    axes.annotate("99 % of impostors are below", (queries[-1], line), xytext=(0, -14), textcoords="offset points",
                  ha="right", color=COLOUR["bound"])  # fmt: skip
    axes.set(xlabel="queries to the first network", ylabel="similarity by the second")
    axes.set_title("The second network does not follow (grey: one line for each person)")
    return fig
