"""Lecture 9's exercises: the flaw that was given."""

import torch

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
