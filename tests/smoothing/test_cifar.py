"""The path to CIFAR-10 at full scale, on a stand-in archive of six pictures in the files of the real one."""

import pytest
import torch

from helpers import runtime
from helpers.smoothing.cifar import certified_cifar, cifar_resnet, shift_and_flip
from tests.downloads.server import cache, cifar, server  # noqa: F401  # fixtures


def test_the_whole_path_from_the_archive_to_the_certificates(cifar, server) -> None:  # noqa: F811
    run = certified_cifar(0.25, epochs=3, width=8, pictures=500, n0=10, n=60)
    assert server.log == [("/cifar.tar.gz", None)]
    assert run.y.tolist() == [5]  # the stand-in's one test picture
    assert run.certificate.prediction.shape == (1,) and run.certificate.radius[0] >= 0
    again = certified_cifar(0.25, epochs=3, width=8, pictures=500, n0=10, n=60)
    assert torch.equal(run.certificate.lower, again.certificate.lower)
    assert len(server.log) == 1


def test_the_network_has_the_parameters_and_layers_of_its_docstring() -> None:
    model = cifar_resnet()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(4.3e6, rel=0.02)
    deep = [m for m in model.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    assert len([m for m in deep if getattr(m, "kernel_size", (3, 3)) == (3, 3)]) == 20  # less the projections
    assert cifar_resnet(8)(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_shifted_and_mirrored_pictures_are_windows_of_the_padded_ones() -> None:
    x = torch.rand(40, 3, 6, 5)
    moved = shift_and_flip(x, runtime.generator(0), pixels=2)
    padded = torch.nn.functional.pad(x, (2,) * 4)
    kinds = set()
    for one, whole in zip(moved, padded, strict=True):
        found = {
            (top, left, mirror)
            for top in range(5)
            for left in range(5)
            for mirror in (False, True)
            if torch.equal(one.flip(2) if mirror else one, whole[:, top : top + 6, left : left + 5])
        }
        assert len(found) == 1
        kinds |= found
    assert len(kinds) > 20


@pytest.mark.parametrize(("width", "blocks"), [(4, 3), (12, 3), (8, 0)])
def test_other_sizes_are_refused(width: int, blocks: int) -> None:
    with pytest.raises(ValueError, match="width must be a multiple of 8|blocks must be an integer"):
        cifar_resnet(width, blocks)
