"""What lecture 9 needs beside helpers.smoothing: bounds of networks, certificates, voting, training with noise."""
