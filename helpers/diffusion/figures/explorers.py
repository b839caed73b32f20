"""Sliders of Lecture 6 where the truth is known: the way into noise, and a cloud on its way back."""

from functools import lru_cache

import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from helpers import data, diffusion
from helpers.diffusion import playground
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, pictures

SCHEDULES = {"linear": diffusion.linear(1000), "cosine": diffusion.cosine(1000)}
SAMPLERS = ("DDPM", "DDIM", "Euler in t", "Heun", "SDE")
POINTS, REACH = 300, 2.9


@lru_cache(maxsize=1)
def _digits() -> tuple[Tensor, Tensor]:
    """Six test digits in [-1, 1] and the noise that is put on them."""
    x_0 = 2 * data.load("mnist").x_test[:6] - 1
    return x_0, torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))


@explorer(
    t=Range(0, 1000, 300, label="t", play=True),
    schedule=Choice(tuple(SCHEDULES), "linear", label="schedule"),
    stills=({"t": 100}, {"t": 500}, {"t": 500, "schedule": "cosine"}),
)
def forward(t: int, schedule: str) -> Picture:
    """Digits after t steps; the share of signal and the signal-to-noise ratio there; what has become of the line."""
    a = float(SCHEDULES[schedule].at(t))
    x_0, xi = _digits()
    fig, (left, middle, right) = figure(1, 3, width=12, height=3.5, width_ratios=(1.25, 1, 1))
    pictures(left, a**0.5 * x_0 + (1 - a) ** 0.5 * xi, columns=3, limits=(-2.0, 2.0))
    ratio = "no noise" if t == 0 else f"SNR = {a / (1 - a):.2g}"
    left.set_title(f"t = {t}: {ratio}")
    for name, s in SCHEDULES.items():
        middle.plot(range(1, s.T + 1), s.alpha_bar, color=COLOUR["model" if name == schedule else "muted"])
    middle.plot(t, a, "o", color=COLOUR["model"], markersize=11)
    middle.set(xlabel="t", ylim=(-0.03, 1.05), xticks=(0, 500, 1000), yticks=(0, 0.5, 1))
    middle.set_title(rf"share of signal, $\bar\alpha_t$ = {a:.2g}")
    grid = torch.linspace(-3.5, 3.5, 281, dtype=torch.float64)
    line = playground.line()
    for law, colour in ((line, "muted"), (line.noised(a), "truth")):
        right.plot(grid, law.log_density(grid[:, None]).exp(), color=COLOUR[colour])
    right.plot(grid, torch.exp(-grid.square() / 2) / (2 * torch.pi) ** 0.5, ":", color=COLOUR["attack"])
    right.set(ylim=(0, 1.2), yticks=(), xticks=(-2, 0, 2), xlabel="$x_t$")
    right.set_title("law on the line; dotted: N(0, 1)")
    return fig


@lru_cache(maxsize=64)
def _film(method: str, steps: int, eta: float) -> Tensor:
    """The cloud after each step of a sampler with the exact denoiser of the ring: (steps + 1, POINTS, 2)."""
    s, generator = SCHEDULES["linear"], torch.Generator().manual_seed(6)
    denoiser = diffusion.mixture_denoiser(playground.ring(), s)
    x_T = torch.randn(POINTS, 2, generator=generator, dtype=torch.float64)
    name = {"Euler in t": "euler"}.get(method, method.lower())
    path = diffusion.trajectory(denoiser, s, x_T, steps=steps, method=name, eta=eta, generator=generator)  # type: ignore[arg-type]
    return torch.stack(list(path))


@explorer(
    method=Choice(SAMPLERS, "DDIM", label="sampler"),
    steps=Range(2, 50, 10, label="steps"),
    eta=Range(0.0, 1.0, 0.0, step=0.1, label="η (DDIM)"),
    done=Range(0, 100, 90, label="done, %", play=True),
    stills=({"steps": 50, "done": 90}, {"steps": 5, "done": 100}, {"steps": 50, "method": "DDPM", "done": 100}),
)
def cloud(method: str, steps: int, eta: float, done: int) -> Picture:
    """A cloud of noise on its way to the ring: points, some paths, and the velocity dx = -dt (x + score)."""
    film = _film(method, steps, eta if method == "DDIM" else 0.0)
    k = min(steps, max(0, round(done / 100 * steps)))
    times = [0, *diffusion.spaced(1000, steps).tolist()]
    t = times[steps - k]
    ring, a = playground.ring(), SCHEDULES["linear"].at(t)
    fig, (left, right) = figure(1, 2, width=10, height=4.7)
    side = torch.linspace(-REACH, REACH, 17, dtype=torch.float64)
    places = torch.cartesian_prod(side, side)
    velocity = places + ring.noised(a).score(places)
    velocity = velocity / (1 + velocity.norm(dim=1, keepdim=True))
    left.quiver(*places.T, *velocity.T, color=COLOUR["truth"], angles="xy", scale=14, width=0.004, alpha=0.8)
    left.plot(*film[k].T, ".", color=COLOUR["model"], markersize=4)
    left.set_title(f"t = {t}: points, and where the flow takes them")
    paths = torch.cat([film[: k + 1, :9], film.new_full((1, 9, 2), torch.nan)]).transpose(0, 1).reshape(-1, 2)
    right.plot(*ring.means.T, "o", color=COLOUR["truth"], markersize=13, alpha=0.4, markeredgewidth=0)
    right.plot(*paths.T, "-", color=COLOUR["muted"], linewidth=1.1)
    right.plot(*film[k, :9].T, "o", color=COLOUR["model"], markersize=6)
    right.set_title(f"paths of nine, {k} of {steps} steps")
    for panel in (left, right):
        panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.yaxis.set_major_locator(MaxNLocator(4))
    return fig
