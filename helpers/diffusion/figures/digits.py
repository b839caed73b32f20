"""Figures of Lecture 6 on digits, in [-1, 1], and the slider that goes through stored ones."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from helpers.diffusion import measured, paths, spaced
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, from_any_device, label, pictures

BLACK_TO_WHITE = (-1.0, 1.0)
Rows = Mapping[str, Mapping[str, Any]]


@from_any_device
def strips(frames: Tensor, titles: Sequence[str], *, reach: float = 1.0) -> Picture:
    """Rows of pictures (rows, columns, 1, 28, 28), a title above each column; black and white are at -+reach."""
    rows, columns = frames.shape[:2]
    fig, panel = figure(width=1.15 * columns + 0.3, height=1.22 * rows + 0.5)
    pictures(panel, frames.flatten(0, 1), columns=columns, limits=(-reach, reach))
    for k, title in enumerate(titles):
        panel.annotate(title, ((k + 0.5) / columns, 1), xycoords="axes fraction", ha="center", va="bottom")
    return fig


@from_any_device
def sheets(drawn: Mapping[float, Tensor]) -> Picture:
    """A sheet of digits (N, 1, 28, 28), ten a row, for each guidance."""
    fig, panels = figure(1, len(drawn), width=4.2 * len(drawn), height=2.3, squeeze=False)
    for panel, (gamma, x) in zip(panels[0], drawn.items(), strict=True):
        pictures(panel, x, columns=10, limits=BLACK_TO_WHITE)
        panel.set_title(rf"$\gamma={gamma:.0f}$")
    return fig


@from_any_device
def label_helps(times: Sequence[int], loss: Tensor) -> Picture:
    """The noise loss over t, loss (times, with and without label, pictures); what the label takes off, in percent."""
    fig, (left, right) = figure(1, 2, width=12, height=4.0)
    left.loglog(times, loss[:, 0].mean(1), "o", color=COLOUR["model"], markersize=7)
    left.set(xlabel="t", ylabel="noise loss per pixel", title="Little noise is hard to tell, much is easy")
    plain = loss[:, 1].mean(1)
    gain = 100 * (loss[:, 1] - loss[:, 0]).mean(1) / plain
    error = 100 * (loss[:, 1] - loss[:, 0]).std(1) / loss.shape[2] ** 0.5 / plain
    right.errorbar(times, gain, 1.96 * error, fmt="o", color=COLOUR["model"], markersize=7)
    right.axhline(0, color=COLOUR["muted"], linestyle="--")
    right.set(xscale="log", xlabel="t", ylabel="taken off by the label, %")
    right.set_title("When the label helps (95 %)")
    return fig


def frechet(steps: Rows, schedules: Rows, floor: tuple[float, float]) -> Picture:
    """Fréchet distances by the number of steps for DDPM and DDIM, and for two schedules, with standard errors."""
    fig, panels = figure(1, 2, width=12, height=4.4, sharey=True)
    kinds = {
        "ddpm": ("DDPM, β̃", "attack", "s"),
        "ddpm, beta": ("DDPM, β", "muted", "p"),
        "ddim": ("DDIM", "model", "o"),
    }
    kinds |= {"linear": ("linear", "model", "o"), "cosine": ("cosine", "second", "D")}
    titles = ("Digits: DDPM and DDIM", "Two schedules, short training, DDIM")
    for panel, rows, title in zip(panels, (steps, schedules), titles, strict=True):
        found: dict[str, dict[int, Any]] = {}
        for key, row in rows.items():
            name, count = key.rsplit(" ", 1)
            found.setdefault(name, {})[int(count)] = row["frechet"]
        for k, (name, mine) in enumerate(found.items()):
            text, colour, marker = kinds[name]
            aside = 1.04 ** (k - (len(found) - 1) / 2)  # so that no point hides another
            values, errors = zip(*mine.values(), strict=True)
            at = [aside * count for count in mine]
            panel.errorbar(at, values, errors, fmt=marker, color=COLOUR[colour], markersize=8, label=text)
        _floor(panel, floor)
        ticks = sorted({count for mine in found.values() for count in mine})
        panel.set(xscale="log", yscale="log", xlabel="steps", title=title)
        panel.set_xticks(ticks, [str(t) for t in ticks])
        panel.set_xticks([], minor=True)
        panel.legend(loc="upper right" if rows is steps else "center right")
        panel.set_yticks([5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"])
        panel.set_yticks([], minor=True)
    panels[0].set_ylabel("Fréchet distance")
    return fig


def _floor(panel: Any, floor: tuple[float, float]) -> None:
    middle, sd = floor
    panel.axhspan(middle - 2 * sd, middle + 2 * sd, color=COLOUR["truth"], alpha=0.4, linewidth=0)
    place = {"xytext": (4, 0), "textcoords": "offset points", "color": COLOUR["truth"], "va": "center"}
    panel.annotate("truth against truth", (0, middle - sd), xycoords=("axes fraction", "data"), **place)


def guidance(rows: Rows, floor: tuple[float, float], truth: tuple[float, float]) -> Picture:
    """Share asked for, diversity and Fréchet distance over gamma, with intervals; green: held-out digits.

    Rows "2.0" are of classifier-free guidance, "classifier 3.0" of guidance by a classifier of noised digits.
    """
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.0)
    for name, word, colour in (("classifier-free", "", "model"), ("by a classifier", "classifier ", "second")):
        mine = {float(key.removeprefix(word)): row for key, row in rows.items() if key[: len(word)] == word and (
            word or key[0].isdigit())}  # fmt: skip
        if not mine:
            continue
        share, low, high = (torch.tensor([row["asked"][k] for row in mine.values()]) for k in range(3))
        style = {"fmt": "o", "color": COLOUR[colour], "markersize": 7, "label": name}
        left.errorbar(list(mine), 100 * share, 100 * torch.stack([share - low, high - share]), **style)
        for panel, key in ((middle, "diversity"), (right, "frechet")):
            values, errors = zip(*(row[key] for row in mine.values()), strict=True)
            panel.errorbar(list(mine), values, [2 * e for e in errors], **style)
    left.legend(loc="lower right")
    left.set(ylim=(0, 104), ylabel="%", title="What was asked for")
    middle.axhspan(truth[0] - 2 * truth[1], truth[0] + 2 * truth[1], color=COLOUR["truth"], alpha=0.4, linewidth=0)
    middle.set(ylim=(0, None), title="Diversity within a class")
    right.set(yscale="log", title="Fréchet distance")
    _floor(right, floor)
    for panel in (left, middle, right):
        panel.set_xlabel(r"guidance $\gamma$")
    return fig


@from_any_device
def memory(drawn: Tensor, nearest: Tensor, distances: Mapping[str, Tensor]) -> Picture:
    """Digits drawn with the exact score of a data set, the nearest training digit below; distances to the nearest."""
    fig, (left, right) = figure(1, 2, width=12, height=3.6, width_ratios=(1.5, 1))
    pictures(left, torch.cat([drawn, nearest]), columns=len(drawn), limits=BLACK_TO_WHITE)
    left.set_title("drawn by the exact score; below, the nearest training digit")
    for (name, values), colour in zip(distances.items(), ("model", "truth"), strict=True):
        x = values.sort().values
        line = right.plot(x, torch.arange(1, len(x) + 1) / len(x), color=COLOUR[colour], drawstyle="steps-post")[0]
        offset, ha = ((8, 0), "left") if name == "test" else ((-8, 0), "right")
        label(line, name, at=len(x) // 2, offset=offset, ha=ha)
    right.set(xlabel="distance to the nearest training digit", ylabel="share of digits", xlim=(-0.5, None))
    return fig


@lru_cache(maxsize=1)
def _stored() -> paths.Paths:
    """The stored paths, read once."""
    return measured.load_paths()


@explorer(
    steps=Choice(paths.STEPS, 20, label="steps"),
    eta=Choice(paths.ETAS, 0.0, label="η"),
    gamma=Choice(paths.GAMMAS, 1.0, label="guidance γ"),
    digit=Range(0, 9, 3, label="digit"),
    stills=({}, {"steps": 5}, {"gamma": 3.0, "eta": 1.0}),
)
def sampler(steps: int, eta: float, gamma: float, digit: int) -> Picture:
    """What the sampler holds and what it expects on the way to a digit; all ten digits at this setting."""
    path, all_ten = _stored().of(steps, eta, gamma, digit), range(10)
    fig, (left, right) = figure(1, 2, width=12, height=3.1, width_ratios=(6, 5))
    pictures(left, torch.cat([path.x_t / paths.WIDE, path.x_0]), columns=paths.FRAMES, limits=BLACK_TO_WHITE)
    at = torch.linspace(0, steps - 1, paths.FRAMES - 1).round().long()
    times = [*spaced(1000, steps).flip(0)[at].tolist(), 0]
    left.set_title("t = " + ", ".join(map(str, times)) + r": $x_t$, and below $\hat x_0$")
    ten = torch.stack([_stored().of(steps, eta, gamma, k).x_0[-1] for k in all_ten])
    pictures(right, ten, columns=5, limits=BLACK_TO_WHITE)
    right.set_title("asked for 0, 1, ..., 9" + (" (label not used)" if gamma == 0 else ""))
    return fig
