"""What lecture 6 measured once of its networks, kept in data/diffusion/PART.json.

`python -m helpers.diffusion.measured [PART ...]` draws and measures anew, on one thread: minutes a part.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helpers import data, runtime
from helpers.diffusion.digits import digit_denoiser, digit_schedule, draw_digits, noisy_classifier, scaled_mnist
from helpers.diffusion.elbo import bits_per_dimension, elbo_terms
from helpers.diffusion.empirical import nearest
from helpers.diffusion.network import UNet
from helpers.diffusion.paths import Paths, draw_paths, path_facts, read_paths
from helpers.diffusion.quality import (
    Fit,
    asked_for,
    digit_classifier,
    diversity,
    features,
    frechet_distance,
    jackknife,
    moments,
    truth_distances,
)
from helpers.diffusion.schedules import cosine, linear
from helpers.diffusion.training import train_denoiser
from helpers.files import read_card, write_card

COMMAND = "python -m helpers.diffusion.measured"
FOLDER = data.FOLDER / "diffusion"
DRAWN = 1_000  # digits of each setting, with the labels of the test digits that are held back for the floor
STEPS = (5, 10, 20, 50)
GAMMAS = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0)
BY_CLASSIFIER = (1.0, 5.0, 20.0)
SHORT = 1_500  # steps of training, where two schedules are compared


def truth() -> tuple[nn.Sequential, Tensor, Tensor, Tensor]:
    """The classifier; the features of all test digits in a random order, their labels and rows in that order."""
    classifier, (x, y) = digit_classifier("cpu"), scaled_mnist("test")
    order = torch.randperm(len(x), generator=runtime.generator(0, "cpu"))
    return classifier, features(classifier, x)[order], y[order], order


def judged(classifier: nn.Sequential, x: Tensor, y: Tensor, reference: Fit) -> dict[str, Any]:
    """Of drawn digits x asked for as y: Fréchet distance and diversity with standard errors, the share asked for."""
    z = features(classifier, x)
    distance, distance_error = jackknife(lambda z: frechet_distance(z, reference), z)
    spread, spread_error = jackknife(diversity, z, y)
    return {
        "frechet": [round(distance, 3), round(distance_error, 3)],
        "diversity": [round(spread, 2), round(spread_error, 2)],
        "asked": [round(float(v), 4) for v in asked_for(classifier, z, y)],
    }


def contest(settings: dict[str, dict[str, Any]], model: UNet | None = None) -> dict[str, Any]:
    """{name: what is `judged`} of DRAWN digits for each setting of `draw_digits`, all from one seed."""
    classifier, z, y, _ = truth()
    model, reference, labels = model or digit_denoiser("cpu"), moments(z[DRAWN:]), y[:DRAWN]
    rows = {}
    for name, options in runtime.progress(settings.items(), "settings"):
        x = draw_digits(model, labels, generator=runtime.generator(1, "cpu"), **options)
        rows[name] = judged(classifier, x, labels, reference)
    return {"n": DRAWN, "rows": rows}


def floor() -> dict[str, Any]:
    """What held-out digits score against the others: the Fréchet distance for several n, diversity, share."""
    classifier, z, y, _ = truth()
    found = {}
    for n in (250, 500, DRAWN, 2_000):
        values = truth_distances(z, n, 10, runtime.generator(n, "cpu"))
        found[str(n)] = [round(float(values.mean()), 3), round(float(values.std()), 3)]
    (spread, error), share = jackknife(diversity, z, y), asked_for(classifier, z, y)
    return {"frechet": found, "diversity": [round(spread, 2), round(error, 2)], "asked": [round(v, 4) for v in share]}


def by_steps() -> dict[str, Any]:
    """With the label, no guidance: rows "ddpm 5", ..., "ddim 50", and "ddpm, beta 10", ... where noise is beta_t's."""
    settings = {f"{method} {n}": {"method": method, "steps": n} for method in ("ddpm", "ddim") for n in STEPS}
    settings |= {f"ddpm, beta {n}": {"method": "ddpm", "steps": n, "variance": "beta"} for n in STEPS[1:]}
    return contest({name: {**options, "gamma": 1.0} for name, options in settings.items()})


