"""Random squares: a search in the l_inf ball that asks one question a step. Andriushchenko et al. 2019, algorithm 1."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.attacks.blackbox import side as side_at
from helpers.attacks.projections import spread
from helpers.physical.queries import Run, Value, check_start, check_values


def check_square(x: Tensor, top: Tensor, left: Tensor, side: int, signs: Tensor) -> None:
    """Raise ValueError unless a square of `side` pixels, +1 or -1 in each channel, lies in each picture."""
    n, channels, height, width = x.shape
    checks.whole("side", side)
    for name, start, size in (("top", top, height), ("left", left, width)):
        if start.shape != (n,) or not ((start >= 0) & (start <= size - side)).all():
            raise ValueError(f"{name} must be {n} places in 0 ... {size - side} for side = {side}, got {start}")
    if signs.shape != (n, channels) or not (signs.abs() == 1).all():
        raise ValueError(f"signs must be +1 or -1 of shape {(n, channels)}, got {signs}")


def square_attack_step(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    x_adv: Tensor,
    value: Tensor,
    *,
    eps: float,
    top: Tensor,
    left: Tensor,
    side: int,
    signs: Tensor,
) -> tuple[Tensor, Tensor]:
    r"""x' = clip(x + eps signs) to [0, 1] in the square, x_adv elsewhere; kept where f(x') < f(x_adv).

    x, x_adv (N, C, H, W); value = f(x_adv) (N,), to be made small; the square of picture n has its corner at row top_n,
    column left_n, and one sign in each channel: signs (N, C). One query f(x') -> the new x_adv and its value (N,).
    Raises ValueError for squares that leave the picture, other signs, answers that are not finite.
    """
    check_square(x, top, left, side, signs)
    down, across = (torch.arange(size, device=x.device) for size in x.shape[2:])
    rows = (down >= top[:, None]) & (down < top[:, None] + side)
    columns = (across >= left[:, None]) & (across < left[:, None] + side)
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    candidate = torch.where(inside, (x + eps * signs[:, :, None, None]).clamp(0, 1), x_adv)
    new = check_values(f(candidate), (len(x),))
    better = new < value
    return torch.where(spread(better, x), candidate, x_adv), torch.where(better, new, value)


@torch.no_grad()
def square_search(value: Value, x: Tensor, *, eps: float, budget: int, generator: Generator | None = None) -> Run:
    """`budget` queries at most: vertical stripes first, then squares whose area is halved again and again.

    A picture stops where value < 0. With a classifier's margin it finds what helpers.attacks.square finds from the same
    state of the generator, and counts the queries. x (N, C, H, W) in [0, 1]. Raises ValueError for other x, budget < 1.
    """
    checks.whole("budget", budget)
    check_start(x, eps)
    n, channels, height, width = x.shape

    def integers(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator, device=x.device)

    active = torch.arange(n, device=x.device)
    x_adv = (x + eps * (2 * integers(2, n, channels, 1, width) - 1).to(x.dtype)).clamp(0, 1)
    found = check_values(value(x_adv, active), (n,)).clone()
    queries = torch.ones(n, dtype=torch.int64, device=x.device)
    for step in range(budget - 1):
        side = min(side_at(step, budget - 1, height * width), height, width)
        top, left = (integers(size - side + 1, n) for size in (height, width))
        signs = (2 * integers(2, n, channels) - 1).to(x.dtype)
        active = active[found[active] >= 0]
        if not len(active):
            break

        def asked(z: Tensor, rows: Tensor = active) -> Tensor:
            return value(z, rows)

        some = slice(None) if len(active) == n else active
        x_adv[some], found[some] = square_attack_step(
            asked,
            *(x[some], x_adv[some], found[some]),
            eps=eps,
            top=top[some],
            left=left[some],
            side=side,
            signs=signs[some],
        )
        queries[active] += 1
    return Run(x_adv, (found < 0).cpu(), queries.cpu())
