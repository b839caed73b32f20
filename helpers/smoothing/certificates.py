"""Further certificates on the same votes, how many votes a radius needs, and the curves that judge a network."""

import math
from typing import NamedTuple

import torch
from scipy import special
from torch import Tensor

from helpers import checks


def neyman_pearson_bound(p_a: Tensor | float, distance: Tensor | float, sigma: float) -> Tensor:
    r"""min P(f(x + delta + sigma xi) = A) over every f with P(f(x + sigma xi) = A) >= p_A, ||delta||_2 = distance:
    Phi(Phi^{-1}(p_A) - distance / sigma),  attained where f is a half-space across delta.

    p_A in [0, 1] and distance >= 0 broadcast. Cohen et al. 2019, lemma 4.
    """
    checks.positive("sigma", sigma)
    p_a, distance = checks.probability("p_a", p_a), torch.as_tensor(distance, dtype=torch.float64)
    if not (distance >= 0).all():
        raise ValueError(f"distance must be at least 0, got {float(distance.min()):.4g}")
    return torch.special.ndtr(torch.special.ndtri(p_a) - distance / sigma)


def certified_radius(p_a: Tensor | float, sigma: float, p_b: Tensor | float | None = None) -> Tensor:
    r"""r = sigma / 2 (Phi^{-1}(p_A) - Phi^{-1}(p_B));  without p_B it is 1 - p_A:  r = sigma Phi^{-1}(p_A).

    p_A bounds the probability of the class A from below, p_B that of every other class from above; r = 0 where
    p_A <= p_B: nothing is certified. Shapes broadcast. Raises ValueError for sigma <= 0 and outside [0, 1].
    Cohen et al. 2019, theorem 1.
    """
    checks.positive("sigma", sigma)
    p_a = checks.probability("p_a", p_a)
    p_b = 1 - p_a if p_b is None else checks.probability("p_b", p_b)
    radius = sigma / 2 * (torch.special.ndtri(p_a) - torch.special.ndtri(p_b))
    return torch.where(p_a > p_b, radius, 0.0)


def clopper_pearson_lower(successes: Tensor | int, n: int, alpha: float) -> Tensor:
    r"""The p with P(Bin(n, p) >= k) = alpha, k = successes: the alpha quantile of Beta(k, n - k + 1); 0 for k = 0.

    P(p <= true probability) >= 1 - alpha whatever that is: one-sided. successes: any shape, 0 ... n. Raises
    ValueError for n < 1, counts outside 0 ... n, alpha outside (0, 1). Clopper & Pearson 1934.
    """
    checks.level(alpha)
    k = checks.counts("successes", torch.as_tensor(successes), n).double()
    p = special.betaincinv(k.cpu().numpy(), (n - k + 1).cpu().numpy(), alpha)
    return torch.where(k > 0, torch.as_tensor(p, device=k.device), 0.0)


ABSTAIN = -1  # the prediction of a smoothed classifier whose votes are too close


def smoothed_predict(votes: Tensor, alpha: float) -> Tensor:
    r"""The class with the most votes, or ABSTAIN (-1) where the two-sided test of H0: p_A = p_B,
    P-value = min(1, 2 P(Bin(n_A + n_B, 1/2) >= n_A)), gives more than alpha.

    n_A, n_B are the two largest counts. votes (N, K) -> (N,): wrong about g(x) with probability at most alpha.
    Cohen et al. 2019, PREDICT; Hung & Fithian 2019.
    """
    checks.level(alpha)
    top, classes = checks.counts("votes", votes, None).topk(2)
    a, total = top[:, 0].double(), top.sum(1)
    tail = torch.as_tensor(special.bdtrc((a - 1).cpu().numpy(), total.cpu().numpy(), 0.5), device=votes.device)
    return torch.where(2 * tail <= alpha, classes[:, 0], ABSTAIN)


class Certificate(NamedTuple):
    """prediction (N,), ABSTAIN (-1) where none; radius (N,), 0 where none; lower (N,): the bound of p_A behind it."""

    prediction: Tensor
    radius: Tensor
    lower: Tensor


