r"""Lecture 7: adversarial examples of classifiers, x_adv = x + delta with ||delta||_p <= eps and x_adv in [0, 1].

All are called alike: attack(model, x, y, *, eps or budget, steps, ..., targeted=False, generator=None) -> x_adv.
x (N, ...) in [0, 1]; y (N,) holds the true labels, or, when targeted, the labels wanted; the model maps x to logits
(N, K); eps is one number or one per image (N,). Mode and gradients of the model are left as they were found. Each
attack raises ValueError for images outside [0, 1], labels outside 0 ... K - 1, eps < 0, or a model that returns
probabilities or NaN. helpers.attacks holds further attacks (gradient, minimum_norm, blackbox, universal), what
all share (threat) and the training against them (defence).
"""

from helpers.attacks.apgd import (
    apgd_targeted,
    dlr,
    targeted_dlr,
)
from helpers.attacks.blackbox import (
    distinct_triples,
    one_pixel,
    paint,
    paired,
    side,
    square,
    transferred,
)
from helpers.attacks.defence import (
    Sharpened,
    adversarial_loss,
    adversarial_training_step,
    kl_divergence,
    trades_attack,
    trades_loss,
    train_trades,
)
from helpers.attacks.gradient import (
    ascend,
    fgsm,
    mi_fgsm,
    random_start_fgsm,
)
from helpers.attacks.hyperplane import (
    fab,
    fab_step,
    to_hyperplane,
)
from helpers.attacks.linear import (
    Linear,
    fit_logistic,
    robust_logistic_loss,
)
from helpers.attacks.minimum_norm import (
    deepfool,
    deepfool_step,
    nearer,
    smallest_eps,
    towards_clean,
)
from helpers.attacks.ordered import (
    top_k,
    top_k_gap,
    top_k_success,
)
from helpers.attacks.penalty import (
    box_lbfgs,
    carlini_wagner,
    carlini_wagner_objective,
    lbfgs,
    open_box,
    search_constant,
    two_loops,
)
from helpers.attacks.pgd import (
    bim,
    pgd_l0,
    pgd_l1,
    pgd_l2,
    pgd_linf,
    sparse_ascent,
)
from helpers.attacks.projections import (
    Eps,
    clip_linf,
    dual,
    norm,
    per_image,
    project_l0,
    project_l1,
    project_l2,
    project_linf,
    random_in_ball,
    spread,
    steepest_ascent,
)
from helpers.attacks.report import (
    evaluate,
    median_norm,
)
from helpers.attacks.saliency import (
    best_pair,
    class_gradients,
    jsma,
    jsma_saliency,
)
from helpers.attacks.team import (
    Verdict,
    exact_interval,
    robust_accuracy,
)
from helpers.attacks.threat import (
    Counted,
    Loss,
    Model,
    Outcome,
    attack,
    check_batch,
    check_logits,
    cross_entropy,
    evaluating,
    goal,
    input_gradient,
    jacobian,
    margin,
    outcome,
    worst_case,
)
from helpers.attacks.toy import (
    distance_to_half,
    tsipras_accuracy,
    tsipras_sample,
)
from helpers.attacks.universal import (
    fooling_rate,
    power,
    project,
    shuffled,
    singular_perturbation,
    universal_deepfool,
    universal_sgd,
    universal_step,
)

__all__ = [
    "Counted", "Eps", "Linear", "Loss", "Model", "Outcome", "Sharpened", "Verdict", "adversarial_loss",
    "adversarial_training_step", "apgd_targeted", "ascend", "attack", "best_pair", "bim", "box_lbfgs",
    "carlini_wagner", "carlini_wagner_objective", "check_batch", "check_logits", "class_gradients", "clip_linf",
    "cross_entropy", "deepfool", "deepfool_step", "distance_to_half", "distinct_triples", "dlr", "dual", "evaluate",
    "evaluating", "exact_interval", "fab", "fab_step", "fgsm", "fit_logistic", "fooling_rate", "goal",
    "input_gradient", "jacobian", "jsma", "jsma_saliency", "kl_divergence", "lbfgs", "margin", "median_norm",
    "mi_fgsm", "nearer", "norm", "one_pixel", "open_box", "outcome", "paint", "paired", "per_image", "pgd_l0", "pgd_l1",
    "pgd_l2", "pgd_linf", "power", "project", "project_l0", "project_l1", "project_l2", "project_linf",
    "random_in_ball", "random_start_fgsm", "robust_accuracy", "robust_logistic_loss", "search_constant", "shuffled",
    "side", "singular_perturbation", "smallest_eps", "sparse_ascent", "spread", "square", "steepest_ascent",
    "targeted_dlr", "to_hyperplane", "top_k", "top_k_gap", "top_k_success", "towards_clean", "trades_attack",
    "trades_loss", "train_trades", "transferred", "tsipras_accuracy", "tsipras_sample", "two_loops",
    "universal_deepfool", "universal_sgd", "universal_step", "worst_case",
]  # fmt: skip
