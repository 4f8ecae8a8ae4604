"""Talking to a service of the mail system on its socket, in its own words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from .system import System


def converse(system: System, service: str, requests: Iterable[str], mask: Callable[[str], str] = str) -> list[str]:
    """The hello and the answers, one after the other on one connection; "closed" is the last where it ended.
    A request is a list "name=value|name=value"; SERVICE is for example "private/rewrite"."""
    answers: list[str] = []
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(system.spool / service))
        answers.append(_read(s))
        for request in requests:
            words = [word.partition("=") for word in request.split("|") if word]
            s.sendall(b"".join(f"{name}\0{value}\0".encode() for name, _, value in words) + b"\0")
            answers.append(mask(_read(s)))
            if answers[-1] == "closed":
                break
    return answers


def _read(s: socket.socket) -> str:
    """One list, its NULs as '|'."""
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except TimeoutError:
            return f"timeout after {data!r}"
        except ConnectionResetError:
            more = b""
        data += more
        words = data.split(b"\0")
        # name, value, name, value, "", "": a name that is empty ends the list.
        names = words[:-1:2]
        if b"" in names or not more:
            return data.replace(b"\0", b"|").decode("latin-1") if data else "closed"
