"""Mutants of Lecture 1 that are no mistakes: of the exercises' references, and of the mathematics against its tests."""

ASSUMED = "the stub promises distributions; the refusal of others is no part of the exercise (the tests try it)"
CHECKED = {
    f"_distributions(p, q) -> {new}": ASSUMED
    for new in ("left out", "p", "_distributions(q)", "_distributions(p)", "_distributions(q, p)")
}
NUMBERS = {"single precision inside": "takes and returns Python numbers, no tensors"}

EQUIVALENT = {
    "logistic_loss": {
        "torch.logaddexp(torch.zeros_like(margin), -margin) -> torch.logaddexp(-margin, torch.zeros_like(margin))": (
            "a sum does not depend on the order of its two terms"
        )
    },
    "cosine_schedule": NUMBERS,
    "prior_strength": NUMBERS,
    "cross_entropy": CHECKED,
    "kl_divergence": {
        **CHECKED,
        "torch.special.xlogy(p, p) -> torch.special.xlogy(p, p)": "p and p change places",
    },
    "js_distance": {"js_divergence(p, q) -> js_divergence(q, p)": "JS is symmetric"},
}
