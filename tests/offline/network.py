"""No network but loopback: what the tests and the kernels of the lectures run under.

The folder of this file on PYTHONPATH is enough: Python imports sitecustomize beside it at its start.
"""

import socket
from typing import Any

connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def refuse(host: object) -> None:
    """Raises OSError for every host but this machine, as a machine without a network would."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and not str(name).startswith(("127.", "::1", "localhost")):
        raise OSError(f"no network here, and something wants to reach {name}")


def block() -> None:
    """From now on this process reaches only loopback and local sockets."""

    def checked(method: Any) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse(address[0])
            return method(self, address)

        return call

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        refuse(host)
        return getaddrinfo(host, *args, **options)

    socket.socket.connect = checked(connect)
    socket.socket.connect_ex = checked(connect_ex)
    socket.getaddrinfo = resolve


def unblock() -> None:
    """Undoes block."""
    socket.socket.connect = connect
    socket.socket.connect_ex = connect_ex
    socket.getaddrinfo = getaddrinfo
