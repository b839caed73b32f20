"""Step sizes eta_t beside the cosine of helpers.risk: powers, stairs, restarts, triangles, and the plateau rule."""

import math
from collections.abc import Callable


def cosine_schedule(step: int, steps: int, peak: float, warmup: int = 0) -> float:
    r"""peak (t + 1)/warmup for t < warmup, then peak/2 (1 + cos(pi (t - warmup)/(steps - warmup))).

    step t in 0 .. steps, peak > 0, 0 <= warmup < steps -> eta_t. Raises ValueError outside these ranges.
    Source: Loshchilov & Hutter 2016, equation 5; warm-up: Goyal et al. 2017.
    """
    if not (0 <= warmup < steps and 0 <= step <= steps and peak > 0):
        raise ValueError(
            f"need 0 <= warmup < steps, 0 <= step <= steps, peak > 0, got {step=}, {steps=}, {peak=}, {warmup=}"
        )
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak / 2 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def _moment(step: int, **periods: int) -> None:
    if step < 0 or not all(period >= 1 for period in periods.values()):
        need = "".join(f", {name} >= 1" for name in periods)
        raise ValueError(f"need step >= 0{need}, got step={step}" + "".join(f", {k}={v}" for k, v in periods.items()))


def power_schedule(step: int, *, eta: float, power: float) -> float:
    """eta_t = eta / (t + 1)^power. Robbins and Monro 1951: sum eta_t = inf and sum eta_t^2 < inf, 1/2 < power <= 1.

    Raises ValueError if step < 0.
    """
    _moment(step)
    return eta / (step + 1) ** power


def step_decay_schedule(step: int, *, peak: float, every: int, factor: float = 0.1) -> float:
    """eta_t = peak factor^floor(t / every). Raises ValueError unless step >= 0 and every >= 1."""
    _moment(step, every=every)
    return peak * factor ** (step // every)


def restart_schedule(step: int, *, peak: float, period: int) -> float:
    """Cosine from peak to 0 over each period, then a restart at the peak: SGDR. Source: Loshchilov & Hutter 2016.

    Raises ValueError unless step >= 0, period >= 1 and peak > 0.
    """
    _moment(step, period=period)
    return cosine_schedule(step % period, period, peak)


def triangular_schedule(step: int, *, peak: float, period: int) -> float:
    """Linear from peak/10 up to peak in half a period and down again, for ever. Source: Smith 2017.

    Raises ValueError unless step >= 0 and period >= 1.
    """
    _moment(step, period=period)
    phase = abs(2 * (step % period) / period - 1)  # 1, down to 0 at half a period, up to 1
    return peak * (1 - 0.9 * phase)


def contest(steps: int, peak: float) -> dict[str, Callable[[int], float]]:
    """The schedules of the lecture by name, each a function of the step t in 0 .. steps - 1, with the same peak."""
    return {
        "constant": lambda t: peak,
        "1/sqrt(t)": lambda t: power_schedule(t, eta=peak, power=0.5),
        "stairs": lambda t: step_decay_schedule(t, peak=peak, every=steps // 3),
        "linear": lambda t: peak * (1 - t / steps),
        "cosine": lambda t: cosine_schedule(t, steps, peak, warmup=steps // 20),
        "triangles": lambda t: triangular_schedule(t, peak=peak, period=steps // 3),
        "restarts": lambda t: restart_schedule(t, peak=peak, period=steps // 3),
    }


class Plateau:
    """eta <- factor eta when the risk stays at or above its best value for more than `patience` calls in a row.

    Raises ValueError unless eta > 0, patience >= 0 and 0 < factor < 1.
    """

    def __init__(self, eta: float, *, patience: int, factor: float = 0.1) -> None:
        if not (eta > 0 and patience >= 0 and 0 < factor < 1):
            raise ValueError(f"need eta > 0, patience >= 0, 0 < factor < 1, got {eta=}, {patience=}, {factor=}")
        self.eta, self.patience, self.factor = eta, patience, factor
        self.best, self.waited = math.inf, 0

    def __call__(self, risk: float) -> float:
        """Takes the newest risk, returns the step size to use next."""
        self.waited = 0 if risk < self.best else self.waited + 1
        self.best = min(self.best, risk)
        if self.waited > self.patience:
            self.eta, self.waited = self.eta * self.factor, 0
        return self.eta
