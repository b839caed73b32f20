"""Schedules and steps beside diffusers', distances beside POT's.

They live in an environment of their own (`make peers PEERS=diffusion`); without them these tests are skipped.
"""

import pytest
import torch

from helpers import diffusion
from tests.diffusion.test_forward import F64, close, randn

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed: make peers PEERS=diffusion")
ot = pytest.importorskip("ot", reason="POT is not installed: make peers PEERS=diffusion")

OURS = {
    "linear": diffusion.linear(1000),
    "few": diffusion.linear(100),
    "unscaled": diffusion.linear(100, scaled=False),
    "cosine": diffusion.cosine(1000),
    "few cosine": diffusion.cosine(50),
}
every = pytest.mark.parametrize("s", OURS.values(), ids=OURS)


def peer(cls, s, **options):
    """A scheduler with our levels, in float64: by itself it computes in float32, as the first test shows."""
    options |= {"clip_sample": False, "timestep_spacing": "trailing"}
    scheduler = cls(num_train_timesteps=s.T, trained_betas=s.beta.tolist(), **options)
    close(scheduler.alphas_cumprod.double(), s.alpha_bar, rtol=2e-3, atol=1e-6)
    scheduler.alphas_cumprod, scheduler.betas, scheduler.alphas = s.alpha_bar, s.beta, s.alpha
    scheduler.final_alpha_cumprod = torch.ones((), dtype=F64)
    return scheduler


def test_their_schedules_are_ours():
    named = {"linear": ("linear", 1000), "unscaled": ("linear", 100), "cosine": ("squaredcos_cap_v2", 1000),
             "few cosine": ("squaredcos_cap_v2", 50)}  # fmt: skip
    for name, (theirs, T) in named.items():
        scheduler = diffusers.DDPMScheduler(num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, beta_schedule=theirs)
        close(scheduler.betas.double(), OURS[name].beta, rtol=1e-5, atol=1e-7)
        close(scheduler.alphas_cumprod.double(), OURS[name].alpha_bar, rtol=2e-3, atol=1e-6)


@every
def test_noising(s):
    t = torch.tensor([0, s.T // 3, s.T - 1])
    x, xi = randn(3, 1, 4, 4), randn(3, 1, 4, 4, seed=1)
    theirs = peer(diffusers.DDPMScheduler, s).add_noise(x, xi, t)
    close(diffusion.q_sample(x, s.at(t + 1), xi), theirs, rtol=0, atol=1e-6)


@every
@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_ddpm_steps(s, variance):
    """Every tenth time; their variance at t = 1 is kept from 0 by 1e-20, and no noise is added there either."""
    kind = {"posterior": "fixed_small", "beta": "fixed_large"}[variance]
    scheduler = peer(diffusers.DDPMScheduler, s, variance_type=kind)
    x, noise = randn(3, 1, 4, 4), randn(3, 1, 4, 4, seed=1)
    for t in (*range(1, s.T, s.T // 10), s.T):
        theirs = scheduler.step(noise, t - 1, x, generator=torch.Generator().manual_seed(t)).prev_sample
        xi = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(t), dtype=F64)
        ours = diffusion.ddpm_step(x, noise, s.at(t), s.at(t - 1), xi, variance=variance)
        close(ours, theirs, rtol=1e-6, atol=1e-6)


@every
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim_steps(s, eta, steps):
    scheduler = peer(diffusers.DDIMScheduler, s, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    assert (scheduler.timesteps.flip(0) + 1).tolist() == diffusion.spaced(s.T, steps).tolist()
    x, noise, xi = (randn(3, 1, 4, 4, seed=k) for k in range(3))
    times = [0, *diffusion.spaced(s.T, steps).tolist()]
    for prev, t in zip(times[:-1], times[1:], strict=True):
        theirs = scheduler.step(noise, t - 1, x, eta=eta, variance_noise=xi).prev_sample
        close(diffusion.ddim_step(x, noise, s.at(t), s.at(prev), xi, eta=eta), theirs, rtol=1e-6, atol=1e-6)


@every
def test_the_inverse_of_ddim(s):
    """Their inverse scheduler goes from t to the time above with the noise at t."""
    scheduler = peer(diffusers.DDIMInverseScheduler, s, set_alpha_to_one=True)
    scheduler.set_timesteps(10)
    x, noise, gap = randn(3, 1, 4, 4), randn(3, 1, 4, 4, seed=1), s.T // 10
    for t in range(2 * gap, s.T, gap):
        theirs = scheduler.step(noise, t - 1, x).prev_sample
        close(diffusion.ddim_inverse_step(x, noise, s.at(t), s.at(t - gap)), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("d", [1, 2, 6])
def test_distances(d):
    a, b = randn(150, d), 0.5 + 2 * randn(150, d, seed=1)
    weights = torch.full((150,), 1 / 150, dtype=F64).numpy()
    theirs = ot.emd2(weights, weights, ot.dist(a.numpy(), b.numpy())) ** 0.5
    assert diffusion.wasserstein2(a, b) == pytest.approx(theirs, rel=1e-6)
