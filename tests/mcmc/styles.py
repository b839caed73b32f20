"""Right answers of Lecture 5 in other styles than the course's own: `<exercise>`, `<exercise>_2`, `<exercise>_3`."""

import math

import numpy as np
import torch

from helpers import mcmc
from helpers.mcmc.state import Chain, Info, chain, moved, noise


def stationary_distribution(matrix):
    """By eigenvectors."""
    values, vectors = torch.linalg.eig(matrix.double().T)
    ones = (values - 1).abs() < 1e-9
    if ones.sum() != 1:
        raise ValueError("not unique")
    vector = vectors[:, ones][:, 0].real
    return vector / vector.sum()


def stationary_distribution_2(matrix):
    """The hint to the letter: k + 1 equations by least squares."""
    k, p = len(matrix), matrix.double()
    eye = torch.eye(k, dtype=torch.float64, device=p.device)
    if torch.linalg.matrix_rank(p - eye) != k - 1:
        raise ValueError("not unique")
    a = torch.cat([p.T - eye, torch.ones(1, k, dtype=torch.float64, device=p.device)])
    b = torch.zeros(k + 1, 1, dtype=torch.float64, device=p.device)
    b[-1] = 1
    return torch.linalg.lstsq(a, b).solution.flatten()


def stationary_distribution_3(matrix):
    """NumPy, one equation replaced by the sum, a null vector counted by singular values."""
    p = matrix.cpu().numpy().astype(float)
    a = p.T - np.eye(len(p))
    if (np.linalg.svd(a)[1] < 1e-10).sum() > 1:
        raise ValueError("not unique")
    a[-1], b = 1, np.zeros(len(p))
    b[-1] = 1
    return torch.from_numpy(np.linalg.solve(a, b)).to(matrix.device)


def is_reversible(matrix, law=None, *, tolerance=1e-9):
    """Pair by pair."""
    pi = mcmc.stationary_distribution(matrix) if law is None else law
    k = len(matrix)
    pairs = [(i, j) for i in range(k) for j in range(i)]
    return all(abs(float(pi[i] * matrix[i, j] - pi[j] * matrix[j, i])) <= tolerance for i, j in pairs)


def is_reversible_2(matrix, law=None, *, tolerance=1e-9):
    """By torch.allclose, without its relative part."""
    if law is None:
        law = mcmc.stationary_distribution(matrix)
    flow = torch.diag(law.double()) @ matrix.double()
    return torch.allclose(flow, flow.T, rtol=0, atol=tolerance)


def is_reversible_3(matrix, law=None, *, tolerance=1e-9):
    """NumPy, the largest difference."""
    pi = (mcmc.stationary_distribution(matrix) if law is None else law).cpu().numpy()
    flow = np.einsum("i,ij->ij", pi, matrix.cpu().numpy().astype(float))
    return bool(np.abs(flow - flow.T).max() <= tolerance)


def inverse_transform_sample(cdf, u, low, high, *, halvings=60):
    """One width for all, the lower end moved up."""
    x, width = torch.full_like(u, low, dtype=torch.float64), float(high - low)
    for _ in range(halvings):
        width /= 2
        x = x + width * (cdf(x + width) < u)
    return x + width


def inverse_transform_sample_2(cdf, u, low, high, *, halvings=60):
    """By masks, on copies."""
    u = u.to(torch.float64)
    a, b = torch.zeros_like(u) + low, torch.zeros_like(u) + high
    for _ in range(halvings):
        m = 0.5 * (a + b)
        enough = cdf(m) >= u
        b[enough], a[~enough] = m[enough], m[~enough]
    return b


def inverse_transform_sample_3(cdf, u, low, high, *, halvings=60):
    """A loop over the entries."""
    found = []
    for v in u.double().flatten():
        a, b = float(low), float(high)
        for _ in range(halvings):
            m = (a + b) / 2
            a, b = (a, m) if cdf(torch.tensor(m, dtype=torch.float64, device=u.device)) >= v else (m, b)
        found.append(b)
    return torch.tensor(found, dtype=torch.float64, device=u.device).reshape(u.shape)


def gibbs_bivariate_normal(x, rho, *, generator=None):
    """By torch.normal, one coordinate after the other."""
    if abs(rho) >= 1:
        raise ValueError("|rho| < 1 is needed")
    new = x.clone()
    sd = (1 - rho**2) ** 0.5
    for i in (0, 1):
        new[:, i] = torch.normal(rho * new[:, 1 - i], sd, generator=generator)
    return new


def gibbs_bivariate_normal_2(x, rho, *, generator=None):
    """A loop over the chains."""
    if not -1 < rho < 1:
        raise ValueError(f"no such density: {rho}")
    rows = []
    for _, x2 in x:
        y1 = rho * x2 + math.sqrt(1 - rho**2) * torch.randn((), generator=generator, dtype=x.dtype, device=x.device)
        y2 = rho * y1 + math.sqrt(1 - rho**2) * torch.randn((), generator=generator, dtype=x.dtype, device=x.device)
        rows.append(torch.stack([y1, y2]))
    return torch.stack(rows)


