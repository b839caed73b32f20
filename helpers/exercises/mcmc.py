"""The exercises of Lecture 5, `mcmc`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

from helpers.exercises._mcmc.chains import inverse_transform_sample, is_reversible, stationary_distribution
from helpers.exercises._mcmc.dynamics import leapfrog, mala_log_acceptance
from helpers.exercises._mcmc.gradients import sgld_gradient, ula_step
from helpers.exercises._mcmc.samplers import gibbs_bivariate_normal, metropolis_accept
from helpers.exercises._mcmc.worth import effective_sample_size, split_rhat

EXERCISES = (
    stationary_distribution,
    is_reversible,
    inverse_transform_sample,
    gibbs_bivariate_normal,
    metropolis_accept,
    ula_step,
    mala_log_acceptance,
    leapfrog,
    sgld_gradient,
    effective_sample_size,
    split_rhat,
)
