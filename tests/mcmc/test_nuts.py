"""NUTS and the mass matrix: the law, what a mistake in the tree does to it, the change of variables, the costs."""

import math
from functools import partial

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import nuts, targets
from helpers.mcmc.sampling import sample, tune_step_size
from helpers.mcmc.state import chain, dot
from tests.mcmc.test_laws import balance_p_value, drift
from tests.mcmc.toys import FALSE_ALARM, Z, bent, rng

F64 = torch.float64
MASS = torch.tensor([0.3, 4.0], dtype=F64)


def never(first, last):
    return torch.zeros(len(first.p), dtype=torch.bool)


def one_sided(first, last):
    return dot(last.at.x - first.at.x, last.p) <= 0


def eager_everywhere(near, far, generator, *, eager=False, join=nuts.join):
    return join(near, far, generator, eager=True)


def unweighted(near, far, generator, *, eager=False, join=nuts.join):
    near, far = (half._replace(log_weight=0 * half.log_weight) for half in (near, far))
    return join(near, far, generator, eager=eager)


def without_parts(leap, row, end, depth, generator, *, grow=nuts.grow):
    """Only the whole path is asked whether it turns, no part of its new half."""
    turned, nuts.turned = nuts.turned, never
    try:
        return grow(leap, row, end, depth, generator)
    finally:
        nuts.turned = turned


