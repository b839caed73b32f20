"""Guidance on a mixture: the score that is followed, the law that is promised, the law that comes of it."""

import math

import pytest
import torch
from scipy import integrate, stats

from helpers import diffusion
from tests.diffusion.test_forward import F64, close, randn

CLASSES, SCHEDULE = diffusion.two_classes(), diffusion.linear(100)
MODEL = diffusion.labelled_denoiser(CLASSES, SCHEDULE)


def guided(gamma: float, n: int = 9, y: int = 1, **options):
    return diffusion.guided_denoiser(MODEL, torch.full((n,), y), gamma, **({"null": 2} | options))


def test_gamma_0_is_without_the_label_and_1_with_it():
    x, t = randn(9, 1), torch.full((9,), 40)
    without, with_label = MODEL(x, t, torch.full((9,), 2)), MODEL(x, t, torch.full((9,), 1))
    close(guided(0.0)(x, t), without)
    close(guided(1.0)(x, t), with_label)
    close(guided(1.0, null=None)(x, t), with_label)
    close(guided(3.0)(x, t), 3 * with_label - 2 * without)
    close(diffusion.classifier_free_noise(with_label, without, 0.25), 0.25 * with_label + 0.75 * without)


def test_with_and_without_a_classifier_it_is_the_same_score():
    """grad log p_t(y | x) of the exact classifier, by autograd, is the difference of the two scores."""

    def log_classifier(x_t, t):
        return CLASSES.noised(SCHEDULE.at(t)).responsibilities(x_t)[:, 1].log()

    free = diffusion.mixture_denoiser(CLASSES, SCHEDULE)
    x, t = randn(9, 1), torch.arange(5, 95, 10)
    for gamma in (0.0, 1.0, 3.0):
        by_classifier = diffusion.classifier_guided_denoiser(free, log_classifier, SCHEDULE, gamma)
        close(by_classifier(x, t), guided(gamma)(x, t), rtol=1e-7, atol=1e-9)


def test_the_tilted_law_by_quadrature():
    """p(x) p(y | x)^3 of N(-1, 0.25) and N(1, 0.25): mean 1.05, standard deviation 0.46."""

    def density(x: float) -> float:
        p = [stats.norm.pdf(x, c, 0.5) / 2 for c in (-1, 1)]
        return sum(p) * (p[1] / sum(p)) ** 3

    moments = [integrate.quad(lambda x, k=k: x**k * density(x), -4, 6)[0] for k in range(3)]
    mean = moments[1] / moments[0]
    sd = math.sqrt(moments[2] / moments[0] - mean**2)
    law = diffusion.tilted_law(CLASSES, 1, 3.0)
    assert (law.mean, law.sd) == (pytest.approx(mean, abs=2e-3), pytest.approx(sd, abs=3e-3))
    assert (round(mean, 2), round(sd, 2)) == (1.05, 0.46)


def test_the_guided_flow_is_not_the_tilted_law():
    """By SciPy's solver of the flow dx/dtau = (x + score)/2 in tau = ln a, 100 quantiles: 1.52 and 0.31."""

    def slope(tau, x):
        a = math.exp(tau)
        noised, points = CLASSES.noised(a), torch.from_numpy(x)[:, None]
        free, own = noised.score(points), (math.sqrt(a) - points) / noised.variances[1]
        return (points + 3 * own - 2 * free)[:, 0].numpy() / 2

    x_T = torch.special.ndtri(diffusion.quantiles(100)).numpy()
    tau = math.log(float(diffusion.linear(1000).alpha_bar[-1]))
    end = integrate.solve_ivp(slope, (tau, 0), x_T, rtol=1e-8, atol=1e-8).y[:, -1]
    law = diffusion.guided_law(CLASSES, 1, 3.0, diffusion.linear(200), n=100)
    assert (law.mean, law.sd) == (pytest.approx(end.mean(), abs=3e-3), pytest.approx(end.std(), abs=3e-3))
    assert law.mean == pytest.approx(1.52, abs=0.01) and law.sd == pytest.approx(0.31, abs=0.01)


def test_at_gamma_1_the_guided_flow_is_the_class():
    for y, centre in ((0, -1), (1, 1)):
        for law in (
            diffusion.guided_law(CLASSES, y, 1.0, diffusion.cosine(200)),
            diffusion.tilted_law(CLASSES, y, 1.0),
        ):
            assert law.mean == pytest.approx(centre, abs=0.01) and law.sd == pytest.approx(0.5, abs=0.01)
    everything = diffusion.tilted_law(CLASSES, 1, 0.0)
    assert everything.mean == pytest.approx(0, abs=0.01) and everything.sd == pytest.approx(1.25**0.5, abs=0.01)


def test_guidance_without_its_means_is_refused():
    with pytest.raises(ValueError, match="gamma = 3 needs the prediction without a label: give null="):
        diffusion.guided_denoiser(MODEL, torch.ones(3, dtype=torch.long), 3.0)
    with pytest.raises(ValueError, match="y must be .N,. integers"):
        diffusion.guided_denoiser(MODEL, torch.ones(3), 3.0, null=2)
    with pytest.raises(ValueError, match="one label for each of the 4 samples"):
        guided(2.0, n=3)(randn(4, 1), torch.full((4,), 2))
    with pytest.raises(ValueError, match="one shape"):
        diffusion.classifier_free_noise(torch.zeros(3, 1), torch.zeros(3), 2.0)
    for law in (diffusion.tilted_law, lambda *given: diffusion.guided_law(*given, SCHEDULE)):
        with pytest.raises(ValueError, match="d must be 1"):
            law(diffusion.ring(), 1, 3.0)


def test_a_classifier_of_the_noise_level_is_asked_in_its_row():
    x = randn(4, 2)
    noise = diffusion.classifier_guided_noise(x, torch.ones_like(x), torch.tensor([0.1, 0.4, 0.7, 0.9], dtype=F64), 2.0)
    due = [x[i] - 2 * math.sqrt(1 - a) for i, a in enumerate((0.1, 0.4, 0.7, 0.9))]
    close(noise, torch.stack(due))
