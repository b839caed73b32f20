"""How a digit comes about, for the explorer: what the sampler holds and what it expects, at many settings, stored."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from helpers import runtime
from helpers.diffusion.digits import digit_schedule
from helpers.diffusion.guidance import guided_denoiser
from helpers.diffusion.network import UNet
from helpers.diffusion.predictors import x0_from_noise
from helpers.diffusion.sampling import sample
from helpers.files import read_verified, sha256, write_atomically

STEPS, ETAS, GAMMAS = (5, 10, 20, 50), (0.0, 1.0), (0.0, 1.0, 3.0)
FRAMES = 6  # the states before five of the steps, the first and the last among them, and the digit
WIDE, LEVELS = 3.0, 15  # x_t is kept in 16 grey levels from -3 to 3 (-1 and 1 are among them), x_0 from -1 to 1


class Paths(NamedTuple):
    """x_t and the x_0 that is predicted from it, each (len STEPS, len ETAS, len GAMMAS, 10 digits, FRAMES, 28, 28)."""

    x_t: Tensor
    x_0: Tensor

    def of(self, steps: int, eta: float, gamma: float, digit: int) -> "Paths":
        """One path: x_t and x_0 (FRAMES, 28, 28). Raises ValueError for a setting that is not stored."""
        for name, value, known in (("steps", steps, STEPS), ("eta", eta, ETAS), ("gamma", gamma, GAMMAS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, got {value}")
        place = (STEPS.index(steps), ETAS.index(eta), GAMMAS.index(gamma), digit)
        return Paths(self.x_t[place], self.x_0[place])


def draw_path(model: UNet, x_T: Tensor, y: Tensor, steps: int, eta: float, gamma: float) -> Paths:
    """DDIM from x_T (N, 1, 28, 28) with labels y (N,): x_t and predicted x_0, each (N, FRAMES, 28, 28)."""
    schedule, seen = digit_schedule(), list[tuple[Tensor, Tensor]]()
    guided = guided_denoiser(model, y, gamma, null=model.null)

    def watched(x_t: Tensor, t: Tensor) -> Tensor:
        noise = guided(x_t, t)
        seen.append((x_t, x0_from_noise(x_t, noise, schedule.at(t)).clamp(-1, 1)))
        return noise

    options = {"steps": steps, "eta": eta, "clip": 1.0, "generator": runtime.generator(7, "cpu")}
    x = sample(watched, schedule, x_T, **options).clamp(-1, 1)
    shown = [*(seen[i] for i in torch.linspace(0, steps - 1, FRAMES - 1).round().long()), (x, x)]
    return Paths(*(torch.cat(column, 1) for column in zip(*shown, strict=True)))


def draw_paths(model: UNet) -> Paths:
    """Ten digits from one x_T at every setting."""
    y = torch.arange(10)
    x_T = torch.randn(1, 1, 28, 28, generator=runtime.generator(6, "cpu")).expand(10, -1, -1, -1)
    settings = [(steps, eta, gamma) for steps in STEPS for eta in ETAS for gamma in GAMMAS]
    drawn = [draw_path(model, x_T, y, *setting) for setting in runtime.progress(settings, "paths")]
    shape = (len(STEPS), len(ETAS), len(GAMMAS), 10, FRAMES, 28, 28)
    return Paths(*(torch.stack(column).view(shape) for column in zip(*drawn, strict=True)))


def path_facts(folder: Path, paths: Paths) -> dict[str, Any]:
    """Write paths.npz, return what its card holds."""
    buffer = io.BytesIO()
    x_t, x_0 = (_levels(x, wide) for x, wide in ((paths.x_t, WIDE), (paths.x_0, 1.0)))
    np.savez_compressed(buffer, x_t=x_t, x_0=x_0)
    write_atomically(folder / "paths.npz", lambda path: path.write_bytes(buffer.getvalue()))
    return {"steps": STEPS, "eta": ETAS, "gamma": GAMMAS, "frames": FRAMES, "sha256": sha256(buffer.getvalue())}


def _levels(x: Tensor, wide: float) -> np.ndarray:
    return ((x.clamp(-wide, wide) / wide + 1) / 2 * LEVELS).round().byte().numpy()


def read_paths(folder: Path, expected: str, remedy: str) -> Paths:
    """What `path_facts` wrote. Raises OSError for a missing or damaged file, with the remedy."""
    content = read_verified(folder / "paths.npz", expected, remedy)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        x_t, x_0 = (torch.from_numpy(arrays[name]).float() / LEVELS * 2 - 1 for name in ("x_t", "x_0"))
    return Paths(WIDE * x_t, x_0)
