"""The exercises of Lecture 1, part by part; helpers.exercises.risk lists them."""
