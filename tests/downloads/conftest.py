"""Every test here has a cache of its own, and may have the server and the stand-in for CIFAR-10."""

from tests.downloads.server import cache, cifar, server  # noqa: F401
