"""Right answers of Lecture 5 in other styles than the course's own: steps of the samplers, and what they decide by."""

import math

import torch

from helpers.mcmc.state import Chain, Info, chain, moved, noise


def metropolis_accept(log_ratio, *, generator=None):
    """By the ratio itself, cut off at 1."""
    u = torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)
    return u < torch.nan_to_num(log_ratio, nan=-math.inf, posinf=0.0, neginf=-math.inf).clamp(max=0).exp()


def metropolis_accept_2(log_ratio, *, generator=None):
    """u of [0, 1), which differs once in 2^24 draws of single precision."""
    u = torch.rand(len(log_ratio), generator=generator, device=log_ratio.device)
    return torch.log(u) < log_ratio


def metropolis_accept_5(log_ratio, *, generator=None):
    """The stub to the letter."""
    u = 1 - torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)
    return torch.log(u) <= log_ratio


def metropolis_accept_3(log_ratio, *, generator=None):
    """In double precision, chain by chain."""
    u = torch.rand(len(log_ratio), generator=generator, dtype=torch.float64, device=log_ratio.device)
    took = [
        not math.isnan(r) and (r >= 0 or v < math.exp(r)) for v, r in zip(u.tolist(), log_ratio.tolist(), strict=True)
    ]
    return torch.tensor(took, device=log_ratio.device)


def metropolis_accept_4(log_ratio, *, generator=None):
    """By an exponential variable: -log u > -log r."""
    waited = torch.empty_like(log_ratio).exponential_(generator=generator)
    return -waited <= log_ratio


def ula_step(log_prob, s, *, step_size, generator=None):
    """With autograd and the tuples written out."""
    y = torch.normal(s.x + step_size * s.grad, (2 * step_size) ** 0.5, generator=generator).requires_grad_()
    value = log_prob(y)
    (grad,) = torch.autograd.grad(value.sum(), y)
    y, n = y.detach(), len(y)
    state = Chain(y, value.detach(), grad)
    true = torch.ones(n, dtype=torch.bool, device=y.device)
    return state, Info(y, torch.zeros_like(state.log_prob), true, ~true, 0, 1)


def ula_step_2(log_prob, s, *, step_size, generator=None):
    """As the stub says."""
    xi = torch.randn(s.x.shape, generator=generator, dtype=s.x.dtype, device=s.x.device)
    y = torch.add(s.x, s.grad, alpha=step_size) + (2 * step_size) ** 0.5 * xi
    return moved(chain(y, log_prob), gradients=1)


def ula_step_3(log_prob, s, *, step_size, generator=None):
    """Its own gradient, a loop over the coordinates."""
    grad = chain(s.x, log_prob).grad
    columns = []
    for i in range(s.x.shape[1]):
        xi = noise(s.x[:, i], generator)
        columns.append(s.x[:, i] + step_size * grad[:, i] + math.sqrt(2 * step_size) * xi)
    return moved(chain(torch.stack(columns, -1), log_prob), gradients=1)


def mala_log_acceptance(x, y, step_size):
    """By torch's own normal density."""

    def log_q(b, a):
        law = torch.distributions.Normal(a.x + step_size * a.grad, math.sqrt(2 * step_size), validate_args=False)
        return law.log_prob(b.x).sum(1)

    return y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)


def mala_log_acceptance_2(x, y, step_size):
    """Multiplied out, in double precision."""
    gx, gy, d = x.grad.double(), y.grad.double(), y.x.double() - x.x.double()
    straight = d - step_size / 2 * (gx - gy)
    return (y.log_prob.double() - x.log_prob - torch.einsum("cd,cd->c", gx + gy, straight) / 2).to(x.x.dtype)


def mala_log_acceptance_3(x, y, step_size):
    """A loop over the chains."""
    out = []
    for n in range(len(x.x)):
        there = torch.dot(*2 * [y.x[n] - x.x[n] - step_size * x.grad[n]]) / (4 * step_size)
        back = torch.dot(*2 * [x.x[n] - y.x[n] - step_size * y.grad[n]]) / (4 * step_size)
        out.append(y.log_prob[n] - back - x.log_prob[n] + there)
    return torch.stack(out)


def leapfrog(gradient, x, p, step_size, steps):
    """Half kicks, each gradient kept for the next one."""
    x, p, force = x.clone(), p.clone(), gradient(x)
    for _ in range(steps):
        p += step_size / 2 * force
        x += step_size * p
        force = gradient(x)
        p += step_size / 2 * force
    return x, p


def leapfrog_2(gradient, x, p, step_size, steps):
    """The last half kick after the loop."""
    p = p + 0.5 * step_size * gradient(x)
    for _ in range(steps - 1):
        x = x + step_size * p
        p = p + step_size * gradient(x)
    x = x + step_size * p
    return x, p + 0.5 * step_size * gradient(x)


def leapfrog_3(gradient, x, p, step_size, steps):
    """A whole kick too many, half of it taken back; the places by Verlet's second-order form."""
    g = gradient(x)
    for _ in range(steps):
        x = x + step_size * p + step_size**2 / 2 * g
        new = gradient(x)
        p, g = p + step_size * (g + new) / 2, new
    return x, p


def sgld_gradient(log_prior, log_likelihood, theta, batch, data_size):
    """By backward, chain by chain for the prior."""
    leaf = theta.clone().requires_grad_()
    n = batch[0].shape[1]
    (log_prior(leaf).sum() + data_size * log_likelihood(leaf, *batch).sum() / n).backward()
    return leaf.grad


def sgld_gradient_2(log_prior, log_likelihood, theta, batch, data_size):
    """Two gradients."""
    leaf = theta.detach().clone().requires_grad_(True)
    (prior,) = torch.autograd.grad(log_prior(leaf).sum(), leaf)
    per_example = log_likelihood(leaf, *batch)
    (data,) = torch.autograd.grad(per_example.sum(), leaf)
    return prior + data_size / per_example.shape[1] * data


def sgld_gradient_3(log_prior, log_likelihood, theta, batch, data_size):
    """A loop over the chains, each with its part of the batch."""
    rows = []
    for c in range(len(theta)):
        leaf = theta[c : c + 1].detach().requires_grad_()
        own = tuple(t[c : c + 1] if len(t) > 1 else t for t in batch)
        total = log_prior(leaf)[0] + data_size / own[0].shape[1] * log_likelihood(leaf, *own)[0].sum()
        rows.append(torch.autograd.grad(total, leaf)[0][0])
    return torch.stack(rows)
