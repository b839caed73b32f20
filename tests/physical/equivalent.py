"""Edits of the references of Lecture 8 that change nothing, and why."""

REFUSAL = "The exercise asks for no refusal; tests/physical hold it."

COSINE = "The cosine is that of v and u as well."

LAST = "The last axis is what `diff` takes unless told."


def guard(call: str) -> dict[str, str]:
    """The mutants of a line `_check_...(first, ...)`: left out, shortened."""
    first = call[call.index("(") + 1 :].split(",")[0].rstrip(")")
    return {f"{call} -> left out": REFUSAL, f"{call} -> {first}": REFUSAL}


TWO_AXES = "The tensor has two axes: axis 1 is axis -1, and the last."

WHOLE = "Whole numbers go in."

OF_TWO = "1 of two is -1 as well."

EQUIVALENT = {
    "apply_patch": guard("_check_patch(x, patch, mask)"),
    "total_variation": {
        **guard("_check_patch(p)"),
        "p.diff(dim=-1, append=p[..., -1:]) -> p.diff(append=p[..., -1:])": LAST,
    },
    "non_printability_score": guard("_check_colours(p, printable)"),
    "expectation_over_transformation": {
        "1 -> -1 in return loss(photograph(x, shots)).view(len(x), -1).mean(1) (2)": TWO_AXES
    },
    "impersonation_loss": {"cosine(u, v) -> cosine(v, u)": COSINE},
    "dodging_loss": {"cosine(u, v) -> cosine(v, u)": COSINE},
    "nes_gradient": {
        "check_directions(x, xi, sigma) -> left out": REFUSAL,
        "check_directions(x, xi, sigma) -> x": REFUSAL,
        "check_values(f(x + sigma * directions), directions.shape[:2]) -> f(x + sigma * directions)": REFUSAL,
    },
    "square_attack_step": {
        "2 -> -2 in down, across = (torch.arange(size, device=x.device) for size in x.shape[2:])": "x has four axes.",
        "eps * signs[:, :, None, None] -> eps / signs[:, :, None, None]": "1 / s = s for a sign.",
        "check_values(f(candidate), (len(x),)) -> f(candidate)": REFUSAL,
        "check_square(x, top, left, side, signs) -> left out": REFUSAL,
        "check_square(x, top, left, side, signs) -> x": REFUSAL,
    },
    "gaussian_blob": {
        "check_blob(centre, sigma, amplitude) -> left out": REFUSAL,
        "check_blob(centre, sigma, amplitude) -> centre": REFUSAL,
        "torch.arange(length, device=centre.device, dtype=centre.dtype) -> "
        "torch.arange(length, device=centre.device)": ("Whole numbers less floating ones are floating."),
        "zip((u, v), centre.unbind(-1), strict=True) -> zip((u, v), centre.unbind(-1))": "Two and two.",
        "True -> False in across, down = ((at - c[..., None]).square() for at, c in zip((u, v), "
        "centre.unbind(-1), strict=True))": "Two and two.",
    },
    "column_smoothing_certificate": {
        "check_votes(votes, patch, band) -> left out": REFUSAL,
        "check_votes(votes, patch, band) -> votes": REFUSAL,
        "check_votes(votes, patch, band) -> check_votes(votes, band, patch)": "Both must be at least 1.",
        "votes.topk(2, dim=1) -> votes.topk(2)": TWO_AXES,
        "1 -> -1 in most = votes.topk(2, dim=1).values": TWO_AXES,
        "1 -> -1 in return Certified(votes.argmax(1), most[:, 0] - most[:, 1] > 2 * (patch + band - 1))": TWO_AXES,
        "1 -> -1 in return Certified(votes.argmax(1), most[:, 0] - most[:, 1] > 2 * (patch + band - 1)) (2)": OF_TWO,
        "single precision inside": WHOLE,
    },
}
