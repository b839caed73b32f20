"""The still figures of Lecture 7."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure, label, pictures


def bars(axes: Axes, names: Sequence[str], before: Tensor, after: Tensor, count: int = 5) -> None:
    """The `count` most probable classes of two predictions (K,): before in grey, after in the attack's colour."""
    top = torch.maximum(before, after).topk(min(count, len(before))).indices.tolist()
    places = np.arange(len(top))[::-1]
    for k, place in zip(top, places, strict=True):
        axes.barh(place + 0.18, before[k], 0.34, color=COLOUR["muted"])
        axes.barh(place - 0.18, after[k], 0.34, color=COLOUR["attack"])
    axes.set_yticks(places, [names[k][:18] for k in top])
    axes.set(xlim=(0, 1.02), xlabel="probability")
    axes.grid(False, axis="y")


def signed(delta: Tensor) -> tuple[Tensor, tuple[float, float] | None]:
    """A perturbation (C, H, W) as `pictures` shows it: signed grey, or colours around one half."""
    if len(delta) == 1:
        return delta[None], None
    return (0.5 + delta / (2 * delta.abs().max().clamp(min=1e-9)))[None], (0.0, 1.0)


def attacked(
    x: Tensor, x_adv: Tensor, names: Sequence[str], before: Tensor, after: Tensor, titles: Sequence[str], count: int = 5
) -> Picture:
    """One row per image: the image, the perturbation (its own scale), the result, the probabilities of both."""
    fig, rows = figure(len(x), 4, width=11.5, height=2.7 * len(x), squeeze=False, width_ratios=(1, 1, 1, 1.5))
    x, x_adv, before, after = x.cpu(), x_adv.cpu(), before.cpu(), after.cpu()
    for k, (image, delta, result, chart) in enumerate(rows):
        change, limits = signed(x_adv[k] - x[k])
        pictures(image, x[k : k + 1])
        pictures(delta, change, limits=limits)
        pictures(result, x_adv[k : k + 1])
        bars(chart, names, before[k], after[k], count)
        image.set_title(names[int(before[k].argmax())], color=COLOUR["muted"])
        delta.set_title(titles[k])
        if limits is None:
            delta.text(0.5, -0.03, "red: brighter, blue: darker", ha="center", va="top", transform=delta.transAxes)
        changed = before[k].argmax() != after[k].argmax()
        result.set_title(names[int(after[k].argmax())], color=COLOUR["attack" if changed else "muted"])
        chart.set_title("before (grey) and after")
    return fig


