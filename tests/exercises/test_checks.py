"""Checks, mistakes, inputs: how an exercise is declared, and what explains a failure."""

from dataclasses import replace

import pytest
import torch

from helpers.exercises import Draw, Wrong, agree, examine, holds, require, same
from tests.exercises.toys import NOISY, SCALED, noisy, refused, scaled


def test_the_mistake_that_fits_is_told() -> None:
    for wrong, message in SCALED.wrong_answers:
        assert refused(wrong).row("usually means") == message


def test_a_raised_error_that_a_mistake_shares_is_explained() -> None:
    ex = replace(SCALED, mistakes=((lambda x, factor=2.0: x.T @ x[None], "Do not transpose."),))
    refused(lambda x, factor=2.0: x.T @ x[None], "Do not transpose.", exercise=ex, kind="raised")


def test_a_wrong_error_class_is_an_error() -> None:
    def scaled(x, factor=2.0):
        if factor <= 0:
            raise TypeError("bad factor")
        return factor * x

    refused(scaled, "TypeError: bad factor", kind="raised")


def test_a_generator_is_the_same_for_all() -> None:
    assert examine(lambda x, generator: noisy(x, generator), NOISY).kind == "passed"
    refused(NOISY.wrong_answers[0][0], "The generator is not used.", exercise=NOISY)


def test_a_property_tells_what_it_saw() -> None:
    def law(f, draw):
        x = draw.normal(3)
        raise Wrong(expected="peace", got=f(x), on="the moon", meaning="It happens.")

    ex = replace(SCALED, checks=(holds("is law", law),), mistakes=())
    verdict = refused(scaled, "peace", "the moon", "It happens.", exercise=ex)
    assert verdict.row("should hold") == "is law" and verdict.row("got").startswith("tensor(")


@pytest.mark.parametrize(
    "law", [lambda f, draw: f(draw.normal(4)) > 99, lambda f, draw: require(False, expected="x"), lambda f, draw: False]
)
def test_a_property_can_fail_in_short(law) -> None:
    verdict = refused(
        scaled, "a hint", exercise=replace(SCALED, checks=(holds("a law", law, meaning="a hint"),), mistakes=())
    )
    assert verdict.row("should hold") == "a law"


def test_a_property_that_breaks_on_an_odd_result_is_a_failure() -> None:
    def law(f, draw):
        return {}["missing"]

    refused(scaled, "cannot go on", exercise=replace(SCALED, checks=(holds("a law", law),)))


def test_a_property_can_differentiate_and_vmap() -> None:
    def law(f, draw):
        x = draw.normal(4)
        agree(torch.func.vmap(torch.func.grad(f))(x), torch.full_like(x, 2.0))
        agree(torch.func.jacrev(f)(x), 2 * torch.eye(4, dtype=x.dtype))
        leaf = x.clone().requires_grad_()
        agree(torch.autograd.grad(f(leaf).sum(), leaf)[0], torch.full_like(x, 2.0))

    assert examine(scaled, replace(SCALED, checks=(holds("a law", law),))).kind == "passed"
    refused(lambda x, factor=2.0: factor * x**2, exercise=replace(SCALED, checks=(holds("a law", law),)))


def test_a_property_holds_the_result_against_the_reference() -> None:
    law = holds("is positive", lambda f, draw: f(draw.uniform(4)) >= 0)
    refused(lambda x, factor=2.0: None, "a tensor of shape (4,)", "None", exercise=replace(SCALED, checks=(law,)))


def test_draw_keeps_its_promises() -> None:
    draw, again = Draw(seed=3), Draw(seed=3)
    p = draw.probabilities(5, 4)
    assert torch.equal(p, again.probabilities(5, 4)) and p.shape == (5, 4)
    assert (p > 0).all() and torch.allclose(p.sum(-1), torch.ones(5))
    assert draw.normal(2, 3).dtype == torch.float32 and draw.uniform(9, low=2, high=3).min() >= 2
    assert set(draw.signs(99).tolist()) == {-1.0, 1.0} and set(draw.integers(2, 4, 99).tolist()) == {2, 3}
    assert 1 <= draw.number(1, 2) < 2 and draw.choice("a") == "a" and draw.normal().ndim == 0
    assert Draw(dtype=torch.float64).normal(2).dtype == torch.float64 and Draw().seed != Draw().seed


def test_a_declaration_is_checked() -> None:
    with pytest.raises(ValueError, match="number must read like"):
        replace(SCALED, number="one")
    with pytest.raises(ValueError, match="hints of exercise 1.1 must be a tuple"):
        replace(SCALED, hints="Multiply.")


def test_what_is_always_the_same_is_said_first() -> None:
    def positive(x):
        return bool(x.sum() > 0)

    ex = replace(
        SCALED,
        reference=positive,
        checks=(same("tells whether the sum is positive", lambda draw: draw.normal(3) + draw.choice((-9, 9))),),
        mistakes=(
            ("Only when all are negative.", lambda x: bool(x.sum() <= -(10**6))),
            ("The sum, not the sign of it.", lambda x: bool(x.sum() < 0)),
        ),
    )
    for _ in range(5):
        never = refused(lambda x: False, exercise=ex).row("usually means")
        assert never == "It is False on every input of this check. Only when all are negative."
        turned = refused(lambda x: bool(x[0] < 0), exercise=ex).row("usually means")
        assert turned == "The sum, not the sign of it."
        alone = refused(lambda x: True, exercise=ex).row("usually means")
        assert alone == "It is True on every input of this check."
    zero = refused(lambda x, factor=2.0: torch.zeros_like(x)).row("usually means")
    assert zero == "It is 0 on every input of this check."


def test_further_inputs_decide_between_mistakes_that_do_the_same() -> None:
    ex = replace(
        SCALED,
        reference=lambda x: x.softmax(-1),
        checks=(same("sums to 1", lambda draw: draw.normal(*draw.choice([(2, 1), (4, 3)]))),),
        mistakes=(("Over the first axis.", lambda x: x.softmax(0)), ("Over all.", lambda x: x.exp() / x.exp().sum())),
    )
    for _ in range(6):
        assert refused(lambda x: x.exp() / x.exp().sum(), exercise=ex).row("usually means") == "Over all."


def test_the_meaning_of_a_check_is_added_to_numbers_and_not_to_a_slip() -> None:
    ex = replace(SCALED, checks=(same("is twice x", lambda draw: draw.normal(7), meaning="Twice."),), mistakes=())
    assert refused(lambda x, factor=2.0: 3 * x, exercise=ex).row("usually means").endswith("what is expected. Twice.")
    assert refused(lambda x, factor=2.0: x.sin(), exercise=ex).row("usually means") == "Twice."
    assert "Twice" not in repr(refused(lambda x, factor=2.0: None, exercise=ex))
