"""Mutants of Lecture 6 that are no mistakes, each with its reason (see tools/mutants.py, tools/library_mutants.py)."""

REFUSAL = "The exercise asks for no refusal; tests/diffusion hold it."
ONE_AXIS = "The tensor has one axis: axis 0 is axis -1."
ROUNDING = "It is above 0 but for rounding: (1 - prev) (1 - eta^2 (1 - a/prev) / (1 - a)), and a/prev > a."


def shapes(*names: str) -> dict[str, str]:
    """The mutants of the guard `same_shape(a=a, b=b)`: left out, or without one of them."""
    call = "same_shape({})".format
    every = [f"{name}={name}" for name in names]
    fewer = [call(", ".join(part for part in every if part != out)) for out in every]
    return {f"{call(', '.join(every))} -> {new}": REFUSAL for new in ["left out", *fewer]}


CLAMPED = "mean = per_sample(prev.sqrt(), x_t) * x_0 + per_sample((1 - prev - sigma2).clamp(min=0).sqrt(), x_t) * noise"

EQUIVALENT = {
    "alpha_bar": {"0 -> -1 in return (1 - beta).cumprod(0)": ONE_AXIS},
    "q_sample": shapes("x_0", "xi"),
    "cosine_alpha_bar": {
        "whole('T', T) -> left out": REFUSAL,
        "whole('T', T) -> 'T'": REFUSAL,
        "at_least('s', s, 0) -> left out": REFUSAL,
        "at_least('s', s, 0) -> 's'": REFUSAL,
        "0 -> -1 in at_least('s', s, 0)": REFUSAL,
        "2 -> -2 in f = torch.cos((t / T + s) / (1 + s) * math.pi / 2).square()": "The cosine is even.",
        "single precision inside": "No tensor goes in: nothing is rounded.",
    },
    "posterior_mean_variance": shapes("x_t", "x_0"),
    "gaussian_kl_full": {
        **shapes("mean_q", "mean_p"),
        **shapes("cov_q", "cov_p"),
        "check_covariance('cov_q', cov_q, mean_q) -> left out": REFUSAL,
        "check_covariance('cov_q', cov_q, mean_q) -> 'cov_q'": REFUSAL,
        "check_covariance('cov_p', cov_p, mean_p) -> left out": REFUSAL,
        "check_covariance('cov_p', cov_p, mean_p) -> 'cov_p'": REFUSAL,
    },
    "noise_from_x0": shapes("x_t", "x_0"),
    "tweedie_mean": shapes("x_t", "score"),
    "ddpm_step": shapes("x_t", "noise", "xi"),
    "ddim_step": {
        **shapes("x_t", "noise", "xi"),
        "(1 - prev - sigma2).clamp(min=0) -> 1 - prev - sigma2": ROUNDING,
        f"0 -> -1 in {CLAMPED}": ROUNDING,
    },
    "classifier_free_noise": shapes("noise_cond", "noise_uncond"),
}
