"""Figures of Lecture 2: scores of pairs, thresholds, and what a split of people decides."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from helpers import faceid
from helpers.faceid import stored, unseen
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, label, pictures

LOOKS = {"raw": "muted", "cropped": "second", "aligned": "model"}  # the same three colours in every figure


def score_histograms(distances: Mapping[str, Tensor], same: Tensor) -> Picture:
    """For each way to cut out the face the distances (M,) of genuine and of impostor pairs, and their EER."""
    fig, axes = figure(1, len(distances), width=12, height=3.4, sharex=True, sharey=True)
    edges = np.linspace(0, 1.1, 56)
    for panel, (name, d) in zip(axes, distances.items(), strict=True):
        for kind, colour in ((~same, "attack"), (same, "truth")):
            panel.hist(d[kind], edges, density=True, color=COLOUR[colour], alpha=0.55)
        error = faceid.equal_error_rate(faceid.roc(-d, same))
        panel.set(title=f"{name}: EER {100 * error:.1f} %", xlabel="distance of the descriptors", yticks=())
    axes[0].set_ylabel("density")
    axes[0].annotate("one person", (0.02, 0.88), xycoords="axes fraction", color=COLOUR["truth"])
    axes[0].annotate("two people", (0.66, 0.88), xycoords="axes fraction", color=COLOUR["attack"])
    return fig


def roc_curves(curves: Mapping[str, faceid.Roc]) -> Picture:
    """TAR over FAR (logarithmic), and the share of false decisions of both kinds over the threshold of the last."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    for name, curve in curves.items():
        line = left.step(curve.far, curve.tar, where="post", color=COLOUR[LOOKS[name]])[0]
        place = 2e-5 if name == "aligned" else 2e-3  # below its own curve, and above the next
        label(line, name, at=int((curve.far < place).sum()), offset=(4, -16))
    left.set(xscale="log", xlim=(1e-5, 1), ylim=(0, 1.02), xlabel="FAR (impostors accepted)", ylabel="TAR")
    left.set_title("ROC: the curve is read at a small FAR")
    distance = -curve.threshold[1:]
    for values, colour, text, at in (
        (curve.far[1:], "attack", "FAR", 0.62),
        (1 - curve.tar[1:], "truth", "FRR = 1 − TAR", 0.42),
    ):
        line = right.semilogy(distance, values, color=COLOUR[colour])[0]
        label(line, text, at=int((distance < at).sum()), offset=(-8, 6) if colour == "attack" else (8, 10))
    right.set(xlim=(0.25, 0.75), ylim=(1e-5, 1.2), xlabel="threshold: accept below this distance")
    right.set_title(f"{name}: where they cross is the equal error rate")
    return fig


@lru_cache(maxsize=1)
def _pairs() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The pictures, who is on them, the pairs (M, 2), their distances after alignment, and which are genuine."""
    photos, people = faceid.att_faces()
    i, j = faceid.pairs(people)
    described = stored.load()
    return (
        photos,
        people,
        torch.stack([i, j], 1),
        faceid.distances(described.aligned[i], described.aligned[j]),
        people[i] == people[j],
    )


@explorer(
    threshold=Range(0.30, 0.70, 0.50, step=0.01, label="threshold"),
    show=Choice(("false accepts", "false rejects"), "false accepts", label="show"),
    stills=({"threshold": 0.42, "show": "false rejects"}, {}, {"threshold": 0.6}),
)
def threshold(threshold: float, show: str) -> Picture:
    """Distances of all pairs of the AT&T faces, FAR and FRR at a threshold, and pairs that are just wrong there."""
    photos, people, pairs, d, same = _pairs()
    accepted = d <= threshold
    far, frr = accepted[~same].double().mean(), (~accepted[same]).double().mean()
    fig, (left, right) = figure(1, 2, width=11, height=3.7, width_ratios=(1, 1.2))
    for kind, colour, text, x in ((~same, "attack", "two people", 0.68), (same, "truth", "one person", 0.03)):
        heights, edges = np.histogram(d[kind], np.linspace(0.0, 1.1, 56), density=True)
        left.stairs(heights, edges, fill=True, color=COLOUR[colour], alpha=0.55)
        left.annotate(text, (x, 0.92), xycoords="axes fraction", color=COLOUR[colour])
    left.axvline(threshold, color=COLOUR["data"], linewidth=2.5)
    left.set(xlabel="distance", yticks=(), ylim=(0, 5.5), title=f"FAR {100 * far:.3f} %, FRR {100 * frr:.1f} %")
    wrong = (accepted & ~same) if show == "false accepts" else (~accepted & same)
    found = wrong.nonzero()[:, 0]
    nearest = found[(d[found] - threshold).abs().argsort()[:5]]
    right.set_title(f"{len(found):,} {show}; the nearest, with their people's numbers")
    if len(nearest):
        shown = pairs[nearest].T.flatten()
        pictures(right, photos[shown], [f"no. {n}" for n in people[shown].tolist()], columns=len(nearest))
    right.set_axis_off()
    return fig


def splits(results: Mapping[str, Tensor], metric: str) -> Picture:
    """One number per loss and split of people (splits,), and how far it lies from soft-max's on the same split."""
    fig, (left, right) = figure(1, 2, width=12, height=5.2, sharey=True)
    table, places = torch.stack(list(results.values())), np.arange(len(results))
    for panel, values in ((left, table), (right, table - results["soft-max"])):
        panel.plot(values, places, "o", color=COLOUR["model"], markersize=6, alpha=0.45)
        panel.plot(values.mean(1), places, "|", color=COLOUR["data"], markersize=20, markeredgewidth=3)
    for place, values in zip(places, table, strict=True):
        gain, error = unseen.paired(values, results["soft-max"])
        right.plot((gain - 2 * error, gain + 2 * error), (place, place), color=COLOUR["data"])
    right.axvline(0, color=COLOUR["muted"], linestyle="--")
    left.set_yticks(places, list(results))
    left.invert_yaxis()
    left.set(xlabel=metric, title="Eight splits of the people (stroke: mean)")
    right.set(xlabel=f"{metric} beyond soft-max's", title="The same split by split: mean ± 2 standard errors")
    return fig


