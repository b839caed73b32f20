"""Mutants of Lecture 2 that are no mistakes, each with its reason (see tools/mutants.py, tools/library_mutants.py)."""

TWO_AXES = "The tensor has two axes: axis 1 is axis -1."
REFUSAL = "The exercise asks for no refusal; tests/faceid hold it."
TWICE = "The same argument twice."
PSEUDO = "In float64, with few dimensions, rounding stays below torch's own limit."
NO_TENSOR = "No tensor goes in: nothing is rounded."
CDIST = "torch.cdist(features, features) -> torch.cdist(features, features)"
TRACE = "return torch.trace(sigma_w @ torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)) / len(means)"
PINV = "torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)"
SCATTER = "return s * cos.scatter(1, y[:, None], target)"


def guard(call: str, *constants: str) -> dict[str, str]:
    """The mutants of a line `checks...(...)`: left out, its first argument or its module alone, a constant."""
    first = call[call.index("(") + 1 :].split(",")[0]
    module = call.split(".")[0]
    edits = (f"{call} -> left out", f"{call} -> {first}", f"{call} -> {module}")
    return {edit: REFUSAL for edit in (*edits, *(f"{constant} in {call}" for constant in constants))}


EQUIVALENT = {
    "contrastive_loss": {
        **guard("check_two_classes(features, y)"),
        **guard("checks.positive('margin', margin)"),
        CDIST: TWICE,
        "loss.triu(1) -> loss.triu()": "d_ii = 0: the diagonal adds nothing.",
    },
    "triplet_loss": {
        **guard("check_two_classes(features, y)"),
        **guard("checks.at_least('margin', margin, 0)", "0 -> 1", "0 -> -1"),
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
        **guard("checks.at_least('K', K, 2)", "2 -> 1", "2 -> 3", "2 -> -2"),
        "torch.ones(K, K - 1, dtype=torch.float64) -> torch.ones(K, K - 1)": "Ones are exact in any precision.",
        "single precision inside": NO_TENSOR,
    },
    "within_class_variability": {
        f"{PINV} -> torch.linalg.pinv(sigma_b, hermitian=True)": PSEUDO,
        f"{PINV} -> torch.linalg.pinv(sigma_b, rtol=1e-10)": "Another algorithm for the same.",
        f"1e-10 -> 1.1000000000000001e-10 in {TRACE}": PSEUDO,
        f"1e-10 -> -1e-10 in {TRACE}": PSEUDO,
        f"True -> False in {TRACE}": "Another algorithm for the same.",
    },
    "roc_and_eer": {
        **guard("check_scores(scores, same)"),
        "0 -> -1 in t = torch.cat([scores.new_tensor([math.inf]), scores.unique().flip(0)])": "One axis only.",
        "int((gap > 0).sum()) -> (gap > 0).sum()": "A tensor () indexes like a number.",
        "gap > 0 -> gap >= 0": "Where a gap is 0 the line before and the line after end there.",
    },
    "tar_at_far": {
        "curve.tar[last_within(curve, far)].squeeze(-1) -> curve.tar[last_within(curve, far)].squeeze()": "One axis.",
    },
}
