"""The chain: closed form against rolling it, the posterior against Gaussian conditioning, the three predictions."""

import math

import pytest
import torch

from helpers import diffusion, runtime

F64 = torch.float64
close = torch.testing.assert_close
SCHEDULES = {
    "linear": diffusion.linear(50),
    "unscaled": diffusion.linear(100, scaled=False),
    "cosine": diffusion.cosine(40),
    "polynomial": diffusion.polynomial(30),
    "one step": diffusion.schedule(torch.tensor([0.9], dtype=F64)),
}
every_schedule = pytest.mark.parametrize("s", SCHEDULES.values(), ids=SCHEDULES)


def rng(number: int = 0) -> torch.Generator:
    return runtime.generator(number, "cpu")


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> torch.Tensor:
    g = rng(seed)
    return torch.randn(*shape, generator=g, dtype=dtype, device=g.device)


@every_schedule
def test_alpha_bar_falls_and_belongs_to_beta(s):
    close(s.alpha_bar, torch.exp(torch.log1p(-s.beta).cumsum(0)), rtol=1e-12, atol=0)
    assert (s.alpha_bar.diff() < 0).all() and 0 < s.alpha_bar[-1] and s.alpha_bar[0] < 1
    close(s.at(torch.arange(s.T + 1))[1:].to(s.alpha_bar), s.alpha_bar)
    assert s.at(0) == 1


