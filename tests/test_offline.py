"""The tests and the lectures' kernels reach loopback and nothing else."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

OFFLINE = Path(__file__).parent / "offline"


def test_the_network_is_blocked_in_the_tests() -> None:
    with pytest.raises(OSError, match="no network here, and something wants to reach example.org"):
        socket.create_connection(("example.org", 80), timeout=1)
    with pytest.raises(OSError, match="no network here"), socket.socket() as client:
        client.connect(("192.0.2.1", 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        pass


def test_a_python_with_the_folder_on_its_path_has_no_network() -> None:
    code = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)"
    variables = {**os.environ, "PYTHONPATH": str(OFFLINE)}
    result = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    assert result.returncode == 1 and "no network here" in result.stderr
