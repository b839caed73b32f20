"""How the checkpoints of data/checkpoints are made: one module per lecture, one function per checkpoint."""
