"""Mutants of Lecture 5 that are no mistakes, each with its reason."""

GUARD = "positive() refuses step sizes <= 0, which the stub does not ask for; tests/mcmc/test_sampling.py does"
SAME_DIMENSION = "the same dimension, counted from the other end"
LAST = "of two columns the second is the last"
SYMMETRIC = "the noise has the same law with either sign"
CAP = "the stub asks for no cap: without it, or with one out of reach, it is Geyer's sequence, which is right, too"

EQUIVALENT = {
    "stationary_distribution": {
        "torch.eye(k, dtype=p.dtype, device=p.device) -> torch.eye(k, device=p.device)": "0 and 1 are exact in float32",
        "torch.linalg.matrix_rank(change, rtol=1e-12) -> torch.linalg.matrix_rank(change)": "torch's own threshold, "
        "also far above the zeros of a cut chain and far below the slowest chain that a student must solve",
        "1e-12 -> 1.1000000000000002e-12 in if torch.linalg.matrix_rank(change, rtol=1e-12) < k - 1:": "no singular "
        "value of a check lies between rounding, 1e-16, and the slowest chain, 1e-3",
        "torch.linalg.solve(change + 1, p.new_ones(k)).clamp(min=0) -> torch.linalg.solve(change + 1, p.new_ones(k))": ""  # noqa: E501
        "a negative rounding error of 1e-16, which right answers by eigenvectors have, too; tests/mcmc asks for >= 0",
        "0 -> -1 in return torch.linalg.solve(change + 1, p.new_ones(k)).clamp(min=0)": "the same rounding error",
    },
    "is_reversible": {
        "transition_matrix(matrix) -> matrix": "it refuses matrices that are not stochastic, which the stub does not "
        "ask for; the law is float64, and so is the flow",
        "(flow - flow.T).abs() -> flow - flow.T": "antisymmetric: its largest entry is its largest modulus",
    },
    "inverse_transform_sample": {
        "60 -> 61 in def inverse_transform_sample(cdf, u, low, high, *, halvings=60):": "one halving more is nearer: "
        "who evaluates F at both ends first needs the calls that would tell",
    },
    "gibbs_bivariate_normal": {
        "x.ndim != 2 or x.shape[1] != 2 -> x.ndim != 2 and x.shape[1] != 2": "the stub does not ask for a refusal of "
        "other shapes; tests/mcmc/test_sampling.py does",
        "1 -> -1 in if x.ndim != 2 or x.shape[1] != 2:": SAME_DIMENSION,
        "rho * x[:, 1] + xi[:, 0] -> rho * x[:, 1] - xi[:, 0]": SYMMETRIC,
        "rho * first + xi[:, 1] -> rho * first - xi[:, 1]": SYMMETRIC,
        "1 -> -1 in first = rho * x[:, 1] + xi[:, 0]": LAST,
        "1 -> -1 in return torch.stack([first, rho * first + xi[:, 1]], dim=1)": LAST,
        "1 -> -1 in return torch.stack([first, rho * first + xi[:, 1]], dim=1) (2)": SAME_DIMENSION,
    },
    "metropolis_accept": {
        "torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device, dtype=log_ratio.dtype) -> "
        "torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)": "u of float32 is uniform up to "
        "2^-24, as in the stub",
        "u.log() <= log_ratio -> u.log() < log_ratio": "differs where u = r, once in 2^24, as in the stub",
        "single precision inside": "the probability is off by 2^-24: no number of draws that a check can take sees it",
    },
    "ula_step": {
        "positive(step_size) -> left out": GUARD,
        "positive(step_size) -> step_size": GUARD,
        "s = with_gradient(s, log_prob) -> left out": "the stub promises s.grad; only `sample` starts without",
        "with_gradient(s, log_prob) -> s": "the stub promises s.grad; only `sample` starts without",
        "s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator) -> "
        "s.x + step_size * s.grad - math.sqrt(2 * step_size) * noise(s.x, generator)": SYMMETRIC,
    },
    "mala_log_acceptance": {
        "positive(step_size) -> left out": GUARD,
        "positive(step_size) -> step_size": GUARD,
        "1 -> -1 in return -(b.x - a.x - step_size * a.grad).square().sum(1) / (4 * step_size)": SAME_DIMENSION,
    },
    "leapfrog": {
        "positive(step_size) -> left out": GUARD,
        "positive(step_size) -> step_size": GUARD,
    },
    "sgld_gradient": {
        "likelihood.mean(1) -> likelihood.mean()": "summed over the chains, N times the mean of all is the sum of N "
        "times the mean of each: the same total, hence the same gradient",
        "1 -> -1 in log_posterior = prior + data_size * likelihood.mean(1)": SAME_DIMENSION,
    },
    "effective_sample_size": {
        "_geyer(rho).clamp(min=1 / math.log10(m * n)) -> _geyer(rho)": CAP,
        "math.log10(m * n) -> m * n": CAP,
        "m * n -> m / n (2)": CAP,
        "1 -> -1 in return m * n / _geyer(rho).clamp(min=1 / math.log10(m * n))": CAP,
    },
}