def by_guidance() -> dict[str, Any]:
    """DDIM in 20 steps: rows "0.0", ... by gamma (at 0 no label is used); "classifier 1.0", ... by a classifier."""
    classifier = noisy_classifier("cpu")
    free: dict[str, Any] = {str(gamma): {"gamma": gamma} for gamma in GAMMAS}
    return contest(
        free | {f"classifier {gamma}": {"gamma": gamma, "classifier": classifier} for gamma in BY_CLASSIFIER}
    )


def by_schedule() -> dict[str, Any]:
    """Two networks trained alike for SHORT steps, linear and cosine: rows "linear 10", ..., DDIM, no guidance."""
    x, y = scaled_mnist()
    rows: dict[str, Any] = {}
    for name, schedule in (("linear", linear(1000)), ("cosine", cosine(1000))):
        runtime.seed(0, threads=1)
        model = UNet()
        train_denoiser(model, x, y, schedule, steps=SHORT, generator=runtime.generator(0, "cpu"))
        settings = {f"{name} {n}": {"schedule": schedule, "steps": n, "gamma": 1.0} for n in (10, 20, 50)}
        rows |= contest(settings, model)["rows"]
    return {"n": DRAWN, "trained": SHORT, "rows": rows}


def bound(n: int = 100) -> dict[str, Any]:
    """The bound on test digits in bits a pixel, all T terms, and its three parts: means and standard errors."""
    x, y = (part[:n] for part in scaled_mnist("test"))
    model = digit_denoiser("cpu")
    terms = elbo_terms(
        lambda x_t, t: model(x_t, t, y),
        digit_schedule(),
        x,
        levels=256,
        clip=1.0,
        generator=runtime.generator(0, "cpu"),
    )
    parts = {"total": terms.total, "reconstruction": terms.reconstruction, "prior": -terms.prior}
    parts["denoising"] = -terms.denoising.sum(1)
    found = {}
    for name, nats in parts.items():
        bits = bits_per_dimension(nats, x[0].numel()).double()
        found[name] = [round(float(bits.mean()), 5), round(float(bits.std() / n**0.5), 5)]
    by_t = bits_per_dimension(-terms.denoising.mean(0), x[0].numel())
    return {"n": n, "bits": found, "by_time": [float(f"{v:.3e}") for v in by_t.tolist()]}


def memory() -> dict[str, Any]:
    """Distances from drawn and from test digits to the nearest of the 60,000 training digits, a row each."""
    (x_train, _), (x_test, y_test) = scaled_mnist(), scaled_mnist("test")
    drawn = draw_digits(digit_denoiser("cpu"), y_test[:500], gamma=1.0, generator=runtime.generator(1, "cpu"))
    sets = {"drawn": drawn, "test": x_test[:500]}
    return {name: [round(float(d), 2) for d in nearest(x, x_train).distance] for name, x in sets.items()}


def paths() -> dict[str, Any]:
    """How ten digits come about, at every setting of paths.GRID; the pictures go to paths.npz."""
    return path_facts(FOLDER, draw_paths(digit_denoiser("cpu")))


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "floor": floor,
    "steps": by_steps,
    "guidance": by_guidance,
    "schedules": by_schedule,
    "bound": bound,
    "memory": memory,
    "paths": paths,
}


def remedy(part: str) -> str:
    """What to do about a missing or damaged file."""
    return f"Restore it by `git checkout -- data/diffusion`, or measure again: {COMMAND} {part}"


def load(part: str) -> dict[str, Any]:
    """What is stored of a part, its seal verified.

    Raises ValueError for an unknown part, OSError for a missing or damaged file, with the remedy.
    """
    runtime.check_name(part, tuple(PARTS))
    return read_card(FOLDER / f"{part}.json", remedy(part))


def load_paths() -> Paths:
    """The stored `paths.Paths`, verified. Raises OSError for a missing or damaged file, with the remedy."""
    return read_paths(FOLDER, load("paths")["sha256"], remedy("paths"))


def main() -> None:
    """Measure all parts, or those named, and write them."""
    for part in sys.argv[1:] or PARTS:
        runtime.check_name(part, tuple(PARTS))
        runtime.seed(0, threads=1)
        facts = {"rebuild": f"{COMMAND} {part}", "torch": torch.__version__, **PARTS[part]()}
        write_card(FOLDER / f"{part}.json", facts)


if __name__ == "__main__":
    main()
