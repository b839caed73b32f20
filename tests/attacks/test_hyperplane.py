"""FAB and its projection beside linear programs, and on models whose distance to the boundary is known."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from helpers import attacks
from tests.attacks.toys import batch, generator, linear, network


def by_linear_program(x: Tensor, f: float, w: Tensor) -> float:
    """The least r for which some |delta_i| <= r has f + <w, delta> = 0 and x + delta in [0, 1]^d; infinite if none."""
    d, below, above = len(x), -x.numpy(), 1 - x.numpy()
    each = np.block([[np.eye(d), -np.ones((d, 1))], [-np.eye(d), -np.ones((d, 1))]])  # +-delta_i - r <= 0
    bounds = [*zip(below, above, strict=True), (0, None)]
    plane = np.append(w.numpy(), 0)[None]
    found = optimize.linprog(np.append(np.zeros(d), 1), each, np.zeros(2 * d), plane, [-f], bounds)
    return found.fun if found.status == 0 else math.inf


def test_the_projection_is_the_linear_programs() -> None:
    g = generator(5)
    x, w = (torch.rand(80, 7, generator=g, dtype=torch.float64) for _ in range(2))
    w = 2 * w - 1
    x[::3], w[::4, :3] = x[::3].round(), 0  # pixels at their bounds, pixels that do not count
    f = torch.randn(80, generator=g, dtype=torch.float64)
    f[::7] *= 10
    delta = attacks.to_hyperplane(x, f, w)
    expected = torch.tensor(
        [by_linear_program(*row) for row in zip(x, f.tolist(), w, strict=True)], dtype=torch.float64
    )
    reachable = expected.isfinite()
    assert 10 < reachable.sum() < 75
    assert ((x + delta >= -1e-12) & (x + delta <= 1 + 1e-12)).all()
    assert (f + (w * delta).sum(1))[reachable].abs().max() < 1e-12
    torch.testing.assert_close(attacks.norm(delta, math.inf)[reachable], expected[reachable], atol=1e-9, rtol=0)
    corner = (w * f[:, None] < 0).double() - x  # where the box does not reach the plane: as far as it goes
    gap = (w * (corner - delta)).sum(1)[~reachable]
    assert gap.abs().max() < 1e-12


def test_the_projection_of_pictures_and_its_limits() -> None:
    x = torch.rand(6, 2, 3, 3, generator=generator())
    w = torch.randn(6, 2, 3, 3, generator=generator(1))
    f = torch.tensor([0.3, -0.3, 0.0, 1e-6, 100.0, 0.1])
    w[5] = 0
    delta = attacks.to_hyperplane(x, f, w)
    missed = f + (w * delta).flatten(1).sum(1)
    assert missed[:4].abs().max() < 1e-6
    assert not delta[2].any() and not delta[5].any()  # on the plane already; no plane at all
    assert ((x + delta)[4] - (w[4] < 0).float()).abs().max() < 1e-6


@pytest.mark.parametrize("classes", [2, 5])
def test_on_a_linear_model_fab_finds_the_distance(classes: int) -> None:
    """|f| / ||w||_1 of the nearest boundary while no pixel meets its bounds, and never less."""
    model = linear(classes, (1, 8, 8))
    g = generator(2)
    x = 0.5 + 0.02 * torch.randn(20, 1, 8, 8, generator=g, dtype=torch.float64)
    with torch.no_grad():
        z = model(x)
    y, w = z.argmax(1), model[1].weight.detach()
    gaps = (z.gather(1, y[:, None]) - z) / (w[y][:, None] - w).abs().sum(2)
    exact = gaps.scatter(1, y[:, None], math.inf)
    found = torch.stack(
        [attacks.outcome(model, x, attacks.fab(model, x, y, steps=30, rank=k), y).distance for k in range(1, classes)]
    ).amin(0)
    ratio = found / exact.amin(1)
    assert ratio.min() > 1 - 1e-9 and ratio.max() < 1.01


def test_where_the_box_binds_fab_finds_the_linear_programs_distance() -> None:
    model = linear(2, (1, 3, 3))
    x = torch.rand(12, 1, 3, 3, generator=generator(4), dtype=torch.float64)
    x[::2] = (x[::2] + 0.2).round()
    with torch.no_grad():
        z = model(x)
    y, w = z.argmax(1), (model[1].weight[1] - model[1].weight[0]).detach()
    exact = torch.tensor(
        [by_linear_program(a.flatten(), float(b[1] - b[0]), w) for a, b in zip(x, z, strict=True)], dtype=torch.float64
    )
    found = attacks.outcome(model, x, attacks.fab(model, x, y, steps=50), y).distance
    hit = exact.isfinite() & (exact < 0.95)
    assert hit.sum() >= 6 and (found[hit] / exact[hit] < 1.01).all()
    assert (found[exact.isfinite()] >= exact[exact.isfinite()] - 1e-9).all() and found[exact.isinf()].isinf().all()


def test_a_step_by_hand() -> None:
    """One pixel pair, f = x_1 - x_2 - 0.2 from (0.8, 0.2): 0.2 each way, then 5 percent more."""
    x, w = torch.tensor([[0.8, 0.2]]), torch.tensor([[1.0, -1.0]])
    stepped = attacks.fab_step(x, x, torch.tensor([0.4]), w)
    torch.testing.assert_close(stepped, torch.tensor([[0.59, 0.41]]))
    x_t = torch.tensor([[0.7, 0.3]])  # halfway: d_t = 0.1, d = 0.2, and a = min(1/3, 0.1)
    stepped = attacks.fab_step(x, x_t, torch.tensor([0.2]), w)
    expected = 0.9 * (0.7 - 0.105) + 0.1 * (0.8 - 0.21)
    torch.testing.assert_close(stepped, torch.tensor([[expected, 1 - expected]]))
    x_t, a = torch.tensor([[0.61, 0.39]]), 0.01 / 0.21  # near the plane the pull is weaker
    stepped = attacks.fab_step(x, x_t, torch.tensor([0.02]), w)
    expected = (1 - a) * (0.61 - 0.0105) + a * (0.8 - 0.21)
    torch.testing.assert_close(stepped, torch.tensor([[expected, 1 - expected]]))


def test_fab_names_what_it_cannot_do_and_keeps_failures() -> None:
    model = network()
    x, y = batch(model)
    for options, message in (({"steps": 0}, "steps must be at least 1"), ({"rank": 0}, "rank must be at least 1")):
        with pytest.raises(ValueError, match=message):
            attacks.fab(model, x, y, **options)
    with pytest.raises(ValueError, match="rank must lie in 1 ... 4, got 5"):
        attacks.fab(model, x, y, rank=5)

    def always(z: Tensor) -> Tensor:
        zero = 0 * z.flatten(1).sum(1)
        return torch.stack([3 + zero, zero], 1)

    assert torch.equal(attacks.fab(always, x, torch.zeros_like(y), steps=3), x)
