"""Mail that waits, written as the mail system would have left it; and the queue manager's control socket."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from .system import System

HOURS = 2 * 3600
REASON = "connect to mx.far.example[192.0.2.1]:25: Connection timed out"
CONTROL = "public/qmgr-control"


def record(kind: str, text: str) -> bytes:
    data = text.encode()
    assert len(data) < 128
    return kind.encode() + bytes([len(data)]) + data


def message(now: int, *recipients: str, sender: str = "carol@mx.test.invalid", lines: int = 20) -> bytes:
    envelope = b"".join([record("T", f"{now} 5"), record("A", f"create_time={now}"), record("A", "rewrite_context=local"), record("S", sender)])
    for to in recipients:
        envelope += record("A", f"dsn_orig_rcpt=rfc822;{to}") + record("O", to) + record("R", to)
    envelope += record("M", "")
    content = b"".join([record("N", "Subject: waits"), record("N", ""), *(record("N", "x" * 70) for _ in range(lines))])
    size = " ".join(f"{n:15}" for n in (len(content), 97 + len(envelope), len(recipients), 0, len(content), 0))
    return record("C", size) + envelope + content + record("X", "") + record("E", "")


def folders(spool: Path) -> None:
    owner = (spool / "deferred").stat()
    for queue in ("deferred", "defer"):
        for letter in "0123456789ABCDEF":
            (spool / queue / letter).mkdir(exist_ok=True)
            os.chown(spool / queue / letter, owner.st_uid, owner.st_gid)
            (spool / queue / letter).chmod(0o700)


def put(spool: Path, number: int, *recipients: str, due: float, sender: str = "carol@mx.test.invalid", reason: str = REASON,
        logged: int | None = None) -> str:
    """A message in deferred/ that is due at the time DUE, with REASON why (the first LOGGED of) its recipients wait; its id."""
    owner = (spool / "deferred").stat()
    name = f"{number * 7919 % 1000000:05X}"
    path = spool / "deferred" / name[0] / "new"
    with open(path, "wb") as file:
        file.write(message(int(time.time()), *recipients, sender=sender))
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.fchmod(file.fileno(), 0o700)
        name += f"{os.fstat(file.fileno()).st_ino:X}"
    os.utime(path, (due, due))
    log = spool / "defer" / name[0] / name
    log.write_text("".join(f"\n<{to}>: {reason}\nrecipient={to}\noffset=231\ndsn_orig_rcpt=rfc822;{to}\nstatus=4.4.1\naction=delayed\nreason={reason}\n\n"
                           for to in recipients[:logged]))
    os.chown(log, owner.st_uid, owner.st_gid)
    log.chmod(0o600)
    os.rename(path, path.with_name(name))
    return name


def fill(spool: Path, count: int) -> list[str]:
    """COUNT messages to as many recipients at a thousand places, due in hours; their ids."""
    folders(spool)
    due = time.time() + HOURS
    return [put(spool, number, f"user{number}@place{number % 1000}.example", due=due) for number in range(count)]


# ---- the control socket ----


@contextlib.contextmanager
def control(system: System, request: Mapping[str, str]) -> Iterator[socket.socket]:
    """A connection on which the hello has been read and REQUEST sent."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        with _folder(system.spool):  # its whole path may be too long for a socket's
            s.connect(CONTROL)
        words(s)
        s.sendall(b"".join(f"{name}\0{value}\0".encode() for name, value in request.items()) + b"\0")
        yield s


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.chdir(path)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def trigger(system: System, letters: bytes) -> None:
    """What `postqueue -f` (b"DFAI") and others tell the queue manager."""
    with socket.socket(socket.AF_UNIX) as s:
        with _folder(system.spool):
            s.connect("public/qmgr")
        s.sendall(letters)
        s.recv(1)  # until it has been taken


def words(s: socket.socket) -> dict[str, str]:
    """One list; empty: the peer has closed."""
    pairs: dict[str, str] = {}
    while name := _word(s):
        pairs[name] = _word(s)
    return pairs


def _word(s: socket.socket) -> str:
    data = b""
    while (byte := s.recv(1)) not in (b"\0", b""):
        data += byte
    return data.decode()


def counts(system: System) -> dict[str, int]:
    with control(system, {"request": "count"}) as s:
        return {name: int(value) for name, value in words(s).items()}


def wait_known(system: System, count: int, timeout: float = 60) -> None:
    """Waits until the queue manager knows COUNT messages, which are all there are, without their files."""
    until = time.monotonic() + timeout
    now: dict[str, int] = {}
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError, ConnectionError):
            now = counts(system)
            if now.get("status") == 0 and now["known"] == count == now["deferred"] + now["hold"]:
                return
        time.sleep(0.02)
    raise AssertionError(f"the queue manager says {now}, not that it knows {count}\n{system.log.text()}")


def told(system: System, **asked: str) -> tuple[list[str], list[str]]:
    """The ids that match, and those whose files would have to be read."""
    ids: list[str] = []
    files: list[str] = []
    with control(system, {"request": "list", **{name: asked.get(name, "") for name in ("queue_name", "sender", "domain")}}) as s:
        assert words(s) == {"status": "0"}
        while run := words(s):
            size = int(run["bytes"])
            if size > 0:
                data = b""
                while len(data) < size:
                    more = s.recv(size - len(data))
                    assert more
                    data += more
                texts = data.split(b"\0")
                ids += [texts[at + 1].decode() for at, word in enumerate(texts) if word == b"queue_id"]
            elif run["queue_id"]:
                files.append(run["queue_id"])
            else:
                return ids, files
    raise AssertionError("the list has no end")