def test_the_ends_of_the_schedules():
    """What the text says: 4e-5 left at T = 1000, and 0.36 when the same beta meet T = 100."""
    assert float(diffusion.linear(1000).alpha_bar[-1]) == pytest.approx(4.04e-5, rel=1e-2)
    assert float(diffusion.linear(100, scaled=False).alpha_bar[-1]) == pytest.approx(0.364, abs=5e-4)
    assert all(2e-5 < float(diffusion.linear(T).alpha_bar[-1]) < 5e-5 for T in (100, 300, 4000))
    assert float(diffusion.cosine(1000).beta.max()) == 0.999
    f = [math.cos((t / 7 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(8)]
    close(diffusion.cosine_alpha_bar(7), torch.tensor(f[1:], dtype=F64).cpu() / f[0], rtol=1e-12, atol=1e-30)


def test_sub_sequences_end_at_T_and_never_repeat():
    for T in (1, 2, 3, 7, 10, 100, 1000):
        for steps in range(1, min(T, 60) + 1):
            times = diffusion.spaced(T, steps)
            assert len(times) == steps and times[-1] == T and times[0] >= 1 and (times.diff() > 0).all()


def rolled(s: diffusion.Schedule) -> tuple[float, float]:
    """What t = T steps of `q_step` make of x_0 and of the noise: factor of x_0, variance."""
    mean, variance = torch.ones(1, 1, dtype=F64), 0.0
    for beta in s.beta:
        mean = diffusion.q_step(mean, beta, torch.zeros(1, 1, dtype=F64))
        variance = float(1 - beta) * variance + float(diffusion.q_step(0 * mean, beta, torch.ones_like(mean)).square())
    return float(mean), variance


@every_schedule
def test_the_closed_form_is_the_rolled_chain(s):
    one, zero = torch.ones(1, 1, dtype=F64), torch.zeros(1, 1, dtype=F64)
    mean, variance = rolled(s)
    assert float(diffusion.q_sample(one, s.at(s.T), zero)) == pytest.approx(mean, rel=1e-10)
    assert float(diffusion.q_sample(zero, s.at(s.T), one)) ** 2 == pytest.approx(variance, rel=1e-10)


@every_schedule
@pytest.mark.parametrize("jump", [1, 3])
def test_the_posterior_is_gaussian_conditioning(s, jump):
    """Joint law of (x_prev, x_t) given x_0 by its covariance, conditioned by the textbook formula."""
    x_0, x_t = randn(4, 3), randn(4, 3, seed=1)
    for t in range(jump, s.T + 1, max(s.T // 7, 1)):
        a, prev = float(s.at(t)), float(s.at(t - jump))
        cov = torch.tensor(
            [[1 - prev, math.sqrt(a / prev) * (1 - prev)], [math.sqrt(a / prev) * (1 - prev), 1 - a]], dtype=F64
        )
        gain = cov[0, 1] / cov[1, 1]
        mean = math.sqrt(prev) * x_0 + gain * (x_t - math.sqrt(a) * x_0)
        got, variance = diffusion.posterior_mean_variance(x_t, x_0, s.at(t), s.at(t - jump))
        close(got, mean, rtol=1e-9, atol=1e-9)
        close(variance, cov[0, 0] - gain * cov[0, 1], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 2), (5,), (5, 1, 4, 4), (5, 5)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(F64, 1e-12), (torch.float32, 1e-5)])
def test_every_conversion_there_and_back(shape, dtype, tolerance):
    x_0, xi = randn(*shape, dtype=dtype), randn(*shape, seed=1, dtype=dtype)
    for a in (torch.tensor(0.37, dtype=F64), torch.linspace(0.1, 0.9, 5), 0.6):
        x_t = diffusion.q_sample(x_0, a, xi)
        assert x_t.dtype == dtype
        near = {"rtol": tolerance, "atol": tolerance}
        close(diffusion.noise_from_x0(x_t, x_0, a), xi, **near)
        close(diffusion.x0_from_noise(x_t, xi, a), x_0, **near)
        score = diffusion.score_from_noise(xi, a)
        close(diffusion.noise_from_score(score, a), xi, **near)
        close(diffusion.tweedie_mean(x_t, score, a), x_0, **near)


def test_a_level_for_each_sample_is_a_level_at_a_time():
    x_0, xi, a = randn(4, 4), randn(4, 4, seed=1), torch.tensor([0.9, 0.5, 0.2, 1.0], dtype=F64)
    prev = torch.tensor([0.95, 1.0, 0.3, 1.0], dtype=F64)
    whole = diffusion.q_sample(x_0, a, xi)
    close(whole, torch.cat([diffusion.q_sample(x_0[i : i + 1], a[i], xi[i : i + 1]) for i in range(4)]))
    mean, variance = diffusion.posterior_mean_variance(whole[:3], x_0[:3], a[:3], prev[:3])
    for i in range(3):
        single = diffusion.posterior_mean_variance(whole[i : i + 1], x_0[i : i + 1], a[i], prev[i])
        close((mean[i : i + 1], variance[i]), single)
    assert variance[1] == 0


@every_schedule
def test_the_weights_are_the_divergences(s):
    """KL(q(x_{t-1} | x_t, x_0) || p) for a wrong x_0 is w |error|^2, whichever prediction is wrong."""
    weights, x_0, xi, off = diffusion.weights(s), randn(3, 2), randn(3, 2, seed=1), randn(3, 2, seed=2)
    assert all(weight[0] == math.inf for weight in weights)
    snr = diffusion.signal_to_noise(s.alpha_bar)
    close(weights.x0[1:], (snr[:-1] - snr[1:]) / 2, rtol=1e-9, atol=0)
    for t in range(2, s.T + 1):
        a, prev = s.at(t), s.at(t - 1)
        x_t = diffusion.q_sample(x_0, a, xi)
        score = diffusion.score_from_noise(xi, a)
        guesses = {
            "x0": x_0 + off,
            "noise": diffusion.x0_from_noise(x_t, xi + off, a),
            "score": diffusion.tweedie_mean(x_t, score + off, a),
        }
        mean_q, variance = diffusion.posterior_mean_variance(x_t, x_0, a, prev)
        for name, guess in guesses.items():
            mean_p, _ = diffusion.posterior_mean_variance(x_t, guess, a, prev)
            kl = diffusion.gaussian_kl(mean_q, variance, mean_p, variance)
            close(kl, getattr(weights, name)[t - 1] * off.square().sum(1), rtol=1e-6, atol=1e-12)
