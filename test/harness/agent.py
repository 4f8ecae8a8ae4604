"""Process 1 of a room: makes its mounts, collects what is sent to /dev/log, reaps orphans.

Started by room.py as  unshare -mpnf ... python3 agent.py SCRATCH IMAGE LAYER...  where IMAGE is a file system for
the queue, or empty.  Writes "ready" when the room can be used.  It lives until it is killed, and everything in the
room dies with it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "loop-control")

#          name       uid    gid    home        shell
ACCOUNTS = (
    ("postfix", 19001, 19001, "/var/spool/postfix", "/usr/sbin/nologin"),
    ("alice", 20001, 20001, "/home/alice", "/bin/sh"),
    ("bob", 20002, 20002, "/home/bob", "/bin/sh"),
    ("carol", 20003, 20003, "/home/carol", "/bin/sh"),
)
SETGID_GROUP = ("postdrop", 19002)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def overlay(over: str, layers: list[Path], work: Path) -> None:
    lower = [str(layer) + over for layer in layers if (layer / over[1:]).is_dir()] + [over]
    upper, scratch = work / ("u" + over[1:]), work / ("w" + over[1:])
    upper.mkdir()
    scratch.mkdir()
    mount("-t", "overlay", "o", "-o", f"lowerdir={':'.join(lower)},upperdir={upper},workdir={scratch}", over)


def bind(source: Path, over: str, mode: int = 0o755) -> None:
    source.mkdir(exist_ok=True)
    source.chmod(mode)
    os.makedirs(over, exist_ok=True)
    mount("--bind", source, over)


def make_dev(at: Path) -> None:
    """A /dev of our own, so that /dev/log is nobody else's."""
    at.mkdir()
    mount("-t", "tmpfs", "dev", at)
    at.chmod(0o755)
    for name in DEVICES:
        if os.path.exists(f"/dev/{name}"):
            (at / name).touch()
            mount("--bind", f"/dev/{name}", at / name)
    for name in ("pts", "shm"):
        (at / name).mkdir()
    mount("-t", "tmpfs", "shm", at / "shm")
    (at / "shm").chmod(0o1777)
    subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", at / "pts"], stderr=subprocess.DEVNULL)
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (at / name).symlink_to(target)
    mount("--move", at, "/dev")


def known(name: str, path: str) -> bool:
    with open(path, encoding="utf-8") as file:
        return any(line.split(":", 1)[0] == name for line in file)


def add_accounts() -> None:
    if not known(SETGID_GROUP[0], "/etc/group"):
        append("/etc/group", f"{SETGID_GROUP[0]}:x:{SETGID_GROUP[1]}:")
    for name, uid, gid, home, shell in ACCOUNTS:
        if not known(name, "/etc/group"):
            append("/etc/group", f"{name}:x:{gid}:")
        if not known(name, "/etc/passwd"):
            append("/etc/passwd", f"{name}:x:{uid}:{gid}::{home}:{shell}")
        if home.startswith("/home/"):
            os.makedirs(home, exist_ok=True)
            os.chown(home, uid, gid)


def append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def enter(scratch: Path, image: str, layers: list[Path]) -> socket.socket:
    mount("--make-rprivate", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    work = scratch / "overlay"
    work.mkdir()
    mount("-t", "tmpfs", "overlay", work)
    overlay("/usr", layers, work)
    overlay("/etc", layers, work)
    if image:
        os.makedirs("/var/spool/postfix", exist_ok=True)
        mount("-o", "loop", image, "/var/spool/postfix")
    else:
        bind(scratch / "spool", "/var/spool/postfix")
    bind(scratch / "data", "/var/lib/postfix")
    bind(scratch / "mail", "/var/mail", 0o1777)
    bind(scratch / "home", "/home")
    make_dev(work / "dev")
    add_accounts()
    # As systemd sets it; with the kernel's 10, a burst of lines makes senders wait or keep them for later.
    Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512")
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else socket.SO_RCVBUF, 8 << 20)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    return log


def reap(_number: int, _frame: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0] > 0:
            pass
    except ChildProcessError:
        pass


SYNC = b"<sync>"


def collect(log: socket.socket, path: Path) -> None:
    """Writes each datagram as a line, many at a time; answers one that asks for a file by making it, after all before it."""
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    log.setblocking(False)
    while True:
        select.select([log], [], [])
        time.sleep(0.002)  # for what comes with it: to wake a reader for each line costs its writers more than the line does
        lines, asked = [], []
        try:
            while len(lines) < 1000:
                line = log.recv(65536).rstrip(b"\n\0")
                if line.startswith(SYNC):
                    asked.append(line.removeprefix(SYNC).decode())
                else:
                    lines.append(line + b"\n")
        except BlockingIOError:
            pass
        os.write(out, b"".join(lines))
        for name in asked:
            (path.parent / name).touch()


def main() -> None:
    scratch, image, layers = Path(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]]
    os.umask(0o022)
    os.chdir("/")
    log = enter(scratch, image, layers)
    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    collect(log, scratch / "mail.log")


main()
