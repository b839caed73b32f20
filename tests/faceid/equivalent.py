"""Mutants of Lecture 2 that are no mistakes, each with its reason (see tools/mutants.py, tools/library_mutants.py)."""

TWO_AXES = "The tensor has two axes: axis 1 is axis -1."
REFUSAL = "The exercise asks for no refusal; tests/faceid hold it."
TWICE = "The same argument twice."
PSEUDO = "In float64, with few dimensions, rounding stays below torch's own limit."
NO_TENSOR = "No tensor goes in: nothing is rounded."
CDIST = "torch.cdist(features, features) -> torch.cdist(features, features)"
TRACE = "return torch.trace(sigma_w @ torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)) / len(means)"
PINV = "torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)"
NEAREST = "return (logits.argmax(1) != torch.cdist(features, means).argmin(1)).to(features.dtype).mean()"
SCATTER = "return s * cos.scatter(1, y[:, None], target)"


def guard(call: str, *constants: str) -> dict[str, str]:
    """The mutants of a line `check_...(first, ...)` or `checks....(...)`: left out, shortened, a constant."""
    short = "checks" if call.startswith("checks.") else call[call.index("(") + 1 :].split(",")[0]
    edits = (f"{call} -> left out", f"{call} -> {short}", *(f"{constant} in {call}" for constant in constants))
    return {edit: REFUSAL for edit in edits}


EQUIVALENT = {
    "contrastive_loss": {
        **guard("check_two_classes(features, y)"),
        **guard("checks.positive('margin', margin)"),
        CDIST: TWICE,
        "loss.triu(1) -> loss.triu()": "d_ii = 0: the diagonal adds nothing.",
    },
    "triplet_loss": {
        **guard("check_two_classes(features, y)"),
        **guard("checks.at_least('margin', margin, 0)", "0 -> -1"),
        CDIST: TWICE,
        "0 -> -1 in positive = d.where(same, 0).amax(1)": "d_aa = 0 is there anyway.",
        "1 -> -1 in positive = d.where(same, 0).amax(1)": TWO_AXES,
        "1 -> -1 in negative = d.where(~same, math.inf).amin(1)": TWO_AXES,
    },
    "center_loss": {
        **guard("check_centres(features, y, centres)"),
        "1 -> -1 in return (features - centres[y]).square().sum(1).mean() / 2": TWO_AXES,
    },
    "cosface_logits": {
        **guard("check_cosines(cos, y)"),
        **guard("checks.positive('s', s)"),
        **guard("checks.at_least('m', m, 0)", "0 -> -1"),
        "1 -> -1 in target = cos.gather(1, y[:, None])": TWO_AXES,
        "1 -> -1 in return s * cos.scatter(1, y[:, None], target - m)": TWO_AXES,
    },
    "arcface_logits": {
        **guard("check_cosines(cos, y)"),
        **guard("checks.positive('s', s)"),
        **guard("checks.at_least('m', m, 0)", "0 -> -1"),
        "1 -> -1 in theta = angle(cos.gather(1, y[:, None]))": TWO_AXES,
        f"1 -> -1 in {SCATTER}": TWO_AXES,
        "theta <= math.pi - m -> theta < math.pi - m": "One point: where the step down stands.",
    },
    "simplex_etf": {
        **guard("checks.at_least('K', K, 2)", "2 -> 1", "2 -> -2"),
        "torch.ones(K, K - 1, dtype=torch.float64) -> torch.ones(K, K - 1)": "Ones are exact in any precision.",
        "single precision inside": NO_TENSOR,
    },
    "within_class_variability": {
        f"{PINV} -> torch.linalg.pinv(sigma_b, hermitian=True)": PSEUDO,
        f"{PINV} -> torch.linalg.pinv(sigma_b, rtol=1e-10)": "Another algorithm for the same.",
        f"1e-10 -> 1.1000000000000001e-10 in {TRACE}": PSEUDO,
        f"True -> False in {TRACE}": "Another algorithm for the same.",
    },
    "roc_and_eer": {
        **guard("check_scores(scores, same)"),
        "0 -> -1 in t = torch.cat([scores.new_tensor([math.inf]), scores.unique().flip(0)])": "One axis only.",
        "int((gap > 0).sum()) -> (gap > 0).sum()": "A tensor () indexes like a number.",
        "gap > 0 -> gap >= 0": "Where a gap is 0 the line before and the line after end there.",
    },
}

