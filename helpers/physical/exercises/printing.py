"""Exercises 8.2 and 8.3 of Lecture 8: what a camera keeps of a patch, and what a printer can print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.physical import printing

Function = Callable[..., Any]


def _painted(draw: Draw) -> Any:
    """Patches of one row and of one column, flat parts, several at once, not square."""
    shape = draw.choice([(3, 4, 6), (1, 5, 3), (2, 3, 4, 4), (1, 1, 6), (1, 6, 1), (3, 5, 5), (2, 2, 1, 3, 4)])
    p = draw.uniform(*shape)
    return args(p.where(p > draw.choice([0.0, 0.5]), 0.25))


def _flat(f: Function, draw: Draw) -> None:
    p = torch.full((3, 4, 5), 0.5, dtype=draw.dtype, device=draw.device)
    p[:, 2:, 3:] = 0.75
    p.requires_grad_()
    (g,) = torch.autograd.grad(f(p), p)
    require(g.isfinite().all(), expected="a finite gradient", got=g, meaning=ROOT)
    agree(g, printing.total_variation_subgradient(p.detach()), meaning=ROOT)


def _slope(f: Function, draw: Draw) -> None:
    p = draw.uniform(2, 3, 5, 4).requires_grad_()
    (g,) = torch.autograd.grad(f(p).sum(), p)
    agree(g, printing.total_variation_subgradient(p.detach()), rtol=1e-3, atol=1e-4)


def _edge(f: Function, draw: Draw) -> None:
    p, height = draw.uniform(3, 1, 1).expand(3, 6, 8).clone() / 2, draw.number(0.1, 0.5)
    agree(f(p), torch.zeros_like(p[0, 0, 0]), meaning="Nothing varies in a patch of one colour.")
    p[:, :, 4:] += height
    got = f(p)
    agree(got, torch.full_like(got, 3 * 6 * height), meaning="An edge costs its length times its height, per channel.")


ROOT = (
    "A flat place gives NaN or infinity: the root has no slope at 0. `torch.linalg.vector_norm` or `.norm(dim=...)` of "
    "the two differences takes the sub-gradient 0 there; 1e-8 under the root changes the value."
)
ROOTS = "At each pixel the length of the pair of differences, sqrt(across^2 + down^2), then the sum of all of them."
ACROSS, DOWN = "p.diff(dim=-1, append=p[..., -1:])", "p.diff(dim=-2, append=p[..., -1:, :])"
LENGTH = "torch.stack([across, down]).norm(dim=0)"

total_variation = Exercise(
    "8.2",
    printing.total_variation,
    checks=(
        holds("an edge costs its length times its height", _edge, times=2, meaning=ROOTS),
        same("is the sum of sqrt(across^2 + down^2)", _painted, times=7, meaning=ROOTS),
        same("in the precision of p", _painted, times=7, dtype=torch.float64, rtol=1e-10, meaning=ROOTS),
        holds("has the gradient of the formula", _slope, times=2, meaning=ROOTS),
        holds("has a finite gradient on flat places, too", _flat, times=2, meaning=ROOT),
    ),
    mistakes=(
        (ROOT, {LENGTH: "(across**2 + down**2).sqrt()"}),
        (
            "The value changes by what stands under the root beside the squares.",
            {LENGTH: "(across**2 + down**2 + 1e-3).sqrt()"},
        ),
        (
            "That is the sum of both absolute values (the anisotropic form); asked is the length of the pair.",
            {LENGTH: "(across.abs() + down.abs())"},
        ),
        ("The root is missing: squares make a sharp edge dearer than a slow rise.", {LENGTH: "(across**2 + down**2)"}),
        (
            "The squares are added up over the whole patch, then one root: it belongs to each pixel.",
            {LENGTH + ".sum((-3, -2, -1))": "torch.stack([across, down]).pow(2).sum((0, -3, -2, -1)).sqrt()"},
        ),
        ("That is the mean over the pixels; asked is the sum.", {".sum((-3, -2, -1))": ".mean((-3, -2, -1))"}),
        (
            "One number for each patch: sum over channels, rows and columns, not over the batch.",
            {".sum((-3, -2, -1))": ".sum()"},
        ),
        ("One number for each patch: the sum goes over the channels, too.", {".sum((-3, -2, -1))": ".sum((-2, -1))"}),
        (
            "The last column wraps around to the first: a difference beyond the last one is 0.",
            {ACROSS: "p.roll(-1, -1) - p"},
        ),
        (
            "The last row wraps around to the first: a difference beyond the last one is 0.",
            {DOWN: "p.roll(-1, -2) - p"},
        ),
        (
            "Beyond the last row and column there is no 0 of the picture: there the difference is 0.",
            {"append=p[..., -1:])": "append=0 * p[..., -1:])", "append=p[..., -1:, :])": "append=0 * p[..., -1:, :])"},
        ),
        (
            "The last row and the last column are left out: there one of the two differences still counts.",
            {ACROSS: "p[..., :-1, :].diff(dim=-1)", DOWN: "p[..., :, :-1].diff(dim=-2)"},
        ),
        ("Across alone: the differences between the rows count as well.", {LENGTH: "across.abs()"}),
        ("Down alone: the differences between the columns count as well.", {LENGTH: "down.abs()"}),
        (
            "The colours are mixed: each channel has its own lengths.",
            {"norm(dim=0).sum((-3, -2, -1))": "norm(dim=(0, -3)).sum((-2, -1))"},
        ),
    ),
    hints=(
        "`p.diff(dim=-1)` are the differences between neighbouring columns; there is one column less of them.",
        "Beyond the last column the difference is 0: `append=p[..., -1:]` repeats the last column.",
        "`torch.stack([across, down]).norm(dim=0)` are the lengths, with 0 for the gradient where both are 0.",
    ),
    why="Neither camera nor printer keeps what changes from pixel to pixel. The sum of the lengths, not of their "
    "squares, allows a few sharp edges and forbids many small steps; where nothing varies any vector of length <= 1 is "
    "a sub-gradient of the length, and 0 is one of them.",
    differentiable=True,
)


def _coloured(draw: Draw) -> Any:
    shape = draw.choice([(3, 4, 5), (2, 3, 3, 4), (1, 5, 2), (3, 1, 1), (2, 2, 3, 2, 3)])
    return args(draw.uniform(*shape), draw.uniform(draw.choice([6, 1, 3]), shape[-3]))


def _printed(f: Function, draw: Draw) -> None:
    colours = draw.uniform(5, 3)
    p = colours[draw.integers(0, 5, 24)].T.reshape(3, 4, 6)
    agree(f(p, colours), torch.zeros_like(p[0, 0, 0]), atol=1e-5, meaning="Each pixel has a printable colour: 0.")


def _pulls(f: Function, draw: Draw) -> None:
    """One pixel: the gradient has length 1 and points away from the nearest colour."""
    p, colours = draw.uniform(3, 1, 1).requires_grad_(), draw.uniform(7, 3)
    (g,) = torch.autograd.grad(f(p, colours), p)
    away = p.detach().flatten() - colours
    nearest = away[away.norm(dim=1).argmin()]
    agree(g.flatten(), nearest / nearest.norm(), rtol=1e-3, atol=1e-4)


NEAREST = "For each pixel the Euclidean distance in colour to the nearest of the K printable ones; then the sum."
APART = "p.movedim(-3, -1)[..., None, :] - printable"

non_printability_score = Exercise(
    "8.3",
    printing.non_printability_score,
    checks=(
        holds("is 0 for colours that can be printed", _printed, times=2, meaning=NEAREST),
        same("is the sum of the distances to the nearest colour", _coloured, times=10, meaning=NEAREST),
        same("in the precision of p", _coloured, times=5, dtype=torch.float64, rtol=1e-10, meaning=NEAREST),
        holds("pulls each pixel to its nearest colour", _pulls, times=4, meaning=NEAREST),
    ),
    mistakes=(
        ("That is the farthest colour; the printer takes the nearest.", {".amin(-1)": ".amax(-1)"}),
        ("That is the mean over the colours; the printer takes the nearest.", {".amin(-1)": ".mean(-1)"}),
        ("All colours add up; the printer takes the nearest alone.", {".amin(-1)": ".sum(-1)"}),
        ("The product over the colours is Sharif's form; asked is the minimum.", {".amin(-1)": ".prod(-1)"}),
        ("Squared distances: asked are the distances.", {".norm(dim=-1)": ".square().sum(-1)"}),
        ("That is the l_1 distance of two colours; asked is the Euclidean one.", {".norm(dim=-1)": ".abs().sum(-1)"}),
        ("That is the mean over the pixels; asked is the sum.", {".sum((-2, -1))": ".mean((-2, -1))"}),
        ("One number for each patch: sum over its pixels, not over the batch.", {".sum((-2, -1))": ".sum()"}),
        (
            "The nearest is sought channel by channel: a colour is one point of three coordinates.",
            {".norm(dim=-1).amin(-1).sum((-2, -1))": ".abs().amin(-2).norm(dim=-1).sum((-2, -1))"},
        ),
        (
            "One colour for the whole patch: each pixel may have another one.",
            {".amin(-1).sum((-2, -1))": ".sum((-3, -2)).amin(-1)"},
        ),
        (
            "The channels are not where you seek them: (..., C, h, w) must become (..., h, w, C).",
            {"p.movedim(-3, -1)": "p.reshape(*p.shape[:-3], p.shape[-2], p.shape[-1], p.shape[-3])"},
        ),
    ),
    hints=(
        "`p.movedim(-3, -1)` brings the channels to the end: each pixel is then a row, as the colours are.",
        "A new axis, `[..., None, :]`, sets each pixel against all K colours.",
        "Lengths over the last axis, the least over the colours, the sum over rows and columns.",
    ),
    why="A printer has no loss that one could differentiate; a list of the colours that it really makes does. Of "
    "all of them only the nearest pulls, with a force that does not depend on how far it is.",
    minutes=8,
    differentiable=True,
)