def identification(
    found: Mapping[str, Tensor], alarms: Sequence[float], rates: Mapping[str, Sequence[float]]
) -> Picture:
    """CMC (people,) of the closed set; known people found over the false alarm rate of strangers in the open set."""
    fig, (left, right) = figure(1, 2, width=11, height=3.8, sharey=True)
    r = np.arange(1, 11)
    for name, curve in found.items():
        left.plot(r, curve[:10], "o-", color=COLOUR[LOOKS[name]])
        right.semilogx(alarms, rates[name], "o", color=COLOUR[LOOKS[name]], markersize=9, label=name)
    right.legend(loc="lower right")
    left.set(xlabel="rank r", ylabel="share of probes found", title="Closed set: among the first r (CMC)", xticks=r)
    right.set(xlabel="false alarm rate of strangers", title="Open set: strangers come, too", ylim=(0, 1.05))
    right.set_xticks(alarms, [f"{100 * a:g} %" for a in alarms])
    right.set_xticks((), minor=True)
    return fig


def timeline() -> Picture:
    """Year, loss, what it brought; LFW accuracies as the papers give them, each with a training set of its own."""
    rows = (  # year, name, what it brought, the paper's LFW accuracy in per cent
        (2006, "contrastive", "distances, not classes", None),
        (2015, "triplet (FaceNet)", "relative distances", 99.63),
        (2016, "center loss", "compact classes", 99.28),
        (2016, "L-Softmax", "an angular margin", 98.71),
        (2017, "NormFace", "norms out, a scale in", 99.19),
        (2017, "SphereFace", "margin by a factor", 99.42),
        (2018, "CosFace", "margin on the cosine", 99.73),
        (2019, "ArcFace", "margin on the angle", 99.83),
    )
    fig, axes = figure(width=12, height=3.8)
    axes.plot((-0.6, 7.6), (0, 0), color=COLOUR["muted"])
    for k, (year, name, brought, accuracy) in enumerate(rows):
        up = 1 if k % 2 else -1
        axes.plot((k, k), (0, 0.3 * up), color=COLOUR["muted"], linewidth=1)
        axes.plot(k, 0, "o", color=COLOUR["model"], markersize=9)
        axes.annotate(str(year), (k, -0.12 * up), ha="center", va="center", color=COLOUR["muted"])
        words = f"{name}\n{brought}\n" + (f"LFW {accuracy} %" if accuracy else "before LFW")
        axes.annotate(words, (k, 0.34 * up), ha="center", va="bottom" if up > 0 else "top")
    axes.set(
        xlim=(-0.8, 7.8),
        ylim=(-1.1, 1.1),
        title="Not to scale; accuracies are the papers' own, each on its own training set",
    )
    axes.set_axis_off()
    return fig
