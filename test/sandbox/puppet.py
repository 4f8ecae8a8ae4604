"""Makes running daemons try what they must not (puppet.c)."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL

from harness import paths
from harness.installed import Installed
from harness.system import System

HERE = Path(__file__).parent
DEAD = "dead"

# x86-64.
OPENAT, SOCKET, KILL, EXECVE, CLONE, SETUID, PTRACE, UNLINK, FCNTL, IOCTL = 257, 41, 62, 59, 56, 105, 101, 87, 72, 16
AT_FDCWD = -100
FIOSETOWN = 0x8901


def built(folder: Path, name: str) -> Path:
    program = folder / name
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-I", paths.REPO / "src", "-o", program, HERE / f"{name}.c"], check=True)
    folder.chmod(0o755)
    return program


def _open(path: str, flags: int) -> str:
    return f'{OPENAT} {AT_FDCWD} "{path} {flags} 0600'


def _socket(domain: int, kind: int) -> str:
    return f"{SOCKET} {domain} {kind} 0"


def reading(path: str) -> str:
    return _open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def writing(path: str) -> str:
    return _open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def making(path: str) -> str:
    return _open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)


def removing(path: str) -> str:
    return f'{UNLINK} "{path}'


TCP, UDP, RAW = (_socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW))
UNIX_STREAM = _socket(socket.AF_UNIX, socket.SOCK_STREAM)
UNIX_DATAGRAM = _socket(socket.AF_UNIX, socket.SOCK_DGRAM)
PROGRAM = f'{EXECVE} "/bin/true 0 0'
CHILD = f"{CLONE} 17 0"  # SIGCHLD: as fork() does
IDENTITY = f"{SETUID} 1"
TRACE = f"{PTRACE} 16 1"  # PTRACE_ATTACH
CHOOSE_SIGNAL = f"{FCNTL} 0 {fcntl.F_SETSIG} {SIGKILL:d}"
ASK_FOR_SIGNALS = f"{FCNTL} 0 {fcntl.F_SETFL} {os.O_ASYNC}"
READ_FLAGS = f"{FCNTL} 0 {fcntl.F_GETFL}"


def signal(pid: int) -> str:
    return f"{KILL} {pid} 0"


def owning(pid: int) -> str:
    """Makes PID the one that is signalled of a descriptor."""
    return f"{FCNTL} 0 {fcntl.F_SETOWN} {pid}"


def owning_by_ioctl(pid: int) -> str:
    return f"{IOCTL} 0 {FIOSETOWN:#x} x{pid.to_bytes(4, 'little').hex()}"


def attempt(system: Installed, tool: Path, pid: int, calls: Mapping[str, str]) -> dict[str, str]:
    """What came of each of CALLS in process PID: "", the name of an error, or DEAD."""
    answers = system.run([tool, pid], input="".join(f"{call}\n" for call in calls.values())).stdout.split("\n")
    return dict(zip(calls, map(_verdict, answers), strict=False))


def _verdict(answer: str) -> str:
    if answer.startswith(DEAD):
        return answer
    return "" if int(answer) >= 0 else errno.errorcode[-int(answer)]


def connected(system: Installed, sockets: Sequence[str]) -> list[socket.socket]:
    """A connection to each of the services with these sockets, so that it runs."""
    here = os.getcwd()
    clients = []
    os.chdir(system.spool)  # paths of sockets must be short
    try:
        for path in sockets:
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].connect(path)
    finally:
        os.chdir(here)
    return clients


def row(pid: int, system: System) -> dict[str, str]:
    """/proc/PID/status; empty when it has ended."""
    text = system.run(["cat", f"/proc/{pid}/status"], check=False).stdout
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
