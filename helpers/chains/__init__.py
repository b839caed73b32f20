"""What Lecture 5 stands on: states of chains, running and judging samplers, targets, posteriors, closed forms."""
