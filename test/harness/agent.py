"""Process 1 of a room: makes its mounts, collects what is sent to /dev/log, reaps orphans.

Started by room.py as  unshare -mpnf ... python3 agent.py SCRATCH IMAGE LAYER...  where IMAGE is a file system for
the queue, or empty.  Writes "ready" when the room can be used.  It lives until it is killed, and everything in the
room dies with it.  Rooms are many: nothing that takes long to import is used here.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "loop-control")

#          name       uid    gid    home        shell
ACCOUNTS = (
    ("postfix", 19001, 19001, "/var/spool/postfix", "/usr/sbin/nologin"),
    ("alice", 20001, 20001, "/home/alice", "/bin/sh"),
    ("bob", 20002, 20002, "/home/bob", "/bin/sh"),
    ("carol", 20003, 20003, "/home/carol", "/bin/sh"),
)
SETGID_GROUP = ("postdrop", 19002)


MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 1 << 12, 1 << 13, 1 << 14, 1 << 18  # <sys/mount.h>
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40  # <linux/sockios.h>, <net/if.h>
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: object, over: object, kind: str | None = None, flags: int = 0, options: str | None = None) -> None:
    """mount(2): a process for each of a room's twenty would be dear."""
    names = [None if name is None else os.fsencode(str(name)) for name in (source, over, kind)]
    if _libc.mount(*names, ctypes.c_ulong(flags), None if options is None else options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} over {over}: {os.strerror(ctypes.get_errno())}")


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP | IFF_RUNNING))


def overlay(over: str, layers: list[str], work: str) -> None:
    lower = [layer + over for layer in layers if os.path.isdir(layer + over)] + [over]
    upper, scratch = f"{work}/u{over[1:]}", f"{work}/w{over[1:]}"
    os.mkdir(upper)
    os.mkdir(scratch)
    mount("o", over, "overlay", options=f"lowerdir={':'.join(lower)},upperdir={upper},workdir={scratch}")


def bind(source: str, over: str, mode: int = 0o755) -> None:
    os.makedirs(source, exist_ok=True)
    os.chmod(source, mode)
    os.makedirs(over, exist_ok=True)
    mount(source, over, flags=MS_BIND)


def touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))


def make_dev(at: str) -> None:
    """A /dev of our own, so that /dev/log is nobody else's."""
    os.mkdir(at)
    mount("dev", at, "tmpfs")
    os.chmod(at, 0o755)
    for name in DEVICES:
        if os.path.exists(f"/dev/{name}"):
            touch(f"{at}/{name}")
            mount(f"/dev/{name}", f"{at}/{name}", flags=MS_BIND)
    for name in ("pts", "shm"):
        os.mkdir(f"{at}/{name}")
    mount("shm", f"{at}/shm", "tmpfs")
    os.chmod(f"{at}/shm", 0o1777)
    try:
        mount("devpts", f"{at}/pts", "devpts", options="newinstance,ptmxmode=0666")
    except OSError:
        pass  # not everywhere
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"{at}/{name}")
    mount(at, "/dev", flags=MS_MOVE)


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


def enter(scratch: str, image: str, layers: list[str]) -> socket.socket:
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    raise_loopback()
    work = f"{scratch}/overlay"
    os.mkdir(work)
    mount("overlay", work, "tmpfs")
    overlay("/usr", layers, work)
    overlay("/etc", layers, work)
    if image:
        os.makedirs("/var/spool/postfix", exist_ok=True)
        import subprocess  # dear, and seldom needed

        subprocess.run(["mount", "-o", "loop", image, "/var/spool/postfix"], check=True)
    else:
        bind(f"{scratch}/spool", "/var/spool/postfix")
    bind(f"{scratch}/data", "/var/lib/postfix")
    bind(f"{scratch}/mail", "/var/mail", 0o1777)
    bind(f"{scratch}/home", "/home")
    make_dev(f"{work}/dev")
    add_accounts()
    # As systemd sets it; with the kernel's 10, a burst of lines makes senders wait or keep them for later.
    with open("/proc/sys/net/unix/max_dgram_qlen", "w", encoding="ascii") as longest:
        longest.write("512")
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


def collect(log: socket.socket, path: str) -> None:
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
            touch(f"{os.path.dirname(path)}/{name}")


def main() -> None:
    scratch, image, layers = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.umask(0o022)
    os.chdir("/")
    log = enter(scratch, image, layers)
    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    collect(log, f"{scratch}/mail.log")


main()
