"""The votes of lecture 9's checkpoints on 500 test pictures of MNIST, kept in data/smoothing/votes.npz.

10,000 noisy copies of 500 pictures take about two minutes a network on one core, so the lecture reads them and
measures a part again. `python -m helpers.smoothing.stored [NAME ...]` makes them anew: what PLAN holds of all
checkpoints, or of those named.
"""

import argparse
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from helpers import checkpoints, checks, data, runtime
from helpers.files import read_card, read_verified, sha256, write_atomically, write_card
from helpers.smoothing.smooth import Smooth

PICTURES, SELECTION = 500, 100  # the first pictures of the test set; n_0

COMMAND = "python -m helpers.smoothing.stored"

FOLDER = data.FOLDER / "smoothing"

PLAN: dict[tuple[str, float], tuple[int, ...]] = {  # (checkpoint, scale of the noise): the n at which votes are kept
    ("mnist_sigma012", 0.12): (100, 1_000, 10_000),
    ("mnist_sigma025", 0.25): (100, 1_000, 10_000),
    ("mnist_sigma050", 0.5): (100, 1_000, 10_000),
    ("mnist_sigma100", 1.0): (100, 1_000, 10_000),
    ("mnist_consistency050", 0.5): (100, 1_000, 10_000),
    ("mnist_smoothadv050", 0.5): (100, 1_000, 10_000),
    ("mnist_sigma025", 0.5): (100, 1_000),
    ("mnist_sigma100", 0.5): (100, 1_000),
    ("mnist_sigma050", 0.25): (100, 1_000),
    ("mnist_sigma050", 1.0): (100, 1_000),
    ("mnist_cnn", 0.25): (100, 1_000),
}


class Stored(NamedTuple):
    """selection (500, 10): n_0 = 100 votes; votes[n] (500, 10): the first n of one series of other votes; y (500,)."""

    selection: Tensor
    votes: dict[int, Tensor]
    y: Tensor


def load(name: str, sigma: float) -> Stored:
    """The stored votes of the checkpoint `name` under noise of scale sigma, int64, verified by SHA-256.

    Raises ValueError for a pair that is not in PLAN, OSError for a missing or damaged file, with the remedy.
    """
    if (name, sigma) not in PLAN:
        raise ValueError(f"(name, sigma) must be one of {', '.join(map(str, PLAN))}; got {(name, sigma)}")
    counts = torch.from_numpy(_read()[_key(name, sigma)]).long()
    votes = dict(zip(PLAN[name, sigma], counts[1:], strict=True))
    return Stored(counts[0], votes, data.load("mnist").y_test[:PICTURES])


def measure(name: str, sigma: float, sizes: Sequence[int], pictures: int = PICTURES) -> np.ndarray:
    """The votes of n_0 = 100 copies, then the first n of one series, n in sizes (rising): (1 + sizes, N, 10) int16."""
    device = runtime.device()
    x, smooth = data.load("mnist").x_test[:pictures].to(device), Smooth(checkpoints.load(name, device), sigma)
    generator = runtime.generator(0, device)
    more = [SELECTION, *np.diff([0, *sizes]).tolist()]
    parts = torch.stack([smooth.votes(x, n, generator=generator, progress=True) for n in more])
    counts = torch.cat([parts[:1], parts[1:].cumsum(0)])
    return counts.cpu().numpy().astype(np.int16)


def agreement(votes: Tensor, others: Tensor) -> Tensor:
    """P-values of Fisher's exact test that both counts of an image come from one classifier: (N, K) twice -> (N,).

    Compared is the class that `others` favours, against the rest; two-sided, twice the smaller tail. Where the two are
    of one source a P-value below p has probability p at most: for N images hold the smallest against a level / N.
    Raises ValueError for other shapes or for counts that are not whole numbers.
    """
    if checks.counts("votes", votes, None).shape != checks.counts("others", others, None).shape:
        raise ValueError(f"votes and others must agree, got {tuple(votes.shape)} and {tuple(others.shape)}")
    first = others.argmax(1, keepdim=True)
    k, other = (c.gather(1, first)[:, 0].cpu().numpy() for c in (votes, others))
    n, total = (c.sum(1).cpu().numpy() for c in (votes, others))
    law = stats.hypergeom(n + total, k + other, n)
    return torch.from_numpy(np.minimum(1, 2 * np.minimum(law.cdf(k), law.sf(k - 1))))


def build(chosen: Sequence[str] = ()) -> None:
    """Measure what PLAN holds of the chosen checkpoints (all by default), keep the rest; the card is written last."""
    arrays = _read() if (FOLDER / "votes.npz").exists() else {}
    arrays = {key: value for key, value in arrays.items() if key in {_key(*pair) for pair in PLAN}}
    for (name, sigma), sizes in PLAN.items():
        if not chosen or name in chosen:
            arrays[_key(name, sigma)] = measure(name, sigma, sizes)
            _write(arrays)


def _write(arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{key: arrays[key] for key in sorted(arrays)})  # type: ignore[arg-type]
    content = buffer.getvalue()
    facts = {
        "rebuild": COMMAND,
        "measured": {key: " x ".join(map(str, value.shape)) for key, value in sorted(arrays.items())},
        "sha256": sha256(content),
        "torch": torch.__version__,
    }
    write_atomically(FOLDER / "votes.npz", lambda path: path.write_bytes(content))
    write_card(FOLDER / "votes.json", facts)


def _read() -> dict[str, np.ndarray]:
    remedy = f"Restore it with `git checkout -- data`, or measure it again with `{COMMAND}`."
    content = read_verified(FOLDER / "votes.npz", read_card(FOLDER / "votes.json", remedy)["sha256"], remedy)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)


def _key(name: str, sigma: float) -> str:
    return f"{name} {sigma}"


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m helpers.smoothing.stored [NAME ...]`: measure the votes of the named checkpoints, or of all."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure the votes of lecture 9's checkpoints.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; without any, all are measured")
    chosen, known = parser.parse_args(arguments).names, sorted({name for name, _ in PLAN})
    for name in chosen:
        if name not in known:
            parser.error(f"nothing is stored of {name!r}; there are {', '.join(known)}")
    build(chosen)


if __name__ == "__main__":
    main()
