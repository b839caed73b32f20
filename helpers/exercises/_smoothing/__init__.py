"""The exercises of Lecture 9, part by part; helpers.exercises.smoothing lists them."""
