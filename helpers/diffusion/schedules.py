"""How much of the data is left at time t: schedules beta_t, their alpha-bar_t, and sub-sequences of the times.

Times t are 1 ... T and stand at index t - 1; alpha-bar_0 = 1. (The DDIM paper's alpha_t is our alpha-bar_t.)
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.checks import at_least, positive, whole
from helpers.diffusion.levels import level


def alpha_bar(beta: Tensor) -> Tensor:
    r"""\bar alpha_t = prod_{s <= t} (1 - beta_s): the share of the data's variance that is left in x_t.

    beta (T,) in (0, 1) -> (T,), falling. Raises ValueError outside. Source: Ho et al. 2020, equation 4.
    """
    if beta.ndim != 1 or not len(beta) or not ((beta > 0) & (beta < 1)).all():
        raise ValueError(f"beta must be (T,) with values in (0, 1), got shape {tuple(beta.shape)}: {beta}")
    return (1 - beta).cumprod(0)


class Schedule(NamedTuple):
    """beta_t, alpha_t = 1 - beta_t and alpha-bar_t for t = 1 ... T, each (T,), t at index t - 1."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.beta)

    def at(self, t: Tensor | int) -> Tensor:
        """alpha-bar_t, 1 at t = 0: t an integer or (N,) -> () or (N,). Raises ValueError outside 0 ... T."""
        t = torch.as_tensor(t)
        if t.is_floating_point() or not ((t >= 0) & (t <= self.T)).all():
            got = f"{t.dtype} from {t.min()} to {t.max()}" if t.numel() else "none"
            raise ValueError(f"t must be integers in 0 ... T = {self.T}, got {got}")
        with_start = torch.cat([self.alpha_bar.new_ones(1), self.alpha_bar])
        return with_start.to(t.device)[t.long()]


def schedule(beta: Tensor) -> Schedule:
    """The schedule of these beta (T,). Raises ValueError outside (0, 1)."""
    return Schedule(beta, 1 - beta, alpha_bar(beta))


def from_alpha_bar(alpha_bar: Tensor, *, largest: float = 1.0) -> Schedule:
    r"""beta_t = min(1 - \bar alpha_t / \bar alpha_{t-1}, largest), and the alpha-bar that belongs to these beta.

    alpha_bar (T,) -> the schedule. Raises ValueError unless 1 > alpha_bar_1 > ... > alpha_bar_T > 0.
    """
    a = level("alpha_bar", alpha_bar).to(alpha_bar)
    if a.ndim != 1 or not len(a) or not (a.diff() < 0).all():
        raise ValueError(
            f"alpha_bar must be (T,) and fall with t, got shape {tuple(a.shape)}: {a.flatten()[:5].tolist()}"
        )
    before = torch.cat([a.new_ones(1), a[:-1]])
    return schedule((1 - a / before).clamp(max=largest))


def linear(T: int, *, scaled: bool = True) -> Schedule:
    r"""beta_t evenly spaced from 10^-4 to 0.02, times 1000/T: alpha-bar_T is 2e-5 to 4.3e-5 from T = 100 on.

    Without scaled the same beta for every T, which leave alpha-bar_T = 0.36 at T = 100. float64.
    Raises ValueError if scaled and T <= 20, where beta_T = 20/T would reach 1. Source: Ho et al. 2020, section 4.
    """
    whole("T", T)
    if scaled and T <= 20:
        raise ValueError(
            f"T must be above 20 for the scaled linear schedule, beta_T = 20/T < 1; got {T}: take cosine(T)"
        )
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    return schedule(beta * (1000 / T) if scaled else beta)


def cosine_alpha_bar(T: int, s: float = 0.008) -> Tensor:
    r"""\bar alpha_t = f(t) / f(0),  f(t) = cos^2((t/T + s) / (1 + s) * pi/2),  t = 1 ... T.

    (T,), float64, falling to 0 (a square of 10^-16). Raises ValueError unless T >= 1, s >= 0.
    Source: Nichol & Dhariwal 2021, equation 17.
    """
    whole("T", T)
    at_least("s", s, 0)
    t = torch.arange(T + 1, dtype=torch.float64)
    f = torch.cos((t / T + s) / (1 + s) * math.pi / 2).square()
    return f[1:] / f[0]


def cosine(T: int, s: float = 0.008) -> Schedule:
    """The schedule of `cosine_alpha_bar`, beta clipped at 0.999. Source: Nichol & Dhariwal 2021, section 3.2."""
    return from_alpha_bar(cosine_alpha_bar(T, s), largest=0.999)


def polynomial(T: int, *, largest: float = 80.0, rho: float = 3.0) -> Schedule:
    r"""sigma_t = largest (t/T)^rho, the noise beside data of size 1: \bar alpha_t = 1 / (1 + sigma_t^2).

    Smooth down to t = 0, so that each method shows its order. Raises ValueError unless T, rho >= 1, largest > 0.
    Source: Karras et al. 2022, equation 5, with sigma_min = 0.
    """
    whole("T", T)
    positive("largest", largest)
    at_least("rho", rho, 1)
    sigma = largest * (torch.arange(1, T + 1, dtype=torch.float64) / T) ** rho
    return from_alpha_bar(1 / (1 + sigma.square()))


def signal_to_noise(alpha_bar: Tensor) -> Tensor:
    r"""SNR(t) = \bar alpha_t / (1 - \bar alpha_t), the variance of the signal over that of the noise; falls with t.

    alpha_bar (...) -> (...), inf at alpha_bar = 1. Raises ValueError outside (0, 1]. Source: Kingma et al. 2021, eq. 2.
    """
    level("alpha_bar", alpha_bar, one=True)
    return alpha_bar / (1 - alpha_bar)


def spaced(T: int, steps: int) -> Tensor:
    r"""tau_i = round(i T / S), i = 1 ... S: S times in 1 ... T, evenly spaced, tau_S = T.

    (S,) integers. Raises ValueError unless 1 <= steps <= T. Source: Song et al. 2020 (DDIM), appendix D.2; "trailing"
    in Lin et al. 2024, table 2.
    """
    whole("steps", steps)
    whole("T", T)
    if steps > T:
        raise ValueError(f"steps must be at most T = {T}, got {steps}")
    return (torch.arange(1, steps + 1, dtype=torch.float64) * T / steps).round().long()


def sub_sequence(times: Tensor, T: int) -> Tensor:
    """times (S,), unchanged. Raises ValueError unless 1 <= tau_1 < ... < tau_S <= T, all integers."""
    if times.ndim != 1 or not len(times) or times.is_floating_point():
        raise ValueError(f"times must be (S,) integers, got shape {tuple(times.shape)} of {times.dtype}")
    if not (times.diff() > 0).all() or times[0] < 1 or times[-1] > T:
        raise ValueError(
            f"times must rise, without repeats, within 1 ... T = {T}, got {times.tolist()}; `.unique()` sorts"
        )
    return times
