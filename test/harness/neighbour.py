"""Another machine, one cable away from a room's: it has only an address."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator

from .installed import Installed
from .room import in_network

NEAR, FAR, SILENT = "192.0.2.1", "192.0.2.25", "192.0.2.26"

_CABLE = f"""
ip link add near type veth peer name far netns $1
ip addr add {NEAR}/24 dev near
ip link set near up
nsenter -t $1 -n ip addr add {FAR}/24 dev far
nsenter -t $1 -n ip addr add {SILENT}/24 dev far
nsenter -t $1 -n ip link set far up
nsenter -t $1 -n ip link set lo up
"""


class Neighbour:
    """At FAR, and at SILENT, where nothing is meant to listen; the room's own machine is at NEAR.  It ends with the room."""

    def __init__(self, system: Installed) -> None:
        keeper = system.spawn(["unshare", "-n", "sh", "-c", "echo $$; exec sleep 100000"], stdout=subprocess.PIPE)
        assert keeper.stdout
        pid = keeper.stdout.readline().decode().strip()
        keeper.stdout.close()
        system.run(["sh", "-ec", _CABLE, "cable", pid])
        self._net = system.room.path(f"/proc/{pid}/ns/net")

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile belong to this machine's network."""
        with in_network(self._net):
            yield

    def connect(self, port: int = 25) -> socket.socket:
        """A connection to the room's machine."""
        with self.network():
            return socket.create_connection((NEAR, port), timeout=30)
