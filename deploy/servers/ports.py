"""Free TCP ports on loopback."""

import random
import socket

# Below the kernel's ephemeral range: there a client that reconnects to a killed server can be given the
# server's own port and connect to itself (tcp(7), simultaneous open).
FIRST, LAST = 20_000, 31_999
LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Pick a port at random that can be bound now."""
    for _ in range(200):
        port = random.randint(FIRST, LAST)
        if is_free(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def is_free(port: int) -> bool:
    """Return whether the port can be bound on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
