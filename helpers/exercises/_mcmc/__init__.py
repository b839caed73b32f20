"""The exercises of Lecture 5, part by part; helpers.exercises.mcmc lists them."""
