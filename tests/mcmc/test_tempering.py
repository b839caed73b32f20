"""Parallel tempering: the law of a swap, the law of all levels together, and two modes that exchange their mass."""

import math
from functools import partial

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import exactness, targets
from helpers.mcmc.sampling import sample
from helpers.mcmc.state import chain, moved
from helpers.mcmc.targets import log_normal
from tests.mcmc.toys import FALSE_ALARM, Z, rng

F64 = torch.float64
BETAS = (1.0, 0.4, 0.1)
TWO = targets.mixture(torch.tensor([[-8.0], [8.0]]), weights=torch.tensor([0.3, 0.7]))


def still(log_prob, s, *, step_size, generator):
    return moved(s)


def levels(n, seed, d=1):
    """From N(0, I)^beta = N(0, I / beta), level after level."""
    x = torch.randn(len(BETAS), n, d, generator=rng(seed), dtype=F64)
    return (x / torch.tensor(BETAS, dtype=F64).sqrt()[:, None, None]).flatten(0, 1)


def test_the_ratio_of_a_swap_is_that_of_the_joint_density():
    x, betas = torch.randn(3, 7, 2, generator=rng(1), dtype=F64), torch.tensor(BETAS, dtype=F64)
    log_prob = torch.stack([log_normal(level) for level in x])
    for k in (0, 1):
        order = [1, 0, 2] if k == 0 else [0, 2, 1]
        joint = (betas[:, None] * log_prob[order] - betas[:, None] * log_prob).sum(0)
        assert torch.allclose(mcmc.swap_log_ratio(log_prob, betas)[k], joint)


def test_a_pair_swaps_as_often_as_it_should():
    """Without moves: exact draws at each level, and E min(1, r) by quadrature over both Gaussians."""
    n = 200_000
    s = chain(levels(n, 2), log_normal, gradient=False)
    after, _ = mcmc.tempering_step(log_normal, s, step_size=1.0, generator=rng(3), betas=BETAS, step=still)
    x, y = s.x.reshape(3, n), after.x.reshape(3, n)
    first = bool((y[0] != x[0]).any())  # the coin: the pair (0, 1), or (1, 2)
    low, high = (x[0], x[1]) if first else (x[1], x[2])
    a, b = BETAS[:2] if first else BETAS[1:]
    line = torch.linspace(-30, 30, 3001, dtype=F64)
    u, v = line[:, None], line[None]
    density = (-(a * u**2 + b * v**2) / 2).exp()
    expected = float((density * ((a - b) * (u**2 - v**2) / 2).exp().clamp(max=1)).sum() / density.sum())
    swapped = (y[0] != x[0]) if first else (y[2] != x[2])
    assert abs(float(swapped.double().mean()) - expected) < Z * math.sqrt(expected * (1 - expected) / n)
    certain = swapped[low.abs() > high.abs()]  # the colder level gains: r > 1
    assert certain.all() and torch.equal(y.sort(0).values, x.sort(0).values)


def test_either_pair_has_its_turn_and_the_state_knows_its_density():
    s, seen = chain(levels(500, 4, 2), log_normal), set()
    for t in range(12):
        after, _ = mcmc.tempering_step(log_normal, s, step_size=1.0, generator=rng(t), betas=BETAS, step=still)
        seen.add(tuple(bool((after.x != s.x).reshape(3, -1)[k].any()) for k in range(3)))
        assert torch.allclose(after.log_prob, log_normal(after.x)) and torch.allclose(after.grad, -after.x)
    assert seen == {(True, True, False), (False, True, True)}


@pytest.mark.parametrize("step", [mcmc.random_walk_step, mcmc.mala_step, partial(mcmc.hmc_step, steps=3)])
def test_every_level_keeps_its_law(step):
    n = 50_000
    s, g = chain(levels(n, 5, 2), log_normal), rng(6)
    for _ in range(8):
        s, info = mcmc.tempering_step(log_normal, s, step_size=0.7, generator=g, betas=BETAS, step=step)
    for beta, x in zip(BETAS, s.x.chunk(3), strict=True):
        scores = exactness.moment_scores(x, torch.zeros(2), torch.full((2,), 1 / beta))
        fresh = torch.randn(n, 2, generator=rng(7), dtype=F64) / math.sqrt(beta)
        assert scores.abs().max() < Z and exactness.same_law(x, fresh) > FALSE_ALARM
    assert info.log_accept.shape == (3 * n,) and torch.allclose(s.log_prob, log_normal(s.x))


def test_swaps_of_the_wrong_sign_are_caught(monkeypatch):
    from helpers.mcmc import tempering

    monkeypatch.setattr(tempering, "swap_log_ratio", lambda *args, f=mcmc.swap_log_ratio: -f(*args))
    s, g = chain(levels(20_000, 8), log_normal, gradient=False), rng(9)
    for _ in range(8):
        s, _ = mcmc.tempering_step(log_normal, s, step_size=0.7, generator=g, betas=BETAS)
    assert exactness.moment_scores(s.x[:20_000], torch.zeros(1), torch.ones(1)).abs().max() > Z


def test_all_start_in_one_mode_and_the_shares_come_out():
    x = torch.full((200, 1), 8.0, dtype=F64)
    plain = sample(mcmc.random_walk_step, TWO, x, 500, step_size=1.5, generator=rng(1))
    step = partial(mcmc.tempering_step, betas=(1.0, 0.3, 0.1, 0.03, 0.01))
    run = sample(step, TWO, x.repeat(5, 1), 500, step_size=1.5, generator=rng(1), warmup=300)
    share = (run.x[:200, :, 0] < 0).double().mean(1)
    assert (plain.x > 0).all() and abs(share.mean() - 0.3) < Z * share.std() / math.sqrt(200)
    assert (run.densities, run.gradients) == (500, 0)


@pytest.mark.parametrize("betas", [(1.0,), (0.9, 0.5), (1.0, 1.0), (1.0, 0.0), (1.0, 0.5, 0.2)])
def test_other_levels_are_refused(betas):
    with pytest.raises(ValueError, match="betas must fall from 1"):
        mcmc.tempering_step(TWO, chain(torch.zeros(4, 1, dtype=F64), TWO), step_size=1.0, betas=betas)
