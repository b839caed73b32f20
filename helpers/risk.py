r"""Lecture 1, `risk`: empirical risk, losses of the margin, steps of gradient descent, priors, entropies.

Symbols: x input, y label (-1 or +1 for two classes, 0 .. K-1 for K), w weights, g discriminant function, M = y g
margin, R risk, eta step size, beta momentum, tau weight penalty, p and q densities. Logarithms are natural: nats.
helpers.descent holds what is needed besides: methods, noise, schedules, quadratics.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor], Tensor]

# Risk and margin losses ----------------------------------------------------------------------------------------------


def empirical_risk(
    loss: Callable[[Tensor, Tensor], Tensor], a: Callable[[Tensor], Tensor], x: Tensor, y: Tensor
) -> Tensor:
    r"""R(a, X^m) = (1/m) sum_i L(a(x_i), y_i).

    loss maps predictions and labels (m, ...) to one loss per object (m,); a maps x (m, ...) to predictions -> scalar.
    Raises ValueError if x and y differ in length, are empty, or loss does not give one number per object.
    """
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"x and y must hold the same number (at least 1) of objects, got {len(x)} and {len(y)}")
    losses = loss(a(x), y)
    if losses.shape != (len(x),):
        raise ValueError(f"loss must return one number per object, shape {(len(x),)}, got {tuple(losses.shape)}")
    return losses.mean()


def zero_one_loss(margin: Tensor) -> Tensor:
    """L(M) = [M < 0]: 1 for a mistake, 0 else. Same shape and dtype as the margin."""
    return (margin < 0).to(margin.dtype)


def logistic_loss(margin: Tensor) -> Tensor:
    r"""L(M) = ln(1 + exp(-M)) in nats, stable for every finite M; divide by ln 2 for the bound [M < 0] <= L(M)."""
    return torch.logaddexp(torch.zeros_like(margin), -margin)


def hinge_loss(margin: Tensor) -> Tensor:
    """L(M) = max(0, 1 - M), the loss of the support vector machine."""
    return F.relu(1 - margin)


def squared_hinge_loss(margin: Tensor) -> Tensor:
    """L(M) = max(0, 1 - M)^2."""
    return F.relu(1 - margin).square()


def exponential_loss(margin: Tensor) -> Tensor:
    """L(M) = exp(-M), the loss of AdaBoost."""
    return torch.exp(-margin)


def quadratic_loss(margin: Tensor) -> Tensor:
    """L(M) = (1 - M)^2 = (y - g)^2 for y = +-1: least squares on the labels."""
    return (1 - margin).square()


def sigmoid_loss(margin: Tensor) -> Tensor:
    """L(M) = 2 / (1 + exp(M)): bounded by 2, not convex."""
    return 2 * torch.sigmoid(-margin)


SURROGATES: dict[str, Loss] = {
    "logistic (base 2)": lambda margin: logistic_loss(margin) / math.log(2),
    "hinge": hinge_loss,
    "squared hinge": squared_hinge_loss,
    "exponential": exponential_loss,
    "quadratic": quadratic_loss,
    "sigmoid": sigmoid_loss,
}


def separating_lines(x: Tensor) -> Tensor:
    r"""Lines g(x) = w_0 + w_1 x_1 + w_2 x_2 that realise every way in which a line can split m points of the plane.

    For each pair (i, j): the line through both, tilted by less than the distance to any third point so that x_i and x_j
    fall on either side (2 x 2 ways), in both orientations. x (m, 2), no three on a line -> (4 m (m - 1), 3). There are
    m^2 - m + 2 different splits (Cover 1965); each stands here at least once.
    Raises ValueError unless m >= 3, and if three points lie on a line.
    """
    if x.ndim != 2 or x.shape[1] != 2 or len(x) < 3:
        raise ValueError(f"x must hold at least three points of the plane, shape (m, 2), got {tuple(x.shape)}")
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    along = (x[j] - x[i]) / (x[j] - x[i]).square().sum(1, keepdim=True)
    normal = torch.stack([-along[:, 1], along[:, 0]], 1)
    position = along @ x.T - (along * x[i]).sum(1, keepdim=True)  # 0 at x_i, 1 at x_j
    height = normal @ x.T - (normal * x[i]).sum(1, keepdim=True)  # 0 at both
    height[torch.arange(len(i)), i] = height[torch.arange(len(i)), j] = math.inf
    tilt = 0.5 * (height.abs() / (1 + 2 * position.abs())).amin(1, keepdim=True)
    if not (tilt > 0).all():
        raise ValueError("x must hold no three points on a line and no point twice: move one of them a little")
    lines = []
    for side_i, side_j in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        slope = normal + tilt * (side_j - side_i) * along
        offset = tilt * side_i - (slope * x[i]).sum(1, keepdim=True)
        lines.append(torch.cat([offset, slope], 1))
    both = torch.cat(lines)
    return torch.cat([both, -both])


def legendre(x: Tensor, degree: int) -> Tensor:
    r"""(P_0(x), ..., P_degree(x)),  (n + 1) P_{n+1} = (2n + 1) x P_n - n P_{n-1}: Legendre's polynomials.

    Orthogonal on [-1, 1], so least squares stays well-conditioned. x (...) -> (..., degree + 1).
    Raises ValueError if degree < 0.
    """
    if degree < 0:
        raise ValueError(f"degree must be >= 0, got {degree}")
    p = [torch.ones_like(x), x]
    for n in range(1, degree):
        p.append(((2 * n + 1) * x * p[n] - n * p[n - 1]) / (n + 1))
    return torch.stack(p[: degree + 1], -1)


# Steps of gradient descent -------------------------------------------------------------------------------------------


def sgd_step(
    w: Tensor, gradient: Tensor, velocity: Tensor, *, eta: float, beta: float = 0.0, tau: float = 0.0
) -> tuple[Tensor, Tensor]:
    r"""v <- beta v + (gradient + tau w);  w <- w - eta v.

    With beta = 0 this is w <- (1 - tau eta) w - eta gradient: weight decay. All tensors of one shape -> (w, v).
    Raises ValueError unless eta > 0, 0 <= beta < 1, tau >= 0 and the shapes agree. Source: Polyak 1964.
    """
    if not (eta > 0 and 0 <= beta < 1 and tau >= 0):
        raise ValueError(f"need eta > 0, 0 <= beta < 1 and tau >= 0, got {eta=}, {beta=}, {tau=}")
    if not w.shape == gradient.shape == velocity.shape:
        shapes = [tuple(t.shape) for t in (w, gradient, velocity)]
        raise ValueError(f"w, gradient and velocity must have one shape, got {shapes}")
    velocity = beta * velocity + gradient + tau * w
    return w - eta * velocity, velocity


def optimal_step_quadratic(gradient: Tensor, hessian: Tensor) -> Tensor:
    r"""eta* = g'g / g'Hg, the step that minimises 1/2 w'Hw - b'w along -g.

    gradient (..., d), hessian (..., d, d) or (d, d), positive definite -> (...).
    Raises ValueError if the shapes disagree or the curvature g'Hg is not positive.
    """
    d = gradient.shape[-1:]
    if hessian.shape not in (d + d, gradient.shape + d):
        allowed = f"{tuple(d + d)} or {tuple(gradient.shape + d)}"
        raise ValueError(f"for this gradient, hessian must have the shape {allowed}, got {tuple(hessian.shape)}")
    curvature = torch.einsum("...i,...ij,...j->...", gradient, hessian, gradient)
    if not (curvature > 0).all():
        raise ValueError(f"g'Hg must be positive, got {curvature.min().item():.3g}: is g zero or H indefinite?")
    return gradient.square().sum(-1) / curvature


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


# Likelihoods and priors ----------------------------------------------------------------------------------------------


def gaussian_log_likelihood(y: Tensor, mean: Tensor, sigma: float) -> Tensor:
    r"""ln N(y; mean, sigma^2) = -(y - mean)^2 / (2 sigma^2) - 1/2 ln(2 pi sigma^2), elementwise.

    mean has the shape of y or is one number. Raises ValueError for another shape, or unless sigma > 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    if torch.is_tensor(mean) and mean.ndim > 0 and mean.shape != y.shape:
        raise ValueError(f"mean must be one number or of the shape of y, {tuple(y.shape)}, got {tuple(mean.shape)}")
    return -(y - mean).square() / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma**2)


