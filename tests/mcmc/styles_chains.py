"""Right answers of Lecture 5 in other styles than the course's own: finite chains, direct draws, Gibbs."""

import math

import numpy as np
import torch

from helpers import mcmc


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