def certify(selection: Tensor, votes: Tensor, *, sigma: float, alpha: float) -> Certificate:
    r"""A = argmax of selection;  p = clopper_pearson_lower(votes for A, n, alpha);  r = sigma Phi^{-1}(p) if p > 1/2,
    else abstain.

    selection (N, K) and votes (N, K) count the classes of n_0 and of n noisy copies, drawn independently: the class is
    chosen on one sample and bounded on the other. With probability at least 1 - alpha the certificate of an image
    holds, if the copies are Gaussian to the last bit that f reads (smooth.Smooth, on rounding). Raises ValueError for
    one tensor as both samples. Cohen et al. 2019, CERTIFY.
    """
    checks.positive("sigma", sigma)
    n = _votes_of_each(selection, votes)
    chosen = selection.argmax(1)
    lower = clopper_pearson_lower(votes.gather(1, chosen[:, None])[:, 0], n, alpha)
    return Certificate(torch.where(lower > 0.5, chosen, ABSTAIN), certified_radius(lower, sigma), lower)


def _votes_of_each(selection: Tensor, votes: Tensor) -> int:
    """n, how many copies of every image voted. Raises ValueError unless the two are samples as certify wants them."""
    if selection.shape != votes.shape:
        raise ValueError(f"selection and votes must agree, got {tuple(selection.shape)} and {tuple(votes.shape)}")
    if selection.data_ptr() == votes.data_ptr():
        raise ValueError("selection and votes must be two samples, got the same tensor: it breaks the guarantee")
    checks.counts("selection", selection, None)
    n = checks.counts("votes", votes, None).sum(1)
    if not (n == n[0]).all():
        raise ValueError(f"votes must hold as many copies of every image, got from {int(n.min())} to {int(n.max())}")
    return int(n[0])


def max_certifiable_radius(n: int, alpha: float, sigma: float) -> float:
    r"""sigma Phi^{-1}(alpha^{1/n}): the radius of n votes that all agree, since P(Bin(n, p) >= n) = p^n. No
    certificate of n votes is larger.

    It grows as sigma sqrt(2 ln n) for huge n only: 3.81 sigma for n = 100,000 and alpha = .001.
    Cohen et al. 2019, section 3.2.2.
    """
    checks.level(alpha)
    checks.positive("sigma", sigma)
    checks.whole("n", n)
    return float(certified_radius(alpha ** (1 / n), sigma))


def top_k_radius(p_label: Tensor, p_others: Tensor, k: int, sigma: float, *, halvings: int = 60) -> Tensor:
    r"""The r at which  Phi(Phi^{-1}(p_l) - r / sigma) = min_{t = 1 ... k} Phi(Phi^{-1}(p_{S_t}) + r / sigma) / t:
    within it the label l stays among the k most probable ones.

    S_t holds the t least probable of the k most probable other classes, p_{S_t} = min(sum of their p, 1 - p_l).
    p_label (N,) bounds from below, p_others (N, K - 1) from above; -> (N,), 0 where l is not certain to be among the k
    at r = 0. k = 1 is certified_radius(p_l, sigma, max p_others). Bisection. Raises ValueError unless
    1 <= k <= K - 1. Jia et al. 2020, theorem 1.
    """
    checks.positive("sigma", sigma)
    p_label, p_others = checks.probability("p_label", p_label), checks.probability("p_others", p_others)
    checks.whole("k", k)
    if p_others.ndim != 2 or p_label.shape != p_others.shape[:1] or k > p_others.shape[1]:
        raise ValueError(f"k must lie in 1 ... K - 1 with p_label (N,) and p_others (N, K - 1), got k = {k} with "
                         f"{tuple(p_label.shape)} and {tuple(p_others.shape)}")  # fmt: skip
    sums = p_others.topk(k).values.flip(1).cumsum(1).minimum(1 - p_label[:, None])
    t = torch.arange(1, k + 1, device=sums.device)
    ours, theirs = torch.special.ndtri(p_label), torch.special.ndtri(sums)

    def holds(r: Tensor) -> Tensor:
        rivals = torch.special.ndtr(theirs + r[:, None] / sigma) / t
        return torch.special.ndtr(ours - r / sigma) > rivals.amin(1)

    low, high = torch.zeros_like(p_label), torch.full_like(p_label, 40 * sigma)
    for _ in range(halvings):
        middle = (low + high) / 2
        inside = holds(middle)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return low


