"""Lecture 6's network beside denoising-diffusion-pytorch's of equal size, and beside its own bare passes; a sheet.

A training step of 64 digits (noise loss, labels dropped, Adam), 16 digits guided by DDIM in 20 steps; one thread, in
turns in one run, the least CPU time of each.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from helpers import diffusion, runtime
from helpers.diffusion.network import UNet
from tools.bench import Row, table

PEER = "denoising_diffusion_pytorch"
MISSING = f"diffusion: {PEER} is not installed: `make peers PEERS=unet` measures beside it"
BATCH, DRAWN, STEPS, GAMMA = 64, 16, 20, 2.0
Program = Callable[[], object]


def batch() -> tuple[Tensor, Tensor]:
    """64 training digits and their labels."""
    x, y = diffusion.scaled_mnist()
    return x[:BATCH], y[:BATCH]


def stepper(model: nn.Module, loss: Callable[[], Tensor], after: Program = lambda: None) -> Program:
    """A step of Adam."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        after()

    return step


def ours() -> tuple[Program, Program]:
    """A training step with its average of weights, and 16 digits."""
    model, (x, y), schedule = UNet(), batch(), diffusion.digit_schedule()
    average, frozen, labels = diffusion.Average(model), UNet().eval(), torch.arange(DRAWN) % 10
    step = stepper(model, lambda: diffusion.batch_loss(model, x, y, schedule), lambda: average.update(model))
    return step, lambda: diffusion.draw_digits(frozen, labels, gamma=GAMMA, steps=STEPS)


def bare() -> tuple[Program, Program]:
    """The same network's passes alone: noise that is ready to be fitted; 20 passes of 32."""
    model, (x, y), frozen, labels = UNet(), batch(), UNet().eval(), torch.arange(2 * DRAWN) % 10
    xi, t, noise = torch.randn_like(x), torch.randint(1, 1001, (BATCH,)), torch.randn(2 * DRAWN, 1, 28, 28)

    def passes() -> None:
        with torch.no_grad():
            for _ in range(STEPS):
                frozen(noise, t[: 2 * DRAWN], labels)

    return stepper(model, lambda: (model(x, t, y) - xi).square().mean()), passes


def theirs() -> tuple[Program, Program, int]:
    """Their classifier-free U-Net and loops, without an average of weights; its number of parameters."""
    runtime.import_torchvision()
    from denoising_diffusion_pytorch import classifier_free_guidance as peer

    peer.tqdm = lambda pairs, **_: pairs
    net = peer.Unet(24, 10, cond_drop_prob=0.1, dim_mults=(1, 2), channels=1, attn_heads=2)
    chain = peer.GaussianDiffusion(
        net, image_size=28, sampling_timesteps=STEPS, beta_schedule="linear", ddim_sampling_eta=0.0
    )
    (x, y), labels = batch(), torch.arange(DRAWN) % 10

    def drawn() -> None:
        chain.eval()
        chain.sample(labels, cond_scale=GAMMA, rescaled_phi=0.0)
        chain.train()

    return stepper(net, lambda: chain((x + 1) / 2, classes=y)), drawn, sum(p.numel() for p in net.parameters())


def seconds(program: Program) -> float:
    """CPU seconds."""
    start = time.process_time()
    program()
    return time.process_time() - start


def ratio(a: Program, b: Program, rounds: int = 12) -> float:
    """The median of the ratios of neighbours: what else the machine does falls on both."""
    times = [(seconds(a), seconds(b)) for _ in range(rounds + 2)][2:]
    return statistics.median(first / second for first, second in times)


def rows() -> Iterator[Row]:
    """The rows; those beside the peer where it is installed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        (step, drawn), (bare_step, passes) = ours(), bare()
        yield "U-Net: training step / its bare passes", ratio(step, bare_step), 1.1, ""
        yield "U-Net: 16 guided digits, DDIM-20 / its bare passes", ratio(drawn, passes), 1.1, ""
        model, labels = diffusion.digit_denoiser("cpu"), torch.arange(64) % 10
        yield (
            "U-Net: 64 guided digits, DDIM-20, one thread",
            seconds(lambda: diffusion.draw_digits(model, labels)),
            10,
            "s",
        )
        if importlib.util.find_spec(PEER) is None:
            print(MISSING)
            return
        their_step, their_drawn, size = theirs()
        own = sum(p.numel() for p in UNet().parameters())
        yield f"U-Net: parameters / {PEER}", own / size, 1.05, ""
        yield f"U-Net: training step / {PEER}", ratio(step, their_step), 0.8, ""
        yield f"U-Net: 16 guided digits, DDIM-20 / {PEER}", ratio(drawn, their_drawn), 0.8, ""
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    table(rows())
