"""Mutants of Lecture 7's references that are no mistakes, each with its reason (see tools/mutants.py)."""

import torch

TWO_AXES = "The tensor has two axes: axis 1 is axis -1."
ONE_NUMBER = "The exercise promises one number for eps, step: broadcast it is the same (tests/attacks: one per image)."
REFUSAL = "The exercise asks for no refusal; tests/attacks hold it."
OBJECTIVE = "return (x_adv - x).square().flatten(1).sum(1) + c * goal(logits, y, targeted).clamp(min=-kappa)"
LOSS = "cross_entropy(model((x + delta).clamp(0, 1)), y)"
ROWS = "torch.arange(len(y), device=y.device) -> torch.arange(len(y))"
ON_GPU = (
    {ROWS: "A tensor on the GPU may be indexed from the CPU."} if torch.cuda.is_available() else {}
)  # else no mutant

EQUIVALENT = {
    "fgsm": {"per_image(eps, x) -> eps": ONE_NUMBER},
    "project_l2": {
        "per_image(eps, delta) -> eps": ONE_NUMBER,
        "length > eps -> length >= eps": "On the sphere the factor is 1; eps > 0 is said.",
    },
    "project_l1": {
        "eps = per_image(eps, delta).reshape(-1, 1) -> left out": ONE_NUMBER,
        "size.sort(dim=1, descending=True) -> size.sort(descending=True)": TWO_AXES,
        "1 -> -1 in u = size.sort(dim=1, descending=True).values": TWO_AXES,
        "1 -> -1 in theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device)": TWO_AXES,
        "1 -> -1 in theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device) (3)": TWO_AXES,
        "1 -> -1 in rho = (u > theta).sum(1, keepdim=True).clamp(min=1)": TWO_AXES,
        "1 -> -1 in rho = (u > theta).sum(1, keepdim=True).clamp(min=1) (2)": "rho is at least 1 for eps > 0.",
        "(u > theta).sum(1, keepdim=True).clamp(min=1) -> (u > theta).sum(1, keepdim=True)": (
            "rho is at least 1 for eps > 0, u_1 > u_1 - eps; the clamp is for eps = 0."
        ),
        "u > theta -> u >= theta": "Where u_j = theta_j, theta_j = theta_{j-1}: the same threshold.",
        "1 -> -1 in theta = theta.gather(1, rho - 1).clamp(min=0)": TWO_AXES,
    },
    "deepfool_step": {
        **ON_GPU,
        "1 -> -1 in distance, nearest = torch.where(size > 0, f / size, math.inf).min(1)": TWO_AXES,
        "0 -> 1 in return step.where(distance.isfinite()[:, None], 0).view_as(jacobian[:, 0]) (2)": "Only a shape.",
        "0 -> -1 in return step.where(distance.isfinite()[:, None], 0).view_as(jacobian[:, 0]) (2)": "Only a shape.",
    },
    "pgd_linf": {
        "eps = per_image(eps, x) -> left out": ONE_NUMBER,
        "per_image(eps, x) -> eps": ONE_NUMBER,
        "per_image(step, x, 'step') -> step": ONE_NUMBER,
        "per_image(step, x, 'step') -> per_image(step, x)": "Only the name in an error message.",
        "x + random_in_ball(x, eps, math.inf, generator) -> x - random_in_ball(x, eps, math.inf, generator)": (
            "-u is as uniform as u."
        ),
    },
    "mi_fgsm": {
        "at_least('decay', decay, 0) -> left out": REFUSAL,
        "at_least('decay', decay, 0) -> 'decay'": REFUSAL,
        "0 -> -1 in at_least('decay', decay, 0)": REFUSAL,
        "per_image(eps, x) -> eps": ONE_NUMBER,
        "per_image(step, x, 'step') -> step": ONE_NUMBER,
        "per_image(step, x, 'step') -> per_image(step, x)": "Only the name in an error message.",
        "torch.finfo(g.dtype) -> torch.finfo()": "Two tiny numbers below every norm but 0, and 0 over both is 0.",
    },
    "carlini_wagner_objective": {
        f"1 -> -1 in {OBJECTIVE} (2)": TWO_AXES,
    },
    "jsma_saliency": {
        "alpha > 0 -> alpha >= 0": "Where alpha = 0 so is the product.",
        "beta < 0 -> beta <= 0": "Where beta = 0 so is the product.",
    },
    "universal_step": {
        "delta.detach().requires_grad_(True) -> delta.detach().requires_grad_()": "True is the default.",
        f"{LOSS}.mean() -> {LOSS}.sum()": "The sum is N times the mean: its gradient has the same signs.",
    },
    "top_k_success": {
        "1 -> -1 in chosen = logits.gather(1, targets)": TWO_AXES,
        "1 -> -1 in others = logits.scatter(1, targets, -math.inf).amax(1, keepdim=True)": TWO_AXES,
        "1 -> -1 in others = logits.scatter(1, targets, -math.inf).amax(1, keepdim=True) (2)": TWO_AXES,
        "1 -> -1 in ranked = torch.cat([chosen, others], 1)": TWO_AXES,
        "1 -> -1 in return (ranked[:, :-1] > ranked[:, 1:]).all(1) (3)": TWO_AXES,
    },
}
