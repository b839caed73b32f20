"""Run any sampler of `helpers.mcmc` on many chains at once, record it, and say what it cost."""

import time
import warnings
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from helpers import runtime
from helpers.mcmc.state import Chain, Info, LogProb, start


class Step(Protocol):
    """One transition of every chain; `functools.partial` fixes options such as the number of leapfrog steps."""

    def __call__(  # noqa: D102
        self, log_prob: LogProb, s: Chain, /, *, step_size: float, generator: Generator | None
    ) -> tuple[Chain, Info]: ...


class Draws(NamedTuple):
    """What a run left behind; costs and rates are those of the recorded part, warm-up not counted."""

    x: Tensor  # (chains, draws, d)
    acceptance: Tensor  # (chains,), the mean of A = min(1, r)
    divergent: Tensor  # (chains,), how many transitions diverged, warm-up included
    densities: float  # evaluations of log_prob per chain, those that came with a gradient left out
    gradients: float  # evaluations of its gradient per chain
    seconds: float  # wall time of the recorded part
    lost: Tensor  # (k, d), where the transitions that diverged began, warm-up included


def sample(
    step: Step,
    log_prob: LogProb,
    x: Tensor,
    draws: int,
    *,
    step_size: float | Callable[[int], float] | None = None,
    generator: Generator | None = None,
    warmup: int = 0,
    thin: int = 1,
    progress: bool = False,
) -> Draws:
    """Start at x (chains, d), take `warmup` steps, then record every `thin`-th state until there are `draws` of them.

    step_size is a number, a schedule t -> number (t counts from 0, warm-up included), or None for Gibbs. Warns when a
    chain diverged. Raises ValueError when draws or thin is below 1, warmup below 0, or a chain cannot start at its x.
    """
    if draws < 1 or thin < 1 or warmup < 0:
        raise ValueError(f"need draws >= 1, thin >= 1 and warmup >= 0, got {draws=}, {thin=}, {warmup=}")
    s, kept = start(x.detach(), log_prob), x.new_empty(draws, *x.shape)
    acceptance, divergent = x.new_zeros(len(x)), torch.zeros(len(x), dtype=torch.long, device=x.device)
    densities = gradients = 0.0
    lost = []
    steps: range = range(warmup + draws * thin)
    began = time.perf_counter()
    for t in runtime.progress(steps, "sampling") if progress else steps:
        began = time.perf_counter() if t == warmup else began
        eta = step_size(t) if callable(step_size) else step_size
        before = s.x
        s, info = step(log_prob, s, step_size=eta, generator=generator)  # type: ignore[arg-type]
        divergent += info.divergent
        lost.append(before[info.divergent])
        if t >= warmup:
            acceptance += info.log_accept.exp()
            densities, gradients = densities + info.densities, gradients + info.gradients
            kept[(t - warmup) // thin] = s.x
    seconds = time.perf_counter() - began
    _warn(divergent, len(steps))
    accepted = acceptance / (draws * thin)
    return Draws(kept.transpose(0, 1), accepted, divergent, densities, gradients, seconds, torch.cat(lost))


def _warn(divergent: Tensor, steps: int) -> None:
    if divergent.any():
        worst, count = int(divergent.argmax()), int((divergent > 0).sum())
        warnings.warn(
            f"{count} of {len(divergent)} chains diverged, chain {worst} in {int(divergent[worst])} of {steps} steps: "
            "see where they began (Draws.lost): all in one corner, and the draws miss what lies behind (try a smaller "
            "step_size or another parameterisation); at the wall of a bounded support they are plain refusals",
            RuntimeWarning,
            stacklevel=3,
        )


def tune_step_size(
    step: Step,
    log_prob: LogProb,
    x: Tensor,
    *,
    target: float,
    step_size: float = 0.1,
    steps: int = 200,
    generator: Generator | None = None,
) -> tuple[float, Tensor]:
    r"""log eta_{t+1} = log eta_t + (A_t - target) / sqrt(t + 1), A_t the mean acceptance of the chains (Robbins-Monro).

    x (chains, d) -> the geometric mean of eta over the second half, and the positions reached. Adaptation breaks the
    Markov property: keep its draws out of the sample. Raises ValueError for a sampler that refuses nothing (ULA).
    Source: Andrieu & Thoms 2008, section 4.
    """
    if not 0 < target < 1 or steps < 2:
        raise ValueError(f"need 0 < target < 1 and steps >= 2, got {target=}, {steps=}")
    s, log_eta = start(x.detach(), log_prob), torch.tensor(step_size, dtype=torch.float64).log()
    path, refused = [], False
    for t in range(steps):
        s, info = step(log_prob, s, step_size=float(log_eta.exp()), generator=generator)
        log_eta = log_eta + (info.log_accept.exp().mean().double().cpu() - target) / (t + 1) ** 0.5
        refused = refused or bool((info.log_accept < 0).any())
        path.append(log_eta)
    if not refused:
        raise ValueError("nothing was refused in any step: this sampler, or this target, has no acceptance to tune to")
    return float(torch.stack(path[steps // 2 :]).mean().exp()), s.x
