"""Mutants of Lecture 9 that are no mistakes: of the exercises' references, and of the mathematics against its tests."""

GUARD = "it refuses bad input, of which the stub says nothing"
AXIS = "the last of two axes"
CPU = "matters on a GPU only"
NUMPY = "scipy takes tensors of a CPU as well"
COLUMN = "the only column"
WHOLE = "only whole numbers go in, and Python's floats"
DEFAULT = "a default that another precision would serve as well"


def guard(check: str, name: str) -> dict[str, str]:
    """The check of an argument left out."""
    call = f"checks.{check}({name})" if check == "level" else f"checks.{check}('{name}', {name})"
    return {f"{call} -> left out": GUARD, f"{call} -> checks": GUARD}


EQUIVALENT = {
    "lipschitz_upper_bound": {
        "_chain(weights) -> weights": GUARD,
        "single precision inside": "power iteration, which is a right answer, is no more precise than 1e-3",
    },
    "margin_radius": {
        **guard("positive", "lipschitz"),
        "check_scores(logits, y) -> left out": GUARD,
        "check_scores(logits, y) -> logits": GUARD,
        "1 -> -1 in own = logits.gather(1, y[:, None])[:, 0]": AXIS,
        "0 -> -1 in own = logits.gather(1, y[:, None])[:, 0]": COLUMN,
        "1 -> -1 in others = logits.scatter(1, y[:, None], -math.inf).amax(1)": AXIS,
        "1 -> -1 in others = logits.scatter(1, y[:, None], -math.inf).amax(1) (2)": AXIS,
    },
    "interval_linear": {
        "check_box(lower, upper) -> left out": GUARD,
        "check_box(lower, upper) -> lower": GUARD,
        "check_affine(lower, weight, bias) -> left out": GUARD,
        "check_affine(lower, weight, bias) -> lower": GUARD,
    },
    "neyman_pearson_bound": {
        **guard("positive", "sigma"),
    },
    "certified_radius": {
        **guard("positive", "sigma"),
        "p_a > p_b -> p_a >= p_b": "where both are equal the formula gives 0 too (0 = 0 and 1 = 1 are no "
        "probabilities of two classes)",
    },
    "clopper_pearson_lower": {
        **guard("level", "alpha"),
        "checks.counts('successes', torch.as_tensor(successes), n).double() -> "
        "checks.counts('successes', torch.as_tensor(successes), n)": "scipy takes int64 as float64; it matters for "
        "int16, which test_certificates has",
        "k.cpu().numpy() -> k.cpu()": NUMPY,
        "k.cpu() -> k": CPU,
        "(n - k + 1).cpu().numpy() -> (n - k + 1).cpu()": NUMPY,
        "(n - k + 1).cpu() -> n - k + 1": CPU,
        "single precision inside": WHOLE,
    },
    "smoothed_predict": {
        **guard("level", "alpha"),
        "top[:, 0].double() -> top[:, 0]": "scipy takes int64 as "
        "float64; it matters for int16, which test_certificates has",
        "1 -> -1 in a, total = (top[:, 0].double(), top.sum(1))": AXIS,
        "(a - 1).cpu().numpy() -> (a - 1).cpu()": NUMPY,
        "(a - 1).cpu() -> a - 1": CPU,
        "total.cpu().numpy() -> total.cpu()": NUMPY,
        "total.cpu() -> total": CPU,
        "2 * tail <= alpha -> 2 * tail < alpha": "differs where the P-value is alpha to the last bit, which rounding "
        "decides: two right ways to sum the tail differ there",
        "single precision inside": WHOLE,
    },
    "certify": {
        **guard("positive", "sigma"),
        "1 -> -1 in chosen = selection.argmax(1)": AXIS,
        "1 -> -1 in lower = clopper_pearson_lower(votes.gather(1, chosen[:, None])[:, 0], n, alpha)": AXIS,
        "0 -> -1 in lower = clopper_pearson_lower(votes.gather(1, chosen[:, None])[:, 0], n, alpha)": COLUMN,
        "single precision inside": WHOLE,
    },
    "max_certifiable_radius": {
        **guard("level", "alpha"),
        **guard("positive", "sigma"),
        **guard("whole", "n"),
        "single precision inside": WHOLE,
    },
    "top_k_radius": {
        **guard("positive", "sigma"),
        **guard("whole", "k"),
        "60 -> 61 in def top_k_radius(p_label, p_others, k, sigma, *, halvings=60):": DEFAULT,
        "60 -> 59 in def top_k_radius(p_label, p_others, k, sigma, *, halvings=60):": DEFAULT,
        "1 -> -1 in sums = p_others.topk(k).values.flip(1).cumsum(1).minimum(1 - p_label[:, None])": AXIS,
        "1 -> -1 in sums = p_others.topk(k).values.flip(1).cumsum(1).minimum(1 - p_label[:, None]) (2)": AXIS,
        "torch.special.ndtr(ours - r / sigma) > rivals.amin(1) -> torch.special.ndtr(ours - r / sigma) >= "
        "rivals.amin(1)": "differs at the root itself, which a bisection meets within 2^-60 anyhow",
        "1 -> -1 in return torch.special.ndtr(ours - r / sigma) > rivals.amin(1)": AXIS,
        "40 -> 41 in low, high = (torch.zeros_like(p_label), torch.full_like(p_label, 40 * sigma))": "any interval "
        "that holds the root does, if it is no wider by much",
        "40 -> 39 in low, high = (torch.zeros_like(p_label), torch.full_like(p_label, 40 * sigma))": "any interval "
        "that holds the root does",
    },
    "lecuyer_radius": {
        **guard("positive", "sigma"),
        **guard("whole", "points"),
        "torch.arange(1, points + 1, device=p_a.device) -> torch.arange(points + 1, device=p_a.device)": "one beta "
        "more, below 0, where the radius is negative: never the largest",
        "1 -> -1 in beta = limit[..., None] * (torch.arange(1, points + 1, device=p_a.device) - 0.5) / points": "two "
        "beta more, below 0, where the radius is negative: never the largest",
        "p_a > p_b -> p_a >= p_b": "where both are equal beta is 0, and so is the formula",
        "1 -> -1 in return torch.where(p_a > p_b, private.amax(-1), 0.0)": AXIS,
    },
}