def gibbs_bivariate_normal_3(x, rho, *, generator=None):
    """The variance as a product, the noise column by column."""
    if rho <= -1 or rho >= 1:
        raise ValueError("|rho| must be below 1")
    sd = math.sqrt((1 - rho) * (1 + rho))
    x1 = rho * x[:, 1] + sd * torch.randn(len(x), generator=generator, device=x.device).to(x.dtype)
    x2 = rho * x1 + sd * torch.randn(len(x), generator=generator, device=x.device).to(x.dtype)
    return torch.cat([x1[:, None], x2[:, None]], 1)


def metropolis_accept(log_ratio, *, generator=None):
    """By the ratio itself, cut off at 1."""
    u = torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)
    return u < torch.nan_to_num(log_ratio, nan=-math.inf, posinf=0.0, neginf=-math.inf).clamp(max=0).exp()


def metropolis_accept_2(log_ratio, *, generator=None):
    """The stub to the letter: u of [0, 1), in logarithms."""
    u = torch.rand(len(log_ratio), generator=generator, device=log_ratio.device)
    return torch.log(u) < log_ratio


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


def effective_sample_size(draws):
    """A loop over the pairs, coordinate by coordinate; no monotone sequence."""
    if draws.ndim == 3:
        return torch.stack([effective_sample_size(draws[..., k]) for k in range(draws.shape[2])])
    halves = mcmc.split_chains(draws).double()
    m, n = halves.shape
    gamma = mcmc.autocovariance(halves).mean(0)
    w = gamma[0] * n / (n - 1)
    plus = w * (n - 1) / n + halves.mean(1).var()
    rho = (1 - (w - gamma) / plus).tolist()
    rho[0], total = 1.0, 0.0
    for k in range(0, n - 1, 2):
        if rho[k] + rho[k + 1] <= 0:
            break
        total += rho[k] + rho[k + 1]
    return torch.tensor(m * n / (2 * total - 1), dtype=torch.float64, device=draws.device)


def effective_sample_size_2(draws):
    """The hints to the letter, the means in the draws' own precision."""
    halves = mcmc.split_chains(draws)
    m, n = halves.shape[:2]
    gamma = mcmc.autocovariance(halves).mean(0)
    w = gamma[0] * n / (n - 1)
    rho = 1 - (w - gamma) / (w * (n - 1) / n + halves.mean(1).var(0))
    rho[0] = 1
    pairs = rho[0 : n // 2 * 2 : 2] + rho[1 : n // 2 * 2 : 2]
    kept = (pairs > 0).cumprod(0)
    return m * n / (2 * (pairs * kept).sum(0) - 1)


def effective_sample_size_3(draws):
    """NumPy, the autocovariance as the sum that it is, Geyer's monotone sequence as Stan has it."""
    x = draws.detach().cpu().double().numpy()
    if x.ndim == 3:
        return torch.stack([effective_sample_size_3(draws[..., k]) for k in range(x.shape[2])])
    half = x.shape[1] // 2
    x = np.concatenate([x[:, :half], x[:, -half:]])
    m, n = x.shape
    centred = x - x.mean(1, keepdims=True)
    gamma = np.mean([np.correlate(row, row, "full")[n - 1 :] / n for row in centred], axis=0)
    w = gamma[0] * n / (n - 1)
    rho = 1 - (w - gamma) / (w * (n - 1) / n + x.mean(1).var(ddof=1))
    rho[0] = 1
    tau, lowest, k = -1.0, math.inf, 0
    while k + 4 < n and rho[k] + rho[k + 1] > 0:
        lowest = min(lowest, rho[k] + rho[k + 1])
        tau, k = tau + 2 * lowest, k + 2
    tau = max(tau + max(rho[k], 0), 1 / math.log10(m * n))
    return torch.tensor(m * n / tau, dtype=torch.float64, device=draws.device)


def split_rhat(draws):
    """Halves by chunk, of an even number of draws."""
    even = torch.cat([draws[:, : draws.shape[1] // 2], draws[:, (draws.shape[1] + 1) // 2 :]], dim=1)
    halves = torch.cat(torch.chunk(even.double(), 2, dim=1))
    n = halves.shape[1]
    w = torch.mean(torch.var(halves, dim=1), dim=0)
    return torch.sqrt((n - 1) / n + torch.var(torch.mean(halves, dim=1), dim=0) / w)


def split_rhat_2(draws):
    """The stub to the letter."""
    halves = mcmc.split_chains(draws).to(torch.float64)
    n = halves.shape[1]
    within = halves.var(dim=1, unbiased=True).mean(dim=0)
    plus = within * (n - 1) / n + halves.mean(dim=1).var(dim=0, unbiased=True)
    return (plus / within) ** 0.5


def split_rhat_3(draws):
    """NumPy."""
    halves = mcmc.split_chains(draws).cpu().numpy().astype(np.float64)
    n = halves.shape[1]
    with np.errstate(all="ignore"):
        within = halves.var(axis=1, ddof=1).mean(axis=0)
        plus = (n - 1) / n * within + halves.mean(axis=1).var(axis=0, ddof=1)
        return torch.as_tensor(np.sqrt(plus / within), dtype=torch.float64, device=draws.device)
