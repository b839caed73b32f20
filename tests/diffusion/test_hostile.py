"""What is handed over by mistake is refused by name, with what is allowed and, where there is one, the remedy."""

import math

import pytest
import torch

from helpers import diffusion
from tests.diffusion.test_forward import F64, randn

X = torch.zeros(4, 2, dtype=F64)
S = diffusion.cosine(10)


@pytest.mark.parametrize(
    "beta", [torch.tensor([0.1, 0.0]), torch.tensor([0.1, 1.0]), torch.tensor([-0.1]), torch.tensor([math.nan]),
             torch.tensor([]), torch.tensor(0.3), torch.full((2, 2), 0.5)],
)  # fmt: skip
def test_beta_outside_its_range(beta):
    for make in (diffusion.alpha_bar, diffusion.schedule):
        with pytest.raises(ValueError, match=r"beta must be \(T,\) with values in \(0, 1\)"):
            make(beta)


@pytest.mark.parametrize(
    ("levels", "match"),
    [
        (torch.tensor([0.5, 0.6]), "fall with t"),
        (torch.tensor([0.5, 0.5]), "fall with t"),
        (torch.tensor([1.0, 0.5]), r"\(0, 1\)"),
        (torch.tensor([0.5, 0.0]), r"\(0, 1\)"),
        (torch.tensor([0.5, math.nan]), r"\(0, 1\)"),
        (torch.tensor(0.5), "fall with t"),
    ],
)
def test_levels_that_do_not_fall(levels, match):
    with pytest.raises(ValueError, match=match):
        diffusion.from_alpha_bar(levels)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: diffusion.linear(20), r"T must be above 20.*cosine"),
        (lambda: diffusion.linear(0), "T must be an integer"),
        (lambda: diffusion.cosine(2.5), "T must be an integer"),
        (lambda: diffusion.cosine_alpha_bar(10, -0.1), "s must be at least 0"),
        (lambda: diffusion.polynomial(10, rho=0.5), "rho must be at least 1"),
        (lambda: diffusion.polynomial(10, largest=0), "largest must be a positive"),
        (lambda: diffusion.signal_to_noise(torch.tensor([0.0])), "alpha_bar must lie in"),
        (lambda: diffusion.spaced(10, 11), "steps must be at most T = 10, got 11"),
        (lambda: diffusion.spaced(10, 0), "steps must be an integer"),
    ],
)
def test_schedules_that_cannot_be(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize("t", [-1, 11, torch.tensor([3, 12]), torch.tensor([1.0, 2.0]), 2.5])
def test_times_outside_the_schedule(t):
    with pytest.raises(ValueError, match=r"t must be integers in 0 \.\.\. T = 10"):
        S.at(t)


@pytest.mark.parametrize("times", [[3, 2, 7], [2, 2, 7], [0, 5], [5, 11], [], [1.0, 2.0], [[1, 2]]])
def test_sub_sequences_that_are_none(times):
    with pytest.raises(ValueError, match="times must"):
        diffusion.sample(lambda x, t: x, S, X, steps=torch.tensor(times, dtype=None if times else torch.long))


@pytest.mark.parametrize(
    ("denoiser", "match"),
    [
        (lambda x, t: x[:, :1], r"must return noise of x_t's shape \(4, 2\), got \(4, 1\) at t = 10"),
        (lambda x, t: x[0], r"got \(2,\)"),
        (lambda x, t: (x, t), "got tuple"),
        (lambda x, t: x.new_tensor([[math.nan, 0], [0, 0], [0, math.inf], [0, 0]]), "NaN or infinity for 2 of 4"),
    ],
)
def test_denoisers_that_return_something_else(denoiser, match):
    with pytest.raises(ValueError, match=match):
        diffusion.sample(denoiser, S, X)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "ddmp"}, "method must be one of ddpm, ddim, euler, heun, sde, got 'ddmp'"),
        ({"eta": 1.5}, "eta must lie in"),
        ({"eta": -0.1}, "eta must lie in"),
        ({"method": "ddpm", "variance": "small"}, "variance must be 'posterior' or 'beta'"),
        ({"clip": 0.0}, "clip must be a positive"),
        ({"steps": 11}, "steps must be at most T = 10"),
    ],
)
def test_options_that_there_are_not(options, match):
    with pytest.raises(ValueError, match=match):
        diffusion.sample(lambda x, t: x, S, X, **options)


