"""What can be printed and survives a camera: smooth patches of colours that the printer has."""

import torch
from torch import Tensor

from helpers import checks

# The eight solids of three inks on paper, in sRGB: typical values of offset print, not measured on a printer of ours.
# Their order: paper, yellow, magenta, red (M + Y), cyan, green (C + Y), blue (C + M), all three.
SOLIDS = (
    (0.95, 0.95, 0.93), (1.00, 0.94, 0.00), (0.89, 0.00, 0.49), (0.90, 0.11, 0.14),
    (0.00, 0.65, 0.90), (0.00, 0.63, 0.30), (0.18, 0.19, 0.56), (0.14, 0.12, 0.13),
)  # fmt: skip


def printable_colours(levels: int = 3) -> Tensor:
    r"""sum_k w_k s_k over the eight solids s_k, with Demichel's weights w_k = prod_inks (c or 1 - c): the colours that
    `levels` evenly spaced coverages c of cyan, magenta and yellow make in Neugebauer's model, (levels^3, 3)."""
    checks.at_least("levels", levels, 2)
    c = torch.linspace(0, 1, levels)
    share = torch.stack([1 - c, c], 1)  # paper left free, ink
    weights = torch.einsum("ai,bj,ck->abcijk", share, share, share).reshape(-1, 8)
    return weights @ torch.tensor(SOLIDS)


PRINTABLE = printable_colours()


def non_printability_score(p: Tensor, printable: Tensor) -> Tensor:
    r"""NPS(p) = sum over pixels of min_k ||p_ij - c_k||_2: how far the colours are from those that can be printed.

    p (..., C, h, w), printable c (K, C) of its type -> (...). 0 if and only if each pixel has a printable colour. Its
    sub-gradient points away from the nearest one. Raises ValueError for other shapes or NaN.
    Thys et al. 2019; Sharif et al. 2016 take the product over k in place of the minimum.
    """
    _check_colours(p, printable)
    apart = p.movedim(-3, -1)[..., None, :] - printable  # (..., h, w, K, C)
    return apart.norm(dim=-1).amin(-1).sum((-2, -1))


def total_variation(p: Tensor) -> Tensor:
    r"""TV(p) = sum over channels and pixels of ||(p_i,j+1 - p_ij, p_i+1,j - p_ij)||_2; a difference beyond the last
    column or row is 0.

    p (..., C, h, w) -> (...). Where both differences are 0 the root has no gradient; 0 is a sub-gradient and is taken.
    Raises ValueError for other shapes or NaN. Rudin, Osher & Fatemi 1992; Chambolle 2004, section 2;
    for printed attacks Sharif et al. 2016.
    """
    _check_patch(p)
    across, down = p.diff(dim=-1, append=p[..., -1:]), p.diff(dim=-2, append=p[..., -1:, :])
    return torch.stack([across, down]).norm(dim=0).sum((-3, -2, -1))


def total_variation_subgradient(p: Tensor) -> Tensor:
    r"""g = D^T u,  u = D p / ||D p||_2 at each pixel, 0 where D p = 0;  D p the two differences of `total_variation`:
    TV(q) >= TV(p) + <g, q - p> for all q (problem 8.4).

    (..., C, h, w) -> the same.
    """
    _check_patch(p)
    across, down = p.diff(dim=-1, append=p[..., -1:]), p.diff(dim=-2, append=p[..., -1:, :])
    length = torch.stack([across, down]).norm(dim=0)
    u, v = (torch.where(length > 0, part / length, 0) for part in (across, down))
    zero_u, zero_v = torch.zeros_like(u[..., :1]), torch.zeros_like(v[..., :1, :])
    return u.diff(dim=-1, prepend=zero_u).neg() - v.diff(dim=-2, prepend=zero_v)


def smooth_mask(height: int, width: int, edge: float) -> Tensor:
    r"""m_ij = r(i) r(j),  r(i) = s(min(i, h - 1 - i) + 1/2),  s(d) = (1 - cos(pi min(d / edge, 1))) / 2: a mask
    (1, h, w) that rises from 0 at the rim to 1 within `edge` pixels. edge = 0: ones. Raises ValueError for edge < 0."""
    checks.whole("height", height)
    checks.whole("width", width)
    checks.at_least("edge", edge, 0)

    def rise(n: int) -> Tensor:
        place = torch.arange(n) + 0.5
        from_rim = torch.minimum(place, n - place)
        return (1 - (torch.pi * (from_rim / max(edge, 1e-9)).clamp(max=1)).cos()) / 2

    return (rise(height)[:, None] * rise(width))[None]


def _check_colours(p: Tensor, printable: Tensor) -> None:
    _check_patch(p)
    if printable.ndim != 2 or len(printable) == 0 or printable.shape[1] != p.shape[-3]:
        raise ValueError(f"printable must be colours (K, {p.shape[-3]}), got {tuple(printable.shape)}")
    if (printable.dtype, printable.device) != (p.dtype, p.device):
        raise ValueError(f"printable must be {p.dtype} on {p.device} as p is; PRINTABLE.to(p) is")


def _check_patch(p: Tensor) -> None:
    if p.ndim < 3 or p.numel() == 0 or not p.is_floating_point() or not p.isfinite().all():
        raise ValueError(f"p must be floating and finite, (..., C, h, w), got {tuple(p.shape)} of {p.dtype}")
