"""Right answers of Lecture 1 in other styles than the course's own: `<exercise>`, `<exercise>_2`, and so on."""

import math

import numpy as np
import scipy.special
import scipy.stats
import torch
from torch.nn import functional as F


def empirical_risk(loss, a, x, y):
    """Object by object, in a Python loop."""
    total = 0.0
    for i in range(len(x)):
        total = total + loss(a(x[i : i + 1]), y[i : i + 1])[0]
    return total / len(y)


def empirical_risk_2(loss, a, x, y):
    """The formula to the letter: 1/m times the sum."""
    m = x.shape[0]
    return (1 / m) * torch.sum(loss(a(x), y))


def empirical_risk_4(loss, a, x, y):
    """In double precision inside, built-in sum, back to the type of the losses."""
    losses = loss(a(x), y)
    return (sum(losses.double()) / y.size(0)).to(losses.dtype)


def logistic_loss(margin):
    return -F.logsigmoid(margin)


def logistic_loss_2(margin):
    return F.softplus(-margin)


def logistic_loss_4(margin):
    """Two branches, each fed with numbers it can bear."""
    positive = margin >= 0
    inside = torch.where(positive, margin, -margin)
    return torch.where(positive, torch.log1p(torch.exp(-inside)), inside + torch.log1p(torch.exp(-inside)))


def gaussian_log_likelihood(y, mean, sigma):
    z = (y - mean) / sigma
    return -(z * z) / 2 - math.log(sigma) - math.log(math.sqrt(2 * math.pi))


def gaussian_log_likelihood_2(y, mean, sigma):
    """torch.distributions, its parameters made tensors of the type of y."""
    like = {"dtype": y.dtype, "device": y.device}
    mean = torch.as_tensor(mean, **like)
    return torch.distributions.Normal(mean, torch.as_tensor(sigma, **like)).log_prob(y)


def gaussian_log_likelihood_3(y, mean, sigma):
    """In double precision inside, with NumPy for the constant."""
    s = torch.tensor(float(sigma), dtype=torch.float64, device=y.device)
    return (-0.5 * ((y - mean).double() / s) ** 2 - torch.log(s) - 0.5 * np.log(2 * np.pi)).to(y.dtype)


def sgd_step(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):
    """In place, but on copies."""
    v = velocity.clone()
    v *= beta
    v += gradient
    v += tau * w
    return torch.sub(w, v, alpha=eta), v


def sgd_step_2(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):
    """torch's own optimiser, its momentum buffer filled by hand."""
    theirs = w.clone().requires_grad_()
    theirs.grad = gradient.clone()
    optimizer = torch.optim.SGD([theirs], lr=eta, momentum=beta, weight_decay=tau)
    optimizer.state[theirs]["momentum_buffer"] = velocity.clone()
    optimizer.step()
    return theirs.detach(), optimizer.state[theirs]["momentum_buffer"] if beta else gradient + tau * w


def sgd_step_3(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):
    """The penalised risk differentiated by autograd, in double precision."""
    u = w.double().clone().requires_grad_()
    (tau / 2 * u.square().sum() + (gradient.double() * u).sum()).backward()
    v = beta * velocity.double() + u.grad
    return (w.double() - eta * v).to(w.dtype), v.to(w.dtype)


def optimal_step_quadratic(gradient, hessian):
    hg = (hessian @ gradient.unsqueeze(-1)).squeeze(-1)
    return torch.linalg.vecdot(gradient, gradient) / torch.linalg.vecdot(gradient, hg)


def optimal_step_quadratic_2(gradient, hessian):
    """Row times matrix times column."""
    row, column = gradient[..., None, :], gradient[..., :, None]
    return ((row @ column) / (row @ hessian @ column))[..., 0, 0]


def optimal_step_quadratic_3(gradient, hessian):
    """Vector by vector, in NumPy's double precision."""
    d = gradient.shape[-1]
    g = gradient.reshape(-1, d).double().cpu().numpy()
    h = hessian.expand(*gradient.shape, d).reshape(-1, d, d).double().cpu().numpy()
    steps = [np.dot(a, a) / np.dot(a, np.dot(b, a)) for a, b in zip(g, h, strict=True)]
    return torch.tensor(np.array(steps)).to(gradient).reshape(gradient.shape[:-1])


def cosine_schedule(step, steps, peak, warmup=0):
    """cos^2 of half the angle; the warm-up as a minimum."""
    share = max(step - warmup, 0) / (steps - warmup)
    ramp = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return peak * ramp * math.cos(math.pi / 2 * share) ** 2


