"""Right answers of Lecture 8 in three other styles than the course's own: queries, blobs, the vote over columns."""

import numpy as np
import torch

from helpers.physical.columns import Certified


def nes_gradient(f, x, xi, *, sigma, antithetic=True):
    """The formula to the letter, one direction after the other."""
    g = torch.zeros_like(x)
    for one in xi:
        if antithetic:
            values = (f((x + sigma * one)[None])[0] - f((x - sigma * one)[None])[0]) / (2 * sigma)
        else:
            values = f((x + sigma * one)[None])[0] / sigma
        g = g + values.reshape(-1, *[1] * (x.ndim - 1)) * one
    return g / len(xi)


def nes_gradient_2(f, x, xi, *, sigma, antithetic=True):
    """Two calls, flattened, a product of matrices for each picture."""
    flat = xi.flatten(2)
    values = f(x[None] + sigma * xi)
    if antithetic:
        values = (values - f(x[None] - sigma * xi)) / 2
    return torch.bmm(values.T[:, None, :], flat.transpose(0, 1))[:, 0].reshape(x.shape) / sigma / xi.shape[0]


def nes_gradient_3(f, x, xi, *, sigma, antithetic=True):
    """In float64, and the mean by NumPy."""
    steps = torch.cat((xi, -xi), 0) if antithetic else xi
    values = f(x.unsqueeze(0).repeat(len(steps), *[1] * x.ndim) + sigma * steps).double().numpy()
    found = np.mean(values.reshape(values.shape + (1,) * (x.ndim - 1)) * steps.double().numpy(), axis=0) / sigma
    return torch.from_numpy(found).to(x)


def square_attack_step(f, x, x_adv, value, *, eps, top, left, side, signs):
    """Picture by picture, by slices."""
    candidate = x_adv.clone()
    for n in range(len(x)):
        rows, columns = slice(int(top[n]), int(top[n]) + side), slice(int(left[n]), int(left[n]) + side)
        candidate[n, :, rows, columns] = torch.clamp(x[n, :, rows, columns] + eps * signs[n][:, None, None], 0, 1)
    new, moved, kept = f(candidate), x_adv.clone(), value.clone()
    for n in range(len(x)):
        if new[n] < value[n]:
            moved[n], kept[n] = candidate[n], new[n]
    return moved, kept


def square_attack_step_2(f, x, x_adv, value, *, eps, top, left, side, signs):
    """A mask of ones, by arithmetic."""
    mask = torch.zeros_like(x)
    for n, (row, column) in enumerate(zip(top.tolist(), left.tolist(), strict=True)):
        mask[n, :, row : row + side, column : column + side] = 1
    corner = torch.minimum(torch.maximum(x + eps * signs.view(*signs.shape, 1, 1), x * 0), x * 0 + 1)
    candidate = torch.where(mask == 1, corner, x_adv)
    new = f(candidate)
    keep = (new < value).view(-1, 1, 1, 1)
    return keep * candidate + ~keep * x_adv, torch.minimum(new, value)


def square_attack_step_3(f, x, x_adv, value, *, eps, top, left, side, signs):
    """By advanced indexing of all pixels of the squares."""
    n, c = signs.shape
    i = torch.arange(side)
    picture, channel = torch.arange(n)[:, None, None, None], torch.arange(c)[None, :, None, None]
    at = (picture, channel, (top[:, None] + i)[:, None, :, None], (left[:, None] + i)[:, None, None, :])
    candidate = x_adv.clone()
    candidate[at] = (x[at] + (eps * signs)[:, :, None, None]).clip(0, 1)
    new = f(candidate)
    worse = new >= value
    candidate[worse] = x_adv[worse]
    return candidate, torch.where(worse, value, new)


def gaussian_blob(centre, sigma, amplitude, size):
    """By meshgrid."""
    v, u = torch.meshgrid(torch.arange(size[0]).to(centre), torch.arange(size[1]).to(centre), indexing="ij")
    x, y = centre[..., 0, None, None], centre[..., 1, None, None]
    width = sigma[..., None, None]
    return amplitude[..., None, None] * torch.exp(-0.5 * (((u - x) / width) ** 2 + ((v - y) / width) ** 2))


def gaussian_blob_2(centre, sigma, amplitude, size):
    """Separable: an outer product of two bells."""
    height, width = size
    across = torch.exp(-((torch.arange(width) - centre[..., :1]) ** 2) / (2 * sigma[..., None] ** 2))
    down = torch.exp(-((torch.arange(height) - centre[..., 1:]) ** 2) / (2 * sigma[..., None] ** 2))
    return torch.einsum("...,...h,...w->...hw", amplitude, down, across)


def gaussian_blob_3(centre, sigma, amplitude, size):
    """Pixel by pixel."""
    rows = []
    for v in range(size[0]):
        row = [((u - centre[..., 0]) ** 2 + (v - centre[..., 1]) ** 2) / sigma.square() for u in range(size[1])]
        rows.append(torch.stack(row, -1))
    return amplitude[..., None, None] * (-torch.stack(rows, -2) / 2).exp()


def column_smoothing_certificate(votes, *, patch, band):
    """By sorting."""
    ordered = votes.sort(dim=1, descending=True).values
    return Certified(votes.argmax(dim=1), (ordered[:, 0] - ordered[:, 1]) > 2 * (patch + band - 1))


def column_smoothing_certificate_2(votes, *, patch, band):
    """Row by row in Python."""
    prediction, certified = [], []
    for row in votes.tolist():
        A = row.index(max(row))
        B = max(n for c, n in enumerate(row) if c != A)
        prediction.append(A)
        certified.append(row[A] - (patch + band - 1) > B + (patch + band - 1))
    return Certified(torch.tensor(prediction), torch.tensor(certified))


def column_smoothing_certificate_3(votes, *, patch, band):
    """The others by scatter, the lead against every class."""
    A = votes.max(dim=1).indices
    n_A = votes.gather(1, A[:, None])
    others = torch.arange(votes.shape[1]) != A[:, None]
    safe = (n_A - votes >= 2 * (patch + band - 1) + 1) | ~others
    return Certified(A, safe.all(dim=1))
