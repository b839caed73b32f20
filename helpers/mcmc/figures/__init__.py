"""Figures and sliders of Lecture 5."""

from helpers.mcmc.figures.chains import (
    gibbs,
    ising,
    mixing,
    transition_matrix,
)
from helpers.mcmc.figures.judgement import (
    calibration,
    contest,
    diagnostics,
    divergences,
    reliability,
    spreads,
)
from helpers.mcmc.figures.paths import (
    no_u_turn,
)
from helpers.mcmc.figures.sampler import (
    sampler,
)
from helpers.mcmc.figures.scaling import (
    bias_and_variance,
    dimensions,
    hamiltonian,
    langevin_bias,
    optimal_scaling,
    sgld_bias,
    sgld_falling,
    shell,
)

__all__ = [
    "bias_and_variance", "calibration", "contest", "diagnostics", "dimensions", "divergences", "gibbs", "hamiltonian",
    "ising", "langevin_bias", "mixing", "no_u_turn", "optimal_scaling", "reliability", "sampler",
    "sgld_bias", "sgld_falling", "shell", "spreads", "transition_matrix",
]  # fmt: skip
