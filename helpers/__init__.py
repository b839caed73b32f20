"""Models, mathematics and pictures of the course Introduction to Deep Learning Theory."""