PAIRS = {
    "q_step": lambda a, b: diffusion.q_step(a, 0.5, b),
    "q_sample": lambda a, b: diffusion.q_sample(a, 0.5, b),
    "posterior": lambda a, b: diffusion.posterior_mean_variance(a, b, 0.3, 0.5),
    "noise": lambda a, b: diffusion.noise_from_x0(a, b, 0.5),
    "x0": lambda a, b: diffusion.x0_from_noise(a, b, 0.5),
    "tweedie": lambda a, b: diffusion.tweedie_mean(a, b, 0.5),
    "ddpm": lambda a, b: diffusion.ddpm_step(a, a, 0.3, 0.5, b),
    "ddim": lambda a, b: diffusion.ddim_step(a, b, 0.3, 0.5),
    "inverse": lambda a, b: diffusion.ddim_inverse_step(a, b, 0.3, 0.5),
    "euler": lambda a, b: diffusion.euler_step(a, b, 0.3, 0.5),
    "heun": lambda a, b: diffusion.heun_step(a, b, lambda y: y, 0.3, 0.5),
    "sde": lambda a, b: diffusion.sde_step(a, a, 0.3, 0.5, b),
    "transport": diffusion.wasserstein2,
    "classifier": lambda a, b: diffusion.classifier_guided_noise(a, b, 0.5, 1.0),
    "slerp": lambda a, b: diffusion.slerp(a, b, 0.5),
    "divergence": lambda a, b: diffusion.gaussian_kl(a, torch.ones(()), b, torch.ones(())),
}


@pytest.mark.parametrize("name", PAIRS)
def test_shapes_that_would_broadcast(name):
    with pytest.raises(ValueError, match=r"one shape|both be"):
        PAIRS[name](X, torch.zeros(4, 1, dtype=F64))


@pytest.mark.parametrize("a", [0.0, 1.0, -0.1, math.nan, torch.tensor([0.5, 0.5, 0.5, 1.0])])
def test_levels_where_there_is_nothing_to_convert(a):
    for convert in (diffusion.noise_from_x0, diffusion.x0_from_noise):
        with pytest.raises(ValueError, match=r"alpha_bar_t must lie in \(0, 1\)"):
            convert(X, X, a)
    with pytest.raises(ValueError, match=r"alpha_bar_t must lie in \(0, 1\)"):
        diffusion.score_from_noise(X, a)


@pytest.mark.parametrize("pair", [(0.5, 0.5), (0.6, 0.5), (0.5, 1.1), (torch.tensor([0.1, 0.6, 0.1, 0.1]), 0.5)])
def test_steps_that_do_not_go_back(pair):
    calls = (
        lambda: diffusion.posterior_mean_variance(X, X, *pair), lambda: diffusion.ddpm_step(X, X, *pair, X),
        lambda: diffusion.ddim_step(X, X, *pair), lambda: diffusion.ddim_inverse_step(X, X, *pair),
        lambda: diffusion.euler_step(X, X, *pair), lambda: diffusion.sde_step(X, X, *pair, X),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match="alpha_bar_t must be below alpha_bar_prev|alpha_bar_prev must lie in"):
            call()


def test_a_level_for_each_of_other_samples():
    with pytest.raises(ValueError, match=r"one for each of the 4 samples, got shape \(2,\)"):
        diffusion.q_sample(X, torch.tensor([0.5, 0.4]), X)
    with pytest.raises(ValueError, match="one for each"):
        diffusion.q_sample(X, torch.full((4, 1), 0.5), X)


def test_not_a_number_is_no_distance():
    with pytest.raises(ValueError, match="NaN"):
        diffusion.wasserstein2(X, X * math.nan)


def test_inputs_are_not_changed():
    x, noise, xi = randn(4, 2), randn(4, 2, seed=1), randn(4, 2, seed=2)
    before = [part.clone() for part in (x, noise, xi)]
    diffusion.ddpm_step(x, noise, 0.3, 0.5, xi)
    diffusion.ddim_step(x, noise, 0.3, 0.5, xi, eta=1.0)
    diffusion.sample(lambda x, t: x, S, x, method="heun")
    diffusion.ancestral_sample(lambda x, t: x, S, x, torch.zeros(10, 4, 2, dtype=F64))
    assert all(torch.equal(a, b) for a, b in zip((x, noise, xi), before, strict=True))
