"""Step sizes at known steps, and torch's schedulers."""

import math

import pytest
import torch

from helpers import risk
from helpers.risk import schedules


def test_schedules_at_known_steps() -> None:
    assert [schedules.power_schedule(t, eta=2.0, power=0.5) for t in (0, 3, 15)] == [2.0, 1.0, 0.5]
    stairs = [schedules.step_decay_schedule(t, peak=8.0, every=3, factor=0.5) for t in (0, 2, 3, 5, 6)]
    assert stairs == [8.0, 8.0, 4.0, 4.0, 2.0]
    warm = [risk.cosine_schedule(t, 8, 1.0, warmup=4) for t in range(9)]
    assert warm == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0], abs=1e-6)
    assert [schedules.restart_schedule(t, peak=1.0, period=4) for t in (0, 2, 4, 6, 8)] == pytest.approx(
        [1, 0.5, 1, 0.5, 1]
    )
    assert risk.cosine_schedule(4, 8, 1.0, warmup=2) == pytest.approx(0.75)  # a third of the way: (1 + cos(pi/3))/2
    assert schedules.step_decay_schedule(7, peak=8.0, every=7) == pytest.approx(0.8)
    assert [schedules.step_decay_schedule(t, peak=8.0, every=1, factor=0.5) for t in (0, 1)] == [8.0, 4.0]
    assert schedules.restart_schedule(5, peak=2.0, period=1) == 2 and risk.cosine_schedule(0, 1, 2.0) == 2
    assert [schedules.triangular_schedule(t, peak=2.0, period=1) for t in (0, 3)] == pytest.approx([0.2, 0.2])
    triangle = [schedules.triangular_schedule(t, peak=1.0, period=4) for t in range(6)]
    assert triangle == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1, 0.55])


def test_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for t in range(21):
        assert math.isclose(risk.cosine_schedule(t, 20, 0.3), theirs.get_last_lr()[0], abs_tol=1e-12)
        optimizer.step()
        theirs.step()


def test_plateau_is_torchs() -> None:
    risks = [1.0, 0.9, 0.95, 0.9, 0.92, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.7]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0)
    ours = schedules.Plateau(1.0, patience=2, factor=0.5)
    seen = []
    for value in risks:
        theirs.step(value)
        seen.append(ours(value))
        assert math.isclose(seen[-1], optimizer.param_groups[0]["lr"])
    assert seen[-1] == 0.25
    impatient = schedules.Plateau(1.0, patience=0)
    assert [impatient(value) for value in (1.0, 1.0, 0.5, 0.6)] == pytest.approx([1.0, 0.1, 0.1, 0.01])
    impatient = schedules.Plateau(1.0, patience=0)
    assert [impatient(math.inf) for _ in range(3)] == pytest.approx([0.1, 0.01, 0.001])
    patient = schedules.Plateau(1.0, patience=1)
    assert [patient(math.inf) for _ in range(3)] == pytest.approx([1.0, 0.1, 0.1])
