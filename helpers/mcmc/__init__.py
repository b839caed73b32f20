r"""Lecture 5, `mcmc`: finite chains, samplers as pure steps on a batch of chains, and what their draws are worth.

A step is `step(log_prob, state, *, step_size, generator) -> (state, info)`: it moves every chain of the batch once, and
nothing else. In `helpers.mcmc`, `sampling` runs any of them, `targets` and `posteriors` are densities to run them on,
`diagnostics`, `exactness` and `theory` judge the result.
"""

from helpers.mcmc.diagnostics import (
    autocovariance,
    effective_sample_size,
    split_chains,
    split_rhat,
)
from helpers.mcmc.direct import (
    inverse_transform_sample,
)
from helpers.mcmc.finite import (
    is_reversible,
    stationary_distribution,
    transition_matrix,
)
from helpers.mcmc.gibbs import (
    Conditionals,
    gibbs_bivariate_normal,
    gibbs_step,
)
from helpers.mcmc.hamiltonian import (
    DIVERGENT,
    hmc_step,
    leapfrog,
)
from helpers.mcmc.langevin import (
    mala_log_acceptance,
    mala_step,
    sgld_gradient,
    sgld_step,
    ula_step,
)
from helpers.mcmc.metropolis import (
    Proposal,
    gaussian_proposal,
    log_normal_proposal,
    metropolis_accept,
    metropolis_hastings_step,
    random_walk_step,
    settle,
)
from helpers.mcmc.nuts import (
    nuts_step,
)
from helpers.mcmc.tempering import (
    swap_log_ratio,
    tempering_step,
)

__all__ = [
    "Conditionals", "DIVERGENT", "Proposal", "autocovariance", "effective_sample_size", "gaussian_proposal",
    "gibbs_bivariate_normal", "gibbs_step", "hmc_step", "inverse_transform_sample", "is_reversible", "leapfrog",
    "log_normal_proposal", "mala_log_acceptance", "mala_step", "metropolis_accept", "metropolis_hastings_step",
    "nuts_step", "random_walk_step", "settle", "sgld_gradient", "sgld_step", "split_chains", "split_rhat",
    "stationary_distribution", "swap_log_ratio", "tempering_step", "transition_matrix", "ula_step",
]  # fmt: skip
