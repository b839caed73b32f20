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

LAST = "the last dimension of a matrix is dimension 1"
XLOGY = {"torch.special.xlogy(p, p) -> torch.special.xlogy(p, p)": "p and p change places"}
ORDER = {"_distributions(p, q) -> _distributions(q, p)": "both are checked, in either order"}
LINES = {
    edit: LAST
    for edit in (
        "1 -> -1 in if x.ndim != 2 or x.shape[1] != 2 or len(x) < 3:",
        "1 -> -1 in along = (x[j] - x[i]) / (x[j] - x[i]).square().sum(1, keepdim=True)",
        "1 -> -1 in normal = torch.stack([-along[:, 1], along[:, 0]], 1)",
        "1 -> -1 in normal = torch.stack([-along[:, 1], along[:, 0]], 1) (2)",
        "1 -> -1 in position = along @ x.T - (along * x[i]).sum(1, keepdim=True)",
        "1 -> -1 in height = normal @ x.T - (normal * x[i]).sum(1, keepdim=True)",
        "1 -> -1 in tilt = 0.5 * (height.abs() / (1 + 2 * position.abs())).amin(1, keepdim=True) (2)",
        "1 -> -1 in offset = tilt * side_i - (slope * x[i]).sum(1, keepdim=True)",
        "1 -> -1 in lines.append(torch.cat([offset, slope], 1))",
    )
}
SCORES = "1 -> -1 in return torch.logsumexp(z, -1) - z.gather(1, y[:, None])[:, 0]"
NUMPY = "SciPy makes a flat array of numbers in double precision of it"
OPTIONS = (
    "in options = {'maxiter': iterations, 'maxcor': 20, 'ftol': 1e-13, 'gtol': 1e-07}",
    "a little more or less memory or precision",
)

LIBRARY = {
    "information._distributions": {
        "0 -> -1 in if p.shape != distributions[0].shape:": "of one or two, each is compared with either",
        "(p.sum(-1) - 1).abs() < 0.0001 -> (p.sum(-1) - 1).abs() <= 0.0001": "no sum is off by exactly that",
    },
    "information.cross_entropy": ORDER,
    "information.kl_divergence": {**ORDER, **XLOGY},
    "information.js_distance": EQUIVALENT["js_distance"],
    "information.fit_gaussian": {
        f"60 -> {n} in optimizer = torch.optim.LBFGS([mu, log_sigma], max_iter=60, line_search_fn='strong_wolfe')": (
            "it has converged long before"
        )
        for n in (59, 61)
    },
    "losses.logistic_loss": EQUIVALENT["logistic_loss"],
    "losses.separating_lines": {
        **LINES,
        "torch.triu_indices(len(x), len(x), offset=1) -> torch.triu_indices(len(x), len(x), offset=1)": (
            "len(x) and len(x) change places"
        ),
        "tilt * side_i -> tilt / side_i": "side_i is 1 or -1",
    },
    "methods.next_batch": {"margin.abs() -> margin.square()": "in the same order"},
    "methods.lbfgs": {
        "value.item() -> value": NUMPY,
        "flat.copy() -> flat": "this SciPy hands the callback a copy",
        "gradient.cpu().numpy().ravel() -> gradient.cpu().numpy()": NUMPY,
        "gradient.cpu().numpy() -> gradient.cpu()": NUMPY,
        "gradient.cpu() -> gradient": "the same without a GPU",
        "w.cpu().numpy() -> w.cpu()": NUMPY,
        "w.cpu() -> w": "the same without a GPU",
        **{
            f"{edit} {OPTIONS[0]}": OPTIONS[1]
            for edit in (
                "20 -> 21",
                "20 -> 19",
                "1e-13 -> 1.1000000000000001e-13",
                "1e-07 -> 1.1e-07",
                "1e-07 -> -1e-07",
            )
        },
    },
    "multiclass.multiclass_logistic_loss": {
        "1 -> -1 in if z.ndim != 2 or y.shape != z.shape[:1] or y.dtype != torch.int64:": "z has two dimensions",
        SCORES: LAST,
        f"{SCORES} (2)": LAST,
        "0 -> -1 in return torch.logsumexp(z, -1) - z.gather(1, y[:, None])[:, 0]": "one column",
    },
    "multiclass.softmax_gradient": {
        f"1 -> -1 in if y.shape != x.shape[:1] or w.shape[1:] != x.shape[1:]:{n}": "x and w have two dimensions"
        for n in ("", " (2)", " (3)")
    },
    "noise.minibatch_variance": {"max(m - 1, 1) -> max(1, m - 1)": "the larger of two, in either order"},
    "noise.mean_square_error": {"etas.tolist() -> etas": "the same numbers, as tensors"},
    "quadratics.spectral_radius": {
        "b.square() < 4 * beta.unsqueeze(-1) -> b.square() <= 4 * beta.unsqueeze(-1)": "a double root is both"
    },
    "quadratics.optimal_heavy_ball": {
        "2 -> -2 in return ((2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2)": "it is squared"
    },
    "quadratics.lessard_gradient": {
        "x < 1 -> x <= 1": "the gradient is continuous",
        "x < 2 -> x <= 2": "the gradient is continuous",
    },
    "schedules._moment": {"''.join((f', {name} >= 1' for name in periods)) -> ''": "words of a message"},
    "schedules.Plateau.__call__": {
        "min(self.best, risk) -> min(risk, self.best)": "the smaller of two, in either order"
    },
}
