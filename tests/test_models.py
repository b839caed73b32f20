import re

import pytest
import torch
from torch import nn

from helpers import models

NETS = {"lenet": models.lenet, "vgg": models.vgg, "resnet": models.resnet}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", NETS)
def test_the_docstring_counts_the_parameters(name):
    (stated,) = re.findall(r"([\d,]+) parameters", NETS[name].__doc__)
    assert parameters(NETS[name]()) == int(stated.replace(",", ""))


def test_the_docstring_of_mlp_counts_the_parameters():
    sizes, stated = re.search(r"mlp\((\[.*?\])\) has ([\d,]+)", models.mlp.__doc__).groups()
    n = [int(size) for size in re.findall(r"\d+", sizes)]
    assert parameters(models.mlp(n)) == int(stated.replace(",", ""))
    assert parameters(models.mlp(n)) == sum((a + 1) * b for a, b in zip(n[:-1], n[1:], strict=True))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_pictures_in_logits_out(name, classes):
    assert NETS[name](classes)(torch.rand(3, 1, 28, 28)).shape == (3, classes)


@pytest.mark.parametrize("name", NETS)
def test_a_picture_gets_the_same_logits_in_any_company_and_mode(name):
    torch.manual_seed(0)
    model, x = NETS[name](), torch.rand(4, 1, 28, 28)
    together = model.train()(x)
    alone = torch.cat([model.eval()(row[None]) for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_logits_differ_between_pictures_and_every_weight_has_a_gradient(name):
    torch.manual_seed(0)
    model = NETS[name]()
    logits = model(torch.rand(8, 1, 28, 28))
    assert logits.std(0).min() > 1e-3  # a start that forgets the picture would give equal rows
    logits.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_mlp_is_its_equation():
    torch.manual_seed(0)
    model, x = models.mlp([6, 5, 4, 3], activation=nn.Tanh), torch.randn(7, 2, 3)
    h = x.reshape(7, 6)
    for layer in (1, 3):
        h = torch.tanh(h @ model[layer].weight.T + model[layer].bias)
    torch.testing.assert_close(model(x), h @ model[5].weight.T + model[5].bias)


def test_mlp_of_two_sizes_is_affine():
    assert [type(layer) for layer in models.mlp([6, 3])] == [nn.Flatten, nn.Linear]


def test_a_residual_block_with_zero_weights_passes_the_picture_through():
    block, x = models.Residual(8, 8), torch.rand(2, 8, 6, 6)
    for weight in block.residual.parameters():
        nn.init.zeros_(weight)
    assert torch.equal(block(x), x)
    assert models.Residual(8, 16, stride=2)(x).shape == (2, 16, 3, 3)


@pytest.mark.parametrize("sizes", [[], [784], [784, 0, 10], [784, 10.0], ["784", 10]])
def test_mlp_refuses_sizes_that_are_none(sizes):
    with pytest.raises(ValueError, match="sizes must be at least two positive integers"):
        models.mlp(sizes)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("classes", [0, -1, 2.5, "ten"])
def test_nets_refuse_classes_that_are_none(name, classes):
    with pytest.raises(ValueError, match="classes must be an integer >= 1, got"):
        NETS[name](classes)