def prior_strength(sigma: float, m: int | None = None) -> float:
    r"""tau = 1 / sigma^2 for the sum of -ln p over the sample, tau = 1 / (m sigma^2) for its mean over m objects.

    The penalty is tau |w|^2 / 2, the prior N(0, sigma^2 I). Raises ValueError unless sigma > 0 and m >= 1.
    """
    if not sigma > 0 or (m is not None and m < 1):
        raise ValueError(f"need sigma > 0 and m >= 1, got {sigma=}, {m=}")
    return 1 / (sigma**2 * (1 if m is None else m))


def laplace_strength(b: float, m: int | None = None) -> float:
    r"""tau = 1 / b for the sum, 1 / (m b) for the mean: the penalty is tau |w|_1, the prior exp(-|w|/b) / (2b).

    Raises ValueError unless b > 0 and m >= 1.
    """
    if not b > 0 or (m is not None and m < 1):
        raise ValueError(f"need b > 0 and m >= 1, got {b=}, {m=}")
    return 1 / (b * (1 if m is None else m))


def soft_threshold(w: Tensor, threshold: float) -> Tensor:
    r"""sign(w) max(|w| - threshold, 0) = arg min_u 1/2 |u - w|^2 + threshold |u|_1, elementwise.

    Raises ValueError unless threshold >= 0.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be >= 0, got {threshold}")
    return w.sign() * F.relu(w.abs() - threshold)


# Soft-max and information --------------------------------------------------------------------------------------------


def softmax(z: Tensor) -> Tensor:
    r"""p_k = exp(z_k) / sum_j exp(z_j) over the last dimension, exact for every finite z (the maximum is taken out)."""
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def multiclass_logistic_loss(z: Tensor, y: Tensor) -> Tensor:
    r"""L(z, y) = ln sum_j exp(z_j) - z_y = -ln softmax(z)_y. z (N, K), y (N,) of int64 in 0 .. K-1 -> (N,).

    Raises ValueError if the shapes or the type of y are others.
    """
    if z.ndim != 2 or y.shape != z.shape[:1] or y.dtype != torch.int64:
        raise ValueError(f"z must be (N, K), y (N,) of int64, got {tuple(z.shape)}, {tuple(y.shape)} of {y.dtype}")
    return torch.logsumexp(z, -1) - z.gather(1, y[:, None])[:, 0]


def softmax_gradient(w: Tensor, x: Tensor, y: Tensor, tau: float = 0.0) -> Tensor:
    r"""(1/k) (softmax(x w') - Y)' x + tau w, Y the one-hot labels: the gradient of the penalised multi-class risk.

    The scores are z = x w', the penalty tau |w|^2 / 2. w (K, d), x (k, d), y (k,) in 0 .. K-1 -> (K, d).
    Raises ValueError if the shapes disagree.
    """
    if y.shape != x.shape[:1] or w.shape[1:] != x.shape[1:]:
        raise ValueError(f"need w (K, d), x (k, d), y (k,), got {tuple(w.shape)}, {tuple(x.shape)}, {tuple(y.shape)}")
    return (softmax(x @ w.T) - F.one_hot(y, len(w)).to(x.dtype)).T @ x / len(x) + tau * w


def _distributions(*distributions: Tensor) -> None:
    for p in distributions:
        if p.shape != distributions[0].shape:
            raise ValueError(f"distributions must have one shape, got {[tuple(d.shape) for d in distributions]}")
        if not ((p >= 0).all() and torch.isclose(p.sum(-1), torch.ones_like(p.sum(-1)), atol=1e-4).all()):
            raise ValueError(
                f"each row must be >= 0 and sum to 1, got minimum {p.min():.3g}, sums {p.sum(-1).flatten()[:3]}"
            )


def entropy(p: Tensor) -> Tensor:
    r"""H(p) = -sum_k p_k ln p_k with 0 ln 0 = 0; 0 <= H <= ln K.

    p (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p)
    return -torch.special.xlogy(p, p).sum(-1)


def cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    r"""CE(p, q) = -sum_k p_k ln q_k = H(p) + KL(p || q) with 0 ln 0 = 0; inf where q_k = 0 < p_k.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p, q)
    return -torch.special.xlogy(p, q).sum(-1)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""KL(p || q) = sum_k p_k ln(p_k / q_k) >= 0 with 0 ln 0 = 0; inf where q_k = 0 < p_k.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p, q)
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""JS(p, q) = 1/2 KL(p || c) + 1/2 KL(q || c),  c = (p + q)/2;  0 <= JS <= ln 2.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p, q)
    centre = (p + q) / 2
    return (kl_divergence(p, centre) + kl_divergence(q, centre)) / 2


def js_distance(p: Tensor, q: Tensor) -> Tensor:
    r"""sqrt(JS(p, q)), a metric; its largest value is sqrt(ln 2). Source: Endres & Schindelin 2003, theorem 1.

    p, q (..., K), rows that sum to 1 -> (...). Raises ValueError for anything else.
    """
    return js_divergence(p, q).clamp(min=0).sqrt()


def mixture_log_density(x: Tensor, means: Tensor, sigmas: Tensor, weights: Tensor) -> Tensor:
    r"""ln sum_k pi_k N(x; mu_k, sigma_k^2). x (...), means, sigmas, weights (K,), the weights sum to 1 -> (...).

    Raises ValueError if the shapes differ, a sigma is not positive, or the weights are no distribution.
    """
    if means.ndim != 1 or not means.shape == sigmas.shape == weights.shape or not (sigmas > 0).all():
        shapes = [tuple(t.shape) for t in (means, sigmas, weights)]
        raise ValueError(f"means, sigmas > 0 and weights must have one shape (K,), got {shapes}, {sigmas=}")
    _distributions(weights)
    z = (x.unsqueeze(-1) - means) / sigmas
    return torch.logsumexp(weights.log() - sigmas.log() - 0.5 * math.log(2 * math.pi) - z.square() / 2, -1)


def fit_gaussian(
    log_p: Tensor, grid: Tensor, *, forward: bool, start: tuple[float, float]
) -> tuple[float, float, float]:
    r"""arg min over (mu, sigma) of KL(p || q) (forward) or KL(q || p) (reverse), q = N(mu, sigma^2), by L-BFGS.

    log_p (G,) is ln p on the evenly spaced grid (G,); start = (mu, sigma) -> (mu, sigma, KL in nats).
    Raises ValueError if the shapes differ or the sigma of the start is not positive.
    """
    if log_p.shape != grid.shape or grid.ndim != 1 or len(grid) < 2 or not start[1] > 0:
        shapes = f"{tuple(log_p.shape)} and {tuple(grid.shape)}"
        raise ValueError(f"log_p and grid must both be (G,), the sigma of the start positive, got {shapes}, {start=}")
    dx = grid[1] - grid[0]
    theta = torch.tensor([start[0], math.log(start[1])], dtype=grid.dtype, requires_grad=True)

    def divergence() -> Tensor:
        log_q = -((grid - theta[0]) / theta[1].exp()).square() / 2 - theta[1] - 0.5 * math.log(2 * math.pi)
        a, b = (log_p, log_q) if forward else (log_q, log_p)
        return (a.exp() * (a - b)).sum() * dx

    optimizer = torch.optim.LBFGS([theta], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = divergence()
        value.backward()
        return value

    optimizer.step(closure)
    return theta[0].item(), theta[1].exp().item(), divergence().item()
