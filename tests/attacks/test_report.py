import math

import torch
from torch import nn

from helpers import attacks
from helpers.attacks import report
from tests.attacks.toys import generator


def test_the_median_counts_failures_as_infinite_and_never_rises_with_success():
    norms = torch.tensor([0.5, 0.7, 3.0, 4.0, 9.0])
    found = [report.median_norm(torch.arange(5) < k, norms).item() for k in range(6)]
    assert found == [math.inf, math.inf, math.inf, 3.0, 3.0, 3.0]
    assert report.median_norm(torch.tensor([True, True, False, False]), norms[:4]) == norms[1]


def test_a_row_counts_what_the_attack_asked_and_judges_its_result_anew():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(9, 3)), torch.rand(10, 1, 3, 3)
    y = torch.where(torch.arange(10) < 6, model(x).argmax(1), (model(x).argmax(1) + 1) % 3)
    row = report.evaluate(lambda m, x, y: attacks.pgd_linf(m, x, y, eps=0.5, steps=4), model, x, y, math.inf)
    assert row.gradients == 4 and row.queries == 5 and row.seconds > 0
    wrong = model(x).argmax(1) != y
    lazy = report.evaluate(lambda m, x, y: x, model, x, y, 2)
    assert lazy.success == 0.4 and torch.equal(lazy.norms == 0, wrong) and lazy.mean == math.inf


def test_order_statistics_hold_the_median_as_often_as_they_say():
    """Of 30: the 10th and the 21st; they miss the median of their law in 4.3 % of the samples, four standard errors."""
    assert report.median_interval(torch.arange(1.0, 31.0)) == (10.0, 21.0)
    assert report.median_interval(torch.arange(5.0)) == (0.0, math.inf)  # too few to say anything
    found = torch.tensor([report.median_interval(row) for row in torch.rand(2000, 30, generator=generator())])
    missed = ((found[:, 0] > 0.5) | (found[:, 1] < 0.5)).double().mean()
    assert abs(missed - 0.0428) < 4 * math.sqrt(0.0428 * 0.9572 / 2000)
