"""The exercises of Lecture 7, part by part; helpers.exercises.attacks lists them."""
