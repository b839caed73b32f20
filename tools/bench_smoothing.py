"""What certification costs beside the bare forward passes, how much memory it takes, and the exact bounds of arrays."""

import functools
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from scipy import stats

from helpers import data, models, runtime
from helpers.smoothing.certificates import clopper_pearson_lower
from helpers.smoothing.smooth import Smooth


def rows(rounds: int = 7, copies: int = 12_000) -> Iterator[tuple[str, float, float, str]]:
    """The rows of lecture 9; bare passes and certification take turns, so that what else runs falls on both."""
    device = runtime.device()
    limit = 1.2 if device.type == "cpu" else 1 / 0.9
    over_floor, lattice = _overhead(device, rounds, copies)
    yield "a copy in certify, no lattice / a bare pass and a Gaussian", over_floor, limit, ""
    yield "a copy in certify, with the lattice / without", lattice, 1.5, "float64 noise: no false certificate"
    yield "most entries of noise at once / budget", _peak(device), 1.0, ""
    yield "Clopper-Pearson: array / loop of scalar calls", _vectorised(), 0.02, ""


def _overhead(device: torch.device, rounds: int, copies: int) -> tuple[float, float]:
    """Seconds a copy inside certify without its lattice over what it cannot do without, a bare pass at the best batch
    size and a Gaussian an entry, which torch draws with one thread; and what the lattice adds. Medians over rounds."""
    model, x = models.lenet().to(device).eval(), data.load("mnist").x_test[:8].to(device)
    plain, exact, n0 = Smooth(model, 0.5, lattice=0), Smooth(model, 0.5), 100
    batches = [torch.rand(size, 1, 28, 28, device=device) for size in (128, 256, 512, 1024, 2048)]

    def bare(batch: torch.Tensor) -> Callable[[], object]:
        @torch.no_grad()
        def run() -> None:
            for _ in range(max(1, copies // len(batch))):
                model(batch)

        return run

    def ours(smooth: Smooth) -> None:
        smooth.certify(x, n0, copies // len(x) - n0, 0.001, progress=False)

    def per_pass(batch: torch.Tensor) -> float:
        return _seconds(bare(batch), device) / (max(1, copies // len(batch)) * len(batch))

    def per_draw(batch: torch.Tensor) -> float:
        noise, times = torch.empty_like(batch), max(1, copies // len(batch))
        return _seconds(lambda: [noise.normal_(0, 0.5) for _ in range(times)], device) / (times * len(batch))

    best = min(batches, key=lambda batch: min(per_pass(batch) for _ in range(4)))
    times = [
        (
            *(_seconds(functools.partial(ours, s), device) / copies for s in (plain, exact)),
            per_pass(best),
            per_draw(best),
        )
        for _ in range(rounds + 1)
    ][1:]
    certified, sound, bare_pass, draw = (statistics.median(column) for column in zip(*times, strict=True))
    return certified / (bare_pass + draw), sound / certified


def _peak(device: torch.device) -> float:
    """The largest input that the network sees over the budget, for n = 10, 1,000 and 100,000."""
    largest, budget = 0, 2**16

    def model(x: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, x.numel())
        return x[:, :2]

    for n in (10, 1_000, 100_000):
        Smooth(model, 0.5, budget=budget).votes(torch.rand(3, 16, device=device), n)
    return largest / budget


def _vectorised(n: int = 1_000) -> float:
    """n + 1 exact bounds at once over as many calls of scipy.stats.beta.ppf, which statsmodels makes."""
    counts = torch.arange(1, n + 1)
    ours = min(_seconds(lambda: clopper_pearson_lower(counts, n, 0.001), counts.device) for _ in range(5))
    loop = _seconds(lambda: [stats.beta.ppf(0.001, k, n - k + 1) for k in range(1, n + 1)], counts.device)
    return ours / loop


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
