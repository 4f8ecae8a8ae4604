"""cleanup(8) asked on its own socket: records in; status, queue file and log lines out.

Debian's cleanup and ours run side by side in one room, as services of the same settings, on the same other daemons.
There is no queue manager, so what cleanup leaves in the queue stays there to be looked at.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.oracle import Postfix

VENDORS = ("debian", "ours")
PROGRAMS = {"debian": "cleanup", "ours": "cleanup-ours"}
ARRIVAL = 1699000000  # a day of one digit

BOUNCE, FILTER, HOLD, DISCARD, BCC, MAP, SMTP_REPLY, SMTPUTF8, AUTOUTF8 = 1, 2, 4, 8, 16, 32, 128, 256, 512
FROM_SMTPD = FILTER | BCC | MAP | SMTP_REPLY

Record = tuple[str, bytes]


def record(text: str | bytes | Record) -> Record:
    """"S alice" is a record: its type, a blank, its data."""
    if isinstance(text, tuple):
        return text
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return chr(data[0]), data[2:]


def wire(records: Iterable[Record]) -> bytes:
    out = bytearray()
    for kind, data in records:
        out += kind.encode("latin-1")
        n = len(data)
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        out.append(n)
        out += data
    return bytes(out)


def parse(file: bytes) -> list[Record]:
    """The records of a queue file; what is no record is one of type "?"."""
    records, at = [], 0
    while at < len(file):
        kind, n, shift, start = chr(file[at]), 0, 0, at
        at += 1
        while at < len(file) and file[at] > 127:
            n |= (file[at] & 127) << shift
            shift, at = shift + 7, at + 1
        if at >= len(file):
            return [*records, ("?", file[start:])]
        n |= file[at] << shift
        records.append((kind, file[at + 1 : at + 1 + n]))
        at += 1 + n
    return records


@dataclass(frozen=True)
class Case:
    """FLAGS and RECORDS as the client sends them, to the service that SETTINGS name."""

    name: str
    records: Sequence[Record]
    flags: int = FROM_SMTPD
    settings: str = "plain"
    differs: str = ""
    """Why files and log are not the same, if they are not."""


@dataclass(frozen=True)
class Answer:
    """All that can be told apart, as text, with ids and times masked."""

    reply: str
    files: tuple[str, ...]
    log: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.reply, *self.files, *(f"log: {line}" for line in self.log)])


_DATE = re.compile(rb"\w{3}, [ \d]\d \w{3} (?!2023)\d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)")
# What Debian's says when a second begins between two looks at the clock.
_CLOCK = re.compile("file system clock is|resetting file time stamps")
_STAMP = re.compile(rb"(?<!\d)20[2-9]\d{11}\.")


def masked(data: bytes, ids: Mapping[str, str]) -> bytes:
    for one, mask in ids.items():
        data = data.replace(one.encode(), mask.encode())
    data = _STAMP.sub(b"STAMP.", _DATE.sub(b"DATE", data))
    data = re.sub(rb"(?<!\d)1[7-9]\d{8}(?: \d{1,6}(?!\d))?(?!\d)", b"NOW", data)
    return re.sub(rb"delay=[\d.]+, delays=[\d./]+", b"delay=D", data)


def _size_text(data: bytes, file: bytes) -> str:
    """The size record: offsets are right or wrong, the rest is told."""
    fields = [int(word) for word in data.split()]
    size, offset, recipients, flags, content, options = fields
    good = file[offset - 2 : offset] == b"M\0" and file[offset + size : offset + size + 1] == b"X" and content == size
    return f"C {'right' if good else fields} {recipients} {flags} {options}"


def _message_text(where: str, path: Path, ids: Mapping[str, str]) -> str:
    file = path.read_bytes()
    lines = [f"{where} {path.stat().st_mode & 0o777:o}"]
    for kind, data in parse(file):
        if kind == "C" and len(data) == 95:
            lines.append(_size_text(data, file))
            continue
        text = masked(data, ids)
        short = text if len(text) < 300 else text[:200] + b"...%d..." % len(text) + text[-20:]
        lines.append(f"{kind} {short.decode('latin-1')!r}"[:600])
    return "\n    ".join(lines)


class Stand:
    """Debian's system without a queue manager, in whose place somebody listens: what comes into the queue stays there.  PROGRAM of ours
    is beside Debian's, as PROGRAM-ours; FILES are written to /etc/postfix first."""

    def __init__(self, program: str, main: Sequence[str], rows: Sequence[str], files: Mapping[str, str]) -> None:
        self.system = WithoutQueueManager()
        for name, text in files.items():
            self.system.room.write(f"/etc/postfix/{name}", text)
        self.system.room.run(["install", "-m", "755", paths.our_program(program), f"/usr/lib/postfix/sbin/{program}-ours"])
        self.system.configure(main, rows)
        self._stopping = threading.Event()
        self.system.start()
        self._qmgr = self._listen()
        self.sync_log()

    def _listen(self) -> socket.socket:
        """Stands where the queue manager's triggers go."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.system.spool / "public/qmgr"))
        (self.system.spool / "public/qmgr").chmod(0o666)
        listener.listen(100)

        def serve() -> None:
            while not self._stopping.is_set():
                with contextlib.suppress(OSError):
                    listener.accept()[0].close()

        threading.Thread(target=serve, daemon=True).start()
        return listener

    def sync_log(self) -> None:
        """Everything logged before is in the file afterwards."""
        mark = f"mark {time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.connect(str(self.system.room.path("/dev/log")))
            log.send(f"<22>Jan  1 00:00:00 test/mark[1]: {mark}".encode())
        self.system.log.wait(mark)

    def queue_files(self) -> list[Path]:
        """All files in the queue and the logs of its messages."""
        return [path for name in ("incoming", "hold", "defer", "bounce", "trace") for path in sorted((self.system.spool / name).rglob("*")) if path.is_file()]

    def file_text(self, path: Path, ids: Mapping[str, str]) -> str:
        """A message record by record, or another file as it is; masked."""
        where = path.relative_to(self.system.spool).parts[0]
        if path.parent.name in ("incoming", "hold"):
            return _message_text(f"{where}/{ids.get(path.name, '')}", path, ids)
        return f"{where}: {masked(path.read_bytes(), ids).decode('latin-1')!r}"

    def log_lines(self, ids: Mapping[str, str]) -> tuple[str, ...]:
        """What was logged since the mark, masked."""
        self.sync_log()
        return tuple(masked(line.text.encode(), ids).decode("utf-8", "replace") for line in self.system.log.lines()
                     if line.tag != "test/mark" and not _CLOCK.search(line.text))

    def close(self) -> None:
        self._stopping.set()
        self._qmgr.close()
        self.system.close()


class Desk(Stand):
    """SETTINGS name sets of main.cf lines."""

    def __init__(self, settings: Mapping[str, Sequence[str]], files: Mapping[str, str]) -> None:
        rows = [f"{vendor}-{name.replace(' ', '-')} unix n - n - 0 {PROGRAMS[vendor]}" + "".join(f" -o {{ {line} }}" for line in lines)
                for name, lines in settings.items() for vendor in VENDORS]
        super().__init__("cleanup", ["mail_name = Postfix", "in_flow_delay = 0", "mydestination = $myhostname", "local_recipient_maps ="], rows, files)

    def _converse(self, service: str, case: Case) -> tuple[str, str]:
        """The queue id and the answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.system.spool / "public" / service))
            hello = _read_list(s)
            with contextlib.suppress(OSError):  # it may have heard enough
                s.sendall(b"flags\0%d\0\0" % case.flags + wire(case.records))
            if not case.records or case.records[-1][0] != "E":
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_WR)
            answer = _read_list(s)
            return hello.get("queue_id", ""), " ".join(f"{name}={value}" for name, value in answer.items())

    def ask(self, vendor: str, case: Case) -> Answer:
        before = set(self.queue_files())
        self.system.log.mark()
        own, reply = self._converse(f"{vendor}-{case.settings.replace(' ', '-')}", case)
        self.sync_log()
        after = [path for path in self.queue_files() if path not in before]
        ids = {own: "ID"} | {path.name: "OTHER" for path in after if path.name != own}
        files = tuple(self.file_text(path, ids) for path in after)
        lines = self.log_lines(ids)
        for path in after:
            path.unlink()
        return Answer(reply, files, lines)


class WithoutQueueManager(Postfix):
    def master_text(self) -> str:
        return re.sub(r"^(qmgr|pickup)\s.*\n", "", super().master_text(), flags=re.M)


def _read_list(s: socket.socket) -> dict[str, str]:
    """Attributes up to the end of the list, or of the stream."""
    data = b""
    while not (data == b"\0" or data.endswith(b"\0\0")) or data.endswith(b"reason\0\0"):
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            break
        if not more:
            break
        data += more
    words = [word.decode("latin-1") for word in data.rstrip(b"\0").split(b"\0")]
    return dict(zip(words[::2], [*words[1::2], ""]))