def everywhere(name: str) -> dict[str, str]:
    """Those of a reference that no test need refuse either: the tests do try its guards, and numbers of 16 bit."""
    return {edit: why for edit, why in EQUIVALENT[name].items() if why != GUARD and "int16" not in why}


ORDERS = "in order = 1 + torch.logspace(-3, 3, points, dtype=torch.float64, device=a.device) (2)"
LIBRARY = {
    "certificates.clopper_pearson_lower": everywhere("clopper_pearson_lower"),
    "certificates.smoothed_predict": everywhere("smoothed_predict"),
    "certificates.certify": {
        **everywhere("certify"),
        "checks.positive('sigma', sigma) -> left out": "certified_radius refuses it in the same words",
        "checks.positive('sigma', sigma) -> checks": "certified_radius refuses it in the same words",
    },
    "certificates.top_k_radius": everywhere("top_k_radius"),
    "certificates.lecuyer_radius": everywhere("lecuyer_radius"),
    "certificates.renyi_radius": {
        "1000 -> 999 in def renyi_radius(p_a, p_b, sigma, *, points=1000):": DEFAULT,
        "1000 -> 1001 in def renyi_radius(p_a, p_b, sigma, *, points=1000):": DEFAULT,
        f"3 -> 2 {ORDERS}": "the best order is far below 100",
        f"3 -> 4 {ORDERS}": "the best order is far below 100",
        "distance.clamp(min=0, max=1) -> distance.clamp(min=0)": "M is at most the mean: above 1 by rounding only",
        "0 -> -1 in radius = sigma * (-2 / order * distance.clamp(min=0, max=1).log()).sqrt()": "below 0 by rounding "
        "only",
    },
    "bounds.check_affine": {
        "1 -> -1 in if x.ndim != 2 or weight.ndim != 2 or weight.shape[1] != x.shape[1] or "
        f"(bias.shape != weight.shape[:1]):{n}": AXIS
        for n in ("", " (2)", " (3)")
    },
    "bounds.interval_step": {
        f"0 -> -1 in size = {{'weight': layer.weight.abs(), 'bias': torch.zeros_like(middle[0, :, 0, 0])}}{n}": "any "
        "image and pixel do: only the shape counts"
        for n in ("", " (2)", " (3)")
    },
    "bounds.interval_certified": {
        "1 -> -1 in return (margins.scatter(1, y[:, None], math.inf) > 0).all(1)": AXIS,
        "1 -> -1 in return (margins.scatter(1, y[:, None], math.inf) > 0).all(1) (2)": AXIS,
    },
    "metrics.samples_needed": {
        "float(torch.special.log_ndtr(torch.tensor(radius / sigma, dtype=torch.float64))) -> "
        "torch.special.log_ndtr(torch.tensor(radius / sigma, dtype=torch.float64))": "math.ceil makes it a number"
    },
    "lipschitz.operator_norm": {
        "torch.randn((1, *shape), generator=generator, device=weight.device, dtype=weight.dtype) -> "
        "torch.rand((1, *shape), generator=generator, device=weight.device, dtype=weight.dtype)": "any start does",
        "layer(v).detach() -> layer(v)": "the graph of u is asked for nothing",
    },
    "lipschitz.network_lipschitz": {
        "100 -> 99 in def network_lipschitz(model, shape, *, steps=100, generator=None):": DEFAULT,
        "100 -> 101 in def network_lipschitz(model, shape, *, steps=100, generator=None):": DEFAULT,
        "layer.weight.detach() -> layer.weight": "float() takes it out of the graph",
        "tuple(layer(torch.zeros((1, *shape), device=device)).shape[1:]) -> "
        "layer(torch.zeros((1, *shape), device=device)).shape[1:]": "a torch.Size is a tuple",
        "torch.zeros((1, *shape), device=device) -> torch.ones((1, *shape), device=device)": "only its shape is used",
    },
    "lipschitz.check_scores": {
        "1 -> -1 in if logits.ndim != 2 or logits.shape[1] < 2 or y.shape != logits.shape[:1] or "
        "y.is_floating_point():": AXIS,
        "1 -> -1 in if logits.ndim != 2 or logits.shape[1] < 2 or y.shape != logits.shape[:1] or "
        "y.is_floating_point(): (2)": AXIS,
    },
}
