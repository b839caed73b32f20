"""Lecture 9's exercises: the flaw that was given, and more right answers than one style each."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.nn import functional as F

from helpers.exercises import examine, exercises
from helpers.smoothing.certificates import ABSTAIN, Certificate, certified_radius, clopper_pearson_lower
from helpers.smoothing.exercises import desk
from helpers.smoothing.exercises.certificate import flawed


def certify_as_given(selection, votes, *, sigma, alpha):
    """The words of a docstring do not count."""
    chosen = votes.argmax(1)
    lower = clopper_pearson_lower(votes.gather(1, chosen[:, None])[:, 0], int(votes[0].sum()), alpha)
    prediction = torch.where(lower > 0.5, chosen, ABSTAIN)
    return Certificate(prediction, certified_radius(lower, sigma), lower)


def certify_still_flawed(selection, votes, *, sigma, alpha):
    return flawed(selection, votes, sigma=sigma, alpha=alpha)


def test_the_flawed_function_unchanged_is_not_attempted() -> None:
    assert examine(certify_as_given, desk.find("certify")).kind == "not attempted"


def test_the_flaw_is_proved_by_the_property_that_breaks() -> None:
    verdict = examine(certify_still_flawed, desk.find("certify"))
    assert verdict.kind == "failed" and verdict.passed == 0
    assert "at most alpha" in verdict.row("should hold")
    share = float(verdict.row("got").split()[-1].rstrip("%"))
    assert 30 < share < 50, "ten equal classes, alpha = .05: about 1 - .95^10 = 40 %"
    assert "still chosen by the votes that bound it" in verdict.row("usually means")


def singular_values(weights):
    return float(np.prod([np.linalg.svd(w.cpu().numpy(), compute_uv=False)[0] for w in weights]))


def hot_margin(logits, y, lipschitz, *, per_logit=False):
    own = F.one_hot(y, logits.shape[1]).bool()
    gap = logits[own] - logits.masked_fill(own, -torch.inf).max(1).values
    return F.relu(gap) / lipschitz / (2 if per_logit else math.sqrt(2))


def corners(lower, upper, weight, bias):
    products = torch.stack([lower[:, None] * weight, upper[:, None] * weight])
    return products.amin(0).sum(2) + bias, products.amax(0).sum(2) + bias


def by_erf(p_a, distance, sigma):
    p, d = (torch.as_tensor(v, dtype=torch.float64) for v in (p_a, distance))
    return (1 + torch.erf(torch.erfinv(2 * p - 1) - d / (sigma * math.sqrt(2)))) / 2


def single(p_a, sigma, p_b=None):
    a = torch.as_tensor(p_a).float()
    b = 1 - a if p_b is None else torch.as_tensor(p_b).float()
    return (sigma * (torch.special.ndtri(a) - torch.special.ndtri(b)) / 2).clamp(min=0).double()


def beta_quantile(successes, n, alpha):
    k = np.asarray(successes.cpu() if torch.is_tensor(successes) else successes)
    device = successes.device if torch.is_tensor(successes) else "cpu"
    return torch.as_tensor(np.nan_to_num(stats.beta.ppf(alpha, k, n - k + 1)), dtype=torch.float64, device=device)


def log_tail(votes, alpha):
    counts, classes = votes.cpu().sort(dim=1, descending=True)
    a, n = counts[:, 0].numpy(), counts[:, :2].sum(1).numpy()
    chance = np.minimum(1, 2 * special.betainc(a, n - a + 1, 0.5))
    return torch.where(torch.as_tensor(chance) > alpha, -1, classes[:, 0]).to(votes.device)


def in_numpy(selection, votes, *, sigma, alpha):
    first, second = selection.cpu().numpy(), votes.cpu().numpy()
    chosen = first.argmax(1)
    k, n = second[np.arange(len(chosen)), chosen], second[0].sum()
    p = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, alpha), 0.0)
    sure = p > 0.5
    out = np.where(sure, chosen, -1), np.where(sure, sigma * special.ndtri(np.where(sure, p, 0.6)), 0.0), p
    return Certificate(*(torch.as_tensor(v).to(votes.device) for v in out))


def ceiling_single(n, alpha, sigma):
    p = torch.tensor(alpha, dtype=torch.float32) ** (1 / n)
    return sigma * max(0.0, torch.special.ndtri(p).item())


def fixed_steps(p_label, p_others, k, sigma, *, halvings=60):
    rivals = p_others.sort(1).values[:, -k:]
    low, step = torch.zeros_like(p_label), 8.0 * sigma
    for _ in range(40):
        step /= 2
        r = (low + step)[:, None]
        mass = torch.minimum(rivals.cumsum(1), 1 - p_label[:, None])
        theirs = torch.special.ndtr(torch.special.ndtri(mass) + r / sigma) / torch.arange(1, k + 1, device=r.device)
        ours = torch.special.ndtr(torch.special.ndtri(p_label) - r[:, 0] / sigma)
        low = torch.where(ours > theirs.min(1).values, low + step, low)
    return low


def coarse(p_a, p_b, sigma, *, points=1000):
    beta = torch.linspace(0, 1, 4001, dtype=p_a.dtype, device=p_a.device)[1:]
    delta = (p_a[:, None] - (2 * beta).exp() * p_b[:, None]) / (1 + beta.exp())
    radius = sigma * beta / (2 * (1.25 / delta.clamp(min=1e-300)).log()).sqrt()
    return torch.where(delta > 0, radius, 0.0).amax(1)


RIGHT = {
    "lipschitz_upper_bound": singular_values,
    "margin_radius": hot_margin,
    "interval_linear": corners,
    "neyman_pearson_bound": by_erf,
    "certified_radius": single,
    "clopper_pearson_lower": beta_quantile,
    "smoothed_predict": log_tail,
    "certify": in_numpy,
    "max_certifiable_radius": ceiling_single,
    "top_k_radius": fixed_steps,
    "lecuyer_radius": coarse,
}


@pytest.mark.parametrize("name", RIGHT)
def test_another_right_answer_passes(name: str) -> None:
    answer = RIGHT[name]
    answer.__name__ = name
    verdict = examine(answer, desk.find(name))
    assert verdict.kind == "passed", verdict


def test_every_exercise_has_another_right_answer() -> None:
    assert list(RIGHT) == [e.name for e in exercises("smoothing")]