MUTANTS = {
    "halves of the new half by min(1, w/w)": ("join", eager_everywhere),
    "points without their weights": ("join", unweighted),
    "never turned round": ("turn_round", lambda path, flip: path),
    "one end asked": ("turned", one_sided),
    "parts of the new half not asked": ("grow", without_parts),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_tree_with_a_mistake_has_another_law(name, monkeypatch):
    """The tests of tests/mcmc/test_laws.py, which NUTS passes."""
    where, mistake = MUTANTS[name]
    monkeypatch.setattr(nuts, where, mistake)
    assert balance_p_value(mcmc.nuts_step, bent, 0.6) < FALSE_ALARM


def test_the_new_half_may_also_be_chosen_by_its_share(monkeypatch):
    """Slower, and exact."""
    monkeypatch.setattr(nuts, "join", lambda near, far, g, *, eager=False, join=nuts.join: join(near, far, g))
    score, p_value = drift(mcmc.nuts_step, bent, 0.6, steps=4)
    assert balance_p_value(mcmc.nuts_step, bent, 0.6) > FALSE_ALARM and score < Z and p_value > FALSE_ALARM


@pytest.mark.parametrize("step", [partial(mcmc.hmc_step, steps=4), mcmc.nuts_step])
def test_a_mass_is_a_change_of_variables(step):
    """Mass M for x is mass 1 for y = M^(1/2) x: the same noise leads to the same place."""
    target, root = bent(), MASS.sqrt()
    x = target.draw(500, rng(1))
    moved, info = step(target, chain(x, target), step_size=0.3, generator=rng(2), mass=MASS)
    straight, same = step(
        lambda y: target(y / root), chain(x * root, lambda y: target(y / root)), step_size=0.3, generator=rng(2)
    )
    assert torch.allclose(moved.x, straight.x / root) and torch.allclose(info.log_accept, same.log_accept)
    assert info.gradients == same.gradients
    assert not torch.allclose(moved.x, step(target, chain(x, target), step_size=0.3, generator=rng(2))[0].x)


@pytest.mark.parametrize("step", [mcmc.hmc_step, mcmc.nuts_step])
@pytest.mark.parametrize("mass", [torch.ones(3), torch.tensor([1.0, 0.0]), torch.tensor([1.0, math.inf])])
def test_a_mass_that_is_none(step, mass):
    with pytest.raises(ValueError, match="mass must be 2 positive numbers"):
        step(bent(), chain(torch.zeros(3, 2, dtype=F64), bent()), step_size=0.1, mass=mass)


@pytest.mark.parametrize("step", [mcmc.hmc_step, mcmc.nuts_step])
def test_a_mass_from_a_run_in_double_precision_serves_one_in_single(step):
    x = torch.randn(5, 2, generator=rng(1))
    s = chain(x, targets.log_normal)
    moved, info = step(targets.log_normal, s, step_size=0.3, generator=rng(2), mass=MASS)
    assert moved.x.dtype == info.log_accept.dtype == torch.float32
    assert torch.equal(moved.x, step(targets.log_normal, s, step_size=0.3, generator=rng(2), mass=MASS.float())[0].x)


def test_one_doubling_is_one_step_forward_or_back():
    target, x = bent(), bent().draw(2000, rng(3))
    s, info = mcmc.nuts_step(target, chain(x, target), step_size=0.2, generator=rng(4), doublings=1)
    p = torch.randn(2000, 2, generator=rng(4), dtype=F64)
    there, back = (mcmc.leapfrog(target.gradient, x, sign * p, 0.2, 1)[0] for sign in (1, -1))
    kinds = torch.stack([(s.x - y).abs().amax(1) < 1e-12 for y in (x, there, back)])
    assert (kinds.sum(0) == 1).all() and info.gradients == 1 and torch.equal(info.accepted, ~kinds[0])
    assert (kinds[1:].sum(1) > 800).all()  # each half of those that moved
    with pytest.raises(ValueError, match="doublings"):
        mcmc.nuts_step(target, s, step_size=0.2, doublings=0)


def test_gradients_are_those_evaluated_and_states_know_themselves():
    rows = []

    class Spy:
        def __call__(self, x):
            return bent()(x)

        def value_and_grad(self, x):
            rows.append(len(x))
            return bent().value_and_grad(x)

    s = chain(bent().draw(50, rng(5)), Spy())
    rows.clear()
    s, info = mcmc.nuts_step(Spy(), s, step_size=0.3, generator=rng(6))
    assert sum(rows) / 50 == pytest.approx(info.gradients)
    fresh = chain(s.x, bent())
    assert torch.allclose(s.log_prob, fresh.log_prob) and torch.allclose(s.grad, fresh.grad)
    assert rows[0] == 50 and min(rows) < 50  # who has stopped is not evaluated any more


def test_a_path_goes_half_round():
    """In N(0, I_2) all orbits have the period 2 pi, and the ends come nearer after 31 steps of 0.1."""
    target = targets.correlated_gaussian(2, 0.0)
    run = sample(mcmc.nuts_step, target, target.draw(200, rng(7)), 20, step_size=0.1, generator=rng(8))
    assert 20 < run.gradients / 20 < 64 and run.acceptance.mean() > 0.98
    short = partial(mcmc.nuts_step, doublings=3)
    few = sample(short, target, target.draw(20, rng(7)), 20, step_size=0.1, generator=rng(8))
    assert 19 * 7 < few.gradients <= 20 * 7


def test_divergent_paths_are_dropped_and_counted():
    x = torch.zeros(4, 1, dtype=F64)
    x[1] = 30.0
    with pytest.warns(RuntimeWarning, match="1 of 4 chains diverged, chain 1"):
        run = sample(mcmc.nuts_step, lambda x: -(x[:, 0] ** 4), x, 3, step_size=0.1, generator=rng())
    assert (run.x[1] == 30).all() and run.x.isfinite().all() and (run.x[[0, 2, 3]] != 0).all()


def test_its_step_is_tuned_by_the_mean_over_the_path():
    target = targets.correlated_gaussian(5, 0.5)
    step_size, x = tune_step_size(mcmc.nuts_step, target, target.draw(200, rng(1)), target=0.8, generator=rng(2))
    found = sample(mcmc.nuts_step, target, x, 20, step_size=step_size, generator=rng(3)).acceptance.mean()
    assert float(found) == pytest.approx(0.8, abs=0.03)
