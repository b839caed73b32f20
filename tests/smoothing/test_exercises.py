"""Lecture 9's exercises: the flaw that was given."""

import torch
from scipy import stats

from helpers.exercises import examine
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


def certified_radius_unclamped(p_a, sigma, p_b=None):
    a = torch.as_tensor(p_a, dtype=torch.float64)
    b = 1 - a if p_b is None else torch.as_tensor(p_b, dtype=torch.float64)
    return sigma / 2 * (torch.special.ndtri(a) - torch.special.ndtri(b))


def test_the_verdict_shows_the_call_that_failed_and_not_a_later_one() -> None:
    for _ in range(3):
        verdict = examine(certified_radius_unclamped, desk.find("certified_radius"))
        assert verdict.kind == "failed" and "certifies nothing" in verdict.row("expected")
        assert "-" in verdict.row("got"), "a radius below 0, not the 0 of p_A = p_B"


def upper_law(successes, n, alpha):
    """Beta(k + 1, n - k) belongs to the upper bound."""
    k = torch.as_tensor(successes)
    p = torch.as_tensor(stats.beta.ppf(alpha, k.numpy() + 1, n - k.numpy()))
    return torch.where(k > 0, p, 0.0)


def test_the_law_of_the_upper_bound_has_its_own_sentence() -> None:
    verdict = examine(upper_law, desk.find("clopper_pearson_lower"))
    assert verdict.kind == "failed" and "Beta(k + 1, n - k) belongs to the *upper*" in verdict.row("usually means")
