"""denoising-diffusion-pytorch: the same chain, and a network of equal size.

It lives in an environment of its own (`make peers PEERS=unet`); without it these tests are skipped.
"""

import pytest
import torch

from helpers import diffusion, runtime
from tools.bench_diffusion import PEER, theirs

pytest.importorskip("ema_pytorch", reason=f"{PEER} is not installed: make peers PEERS=unet")
runtime.import_torchvision()
pytest.importorskip(PEER, reason=f"{PEER} is not installed: make peers PEERS=unet")

close = torch.testing.assert_close


@pytest.mark.parametrize(("name", "schedule"), [("linear", diffusion.linear), ("cosine", diffusion.cosine)])
def test_schedules_and_q_sample_agree(name: str, schedule: diffusion.Schedule) -> None:
    from denoising_diffusion_pytorch.classifier_free_guidance import GaussianDiffusion, Unet

    net = Unet(8, 10, dim_mults=(1, 2), channels=1)
    chain = GaussianDiffusion(net, image_size=28, timesteps=1000, beta_schedule=name)
    ours = schedule(1000)  # type: ignore[operator]
    close(chain.alphas_cumprod.double(), ours.alpha_bar, atol=1e-6, rtol=1e-5)
    g = runtime.generator(0, "cpu")
    x_0, xi, t = (
        torch.rand(5, 1, 28, 28, generator=g),
        torch.randn(5, 1, 28, 28, generator=g),
        torch.arange(1, 1000, 200),
    )
    close(chain.q_sample(x_0, t - 1, xi), diffusion.q_sample(x_0, ours.at(t), xi), atol=1e-5, rtol=1e-5)


def test_the_networks_that_are_measured_are_of_equal_size() -> None:
    own = sum(p.numel() for p in diffusion.UNet().parameters())
    assert own / theirs()[2] == pytest.approx(1, abs=0.05)