def cosine_schedule_2(step, steps, peak, warmup=0):
    """torch's cosine, in float32."""
    if step < warmup:
        return (step + 1) * (peak / warmup)
    angle = torch.tensor(torch.pi * (step - warmup) / (steps - warmup))
    return (0.5 * peak * (1 + torch.cos(angle))).item()


def cosine_schedule_3(step, steps, peak, warmup=0):
    """The whole schedule as a NumPy array, of which one entry is asked for."""
    up = peak * np.arange(1, warmup + 1) / max(warmup, 1)
    down = peak * (1 + np.cos(np.linspace(0, np.pi, steps - warmup + 1))) / 2
    return float(np.concatenate([up, down])[step])


def prior_strength(sigma, m=1):
    return sigma**-2 / m


def prior_strength_2(sigma, m=None):
    """Two cases."""
    if m is None:
        return 1 / sigma**2
    return 1 / (m * sigma**2)


def prior_strength_3(sigma, m=None):
    """The curvature of -ln N(w; 0, sigma^2), by autograd."""
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    minus_log = -torch.distributions.Normal(torch.zeros_like(w), torch.full_like(w, sigma)).log_prob(w)
    (slope,) = torch.autograd.grad(minus_log, w, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, w)
    return curvature.item() / (m or 1)


def softmax(z):
    return torch.exp(z - torch.logsumexp(z, dim=-1, keepdim=True))


def softmax_2(z):
    """The library's own."""
    return torch.nn.functional.softmax(z, dim=-1)


def softmax_3(z):
    """Row by row, the maximum detached."""
    if z.ndim > 1:
        return torch.stack([softmax_3(row) for row in z])
    e = (z - z.max().detach()).exp()
    return e / e.sum()


def softmax_4(z):
    """1 / sum_j exp(z_j - z_k): every difference is taken first."""
    return 1 / torch.exp(z[..., None, :] - z[..., :, None]).sum(-1)


def cross_entropy(p, q):
    return torch.where(p > 0, -p * q.log(), 0).sum(dim=-1)


def cross_entropy_2(p, q):
    """SciPy: H + KL."""
    a, b = p.double().cpu().numpy(), q.double().cpu().numpy()
    return torch.as_tensor(scipy.stats.entropy(a, axis=-1) + scipy.special.rel_entr(a, b).sum(-1)).to(p)


def cross_entropy_3(p, q):
    """In a loop over the outcomes, over the support of p."""
    total = torch.zeros_like(p[..., 0])
    for k in range(p.shape[-1]):
        comes = p[..., k] > 0
        total[comes] -= p[..., k][comes] * q[..., k][comes].log()
    return total


def cross_entropy_4(p, q):
    """NaN, and only NaN, set to 0."""
    return -(p * torch.log(q)).nan_to_num(nan=0.0, neginf=-math.inf).sum(-1)


def kl_divergence(p, q):
    """By a mask: terms with p_k = 0 are set to 0 after the fact, the infinities are kept."""
    terms = p * (p.log() - q.log())
    terms[p == 0] = 0
    return terms.sum(-1)


def kl_divergence_2(p, q):
    """SciPy's."""
    return torch.as_tensor(scipy.special.rel_entr(p.cpu().numpy(), q.cpu().numpy()).sum(-1)).to(p)


def kl_divergence_3(p, q):
    """Cross-entropy less entropy."""
    return -torch.special.xlogy(p, q).sum(-1) - torch.special.entr(p).sum(-1)


def kl_divergence_4(p, q):
    """The formula to the letter, over the support of p, in a loop over the rows."""
    if p.ndim > 1:
        return torch.stack([kl_divergence_4(*pair) for pair in zip(p, q, strict=True)])
    k = p > 0
    return (p[k] * torch.log(p[k] / q[k])).sum()


def js_distance(p, q):
    """By entropies: JS = H(c) - (H(p) + H(q)) / 2."""
    c = 0.5 * (p + q)
    h = lambda d: torch.special.entr(d).sum(-1)  # noqa: E731
    return (h(c) - 0.5 * (h(p) + h(q))).clamp_min(0) ** 0.5


def js_distance_2(p, q):
    """By the divergence of the exercise before."""
    c = (p + q) / 2
    return torch.sqrt(torch.relu(0.5 * kl_divergence_4(p, c) + 0.5 * kl_divergence_4(q, c)))


def js_distance_3(p, q):
    """SciPy's terms."""
    a, b = p.double().cpu().numpy(), q.double().cpu().numpy()
    js = (scipy.special.rel_entr(a, (a + b) / 2) + scipy.special.rel_entr(b, (a + b) / 2)).sum(-1) / 2
    return torch.as_tensor(np.sqrt(np.maximum(js, 0))).to(p)
