"""The exercises of Lecture 5, `mcmc`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.mcmc.exercises.batches import sgld_gradient
from helpers.mcmc.exercises.chains import stationary_distribution
from helpers.mcmc.exercises.convergence import split_rhat
from helpers.mcmc.exercises.direct import inverse_transform_sample
from helpers.mcmc.exercises.gibbs import gibbs_bivariate_normal
from helpers.mcmc.exercises.hamiltonian import leapfrog
from helpers.mcmc.exercises.langevin import ula_step
from helpers.mcmc.exercises.mala import mala_log_acceptance
from helpers.mcmc.exercises.metropolis import metropolis_accept
from helpers.mcmc.exercises.reversible import is_reversible
from helpers.mcmc.exercises.worth import effective_sample_size

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

desk = Desk("mcmc", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
