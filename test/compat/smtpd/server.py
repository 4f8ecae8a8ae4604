"""A policy server for tests: it does what the policy_context of the request says."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

from harness.system import System

Asked = list[str]
TCP, SOCKET = 2999, "policy"


class PolicyServer:
    """Listens on 127.0.0.1:TCP and on the UNIX socket SOCKET in the queue directory.

    policy_context is "CASE ACTION".  The action is answered as it is, but for
        !close     closes without an answer
        !hang      says nothing
        !once      answers the first request of a connection with DUNNO, then closes
        !raw TEXT  TEXT with | for line ends
    asked maps the case to the requests it made, as they came, each after the number of the case's connection."""

    def __init__(self, system: System) -> None:
        self.asked: dict[str, list[Asked]] = {}
        self._connections: dict[str, list[socket.socket]] = {}
        path = system.spool / SOCKET
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        local = socket.socket(socket.AF_UNIX)
        local.bind(str(path))
        os.chmod(path, 0o666)
        local.listen(100)
        with system.network():
            tcp = socket.create_server(("127.0.0.1", TCP), backlog=100)
        self._listeners = (local, tcp)
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def __enter__(self) -> PolicyServer:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            request: Asked = []
            for raw in lines:
                line = raw.decode("utf-8", "replace").removesuffix("\n")
                if line:
                    request.append(line)
                elif not self._answer(connection, request):
                    return
                else:
                    request = []

    def _answer(self, connection: socket.socket, request: Asked) -> bool:
        context = next((line for line in request if line.startswith("policy_context=")), "")
        case, _, action = context.removeprefix("policy_context=").partition(" ")
        connections = self._connections.setdefault(case, [])
        if connection not in connections:
            connections.append(connection)
        self.asked.setdefault(case, []).append([f"connection {connections.index(connection)}", *request])
        if action == "!close":
            return False
        if action == "!hang":
            time.sleep(30)
            return False
        if action == "!once":
            connection.sendall(b"action=DUNNO\n\n")
            return False
        reply = action.removeprefix("!raw ").replace("|", "\n") if action.startswith("!raw ") else f"action={action}\n\n"
        connection.sendall(reply.encode())
        return True
