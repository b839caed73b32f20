r"""A certificate against every patch: a vote over bands of columns, each seen alone (de-randomised smoothing).

A picture of W columns is shown to a network W times, each time no more than a band of s columns, s - 1 of them on the
right of the first, around the edge if need be. What a patch of m columns touches are m + s - 1 of these W bands,
wherever it lies and whatever it shows: so many votes may change, and not one more. Levine & Feizi 2020.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from helpers import checks, data, models, runtime
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import check_finite, cross_entropy
from helpers.faceid.pictures import check_pictures
from helpers.risk import cosine_schedule
from helpers.training import evaluating, fit

BANDS, STEPS, PEAK = 8, 5_628, 3e-3  # of the checkpoint `mnist_columns`: s = 1 ... 8, twelve epochs
THETA = 0.3  # a band votes for each class that it gives at least this probability


class Certified(NamedTuple):
    """prediction (N,): the class with most votes, of equals the smallest; certified (N,) bool: no patch changes it."""

    prediction: Tensor
    certified: Tensor


def check_band(width: int, band: int) -> None:
    """Raise ValueError unless a band of that many columns fits into the picture."""
    checks.whole("band", band)
    if band > width:
        raise ValueError(f"band must be at most the width of the picture, {width}, got {band}")


def ablated(x: Tensor, start: Tensor, band: int) -> Tensor:
    r"""(x, 1 - x) in the columns start, ..., start + s - 1 modulo W, (0, 0) elsewhere: "not seen" is no grey value.

    x (N, C, H, W) in [0, 1], start (N,) in 0 ... W - 1, s = band -> (N, 2 C, H, W). Nothing of x outside of the band
    goes in. Raises ValueError for other starts or bands. Levine & Feizi 2020, section 3 (their NULL).
    """
    width = x.shape[-1]
    check_band(width, band)
    if start.shape != (len(x),) or start.is_floating_point() or not ((start >= 0) & (start < width)).all():
        raise ValueError(f"start must be one column 0 ... {width - 1} for each of {len(x)} pictures, got {start}")
    seen = (torch.arange(width, device=x.device) - start[:, None]) % width < band
    return torch.where(seen[:, None, None], torch.cat([x, 1 - x], 1), 0)


@torch.no_grad()
def ballots(model: nn.Module, x: Tensor, *, band: int, theta: float = THETA, batch: int = 2048) -> Tensor:
    r"""Whether the band that begins at column k votes for class c: softmax(f(band k))_c >= theta, (N, W, K) bool.

    A band that shows nothing of the digit is unsure and abstains: without theta all empty bands voted for one class.
    x (N, C, H, W); the model maps (M, 2 C, H, W) to logits (M, K), each row from its own band, in evaluation mode.
    Raises ValueError for other shapes or ranges of x, theta outside (0, 1), logits that are no (M, K) or not finite.
    """
    check_pictures("x", x)
    check_band(width := x.shape[-1], band)
    if not 0 < theta < 1:
        raise ValueError(f"theta must lie in (0, 1), got {theta}")
    found, rows = list[Tensor](), torch.arange(len(x) * width, device=x.device)
    with evaluating(model):
        for part in rows.split(batch):
            logits = model(ablated(x[part // width], part % width, band))
            if logits.ndim != 2 or len(logits) != len(part) or logits.shape[1] < 2:
                raise ValueError(f"the model must return logits ({len(part)}, K), K >= 2, got {tuple(logits.shape)}")
            check_finite(logits)
            found.append(logits.softmax(1) >= theta)
    return torch.cat(found).view(len(x), width, -1)


def check_votes(votes: Tensor, patch: int, band: int) -> None:
    """Raise ValueError unless votes are whole numbers (N, K), K >= 2, none below 0, and patch and band at least 1."""
    checks.counts("votes", votes, None)
    checks.whole("patch", patch)
    checks.whole("band", band)


def column_smoothing_certificate(votes: Tensor, *, patch: int, band: int) -> Certified:
    r"""A = argmax_c n_c (of equals the smallest), n_B = max_{c != A} n_c;  certified where  n_A - n_B > 2 (m + s - 1).

    A patch of m = patch columns from column j on touches the bands that begin at j - s + 1, ..., j + m - 1 (modulo W):
    m + s - 1 of them, s = band. Each may withdraw its vote for A and give one to B, which takes 2 from the lead, and no
    more. Where the lead is 2 (m + s - 1) itself the patch can force a tie, which A wins if it is the smaller label:
    that case is left uncertified, so that the guarantee does not hang on how ties are broken.

    votes n (N, K), whole numbers: the sum of `ballots` over all W starts. n_A <= W, so that a patch too wide for the
    picture certifies nothing. Raises ValueError for other votes, or patch or band below 1. Levine & Feizi 2020, thm. 1.
    """
    check_votes(votes, patch, band)
    most = votes.topk(2, dim=1).values
    return Certified(votes.argmax(1), most[:, 0] - most[:, 1] > 2 * (patch + band - 1))


def touched(width: int, patch: int, band: int) -> Tensor:
    """Which bands see a patch that begins at column j = 0 ... W - m: (W - m + 1, W) bool, m + s - 1 in a row, or all W.

    Raises ValueError for a patch or a band wider than the picture.
    """
    checks.whole("patch", patch)
    check_band(width, band)
    if patch > width:
        raise ValueError(f"patch must be at most the width of the picture, {width}, got {patch}")
    first = torch.arange(width - patch + 1)[:, None] - band + 1
    return (torch.arange(width) - first) % width < patch + band - 1


def worst_leads(ballots: Tensor, *, patch: int, band: int) -> Tensor:
    r"""The lead of A over each other class when a patch at each place has all bands that see it withdraw A and vote for
    that class: (N, W - m + 1, K), infinite for A itself. Where all are positive no patch changes the prediction.

    That is the least that any patch can leave; n_A - n_B - 2 (m + s - 1) is never more, since it forgets who voted.
    ballots (N, W, K) bool. Raises ValueError for others, or a patch or a band wider than the picture.
    """
    if ballots.ndim != 3 or ballots.dtype != torch.bool:
        raise ValueError(f"ballots must be (N, W, K) of truth values, got {tuple(ballots.shape)} of {ballots.dtype}")
    seeing = touched(ballots.shape[1], patch, band).to(ballots.device)
    left = torch.einsum("jw,nwk->njk", (~seeing).double(), ballots.double())
    A = ballots.sum(1).argmax(1)[:, None, None].expand(-1, len(seeing), 1)
    return (left.gather(2, A) - left - seeing.sum(1)[:, None]).scatter(2, A, torch.inf)


def certified_accuracy(found: Certified, y: Tensor) -> tuple[float, float, float]:
    """The share of pictures that are certified and rightly classified, and its exact 95 % interval. y (N,)."""
    if found.prediction.shape != y.shape or len(y) == 0:
        raise ValueError(f"y must hold {len(found.prediction)} labels, at least one, got {tuple(y.shape)}")
    hits = int((found.certified & (found.prediction == y)).sum())
    return (hits / len(y), *exact_interval(hits, len(y)))


def least_lead(ballots: Tensor, A: Tensor) -> Tensor:
    """The votes for A less those for the best other class, (N, W, K) bool and (N,) -> (N,)."""
    votes = ballots.sum(1)
    return votes.gather(1, A[:, None])[:, 0] - votes.scatter(1, A[:, None], -1).amax(1)


def strip_attack(
    model: nn.Module,
    x: Tensor,
    *,
    patch: int,
    band: int,
    theta: float = THETA,
    steps: int = 40,
    places: int = 3,
    generator: Generator | None = None,
) -> Tensor:
    r"""A patch of full height that takes the votes from A, the class predicted at x: white box, on the softmax of all
    bands that see it, at the `places` places and classes where `worst_leads` is least.

    x (N, C, H, W) in [0, 1] -> x_adv, equal to x but for m = patch columns in a row, whichever was found to leave A the
    smallest lead. No certified prediction can change: worst_leads and column_smoothing_certificate bound this attack.
    Raises ValueError as `ballots` does, for a patch or a band wider than the picture, steps or places below 1.
    """
    checks.whole("steps", steps)
    checks.whole("places", places)
    cast = ballots(model, x, band=band, theta=theta)
    A, leads = cast.sum(1).argmax(1), worst_leads(cast, patch=patch, band=band)
    order = leads.flatten(1).argsort(1)[:, :places]
    best, least = x.clone(), least_lead(cast, A)
    for place in order.unbind(1):
        j, B = place // leads.shape[2], place % leads.shape[2]
        tried = _strip(model, x, A, B, j, patch, band, theta, steps, generator)
        lead = least_lead(ballots(model, tried, band=band, theta=theta), A)
        best, least = torch.where((lead < least)[:, None, None, None], tried, best), torch.minimum(lead, least)
    return best


def _strip(
    model: nn.Module,
    x: Tensor,
    A: Tensor,
    B: Tensor,
    j: Tensor,
    patch: int,
    band: int,
    theta: float,
    steps: int,
    generator: Generator | None,
) -> Tensor:
    """Signed steps on columns j ... j + m - 1 that push p_A below and p_B above theta in the bands that see them."""
    width, size = x.shape[-1], min(patch + band - 1, x.shape[-1])
    column = torch.arange(width, device=x.device)
    inside = ((column >= j[:, None]) & (column < j[:, None] + patch))[:, None, None]
    start = ((j[:, None] - band + 1 + torch.arange(size, device=x.device)) % width).flatten()
    rows = torch.arange(len(x), device=x.device).repeat_interleave(size)
    noise = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    x_adv, logit = torch.where(inside, noise, x), math.log(theta)
    with evaluating(model), torch.enable_grad():
        for t in range(steps):
            z = x_adv.detach().requires_grad_()
            p = model(ablated(z[rows], start, band)).log_softmax(1)
            p_A, p_B = (p.gather(1, c[rows, None])[:, 0] for c in (A, B))
            loss = (p_A - logit + 1).clamp(min=0) + (logit + 1 - p_B).clamp(min=0)
            (g,) = torch.autograd.grad(loss.sum(), z)
            pace = 0.3 * (1 - t / steps)
            x_adv = torch.where(inside, (x_adv - pace * g.sign()).clamp(0, 1), x)
    return x_adv.detach()


def band_net() -> nn.Sequential:
    """helpers.models.lenet for two channels, x and 1 - x: (N, 2, 28, 28) -> ten logits; 166,662 parameters."""
    net = models.lenet()
    net[0] = nn.Conv2d(2, 16, 4, stride=2, padding=1)
    return net


def train(model: nn.Module, *, steps: int = STEPS) -> None:
    """Adam, a cosine schedule from 3e-3, batches of 128 of MNIST; each batch shows bands of one width s = 1 ... 8, each
    picture one that begins anywhere."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    draws = runtime.generator(1, "cpu")

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        start = torch.randint(x.shape[-1], (len(x),), generator=draws).to(device)
        band = int(torch.randint(1, BANDS + 1, (), generator=draws))
        return cross_entropy(model(ablated(x, start, band)), y).mean()

    fit(
        model,
        loss,
        (mnist.x_train.to(device), mnist.y_train.to(device)),
        torch.optim.Adam(model.parameters()),
        steps=steps,
        schedule=lambda step: cosine_schedule(step, steps, peak=PEAK),
        generator=runtime.generator(0, "cpu"),
    )


def measure(model: nn.Module) -> dict[str, float]:
    """Of MNIST's first 1,000 test pictures, bands of 2 and of 4: accuracy, and certified for patches 2 and 5 wide."""
    device, mnist, metrics = next(model.parameters()).device, data.load("mnist"), dict[str, float]()
    x, y = mnist.x_test[:1000].to(device), mnist.y_test[:1000].to(device)
    for band in (2, 4):
        votes = ballots(model, x, band=band).sum(1)
        metrics[f"band_{band}_accuracy"] = float((votes.argmax(1) == y).double().mean())
        for patch in (2, 5):
            found = column_smoothing_certificate(votes, patch=patch, band=band)
            metrics[f"band_{band}_certified_{patch}"] = certified_accuracy(found, y)[0]
    return metrics