def noise_against_fgsm(sizes: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Picture:
    """Accuracy over eps."""
    fig, axes = figure(width=9, height=3.4)
    for (name, values), colour in zip(curves.items(), ("muted", "attack"), strict=True):
        label(axes.plot(sizes, values, "o-", color=COLOUR[colour])[0], name)
    axes.set(xlabel="$\\varepsilon$ (change of every pixel)", ylabel="accuracy", ylim=(0, 1.03), xlim=(0, 0.34))
    axes.set_title("The same size, another direction: random signs and FGSM")
    return fig


def balls() -> Picture:
    """The unit balls of six p in the plane."""
    fig, row = figure(1, 6, width=12, height=2.5, sharey=True)
    t = np.linspace(0, 2 * np.pi, 2001)
    for axes, p in zip(row, (0, 0.5, 1, 2, 4, math.inf), strict=True):
        if p == 0:
            axes.plot((-1.4, 1.4), (0, 0), color=COLOUR["bound"], linewidth=3)
            axes.plot((0, 0), (-1.4, 1.4), color=COLOUR["bound"], linewidth=3)
        else:
            u = np.stack([np.cos(t), np.sin(t)])
            size = np.abs(u).max(0) if p == math.inf else (np.abs(u) ** p).sum(0) ** (1 / p)
            axes.fill(*(u / size), color=COLOUR["bound"] if p >= 1 else COLOUR["attack"], alpha=0.25)
            axes.plot(*(u / size), color=COLOUR["bound"] if p >= 1 else COLOUR["attack"])
        name = {0: "0: no pixel or one", math.inf: "∞"}.get(p, f"{p:g}")
        axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axes.set_title(f"$p$ = {name}", fontsize=12)
    return fig


def dimensions(sizes: Sequence[int], distances: Mapping[float, Sequence[float]], slope: float) -> Picture:
    """Median distance to a random linear boundary over the dimension, in three norms."""
    fig, axes = figure(width=9, height=3.6)
    texts = {1: "$\\ell_1$", 2: "$\\ell_2$: constant", math.inf: f"$\\ell_\\infty$: slope {slope:.2f}"}
    for (p, values), colour in zip(distances.items(), FAMILY, strict=False):
        label(axes.loglog(sizes, values, "o-", color=colour)[0], texts[p])
    axes.set(xlabel="dimension $d$", ylabel="distance to the boundary", xlim=(3, 2.5e4))
    axes.set_title("Random linear models: in $\\ell_\\infty$ the boundary comes nearer like $1/\\sqrt{d}$")
    return fig


def steps_against_accuracy(steps: Sequence[int], curves: Mapping[str, Sequence[float]], one_step: float) -> Picture:
    """Accuracy over the number of gradient steps."""
    fig, axes = figure(width=9, height=3.8)
    for (name, values), colour in zip(curves.items(), FAMILY, strict=False):
        style = "--" if "robust" in name else "-"
        axes.semilogx(steps, values, "o" + style, color=colour, label=name)
    axes.axhline(one_step, color=COLOUR["muted"], linestyle=":", label="FGSM, standard")
    axes.set_xticks(steps, [str(t) for t in steps])
    axes.set(xlabel="gradient steps $T$", ylabel="accuracy", ylim=(0, 1.03))
    axes.set_title("More steps help the attack (standard: ε 0.1, robust: ε 0.3)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return fig


def targets(x_adv: Tensor, success: Tensor) -> Picture:
    """One digit led to each class."""
    fig, axes = figure(width=11, height=1.9)
    pictures(axes, x_adv.cpu(), [f"{k}" if hit else f"{k}: missed" for k, hit in enumerate(success.tolist())])
    axes.set_title("One seven, ten labels", pad=18)
    return fig


def survival(rows: Mapping[str, tuple]) -> Picture:
    """The share of images whose smallest perturbation found is longer than a radius."""
    fig, axes = figure(width=9, height=3.6)
    for (name, row), colour in zip(rows.items(), FAMILY, strict=False):
        _survival(axes, row[-1], colour, f"{name}: median {row[1]:.2f}")
    axes.set(xlabel="$\\varepsilon$ ($\\ell_2$)", ylabel="share not yet fooled", ylim=(0, 1.03), xlim=(0, None))
    axes.set_title("The smallest $\\ell_2$ perturbation found, standard network")
    axes.legend(loc="upper right")
    return fig


def _survival(axes: Axes, norms: Tensor, colour: str, text: str, style: str = "-") -> None:
    finite = norms[norms.isfinite()].sort().values.cpu().numpy()
    left = 1 - np.arange(len(finite) + 1) / len(norms)
    axes.step(np.concatenate([[0], finite]), left, style, where="post", color=colour, label=text, linewidth=1.8)


def sparse(x: Tensor, found: Mapping[str, Tensor], success: Mapping[str, Tensor], count: int = 6) -> Picture:
    """Rows: the clean images and what each sparse attack made of them; failures are faded."""
    size = len(found) + 1
    fig, rows = figure(size, 2, width=9, height=1.15 * size, width_ratios=(1, 4))
    for (side, axes), (name, x_adv) in zip(rows, {"clean": x, **found}.items(), strict=True):
        hit = success[name][:count].cpu() if name in success else torch.ones(count, dtype=torch.bool)
        shown = torch.where(hit[:, None, None, None], x_adv[:count].cpu(), 0.75 + 0.25 * x_adv[:count].cpu())
        pictures(axes, shown)
        side.text(1, 0.5, name, ha="right", va="center", fontsize=11, transform=side.transAxes)
        side.set_axis_off()
    rows[0, 1].set_title("Few pixels, freely changed (faded: not fooled)", fontsize=12)
    return fig


def universal(
    x: Tensor, made: Mapping[str, Tensor], fooled: Mapping[str, float], samples: Sequence[int], rates: Tensor
) -> Picture:
    """The perturbations, one digit with each, and the fooling rates (runs, samples) over the number of images."""
    fig, (left, right) = figure(1, 2, width=12, height=4.6, width_ratios=(1.9, 1))
    deltas = torch.stack([v.cpu() for v in made.values()])
    sheet = torch.cat([0.5 + deltas / (2 * deltas.abs().max()), (x.cpu() + deltas).clamp(0, 1)])
    titles = [f"{name}\n{fooled[name]:.0%} fooled" for name in made]
    pictures(left, sheet, [*titles, *[""] * len(made)], columns=len(made))
    left.set_title("Perturbations, and one digit with each", pad=24)
    right.semilogx(samples, rates.T, "o", color=COLOUR["muted"])
    right.semilogx(samples, rates.mean(0), "-", color=COLOUR["attack"], linewidth=2.5)
    right.set(xlabel="digits it was made from", ylabel="fooling rate, new digits", ylim=(0, 1.03))
    right.set_title("Gradient steps: single runs and their mean")
    return fig


def transfer(names: Sequence[str], matrix: Tensor) -> Picture:
    """Success of examples made on the row's network against the column's."""
    fig, axes = figure(width=5.6, height=4.4)
    axes.imshow(matrix, cmap="Oranges", vmin=0, vmax=1)
    for i in range(len(names)):
        for j in range(len(names)):
            value = matrix[i, j].item()
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="tried on", ylabel="made on", title="Share fooled, MI-FGSM, ε 0.2")
    axes.grid(False)
    return fig


def robustness(norms: Mapping[tuple[str, str], Tensor], kinds: Mapping[str, str]) -> Picture:
    """Survival curves of both networks (robust dashed) under each attack, one panel a norm."""
    fig, row = figure(2, 2, width=13.5, height=7.2, sharey=True)
    for axes, p in zip(row.flat, ("inf", "2", "1", "0"), strict=True):
        for name, colour in zip([name for name, kind in kinds.items() if kind == p], FAMILY, strict=False):
            _survival(axes, norms["standard", name], colour, name)
            _survival(axes, norms["robust", name], colour, "", "--")
        axes.set(xlabel=f"ε ({'pixels' if p == '0' else 'norm'})", ylim=(0, 1.03), ylabel="accuracy left")
        axes.set_title(f"$\\ell_{{{chr(92) + 'infty' if p == 'inf' else p}}}$: standard (solid), robust (dashed)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return fig


def overfitting(fgsm: Tensor, pgd: Tensor) -> Picture:
    """Histories (rows of step, clean, FGSM, PGD) of training with FGSM and with PGD inside."""
    fig, panels = figure(1, 2, width=11, height=3.8, sharey=True)
    for axes, history, name in ((panels[0], fgsm, "FGSM"), (panels[1], pgd, "PGD")):
        for column, (text, colour) in enumerate((("clean", "model"), ("FGSM", "second"), ("PGD-10", "attack")), 1):
            axes.plot(history[:, 0], history[:, column], "o-", color=COLOUR[colour], label=text)
        axes.set(xlabel="training step", ylim=(0, 1.03), title=f"Trained with {name}: accuracy at ε 0.3")
    panels[0].set_ylabel("accuracy on new digits")
    panels[1].legend(loc="lower right")
    return fig


def inevitable(d: int, outside: Tensor) -> Picture:
    """Tsipras' toy in d dimensions over eps, and distances to a half-sphere over the dimension."""
    from helpers.attacks.toy import distance_to_half, tsipras_accuracy

    fig, (left, right) = figure(1, 2, width=11, height=3.8)
    eps = np.linspace(0, 0.4, 81)
    weak = [tsipras_accuracy(d, 3 / math.sqrt(d), e) for e in eps]
    left.plot(eps, weak, color=COLOUR["attack"], label=f"mean of {d} weak features")
    left.axhline(0.95, color=COLOUR["truth"], label="the strong feature")
    left.set(xlabel="ε ($\\ell_\\infty$)", ylabel="accuracy", ylim=(0, 1.03), title="Accurate, or robust")
    left.legend(loc="center right")
    sizes = np.unique(np.logspace(0.5, 5, 40).astype(int))
    for share, colour in ((0.5, "model"), (0.99, "bound")):
        line = right.loglog(sizes, [distance_to_half(int(k), share) for k in sizes], color=COLOUR[colour])[0]
        label(line, f"{share:.0%}", at=-1)
    right.plot(784, outside.median(), "o", color=COLOUR["data"])
    right.annotate("20,000 points, median", (784, outside.median()), (8, 8), textcoords="offset points")
    right.set(xlabel="dimension $d$", ylabel="angle", xlim=(3, 4e5), title="Points outside a half-sphere: how near?")
    return fig
