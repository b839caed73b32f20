"""Steps: which are one another, which undo one another, of what order they are, and what law they leave alone."""

import pytest
import torch

from helpers import diffusion
from helpers.diffusion.sampling import clipped
from tests.diffusion.test_forward import F64, SCHEDULES, close, every_schedule, randn, rng

POINT = 0.7


def at_a_point(schedule):
    """The exact denoiser of data that is always POINT."""

    def noise(x_t, t):
        a = schedule.at(t)[:, None]
        return (x_t - a.sqrt() * POINT) / (1 - a).sqrt()

    return noise


@every_schedule
@pytest.mark.parametrize("jump", [1, 4])
def test_ddim_with_eta_1_is_ddpm(s, jump):
    x, noise, xi = randn(5, 3), randn(5, 3, seed=1), randn(5, 3, seed=2)
    for t in range(jump, s.T + 1, max(s.T // 9, 1)):
        levels = s.at(t), s.at(t - jump)
        ddpm, ddim = diffusion.ddpm_step(x, noise, *levels, xi), diffusion.ddim_step(x, noise, *levels, xi, eta=1.0)
        close(ddim, ddpm, rtol=1e-8, atol=1e-8)
        mean, variance = diffusion.posterior_mean_variance(x, diffusion.x0_from_noise(x, noise, levels[0]), *levels)
        close(ddpm, mean + variance.sqrt() * xi, rtol=1e-8, atol=1e-8)
        large = diffusion.ddpm_step(x, noise, *levels, xi, variance="beta")
        beta = 1 - levels[0] / levels[1] if t > jump else torch.zeros((), dtype=F64)
        close(large, mean + beta.sqrt() * xi, rtol=1e-8, atol=1e-8)


@every_schedule
def test_ddim_and_its_inverse(s):
    x, noise = randn(5, 3), randn(5, 3, seed=1)
    for t in range(1, s.T + 1, max(s.T // 9, 1)):
        there = diffusion.ddim_step(x, noise, s.at(t), s.at(t - 1))
        close(diffusion.ddim_inverse_step(there, noise, s.at(t), s.at(t - 1)), x, rtol=1e-7, atol=1e-7)


def test_ddim_is_euler_in_another_variable():
    """y = x / sqrt(a), s = sqrt(1/a - 1): y_prev = y_t + (s_prev - s_t) noise; Heun's is the trapezoid there."""
    x, noise, later = randn(5, 3), randn(5, 3, seed=1), randn(5, 3, seed=2)
    a, prev = torch.tensor(0.3, dtype=F64), torch.tensor(0.5, dtype=F64)
    ds = (1 / prev - 1).sqrt() - (1 / a - 1).sqrt()
    close(diffusion.ddim_step(x, noise, a, prev) / prev.sqrt(), x / a.sqrt() + ds * noise)
    heun = diffusion.heun_step(x, noise, lambda y: later, a, prev)
    close(heun / prev.sqrt(), x / a.sqrt() + ds * (noise + later) / 2)


@pytest.mark.parametrize(("method", "order"), [("ddim", 1), ("euler", 1), ("heun", 2)])
def test_the_order_of_each_method(method, order):
    """Against the exact flow of a mixture on the line, on a grid that is smooth down to t = 0."""
    m, steps, errors = diffusion.two_classes(), (32, 64, 128, 256), []
    x_T = torch.special.ndtri(diffusion.quantiles(100))[:, None]
    for T in steps:
        s = diffusion.polynomial(T)
        x_0 = diffusion.sample(diffusion.mixture_denoiser(m, s), s, x_T, method=method)
        errors.append(diffusion.wasserstein2(x_0, diffusion.flow_map(m, x_T, s.at(T))))
    assert diffusion.fitted_order(steps, errors) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("method", diffusion.METHODS)
def test_in_many_steps_every_method_leaves_the_data(method):
    """A Gaussian N(0.5, 0.04), the mean and the standard deviation within 0.02 and six standard errors."""
    one = [torch.tensor(part, dtype=F64) for part in ([1.0], [[0.5]], [0.04])]
    m, s, g = diffusion.Mixture(*one), diffusion.cosine(300), rng(0)
    x_T = torch.randn(4000, 1, generator=g, dtype=F64)
    x = diffusion.sample(diffusion.mixture_denoiser(m, s), s, x_T, method=method, generator=g)
    assert float(x.mean()) == pytest.approx(0.5, abs=0.02 + 6 * 0.2 / 4000**0.5)
    assert float(x.std()) == pytest.approx(0.2, abs=0.02 + 6 * 0.2 / 8000**0.5)


@pytest.mark.parametrize("options", [{"method": "ddpm"}, {"method": "ddpm", "variance": "beta"}, {"method": "ddim"},
                                     {"method": "ddim", "eta": 1.0}, {"method": "heun"}], ids=str)  # fmt: skip
def test_data_at_a_point_come_back_exactly(options):
    """No noise is added in the last step; the symptom of the sampler that adds some is a spread of sqrt(beta_1)."""
    for s in (diffusion.cosine(20), diffusion.linear(50)):
        x = diffusion.sample(at_a_point(s), s, randn(50, 1), generator=rng(0), **options)
        close(x, torch.full_like(x, POINT), rtol=0, atol=1e-7)


def test_ancestral_sampling_is_ddpm_with_beta():
    s, x_T, xi = diffusion.cosine(12), randn(7, 2), randn(12, 7, 2, seed=1)
    denoiser = diffusion.mixture_denoiser(diffusion.ring(), s)
    x = x_T
    for t in range(12, 0, -1):
        noise = diffusion.predict(denoiser, x, t)
        x = diffusion.ddpm_step(x, noise, s.at(t), s.at(t - 1), xi[t - 1], variance="beta")
    close(diffusion.ancestral_sample(denoiser, s, x_T, xi), x, rtol=1e-9, atol=1e-9)


def test_the_trajectory_visits_the_times_that_it_is_given():
    s, seen = diffusion.linear(50), []

    def denoiser(x_t, t):
        assert t.shape == (3,) and (t == t[0]).all()
        seen.append(int(t[0]))
        return x_t

    path = list(diffusion.trajectory(denoiser, s, randn(3, 2), steps=torch.tensor([2, 7, 50])))
    assert seen == [50, 7, 2] and len(path) == 4
    seen.clear()
    list(diffusion.trajectory(denoiser, s, randn(3, 2), steps=5, method="heun"))
    assert seen == [50, 40, 40, 30, 30, 20, 20, 10, 10]  # two a step, one in the last
    seen.clear()
    close(diffusion.sample(denoiser, s, randn(3, 2)), list(diffusion.trajectory(denoiser, s, randn(3, 2)))[-1])
    assert seen == 2 * list(range(50, 0, -1))


def test_the_noise_comes_from_the_generator():
    s = diffusion.cosine(8)
    denoiser, x_T = diffusion.mixture_denoiser(diffusion.ring(), s), randn(6, 2)
    for options in ({"method": "ddpm"}, {"method": "sde"}, {"eta": 0.5}):
        a, b, c = (diffusion.sample(denoiser, s, x_T, generator=rng(k), **options) for k in (1, 1, 2))
        assert torch.equal(a, b) and not torch.equal(a, c)
    state = torch.get_rng_state()
    diffusion.sample(denoiser, s, x_T)
    assert torch.equal(state, torch.get_rng_state())  # DDIM draws none


def test_clipping_keeps_the_predicted_data_in_range():
    s, x = SCHEDULES["cosine"], 5 * randn(6, 1, 2, 2)
    for t in (1, 20, 40):
        noise = clipped(randn(6, 1, 2, 2, seed=1), x, s.at(t), 1.0)
        assert diffusion.x0_from_noise(x, noise, s.at(t)).abs().max() < 1 + 1e-6
    calm = 0.1 * randn(6, 1, 2, 2)
    x_t = diffusion.q_sample(calm, s.at(20), randn(6, 1, 2, 2, seed=1))
    noise = diffusion.noise_from_x0(x_t, calm, s.at(20))
    close(clipped(noise, x_t, s.at(20), 1.0), noise)
    wild = diffusion.sample(lambda x_t, t: 0 * x_t, s, randn(6, 1, 2, 2), clip=1.0)
    assert wild.abs().max() <= 1 + 1e-6


def test_encoding_is_the_inverse_of_ddim():
    s = diffusion.cosine(60)
    m = diffusion.two_classes()
    denoiser, x_T = diffusion.mixture_denoiser(m, s), randn(30, 1)
    x_0 = diffusion.sample(denoiser, s, x_T, steps=torch.arange(3, 55, 3))
    errors = [
        float((diffusion.encode(denoiser, s, x_0, steps=torch.arange(3, 55, 3), corrections=k) - x_T).abs().max())
        for k in (0, 3, 60)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-8


def test_slerp_keeps_the_norm():
    a, b = randn(4, 1, 20, 20), randn(4, 1, 20, 20, seed=1)
    close(diffusion.slerp(a, b, 0.0), a)
    close(diffusion.slerp(a, b, 1.0), b)
    middle, other = diffusion.slerp(a, b, 0.5), diffusion.slerp(b, a, 0.5)
    close(middle, other)
    assert ((middle.flatten(1).norm(dim=1) / 20 - 1).abs() < 0.1).all()
