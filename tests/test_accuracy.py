"""Cross-entropy and accuracy of a model, in evaluation mode."""

import math

import pytest
import torch
from torch import nn

from helpers.training import accuracy, cross_entropy, evaluating


def test_cross_entropy_is_minus_the_mean_log_softmax():
    logits, y = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([1, 0])
    assert cross_entropy(nn.Identity(), logits, y).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_accuracy_counts_the_right_rows_in_any_batch_size():
    logits, y = torch.eye(3).repeat(4, 1), torch.tensor([0, 1, 0] * 4)
    for size in (1, 5, 12, 100):
        assert accuracy(nn.Identity(), logits, y, size) == pytest.approx(2 / 3)
    assert accuracy(lambda x: -x, torch.tensor([[0.0, 1.0]]), torch.tensor([0])) == 1


def test_accuracy_is_taken_in_evaluation_mode_and_every_layer_gets_its_own_back():
    model = nn.Sequential(nn.Dropout(0.999999), nn.Identity())
    model[1].eval()
    assert accuracy(model, torch.eye(5), torch.arange(5)) == 1  # with dropout on, all logits would be 0
    assert [m.training for m in model.modules()] == [True, True, False]


def test_evaluating_restores_the_mode_after_an_error():
    model = nn.Dropout()
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not model.training
        raise ZeroDivisionError
    assert model.training


@pytest.mark.parametrize("function", [cross_entropy, accuracy])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.ones(3, 2), torch.ones(3)),
        (torch.ones(3, 2), torch.ones(3, 1, dtype=torch.int64)),
        (torch.ones(3, 2), torch.ones(2, dtype=torch.int64)),
        (torch.ones(3), torch.ones(3, dtype=torch.int64)),
    ],
)
def test_labels_that_do_not_fit_are_refused(function, x, y):
    with pytest.raises(ValueError, match="need logits .* and y|y must hold one label per row"):
        function(nn.Identity(), x, y)


def test_accuracy_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        accuracy(nn.Identity(), torch.ones(0, 2), torch.ones(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="batch_size=0"):
        accuracy(nn.Identity(), torch.ones(1, 2), torch.ones(1, dtype=torch.int64), batch_size=0)
