r"""The smoothed classifier g(x) = argmax_c P(f(x + sigma xi) = c), xi ~ N(0, I): votes, PREDICT, CERTIFY, attacks."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from scipy import stats
from torch import Generator, Tensor, nn

from helpers import checks, runtime
from helpers.attacks.pgd import pgd_l2
from helpers.attacks.threat import Model, check_batch, check_logits
from helpers.smoothing.certificates import ABSTAIN, Certificate, certify, smoothed_predict
from helpers.smoothing.noise_training import mean_log_softmax, noisy_copies
from helpers.training import evaluating

BUDGET = {"cpu": 2**19, "other": 2**25}  # entries of noisy copies at once: what a CPU's cache, what a GPU likes


class Smooth:
    r"""The network f under Gaussian noise of scale sigma:  g(x) = argmax_c P(f(Q(x + sigma xi)) = c),  Q to the nearest
    multiple of `lattice`, h: by default the power of two in (sigma / 8192, sigma / 4096].

    A rounded sum x + sigma xi carries the last bits of x, and an f that reads them was certified falsely, 20 digits of
    20 (h = 0: no lattice). Q(x + sigma xi), computed in float64, is a function of the exact sum unless that falls
    within a rounding of the border of two cells: so each certificate holds for this g, p_A being exact up to 2^{-35}
    for each entry of x, |x| <= 4 sigma. (Apple's GPUs have no float64: nothing is proved there.) Voracek & Hein 2023;
    Cohen et al. 2019, section 3.2.

    model: x (N, ...) -> logits (N, K), each row from its own image: the caller sees to it that none looks at another.
    At most `budget` entries of noisy copies exist at once, whatever N and n are (but always one whole copy): by default
    2^19 = 524,288 on a CPU (668 pictures of 28 x 28), 2^25 elsewhere; what f needs comes on top. On a CPU the votes do
    not depend on the budget. Every method runs f in evaluation mode, and draws from `generator`, which lives where x
    does. Each raises ValueError for logits that are NaN or fewer than two a row, for x that is no batch, lives
    elsewhere than f, is in half precision or beyond 2^24 h, for n < 1.
    """

    def __init__(self, model: Model, sigma: float, *, lattice: float | None = None, budget: int | None = None) -> None:
        checks.positive("sigma", sigma)
        if budget is not None:
            checks.whole("budget", budget)
        self.lattice = 2.0 ** (math.floor(math.log2(sigma)) - 12) if lattice is None else lattice
        checks.at_least("lattice", self.lattice, 0)
        self.model, self.sigma, self.budget = model, float(sigma), budget

    @torch.no_grad()
    def votes(self, x: Tensor, n: int, *, generator: Generator | None = None, progress: bool = False) -> Tensor:
        """How many of n fresh noisy copies of each image f puts in each class: x (N, ...) -> (N, K) int64."""
        checks.whole("n", n)
        with evaluating(self.model):
            return self._count(x, n, self._classes(x, generator), generator, progress)

    def predict(
        self, x: Tensor, n: int, alpha: float, *, generator: Generator | None = None, progress: bool = False
    ) -> Tensor:
        """PREDICT: smoothing.smoothed_predict of n votes, the class or ABSTAIN (-1). x (N, ...) -> (N,)."""
        checks.level(alpha)
        return smoothed_predict(self.votes(x, n, generator=generator, progress=progress), alpha)

    @torch.no_grad()
    def certify(
        self,
        x: Tensor,
        n0: int,
        n: int,
        alpha: float,
        *,
        generator: Generator | None = None,
        progress: bool = True,
    ) -> Certificate:
        """CERTIFY: n0 votes choose the class, n others bound its probability (smoothing.certify).

        Each certificate holds with probability at least 1 - alpha. Interrupted (KeyboardInterrupt), it returns those of
        the first images of x, which are finished, with a warning that says how many. The budget sets the groups in
        which images are taken, and so the order of the draws.
        """
        checks.level(alpha)
        checks.whole("n0", n0)
        checks.whole("n", n)
        classes = self._classes(x, generator)
        group, done = max(1, 16 * self.batch(x) // (n0 + n)), list[Certificate]()
        try:
            with evaluating(self.model), runtime.progress(x.split(group), "certifying", show=progress) as bar:
                for images in bar:
                    selection = self._count(images, n0, classes, generator)
                    votes = self._count(images, n, classes, generator)
                    done.append(certify(selection, votes, sigma=self.sigma, alpha=alpha))
        except KeyboardInterrupt:
            if not done:
                raise
            finished = sum(len(part.prediction) for part in done)
            warnings.warn(f"interrupted: only the first {finished} of {len(x)} images are certified", stacklevel=2)
        return Certificate(*map(torch.cat, zip(*done, strict=True)))

    def probabilities(self, x: Tensor, n: int, *, generator: Generator | None = None) -> Tensor:
        r"""Soft smoothing, (1/n) sum_j softmax(f(x + sigma xi_j)): x (N, ...) -> (N, K), differentiable in x.

        All N n copies exist at once, so that gradients can flow: the budget does not hold here.
        """
        self._classes(x, generator)
        _refuse_soft_max(self.model, x)
        with evaluating(self.model):
            return mean_log_softmax(self.model, noisy_copies(x, self.sigma, n, generator)).exp()

    def batch(self, x: Tensor) -> int:
        """How many noisy copies of an image of x (N, ...) the budget allows at once: at least one."""
        budget = self.budget or BUDGET["cpu" if x.device.type == "cpu" else "other"]
        return max(1, budget // max(1, x[0].numel()))

    def _count(self, x: Tensor, n: int, classes: int, generator: Generator | None, progress: bool = False) -> Tensor:
        """What votes returns, the checks and the evaluation mode left to the caller."""
        total, batch = len(x) * n, self.batch(x)
        counts = torch.zeros(len(x) * classes, dtype=torch.int64, device=x.device)
        flawed = torch.zeros((), dtype=torch.bool, device=x.device)
        centre = self._in_steps(x)
        noise = torch.empty((min(batch, total), *x.shape[1:]), device=x.device, dtype=centre.dtype)
        with runtime.progress(range(0, total, batch), "voting", show=progress) as bar:
            for start in bar:
                stop = min(start + batch, total)
                copies = self._draw(noise[: stop - start], generator)
                for i in range(start // n, -(-stop // n)):  # the images whose copies these are
                    copies[max(0, i * n - start) : (i + 1) * n - start] += centre[i]
                if self.lattice:
                    copies = copies.round_().mul_(self.lattice).to(x.dtype)
                logits = self.model(copies)
                if logits.shape != (len(copies), classes):
                    raise ValueError(f"the model must return logits {len(copies), classes} for {len(copies)} copies, "
                                     f"one row for each, got {tuple(logits.shape)}")  # fmt: skip
                row = torch.arange(start, stop, device=x.device) // n
                flawed |= logits.isnan().any()
                counts += torch.bincount(row * classes + logits.argmax(1), minlength=len(counts))
        if flawed:
            raise ValueError("the model must return logits without NaN, got NaN for a noisy copy of the images")
        return counts.view(len(x), classes)

    def _in_steps(self, x: Tensor) -> Tensor:
        """x in units of the lattice, in float64 where there is one."""
        if not self.lattice:
            return x
        if not x.abs().max() <= 2**24 * self.lattice:
            raise ValueError(f"x must lie within 2^24 lattice steps ({2**24 * self.lattice:.4g}) of 0, got "
                             f"{float(x.abs().max()):.4g}: centre it, or take a coarser lattice")  # fmt: skip
        return (x if x.device.type == "mps" else x.double()) / self.lattice

    def _draw(self, out: Tensor, generator: Generator | None) -> Tensor:
        """sigma xi in units of the lattice, in place: by sqrt(2) erf^{-1} in float64, faster than normal_ there."""
        if not self.lattice or out.dtype != torch.float64:
            return out.normal_(0, self.sigma / (self.lattice or 1), generator=generator)
        return out.uniform_(-1, 1, generator=generator).erfinv_().mul_(math.sqrt(2) * self.sigma / self.lattice)

    @torch.no_grad()
    def _classes(self, x: Tensor, generator: Generator | None) -> int:
        """K, the length of the logits of one image, and the checks of what goes in."""
        if x.dtype not in (torch.float32, torch.float64) or x.ndim < 2 or x.numel() == 0:
            raise ValueError(f"x must be a non-empty floating batch (N, ...) of float32 or 64 (half precision proves "
                             f"nothing), got {tuple(x.shape)} of {x.dtype}")  # fmt: skip
        weight = next(self.model.parameters(), x) if isinstance(self.model, nn.Module) else x
        if weight.device != x.device:
            raise ValueError(f"x must live where the model does, {weight.device}, got {x.device}: move one with .to()")
        checks.drawn_on(generator, x)
        if not x.isfinite().all():
            raise ValueError(f"x must be finite, got {int((~x.isfinite()).sum())} NaN or infinite entries")
        with evaluating(self.model):
            logits = self.model(x[:1].clone())
        if logits.ndim != 2 or len(logits) != 1 or logits.shape[1] < 2:
            raise ValueError(f"the model must return logits (N, K), K >= 2, got {tuple(logits.shape)} for one image")
        if logits.isnan().any():
            raise ValueError("the model must return logits without NaN, got NaN for the first image")
        return logits.shape[1]


@torch.no_grad()
def _refuse_soft_max(model: Model, x: Tensor) -> None:
    """Raise ValueError unless f returns finite logits, and no probabilities, for the first images of x."""
    with evaluating(model):
        logits = model(x[:8].clone())
    check_logits(logits, len(x[:8]), torch.zeros(1, dtype=torch.int64))


@contextmanager
def _frozen(model: Model) -> Iterator[None]:
    """Evaluation mode, and no graph for the weights: gradients are wanted for the images only."""
    weights = [w for w in model.parameters() if w.requires_grad] if isinstance(model, nn.Module) else []
    with evaluating(model):
        for w in weights:
            w.requires_grad_(False)
        try:
            yield
        finally:
            for w in weights:
                w.requires_grad_(True)


def pgd_smoothed(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    sigma: float,
    eps: float | Tensor,
    steps: int = 20,
    samples: int = 32,
    generator: Generator | None = None,
    progress: bool = False,
) -> Tensor:
    r"""pgd_l2 on -log (1/m) sum_j softmax(f(x_adv + sigma xi_j))_y, with m = samples fixed draws xi_j for each image:
    an attack on the soft smoothed classifier, as a stand-in for g, whose votes have no gradient.

    x (N, ...) in [0, 1], y (N,), eps one number or (N,) -> x_adv (N, ...) in [0, 1], ||x_adv - x||_2 <= eps. The noise
    is not clipped. Salman et al. 2019, section 2.2 (SmoothAdv, PGD).
    """
    check_batch(x, y)
    checks.positive("sigma", sigma)
    checks.whole("samples", samples)
    _refuse_soft_max(model, x)
    radii = torch.as_tensor(eps, dtype=x.dtype, device=x.device).expand(len(x))
    group = max(1, Smooth(model, sigma).batch(x) // samples)
    found = []
    with _frozen(model), runtime.progress(range(0, len(x), group), "attacking", show=progress) as bar:
        for start in bar:
            part = slice(start, start + group)
            noise = noisy_copies(torch.zeros_like(x[part]), sigma, samples, generator)

            def smoothed(z: Tensor, noise: Tensor = noise) -> Tensor:
                return mean_log_softmax(model, z + noise)

            found.append(pgd_l2(smoothed, x[part], y[part], eps=radii[part], steps=steps, generator=generator))
    return torch.cat(found)


def flips(votes: Tensor, certified: Tensor, alpha: float) -> Tensor:
    """Where the votes prove, at level alpha, that g has left the certified class: PREDICT names another one.

    votes (N, K) at x_adv, certified (N,) the classes at x -> (N,) bool; False where either is ABSTAIN.
    """
    now = smoothed_predict(votes, alpha)
    return (now != ABSTAIN) & (certified != ABSTAIN) & (now != certified)


def allowed_failures(trials: int, rate: float, level: float = 1e-4) -> int:
    """The smallest k with P(Bin(trials, rate) > k) <= level: more failures than k refute that each has at most `rate`.

    Raises ValueError for trials < 1 and for rate or level outside (0, 1).
    """
    checks.whole("trials", trials)
    checks.level(rate)
    checks.level(level)
    return int(stats.binom.isf(level, trials, rate))
