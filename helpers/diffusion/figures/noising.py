"""Figures of Lecture 6, session A: the way into noise, one step back, the bound and its weights."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from helpers.diffusion.schedules import Schedule, signal_to_noise
from helpers.figures import COLOUR, Picture, figure, label


def schedules(shown: Mapping[str, Schedule]) -> Picture:
    """alpha-bar and the signal-to-noise ratio over t / T for each schedule."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    for k, ((name, s), colour) in enumerate(zip(shown.items(), ("model", "attack", "second"), strict=True)):
        t, style = torch.arange(1, s.T + 1) / s.T, (0, (2, 2)) if k == 2 else "-"
        line = left.plot(t, s.alpha_bar, color=COLOUR[colour], linestyle=style)[0]
        share, offset = ((0.3, (10, 8)), (0.55, (10, 10)), (0.42, (14, 8)))[k]
        label(line, name, at=int(share * s.T), offset=offset)
        right.semilogy(t, signal_to_noise(s.alpha_bar), color=COLOUR[colour], linestyle=style)
        right.plot(1, signal_to_noise(s.alpha_bar)[-1], "o", color=COLOUR[colour], clip_on=False)
    left.set(xlabel="t / T", ylabel=r"share of signal, $\bar\alpha_t$", ylim=(-0.02, 1.05))
    left.set_title("What is left of the data")
    right.axhline(1, color=COLOUR["muted"], linestyle="--")
    right.set(xlabel="t / T", ylabel="SNR", title="Signal over noise (dashed: as much of both)")
    return fig


def one_step_back(x: Tensor, laws: Mapping[str, tuple[Tensor, Tensor]]) -> Picture:
    """The law of x_s given x_t for a few s (weights on the grid x), and the Gaussian of its mean and variance."""
    fig, panels = figure(1, len(laws), width=12, height=3.6)
    for panel, (name, (law, gauss)) in zip(panels, laws.items(), strict=True):
        panel.fill_between(x, law, color=COLOUR["truth"], alpha=0.35, linewidth=0)
        panel.plot(x, law, color=COLOUR["truth"])
        panel.plot(x, gauss, "--", color=COLOUR["attack"])
        seen = x[(law > 2e-3 * law.max()) | (gauss > 2e-3 * gauss.max())]
        panel.set(title=name, xlabel="$x_s$", yticks=(), xlim=(float(seen[0]), float(seen[-1])))
    panels[0].set_ylabel("density given $x_t$")
    fig.suptitle("Where $x_t=0$ at $t=300$ came from (green), and a Gaussian (dashed)")
    return fig


def bound(layers: Sequence[int], gaps: Mapping[str, Sequence[float]], too_much: Tensor) -> Picture:
    """How far the bound lies below the truth, for three widths of the decoder; what beta-tilde costs more than the best
    width in the steps t >= 2 (T - 1,), added up."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    names = {
        "posterior": (r"$\sigma_t^2=\tilde\beta_t$", "attack", "s"),
        "beta": (r"$\sigma_t^2=\beta_t$", "second", "o"),
        "analytic": ("the best width", "model", "D"),
    }
    for key, gap in gaps.items():
        name, colour, marker = names[key]
        left.loglog(layers, gap, marker, color=COLOUR[colour], markersize=9 if key != "analytic" else 5, label=name)
    last = gaps["analytic"][-1]
    guide = left.loglog((30, 1000), (0.5 * last * 1000 / 30, 0.5 * last), "--", color=COLOUR["muted"])[0]
    label(guide, "1 / T", at=0, offset=(-8, 0))
    left.set(xlabel="layers T", ylabel="truth minus bound (nats)", title="How much the bound leaves out")
    left.legend(loc="lower left")
    t = torch.arange(2, len(too_much) + 2)
    right.semilogx(t, too_much.cumsum(0), ".", color=COLOUR["attack"])
    right.set(xlabel="t", ylabel=r"lost by $\tilde\beta$ in steps $2\dots t$ (nats)", ylim=(0, None))
    right.set_title(f"T = {len(too_much) + 1:,}: lost where nobody sees it")
    return fig


def weights(t: Tensor, weight: Sequence[Tensor], least: Sequence[Tensor]) -> Picture:
    """The weights of the three predictions' squared errors in the bound; the least errors there are, x_0's and xi's."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    kinds = (("picture $x_0$", "model", 6), ("noise $\\xi$", "attack", 70), ("score $s$", "truth", 10))
    for (name, colour, at), values in zip(kinds, weight, strict=True):
        offset = {"model": (10, 8), "attack": (0, 14), "truth": (10, -12)}[colour]
        label(left.semilogy(t, values, color=COLOUR[colour])[0], name, at=at, offset=offset)
    for (name, colour, _), values in zip(kinds, least, strict=False):
        at, offset = (60, (6, -16)) if colour == "model" else (45, (10, 8))
        label(right.plot(t, values, color=COLOUR[colour])[0], name, at=at, offset=offset)
    left.set(xlabel="t", ylabel="weight in the bound", title="One bound, three weights")
    right.set(xlabel="t", ylabel="mean squared error", title="What a perfect network still gets wrong")
    return fig