def lecuyer_radius(p_a: Tensor, p_b: Tensor, sigma: float, *, points: int = 1000) -> Tensor:
    r"""max of sigma beta / sqrt(2 ln(1.25 (1 + e^beta) / (p_A - e^{2 beta} p_B))) over beta = (j - 1/2) / points
    min(1, ln(p_A / p_B) / 2), j = 1 ... points: what differential privacy certifies.

    Noise of scale sigma is (beta, delta)-private for shifts of ||.||_2 <= r if sigma = r sqrt(2 ln(1.25 / delta)) /
    beta, beta <= 1; then A stays first if p_A > e^{2 beta} p_B + (1 + e^beta) delta. (N,), (N,) -> (N,); 0 where
    p_A <= p_B. Lecuyer et al. 2018, proposition 1, as in Cohen et al. 2019, appendix I.
    """
    checks.positive("sigma", sigma)
    checks.whole("points", points)
    p_a, p_b = checks.probability("p_a", p_a), checks.probability("p_b", p_b)
    limit = (0.5 * (p_a / p_b).log()).clamp(max=1)
    beta = limit[..., None] * (torch.arange(1, points + 1, device=p_a.device) - 0.5) / points
    room = p_a[..., None] - (2 * beta).exp() * p_b[..., None]  # (1 + e^beta) delta
    private = sigma * beta / (2 * (1.25 * (1 + beta.exp()) / room).log()).sqrt()
    return torch.where(p_a > p_b, private.amax(-1), 0.0)


def renyi_radius(p_a: Tensor | float, p_b: Tensor | float, sigma: float, *, points: int = 1000) -> Tensor:
    r"""sup over a > 1 of sigma sqrt(-(2 / a) ln(1 - p_A - p_B + 2 M)),  M = ((p_A^{1-a} + p_B^{1-a}) / 2)^{1/(1-a)}:
    what the Renyi divergence of order a between the noise and the shifted noise, a r^2 / (2 sigma^2), certifies.

    Every order certifies; the supremum is taken on a grid of `points` orders, 1 + 10^{-3} ... 1 + 10^3. p_A bounds the
    first class's probability from below, p_B the second's from above; shapes broadcast; 0 where p_A <= p_B. Raises
    ValueError for sigma <= 0 and outside [0, 1]. Li et al. 2018, theorem 3.2, as in Cohen et al. 2019, appendix I.
    """
    checks.positive("sigma", sigma)
    a, b = torch.broadcast_tensors(checks.probability("p_a", p_a), checks.probability("p_b", p_b))
    order = 1 + torch.logspace(-3, 3, points, dtype=torch.float64, device=a.device)
    powers = torch.stack([a.log(), b.log()])[..., None] * (1 - order)
    mean = ((powers.logsumexp(0) - math.log(2)) / (1 - order)).exp()
    distance = (1 - a - b)[..., None] + 2 * mean
    radius = sigma * (-2 / order * distance.clamp(min=0, max=1).log()).sqrt()
    return torch.where(a > b, radius.amax(-1), 0.0)


def hoeffding_lower(successes: Tensor | int, n: int, alpha: float) -> Tensor:
    r"""max(0, k / n - sqrt(ln(1 / alpha) / (2 n))),  k = successes: at most the true probability, in at least 1 - alpha
    of all draws.

    The same room at every k, so it never comes near 1: with n votes that all agree, p >= 1 - sqrt(ln(1 / alpha) /
    (2 n)), where Clopper and Pearson have alpha^{1/n}. Any shape. Raises ValueError for n < 1, counts outside
    0 ... n, alpha outside (0, 1). Hoeffding 1963, theorem 1.
    """
    checks.level(alpha)
    k = checks.counts("successes", torch.as_tensor(successes), n).double()
    return (k / n - math.sqrt(math.log(1 / alpha) / (2 * n))).clamp(min=0)
