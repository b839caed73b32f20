"""Python imports this at its start when the folder is on PYTHONPATH."""

import network

network.block()
