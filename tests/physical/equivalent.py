"""Mutants of Lecture 8 that are no mistakes, each with its reason (see tools/mutants.py, tools/library_mutants.py)."""

REFUSAL = "The exercise asks for no refusal; tests/physical hold it."
COSINE = "The cosine is that of v and u as well."
LAST = "The last axis is what `diff` takes unless told."


def guard(call: str) -> dict[str, str]:
    """The mutants of a line `_check_...(first, ...)`: left out, shortened."""
    first = call[call.index("(") + 1 :].split(",")[0].rstrip(")")
    return {f"{call} -> left out": REFUSAL, f"{call} -> {first}": REFUSAL}


EQUIVALENT = {
    "apply_patch": guard("_check_patch(x, patch, mask)"),
    "total_variation": {
        **guard("_check_patch(p)"),
        "p.diff(dim=-1, append=p[..., -1:]) -> p.diff(append=p[..., -1:])": LAST,
    },
    "non_printability_score": guard("_check_colours(p, printable)"),
    "impersonation_loss": {"cosine(u, v) -> cosine(v, u)": COSINE},
    "dodging_loss": {"cosine(u, v) -> cosine(v, u)": COSINE},
}