STACKED = "Two vectors (N,) stacked: the new axis 1 is axis -1."
LIBRARY = {
    "bounds.circle": {"1 -> -1 in return torch.stack([turn.cos(), turn.sin()], 1)": STACKED},
    "bounds.decision_boundary": {
        "1e-06 -> 1.1e-06 in if not ((theta >= 0) & (theta <= math.pi + 1e-06)).all():": "Where rounding ends is free.",
        "sphereface_psi(m1 * theta + m2, 1) -> sphereface_psi(1, m1 * theta + m2)": "Only the product m theta counts.",
    },
    "margins.cosines": {
        "1 -> -1 in if features.ndim != 2 or weights.ndim != 2 or features.shape[1] != weights.shape[1]:": TWO_AXES,
    },
    "margins.angle": {
        "cos.abs() -> cos.square()": "Below 1 together.",
        "0 -> -1 in return torch.where(inside, cos.where(inside, 0).acos(), (1 - cos.sign()) * (math.pi / 2))": (
            "What stands there is not taken, and its gradient is masked twice."
        ),
    },
    "margins.check_cosines": {
        "cos.detach() -> cos": "Only a graph that nobody uses.",
        "low > -1.001 -> low >= -1.001": "Where rounding ends is free.",
    },
    "metric.contrastive_loss": {"loss.triu(1) -> loss.triu()": "d_ii = 0: the diagonal adds nothing."},
    "metric.triplet_loss": {
        "1 -> -1 in positive = d.where(same, 0).amax(1)": TWO_AXES,
        "1 -> -1 in negative = d.where(~same, math.inf).amin(1)": TWO_AXES,
    },
    "metric.batch_hard": {
        "1 -> 2 in positive = d.where(same & ~own, -1).argmax(1)": "Any negative number is below all distances.",
        "1 -> -1 in positive = d.where(same & ~own, -1).argmax(1) (2)": TWO_AXES,
        "1 -> -1 in negative = d.where(~same, math.inf).argmin(1)": TWO_AXES,
        "1 -> -1 in return torch.stack([anchors, positive[anchors], negative[anchors]], 1)": STACKED,
    },
    "metric.semi_hard": {
        CDIST.replace("features", "features.detach()"): TWICE,
        "1 -> -1 in nearest, n = d[a].where(allowed, math.inf).min(1)": TWO_AXES,
    },
    "metric.center_loss": {"1 -> -1 in return (features - centres[y]).square().sum(1).mean() / 2": TWO_AXES},
    "metric.check_centres": {
        "1 -> -1 in if centres.ndim != 2 or centres.shape[1:] != features.shape[1:]: (2)": TWO_AXES,
    },
    "metric.info_nce": {"1 -> -1 in logits = torch.cat([own, others], 1) / temperature": TWO_AXES},
    "metric.triplet_probabilistic_loss": {
        "1 -> -1 in return F.softplus((anchors * (negatives - positives)).sum(1)).mean()": TWO_AXES,
    },
    "collapse.simplex_etf": {
        "torch.ones(K, K - 1, dtype=torch.float64) -> torch.ones(K, K - 1)": "Ones are exact in any precision.",
    },
    "collapse.within_class_variability": EQUIVALENT["within_class_variability"],
    "collapse.equinorm": {"1 -> -1 in length = means.norm(dim=1)": TWO_AXES},
    "collapse.nearest_mean_disagreement": {f"1 -> -1 in {NEAREST}": TWO_AXES, f"1 -> -1 in {NEAREST} (2)": TWO_AXES},
    "collapse.neural_collapse": {
        "self_duality(means, weights) -> self_duality(weights, means)": "A distance: the same both ways.",
    },
    "features.unit": {
        "1 -> -1 in length = torch.linalg.vector_norm(features, dim=-1, keepdim=True)": TWO_AXES,
        "int((~good).flatten().to(torch.uint8).argmax()) -> (~good).flatten().to(torch.uint8).argmax()": (
            "A tensor () indexes like a number."
        ),
    },
    "features.check_batch": {
        "1 -> -1 in if y.shape != features.shape[:1] or y.is_floating_point() or y.dtype == torch.bool:": TWO_AXES,
    },
}
