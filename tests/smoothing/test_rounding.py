"""Floating point: an f that reads the last bits of x + sigma xi gets no false certificate from the lattice."""

import math

import pytest
import torch
from torch import Tensor

from helpers import data, runtime, smoothing
from helpers.smoothing.closed_form import HalfSpace
from helpers.smoothing.smooth import Smooth, flips

SIGMA = 0.5


def reads_bits(z: Tensor) -> Tensor:
    """Class 1 where an entry near 0 is no multiple of 2^-30: float32 has such numbers only where x is 0."""
    fine = (z.abs() < 2**-8) & ((z.double() * 2**30).frac() != 0)
    found = fine.flatten(1).any(1).float()
    return torch.stack([torch.zeros_like(found), 2 * found - 1], 1)


def attacked(lattice: float | None) -> tuple[smoothing.Certificate, Tensor, float]:
    """Certificates of 20 digits, whether g has left them where black became 2^-6, and how far that is at most."""
    x = data.load("mnist").x_test[:20]
    moved = torch.where(x == 0, 2**-6, x)
    smooth = Smooth(reads_bits, SIGMA, lattice=lattice)
    certificate = smooth.certify(x, 100, 1_000, 0.001, generator=runtime.generator(0, x.device), progress=False)
    votes = smooth.votes(moved, 1_000, generator=runtime.generator(1, x.device))
    return certificate, flips(votes, certificate.prediction, 0.001), float((moved - x).flatten(1).norm(dim=1).max())


def test_the_attack_on_the_last_bits_breaks_plain_rounding_and_not_the_lattice() -> None:
    certificate, broken, length = attacked(lattice=0)
    assert (certificate.prediction == 1).all() and certificate.radius.min() > length and broken.all()
    certificate, broken, length = attacked(lattice=None)
    assert certificate.radius.min() > length and not broken.any()


@pytest.mark.parametrize("lattice", [None, 2**-6, 0.01])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_f_sees_multiples_of_the_step_alone(lattice: float | None, dtype: torch.dtype) -> None:
    seen: list[Tensor] = []

    def model(z: Tensor) -> Tensor:
        seen.append(z.clone())
        return torch.stack([z.sum(1), -z.sum(1)], 1)

    smooth = Smooth(model, SIGMA, lattice=lattice)
    x = torch.rand(3, 7, generator=runtime.generator(0), dtype=torch.float64).to(dtype)
    smooth.votes(x, 50, generator=runtime.generator(1))
    steps = torch.cat(seen[1:]).double() / smooth.lattice
    assert seen[1].dtype == dtype and (steps - steps.round()).abs().max() < 1e-3
    assert smooth.lattice == (2.0**-13 if lattice is None else lattice)


def test_the_step_goes_with_sigma_and_rounding_is_to_the_nearest() -> None:
    for sigma in (1e-3, 0.12, 0.25, 1.0, 77.0):
        step = Smooth(reads_bits, sigma).lattice
        assert sigma / 8192 < step <= sigma / 4096 and math.frexp(step)[0] == 0.5
    seen: list[Tensor] = []
    for lattice in (2**-24, 2**-3):
        smooth = Smooth(lambda z: (seen.append(z.clone()), z)[1], SIGMA, lattice=lattice)
        smooth.votes(torch.full((1, 16), 0.3), 300, generator=runtime.generator(2))
    error = (seen[3] - seen[1]).abs()  # the same noise
    assert 0.99 * 2**-4 < error.max() <= 2**-4 + 2**-20 and (error < 2**-5).double().mean() > 0.4


@pytest.mark.parametrize("lattice", [None, 2**-4, 0])
def test_the_noise_is_gaussian_of_scale_sigma(lattice: float | None) -> None:
    """Kolmogorov's distance of 100,000 entries: a lattice of step h adds h / sigma / sqrt(2 pi) / 2 at most."""
    from scipy import stats

    seen: list[Tensor] = []
    smooth = Smooth(lambda z: (seen.append(z.clone()), z)[1], SIGMA, lattice=lattice)
    smooth.votes(torch.zeros(1, 100), 1_000, generator=runtime.generator(3))
    z = torch.cat(seen[1:]).flatten().numpy()
    room = smooth.lattice / SIGMA / math.sqrt(2 * math.pi) / 2
    assert stats.kstest(z, "norm", args=(0, SIGMA)).statistic <= 2.2 / math.sqrt(len(z)) + room
    assert (room > 0.01) == (lattice == 2**-4)


def test_a_half_space_keeps_its_radius_wherever_it_lies() -> None:
    """At |x| = 1,000 the sum still rounds to the same lattice: certificates of points on the boundary stay rare."""
    for place in (0.0, 1000.0):
        on_it = torch.full((1_500, 1), place)
        found = Smooth(HalfSpace(torch.ones(1), -place), SIGMA).certify(
            on_it, 20, 200, 0.05, generator=runtime.generator(4), progress=False
        )
        assert (found.prediction != smoothing.ABSTAIN).double().mean() < 0.05 + 4 * math.sqrt(0.05 / 1_500)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Smooth(reads_bits, 1.0, lattice=-1.0), "lattice must be at least 0, got -1.0"),
        (lambda: Smooth(reads_bits, 1.0, lattice=math.nan), "lattice must be at least 0, got nan"),
        (
            lambda: Smooth(reads_bits, 0.5).votes(torch.full((1, 4), 1e7), 10),
            r"x must lie within 2\^24 lattice steps \(2048\) of 0, got 1e\+07: centre it, or take a coarser lattice",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
